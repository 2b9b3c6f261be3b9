//! The right to read recorded content once, which only a record of the look can make.

use std::sync::Arc;

use http::Uri;
use lockgate_model::{Event, ViewedEvent};
use lockgate_store::{index::Index, journal::JournalFault};

use crate::{
    console::Console,
    gate::{Auditor, Caller},
    problem::{Code, Problem},
    recording::Recording,
};

/// Bytes of a request that stand in its record.
const DETAIL_MAX_BYTES: usize = 512;

/// How somebody looks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Show,
    Replay,
    Tail,
    Search,
    Export,
}

/// A look that is on the record. Index and journal are read through it alone.
pub(crate) struct Look(Caller);

impl Look {
    /// Records that `auditor` is about to see what `uri` asks for.
    ///
    /// # Errors
    /// [`Code::JournalUnavailable`]: what can't be recorded is not shown.
    pub(crate) async fn record(
        auditor: Auditor,
        how: How,
        session: Option<&str>,
        uri: &Uri,
    ) -> Result<Self, Problem> {
        let Auditor(caller) = auditor;
        let viewed = ViewedEvent {
            by: caller.by(),
            how: how.word().to_owned(),
            viewed: session.map(ToOwned::to_owned),
            detail: detail(uri),
        };
        append(caller.console(), Event::Viewed(viewed)).await?;
        Ok(Self(caller))
    }

    pub(crate) fn index(&self) -> &Index {
        &self.0.console().edge.index
    }

    pub(crate) fn recording(&self) -> &Recording {
        &self.0.console().recording
    }

    /// This node's name.
    pub(crate) fn node(&self) -> &str {
        &self.0.console().edge.node
    }

    /// Whose look it is.
    pub(crate) fn caller(&self) -> &Caller {
        &self.0
    }
}

impl How {
    const fn word(self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Replay => "replay",
            Self::Tail => "tail",
            Self::Search => "search",
            Self::Export => "export",
        }
    }
}

/// Puts `event` on the record, durably, and gives its sequence number.
///
/// # Errors
/// [`Code::JournalUnavailable`]
pub(crate) async fn append(console: &Arc<Console>, event: Event) -> Result<u64, Problem> {
    (console.edge.keeper.append)(event).await.map_err(|fault| unavailable(&fault))
}

/// What can't be recorded.
pub(crate) fn unavailable(fault: &JournalFault) -> Problem {
    tracing::error!(%fault, "a look or a change can't be recorded");
    Code::JournalUnavailable.into()
}

/// The request as it was spelled, which is percent-encoded and so inert.
pub(crate) fn detail(uri: &Uri) -> String {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    let inert = target.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' });
    inert.take(DETAIL_MAX_BYTES).collect()
}
