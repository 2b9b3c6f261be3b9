//! One request of a listing: recorded and cleared in the gateway's own name, sent, and its outcome
//! recorded. It reads answers only as far as to find the one that was asked for.

use std::collections::BTreeMap;

use ::http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE},
};
use bytes::Bytes;
use lockgate_mcp::{
    headers,
    message::{self, Body, Message},
};
use lockgate_model::{
    Digest, Era, Event, IntentEvent, OutcomeEvent, OutcomeStatus, Person, Reason, Refusal,
    RequestId, Verdict,
};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::Lister;
use crate::{
    clearance::{Clearance, Entry},
    clock,
    stage::{arm::Whose, send::Way},
    upstream::{Answer, EventStream, Outgoing, SessionKey, Verb},
};

/// The name under which the gateway's own calls stand in the record.
const ISSUER: &str = "lockgate";
const SUBJECT: &str = "catalogue";

/// One request on its way.
pub(super) struct Question {
    pub(super) era: Era,
    pub(super) verb: Verb,
    pub(super) method: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) revision: String,
    pub(super) session: Option<SessionKey>,
    /// Whose it is, where it goes on with what a caller began.
    pub(super) caller: Option<Person>,
}

impl Lister {
    /// Sends a question and waits for its response; what else comes first is not for the gateway.
    pub(super) async fn ask(
        &self,
        question: Question,
        id: &RequestId,
    ) -> Result<(Bytes, HeaderMap), Refusal> {
        let answer = self.send(question).await?;
        match answer {
            // An error of the protocol may come with such a status; anything else is none of it.
            Answer::Json { status, body, .. }
                if !status.is_success() && super::response(&body, self.json_limits()).is_err() =>
            {
                Err(Refusal::new(Reason::UpstreamInvalid, format!("status {status}, no answer")))
            }
            Answer::Json { body, headers, .. } => Ok((body, headers)),
            Answer::Stream { events, headers, .. } => {
                Ok((self.response_of(events, id).await?, headers))
            }
            Answer::Empty { status, .. } => {
                Err(Refusal::new(Reason::UpstreamInvalid, format!("status {status}, no answer")))
            }
        }
    }

    async fn response_of(&self, mut events: EventStream, id: &RequestId) -> Result<Bytes, Refusal> {
        while let Some(event) = events.next().await {
            let event = event?;
            let Some(data) = event.message() else { continue };
            let body = message::parse_server(data, self.json_limits())?;
            if let Body::One(Message::Response(response)) = body
                && response.id.as_ref() == Some(id)
            {
                return Ok(Bytes::copy_from_slice(data));
            }
        }
        Err(Refusal::new(Reason::UpstreamEnded, "the stream ended without a response"))
    }

    /// Records, clears and sends one question, and records how it ended.
    pub(super) async fn send(&self, question: Question) -> Result<Answer, Refusal> {
        let began = Instant::now();
        let clearance = self.clearance(&question).await?;
        let caller = question.caller.clone();
        let call = clearance.call().to_string();
        let outcome = match self.outgoing(question).await {
            Ok(outgoing) => self.way(Whose::of(caller.as_ref())).send(clearance, outgoing).await,
            Err(refusal) => Err(refusal),
        };
        let elapsed_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (status, bytes) = match &outcome {
            Ok(Answer::Json { body, .. }) => (OutcomeStatus::Result, body.len() as u64),
            Ok(Answer::Stream { .. }) => (OutcomeStatus::Result, 0),
            Ok(Answer::Empty { .. }) => (OutcomeStatus::Accepted, 0),
            Err(_) => (OutcomeStatus::Failed, 0),
        };
        let reason = outcome.as_ref().err().map(|refusal| refusal.reason);
        let event = OutcomeEvent {
            call,
            session: None,
            status,
            reason,
            elapsed_us,
            bytes,
            body_digest: None,
            masked: BTreeMap::new(),
            body: None,
        };
        self.journal
            .append(clock::now(), &Event::Outcome(Box::new(event)))
            .map_err(|fault| Refusal::new(Reason::JournalUnavailable, fault.to_string()))?;
        outcome
    }

    fn way<'a>(&'a self, whose: Whose<'a>) -> Way<'a> {
        let Self { upstream, credential, journal, .. } = self;
        Way { upstream, credential, whose, journal, session: None }
    }

    async fn clearance(&self, question: &Question) -> Result<Clearance, Refusal> {
        // Neither a token, nor a Snapshot, nor arguments take part in the gateway's own calls.
        let none = Digest::from_bytes([0; 32]);
        let intent = IntentEvent {
            call: clock::random_id()?,
            trace: clock::random_id()?,
            peer: String::new(),
            issuer: ISSUER.to_owned(),
            subject: SUBJECT.to_owned(),
            client: None,
            groups: Vec::new(),
            token: none,
            token_issued_at: None,
            connection: self.connection.to_string(),
            session: None,
            mcp_session: None,
            era: question.era,
            id: None,
            method: question.method.to_owned(),
            action: "protocol".to_owned(),
            target: String::new(),
            arguments: serde_json::Value::Null,
            arguments_digest: none,
            body_digest: Digest::from_bytes(Sha256::digest(&question.body).into()),
            definition: None,
            restored: Vec::new(),
            facts: Vec::new(),
            verdict: Verdict::Allow { policies: Vec::new() },
            snapshot: none,
        };
        Entry::record(&self.journal, clock::now(), intent).await?.clear()
    }

    async fn outgoing(&self, question: Question) -> Result<Outgoing, Refusal> {
        let Question { era, verb, method, body, revision, session, caller } = question;
        let fits = |text: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| Refusal::new(Reason::UpstreamInvalid, "a value that fits no header"))
        };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if !revision.is_empty() {
            headers.insert(headers::PROTOCOL_VERSION, fits(&revision)?);
        }
        if era == Era::Modern {
            headers.insert(headers::METHOD, HeaderValue::from_static(method));
        }
        if let Some(session) = &session {
            headers.insert(headers::SESSION_ID, fits(session.as_str())?);
        }
        self.credential.arm(&mut headers, Whose::of(caller.as_ref())).await?;
        Ok(Outgoing { era, verb, headers, body: body.into(), session })
    }
}
