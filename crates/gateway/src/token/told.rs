//! What an identity provider tells of its own accord: that somebody logged out (OpenID Connect
//! Back-Channel Logout 1.0), or a security event (RFC 8417) of CAEP or RISC. Each becomes revocations, by
//! an id that is the same however often it is told.
//!
//! Says nothing about the signature: [`super::Rules`] has seen it hold.

use lockgate_model::{Reason, Refusal, Revocation, Revoked, Timestamp};
use serde_json::{Map, Value};

use super::claims;
use crate::{
    hash::sha256,
    settings::{IssuerSettings, TokenLimits},
};

const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const CREDENTIAL_CHANGE: &str =
    "https://schemas.openid.net/secevent/caep/event-type/credential-change";
const ACCOUNT_DISABLED: &str =
    "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
const ACCOUNT_PURGED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-purged";
/// Events of one statement; RFC 8417 §2.2 has several only as views of one.
const EVENTS_MAX: usize = 8;

/// Who an event is about.
#[derive(Default)]
struct About {
    subject: Option<String>,
    sid: Option<String>,
}

/// What the claims of a verified statement revoke; nothing for events that take no access away.
///
/// # Errors
/// [`Reason::TokenAudience`], [`Reason::TokenNotYet`], [`Reason::TokenExpired`], and
/// [`Reason::TokenClaims`] for a statement that can't be relied on, or is about nobody known.
pub fn revocations(
    statement: &Map<String, Value>,
    settings: &IssuerSettings,
    now: Timestamp,
) -> Result<Vec<Revocation>, Refusal> {
    let at = check(statement, settings, now)?;
    let jti = claims::name(statement, "jti")?.ok_or_else(|| unclear("there is no `jti`"))?;
    let events = statement.get("events").and_then(Value::as_object);
    let events = events.filter(|events| (1..=EVENTS_MAX).contains(&events.len()));
    let events = events.ok_or_else(|| unclear("`events` is no object of 1 to 8 events"))?;
    let mut found = Vec::new();
    for (kind, event) in events {
        let event = event.as_object().ok_or_else(|| unclear("an event is no object"))?;
        let Some((word, for_good)) = known(kind) else { continue };
        let about = about(statement, event, settings)?;
        let since = claims::time(event, "event_timestamp")?.unwrap_or(at);
        let targets = about.targets(settings);
        if targets.is_empty() {
            return Err(unclear("it names neither who logged out nor a `sid`"));
        }
        for target in targets {
            // Whoever logs in again, or with another credential, is let in again.
            let old_tokens = !for_good && matches!(target, Revoked::Subject { .. });
            found.push(Revocation {
                id: id(settings, &jti, kind, &target),
                target,
                issued_until: old_tokens.then_some(since),
                reason: word.to_owned(),
                by: format!("idp:{}", settings.name),
                at: now,
                until: if for_good { None } else { forgotten(settings, now) },
            });
        }
    }
    Ok(found)
}

impl About {
    /// The login, and the person: most access tokens don't say which login they are of.
    fn targets(self, settings: &IssuerSettings) -> Vec<Revoked> {
        let issuer = || settings.name.clone();
        let login = self.sid.map(|sid| Revoked::Login { issuer: issuer(), sid });
        let person = self.subject.map(|subject| Revoked::Subject { issuer: issuer(), subject });
        login.into_iter().chain(person).collect()
    }
}

