//! Class T: tokens, through the real binary.

use std::time::{Duration, Instant};

use lockgate_e2e::{
    mcp::{call_body, meta},
    rig::{Key, MintIssuer, Next, Publication, Upstream, chunked_head, encode, now_s},
    room::{POLICIES, Refused, Room, issuer_settings},
    rows::Rows,
    wire::{Request, Wire, exchange, expect_status},
};
use lockgate_model::{OutcomeStatus, Reason};
use serde_json::{Value, json};

/// The order of the P-256 group (FIPS 186-4 D.1.2.3).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Reasons that may stand in the record of a token that is not believed.
const HEADER: &[Reason] = &[Reason::TokenHeader, Reason::TokenMalformed];
const SHAPE: &[Reason] = &[Reason::TokenMalformed, Reason::TokenHeader, Reason::TokenClaims];
const KEY: &[Reason] = &[Reason::TokenKeyUnknown];
const NOT_OURS: &[Reason] = &[Reason::TokenSignature, Reason::TokenKeyUnknown, Reason::TokenHeader];

/// The book, the room, and what every refused token was answered with.
struct Class {
    rows: Rows,
    room: Room,
    other: MintIssuer,
    attacker: Key,
    p384: Key,
    hidden: Key,
    bodies: Vec<(String, Vec<u8>)>,
}

#[test]
fn class_t() {
    let mut class = Class::start().unwrap();
    class.carriers();
    class.algorithms();
    class.signatures();
    class.key_ids();
    class.weak_keys();
    class.critical_headers();
    class.times();
    class.names();
    class.shapes();
    class.groups();
    class.subjects();
    class.other_issuers();
    class.streams();
    class.revocations();
    let Class { mut rows, bodies, .. } = class;
    let (_, first) = &bodies[0];
    let odd = bodies.iter().find(|(_, body)| body != first);
    let same = odd.map_or(Ok(()), |(case, body)| {
        Err(anyhow::anyhow!("{case} was told {}", String::from_utf8_lossy(body)))
    });
    rows.row(1, "every refused token gets the same body", same);
    rows.finish();
}

impl Class {
    fn start() -> anyhow::Result<Self> {
        let (other, attacker, p384) = (MintIssuer::start()?, Key::rsa()?, Key::p384()?);
        let hidden = Key::rsa()?;
        let room = Room::start_with(|settings, issuer, _| {
            let set = awkward_keys(issuer, &p384, &hidden).unwrap();
            let body = set.to_string().into_bytes();
            issuer.publish(Publication { status: 200, body, delay: Duration::ZERO });
            let mut brief = issuer_settings("brief", &other);
            brief["leeway_s"] = json!(0);
            settings["issuers"][0]["algorithms"] = json!(["RS256", "ES256", "EdDSA"]);
            settings["issuers"][0]["clients"] = json!(["rows"]);
            settings["issuers"][0]["token_types"] = json!(["at+jwt"]);
            settings["issuers"].as_array_mut().unwrap().push(brief);
            settings["connections"][0]["issuers"] = json!(["idp", "brief"]);
        })?;
        room.gateway.write_policies(&policies())?;
        let (rows, bodies) = (Rows::new("T"), Vec::new());
        Ok(Self { rows, room, other, attacker, p384, hidden, bodies })
    }

    fn key(&self, kid: &str) -> Key {
        self.room.issuer.key(kid).unwrap().clone()
    }

    fn call(&self) -> Request {
        let caller = self.room.gateway.caller("main", None);
        caller.call("echo", json!({ "text": "row" }))
    }

    fn refused(&mut self, row: u32, case: &str, request: &Request, reasons: &[Reason]) {
        let expected = Refused { status: 401, code: None, reasons };
        let outcome = self.room.refuses(request, &expected).and_then(|reply| {
            let challenge = reply.header("www-authenticate").unwrap_or_default().to_owned();
            anyhow::ensure!(challenge.starts_with("Bearer "), "challenge {challenge:?}");
            anyhow::ensure!(challenge.contains("resource_metadata=\""), "challenge {challenge:?}");
            let sent = reasons != [Reason::TokenMissing];
            let says = challenge.contains("error=\"invalid_token\"");
            anyhow::ensure!(sent == says, "challenge {challenge:?}");
            self.bodies.push((format!("T{row} {case}"), reply.body));
            Ok(())
        });
        self.rows.row(row, case, outcome);
    }

    fn bad(&mut self, row: u32, case: &str, token: &str, reasons: &[Reason]) {
        let request = self.call().header("Authorization", &format!("Bearer {token}"));
        self.refused(row, case, &request, reasons);
    }

    fn good(&mut self, row: u32, case: &str, token: &str) {
        let request = self.call().header("Authorization", &format!("Bearer {token}"));
        let outcome = self.room.passes(&request).map(drop);
        self.rows.twin(row, case, outcome);
    }

    /// A token with one header field or claim changed; null takes it away.
    fn bent(&self, kid: &str, header: Value, claims: Value) -> String {
        let key = self.key(kid);
        let mut head = json!({ "alg": key.algorithm(), "typ": "at+jwt", "kid": kid });
        let mut body = self.room.claims();
        merge(&mut head, &header);
        merge(&mut body, &claims);
        MintIssuer::sign(&key, head.to_string(), body.to_string()).unwrap()
    }

