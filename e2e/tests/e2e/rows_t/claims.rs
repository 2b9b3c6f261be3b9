//! Times, names, shapes, groups and subjects.

use lockgate_e2e::{
    rig::{MintIssuer, now_s},
    wire::exchange,
};
use lockgate_model::Reason;
use serde_json::{Value, json};

use super::{Class, HEADER, SHAPE, forge::spare_bits, whether};

impl Class {
    pub(super) fn times(&mut self) {
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

    pub(super) fn exp(&self, claims: &str) -> String {
        let claims: Value = serde_json::from_str(claims).unwrap();
        claims["exp"].to_string()
    }

    pub(super) fn raw(&self, payload: &str) -> String {
        let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "rsa" }).to_string();
        MintIssuer::sign(&self.key("rsa"), header, payload).unwrap()
    }

    pub(super) fn names(&mut self) {
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

    pub(super) fn shapes(&mut self) {
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
        let last = spare_bits(&parts[2]);
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

    pub(super) fn long(&mut self, row: u32, case: &str, token: &str) {
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
    pub(super) fn groupless(&mut self, row: u32, case: &str, claims: Value) {
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

    pub(super) fn groups(&mut self) {
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

    pub(super) fn subjects(&mut self) {
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
}