/// When it was said, where it is for us and of this time.
fn check(
    statement: &Map<String, Value>,
    settings: &IssuerSettings,
    now: Timestamp,
) -> Result<Timestamp, Refusal> {
    let ours = settings.events.iter().flat_map(|events| &events.audiences);
    let ours: Vec<&String> = ours.collect();
    if !claims::audiences(statement)?.iter().any(|name| ours.contains(&name)) {
        return Err(Refusal::new(Reason::TokenAudience, "the statement is for somebody else"));
    }
    // OpenID Connect Back-Channel Logout 1.0 §2.4: so that no ID token passes for one.
    if statement.contains_key("nonce") {
        return Err(unclear("there is a `nonce`"));
    }
    let leeway_ms = i64::from(settings.leeway_s) * 1000;
    let at = claims::time(statement, "iat")?.ok_or_else(|| unclear("there is no `iat`"))?;
    if at > now.plus_millis(leeway_ms) {
        return Err(Refusal::new(Reason::TokenNotYet, "the statement is of a time to come"));
    }
    let ends = claims::time(statement, "exp")?;
    if ends.is_some_and(|ends| now >= ends.plus_millis(leeway_ms)) {
        return Err(Refusal::new(Reason::TokenExpired, "the statement has expired"));
    }
    Ok(at)
}

/// What an event is in words, and whether it holds whatever token comes; `None` where it takes nothing
/// away.
fn known(kind: &str) -> Option<(&'static str, bool)> {
    match kind {
        LOGOUT => Some(("logged out at the issuer", false)),
        SESSION_REVOKED => Some(("session revoked at the issuer", false)),
        CREDENTIAL_CHANGE => Some(("credential changed at the issuer", false)),
        ACCOUNT_DISABLED => Some(("account disabled at the issuer", true)),
        ACCOUNT_PURGED => Some(("account purged at the issuer", true)),
        _ => None,
    }
}

/// Whom it names: by `sub` and `sid` as logout tokens do, or by a subject identifier (RFC 9493) in the
/// statement or, as older transmitters write it, in the event.
fn about(
    statement: &Map<String, Value>,
    event: &Map<String, Value>,
    settings: &IssuerSettings,
) -> Result<About, Refusal> {
    let named = &settings.subject_claim;
    let mut about =
        About { subject: claims::name(statement, named)?, sid: claims::name(statement, "sid")? };
    let identifier = statement.get("sub_id").or_else(|| event.get("subject"));
    let Some(identifier) = identifier else { return Ok(about) };
    let identifier = identifier.as_object().ok_or_else(|| unclear("the subject is no object"))?;
    if let Some(session) = part(identifier, "session") {
        about.sid = claims::name(session, "id")?;
    }
    for one in [Some(identifier), part(identifier, "user")].into_iter().flatten() {
        let format = one.get("format").or_else(|| one.get("subject_type"));
        match format.and_then(Value::as_str) {
            Some("iss_sub" | "iss-sub") => {
                if one.get("iss").and_then(Value::as_str) != Some(&settings.issuer) {
                    return Err(unclear("the subject is another issuer's"));
                }
                if settings.subject_claim != "sub" {
                    return Err(unclear("the subject is named by `sub`, which tokens don't go by"));
                }
                about.subject = claims::name(one, "sub")?;
            }
            // Its parts are looked at by themselves.
            Some("complex") => {}
            _ => return Err(unclear("the subject has a format by which nobody is known here")),
        }
    }
    Ok(about)
}

fn part<'a>(identifier: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    identifier.get(name).and_then(Value::as_object)
}

/// When no token that it is about can be good any more.
fn forgotten(settings: &IssuerSettings, now: Timestamp) -> Option<Timestamp> {
    let lives_ms = i64::from(settings.max_token_lifetime_s) * 1000;
    let bounded = settings.token_limits == TokenLimits::Enforce;
    bounded.then(|| now.plus_millis(lives_ms + i64::from(settings.leeway_s) * 2000))
}

fn id(settings: &IssuerSettings, jti: &str, kind: &str, target: &Revoked) -> String {
    let parts = serde_json::json!([settings.name, jti, kind, target]).to_string();
    let digest = sha256(parts.as_bytes()).to_string();
    format!("r{}", digest.get(..32).unwrap_or_default())
}

fn unclear(detail: &'static str) -> Refusal {
    Refusal::new(Reason::TokenClaims, detail)
}

#[cfg(test)]
mod tests;
