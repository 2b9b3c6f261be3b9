//! The token rows, all through [`Authenticator::authenticate`] with an identity provider on
//! loopback. Every class has a valid twin that must pass.

mod forms;
mod idp;
mod jobs;
mod keys;

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use idp::Idp;
use lockgate_model::{ClaimValue, Limits, Reason, Timestamp};
use serde_json::{Value, json};

use super::{Access, Authenticator};
use crate::settings::IssuerSettings;

const AUDIENCE: &str = "https://mcp.example/c/files/mcp";
const NOW: i64 = 1_800_000_000;

/// Whether a token got in: the subject, or why not.
type Outcome = Result<String, Reason>;

fn now() -> Timestamp {
    Timestamp::from_seconds(NOW)
}

fn ok() -> Outcome {
    Ok("u1".to_owned())
}

/// One provider, one authenticator that trusts it.
struct Gate {
    idp: Idp,
    authenticator: Authenticator,
    access: Access,
}

impl Gate {
    async fn open() -> Self {
        Self::with(json!({})).await
    }

    /// With these settings over the default ones.
    async fn with(settings: Value) -> Self {
        let idp = Idp::open().await;
        let authenticator =
            Authenticator::new(&[issuer("corp", &idp, settings)], &Limits::default(), None);
        let access =
            Access { issuers: vec!["corp".to_owned()], audiences: vec![AUDIENCE.to_owned()] };
        Self { idp, authenticator: authenticator.unwrap(), access }
    }

    fn claims(&self) -> Value {
        json!({"iss": self.idp.url, "sub": "u1", "aud": AUDIENCE, "azp": "cli",
               "iat": NOW, "exp": NOW + 300, "groups": ["dev", "ops"]})
    }

    fn with_claim(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        claims[name] = value;
        claims
    }