    fn claim(&self, claims: Value) -> String {
        self.bent("rsa", json!({}), claims)
    }

    fn carriers(&mut self) {
        let call = self.call();
        self.refused(1, "no token", &call, &[Reason::TokenMissing]);
        for value in ["Bearer", "Bearer "] {
            let request = call.clone().header("Authorization", value);
            self.refused(2, value, &request, &[Reason::TokenMalformed]);
        }
        let token = self.claim(json!({}));
        for scheme in ["Basic ", "DPoP ", "Bearer  ", "Bearer\t", "Token "] {
            let request = call.clone().header("Authorization", &format!("{scheme}{token}"));
            self.refused(3, scheme, &request, &[Reason::TokenMalformed]);
        }
        for scheme in ["bearer", "BEARER", "Bearer"] {
            let other = call.clone().header("Authorization", &format!("{scheme} {token}"));
            let outcome = self.room.passes(&other).map(drop);
            self.rows.twin(3, scheme, outcome);
        }
        let one = format!("Bearer {token}");
        for (case, two) in [("equal", one.as_str()), ("different", "Bearer other")] {
            let twice = call.clone().header("Authorization", &one).header("Authorization", two);
            let reasons = &[Reason::TokenMalformed, Reason::HttpMalformed];
            let expected = Refused { status: 400, code: None, reasons };
            let outcome = self.room.refuses(&twice, &expected).map(drop);
            self.rows.row(4, case, outcome);
        }
        let mut query = call.clone();
        query.target = format!("{}?access_token={token}", query.target);
        self.refused(5, "query", &query, &[Reason::TokenMissing]);
        let cookie = call.clone().header("Cookie", &format!("access_token={token}"));
        self.refused(5, "cookie", &cookie, &[Reason::TokenMissing]);
        let form = Request { body: format!("access_token={token}").into_bytes(), ..call };
        let form = form.with("Content-Type", "application/x-www-form-urlencoded");
        // A form is refused for what it is, before anyone looks for a token.
        let expected = Refused { status: 415, code: None, reasons: &[Reason::MediaType] };
        let outcome = self.room.refuses(&form, &expected).map(drop);
        self.rows.row(5, "form", outcome);
        let logged = self.room.gateway.log().contains(&token);
        self.rows.row(5, "not logged", whether(!logged, "the token stands in the log"));
    }

    fn algorithms(&mut self) {
        self.good(9, "RS256", &self.bent("rsa", json!({}), json!({})));
        self.good(9, "ES256", &self.bent("p256", json!({}), json!({})));
        self.good(10, "EdDSA", &self.bent("ed", json!({}), json!({})));
        for alg in [json!("none"), json!("None"), json!("NONE"), json!("nOnE"), json!(""), json!(1)]
        {
            let token = self.bent("rsa", json!({ "alg": alg }), json!({}));
            self.bad(6, &format!("{alg} signed"), &token, HEADER);
            let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
            self.bad(6, &format!("{alg} unsigned"), &unsigned, HEADER);
        }
        for (case, alg) in [("absent", Value::Null), ("array", json!(["RS256"]))] {
            let token = self.bent("rsa", json!({ "alg": alg }), json!({}));
            self.bad(6, case, &token, HEADER);
        }
        for kid in ["rsa", "p256"] {
            for (case, secret) in public_texts(&self.key(kid), kid) {
                let token = self.hmac(kid, secret);
                self.bad(7, &case, &token, HEADER);
            }
        }
        self.bad(8, "empty key", &self.hmac("rsa", Vec::new()), HEADER);
        self.bad(8, "kid as key", &self.hmac("rsa", b"rsa".to_vec()), HEADER);
        let Key::Rsa(rsa) = self.key("rsa") else { panic!("an RSA key") };
        let pss = self.by(&Key::Pss(rsa), json!({ "alg": "PS256", "kid": "rsa" }));
        self.bad(9, "PS256 where RS256 is configured", &pss, HEADER);
        let p384 = self.by(&self.p384.clone(), json!({ "alg": "ES256", "kid": "p384" }));
        self.bad(9, "ES256 with a P-384 key", &p384, NOT_OURS);
        for alg in ["ES256K", "ES512", "ES384", "RS1", "rs256"] {
            let token = self.bent("p256", json!({ "alg": alg }), json!({}));
            self.bad(9, alg, &token, HEADER);
        }
        let token = self.bent("ed", json!({ "kid": "ed448" }), json!({}));
        self.bad(10, "Ed448 key", &token, NOT_OURS);
    }

    fn hmac(&self, kid: &str, secret: Vec<u8>) -> String {
        self.by(&Key::Hmac(secret), json!({ "alg": "HS256", "kid": kid }))
    }

    /// A token signed by any key, with good claims.
    fn by(&self, key: &Key, header: Value) -> String {
        let mut head = json!({ "typ": "at+jwt", "alg": key.algorithm() });
        merge(&mut head, &header);
        MintIssuer::sign(key, head.to_string(), self.room.claims().to_string()).unwrap()
    }

