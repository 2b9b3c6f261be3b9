//! Asking an issuer for the security events that it has (RFC 8936): a question that stays open until there
//! is something to tell. What was taken, and what was refused, is said with the next one; what is said of
//! neither comes again.
//!
//! Verifies nothing and revokes nothing: each statement is given to whoever does.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use lockgate_mcp::json::{Document, JsonLimits};
use lockgate_model::{Reason, Refusal};
use serde_json::{Value, json};
use url::Url;

use crate::{
    discovery::{FetchFault, Fetcher},
    egress::EgressFault,
    secret::SecretRef,
    settings::{IssuerSettings, PollSettings},
};

/// Events of one answer.
const EVENTS_MAX: usize = 50;
/// A question without an answer is asked anew after this time.
const WAIT_MAX: Duration = Duration::from_secs(60);
const JSON_LIMITS: JsonLimits = JsonLimits { depth: 8, items: 1024 };

/// Asks one issuer.
#[derive(Debug)]
pub struct Poller {
    url: Url,
    token: SecretRef,
    fetcher: Fetcher,
    taken: Vec<String>,
    refused: BTreeMap<String, Value>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Under which name it was told.
    pub jti: String,
    /// The signed statement.
    pub statement: Bytes,
}

impl Poller {
    /// Dials nothing yet.
    ///
    /// # Errors
    /// [`EgressFault`] where the URL or the certificate authorities can't be used.
    pub fn new(settings: &PollSettings, issuer: &IssuerSettings) -> Result<Self, EgressFault> {
        let fetcher = Fetcher::new(issuer.allow_private, issuer.ca.clone())?;
        Ok(Self {
            url: fetcher.check(settings.url.as_str())?,
            token: settings.token.clone(),
            fetcher,
            taken: Vec::new(),
            refused: BTreeMap::new(),
        })
    }

    /// Waits for events; none where there were none for a minute.
    ///
    /// # Errors
    /// Why there is no answer. What was to be said with the question is said with the next one.
    pub async fn ask(&mut self) -> Result<Vec<Told>, Refusal> {
        let request = self.question()?;
        let answer = self.fetcher.ask_within(&self.url, request, WAIT_MAX).await;
        let told = match answer {
            Ok((StatusCode::OK, body)) => read(&body)?,
            Ok((StatusCode::ACCEPTED | StatusCode::NO_CONTENT, _)) => Vec::new(),
            Ok((status, _)) => return Err(unavailable(format!("status {}", status.as_u16()))),
            Err(FetchFault::Unreachable { refusal, .. })
                if refusal.reason == Reason::UpstreamTimeout =>
            {
                // It may have been heard, or not: it is said again.
                return Ok(Vec::new());
            }
            Err(fault) => return Err(unavailable(fault.to_string())),
        };
        self.taken.clear();
        self.refused.clear();
        Ok(told)
    }

    /// An event has taken effect, for good.
    pub fn take(&mut self, jti: String) {
        self.taken.push(jti);
    }

    /// An event never will (RFC 8936 §2.6).
    pub fn refuse(&mut self, jti: String, code: &str, why: &str) {
        self.refused.insert(jti, json!({ "err": code, "description": why }));
    }

    fn question(&self) -> Result<Request<Full<Bytes>>, Refusal> {
        let question = json!({
            "maxEvents": EVENTS_MAX,
            "returnImmediately": false,
            "ack": self.taken,
            "setErrs": self.refused,
        });
        let token = self.token.resolve()?;
        let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
        let mut value = value
            .map_err(|_| Refusal::new(Reason::CredentialUnavailable, "the token fits no header"))?;
        value.set_sensitive(true);
        Request::post(self.url.as_str())
            .header(header::AUTHORIZATION, value)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(question.to_string().into()))
            .map_err(|error| unavailable(error.to_string()))
    }
}

/// Reads an answer (RFC 8936 §2.4).
///
/// # Errors
/// [`Reason::IssuerUnavailable`] for one that can't be read, none of which is taken.
pub fn read(answer: &[u8]) -> Result<Vec<Told>, Refusal> {
    let document = Document::strict(answer, JSON_LIMITS);
    let document = document.map_err(|fault| unavailable(fault.to_string()))?;
    let sets = document.root().get("sets").map(|sets| sets.to_value());
    let Some(Value::Object(sets)) = sets else {
        return Err(unavailable("its answer has no `sets`".to_owned()));
    };
    if sets.len() > EVENTS_MAX {
        return Err(unavailable(format!("it tells more than {EVENTS_MAX} events at once")));
    }
    let told = sets.into_iter().map(|(jti, statement)| match statement {
        Value::String(statement) => Ok(Told { jti, statement: statement.into() }),
        _ => Err(unavailable("an event is no text".to_owned())),
    });
    told.collect()
}

fn unavailable(what: String) -> Refusal {
    Refusal::new(Reason::IssuerUnavailable, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        // RFC 8936 §2.4, figure 5, with its statements cut short.
        let two = br#"{"sets":{
            "4d3559ec67504aaba65d40b0363faad8":"eyJhbGciOiJub25lIn0.eyJqdGkiOiI0ZDMifQ.",
            "3d0c3cf797584bd193bd0fb1bd4e7d30":"eyJhbGciOiJub25lIn0.eyJqdGkiOiIzZDAifQ."}}"#;
        let told = read(two).unwrap();
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].jti, "4d3559ec67504aaba65d40b0363faad8");
        assert_eq!(read(br#"{"sets":{},"moreAvailable":false}"#).unwrap(), []);
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"sets":[]}"#,
            r#"{"sets":{"a":1}}"#,
            r#"{"sets":{"a":"x"},"sets":{}}"#,
            r#"{"sets":{"a":"x","a":"y"}}"#,
        ] {
            let refusal = read(wrong.as_bytes()).unwrap_err();
            assert_eq!(refusal.reason, Reason::IssuerUnavailable, "{wrong}");
        }
        let many: Vec<String> = (0..51).map(|n| format!(r#""{n}":"x""#)).collect();
        assert!(read(format!(r#"{{"sets":{{{}}}}}"#, many.join(",")).as_bytes()).is_err());
    }
}