    fn without_claim(&self, name: &str) -> Value {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    fn token(&self, claims: &Value) -> String {
        self.idp.keys.token("ES256", r#"{"alg":"ES256","kid":"ec"}"#, &claims.to_string())
    }

    async fn try_at(&self, token: &str, now: Timestamp) -> Outcome {
        let value = HeaderValue::from_bytes(format!("Bearer {token}").as_bytes());
        // What no header can carry is refused before it gets here.
        let Ok(value) = value else { return Err(Reason::TokenMalformed) };
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        let result = self.authenticator.authenticate(&headers, &self.access, now).await;
        result.map(|identity| identity.subject.clone()).map_err(|refusal| refusal.reason)
    }

    async fn try_token(&self, token: &str) -> Outcome {
        self.try_at(token, now()).await
    }

    async fn try_claims(&self, claims: &Value) -> Outcome {
        self.try_token(&self.token(claims)).await
    }
}

fn issuer(name: &str, idp: &Idp, settings: Value) -> IssuerSettings {
    let mut all = json!({"name": name, "issuer": idp.url, "allow_private": true});
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

#[tokio::test]
async fn a_good_token_says_who_asks() {
    let gate = Gate::open().await;
    let mut claims = gate.claims();
    claims["email"] = "u1@corp.example".into();
    claims["level"] = 3.into();
    claims["contractor"] = false.into();
    claims["scp"] = json!(["read"]);
    claims["jti"] = "t-1".into();
    claims["nested"] = json!({"a": 1});
    let token = gate.token(&claims);
    let headers =
        HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    let found = gate.authenticator.authenticate(&headers, &gate.access, now()).await.unwrap();
    assert_eq!((&*found.issuer, &*found.subject), ("corp", "u1"));
    assert_eq!(found.client.as_deref(), Some("cli"));
    let groups: Vec<String> = found.groups.iter().map(ToString::to_string).collect();
    assert_eq!(groups, ["corp/dev", "corp/ops"]);
    assert_eq!(found.token.jti.as_deref(), Some("t-1"));
    assert_eq!(found.token.refused_from, Timestamp::from_seconds(NOW + 360));
    let claims = BTreeMap::from([
        ("azp".to_owned(), ClaimValue::Text("cli".to_owned())),
        ("contractor".to_owned(), ClaimValue::Flag(false)),
        ("email".to_owned(), ClaimValue::Text("u1@corp.example".to_owned())),
        ("groups".to_owned(), ClaimValue::List(vec!["dev".to_owned(), "ops".to_owned()])),
        ("level".to_owned(), ClaimValue::Number(3)),
        ("scp".to_owned(), ClaimValue::List(vec!["read".to_owned()])),
    ]);
    assert_eq!(found.claims, claims);
}

#[tokio::test]
async fn rows_t1_to_t5_one_bearer_token_in_one_header() {
    let gate = Gate::open().await;
    let token = gate.token(&gate.claims());
    let bearer = format!("Bearer {token}");
    let rows: Vec<(&str, Vec<String>, Outcome)> = vec![
        ("T1", vec![], Err(Reason::TokenMissing)),
        ("T2", vec!["Bearer".into()], Err(Reason::TokenMalformed)),
        ("T2", vec!["Bearer ".into()], Err(Reason::TokenMalformed)),
        ("T2", vec![String::new()], Err(Reason::TokenMalformed)),
        ("T3", vec![format!("Basic {token}")], Err(Reason::TokenMalformed)),
        ("T3", vec![format!("DPoP {token}")], Err(Reason::TokenMalformed)),
        ("T3", vec![format!("bearer  {token}")], Err(Reason::TokenMalformed)),
        ("T3", vec![format!("Bearer\t{token}")], Err(Reason::TokenMalformed)),
        ("T3", vec![format!("Bearer {token}, Bearer {token}")], Err(Reason::TokenMalformed)),
        ("T3", vec![token.clone()], Err(Reason::TokenMalformed)),
        ("T4", vec![bearer.clone(), bearer.clone()], Err(Reason::HttpMalformed)),
        ("T4", vec![bearer.clone(), "Basic eA==".into()], Err(Reason::HttpMalformed)),
        ("T3 twin", vec![format!("bearer {token}")], ok()),
        ("T3 twin", vec![format!("BEARER {token}")], ok()),
        ("T2 twin", vec![bearer.clone()], ok()),
    ];
    for (row, values, expected) in rows {
        let mut headers = HeaderMap::new();
        for value in &values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        let result = gate.authenticator.authenticate(&headers, &gate.access, now()).await;
        let outcome = result.map(|identity| identity.subject.clone()).map_err(|r| r.reason);
        assert_eq!(outcome, expected, "{row} {values:?}");
    }
    for name in ["cookie", "x-access-token", "proxy-authorization"] {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static(name),
            HeaderValue::from_str(&bearer).unwrap(),
        )]);
        let refusal =
            gate.authenticator.authenticate(&headers, &gate.access, now()).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::TokenMissing, "T5 {name}");
    }
}

