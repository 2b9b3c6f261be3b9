//! Signatures, key ids, weak keys and headers that a token must not have.

use lockgate_e2e::{
    rig::{Key, encode},
    wire::{Wire, exchange, expect_status},
};
use lockgate_model::Reason;
use serde_json::json;

use super::{
    Class, HEADER, KEY, NOT_OURS, SHAPE,
    forge::{P256_ORDER, decode, der, minus, padded},
    whether,
};

impl Class {
    pub(super) fn signatures(&mut self) {
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

    pub(super) fn last_token_digest(&self) -> Option<String> {
        let events = self.room.records.all().ok()?;
        events.iter().rev().find_map(|event| match event {
            lockgate_model::Event::Intent(intent) => Some(intent.token.to_string()),
            _ => None,
        })
    }

    pub(super) fn key_ids(&mut self) {
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

    pub(super) fn flood(&mut self) -> anyhow::Result<()> {
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

    pub(super) fn weak_keys(&mut self) {
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

    pub(super) fn critical_headers(&mut self) {
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
}
