//! The gateway's own look at an upstream: which era it speaks, what it says about itself, and every
//! tool and prompt that it offers to the gateway's credential.
//!
//! Its requests are recorded and cleared like a client's, in the name of the gateway. It decides
//! nothing: what was found is compared and accepted by the pins.

use std::{sync::Arc, time::Duration};

use ::http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE},
};
use bytes::Bytes;
use lockgate_mcp::{
    definition::{self, Definition, Kind},
    headers,
    json::{JsonLimits, Node},
    message::{self, Body, Message, Response},
    request,
};
use lockgate_model::{
    ConnectionName, Digest, Era, Event, IntentEvent, Limits, OutcomeEvent, OutcomeStatus, Reason,
    Refusal, RequestId, Revision, Verdict,
};
use lockgate_store::{
    journal::Journal,
    pins::{Pin, PinKind, Pins},
};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout};

use super::{Answer, EventStream, Outgoing, SessionKey, Upstream, Verb};
use crate::{
    clearance::{Clearance, Entry},
    clock,
    pin::pin_instructions,
    settings::EraSetting,
    stage::arm::Credential,
};

/// The name under which the gateway's own calls stand in the record.
const ISSUER: &str = "lockgate";
const SUBJECT: &str = "catalogue";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A server that does not know `server/discover` may say nothing at all.
const PROBE_WAIT: Duration = Duration::from_secs(5);
/// The whole listing, all pages.
const LISTING_WAIT: Duration = Duration::from_secs(60);
const PAGES_MAX: usize = 200;
const DEFINITIONS_MAX: usize = 10_000;

/// What one upstream offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalogue {
    /// The era in which it was listed.
    pub era: Era,
    /// The revision that was agreed on, as the server spells it.
    pub revision: String,
    /// What the server calls itself; empty where it doesn't say.
    pub server: String,
    /// What the server says to the model about itself.
    pub instructions: Option<String>,
    /// Tools and prompts in the server's order; one of each kind and name.
    pub definitions: Vec<Definition>,
}

/// Lists one upstream.
pub struct Lister {
    connection: ConnectionName,
    upstream: Arc<Upstream>,
    credential: Credential,
    era: EraSetting,
    limits: Limits,
    journal: Arc<Journal>,
}

/// What the first answer of either era tells.
struct Greeting {
    era: Era,
    revision: String,
    server: String,
    instructions: Option<String>,
    kinds: Vec<Kind>,
    session: Option<SessionKey>,
}

/// One request on its way.
struct Question {
    era: Era,
    verb: Verb,
    method: &'static str,
    body: Vec<u8>,
    revision: String,
    session: Option<SessionKey>,
}

impl Catalogue {
    /// What pins compare and keep of it.
    pub fn pins(&self) -> Pins {
        let pin = |definition: &Definition| {
            let kind = match definition.kind {
                Kind::Tool => PinKind::Tool,
                Kind::Prompt => PinKind::Prompt,
                Kind::Resource | Kind::Template => return None,
            };
            Some(Pin {
                kind,
                name: definition.name.clone(),
                digest: definition.digest,
                definition: definition.value.clone(),
            })
        };
        Pins {
            instructions: self.instructions.as_deref().and_then(pin_instructions),
            definitions: self.definitions.iter().filter_map(pin).collect(),
        }
    }
}

impl Lister {
    /// A lister for `upstream`, which gets `credential` as it gets it with a client's calls.
    pub fn new(
        connection: ConnectionName,
        upstream: Arc<Upstream>,
        credential: Credential,
        era: EraSetting,
        limits: Limits,
        journal: Arc<Journal>,
    ) -> Self {
        Self { connection, upstream, credential, era, limits, journal }
    }

    /// The connection whose upstream it lists.
    pub const fn connection(&self) -> &ConnectionName {
        &self.connection
    }

    /// Lists everything, within bounds of pages, size and time.
    ///
    /// # Errors
    /// A refusal of the record or send stage, or [`Reason::UpstreamInvalid`] where the upstream's
    /// answers are no catalogue.
    pub async fn list(&self) -> Result<Catalogue, Refusal> {
        let slow = |_| Refusal::new(Reason::UpstreamTimeout, "the listing took too long");
        timeout(LISTING_WAIT, self.greet_and_list()).await.map_err(slow)?
    }

