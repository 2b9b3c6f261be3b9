//! The development issuer's login: a plain page on which somebody chooses who they are, and the code
//! that is given for it, once, to whoever began the login (RFC 6749 §4.1, RFC 7636).
//!
//! Asks for no password, as the rest of the issuer; sends browsers nowhere but to the demo's own pages.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use lockgate_gateway::clock;
use lockgate_model::Timestamp;
use url::form_urlencoded;

use super::{REVIEW, issuer::Persona};
use crate::plain_http;

/// The client that the demo's pages are.
pub(super) const CLIENT: &str = "lockgate-demo";

/// A code must be taken within this time.
const CODE_MAX_MS: i64 = 60_000;
/// Codes that wait to be taken.
const CODES_MAX: usize = 1_000;
/// Longest state, challenge or verifier (RFC 7636 §4.1).
const WORD_MAX: usize = 128;

/// Logins under way.
pub(super) struct Login {
    /// The one place that browsers are sent back to.
    redirect: String,
    codes: Mutex<HashMap<String, Given>>,
}

/// What a code was given for.
struct Given {
    persona: Persona,
    challenge: String,
    until: Timestamp,
}

/// The parameters of a request.
struct Fields(HashMap<String, String>);

impl Login {
    /// Logins that lead back to `redirect`.
    pub(super) fn new(redirect: String) -> Self {
        Self { redirect, codes: Mutex::default() }
    }

    /// The page on which somebody says who they are.
    pub(super) fn ask(&self, query: &str) -> Response<Full<Bytes>> {
        let fields = Fields::parse(query.as_bytes());
        let asked = [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", &self.redirect),
            ("code_challenge_method", "S256"),
            ("resource", REVIEW),
        ];
        let known = asked.iter().all(|(name, value)| fields.text(name) == Some(value));
        match (known, fields.word("state"), fields.word("code_challenge")) {
            (true, Some(state), Some(challenge)) => {
                let html = page(state, challenge);
                plain_http::typed(StatusCode::OK, "text/html; charset=utf-8", html)
            }
            _ => refused("this is no login of the demo's pages\n"),
        }
    }

    /// Somebody has said who they are: their browser goes back with a code.
    pub(super) fn choose(&self, form: &[u8], now: Timestamp) -> Response<Full<Bytes>> {
        let fields = Fields::parse(form);
        let who = fields.text("who").and_then(Persona::named);
        let (Some(persona), Some(state), Some(challenge)) =
            (who, fields.word("state"), fields.word("code_challenge"))
        else {
            return refused("nobody was chosen\n");
        };
        let Some(code) = self.give(persona, challenge, now) else {
            return plain_http::text(StatusCode::SERVICE_UNAVAILABLE, "no code\n");
        };
        let place = format!("{}?code={code}&state={state}", self.redirect);
        let mut response = plain_http::text(StatusCode::SEE_OTHER, "");
        if let Ok(place) = HeaderValue::from_str(&place) {
            response.headers_mut().insert(header::LOCATION, place);
        }
        response
    }

    /// For whom a code was given, if it is taken by whoever began the login. A code is used up by
    /// the first who names it.
    pub(super) fn take(&self, form: &[u8], now: Timestamp) -> Option<Persona> {
        let fields = Fields::parse(form);
        let given = self.lock().remove(fields.text("code")?)?;
        let challenge = s256(fields.word("code_verifier")?);
        let fits = challenge == given.challenge
            && now < given.until
            && fields.text("grant_type") == Some("authorization_code")
            && fields.text("client_id") == Some(CLIENT)
            && fields.text("redirect_uri") == Some(&self.redirect)
            && fields.text("resource") == Some(REVIEW);
        fits.then_some(given.persona)
    }

