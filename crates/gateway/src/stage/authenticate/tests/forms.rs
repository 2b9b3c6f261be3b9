//! Rows about the token's bytes: header, signature, encoding.

use aws_lc_rs::hmac;
use lockgate_model::Reason;
use serde_json::{Value, json};

use super::{Gate, NOW, idp::b64, ok};

/// The order of P-256, big-endian.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// `ORDER - number`.
fn negated(number: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut out: Vec<u8> = (ORDER.iter().rev().zip(number.iter().rev()))
        .map(|(a, b)| {
            let difference = i16::from(*a) - i16::from(*b) - borrow;
            borrow = i16::from(difference < 0);
            difference.rem_euclid(256) as u8
        })
        .collect();
    out.reverse();
    out
}

impl Gate {
    /// A token signed as `alg` says, under this header.
    fn headed(&self, alg: &str, header: Value) -> String {
        self.idp.keys.token(alg, &header.to_string(), &self.claims().to_string())
    }
}

#[tokio::test]
async fn every_algorithm_has_a_valid_twin() {
    let gate = Gate::open().await;
    for (alg, kid) in [("RS256", "rsa"), ("PS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")] {
        for header in [json!({"alg": alg, "kid": kid}), json!({"alg": alg})] {
            assert_eq!(gate.try_token(&gate.headed(alg, header)).await, ok(), "{alg}");
        }
    }
}

#[tokio::test]
async fn rows_t6_to_t10_the_algorithm_is_ours_to_choose() {
    let gate = Gate::with(json!({"algorithms": ["RS256", "ES256"]})).await;
    let header = Err(Reason::TokenHeader);
    for alg in [
        json!("none"),
        json!("None"),
        json!("NONE"),
        json!("nOnE"),
        json!(""),
        json!(256),
        json!(["ES256"]),
        json!(null),
        json!("es256"),
        json!("ES256 "),
    ] {
        let head = b64(json!({"alg": alg, "kid": "ec"}).to_string());
        let signed = format!("{head}.{}", b64(gate.claims().to_string()));
        for token in [format!("{signed}."), format!("{signed}.{}", b64([0; 64]))] {
            assert_eq!(gate.try_token(&token).await, header, "T6 {alg}");
        }
        let token = gate.headed("ES256", json!({"alg": alg, "kid": "ec"}));
        assert_eq!(gate.try_token(&token).await, header, "T6 {alg}");
    }
    assert_eq!(gate.try_token(&gate.headed("ES256", json!({"kid": "ec"}))).await, header, "T6");
    let mut secrets = gate.idp.keys.rsa_spellings().to_vec();
    secrets.extend([b"".to_vec(), b"rsa".to_vec()]);
    for secret in secrets {
        for kid in ["rsa", "ec"] {
            let head = b64(json!({"alg": "HS256", "kid": kid}).to_string());
            let signed = format!("{head}.{}", b64(gate.claims().to_string()));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
            let outcome = gate.try_token(&format!("{signed}.{}", b64(tag))).await;
            assert_eq!(outcome, header, "T7 T8 {}", secret.len());
        }
    }
    let rows = [
        ("T9", "PS256", json!({"alg": "PS256", "kid": "rsa"}), header.clone()),
        ("T9", "PS256", json!({"alg": "RS256", "kid": "rsa"}), Err(Reason::TokenSignature)),
        ("T9", "ES256", json!({"alg": "ES384", "kid": "ec"}), header.clone()),
        ("T9", "ES256", json!({"alg": "ES256K", "kid": "ec"}), header.clone()),
        ("T9", "ES256", json!({"alg": "ES512", "kid": "ec"}), header.clone()),
        ("T9", "ES256", json!({"alg": "ES256", "kid": "rsa"}), Err(Reason::TokenKeyUnknown)),
        ("T9", "RS256", json!({"alg": "RS256", "kid": "ec"}), Err(Reason::TokenKeyUnknown)),
        ("T10", "EdDSA", json!({"alg": "EdDSA", "kid": "ed"}), header.clone()),
        ("T9 twin", "RS256", json!({"alg": "RS256", "kid": "rsa"}), ok()),
    ];
    for (row, alg, head, expected) in rows {
        assert_eq!(gate.try_token(&gate.headed(alg, head.clone())).await, expected, "{row} {head}");
    }
}