    async fn greet_and_list(&self) -> Result<Catalogue, Refusal> {
        let greeting = self.greet().await?;
        let definitions = self.definitions(&greeting).await;
        if greeting.session.is_some() {
            // The listing stands, whether or not the server lets its session be ended.
            let end = greeting.question(Verb::Delete, "session/delete", Vec::new());
            drop(self.send(end).await);
        }
        let Greeting { era, revision, server, instructions, .. } = greeting;
        Ok(Catalogue { era, revision, server, instructions, definitions: definitions? })
    }

    /// Asks in the modern era first. A legacy server answers that with any error or not at all.
    async fn greet(&self) -> Result<Greeting, Refusal> {
        if self.era == EraSetting::Legacy {
            return self.initialize().await;
        }
        let probe = timeout(PROBE_WAIT, self.discover()).await;
        match probe {
            Ok(Ok(greeting)) => return Ok(greeting),
            Ok(Err(refusal)) if self.era == EraSetting::Modern || !may_be_legacy(&refusal) => {
                return Err(refusal);
            }
            Err(_) if self.era == EraSetting::Modern => {
                return Err(Refusal::new(Reason::UpstreamTimeout, "no answer to server/discover"));
            }
            Ok(Err(_)) | Err(_) => {}
        }
        self.upstream.retire_probe().await;
        self.initialize().await
    }

    async fn discover(&self) -> Result<Greeting, Refusal> {
        let id = RequestId::Number(1);
        let question = Question {
            era: Era::Modern,
            verb: Verb::Post,
            method: "server/discover",
            body: request::discover(&id, VERSION),
            revision: Revision::V2026_07_28.as_str().to_owned(),
            session: None,
        };
        let revision = question.revision.clone();
        let (answer, _) = self.ask(question, &id).await?;
        let response = response(&answer, self.json_limits())?;
        let result = result(&response)?;
        let versions = result.get("supportedVersions");
        let supported = versions.is_some_and(|versions| {
            versions.children().any(|version| version.text().as_deref() == Some(&*revision))
        });
        if !supported {
            return Err(Refusal::new(Reason::UpstreamInvalid, "no modern revision in common"));
        }
        let info =
            result.get("_meta").and_then(|meta| meta.get("io.modelcontextprotocol/serverInfo"));
        Ok(Greeting::read(Era::Modern, revision, result, info, None))
    }

    async fn initialize(&self) -> Result<Greeting, Refusal> {
        let id = RequestId::Number(1);
        let question = Question {
            era: Era::Legacy,
            verb: Verb::Post,
            method: "initialize",
            body: request::initialize(&id, VERSION),
            revision: String::new(),
            session: None,
        };
        let (answer, headers) = self.ask(question, &id).await?;
        let response = response(&answer, self.json_limits())?;
        let result = result(&response)?;
        let revision = result.get("protocolVersion").and_then(|version| version.text());
        let revision = revision.filter(|revision| Revision::parse(revision).is_some());
        let Some(revision) = revision else {
            return Err(Refusal::new(Reason::UpstreamInvalid, "no legacy revision in common"));
        };
        let session = headers.get(headers::SESSION_ID).and_then(|id| id.to_str().ok());
        let session = session.map(SessionKey::new).transpose()?;
        let info = result.get("serverInfo");
        let greeting = Greeting::read(Era::Legacy, revision.into_owned(), result, info, session);
        let done =
            greeting.question(Verb::Post, "notifications/initialized", request::initialized());
        self.send(done).await?;
        Ok(greeting)
    }

    async fn definitions(&self, greeting: &Greeting) -> Result<Vec<Definition>, Refusal> {
        let mut definitions = Vec::new();
        let mut pages = 0;
        let mut bytes = 0;
        for &kind in &greeting.kinds {
            let mut cursor = None;
            loop {
                pages += 1;
                let id = RequestId::Number(1 + pages);
                let body = request::list(&id, greeting.era, kind, cursor.as_deref(), VERSION);
                let question = greeting.question(Verb::Post, kind.list_method(), body);
                let (answer, _) = self.ask(question, &id).await?;
                bytes += answer.len();
                let page = definition::read_page(&answer, kind, self.json_limits())?;
                for rejected in page.rejected {
                    tracing::warn!(connection = %self.connection, ?rejected, "definition set aside");
                }
                definitions.extend(page.definitions);
                let over = pages as usize >= PAGES_MAX
                    || definitions.len() > DEFINITIONS_MAX
                    || bytes > self.limits.answer_max_bytes as usize;
                match page.next_cursor {
                    None => break,
                    Some(_) if over => {
                        let detail = "the catalogue is larger than the limits";
                        return Err(Refusal::new(Reason::UpstreamTooLarge, detail));
                    }
                    next => cursor = next,
                }
            }
        }
        for twin in definition::set_twins_aside(&mut definitions) {
            tracing::warn!(connection = %self.connection, rejected = ?twin, "definition set aside");
        }
        Ok(definitions)
    }

