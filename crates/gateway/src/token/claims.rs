//! One claim at a time: the shapes that can be relied on, and a refusal for every other.

use std::collections::BTreeMap;

use lockgate_model::{ClaimValue, Reason, Refusal, Timestamp};
use serde_json::{Map, Value};

/// A subject, client or token id longer than this is refused (OpenID Connect Core §2: 255 ASCII
/// characters for `sub`).
const NAME_MAX_BYTES: usize = 255;

/// The end of the year 9999: whoever writes a later time means milliseconds or nothing.
const SECONDS_MAX: i64 = 253_402_300_799;

/// Where issuers name the OAuth client: OIDC and Keycloak, RFC 9068, Okta, Entra v1.
const CLIENT_CLAIMS: [&str; 4] = ["azp", "client_id", "cid", "appid"];

/// Claims that say how the token works, not who its bearer is; policy never sees them.
const MECHANICS: [&str; 10] =
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "at_hash", "c_hash"];

fn refused(name: &str, what: &str) -> Refusal {
    Refusal::new(Reason::TokenClaims, format!("`{name}` {what}"))
}

/// A `NumericDate` in whole seconds (RFC 7519 §2).
pub(super) fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_i64() {
            Some(seconds @ 0..=SECONDS_MAX) => Ok(Some(Timestamp::from_seconds(seconds))),
            _ => Err(refused(name, "is no time in whole seconds")),
        },
    }
}

/// A name of something: not empty, of a sane length, without characters that could split a line.
pub(super) fn name(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text))
            if (1..=NAME_MAX_BYTES).contains(&text.len()) && !text.contains(char::is_control) =>
        {
            Ok(Some(text.clone()))
        }
        Some(_) => Err(refused(name, "is no text of 1 to 255 bytes without control characters")),
    }
}

/// The `aud` claim: one text or a list of texts.
pub(super) fn audiences(claims: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let refusal = |detail: &'static str| Refusal::new(Reason::TokenAudience, detail);
    match claims.get("aud") {
        None => Err(refusal("the token names no audience")),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(value) => texts(value).ok_or_else(|| refusal("`aud` is no text or list of texts")),
    }
}

/// Every client that the token names, in the order of [`CLIENT_CLAIMS`].
pub(super) fn clients(claims: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let found: Result<Vec<_>, _> = CLIENT_CLAIMS.iter().map(|claim| name(claims, claim)).collect();
    Ok(found?.into_iter().flatten().collect())
}

/// What stands at a JSON pointer (RFC 6901).
pub(super) fn at<'a>(claims: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let mut parts =
        pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"));
    let first = claims.get(&parts.next()?)?;
    parts.try_fold(first, |value, part| value.as_object()?.get(&part))
}

/// A list in which everything is text.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

/// The claims in which policy can compare something exactly; others are left out.
pub(super) fn comparable(claims: &Map<String, Value>) -> BTreeMap<String, ClaimValue> {
    let comparable = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::String(text) => ClaimValue::Text(text.clone()),
            Value::Bool(flag) => ClaimValue::Flag(*flag),
            Value::Number(number) => ClaimValue::Number(number.as_i64()?),
            Value::Array(_) => ClaimValue::List(texts(value)?),
            Value::Null | Value::Object(_) => return None,
        };
        Some((name.clone(), value))
    };
    let telling = |(name, _): &(&String, &Value)| !MECHANICS.contains(&name.as_str());
    claims.iter().filter(telling).filter_map(comparable).collect()
}
