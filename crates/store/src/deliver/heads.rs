//! Signed tree heads on their way out. A later head covers an earlier one, so a receiver that was
//! down gets the newest, and nothing is kept for it.

use lockgate_model::{Digest, Timestamp};
use serde_json::json;
use tokio::{sync::watch, time::sleep};

use super::{
    DeliverFault,
    backoff::Backoff,
    http::Http,
    message::Message,
    secret::Headers,
    settings::HeadSettings,
    sink::{Appended, Sink},
    syslog::Syslog,
    worker::{SinkState, failing},
};

/// A signed tree head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Records that it covers.
    pub size: u64,
    /// When it was signed.
    pub time: Timestamp,
    /// The signed note, byte for byte.
    pub text: String,
}

/// One receiver of heads. Run it in a task of its own.
pub struct HeadDelivery {
    name: &'static str,
    sink: Sink,
    state: watch::Sender<SinkState>,
}

impl HeadDelivery {
    /// `node` is this gateway's name; `headers` are the resolved ones of an HTTP receiver.
    ///
    /// # Errors
    /// [`DeliverFault::Setting`], and [`DeliverFault::Io`] where the file can't be opened.
    pub fn new(
        settings: &HeadSettings,
        headers: Headers,
        node: &str,
    ) -> Result<Self, DeliverFault> {
        let (name, sink) = match settings {
            HeadSettings::File(path) => ("heads-file", Sink::File(Appended::open(path)?)),
            HeadSettings::Syslog(to) => {
                ("heads-syslog", Sink::Syslog(Box::new(Syslog::new(to, node)?)))
            }
            HeadSettings::Http(to) => ("heads-http", Sink::Http(Box::new(Http::new(to, headers)?))),
        };
        Ok(Self { name, sink, state: watch::Sender::new(SinkState::default()) })
    }

    /// How it is doing, for readiness and metrics; `sent_seq` is the size of the last head.
    pub fn state(&self) -> watch::Receiver<SinkState> {
        self.state.subscribe()
    }

    /// Delivers each head that `heads` shows, the newest first, until the sender is gone or the
    /// receiver refuses for good.
    pub async fn run(self, mut heads: watch::Receiver<Option<Head>>) {
        let mut backoff = Backoff::new();
        loop {
            let head = heads.borrow_and_update().clone();
            let Some(head) = head else {
                if heads.changed().await.is_err() {
                    return;
                }
                continue;
            };
            match self.sink.send(&[self.message(&head)]).await {
                Ok(()) => {
                    let state = SinkState { sent_seq: head.size, ..SinkState::default() };
                    self.state.send_replace(state);
                    backoff.reset();
                    if heads.changed().await.is_err() {
                        return;
                    }
                }
                Err(fault @ DeliverFault::Never(_)) => {
                    tracing::error!(sink = self.name, %fault, "heads are no longer delivered");
                    self.state.send_modify(|state| {
                        state.failing = Some(fault.to_string().into());
                        state.stopped = true;
                    });
                    return;
                }
                Err(fault) => {
                    failing(self.name, &self.state, &fault);
                    sleep(backoff.next()).await;
                }
            }
        }
    }

    /// A file holds the notes as they are, an empty line behind each; elsewhere each is one line of
    /// JSON.
    fn message(&self, head: &Head) -> Message {
        let text = match self.sink {
            Sink::File(_) => head.text.clone(),
            _ => json!({ "size": head.size, "head": head.text }).to_string(),
        };
        Message {
            seq: head.size,
            time: head.time,
            hash: Digest::from_bytes([0; 32]),
            kind: "head",
            grave: false,
            subject: None,
            connection: None,
            text,
        }
    }
}
