//! What statements revoke, from the examples of the specifications; and what is no statement.

use lockgate_model::{Reason, Revoked, Timestamp};
use serde_json::{Value, json};

use super::revocations;
use crate::settings::IssuerSettings;

const NOW: Timestamp = Timestamp::from_seconds(1_615_305_200);

fn settings() -> IssuerSettings {
    let settings = json!({
        "name": "corp", "issuer": "https://idp.example.com/", "max_token_lifetime_s": 3600,
        "leeway_s": 30, "events": { "audiences": ["https://sp.example.com/caep", "s6BhdRkqt3"] },
    });
    serde_json::from_value(settings).unwrap()
}

/// Whom a revocation is about, up to which token, and until when, in seconds.
type Told = (String, Option<i64>, Option<i64>);

fn heard(statement: &Value) -> Result<Vec<Told>, Reason> {
    let found = revocations(statement.as_object().unwrap(), &settings(), NOW);
    let told = |one: lockgate_model::Revocation| {
        let seconds = |at: Option<Timestamp>| at.map(Timestamp::seconds);
        (one.target.to_string(), seconds(one.issued_until), seconds(one.until))
    };
    found.map(|all| all.into_iter().map(told).collect()).map_err(|refusal| refusal.reason)
}

/// OpenID Continuous Access Evaluation Profile 1.0 §3.1, RISC 1.0 §2, and OpenID Connect Back-Channel
/// Logout 1.0 §2.4, at the times of their examples.
#[test]
fn the_examples_of_the_specifications_are_understood() {
    let ends = Some(NOW.seconds() + 3660);
    let session_revoked = json!({
        "iss": "https://idp.example.com/", "jti": "24c63fb56e5a2d77a6b512616ca9fa24",
        "iat": 1_615_305_159, "aud": "https://sp.example.com/caep", "txn": 8675309,
        "sub_id": {
            "format": "complex",
            "user": { "format": "iss_sub", "iss": "https://idp.example.com/", "sub": "dMTlD|1600802906337.16" },
            "session": { "format": "opaque", "id": "dMTlD|1600802906337.16|16008.16" },
        },
        "events": { "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {
            "initiating_entity": "policy", "event_timestamp": 1_615_304_991 } },
    });
    assert_eq!(
        heard(&session_revoked).unwrap(),
        [
            ("login corp/dMTlD|1600802906337.16|16008.16".to_owned(), None, ends),
            ("person corp/dMTlD|1600802906337.16".to_owned(), Some(1_615_304_991), ends),
        ]
    );
    let disabled = json!({
        "iss": "https://idp.example.com/", "jti": "756E69717565206964656E746966696572",
        "iat": 1_508_184_845, "aud": "https://sp.example.com/caep",
        "events": { "https://schemas.openid.net/secevent/risc/event-type/account-disabled": {
            "subject": { "subject_type": "iss-sub", "iss": "https://idp.example.com/", "sub": "7375626A656374" },
            "reason": "hijacking" } },
    });
    assert_eq!(heard(&disabled).unwrap(), [("person corp/7375626A656374".to_owned(), None, None)]);
    let logout = json!({
        "iss": "https://idp.example.com/", "sub": "248289761001", "aud": "s6BhdRkqt3",
        "iat": 1_471_566_154, "jti": "bWJq", "sid": "08a5019c-17e1-4977-8f42-65a12843ea02",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    assert_eq!(
        heard(&logout).unwrap(),
        [
            ("login corp/08a5019c-17e1-4977-8f42-65a12843ea02".to_owned(), None, ends),
            ("person corp/248289761001".to_owned(), Some(1_471_566_154), ends),
        ]
    );
    // The same, told twice, is the same; another statement is another.
    let id = |statement: &Value| {
        revocations(statement.as_object().unwrap(), &settings(), NOW).unwrap().remove(0).id
    };
    let mut other = logout.clone();
    other["jti"] = json!("bWJr");
    assert!(id(&logout) == id(&logout) && id(&logout) != id(&other));
}

#[test]
fn what_is_not_for_us_or_not_clear_is_refused() {
    let good = json!({
        "iss": "https://idp.example.com/", "sub": "ann", "aud": ["s6BhdRkqt3"], "jti": "1",
        "iat": NOW.seconds(), "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    assert_eq!(heard(&good).unwrap().len(), 1);
    let other = json!({ "https://example.com/other": {} });
    for (name, value, expected) in [
        ("aud", json!("somebody-else"), Err(Reason::TokenAudience)),
        ("aud", Value::Null, Err(Reason::TokenAudience)),
        ("iat", json!(NOW.seconds() + 31), Err(Reason::TokenNotYet)),
        ("iat", Value::Null, Err(Reason::TokenClaims)),
        ("exp", json!(NOW.seconds() - 30), Err(Reason::TokenExpired)),
        ("jti", Value::Null, Err(Reason::TokenClaims)),
        ("sub", Value::Null, Err(Reason::TokenClaims)),
        ("sub", json!("a\nb"), Err(Reason::TokenClaims)),
        ("nonce", json!("n"), Err(Reason::TokenClaims)),
        ("events", json!({}), Err(Reason::TokenClaims)),
        ("events", json!([]), Err(Reason::TokenClaims)),
        (
            "sub_id",
            json!({ "format": "email", "email": "a@example.com" }),
            Err(Reason::TokenClaims),
        ),
        (
            "sub_id",
            json!({ "format": "iss_sub", "iss": "https://x/", "sub": "a" }),
            Err(Reason::TokenClaims),
        ),
        ("events", other, Ok(Vec::new())),
    ] {
        let mut statement = good.clone();
        statement[name] = value;
        if statement[name].is_null() {
            statement.as_object_mut().unwrap().remove(name);
        }
        assert_eq!(heard(&statement), expected, "{statement}");
    }
}

#[test]
fn a_disabled_account_is_nobodys_login() {
    let statement = json!({
        "iss": "https://idp.example.com/", "jti": "2", "iat": 1, "aud": "s6BhdRkqt3", "sub": "ann",
        "events": { "https://schemas.openid.net/secevent/risc/event-type/account-purged": {} },
    });
    let found = revocations(statement.as_object().unwrap(), &settings(), NOW).unwrap().remove(0);
    assert!(matches!(&found.target, Revoked::Subject { subject, .. } if subject == "ann"));
    assert_eq!((found.by.as_str(), found.until, found.issued_until), ("idp:corp", None, None));
}