    fn signatures(&mut self) {
        let token = self.bent("p256", json!({}), json!({}));
        let (message, signature) = token.rsplit_once('.').unwrap();
        let raw = decode(signature);
        let with = |bytes: &[u8]| format!("{message}.{}", encode(bytes));
        let order = [&P256_ORDER[..], &raw[32..]].concat();
        let order_s = [&raw[..32], &P256_ORDER[..]].concat();
        let mut long = raw.clone();
        long.push(0);
        let cases: [(&str, Vec<u8>); 8] = [
            ("r = s = 0", vec![0; 64]),
            ("r = n", order),
            ("s = n", order_s),
            ("DER", der(&raw)),
            ("63 bytes", raw[..63].to_vec()),
            ("65 bytes", long),
            ("128 bytes", [raw.clone(), raw.clone()].concat()),
            ("empty", Vec::new()),
        ];
        for (case, bytes) in cases {
            let reasons = &[Reason::TokenSignature, Reason::TokenMalformed];
            self.bad(11, case, &with(&bytes), reasons);
        }
        let high = [&raw[..32], &minus(&P256_ORDER, &raw[32..])[..]].concat();
        self.good(12, "low or high s", &token);
        let first = self.last_token_digest();
        self.good(12, "the twin", &with(&high));
        let same = first.is_some() && first == self.last_token_digest();
        self.rows.row(12, "one token id", whether(same, "the twin has another token id"));
    }

    fn last_token_digest(&self) -> Option<String> {
        let events = self.room.records.all().ok()?;
        events.iter().rev().find_map(|event| match event {
            lockgate_model::Event::Intent(intent) => Some(intent.token.to_string()),
            _ => None,
        })
    }

    fn key_ids(&mut self) {
        let before = (self.room.issuer.fetches(), self.room.issuer.surprises());
        let url = format!("{}/evil", self.room.issuer.url());
        let kids = [
            json!("../../../etc/passwd"),
            json!("x' OR '1'='1"),
            json!("rsa\u{0}"),
            json!("k".repeat(4000)),
            json!(url),
            json!(["rsa"]),
            json!(7),
        ];
        for kid in kids {
            let case: String = kid.to_string().chars().take(30).collect();
            let token = self.by(&self.attacker.clone(), json!({ "kid": kid }));
            let reasons = [Reason::TokenKeyUnknown, Reason::TokenHeader];
            self.bad(13, &case, &token, &reasons);
        }
        for field in ["jku", "x5u"] {
            let header = json!({ "kid": "rsa", field: url });
            let token = self.by(&self.attacker.clone(), header);
            self.bad(14, field, &token, NOT_OURS);
        }
        let jwk = self.attacker.jwk("rsa").unwrap();
        let embedded = json!({ "kid": "rsa", "jwk": jwk });
        self.bad(15, "jwk", &self.by(&self.attacker.clone(), embedded), NOT_OURS);
        let chain = json!({ "kid": "rsa", "x5c": ["MIIB"] });
        self.bad(15, "x5c", &self.by(&self.attacker.clone(), chain), NOT_OURS);
        let outcome = self.flood();
        self.rows.row(16, "2,000 unknown keys", outcome);
        let fetched = self.room.issuer.fetches() - before.0;
        self.rows.row(16, "fetches", whether(fetched <= 1, "more than one fetch in 30 s"));
        let surprised = self.room.issuer.surprises() - before.1;
        self.rows.row(14, "fetches", whether(surprised == 0, "something else was fetched"));
        let twice = self.by(&self.hidden.clone(), json!({ "kid": "twice" }));
        let request = self.call().header("Authorization", &format!("Bearer {twice}"));
        let reply = exchange(self.room.gateway.address, &request.bytes());
        let sane = reply.is_ok_and(|reply| matches!(reply.status, 200 | 401));
        self.rows.row(17, "right key", whether(sane, "neither accepted nor refused"));
        let wrong = self.by(&self.attacker.clone(), json!({ "kid": "twice" }));
        self.bad(17, "wrong key", &wrong, NOT_OURS);
    }

    fn flood(&mut self) -> anyhow::Result<()> {
        self.room.forget()?;
        let mut wire = Wire::open(self.room.gateway.address)?;
        let body = self.room.claims().to_string();
        for number in 0..2000 {
            let head =
                json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": format!("unknown-{number}") });
            let token =
                format!("{}.{}.{}", encode(head.to_string()), encode(&body), encode([0; 64]));
            wire.send(&self.call().header("Authorization", &format!("Bearer {token}")).bytes());
            expect_status(&wire.reply()?, 401)?;
        }
        self.room.nothing_forwarded()
    }

