//! Upstreams that are programs: started from the configuration alone, spoken to over their standard
//! input and output, one line a message.
//!
//! In the legacy era each session has a process of its own, started by `initialize` and ended with
//! the session. In the modern era, which has no sessions, all clients share one process, and the
//! gateway gives every request an id of its own there. Nothing here decides, and nothing that a
//! client sends reaches a command line or an environment.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use lockgate_mcp::{
    headers::SESSION_ID,
    message::{self, Body, Message},
};
use lockgate_model::{ConnectionName, Era, Limits, Reason, Refusal};

use self::{
    child::{Child, Host, Kind},
    exchange::exchange,
    queue::queue,
};
use super::{Answer, EventStream, Outgoing, SessionKey, Verb};
use crate::{clearance::Clearance, clock, pin::Stale, settings::StdioSettings, vault::Vault};

mod backoff;
mod child;
pub mod command;
mod confine;
mod exchange;
pub mod launcher;
mod log;
mod output;
mod process;
mod queue;
mod remap;
mod router;
pub mod sandbox;

pub use exchange::Events;
pub use launcher::Launcher;

/// One upstream that is run as child processes.
pub struct StdioUpstream {
    host: Arc<Host>,
    sessions: Arc<Mutex<Sessions>>,
    /// The process that all modern clients share. The lock makes its start happen once.
    shared: tokio::sync::Mutex<Option<Arc<Child>>>,
}

type Sessions = HashMap<SessionKey, Arc<Child>>;

impl StdioUpstream {
    /// An upstream without any process yet. `stale` is marked when a child tells that its
    /// definitions changed.
    ///
    /// # Errors
    /// [`Reason::ChildUnavailable`] where the command is not one that may be run, or this machine
    /// can't bound it as the settings say.
    pub fn new(
        connection: ConnectionName,
        settings: StdioSettings,
        limits: Limits,
        launcher: Launcher,
        stale: Stale,
        vault: Arc<Vault>,
    ) -> Result<Self, Refusal> {
        command::check(&settings.command)?;
        sandbox::check(&launcher, &settings)?;
        if let Some(warning) = sandbox::warning(&settings) {
            tracing::warn!(%connection, "{warning}");
        }
        let host = Host::new(connection, settings, limits, launcher, stale, vault);
        Ok(Self { host: Arc::new(host), sessions: Arc::default(), shared: Default::default() })
    }

    /// Sends one message, once, starting a process where the message needs one.
    ///
    /// # Errors
    /// A refusal of the send stage. An unknown session is no refusal but an answer, 404, as from
    /// an upstream over HTTP.
    pub async fn send(&self, clearance: Clearance, outgoing: Outgoing) -> Result<Answer, Refusal> {
        // Sending uses the clearance up.
        drop(clearance);
        match (outgoing.era, outgoing.verb) {
            (Era::Modern, Verb::Post) => {
                let child = self.shared().await?;
                exchange(&child, Era::Modern, &outgoing.body).await
            }
            (Era::Modern, Verb::Get | Verb::Delete) => Ok(empty(StatusCode::METHOD_NOT_ALLOWED)),
            (Era::Legacy, verb) => self.send_legacy(verb, outgoing).await,
        }
    }

    async fn send_legacy(&self, verb: Verb, outgoing: Outgoing) -> Result<Answer, Refusal> {
        let Some(key) = &outgoing.session else {
            return match verb {
                Verb::Post => self.begin(outgoing).await,
                Verb::Get | Verb::Delete => Ok(empty(StatusCode::BAD_REQUEST)),
            };
        };
        let child = match verb {
            Verb::Delete => self.sessions().remove(key),
            Verb::Get | Verb::Post => self.sessions().get(key).map(Arc::clone),
        };
        let Some(child) = child else { return Ok(empty(StatusCode::NOT_FOUND)) };
        match verb {
            Verb::Post => exchange(&child, Era::Legacy, &outgoing.body).await,
            Verb::Get => Ok(listen(&child)),
            Verb::Delete => {
                child.stop();
                Ok(empty(StatusCode::OK))
            }
        }
    }

