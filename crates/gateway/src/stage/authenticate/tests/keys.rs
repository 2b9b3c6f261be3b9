//! Rows about the issuer's keys: which are used, when they are fetched, whose they are.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use lockgate_model::{Limits, Reason, Timestamp};
use serde_json::{Value, json};

use super::{AUDIENCE, Access, Authenticator, Gate, Idp, NOW, idp::b64, issuer, now, ok};
use crate::{
    keys::KeySet,
    token::{Algorithm, Jws, Rules},
};

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW + seconds)
}

#[tokio::test]
async fn row_t16_ten_thousand_unknown_ids_are_one_fetch() {
    let gate = Gate::open().await;
    assert_eq!(gate.try_claims(&gate.claims()).await, ok());
    let payload = gate.claims().to_string();
    for i in 0..10_000 {
        let header = json!({"alg": "EdDSA", "kid": format!("k{i}")}).to_string();
        // An unknown id is refused before any signature is looked at, so none is made.
        let token = format!("{}.{}.{}", b64(header), b64(&payload), b64([0; 64]));
        assert_eq!(gate.try_at(&token, later(31)).await, Err(Reason::TokenKeyUnknown));
    }
    assert_eq!(gate.idp.asked("/jwks"), 2);
}

#[tokio::test]
async fn a_hundred_callers_at_once_are_one_fetch() {
    let gate = Gate::open().await;
    let token = gate.token(&gate.claims());
    let tries = (0..100).map(|_| gate.try_token(&token));
    let outcomes = futures_util::future::join_all(tries).await;
    assert!(outcomes.into_iter().all(|outcome| outcome == ok()));
    assert_eq!(gate.idp.asked("/jwks"), 1);
}

#[tokio::test]
async fn row_t17_the_algorithm_decides_between_keys_of_one_id() {
    let gate = Gate::open().await;
    let [rsa, ec, ed] = gate.idp.keys.jwks().map(|mut jwk| {
        jwk["kid"] = "same".into();
        jwk
    });
    gate.idp.publish(&[rsa, ec, ed]);
    for alg in ["RS256", "ES256", "EdDSA"] {
        let header = json!({"alg": alg, "kid": "same"}).to_string();
        let token = gate.idp.keys.token(alg, &header, &gate.claims().to_string());
        assert_eq!(gate.try_token(&token).await, ok(), "{alg}");
    }
    // Two keys for one id and algorithm: neither is meant for certain.
    let gate = Gate::open().await;
    let other = Idp::open().await;
    let pair = [gate.idp.keys.jwks()[1].clone(), other.keys.jwks()[1].clone()];
    gate.idp.publish(&pair);
    assert_eq!(gate.try_claims(&gate.claims()).await, Err(Reason::TokenKeyUnknown));
    // The same key published twice is one.
    let gate = Gate::open().await;
    let twice = [gate.idp.keys.jwks()[1].clone(), gate.idp.keys.jwks()[1].clone()];
    gate.idp.publish(&twice);
    assert_eq!(gate.try_claims(&gate.claims()).await, ok());
}