    fn weak_keys(&mut self) {
        for kid in ["enc", "sign-only"] {
            let token = self.by(&self.hidden.clone(), json!({ "kid": kid }));
            self.bad(18, kid, &token, KEY);
        }
        let oct = self.by(&Key::Hmac(b"shared".to_vec()), json!({ "alg": "HS256", "kid": "oct" }));
        self.bad(18, "oct", &oct, &[Reason::TokenHeader, Reason::TokenKeyUnknown]);
        for kid in ["rsa-512", "rsa-1024", "rsa-even", "roca"] {
            let token = self.by(&self.hidden.clone(), json!({ "kid": kid }));
            self.bad(19, kid, &token, KEY);
        }
        let head = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "rsa-one" }).to_string();
        let message = format!("{}.{}", encode(head), encode(self.room.claims().to_string()));
        let forged = format!("{message}.{}", encode(padded(message.as_bytes())));
        self.bad(19, "e = 1, signature needs no key", &forged, KEY);
        let token = self.bent("p256", json!({ "kid": "off-curve" }), json!({}));
        self.bad(20, "point off the curve", &token, KEY);
    }

    fn critical_headers(&mut self) {
        for crit in [json!(["x"]), json!([]), json!(["exp", "exp"]), json!(["alg"]), json!("alg")] {
            let token = self.bent("rsa", json!({ "crit": crit, "x": 1, "exp": 1 }), json!({}));
            self.bad(21, &crit.to_string(), &token, HEADER);
        }
        for header in [json!({ "b64": false }), json!({ "b64": false, "crit": ["b64"] })] {
            let token = self.bent("rsa", header.clone(), json!({}));
            self.bad(22, &header.to_string(), &token, HEADER);
        }
        for header in [json!({ "zip": "DEF" }), json!({ "cty": "JWT" })] {
            let token = self.bent("rsa", header.clone(), json!({}));
            self.bad(23, &header.to_string(), &token, HEADER);
        }
        let five = [encode(r#"{"alg":"RSA-OAEP","enc":"A128GCM"}"#), encode("a"), encode("b")];
        let five = format!("{}.{}.{}", five.join("."), encode("c"), encode("d"));
        self.bad(23, "five parts", &five, SHAPE);
    }

    fn times(&mut self) {
        let now = now_s();
        let expired = &[Reason::TokenExpired];
        let claims = json!({ "iat": now - 361, "exp": now - 61 });
        self.bad(24, "61 s ago", &self.claim(claims), expired);
        let claims = json!({ "iat": now - 330, "exp": now - 30 });
        self.good(24, "30 s ago, within the leeway", &self.claim(claims));
        let odd = &[Reason::TokenExpired, Reason::TokenClaims, Reason::TokenLifetime];
        self.bad(25, "absent", &self.claim(json!({ "exp": null })), odd);
        for exp in ["null", "\"9999999999\"", "1e400", "-1", "9223372036854775808", "1.5"] {
            let claims = self.room.claims().to_string();
            let text = claims
                .replace(&format!("\"exp\":{}", self.exp(&claims)), &format!("\"exp\":{exp}"));
            self.bad(25, exp, &self.raw(&text), odd);
        }
        let early = &[Reason::TokenNotYet];
        self.bad(26, "70 s ahead", &self.claim(json!({ "nbf": now_s() + 70 })), early);
        self.good(26, "past", &self.claim(json!({ "nbf": now_s() - 30 })));
        self.good(27, "30 s ahead", &self.claim(json!({ "iat": now_s() + 30 })));
        self.good(26, "30 s ahead", &self.claim(json!({ "nbf": now_s() + 30 })));
        let claims = json!({ "iat": now_s() + 75, "exp": now_s() + 300 });
        self.bad(27, "75 s ahead", &self.claim(claims), early);
        for days in [2, 21] {
            let claims = json!({ "exp": now_s() + days * 86_400 });
            let token = self.claim(claims);
            self.bad(28, &format!("{days} days"), &token, &[Reason::TokenLifetime]);
        }
        self.good(28, "23 hours", &self.claim(json!({ "exp": now_s() + 23 * 3600 })));
    }

    fn exp(&self, claims: &str) -> String {
        let claims: Value = serde_json::from_str(claims).unwrap();
        claims["exp"].to_string()
    }

    fn raw(&self, payload: &str) -> String {
        let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "rsa" }).to_string();
        MintIssuer::sign(&self.key("rsa"), header, payload).unwrap()
    }

    fn names(&mut self) {
        let url = self.room.issuer.url();
        let issuers = [
            json!(url.replace("http", "HTTP")),
            json!(format!("{url}/")),
            json!(url.replace("http:", "https:")),
            json!(format!("{url}/sub")),
            json!([url]),
        ];
        for iss in issuers {
            let reasons = &[Reason::TokenIssuer, Reason::TokenClaims];
            let token = self.claim(json!({ "iss": iss }));
            self.bad(29, &iss.to_string(), &token, reasons);
        }
        let ours = self.room.gateway.url("main");
        let prefix = ours.trim_end_matches("/mcp").to_owned();
        let others: Vec<_> = (0..1000).map(|n| format!("a{n}")).collect();
        let wrong = [
            json!(null),
            json!("https://elsewhere.example/mcp"),
            json!(prefix),
            json!(["https://elsewhere.example/mcp"]),
            json!([]),
        ];
        let reasons = &[Reason::TokenAudience, Reason::TokenClaims];
        for aud in wrong {
            self.bad(30, &aud.to_string(), &self.claim(json!({ "aud": aud })), reasons);
        }
        self.good(30, "two", &self.claim(json!({ "aud": ["x", ours] })));
        let all = [others, vec![ours]].concat();
        let many = self.claim(json!({ "aud": all }));
        let request = self.call().header("Authorization", &format!("Bearer {many}"));
        let reply = exchange(self.room.gateway.address, &request.bytes());
        let sane = reply.is_ok_and(|reply| matches!(reply.status, 200 | 401));
        self.rows.row(30, "1,001 audiences", whether(sane, "neither accepted nor refused"));
        let client = &[Reason::TokenClient];
        self.bad(31, "client_id", &self.claim(json!({ "client_id": "other" })), client);
        let azp = json!({ "client_id": null, "azp": "other" });
        self.bad(31, "azp", &self.claim(azp), client);
        self.bad(31, "none", &self.claim(json!({ "client_id": null })), client);
        let azp = json!({ "client_id": null, "azp": "rows" });
        self.good(31, "azp", &self.claim(azp));
        for typ in [json!("JWT"), json!("id_token+jwt"), json!(null), json!("")] {
            let token = self.bent("rsa", json!({ "typ": typ }), json!({ "nonce": "n" }));
            self.bad(32, &typ.to_string(), &token, HEADER);
        }
        let long = self.bent("rsa", json!({ "typ": "application/at+jwt" }), json!({}));
        self.good(32, "the long media type", &long);
    }

    fn shapes(&mut self) {
        let good = self.room.claims().to_string();
        for (name, bad) in [("aud", "\"x\""), ("exp", "1"), ("sub", "\"root\"")] {
            let value: Value = serde_json::from_str(&good).unwrap();
            let (first, last) = (format!("{{\"{name}\":{bad},"), format!(",\"{name}\":{bad}}}"));
            let front = good.replacen('{', &first, 1);
            let back = format!("{}{last}", good.trim_end_matches('}'));
            assert!(value[name] != Value::Null);
            for (case, text) in [("bad first", front), ("bad last", back)] {
                self.bad(33, &format!("{name}, {case}"), &self.raw(&text), SHAPE);
            }
        }
        let twice = r#"{"alg":"none","typ":"at+jwt","kid":"rsa","alg":"RS256"}"#;
        let token = MintIssuer::sign(&self.key("rsa"), twice, &good).unwrap();
        self.bad(33, "alg", &token, SHAPE);
        let missing = &[Reason::TokenExpired, Reason::TokenClaims];
        for (name, twin) in [("exp", "Exp"), ("exp", "EXP"), ("sub", "\u{17f}ub")] {
            let text = good.replace(&format!("\"{name}\":"), &format!("\"{twin}\":"));
            self.bad(34, twin, &self.raw(&text), missing);
        }
        let token = self.claim(json!({}));
        let too_long = format!("{token}{}", "A".repeat(8 * 1024));
        self.long(38, "8 kB more", &too_long);
        self.long(38, "1 MB", &"A".repeat(1024 * 1024));
        self.long(38, "10^6 dots", &".".repeat(1_000_000));
        let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
        for (index, part) in ["header", "payload", "signature"].iter().enumerate() {
            for (case, change) in
                ["=", "+", "/", " ", "\t"].iter().zip(["=", "+", "/", " x", "\tx"])
            {
                let mut bent = parts.clone();
                bent[index].push_str(change);
                let reasons = &[Reason::TokenMalformed, Reason::TokenSignature];
                self.bad(39, &format!("{part}, {case:?}"), &bent.join("."), reasons);
            }
        }
        let last = parts[2].pop_bits();
        self.bad(
            39,
            "spare bits",
            &format!("{}.{}.{last}", parts[0], parts[1]),
            &[Reason::TokenMalformed, Reason::TokenSignature],
        );
        let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
        let wide = good.replace("\"jti\":", &format!("\"deep\":{deep},\"jti\":"));
        for (case, payload) in [("text", "hello"), ("array", "[]"), ("deep", wide.as_str())] {
            self.bad(40, case, &self.raw(payload), SHAPE);
        }
        let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "rsa" }).to_string();
        let bytes = [good.replace("alice", "al").into_bytes(), vec![0xff]].concat();
        let token = MintIssuer::sign(&self.key("rsa"), header, bytes).unwrap();
        self.bad(40, "invalid UTF-8", &token, SHAPE);
    }

    fn long(&mut self, row: u32, case: &str, token: &str) {
        let request = self.call().header("Authorization", &format!("Bearer {token}"));
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.room.gateway.address, &request.bytes())?;
            anyhow::ensure!(matches!(reply.status, 401 | 431), "status {}", reply.status);
            self.room.nothing_forwarded()?;
            let reasons = [SHAPE, &[Reason::HeadersTooLarge]].concat();
            self.room.one_decision(Some(&reasons)).map(drop)
        })();
        self.rows.row(row, case, outcome);
    }

    /// A caller whose groups are not what they should be is nobody: nothing is permitted.
    fn groupless(&mut self, row: u32, case: &str, claims: Value) {
        let token = self.claim(claims);
        let request = self.call().header("Authorization", &format!("Bearer {token}"));
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.room.gateway.address, &request.bytes())?;
            let code = reply.rpc_code();
            let unknown = reply.status == 200 && code == Some(-32602);
            anyhow::ensure!(unknown || matches!(reply.status, 401 | 403), "{}", reply.text());
            self.room.nothing_forwarded()?;
            let reasons = [
                Reason::GroupsAbsent,
                Reason::GroupsMalformed,
                Reason::GroupsOverage,
                Reason::PolicyNoPermit,
                Reason::TargetUnknown,
            ];
            self.room.one_decision(Some(&reasons)).map(drop)
        })();
        self.rows.row(row, case, outcome);
    }

    fn groups(&mut self) {
        let many: Vec<_> = (0..600).map(|n| format!("g{n}")).collect();
        self.groupless(35, "nested", json!({ "groups": [["staff"]] }));
        self.groupless(35, "object", json!({ "groups": { "staff": true } }));
        self.groupless(35, "objects", json!({ "groups": [{ "name": "staff" }] }));
        self.groupless(35, "number", json!({ "groups": 1 }));
        self.groupless(35, "absent", json!({ "groups": null }));
        self.groupless(35, "600 others", json!({ "groups": many }));
        let overage = json!({ "groups": null, "_claim_names": { "groups": "src1" },
            "_claim_sources": { "src1": { "endpoint": "https://elsewhere.example" } } });
        self.groupless(35, "overage", overage);
        self.groupless(35, "hasgroups", json!({ "groups": null, "hasgroups": true }));
        for name in ["staff ", " staff", "staff\u{0}", "\u{455}taff", "Staff", "staff\u{200b}"] {
            self.groupless(36, &format!("{name:?}"), json!({ "groups": [name] }));
        }
        self.good(35, "none beside its own", &self.claim(json!({ "groups": ["staff", "staff"] })));
        self.good(37, "a subject of the world", &self.claim(json!({ "sub": "\u{4e2d}|\u{e9}" })));
        self.good(38, "4 kB", &self.claim(json!({ "pad": "x".repeat(3000) })));
        self.good(34, "an unknown claim", &self.claim(json!({ "Exp": 1, "x": null, "y": [1] })));
        self.good(36, "among others", &self.claim(json!({ "groups": ["x", "staff"] })));
    }

    fn subjects(&mut self) {
        for sub in [json!(""), json!(null), json!(7), json!("x".repeat(5000))] {
            let case: String = sub.to_string().chars().take(20).collect();
            let token = self.claim(json!({ "sub": sub }));
            self.bad(37, &case, &token, &[Reason::TokenClaims]);
        }
        for sub in ["a\nb", "a\u{0}b", "a\"},{\"x\":\"b", "a\u{2028}b"] {
            let outcome = (|| {
                let token = self.claim(json!({ "sub": sub }));
                let request = self.call().header("Authorization", &format!("Bearer {token}"));
                self.room.forget()?;
                let reply = exchange(self.room.gateway.address, &request.bytes())?;
                anyhow::ensure!(matches!(reply.status, 200 | 401), "status {}", reply.status);
                let decisions = self.room.records.decisions()?;
                anyhow::ensure!(decisions.len() == 1, "{} decisions", decisions.len());
                let broken = self.room.gateway.log().lines().any(|line| !line.starts_with('{'));
                anyhow::ensure!(!broken, "a log line was split");
                Ok(())
            })();
            self.rows.row(37, &format!("{sub:?}"), outcome);
        }
    }

    fn other_issuers(&mut self) {
        let theirs = self.other.key("rsa").unwrap().clone();
        let token = self.by(&theirs, json!({ "kid": "rsa" }));
        self.bad(44, "their key, our name", &token, NOT_OURS);
        let claims = self.other.claims(&self.room.gateway.url("main"));
        let head = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "rsa" }).to_string();
        let token = MintIssuer::sign(&self.key("rsa"), head, claims.to_string()).unwrap();
        self.bad(44, "our key, their name", &token, NOT_OURS);
        self.good(44, "their own", &self.other.token("rsa", &claims).unwrap());
        for cnf in [json!({ "jkt": "x" }), json!({ "x5t#S256": "x" })] {
            let token = self.claim(json!({ "cnf": cnf }));
            self.bad(46, &cnf.to_string(), &token, &[Reason::TokenBound]);
        }
        let token = self.claim(json!({}));
        let request = self.call().header("Authorization", &format!("Bearer {token}"));
        let outcome = (|| {
            self.room.forget()?;
            let mut wire = Wire::open_from("127.0.0.9", self.room.gateway.address)?;
            wire.send(&request.bytes());
            expect_status(&wire.reply()?, 200)?;
            let decision = self.room.one_decision(None)?;
            let peer = decision.intent.map(|intent| intent.peer).unwrap_or_default();
            anyhow::ensure!(peer.starts_with("127.0.0.9"), "recorded peer {peer:?}");
            Ok(())
        })();
        self.rows.twin(45, "the same token from another address", outcome);
    }

    fn streams(&mut self) {
        drip(&self.room.upstream);
        let outcome = (|| {
            let now = now_s();
            let mut claims = self.other.claims(&self.room.gateway.url("main"));
            merge(&mut claims, &json!({ "iat": now, "exp": now + 3 }));
            let token = self.other.token("rsa", &claims)?;
            let cut = self.cut(&token, || Ok(now + 3))?;
            anyhow::ensure!(cut == Some(Reason::StreamExpired), "recorded as {cut:?}");
            Ok(())
        })();
        self.rows.row(42, "the token ends under an open stream", outcome);
        self.room.upstream.behave();
    }

    fn revocations(&mut self) {
        drip(&self.room.upstream);
        let token = self.claim(json!({}));
        let good = self.room.settings.clone();
        let outcome = (|| {
            let cut = self.cut(&token, || {
                self.room.gateway.write_policies("// Nothing is permitted.")?;
                Ok(now_s() + 3)
            })?;
            anyhow::ensure!(cut.is_some(), "no record of the cut");
            Ok(())
        })();
        self.rows.row(43, "the permit is taken back under an open stream", outcome);
        self.room.upstream.behave();
        let request = self.call().header("Authorization", &format!("Bearer {token}"));
        let reasons = &[Reason::PolicyNoPermit, Reason::TargetUnknown];
        let expected = Refused { status: 200, code: Some(-32602), reasons };
        let outcome = self.room.refuses(&request, &expected).map(drop);
        self.rows.row(41, "the role is gone", outcome);
        self.room.gateway.write_policies(&policies()).unwrap();
        let mut settings = self.room.settings.clone();
        settings["issuers"][0]["clients"] = json!(["someone-else"]);
        self.reload(&settings);
        self.bad(41, "the client is no longer allowed", &token, &[Reason::TokenClient]);
        let mut settings = good.clone();
        settings["connections"][0]["issuers"] = json!(["brief"]);
        self.reload(&settings);
        self.bad(41, "the issuer is no longer believed", &token, &[Reason::TokenIssuer]);
        self.reload(&good);
        self.good(41, "back again", &token);
    }

    fn reload(&self, settings: &Value) {
        self.room.gateway.write_settings(settings).unwrap();
        std::thread::sleep(Duration::from_millis(1500));
    }

    /// Opens a stream, lets `end` say when it must end, in seconds since the epoch, and gives the
    /// recorded reason.
    fn cut(
        &self,
        token: &str,
        end: impl FnOnce() -> anyhow::Result<i64>,
    ) -> anyhow::Result<Option<Reason>> {
        let caller = self.room.gateway.caller("main", Some(token));
        let params = meta(json!({ "name": "echo", "arguments": { "text": "drip" },
            "_meta": { "progressToken": "p" } }));
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
        let request = caller.mirrored("tools/call", Some("echo"), body.to_string());
        let mut wire = caller.open(&request)?;
        expect_status(&wire.head()?, 200)?;
        wire.stream_until(|text| text.contains("progress"))?;
        let end = end()?;
        let begun = Instant::now();
        let rest = wire.stream_until(|_| false)?;
        anyhow::ensure!(now_s() <= end + 1, "ended {} s late", now_s() - end);
        anyhow::ensure!(begun.elapsed() < Duration::from_secs(10), "never cut");
        let last = lockgate_e2e::wire::data_of(&rest).pop().unwrap_or_default();
        let last: Value = serde_json::from_str(&last)?;
        anyhow::ensure!(last["id"] == 7 && last["error"]["code"].is_i64(), "last: {last}");
        let events = self.room.records.all()?;
        Ok(events.iter().rev().find_map(|event| match event {
            lockgate_model::Event::Outcome(outcome) if outcome.status == OutcomeStatus::Cut => {
                outcome.reason
            }
            _ => None,
        }))
    }
}