    fn give(&self, persona: Persona, challenge: &str, now: Timestamp) -> Option<String> {
        let code = clock::random_id().ok()?;
        let mut codes = self.lock();
        codes.retain(|_, given| now < given.until);
        if codes.len() >= CODES_MAX {
            return None;
        }
        let (challenge, until) = (challenge.to_owned(), now.plus_millis(CODE_MAX_MS));
        codes.insert(code.clone(), Given { persona, challenge, until });
        Some(code)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Given>> {
        // Every change is whole before the lock is released.
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fields {
    fn parse(form: &[u8]) -> Self {
        Self(form_urlencoded::parse(form).into_owned().collect())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A value of letters that mean nothing in a page or a URL.
    fn word(&self, name: &str) -> Option<&str> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let fits = |word: &&str| (1..=WORD_MAX).contains(&word.len()) && word.bytes().all(plain);
        self.text(name).filter(fits)
    }
}

/// The challenge of a verifier (RFC 7636 §4.2).
fn s256(verifier: &str) -> String {
    BASE64.encode(digest(&SHA256, verifier.as_bytes()))
}

fn refused(why: &'static str) -> Response<Full<Bytes>> {
    plain_http::text(StatusCode::BAD_REQUEST, why)
}

fn page(state: &str, challenge: &str) -> String {
    let mut buttons = String::new();
    for name in Persona::ALL.map(Persona::name) {
        let _ = writeln!(buttons, r#"<button name="who" value="{name}">{name}</button>"#);
    }
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Who are you? · Lockgate's demo</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem }}
button {{ font: inherit; padding: .5rem 1rem; margin: 0 .4rem .4rem 0 }}
</style>
<h1>Who are you?</h1>
<p>The demo's issuer is for this machine, and believes what you say.</p>
<form method="post" action="/authorize">
<input type="hidden" name="state" value="{state}">
<input type="hidden" name="code_challenge" value="{challenge}">
{buttons}</form>
</html>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIRECT: &str = "http://127.0.0.1:9/login/callback";
    const VERIFIER: &str = "a-verifier-of-many-letters-that-nobody-guesses";
    const NOW: Timestamp = Timestamp::from_millis(0);

    fn encoded(pairs: &[(&str, &str)]) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    fn with<'a>(pairs: &[(&'a str, &'a str)], name: &str, value: &'a str) -> String {
        let other =
            |(key, old): &(&'a str, &'a str)| (*key, if *key == name { value } else { old });
        encoded(&pairs.iter().map(other).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_demos_own_pages_lead_here() {
        let login = Login::new(REDIRECT.to_owned());
        let good = [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", REDIRECT),
            ("state", "a-state"),
            ("code_challenge", "a-challenge"),
            ("code_challenge_method", "S256"),
            ("resource", REVIEW),
        ];
        assert_eq!(login.ask(&encoded(&good)).status(), StatusCode::OK);
        for (name, value) in [
            ("response_type", "token"),
            ("client_id", "other"),
            ("redirect_uri", "https://evil.example/"),
            ("state", "\"><script>"),
            ("code_challenge", ""),
            ("code_challenge_method", "plain"),
            ("resource", "http://127.0.0.1/c/staff/mcp"),
        ] {
            let status = login.ask(&with(&good, name, value)).status();
            assert_eq!(status, StatusCode::BAD_REQUEST, "{name}");
        }
    }

    #[test]
    fn a_code_is_for_who_began_and_for_once() {
        let login = Login::new(REDIRECT.to_owned());
        let challenge = s256(VERIFIER);
        let chosen = [("who", "reviewer"), ("state", "s"), ("code_challenge", &challenge)];
        let code = || {
            let answer = login.choose(encoded(&chosen).as_bytes(), NOW);
            assert_eq!(answer.status(), StatusCode::SEE_OTHER);
            let place = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
            let rest = place.strip_prefix(&format!("{REDIRECT}?code=")).unwrap();
            rest.strip_suffix("&state=s").unwrap().to_owned()
        };
        let take = |code: &str, name: &str, value: &str, now: i64| {
            let good = [
                ("grant_type", "authorization_code"),
                ("code", code),
                ("client_id", CLIENT),
                ("redirect_uri", REDIRECT),
                ("code_verifier", VERIFIER),
                ("resource", REVIEW),
            ];
            login.take(with(&good, name, value).as_bytes(), Timestamp::from_millis(now))
        };
        let one = code();
        assert_eq!(take(&one, "", "", 1), Some(Persona::Reviewer));
        assert_eq!(take(&one, "", "", 1), None, "a second time");
        for (name, value) in [
            ("code_verifier", "another"),
            ("redirect_uri", "https://evil.example/"),
            ("client_id", "other"),
            ("resource", "other"),
            ("grant_type", "password"),
        ] {
            assert_eq!(take(&code(), name, value, 1), None, "{name}");
        }
        assert_eq!(take(&code(), "", "", CODE_MAX_MS), None, "too late");
        let nobody = with(&chosen, "who", "root");
        assert_eq!(login.choose(nobody.as_bytes(), NOW).status(), StatusCode::BAD_REQUEST);
    }
}