    /// Ends every process and waits until all are gone, at most 5 s.
    pub async fn shutdown(&self) {
        let mut children: Vec<_> = self.sessions().drain().map(|(_, child)| child).collect();
        children.extend(self.shared.lock().await.take());
        for child in &children {
            child.stop();
        }
        let all_gone = async {
            for child in &children {
                child.ended().await;
            }
        };
        drop(tokio::time::timeout(Duration::from_secs(5), all_gone).await);
    }

    /// What ended processes wrote to their standard error last, without their secrets.
    pub async fn last_words(&self) -> Vec<String> {
        self.host.last_words.of_the_ended().await
    }

    /// Ends the shared process of an upstream that turned out not to know the modern era.
    pub(super) async fn retire_shared(&self) {
        if let Some(child) = self.shared.lock().await.take() {
            child.stop();
        }
    }

    /// Starts the process of a new session with its `initialize`.
    async fn begin(&self, outgoing: Outgoing) -> Result<Answer, Refusal> {
        let initializes = matches!(
            message::parse_client(&outgoing.body, self.host.json_limits())?,
            Body::One(Message::Request(request)) if request.method == "initialize"
        );
        if !initializes {
            return Ok(empty(StatusCode::BAD_REQUEST));
        }
        let id = clock::random_id()?;
        let key = SessionKey::new(&id)?;
        let sessions = Arc::clone(&self.sessions);
        let ended_key = key.clone();
        let forget = move || {
            sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&ended_key);
        };
        let child = Child::start(&self.host, Kind::Own, forget).await?;
        // Where the handshake fails, or its client goes away, nobody will ever end the session.
        let mut unclaimed = Unclaimed(Some(Arc::clone(&child)));
        let mut answer = exchange(&child, Era::Legacy, &outgoing.body).await?;
        let headers = match &mut answer {
            Answer::Json { headers, body, .. } if succeeded(body, &self.host) => headers,
            Answer::Stream { headers, .. } => headers,
            _ => return Ok(answer),
        };
        let value = HeaderValue::from_str(&id)
            .map_err(|_| Refusal::new(Reason::Internal, "a session id that fits no header"))?;
        headers.insert(SESSION_ID, value);
        self.sessions().insert(key, child);
        unclaimed.0 = None;
        Ok(answer)
    }

    async fn shared(&self) -> Result<Arc<Child>, Refusal> {
        let mut shared = self.shared.lock().await;
        if let Some(child) = shared.as_ref().filter(|child| child.is_alive()) {
            return Ok(Arc::clone(child));
        }
        let child = Child::start(&self.host, Kind::Shared, || {}).await?;
        *shared = Some(Arc::clone(&child));
        Ok(child)
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StdioUpstream {
    fn drop(&mut self) {
        for (_, child) in self.sessions().drain() {
            child.stop();
        }
        if let Some(child) = self.shared.get_mut().take() {
            child.stop();
        }
    }
}

/// A child whose session does not exist yet.
struct Unclaimed(Option<Arc<Child>>);

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(child) = &self.0 {
            child.stop();
        }
    }
}

fn succeeded(body: &[u8], host: &Host) -> bool {
    matches!(
        message::parse_server(body, host.json_limits()),
        Ok(Body::One(Message::Response(response))) if response.result().is_some()
    )
}

fn listen(child: &Arc<Child>) -> Answer {
    let (outlet, inlet) = queue(child.queue_max_bytes());
    child.router.listen(outlet);
    stream(Events::session(inlet, child))
}

fn empty(status: StatusCode) -> Answer {
    Answer::Empty { status, headers: HeaderMap::new() }
}

fn json(status: StatusCode, body: bytes::Bytes) -> Answer {
    let headers = typed("application/json");
    Answer::Json { status, headers, body }
}

fn stream(events: Events) -> Answer {
    let headers = typed("text/event-stream");
    Answer::Stream { status: StatusCode::OK, headers, events: EventStream::Stdio(Box::new(events)) }
}

fn typed(media_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))])
}