/// The last character's spare bits set, which a lenient decoder ignores.
trait PopBits {
    fn pop_bits(&self) -> String;
}

impl PopBits for String {
    fn pop_bits(&self) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = self.bytes().last().unwrap();
        let index = alphabet.iter().position(|byte| *byte == last).unwrap();
        format!("{}{}", &self[..self.len() - 1], char::from(alphabet[index | 1]))
    }
}

/// The usual policies, and the tools for the staff of the second issuer.
fn policies() -> String {
    let brief =
        "permit (principal in Group::\"brief/staff\", action in Action::\"call_tool\", resource);";
    format!("{POLICIES}\n{brief}")
}

/// A tool that reports progress ten times a second for twenty seconds.
fn drip(upstream: &Upstream) {
    upstream.act(
        "echo",
        std::sync::Arc::new(|_, _, socket| {
            use std::io::Write as _;
            socket.write_all(chunked_head().as_bytes())?;
            for step in 0..200 {
                let data = format!(
                    "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":\"p\",\"progress\":{step}}}}}\n\n"
                );
                socket.write_all(format!("{:x}\r\n{data}\r\n", data.len()).as_bytes())?;
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(Next::Close)
        }),
    );
}

fn merge(into: &mut Value, changes: &Value) {
    let fields = into.as_object_mut().unwrap();
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            fields.remove(key);
        } else {
            fields.insert(key.clone(), value.clone());
        }
    }
}