#[tokio::test]
async fn rows_t24_to_t28_times() {
    let gate = Gate::open().await;
    for exp in ["null", "\"1800000300\"", "1e400", "1.8e9", "-1", "9223372036854775808", "true"] {
        let payload = gate.claims().to_string();
        let payload = payload.replace(&format!("\"exp\":{}", NOW + 300), &format!("\"exp\":{exp}"));
        let token = gate.idp.keys.token("ES256", r#"{"alg":"ES256","kid":"ec"}"#, &payload);
        assert_eq!(gate.try_token(&token).await, Err(Reason::TokenClaims), "T25 {exp}");
    }
    let rows = [
        ("T24", gate.with_claim("exp", (NOW - 61).into()), Err(Reason::TokenExpired)),
        ("T24", gate.with_claim("exp", (NOW - 60).into()), Err(Reason::TokenExpired)),
        ("T24 twin", gate.with_claim("exp", (NOW - 30).into()), ok()),
        ("T24 twin", gate.with_claim("exp", (NOW - 59).into()), ok()),
        ("T25", gate.without_claim("exp"), Err(Reason::TokenExpired)),
        ("T26", gate.with_claim("nbf", (NOW + 61).into()), Err(Reason::TokenNotYet)),
        ("T26", gate.with_claim("nbf", "soon".into()), Err(Reason::TokenClaims)),
        ("T26 twin", gate.with_claim("nbf", (NOW + 60).into()), ok()),
        ("T27", gate.with_claim("iat", (NOW + 61).into()), Err(Reason::TokenNotYet)),
        ("T27 twin", gate.with_claim("iat", (NOW + 60).into()), ok()),
        ("T28", gate.without_claim("iat"), Err(Reason::TokenLifetime)),
        ("T28", gate.with_claim("exp", (NOW + 86_401).into()), Err(Reason::TokenLifetime)),
        ("T28", gate.with_claim("exp", (NOW + 21 * 86_400).into()), Err(Reason::TokenLifetime)),
        ("T28 twin", gate.with_claim("exp", (NOW + 86_400).into()), ok()),
    ];
    for (row, claims, expected) in rows {
        assert_eq!(gate.try_claims(&claims).await, expected, "{row} {claims}");
    }
    // The same token while time goes by, from memory each time but the first.
    let token = gate.token(&gate.claims());
    for (second, expected) in [
        (-61, Err(Reason::TokenNotYet)),
        (-60, ok()),
        (0, ok()),
        (359, ok()),
        (360, Err(Reason::TokenExpired)),
        (0, ok()),
    ] {
        let at = Timestamp::from_seconds(NOW + second);
        assert_eq!(gate.try_at(&token, at).await, expected, "{second}");
    }
}

#[tokio::test]
async fn tokens_older_than_the_maximum_age_are_refused() {
    let gate = Gate::with(json!({"max_token_age_s": 100, "leeway_s": 0})).await;
    let token = gate.token(&gate.claims());
    for (second, expected) in [(99, ok()), (100, Err(Reason::TokenAge))] {
        let at = Timestamp::from_seconds(NOW + second);
        assert_eq!(gate.try_at(&token, at).await, expected, "{second}");
    }
}

#[tokio::test]
async fn limits_that_warn_let_in_and_say_what_is_over_them() {
    let settings = json!({"max_token_age_s": 100, "leeway_s": 0, "token_limits": "warn"});
    let gate = Gate::with(settings).await;
    let long = gate.with_claim("exp", (NOW + 30 * 86_400).into());
    let rows: [(_, i64, Outcome, &[Reason]); 8] = [
        (gate.claims(), 99, ok(), &[]),
        (gate.claims(), 100, ok(), &[Reason::TokenAge]),
        (long.clone(), 0, ok(), &[Reason::TokenLifetime]),
        (long.clone(), 100, ok(), &[Reason::TokenLifetime, Reason::TokenAge]),
        // What only warns opens nothing else: these are no limits but what makes a token one.
        (gate.claims(), 300, Err(Reason::TokenExpired), &[]),
        (gate.without_claim("exp"), 0, Err(Reason::TokenExpired), &[]),
        (gate.without_claim("iat"), 0, Err(Reason::TokenLifetime), &[]),
        (gate.with_claim("iat", (NOW + 61).into()), 0, Err(Reason::TokenNotYet), &[]),
    ];
    for (claims, second, expected, over) in rows {
        let at = Timestamp::from_seconds(NOW + second);
        let token = gate.token(&claims);
        assert_eq!(gate.try_at(&token, at).await, expected, "{claims} at {second}");
        if expected.is_ok() {
            let headers =
                HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
            let found = gate.authenticator.authenticate(&headers, &gate.access, at).await.unwrap();
            let found = gate.authenticator.excess(&found, at);
            let reasons: Vec<_> = found.iter().map(|over| over.reason).collect();
            assert_eq!(reasons, over, "{claims} at {second}");
        }
    }
}

#[tokio::test]
async fn rows_t29_to_t31_issuer_audience_client() {
    let gate = Gate::with(json!({"clients": ["cli", "ide"], "audiences": ["api://files"]})).await;
    let url = gate.idp.url.clone();
    let many = vec!["a"; 1000];
    let with_us = [&many[..], &[AUDIENCE]].concat();
    let iss = |text: String| gate.with_claim("iss", text.into());
    let aud = |value: Value| gate.with_claim("aud", value);
    let rows = [
        ("T29", iss(url.to_uppercase()), Err(Reason::TokenIssuer)),
        ("T29", iss(format!("{url}/")), Err(Reason::TokenIssuer)),
        ("T29", iss(url.replace("http:", "https:")), Err(Reason::TokenIssuer)),
        ("T29", iss(format!("{url}/realms/a")), Err(Reason::TokenIssuer)),
        ("T29", gate.with_claim("iss", json!([url])), Err(Reason::TokenIssuer)),
        ("T29", gate.without_claim("iss"), Err(Reason::TokenIssuer)),
        ("T30", gate.without_claim("aud"), Err(Reason::TokenAudience)),
        ("T30", aud("https://other.example".into()), Err(Reason::TokenAudience)),
        ("T30", aud("https://mcp.example".into()), Err(Reason::TokenAudience)),
        ("T30", aud(format!("{AUDIENCE}/").into()), Err(Reason::TokenAudience)),
        ("T30", aud(json!(many)), Err(Reason::TokenAudience)),
        ("T30", aud(json!([])), Err(Reason::TokenAudience)),
        ("T30", aud(json!([AUDIENCE, 1])), Err(Reason::TokenAudience)),
        ("T30", aud(json!({AUDIENCE: true})), Err(Reason::TokenAudience)),
        ("T30 twin", aud(json!(["other", AUDIENCE])), ok()),
        ("T30 twin", aud(json!(with_us)), ok()),
        ("T30 twin", aud("api://files".into()), ok()),
        ("T31", gate.with_claim("azp", "evil".into()), Err(Reason::TokenClient)),
        ("T31", gate.with_claim("client_id", "evil".into()), Err(Reason::TokenClient)),
        ("T31", gate.with_claim("azp", json!(["cli"])), Err(Reason::TokenClaims)),
        ("T31", gate.with_claim("azp", "".into()), Err(Reason::TokenClaims)),
        ("T31", gate.without_claim("azp"), Err(Reason::TokenClient)),
        ("T31 twin", gate.with_claim("azp", "ide".into()), ok()),
        ("T31 twin", gate.with_claim("cid", "ide".into()), ok()),
    ];
    for (row, claims, expected) in rows {
        assert_eq!(gate.try_claims(&claims).await, expected, "{row} {claims}");
    }
}

#[tokio::test]
async fn row_t32_id_tokens_only_where_they_are_asked_for() {
    let gate = Gate::open().await;
    let opted = Gate::with(json!({"token_types": ["at+jwt", "JWT", "id"]})).await;
    let strict = Gate::with(json!({"token_types": ["at+jwt"]})).await;
    for (claim, value) in
        [("nonce", "n"), ("at_hash", "h"), ("c_hash", "h"), ("typ", "ID"), ("token_use", "id")]
    {
        let claims = |gate: &Gate| gate.with_claim(claim, value.into());
        assert_eq!(gate.try_claims(&claims(&gate)).await, Err(Reason::TokenHeader), "{claim}");
        assert_eq!(strict.try_claims(&claims(&strict)).await, Err(Reason::TokenHeader));
        assert_eq!(opted.try_claims(&claims(&opted)).await, ok(), "{claim}");
    }
    for typ in ["Refresh", "Offline", "Logout"] {
        let claims = opted.with_claim("typ", typ.into());
        assert_eq!(opted.try_claims(&claims).await, Err(Reason::TokenHeader), "{typ}");
    }
    let logout = opted.with_claim("events", json!({}));
    assert_eq!(opted.try_claims(&logout).await, Err(Reason::TokenHeader));
    assert_eq!(strict.try_claims(&strict.claims()).await, Err(Reason::TokenHeader));
    for (typ, others, strictly) in [
        ("at+jwt", ok(), ok()),
        ("application/at+jwt", ok(), ok()),
        ("AT+JWT", ok(), ok()),
        ("JWT", ok(), Err(Reason::TokenHeader)),
        ("logout+jwt", Err(Reason::TokenHeader), Err(Reason::TokenHeader)),
        ("dpop+jwt", Err(Reason::TokenHeader), Err(Reason::TokenHeader)),
        ("", Err(Reason::TokenHeader), Err(Reason::TokenHeader)),
    ] {
        let header = json!({"alg": "ES256", "kid": "ec", "typ": typ}).to_string();
        for (gate, expected) in [(&gate, others), (&strict, strictly)] {
            let token = gate.idp.keys.token("ES256", &header, &gate.claims().to_string());
            assert_eq!(gate.try_token(&token).await, expected, "{typ}");
        }
    }
}

#[tokio::test]
async fn rows_t35_and_t36_groups_fail_closed() {
    let gate = Gate::open().await;
    let many: Vec<String> = (0..10_000).map(|i| i.to_string()).collect();
    let few: Vec<String> = (0..1001).map(|i| i.to_string()).collect();
    let rows = [
        ("string", json!("dev ops"), Reason::GroupsMalformed),
        ("nested", json!([["dev"]]), Reason::GroupsMalformed),
        ("object", json!({"dev": true}), Reason::GroupsMalformed),
        ("null", json!(null), Reason::GroupsMalformed),
        ("mixed", json!(["dev", 1]), Reason::GroupsMalformed),
        ("too many", json!(few), Reason::GroupsMalformed),
        ("10,000", json!(many), Reason::TokenMalformed),
    ];
    for (what, groups, reason) in rows {
        let outcome = gate.try_claims(&gate.with_claim("groups", groups)).await;
        assert_eq!(outcome, Err(reason), "T35 {what}");
    }
    assert_eq!(gate.try_claims(&gate.without_claim("groups")).await, Err(Reason::GroupsAbsent));
    let optional = Gate::with(json!({"groups_required": false})).await;
    assert_eq!(optional.try_claims(&optional.without_claim("groups")).await, ok());
    for gate in [&gate, &optional] {
        for (name, value) in [
            ("_claim_names", json!({"groups": "src1"})),
            ("_claim_names", json!("src1")),
            ("hasgroups", json!(true)),
        ] {
            let mut claims = gate.without_claim("groups");
            claims[name] = value;
            assert_eq!(gate.try_claims(&claims).await, Err(Reason::GroupsOverage), "T35 {name}");
        }
        let mut claims = gate.claims();
        claims["_claim_names"] = json!({"photos": "src1"});
        assert_eq!(gate.try_claims(&claims).await, ok(), "T35 twin");
    }
    // Names are kept byte for byte: what looks like `dev` is not `dev`.
    let names = ["dev\u{7}", "dev ", "d\u{435}v", "DEV"];
    let token = gate.token(&gate.with_claim("groups", json!(names)));
    let headers =
        HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    let found = gate.authenticator.authenticate(&headers, &gate.access, now()).await.unwrap();
    assert!(found.groups.iter().all(|group| names.contains(&&*group.name)), "T36");
    assert_eq!(found.groups.len(), 4);
}

#[tokio::test]
async fn groups_are_found_where_the_settings_point() {
    let pointers = ["/realm_access/roles", "/https:~1~1corp.example~1teams"];
    let gate = Gate::with(json!({"groups_claim": pointers, "groups_split": true})).await;
    let mut claims = gate.without_claim("groups");
    assert_eq!(gate.try_claims(&claims).await, Err(Reason::GroupsAbsent));
    claims["realm_access"] = json!({"roles": ["admin", "/eng/db"]});
    claims["https://corp.example/teams"] = "red blue admin".into();
    let token = gate.token(&claims);
    let headers =
        HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    let found = gate.authenticator.authenticate(&headers, &gate.access, now()).await.unwrap();
    let names: Vec<&str> = found.groups.iter().map(|group| &*group.name).collect();
    assert_eq!(names, ["/eng/db", "admin", "blue", "red"]);
}

#[tokio::test]
async fn rows_t37_and_t46_subject_and_bound_tokens() {
    let gate = Gate::open().await;
    let long = "x".repeat(256);
    for sub in ["", "a\nb", "a\0b", "a\u{7f}", "a\u{85}", &long] {
        let outcome = gate.try_claims(&gate.with_claim("sub", sub.into())).await;
        assert_eq!(outcome, Err(Reason::TokenClaims), "T37 {sub:?}");
    }
    for sub in [json!(null), json!(1), json!(["u1"])] {
        let outcome = gate.try_claims(&gate.with_claim("sub", sub)).await;
        assert_eq!(outcome, Err(Reason::TokenClaims), "T37");
    }
    assert_eq!(gate.try_claims(&gate.without_claim("sub")).await, Err(Reason::TokenClaims));
    let longest = &long[..255];
    let outcome = gate.try_claims(&gate.with_claim("sub", longest.into())).await;
    assert_eq!(outcome.as_deref(), Ok(longest), "T37 twin");
    for cnf in [json!({"jkt": "x"}), json!({"x5t#S256": "x"}), json!({}), json!(null)] {
        let outcome = gate.try_claims(&gate.with_claim("cnf", cnf)).await;
        assert_eq!(outcome, Err(Reason::TokenBound), "T46");
    }
}