#[tokio::test]
async fn rows_t18_to_t20_keys_that_are_not_used() {
    let point = "AQ".repeat(21) + "A";
    let edits: [(&str, usize, &str, Value); 15] = [
        ("T18", 1, "use", json!("enc")),
        ("T18", 1, "key_ops", json!(["sign"])),
        ("T18", 1, "key_ops", json!("verify")),
        ("T18", 1, "kty", json!("oct")),
        ("T18", 1, "alg", json!("HS256")),
        ("T18", 1, "alg", json!("ES384")),
        ("T18", 1, "d", json!("AQAB")),
        ("T19", 0, "n", json!(b64([0xff; 128]))),
        ("T19", 0, "n", json!(b64([0xff; 64]))),
        ("T19", 0, "e", json!("AQ")),
        ("T19", 0, "e", json!("AQAA")),
        ("T20", 1, "y", json!(point)),
        ("T20", 1, "x", json!(b64([0; 32]))),
        ("T20", 1, "x", json!("AQAB")),
        ("T10", 2, "crv", json!("Ed448")),
    ];
    let mut gate = Gate::open().await;
    for (row, key, member, value) in edits {
        gate.authenticator = fresh(&gate.idp);
        let mut jwks = gate.idp.keys.jwks();
        jwks[key][member] = value.clone();
        gate.idp.publish(&jwks);
        for (i, (alg, kid)) in
            [("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")].iter().enumerate()
        {
            let header = json!({"alg": alg, "kid": kid}).to_string();
            let token = gate.idp.keys.token(alg, &header, &gate.claims().to_string());
            let expected = if i == key { Err(Reason::TokenKeyUnknown) } else { ok() };
            assert_eq!(gate.try_token(&token).await, expected, "{row} {member} {value} {alg}");
        }
    }
    // The same point with the coordinates cut in the wrong place.
    let mut jwks = gate.idp.keys.jwks();
    let point = ["x", "y"].map(|name| jwks[1][name].as_str().unwrap().to_owned());
    let point = point.map(|text| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).concat();
    (jwks[1]["x"], jwks[1]["y"]) = (b64(&point[..31]).into(), b64(&point[31..]).into());
    gate.idp.publish(&jwks);
    gate.authenticator = fresh(&gate.idp);
    assert_eq!(gate.try_claims(&gate.claims()).await, Err(Reason::TokenKeyUnknown), "T20");
}