#[tokio::test]
async fn rows_t11_and_t12_ecdsa_signatures() {
    let gate = Gate::open().await;
    let token = gate.token(&gate.claims());
    let (signed, _) = token.rsplit_once('.').unwrap();
    let good = gate.idp.keys.sign("ES256", signed.as_bytes());
    let (r, s) = good.split_at(32);
    let zero = [0; 32];
    let der = [&[0x30, 68, 2, 32], r, &[2, 32], s].concat();
    for bad in [
        [zero, zero].concat(),
        [ORDER, ORDER].concat(),
        [&zero, s].concat(),
        [r, &zero].concat(),
        [&ORDER, s].concat(),
        [r, &ORDER].concat(),
        der,
        good[..63].to_vec(),
        [&good[..], &[0]].concat(),
        [&[0], &good[..]].concat(),
        [&zero[..], r, &zero, s].concat(),
        vec![],
    ] {
        let outcome = gate.try_token(&format!("{signed}.{}", b64(&bad))).await;
        assert_eq!(outcome, Err(Reason::TokenSignature), "T11 {} bytes", bad.len());
    }
    // Both signatures hold, and the tokens are one token.
    let twin = format!("{signed}.{}", b64([r, &negated(s)].concat()));
    assert_ne!(twin, token);
    let mut ids = Vec::new();
    for token in [format!("{signed}.{}", b64(&good)), twin] {
        let headers = http::HeaderMap::from_iter([(
            http::header::AUTHORIZATION,
            format!("Bearer {token}").parse().unwrap(),
        )]);
        let found = gate.authenticator.authenticate(&headers, &gate.access, super::now()).await;
        ids.push(found.unwrap().token.id);
    }
    assert_eq!(ids[0], ids[1], "T12");
}

#[tokio::test]
async fn rows_t13_to_t15_the_token_chooses_no_key() {
    let gate = Gate::open().await;
    let long = "k".repeat(3000);
    for kid in ["../../etc/passwd", "' OR 1=1 --", "a\0b", &gate.idp.url, "", " ec"] {
        let token = gate.headed("ES256", json!({"alg": "ES256", "kid": kid}));
        assert_eq!(gate.try_token(&token).await, Err(Reason::TokenKeyUnknown), "T13 {kid:?}");
    }
    for kid in [json!(long), json!(["ec"]), json!(1), json!(null), json!({})] {
        let token = gate.headed("ES256", json!({"alg": "ES256", "kid": kid}));
        assert_eq!(gate.try_token(&token).await, Err(Reason::TokenHeader), "T13 {kid}");
    }
    let evil = super::Idp::open().await;
    let [_, jwk, _] = evil.keys.jwks();
    for (row, name, value) in [
        ("T14", "jku", json!(format!("{}/jwks", evil.url))),
        ("T14", "x5u", json!(format!("{}/x5u", evil.url))),
        ("T15", "jwk", jwk),
        ("T15", "x5c", json!(["MIIB"])),
    ] {
        let header = json!({"alg": "ES256", "kid": "ec", name: value}).to_string();
        let payload = gate.claims().to_string();
        let token = evil.keys.token("ES256", &header, &payload);
        assert_eq!(gate.try_token(&token).await, Err(Reason::TokenSignature), "{row} {name}");
        // Some issuers do write these; their own tokens get in, on the published key alone.
        let token = gate.idp.keys.token("ES256", &header, &payload);
        assert_eq!(gate.try_token(&token).await, ok(), "{row} twin {name}");
    }
    assert_eq!(evil.asked("/jwks") + evil.asked("/x5u"), 0);
    // All of them together were one question to the issuer.
    assert_eq!(gate.idp.asked("/jwks"), 1);
}

#[tokio::test]
async fn rows_t21_to_t23_nothing_that_is_not_implemented() {
    let gate = Gate::open().await;
    for (row, name, value) in [
        ("T21", "crit", json!(["exp"])),
        ("T21", "crit", json!([])),
        ("T21", "crit", json!(["x", "x"])),
        ("T21", "crit", json!(["alg"])),
        ("T21", "crit", json!(null)),
        ("T22", "b64", json!(false)),
        ("T22", "b64", json!(true)),
        ("T23", "zip", json!("DEF")),
        ("T23", "cty", json!("JWT")),
        ("T23", "enc", json!("A256GCM")),
    ] {
        let token = gate.headed("ES256", json!({"alg": "ES256", "kid": "ec", name: value}));
        assert_eq!(gate.try_token(&token).await, Err(Reason::TokenHeader), "{row} {name}");
    }
    let token = gate.token(&gate.claims());
    let jwe = format!("{token}.AAAA.AAAA");
    assert_eq!(gate.try_token(&jwe).await, Err(Reason::TokenMalformed), "T23");
}

