//! Slack: a message with buttons in a channel, changed once the question is decided, and what an app
//! says to the one who clicked. It speaks the Web API at the configured place and nowhere else: a
//! `response_url` that a request names is never called.
//!
//! Who clicked, and whether that counts, is decided elsewhere; here is only whether a request comes
//! from Slack, and which identity the operator gave a member.

mod blocks;
mod signature;

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::HeaderMap;
use lockgate_model::{Approval, Person, Timestamp};
use serde_json::{Value, json};

pub use self::{blocks::escape, signature::SignatureFault};
use super::settings::{PersonName, SlackSecrets, SlackSettings};
use crate::deliver::{DeliverFault, Http};

/// Faults of Slack's that pass by themselves ("Rate limits" and each method's "Errors").
const PASSING: [&str; 6] = [
    "fatal_error",
    "internal_error",
    "ratelimited",
    "rate_limited",
    "request_timeout",
    "service_unavailable",
];
/// Most characters of what names a message, and of a fault.
const NAME_MAX_CHARS: usize = 64;

/// One app in one channel of one workspace.
pub struct Slack {
    http: Http,
    key: hmac::Key,
    team: String,
    channel: String,
    people: std::collections::BTreeMap<String, PersonName>,
}

impl Slack {
    /// Dials nothing yet.
    ///
    /// # Errors
    /// [`DeliverFault::Setting`].
    pub fn new(settings: &SlackSettings, secrets: SlackSecrets) -> Result<Self, DeliverFault> {
        let SlackSecrets { token, key } = secrets;
        Ok(Self {
            http: Http::new(&settings.receiver()?, token)?,
            key,
            team: settings.team.clone(),
            channel: settings.channel.clone(),
            people: settings.people.clone(),
        })
    }

    /// Whether Slack signed this request for this app, at most five minutes from `now`.
    ///
    /// # Errors
    /// [`SignatureFault`]
    pub fn verify(
        &self,
        timestamp: &str,
        signature: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), SignatureFault> {
        signature::verify(&self.key, timestamp, signature, body, now)
    }

    /// Whether questions are asked in this channel of this app's.
    pub fn is_in(&self, channel: &str) -> bool {
        self.channel == channel
    }

    /// Whom the operator says that a member is. Members of other workspaces are nobody.
    pub fn person(&self, team: &str, member: &str) -> Option<&Person> {
        let known = self.people.get(member).filter(|_| self.team == team);
        known.map(|PersonName(person)| person)
    }

    /// Says something that only `member` sees (`chat.postEphemeral`). `text` is Slack's mrkdwn.
    ///
    /// # Errors
    /// [`DeliverFault::Later`], [`DeliverFault::Wait`] and [`DeliverFault::Never`].
    pub async fn whisper(&self, member: &str, text: &str) -> Result<(), DeliverFault> {
        let body = json!({ "channel": self.channel, "user": member, "text": text });
        self.call("chat.postEphemeral", &body).await.map(drop)
    }

    /// Asks whoever clicked why they reject it (`views.open`). `about` comes back with the reason.
    ///
    /// # Errors
    /// As [`Slack::whisper`].
    pub async fn ask_reason(&self, trigger: &str, about: &str) -> Result<(), DeliverFault> {
        let view = blocks::modal(about, &self.channel);
        self.call("views.open", &json!({ "trigger_id": trigger, "view": view })).await.map(drop)
    }

    /// Asks in the channel; gives what finds the message again. Slack knows no key by which it would
    /// take a message once: what was sent and not answered is sent again.
    pub(super) async fn post(
        &self,
        approval: &Approval,
        link: Option<&str>,
    ) -> Result<String, DeliverFault> {
        let body = blocks::question(approval, link, &self.channel, !self.people.is_empty());
        let answer = self.call("chat.postMessage", &body).await?;
        let found = answer.get("ts").and_then(Value::as_str).filter(|ts| ts.len() < NAME_MAX_CHARS);
        Ok(found.unwrap_or_default().to_owned())
    }

    /// Takes the buttons away and says how it ended. A message that is gone, or can't be changed, is
    /// let be: its buttons do nothing any more.
    pub(super) async fn update(&self, approval: &Approval, ts: &str) -> Result<(), DeliverFault> {
        match self.call("chat.update", &blocks::ended(approval, &self.channel, ts)).await {
            Err(fault @ DeliverFault::Never(_)) => {
                tracing::warn!(approval = approval.id, %fault, "its message in Slack stays as it is");
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// One method of the Web API. What failed is told with status 200 as well.
    async fn call(&self, method: &str, body: &Value) -> Result<Value, DeliverFault> {
        let media_type = "application/json; charset=utf-8";
        let body = Bytes::from(body.to_string());
        let answer = self.http.ask(method, media_type, HeaderMap::new(), body).await?;
        answer.judge()?;
        let unread = || answer.later(format!("{method}: the answer can't be read"));
        let said: Value = serde_json::from_slice(answer.body.as_deref().ok_or_else(unread)?)
            .map_err(|_| unread())?;
        if said.get("ok") == Some(&Value::Bool(true)) {
            return Ok(said);
        }
        let error = said.get("error").and_then(Value::as_str).unwrap_or_default();
        let plain = error.len() <= NAME_MAX_CHARS
            && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let why = format!("{method}: {}", if plain { error } else { "an unknown error" });
        Err(if PASSING.contains(&error) { answer.later(why) } else { DeliverFault::Never(why) })
    }
}