#[tokio::test]
async fn row_t44_one_issuers_key_never_speaks_for_another() {
    let (a, b) = (Idp::open().await, Idp::open().await);
    let settings = [issuer("a", &a, json!({})), issuer("b", &b, json!({}))];
    let authenticator = Authenticator::new(&settings, &Limits::default(), None).unwrap();
    let both = Access {
        issuers: vec!["a".to_owned(), "b".to_owned()],
        audiences: vec![AUDIENCE.to_owned()],
    };
    let mut gate = Gate { idp: a, authenticator, access: both };
    let mut b_jwk = b.keys.jwks()[1].clone();
    b_jwk["kid"] = "b-ec".into();
    b.publish(&[b_jwk]);
    let payload = gate.claims().to_string();
    let forged = b.keys.token("ES256", r#"{"alg":"ES256","kid":"b-ec"}"#, &payload);
    assert_eq!(gate.try_token(&forged).await, Err(Reason::TokenKeyUnknown));
    let forged = b.keys.token("ES256", r#"{"alg":"ES256","kid":"ec"}"#, &payload);
    assert_eq!(gate.try_token(&forged).await, Err(Reason::TokenSignature));
    // Not even where the other issuer's rules and key are put before it.
    let rules = Rules::new(settings[1].clone()).unwrap();
    let keys = KeySet::parse(json!({"keys": b.keys.jwks()}).to_string().as_bytes()).unwrap();
    let jws = Jws::read(forged.as_bytes(), 8192).unwrap();
    let key = keys.find(Some("ec"), Algorithm::ES256).unwrap();
    assert_eq!(rules.verify(&jws, key).unwrap_err().reason, Reason::TokenIssuer);
    let good = gate.token(&gate.claims());
    assert_eq!(gate.try_token(&good).await, ok());
    // A connection that trusts the other issuer alone, with the token still in memory.
    gate.access.issuers = vec!["b".to_owned()];
    assert_eq!(gate.try_token(&good).await, Err(Reason::TokenIssuer));
    gate.access.issuers = vec!["a".to_owned()];
    gate.access.audiences = vec!["https://mcp.example/c/other/mcp".to_owned()];
    assert_eq!(gate.try_token(&good).await, Err(Reason::TokenAudience));
}

#[tokio::test]
async fn a_remembered_token_dies_with_its_key() {
    let gate = Gate::with(json!({"max_token_lifetime_s": 86_400})).await;
    let token = gate.token(&gate.with_claim("exp", (NOW + 3600).into()));
    assert_eq!(gate.try_token(&token).await, ok());
    let [rsa, _, ed] = gate.idp.keys.jwks();
    gate.idp.publish(&[rsa.clone(), ed.clone()]);
    assert_eq!(gate.try_at(&token, later(239)).await, ok());
    assert_eq!(gate.try_at(&token, later(301)).await, Err(Reason::TokenKeyUnknown));
    // Another key under the same id doesn't bring it back.
    let other = Idp::open().await.keys.jwks()[1].clone();
    gate.idp.publish(&[rsa, other, ed]);
    for second in [340, 341] {
        assert_eq!(gate.try_at(&token, later(second)).await, Err(Reason::TokenSignature));
    }
    gate.idp.publish(&gate.idp.keys.jwks());
    assert_eq!(gate.try_at(&token, later(700)).await, ok());
}

#[tokio::test]
async fn a_broken_set_never_replaces_a_good_one() {
    let deep = format!("{{\"keys\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let mut gate = Gate::open().await;
    // These would be good if they were not too long, or had come with another status.
    let good = json!({"keys": gate.idp.keys.jwks(), "x": "x"}).to_string();
    let huge = good.replace(r#""x":"x""#, &format!(r#""x":"{}""#, "x".repeat(300_000)));
    for (what, status, body) in [
        ("empty", 200, r#"{"keys":[]}"#),
        ("no keys", 200, "{}"),
        ("only unusable", 200, r#"{"keys":[{"kty":"oct","k":"AA"}]}"#),
        ("HTML", 200, "<html>sign in</html>"),
        ("nothing", 200, ""),
        ("error", 500, &*good),
        ("redirect", 302, &*good),
        ("deep", 200, &*deep),
        ("huge", 200, &*huge),
    ] {
        gate.idp.publish(&gate.idp.keys.jwks());
        gate.authenticator = fresh(&gate.idp);
        let token = gate.token(&gate.with_claim("exp", (NOW + 7200).into()));
        assert_eq!(gate.try_token(&token).await, ok());
        let asked = gate.idp.asked("/jwks");
        gate.idp.page("/jwks", status, body);
        assert_eq!(gate.try_at(&token, later(600)).await, ok(), "S12 {what}");
        assert_eq!(gate.idp.asked("/jwks"), asked + 1, "S12 {what}");
        let status = gate.authenticator.status(later(600));
        assert!(status[0].keys.usable && status[0].keys.alarm, "{what}");
        // Within the stated hour, and not after it.
        assert_eq!(gate.try_at(&token, later(3600)).await, ok(), "{what}");
        let outcome = gate.try_at(&token, later(3601)).await;
        assert!(matches!(outcome, Err(Reason::IssuerUnavailable)), "{what} {outcome:?}");
    }
}

#[tokio::test]
async fn row_s12_a_provider_that_never_answers_is_given_up() {
    // Connections are taken by the system, and nobody reads from them.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let jwks = format!("http://{}/jwks", silent.local_addr().unwrap());
    let gate = Gate::with(json!({"jwks_url": jwks})).await;
    let start = std::time::Instant::now();
    assert_eq!(gate.try_claims(&gate.claims()).await, Err(Reason::IssuerUnavailable));
    assert!((4.5..8.0).contains(&start.elapsed().as_secs_f32()));
    // The next one doesn't wait for a new try, which isn't due yet.
    assert_eq!(gate.try_claims(&gate.claims()).await, Err(Reason::IssuerUnavailable));
    assert!(start.elapsed().as_secs_f32() < 8.0);
}

#[tokio::test]
async fn without_keys_the_issuer_is_unavailable() {
    let gate = Gate::open().await;
    gate.idp.page("/jwks", 503, "");
    assert_eq!(gate.try_claims(&gate.claims()).await, Err(Reason::IssuerUnavailable));
    assert!(!gate.authenticator.status(now())[0].keys.usable);
    gate.idp.publish(&gate.idp.keys.jwks());
    assert_eq!(gate.try_claims(&gate.claims()).await, Err(Reason::IssuerUnavailable));
    let token = gate.token(&gate.claims());
    assert_eq!(gate.try_at(&token, later(30)).await, ok());
}

#[tokio::test]
async fn discovery_believes_only_the_issuers_own_document() {
    let oidc = "/.well-known/openid-configuration";
    let oauth = "/.well-known/oauth-authorization-server";
    let mut gate = Gate::open().await;
    let good = gate.idp.discovery();
    let url = gate.idp.url.clone();
    let elsewhere = |jwks: &str| json!({"issuer": url, "jwks_uri": jwks}).to_string();
    let rows = [
        ("second place", 404, String::new(), Some(&good), true),
        ("other issuer", 200, good.replace(&url, "https://evil.example"), None, false),
        ("trailing slash", 200, good.replacen(&url, &format!("{url}/"), 1), None, false),
        ("no jwks_uri", 200, json!({"issuer": url}).to_string(), None, false),
        ("file", 200, elsewhere("file:///etc/passwd"), None, false),
        ("metadata service", 200, elsewhere("http://169.254.169.254/jwks"), None, false),
        ("user information", 200, elsewhere(&url.replace("//", "//x@")), None, false),
        ("twice", 200, good.replace('{', r#"{"issuer":"x","#), None, false),
        ("HTML", 200, "<html>".to_owned(), None, false),
        ("first place", 200, good.clone(), None, true),
    ];
    for (what, status, body, second, works) in rows {
        gate.authenticator = fresh(&gate.idp);
        gate.idp.page(oidc, status, &body);
        gate.idp.page(oauth, if second.is_some() { 200 } else { 404 }, second.map_or("", |s| s));
        let expected = if works { ok() } else { Err(Reason::IssuerUnavailable) };
        assert_eq!(gate.try_claims(&gate.claims()).await, expected, "{what}");
    }
}

/// An authenticator that has no keys yet.
fn fresh(idp: &Idp) -> Authenticator {
    Authenticator::new(&[issuer("corp", idp, json!({}))], &Limits::default(), None).unwrap()
}

#[tokio::test]
async fn keys_survive_a_reload_with_the_same_settings() {
    let gate = Gate::open().await;
    assert_eq!(gate.try_claims(&gate.claims()).await, ok());
    let (same, changed) = (json!({}), json!({"leeway_s": 30}));
    for (settings, fetches) in [(same, 1), (changed, 2)] {
        let settings = [issuer("corp", &gate.idp, settings)];
        let next = Authenticator::new(&settings, &Limits::default(), Some(&gate.authenticator));
        let next = next.unwrap();
        next.warm(now()).await;
        assert!(next.status(now())[0].keys.usable);
        assert_eq!(gate.idp.asked("/jwks"), fetches);
    }
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let idp = Idp::open().await;
    for settings in [
        json!({"algorithms": []}),
        json!({"token_types": []}),
        json!({"leeway_s": 61}),
        json!({"groups_claim": ["groups"]}),
        json!({"allow_private": false}),
        json!({"jwks_url": "https://127.0.0.1/jwks", "allow_private": false}),
        json!({"issuer": "file:///x"}),
        json!({"ca": "/nonexistent.pem"}),
    ] {
        let issuers = [issuer("corp", &idp, settings.clone())];
        assert!(Authenticator::new(&issuers, &Limits::default(), None).is_err(), "{settings}");
    }
    let twice = [issuer("a", &idp, json!({})), issuer("b", &idp, json!({}))];
    assert!(Authenticator::new(&twice, &Limits::default(), None).is_err());
    let unknown = json!({"name": "x", "issuer": "https://x.example", "algorithms": ["HS256"]});
    assert!(serde_json::from_value::<crate::settings::IssuerSettings>(unknown).is_err());
}