/// The usual keys, and beside them every kind that must be left alone.
fn awkward_keys(issuer: &MintIssuer, p384: &Key, hidden: &Key) -> anyhow::Result<Value> {
    let mut set = issuer.published()?;
    let with = |kid: &str, change: Value| -> anyhow::Result<Value> {
        let mut jwk = hidden.jwk(kid)?;
        merge(&mut jwk, &change);
        Ok(jwk)
    };
    let small = |bytes: usize| encode([vec![0xc1; bytes - 1], vec![0x01]].concat());
    let mut off = issuer.key("p256")?.jwk("off-curve")?;
    off["y"] = off["x"].clone();
    let mut other_kind = issuer.key("p256")?.jwk("twice")?;
    other_kind["kid"] = json!("twice");
    let more = [
        p384.jwk("p384")?,
        json!({ "kty": "OKP", "crv": "Ed448", "kid": "ed448", "x": encode([7; 57]) }),
        json!({ "kty": "oct", "kid": "oct", "k": encode("shared") }),
        with("enc", json!({ "use": "enc" }))?,
        with("sign-only", json!({ "key_ops": ["sign"] }))?,
        with("twice", json!({}))?,
        other_kind,
        with("rsa-512", json!({ "n": small(64) }))?,
        with("rsa-1024", json!({ "n": small(128) }))?,
        with("rsa-even", json!({ "e": encode([1, 0, 0]) }))?,
        with("rsa-one", json!({ "e": encode([1]) }))?,
        with("roca", json!({ "n": encode(roca()) }))?,
        off,
    ];
    set["keys"].as_array_mut().unwrap().extend(more);
    Ok(set)
}

