//! Intents joined with their ends: one value a call, in memory that is bounded whatever the
//! recording holds.

use std::collections::{BTreeMap, HashMap};

use lockgate_model::{Digest, Event, IntentEvent, OutcomeEvent, Timestamp, Verdict};
use serde_json::value::RawValue;

use crate::journal::Record;

/// Calls that are open at once are remembered up to this size. In bytes.
const OPEN_MAX_BYTES: usize = 256 * 1024 * 1024;

/// What an open call takes besides its texts. In bytes.
const OVERHEAD_BYTES: usize = 1024;

/// One call, as far as its end is known.
#[derive(Debug)]
pub(crate) struct Call {
    /// The intent's record.
    pub(crate) seq: u64,
    pub(crate) time: Timestamp,
    pub(crate) hash: Digest,
    pub(crate) intent: IntentEvent,
    pub(crate) end: End,
    /// Messages of a stream that were read, and their bytes.
    pub(crate) messages: u64,
    pub(crate) message_bytes: u64,
    /// The last of them, which on a stream is the answer.
    last_message: Option<Box<RawValue>>,
    /// Memory that it takes.
    bytes: usize,
}

/// What is known of how a call ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Its outcome is on record.
    Recorded(Box<OutcomeEvent>),
    /// It was denied or held: nothing was forwarded, so there is nothing to wait for.
    NotForwarded,
    /// The records end before it does.
    Open,
    /// The process ended first: whether the call ran is not known.
    Unknown,
    /// Too many calls were open to wait for its end.
    Apart,
}

impl End {
    /// The word in rows and events.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Recorded(_) => "recorded",
            Self::NotForwarded => "not_forwarded",
            Self::Open => "open",
            Self::Unknown => "unknown",
            Self::Apart => "apart",
        }
    }
}

impl Call {
    pub(crate) fn outcome(&self) -> Option<&OutcomeEvent> {
        match &self.end {
            End::Recorded(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The answer as the client saw it: one document, or the last message of a stream.
    pub(crate) fn result(&self) -> Option<&RawValue> {
        let body = self.outcome()?.body.as_deref();
        body.or(self.last_message.as_deref())
    }

    /// Why it was denied, or did not end well, as the stable code.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        let denied = match &self.intent.verdict {
            Verdict::Deny(deny) => Some(deny.reason),
            _ => None,
        };
        denied.or_else(|| self.outcome()?.reason).map(|reason| reason.code())
    }

    /// About how much memory it takes.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of answer that the client saw; `None` where the end is not known.
    pub(crate) fn answer_bytes(&self) -> Option<u64> {
        Some(self.outcome()?.bytes.saturating_add(self.message_bytes))
    }
}

/// The calls that have begun and not ended.
#[derive(Debug)]
pub(crate) struct Calls {
    open: HashMap<String, Call>,
    /// Their ids in the order in which they began.
    order: BTreeMap<u64, String>,
    bytes: usize,
    bytes_max: usize,
}

impl Calls {
    pub(crate) fn new() -> Self {
        Self::bounded(OPEN_MAX_BYTES)
    }

    pub(super) fn bounded(bytes_max: usize) -> Self {
        Self { open: HashMap::new(), order: BTreeMap::new(), bytes: 0, bytes_max }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Record of the oldest call that is open.
    pub(crate) fn oldest_seq(&self) -> Option<u64> {
        self.order.first_key_value().map(|(seq, _)| *seq)
    }

    /// Takes the next event, and adds the calls that it ends to `ended`.
    pub(crate) fn take(&mut self, record: &Record, event: Event, ended: &mut Vec<Call>) {
        match event {
            // Nobody can record the end of a call that an earlier process began.
            Event::Started { .. } => self.end_all(ended, || End::Unknown),
            Event::Intent(intent) => self.begin(record, *intent, ended),
            Event::Message(message) => {
                if let Some(call) = self.open.get_mut(&message.call) {
                    call.messages += 1;
                    call.message_bytes = call.message_bytes.saturating_add(message.bytes);
                    let length = |body: &Option<Box<RawValue>>| {
                        body.as_ref().map_or(0, |body| body.get().len())
                    };
                    let (old, new) = (length(&call.last_message), length(&message.body));
                    call.bytes = call.bytes + new - old;
                    self.bytes = self.bytes + new - old;
                    call.last_message = message.body;
                }
            }
            Event::Outcome(outcome) => {
                if let Some(mut call) = self.remove(&outcome.call) {
                    call.bytes += outcome.body.as_ref().map_or(0, |body| body.get().len());
                    call.end = End::Recorded(outcome);
                    ended.push(call);
                }
            }
            _ => {}
        }
        self.keep_bound(ended);
    }

    /// Gives the calls whose end was never read.
    pub(crate) fn finish(&mut self, ended: &mut Vec<Call>) {
        self.end_all(ended, || End::Open);
    }

    fn begin(&mut self, record: &Record, intent: IntentEvent, ended: &mut Vec<Call>) {
        let text = record.event.as_ref().map_or(0, |event| event.get().len());
        let bytes = text + OVERHEAD_BYTES;
        let forwarded = intent.verdict.is_allow();
        let end = if forwarded { End::Open } else { End::NotForwarded };
        let id = intent.call.clone();
        let call = Call {
            seq: record.seq,
            time: record.time,
            hash: record.hash,
            intent,
            end,
            messages: 0,
            message_bytes: 0,
            last_message: None,
            bytes,
        };
        if !forwarded {
            ended.push(call);
            return;
        }
        // Ids are random; one that comes twice is two calls all the same.
        ended.extend(self.remove(&id));
        self.bytes += bytes;
        self.order.insert(call.seq, id.clone());
        self.open.insert(id, call);
    }

    fn remove(&mut self, id: &str) -> Option<Call> {
        let call = self.open.remove(id)?;
        self.order.remove(&call.seq);
        self.bytes -= call.bytes;
        Some(call)
    }

    fn keep_bound(&mut self, ended: &mut Vec<Call>) {
        while self.bytes > self.bytes_max {
            let Some((_, id)) = self.order.first_key_value() else { return };
            let id = id.clone();
            if let Some(mut call) = self.remove(&id) {
                call.end = End::Apart;
                ended.push(call);
            }
        }
    }

    fn end_all(&mut self, ended: &mut Vec<Call>, end: impl Fn() -> End) {
        while let Some((_, id)) = self.order.pop_first() {
            if let Some(mut call) = self.open.remove(&id) {
                call.end = end();
                ended.push(call);
            }
        }
        self.bytes = 0;
    }
}
