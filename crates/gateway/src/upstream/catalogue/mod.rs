//! The gateway's own look at an upstream: which era it speaks, what it says about itself, and every
//! tool and prompt that it offers to the gateway's credential.
//!
//! Its requests are recorded and cleared like a client's, in the name of the gateway. It decides
//! nothing: what was found is compared and accepted by the pins.

use std::{borrow::Cow, sync::Arc, time::Duration};

use lockgate_mcp::{
    Fault,
    definition::{self, Definition, Kind},
    headers,
    json::{JsonLimits, Node},
    message::{self, Body, Message, Response},
    request,
};
use lockgate_model::{ConnectionName, Era, Limits, Reason, Refusal, RequestId, Revision};
use lockgate_store::{
    journal::Journal,
    pins::{Pin, PinKind, Pins},
};
use tokio::time::timeout;

use self::ask::Question;
use super::{SessionKey, Upstream, Verb};
use crate::{
    pin::pin_instructions, session::Session, settings::EraSetting, stage::arm::Credential,
};

mod ask;

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
    /// The version of the server, as it says itself; empty where it doesn't.
    pub server_version: String,
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
    server_version: String,
    instructions: Option<String>,
    kinds: Vec<Kind>,
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

    /// Ends a session that nobody will come back to.
    ///
    /// # Errors
    /// A refusal of the record or send stage.
    pub async fn end_session(&self, session: &Session) -> Result<(), Refusal> {
        let end = Question {
            era: Era::Legacy,
            verb: Verb::Delete,
            method: "session/delete",
            body: Vec::new(),
            revision: session.revision.as_str().to_owned(),
            session: Some(session.key.clone()),
            caller: Some(session.person()),
        };
        self.send(end).await.map(drop)
    }

    /// Lists everything, within bounds of pages, size and time.
    ///
    /// # Errors
    /// A refusal of the record or send stage, or [`Reason::UpstreamInvalid`] where the upstream's
    /// answers are no catalogue; [`Reason::CredentialGrantMissing`] where no caller lets it look yet, of
    /// which nothing is on record.
    pub async fn list(&self) -> Result<Catalogue, Refusal> {
        self.credential.lets_look().await?;
        let greeting = self.greet().await?;
        let slow = |_| Refusal::new(Reason::UpstreamTimeout, "the listing took too long");
        let listed = timeout(LISTING_WAIT, self.definitions(&greeting)).await;
        if greeting.session.is_some() {
            // The listing stands, whether or not the server lets its session be ended.
            let end = greeting.question(Verb::Delete, "session/delete", Vec::new());
            drop(self.send(end).await);
        }
        let definitions = listed.map_err(slow)??;
        let Greeting { era, revision, server, server_version, instructions, .. } = greeting;
        Ok(Catalogue { era, revision, server, server_version, instructions, definitions })
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
            caller: None,
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
            caller: None,
        };
        let (answer, headers) = self.ask(question, &id).await?;
        let response = response(&answer, self.json_limits())?;
        let result = result(&response)?;
        let revision = result.get("protocolVersion").and_then(|version| version.text());
        let legacy = |text: &Cow<'_, str>| {
            Revision::parse(text).is_some_and(|revision| revision.era() == Era::Legacy)
        };
        let revision = revision.filter(legacy);
        let Some(revision) = revision else {
            return Err(Refusal::new(Reason::UpstreamInvalid, "no legacy revision in common"));
        };
        let session = headers.get(headers::SESSION_ID).and_then(|id| id.to_str().ok());
        let session = session.map(SessionKey::new).transpose()?;
        let info = result.get("serverInfo");
        Ok(Greeting::read(Era::Legacy, revision.into_owned(), result, info, session))
    }

    async fn definitions(&self, greeting: &Greeting) -> Result<Vec<Definition>, Refusal> {
        if greeting.era == Era::Legacy {
            let body = request::initialized();
            self.send(greeting.question(Verb::Post, "notifications/initialized", body)).await?;
        }
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
            server_version: text(info.and_then(|info| info.get("version"))).unwrap_or_default(),
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
            caller: None,
        }
    }
}

fn text(node: Option<Node<'_, '_>>) -> Option<String> {
    node?.text().map(Cow::into_owned)
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
    match message::parse_client(answer, limits).map_err(Fault::from_upstream)? {
        Body::One(Message::Response(response)) => Ok(response),
        _ => Err(Refusal::new(Reason::UpstreamInvalid, "no response")),
    }
}

fn result<'d, 'a>(response: &'d Response<'a>) -> Result<Node<'d, 'a>, Refusal> {
    response.result().ok_or_else(|| Refusal::new(Reason::UpstreamInvalid, "an error"))
}