/// A 2048-bit number with the fingerprint of CVE-2017-15361: a power of 65537 modulo each of the
/// small primes. 1 is such a power, so 1 + k · (product of the primes) has it.
fn roca() -> Vec<u8> {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    // Multiplied into a big-endian number of 256 bytes; powers of two keep it below the limit.
    let mut number = vec![0u8; 256];
    number[255] = 1;
    let times = |number: &mut Vec<u8>, factor: u32| {
        let mut carry = 0u32;
        for byte in number.iter_mut().rev() {
            let sum = u32::from(*byte) * factor + carry;
            *byte = u8::try_from(sum & 0xff).unwrap();
            carry = sum >> 8;
        }
        assert_eq!(carry, 0, "too large");
    };
    PRIMES.iter().for_each(|prime| times(&mut number, *prime));
    while number[0] < 0x80 {
        times(&mut number, 2);
    }
    number[255] |= 1;
    number
}

/// The public key in each text form that a careless verifier may take for a secret.
fn public_texts(key: &Key, kid: &str) -> Vec<(String, Vec<u8>)> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let der = key.public_der().unwrap();
    let body = STANDARD.encode(&der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
    let jwk = key.jwk(kid).unwrap().to_string();
    vec![
        (format!("{kid} PEM"), pem.clone().into_bytes()),
        (format!("{kid} PEM, newline"), format!("{pem}\n").into_bytes()),
        (format!("{kid} DER"), der),
        (format!("{kid} JWK"), jwk.into_bytes()),
    ]
}

