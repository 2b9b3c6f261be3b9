//! Events on their way to a SIEM: at least once and in order, from the journal itself.
//!
//! A sink's place in the recording is kept durably and moved only after its receiver has accepted
//! what stands before it, so that a crash repeats the events of one batch and loses none. Each sink
//! goes its own way: one that is down holds up neither the others nor the journal, which is only
//! read. Nothing here writes to the journal, and no message decides where it is sent.

mod backoff;
mod feed;
mod heads;
mod http;
mod message;
mod place;
mod secret;
mod settings;
mod sink;
mod source;
mod syslog;
mod worker;

use std::{io, path::PathBuf, time::Duration};

pub(crate) use backoff::Backoff;
pub use heads::{Head, HeadDelivery};
pub(crate) use http::Http;
pub use http::refusal;
pub use secret::{Headers, SecretFault};
pub use settings::{
    DeliverySettings, HeadSettings, HttpSettings, Payload, Receiver, Reference, SinkSettings,
    SyslogSettings, Transport,
};
pub use worker::{Delivery, SinkState};

use crate::journal::JournalFault;

/// Why a sink can't be set up, or an attempt failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverFault {
    /// The recording can't be read.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// A setting can't be used.
    #[error("{what}: {why}")]
    Setting {
        /// Which.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The operating system refused.
    #[error("can't {doing} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The file of a sink's place is not what this version writes.
    #[error("`{}` does not say where the sink stands: {why}; remove it to send everything again", path.display())]
    Place {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The receiver did not accept, and may later.
    #[error("not accepted: {0}")]
    Later(String),
    /// The receiver did not accept, and wants to be left alone for a time.
    #[error("not accepted: {why}; not before {} s", wait.as_secs())]
    Wait {
        /// What it said.
        why: String,
        /// For how long.
        wait: Duration,
    },
    /// The receiver will never accept this as it is set up.
    #[error("refused for good: {0}")]
    Never(String),
    /// An event can't be written as JSON.
    #[error("record {seq} can't be written as JSON: {source}")]
    Json {
        /// The record.
        seq: u64,
        /// What the writer said.
        source: serde_json::Error,
    },
}

impl DeliverFault {
    /// How long to wait at least before it is tried again.
    pub(crate) fn wait(&self) -> Duration {
        match self {
            Self::Wait { wait, .. } => *wait,
            _ => Duration::ZERO,
        }
    }

    fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