#[tokio::test]
async fn rows_t33_t34_and_t40_payloads_that_readers_take_differently() {
    let gate = Gate::open().await;
    let head = r#"{"alg":"ES256","kid":"ec"}"#;
    let good = gate.claims().to_string();
    let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
    let with = |more: &str| format!("{{{more},{}", &good[1..]);
    let behind = |more: &str| format!("{},{more}}}", &good[..good.len() - 1]);
    let claims = Err(Reason::TokenClaims);
    let rows = [
        ("T33", with(r#""aud":"evil""#), claims.clone()),
        ("T33", behind(r#""aud":"evil""#), claims.clone()),
        ("T33", behind(&format!(r#""exp":{}"#, NOW + 900)), claims.clone()),
        ("T33", with(&format!(r#""exp":{}"#, NOW + 900)), claims.clone()),
        ("T33", behind(r#""sub":"admin""#), claims.clone()),
        ("T33", behind(r#""s\u0075b":"admin""#), claims.clone()),
        ("T33", behind(r#""x":{"a":1,"a":2}"#), claims.clone()),
        ("T34", good.replace("\"exp\"", "\"Exp\""), Err(Reason::TokenExpired)),
        ("T34", good.replace("\"sub\"", "\"\u{17f}ub\""), claims.clone()),
        ("T34", good.replace("\"aud\"", "\"AUD\""), Err(Reason::TokenAudience)),
        ("T40", "not json".to_owned(), claims.clone()),
        ("T40", format!("[{good}]"), claims.clone()),
        ("T40", format!("{good}{good}"), claims.clone()),
        ("T40", "null".to_owned(), claims.clone()),
        ("T40", String::new(), claims.clone()),
        ("T40", with(&format!("\"x\":{deep}")), claims.clone()),
        ("T40", format!("\u{feff}{good}"), claims.clone()),
        ("T40", with(r#""x":"\ud800""#), claims.clone()),
        ("twin", with(r#""x":{"a":1,"b":{"a":2}}"#), ok()),
        ("twin", format!(" {good}\n"), ok()),
    ];
    for (row, payload, expected) in rows {
        let token = gate.idp.keys.token("ES256", head, &payload);
        let outcome = gate.try_token(&token).await;
        assert_eq!(outcome, expected, "{row} {}", &payload[..payload.len().min(120)]);
    }
    let signed = format!("{}.{}", b64(head), b64([b"{\"a\":\"\xff\"}".as_slice()].concat()));
    let token = format!("{signed}.{}", b64(gate.idp.keys.sign("ES256", signed.as_bytes())));
    assert_eq!(gate.try_token(&token).await, claims, "T40 invalid UTF-8");
    for header in [
        r#"{"alg":"ES256","alg":"none","kid":"ec"}"#,
        r#"{"alg":"none","alg":"ES256","kid":"ec"}"#,
        r#"{"alg":"ES256","kid":"ec","kid":"rsa"}"#,
        r#"[{"alg":"ES256"}]"#,
        "",
    ] {
        let token = gate.idp.keys.token("ES256", header, &good);
        assert_eq!(gate.try_token(&token).await, Err(Reason::TokenHeader), "T33 {header}");
    }
}

#[tokio::test]
async fn rows_t38_and_t39_size_and_spelling() {
    let gate = Gate::open().await;
    let token = gate.token(&gate.claims());
    let malformed = Err(Reason::TokenMalformed);
    for (row, bad) in [
        ("T38", "A".repeat(8193)),
        ("T38", "A".repeat(1_000_000)),
        ("T38", ".".repeat(1_000_000)),
        ("T38", ".".repeat(8000)),
        ("T38", "..".to_owned() + &token),
        ("T38", token.replace('.', "")),
    ] {
        assert_eq!(gate.try_token(&bad).await, malformed, "{row} {}", bad.len());
    }
    let parts: Vec<&str> = token.split('.').collect();
    for part in 0..3 {
        let spell = |new: String| {
            let mut parts = parts.clone();
            parts[part] = &new;
            parts.join(".")
        };
        let old = parts[part];
        for bad in [
            format!("{old}="),
            format!("{old}=="),
            format!("{old}+"),
            format!("{old}/"),
            format!("{old} "),
            format!("{old}\n"),
            format!("{}%3D", old),
            format!("{}\u{e9}", old),
        ] {
            assert_eq!(gate.try_token(&spell(bad.clone())).await, malformed, "T39 {part} {bad:?}");
        }
    }
    // 64 bytes leave four unused bits in the last character.
    let (rest, last) = token.split_at(token.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.find(last).unwrap() + 1;
    let twin = format!("{rest}{}", &alphabet[next..=next]);
    assert_eq!(gate.try_token(&twin).await, malformed, "T39 last bits");
    assert_eq!(gate.try_token(&token).await, ok());
    // The longest token that is read.
    let room = 8192 - gate.token(&gate.with_claim("pad", "".into())).len();
    let padded = gate.token(&gate.with_claim("pad", "x".repeat(room / 4 * 3 - 4).into()));
    assert!(padded.len() > 8100 && padded.len() <= 8192);
    assert_eq!(gate.try_token(&padded).await, ok(), "T38 twin");
}