/// The padded message of RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits: with e = 1 it is a signature.
fn padded(message: &[u8]) -> Vec<u8> {
    use sha2::{Digest as _, Sha256};
    const INFO: [u8; 19] =
        [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    let digest = Sha256::digest(message);
    let tail = [&INFO[..], &digest[..]].concat();
    [vec![0, 1], vec![0xff; 256 - 3 - tail.len()], vec![0], tail].concat()
}

fn decode(text: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The signature's two numbers in ASN.1.
fn der(raw: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let pad = usize::from(number[0] >= 0x80);
        [vec![2, u8::try_from(number.len() + pad).unwrap()], vec![0; pad], number.to_vec()].concat()
    };
    let both = [integer(&raw[..32]), integer(&raw[32..])].concat();
    [vec![0x30, u8::try_from(both.len()).unwrap()], both].concat()
}

/// Difference of two numbers of 32 bytes, big-endian.
fn minus(a: &[u8; 32], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0i16;
    let mut digits: Vec<u8> = (0..32)
        .rev()
        .map(|index| {
            let difference = i16::from(a[index]) - i16::from(b[index]) - borrow;
            borrow = i16::from(difference < 0);
            u8::try_from(difference.rem_euclid(256)).unwrap()
        })
        .collect();
    digits.reverse();
    digits
}

fn whether(holds: bool, otherwise: &'static str) -> anyhow::Result<()> {
    anyhow::ensure!(holds, otherwise);
    Ok(())
}

#[test]
fn the_helpers_are_right() {
    assert!(call_body("\"x\"", "{}").contains("\"name\":\"x\""));
    assert_eq!(minus(&P256_ORDER, &P256_ORDER), vec![0; 32]);
    assert_eq!(padded(b"x").len(), 256);
    assert_eq!(roca().len(), 256);
}
