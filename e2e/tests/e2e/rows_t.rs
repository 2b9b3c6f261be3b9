//! Class T: tokens, through the real binary.

use std::time::Duration;

use lockgate_e2e::{
    rig::{Key, MintIssuer, Publication},
    room::{POLICIES, Refused, Room, issuer_settings},
    rows::Rows,
    wire::Request,
};
use lockgate_model::Reason;
use serde_json::{Value, json};

use self::forge::{awkward_keys, merge, public_texts};

mod claims;
mod forge;
mod lives;
mod revoked;
mod signing;

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
    class.taken_away();
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
        let room = Room::start_with(|plan, issuer, _| {
            let settings = &mut plan.settings;
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
}

/// The usual policies, and the tools for the staff of the second issuer.
fn policies() -> String {
    let brief =
        "permit (principal in Group::\"brief/staff\", action in Action::\"call_tool\", resource);";
    format!("{POLICIES}\n{brief}")
}

fn whether(holds: bool, otherwise: &'static str) -> anyhow::Result<()> {
    anyhow::ensure!(holds, otherwise);
    Ok(())
}
