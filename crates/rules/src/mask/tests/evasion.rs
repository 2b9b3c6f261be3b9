//! K1 to K8: whatever a value is hidden in, it is masked, and what only looks like one stays.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Kit, leaks, quoted};

const CARD: &str = "4111111111111111";
const SPACED: &str = "4111 1111 1111 1111";
const MAIL: &str = "jane.roe@globex.com";
const KEY: &str = "AKIAQ3EGVPLM7XWK2SZT";

/// Catalogue row, a message, and what of it must not be seen. `$` stands for what is in quotes.
fn rows() -> Vec<(&'static str, String, &'static str)> {
    let mut rows = Vec::new();
    for secret in [CARD, SPACED, MAIL, KEY] {
        rows.push(("K1", format!(r#"{{"a":"x {secret} y"}}"#), secret));
        rows.push(("K1", quoted(secret), secret));
        let escaped: String = secret.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
        rows.push(("K3", format!(r#"["{escaped}"]"#), secret));
        let some = secret.replacen(['1', 'e', 'A'], "\\u00", 0);
        rows.push(("K3", format!(r#"["{some}\/"]"#), secret));
        for (row, encoded) in encodings(secret) {
            rows.push((
                row,
                format!(r#"{{"a":{}}}"#, quoted(&format!("see {encoded} there"))),
                secret,
            ));
            rows.push((row, quoted(&encoded), secret));
        }
        for place in [
            r#"{"structuredContent":{"a":["$"]}}"#,
            r#"{"_meta":{"x/y":{"$":1}}}"#,
            r#"{"error":{"code":1,"message":"no $ here","data":{"detail":"$"}}}"#,
            r#"{"method":"notifications/progress","params":{"progress":1,"message":"at $"}}"#,
            r#"{"method":"notifications/message","params":{"data":{"row":["$"]}}}"#,
            r#"{"result":{"contents":[{"uri":"x://y","text":"$"}]}}"#,
            r#"{"result":{"tools":[{"name":"t","description":"for $"}]}}"#,
            r#"{"result":{"messages":[{"role":"user","content":{"type":"text","text":"$"}}]}}"#,
            r#"{"result":{"completion":{"values":["$"]}}}"#,
            r#"{"result":{"content":[{"type":"image","data":"AAAA","annotations":{"alt":"$"}}]}}"#,
        ] {
            rows.push(("K5", place.replace('$', secret), secret));
        }
        let blob = STANDARD.encode(format!("name,value\nx,{secret}\n"));
        rows.push((
            "K5",
            format!(r#"{{"uri":"a:b","mimeType":"text/csv","blob":"{blob}"}}"#),
            secret,
        ));
        let nested = quoted(&quoted(&format!(r#"{{"a":[{}]}}"#, quoted(secret))));
        rows.push(("K3", format!(r#"{{"text":{nested}}}"#), secret));
    }
    rows.push(("K5", format!(r#"{{"n":{CARD}}}"#), CARD));
    rows.push(("K5", r#"{"n":4.111111111111111e15}"#.to_owned(), "111111111111111e15"));
    rows.push(("K5", format!(r#"{{"n":{CARD}.0}}"#), CARD));
    rows.push(("K5", format!(r#"{{"text":{}}}"#, quoted(&format!(r#"{{"n":{CARD}}}"#))), CARD));
    rows
}

fn encodings(secret: &str) -> Vec<(&'static str, String)> {
    let each = |of: &dyn Fn(char) -> String| secret.chars().map(of).collect::<String>();
    let shift = |from: char, to: u32| {
        move |c: char| {
            if c.is_ascii_digit() {
                char::from_u32(u32::from(c) - u32::from(from) + to).unwrap().to_string()
            } else {
                c.to_string()
            }
        }
    };
    let base64 = STANDARD.encode(secret);
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![
        ("K3", each(&|c| format!("%{:02X}", u32::from(c)))),
        ("K3", each(&|c| format!("%25{:02X}", u32::from(c)))),
        ("K3", secret.replace('@', "%40").replace(' ', "%20")),
        ("K3", each(&|c| format!("&#{};", u32::from(c)))),
        ("K3", each(&|c| format!("&#x{:x};", u32::from(c)))),
        ("K3", each(&|c| format!("={:02X}", u32::from(c)))),
        ("K3", each(&|c| format!("\\u{:04x}", u32::from(c)))),
        ("K3", format!("{}=\r\n{}", &secret[..6], &secret[6..])),
        ("K3", STANDARD.encode(&base64)),
        ("K3", base64.replace('=', "")),
        ("K3", base64),
        ("K3", hex.to_uppercase()),
        ("K3", hex),
        ("K4", each(&|c| format!("{c}\u{200b}"))),
        ("K4", each(&|c| format!("{c}\u{ad}"))),
        ("K4", each(&shift('0', 0xFF10))),
        ("K4", each(&shift('0', 0x660))),
        ("K4", each(&shift('0', 0x1D7CE))),
        ("K4", secret.replace(' ', "\u{a0}")),
        ("K4", secret.replace('a', "\u{430}").replace('o', "\u{43e}").replace('A', "\u{410}")),
        ("K4", secret.replace('@', "\u{ff20}").replace('.', "\u{ff0e}")),
    ];
    all.push(("K4", secret.replace(' ', "\u{2013}")));
    all
}

#[test]
fn hidden_values_are_masked() {
    let kit = Kit::new();
    let mut ran = std::collections::BTreeMap::new();
    for (row, message, secret) in rows() {
        let masked = kit.masked(&message);
        assert!(!leaks(&masked, secret), "{row} {message}\n  gives {masked}");
        let seen = serde_json::from_str::<serde_json::Value>(&masked).unwrap();
        assert!(!leaks(&format!("{seen:?}"), secret), "{row} {message}\n  gives {masked}");
        assert_ne!(masked, message, "{row}");
        assert_eq!(kit.masked(&masked), masked, "{row}: masked twice");
        *ran.entry(row).or_insert(0) += 1;
    }
    println!("masked: {ran:?}");
    assert_eq!(ran.len(), 4);
}

#[test]
fn near_misses_stay() {
    let kit = Kit::new();
    for message in [
        r#"{"order":"4111111111111112","sku":"4111-1111-1111-1113"}"#,
        r#"{"id":"f81d4fae-7dec-11d0-a765-00a0c91e6bf6","at":"2024-05-01T10:00:00Z"}"#,
        r#"{"sha":"da39a3ee5e6b4b0d3255bfef95601890afd80709","n":1234567890123456}"#,
        r#"["Größe","Москва","名前","x@","@y","a & b; 100% = c\\d"]"#,
        r#"{"password_policy":"at least 12","token_count":17}"#,
        r#"[1.5e3,-0.0,1E400,0.10,12345678901234567890,true,null,"\u00e9\/"]"#,
        r#"{"a":1,"a":2}"#,
        r#"{"text":"{\"a\": [1, 2","b":"[not json]"}"#,
    ] {
        assert_eq!(kit.masked(message), message);
        assert!(matches!(kit.json(message).unwrap().bytes, std::borrow::Cow::Borrowed(_)));
    }
}

#[test]
fn values_cut_over_neighbours_are_masked_in_all_parts() {
    let kit = Kit::new();
    let mut ran = 0;
    for secret in [CARD, SPACED, MAIL, KEY] {
        for at in 1..secret.len() {
            let (left, right) = secret.split_at(at);
            for shape in [
                r#"{"content":[{"type":"text","text":"so <"},{"type":"text","text":"> it"}]}"#,
                r#"{"content":[{"type":"text","text":"<"},{"type":"text","text":">"}]}"#,
                r#"{"messages":[{"content":{"text":"<"}},{"content":{"text":">"}}]}"#,
                r#"{"rows":["<",">"]}"#,
                r#"["is <","> it"]"#,
            ] {
                let message = shape.replace('<', left).replace('>', right);
                let masked = kit.masked(&message);
                assert!(!leaks(&masked, secret), "K2 {message}\n  gives {masked}");
                ran += 1;
            }
        }
        for parts in [3, 4] {
            let size = secret.len().div_ceil(parts);
            let items: Vec<&str> =
                secret.as_bytes().chunks(size).map(|c| str::from_utf8(c).unwrap()).collect();
            let masked = kit.masked(&serde_json::to_string(&items).unwrap());
            assert!(!leaks(&masked, secret), "K2 {items:?}\n  gives {masked}");
        }
    }
    println!("K2: {ran} cuts");
    for message in [
        r#"["41111111","11111111","22223333","41111111","11111111"]"#,
        r#"{"a":"1234","b":"5678"}"#,
        r#"["jane","doe","2024-01-01","2024-01-02"]"#,
    ] {
        assert_eq!(kit.masked(message), message, "chance in a list");
    }
}

#[test]
fn fields_that_together_are_a_value_are_masked() {
    let kit = Kit::new();
    for message in [
        r#"{"first":"41111111","rest":"11111111","note":"x"}"#,
        // One half alone is masked by its name: the other one is not known without it.
        r#"{"password":"41111111","rest":"11111111"}"#,
        r#"{"rest":"41111111","password":"11111111"}"#,
    ] {
        let masked = kit.masked(message);
        assert!(!leaks(&masked, CARD) && !masked.contains("1111"), "K2 {masked}");
    }
    // What is masked already stays under its own name.
    let masked = kit.masked(r#"{"password":"41111111","passwd":"11111111"}"#);
    assert_eq!(masked, r#"{"password":"[secret.password]","passwd":"[secret.password]"}"#);
}

#[test]
fn context_names_values() {
    let kit = Kit::new();
    for (message, secret) in [
        (r#"{"password":"hunter22"}"#, "hunter22"),
        (r#"{"name":"password","value":"hunter22"}"#, "hunter22"),
        (r#"{"value":"hunter22","name":"password"}"#, "hunter22"),
        (r#"[["id","password"],["1","hunter22"],["2","swordfish9"]]"#, "hunter22"),
        (r#"{"columns":["id","password"],"rows":[[1,"hunter22"]]}"#, "hunter22"),
        (r#"{"columns":[{"name":"id"},{"name":"password"}],"rows":[[1,"hunter22"]]}"#, "hunter22"),
        (r#"{"text":"{\"columns\":[\"password\"],\"rows\":[[\"hunter22\"]]}"}"#, "hunter22"),
        (r#"{"pass\u0077ord":"hunter22"}"#, "hunter22"),
        (r#"{"password":["hunter22"]}"#, "hunter22"),
    ] {
        let masked = kit.masked(message);
        assert!(!masked.contains(secret), "{message}\n  gives {masked}");
        assert_eq!(kit.masked(&masked), masked, "masked twice");
    }
}

#[test]
fn labels_are_constant_and_known() {
    let kit = Kit::new();
    // K7: the same form whatever the length, and a label in the data is no way around.
    let [short, long] = ["a@bc.com", "a.very.long.name@and.a.long.domain.example.com"]
        .map(|mail| kit.masked(&quoted(mail)));
    assert_eq!(short, long);
    let masked = kit.masked(r#"["[pii.email] jane.roe@globex.com [MASKED]"]"#);
    assert_eq!(masked, r#"["[pii.email] [pii.email] [MASKED]"]"#);
}

#[test]
fn plain_texts_are_masked_as_well() {
    let kit = Kit::new();
    assert_eq!(kit.text(&format!("mail {MAIL}\n")), "mail [pii.email]\n");
    let json = format!(r#"{{"n": {CARD}}}"#);
    assert_eq!(kit.text(&json), r#"{"n": "[pci.card]"}"#);
    assert_eq!(
        kit.text(&format!("{json}\n{json}\n")),
        "{\"n\": \"[pci.card]\"}\n{\"n\": \"[pci.card]\"}\n"
    );
}

#[test]
fn encoded_values_cut_over_blocks_are_masked_in_both() {
    let kit = Kit::new();
    let mut ran = 0;
    for secret in [CARD, SPACED, MAIL, KEY] {
        for (row, encoded) in encodings(secret) {
            for (at, _) in encoded.char_indices().skip(1) {
                let (left, right) = encoded.split_at(at);
                let message = format!(
                    r#"{{"content":[{{"type":"text","text":{}}},{{"type":"text","text":{}}}]}}"#,
                    quoted(&format!("see {left}")),
                    quoted(&format!("{right} there")),
                );
                let masked = kit.masked(&message);
                let read: serde_json::Value = serde_json::from_str(&masked).unwrap();
                let text = |nth: usize| read["content"][nth]["text"].as_str().unwrap().to_owned();
                let (left, right) = (text(0), text(1));
                let left = left.strip_prefix("see ").unwrap();
                let right = right.strip_suffix(" there").unwrap();
                let joined = format!("{left}{right}");
                assert!(!leaks(&joined, secret), "K2 {row} {message}\n  gives {masked}");
                // Of what encodes it, no more is left than what four characters need.
                let kept = [left, right].map(|part| part.split('[').next().unwrap().len());
                let most = encoded.len() * 4 / secret.len();
                assert!(
                    kept.iter().all(|kept| *kept < most.max(4)),
                    "K2 {row} {message}\n  gives {masked}"
                );
                ran += 1;
            }
        }
    }
    println!("K2: {ran} cuts of encoded values");
}

#[test]
fn a_table_before_a_scheme_is_read_again() {
    let text = "name,ssn\n\"@\",://";
    assert_eq!(Kit::new().text(text), text);
}