    /// Sends a question and waits for its response; what else comes first is not for the gateway.
    async fn ask(&self, question: Question, id: &RequestId) -> Result<(Bytes, HeaderMap), Refusal> {
        let answer = self.send(question).await?;
        match answer {
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
    async fn send(&self, question: Question) -> Result<Answer, Refusal> {
        let began = Instant::now();
        let clearance = self.clearance(&question).await?;
        let call = clearance.call().to_string();
        let outcome = match self.outgoing(question) {
            Ok(outgoing) => self.upstream.send(clearance, outgoing).await,
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
        let event =
            OutcomeEvent { call, status, reason, elapsed_us, bytes, body_digest: None, body: None };
        self.journal
            .append(clock::now(), &Event::Outcome(Box::new(event)))
            .map_err(|fault| Refusal::new(Reason::JournalUnavailable, fault.to_string()))?;
        outcome
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
            connection: self.connection.to_string(),
            session: None,
            era: question.era,
            id: None,
            method: question.method.to_owned(),
            action: "protocol".to_owned(),
            target: String::new(),
            arguments: serde_json::Value::Null,
            arguments_digest: none,
            body_digest: Digest::from_bytes(Sha256::digest(&question.body).into()),
            definition: None,
            verdict: Verdict::Allow { policies: Vec::new() },
            snapshot: none,
        };
        Entry::record(&self.journal, clock::now(), intent).await?.clear()
    }

    fn outgoing(&self, question: Question) -> Result<Outgoing, Refusal> {
        let Question { era, verb, method, body, revision, session } = question;
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
        self.credential.arm(&mut headers)?;
        Ok(Outgoing { era, verb, headers, body: body.into(), session })
    }

    fn json_limits(&self) -> JsonLimits {
        JsonLimits::from(&self.limits)
    }
}

impl Greeting {
    fn read(
        era: Era,
        revision: String,
        result: Node<'_, '_>,
        info: Option<Node<'_, '_>>,
        session: Option<SessionKey>,
    ) -> Self {
        let capabilities = result.get("capabilities");
        let offers = |key: &str| capabilities.and_then(|offered| offered.get(key)).is_some();
        let kinds = [(Kind::Tool, "tools"), (Kind::Prompt, "prompts")];
        Self {
            era,
            revision,
            server: text(info.and_then(|info| info.get("name"))).unwrap_or_default(),
            instructions: text(result.get("instructions")),
            kinds: kinds.into_iter().filter(|(_, key)| offers(key)).map(|(kind, _)| kind).collect(),
            session,
        }
    }

    fn question(&self, verb: Verb, method: &'static str, body: Vec<u8>) -> Question {
        Question {
            era: self.era,
            verb,
            method,
            body,
            revision: self.revision.clone(),
            session: self.session.clone(),
        }
    }
}

fn text(node: Option<Node<'_, '_>>) -> Option<String> {
    node?.text().map(std::borrow::Cow::into_owned)
}

/// Whether a failed probe may come from a server of the other era; nothing else is asked twice.
fn may_be_legacy(refusal: &Refusal) -> bool {
    matches!(
        refusal.reason,
        Reason::UpstreamInvalid
            | Reason::UpstreamEnded
            | Reason::UpstreamTimeout
            | Reason::UpstreamTooLarge
    )
}

/// What the gateway itself was told: read as strictly as what clients send.
fn response(answer: &[u8], limits: JsonLimits) -> Result<Response<'_>, Refusal> {
    match message::parse_client(answer, limits).map_err(lockgate_mcp::Fault::from_upstream)? {
        Body::One(Message::Response(response)) => Ok(response),
        _ => Err(Refusal::new(Reason::UpstreamInvalid, "no response")),
    }
}

fn result<'d, 'a>(response: &'d Response<'a>) -> Result<Node<'d, 'a>, Refusal> {
    response.result().ok_or_else(|| Refusal::new(Reason::UpstreamInvalid, "an error"))
}
