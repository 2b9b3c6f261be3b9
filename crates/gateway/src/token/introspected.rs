//! What an issuer tells of a token when it is asked (RFC 7662 §2.2). Pure.

use lockgate_mcp::json::{Document, JsonLimits};
use lockgate_model::{Identity, Reason, Refusal};
use serde_json::{Map, Value};

use super::{TokenType, claims, jws};
use crate::settings::IssuerSettings;

/// Nesting and size of an answer, as of a token.
const JSON_LIMITS: JsonLimits = JsonLimits { depth: 16, items: 4096 };

/// Reads an answer: the claims of a token that is good.
///
/// # Errors
/// [`Reason::TokenInactive`] where it is none, or not any more; [`Reason::IssuerUnavailable`] for an answer
/// that says neither.
pub(crate) fn read(answer: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let unclear = |what: String| Refusal::new(Reason::IssuerUnavailable, what);
    let document =
        Document::strict(answer, JSON_LIMITS).map_err(|fault| unclear(fault.to_string()))?;
    let Value::Object(told) = document.root().to_value() else {
        return Err(unclear("the issuer's answer is no JSON object".to_owned()));
    };
    match told.get("active") {
        Some(Value::Bool(true)) => Ok(told),
        Some(Value::Bool(false)) => {
            Err(Refusal::new(Reason::TokenInactive, "the issuer says that the token is not active"))
        }
        _ => {
            Err(unclear("the issuer's answer does not say whether the token is active".to_owned()))
        }
    }
}

/// The claims of an access token of this issuer that is sent as a bearer token. Where no subject is told,
/// the token is the client's own, which is its subject then (as in RFC 9068 §2.2).
///
/// # Errors
/// [`Reason::TokenHeader`], [`Reason::TokenIssuer`] and [`Reason::TokenClaims`] for anything else.
pub(super) fn claims(
    told: &Map<String, Value>,
    settings: &IssuerSettings,
) -> Result<Map<String, Value>, Refusal> {
    let other = |detail: &'static str| Err(Refusal::new(Reason::TokenHeader, detail));
    if claims::name(told, "iss")?.is_some_and(|iss| iss != settings.issuer) {
        return Err(Refusal::new(Reason::TokenIssuer, "the token is another issuer's"));
    }
    if claims::name(told, "token_type")?.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return other("the issuer says that it is no bearer token");
    }
    match jws::untyped(told)? {
        TokenType::AtJwt | TokenType::Jwt => {}
        TokenType::Id | TokenType::Told => {
            return other("the issuer says that it is no access token");
        }
    }
    let mut told = told.clone();
    let named = &settings.subject_claim;
    if let (None, Some(client)) = (told.get(named), claims::name(&told, "client_id")?) {
        told.insert(named.clone(), client.into());
    }
    Ok(told)
}

/// Whether what was told is about this identity.
///
/// # Errors
/// [`Reason::TokenClaims`].
pub(crate) fn agrees(
    told: &Map<String, Value>,
    identity: &Identity,
    settings: &IssuerSettings,
) -> Result<(), Refusal> {
    let named = claims::name(told, &settings.subject_claim)?;
    let same = named.is_none_or(|subject| subject == identity.subject);
    let differs = || Refusal::new(Reason::TokenClaims, "the issuer tells of another subject");
    same.then_some(()).ok_or_else(differs)
}

#[cfg(test)]
mod tests {
    use lockgate_model::Reason;

    use super::read;

    #[test]
    fn only_a_clear_yes_is_one() {
        for (answer, reason) in [
            (r#"{"active":true,"sub":"ann"}"#, None),
            (r#"{"active":false}"#, Some(Reason::TokenInactive)),
            (r#"{"active":false,"sub":"ann"}"#, Some(Reason::TokenInactive)),
            (r#"{"active":"true"}"#, Some(Reason::IssuerUnavailable)),
            (r#"{"active":1}"#, Some(Reason::IssuerUnavailable)),
            (r#"{"active":null}"#, Some(Reason::IssuerUnavailable)),
            (r#"{"active":false,"active":true}"#, Some(Reason::IssuerUnavailable)),
            (r#"{"Active":true}"#, Some(Reason::IssuerUnavailable)),
            (r#"[{"active":true}]"#, Some(Reason::IssuerUnavailable)),
            ("true", Some(Reason::IssuerUnavailable)),
            ("", Some(Reason::IssuerUnavailable)),
            ("<html>", Some(Reason::IssuerUnavailable)),
        ] {
            assert_eq!(read(answer.as_bytes()).err().map(|it| it.reason), reason, "{answer}");
        }
    }
}
