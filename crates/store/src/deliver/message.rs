//! One thing to deliver: a text, and what a transport says about it beside the text.

use lockgate_model::{Digest, Event, Timestamp, Verdict};

use super::{DeliverFault, settings::Payload};
use crate::{
    export::{Call, End, of_call, of_call_without_bodies, of_refusal},
    journal::Record,
};

/// One event for a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The record that gave rise to it; for a call the intent's.
    pub(super) seq: u64,
    pub(super) time: Timestamp,
    /// That record's hash; 64 zeros where it is no record.
    pub(super) hash: Digest,
    /// What it is, in one word of at most 32 characters.
    pub(super) kind: &'static str,
    /// Whether somebody was turned away.
    pub(super) grave: bool,
    /// Whom it is about.
    pub(super) subject: Option<String>,
    /// Where.
    pub(super) connection: Option<String>,
    /// One JSON document on one line.
    pub(super) text: String,
}

impl Message {
    /// A record as it stands in the journal; without its event where it is longer than `max`.
    pub(super) fn record(record: &Record, event: Option<&Event>, max: usize) -> Self {
        let mut text = record.line();
        if text.len() > max {
            let bytes = text.len();
            text = format!(
                r#"{{"seq":{},"time":{},"prev":"{}","hash":"{}","event":null,"left_out_bytes":{bytes}}}"#,
                record.seq,
                record.time.millis(),
                record.prev,
                record.hash
            );
        }
        let (kind, grave, subject, connection) = about(event);
        let (seq, time, hash) = (record.seq, record.time, record.hash);
        Self { seq, time, hash, kind, grave, subject, connection, text }
    }

    /// A call as OCSF.
    pub(super) fn call(call: &Call, max: usize) -> Result<Self, DeliverFault> {
        let json = |source| DeliverFault::Json { seq: call.seq, source };
        let mut text = of_call(call).map_err(json)?;
        if text.len() > max {
            text = of_call_without_bodies(call).map_err(json)?;
        }
        Ok(Self {
            seq: call.seq,
            time: call.time,
            hash: call.hash,
            kind: "call",
            grave: matches!(call.end, End::NotForwarded),
            subject: Some(call.intent.subject.clone()),
            connection: Some(call.intent.connection.clone()),
            text,
        })
    }

    /// A refusal as OCSF; other events have no message.
    pub(super) fn refusal(record: &Record, event: &Event) -> Result<Option<Self>, DeliverFault> {
        let Event::Refused(refused) = event else { return Ok(None) };
        let json = |source| DeliverFault::Json { seq: record.seq, source };
        let text = of_refusal(record, refused).map_err(json)?;
        let (kind, grave, subject, connection) = about(Some(event));
        let (seq, time, hash) = (record.seq, record.time, record.hash);
        Ok(Some(Self { seq, time, hash, kind, grave, subject, connection, text }))
    }
}

impl Payload {
    /// Whether messages wait until a call has ended.
    pub(super) const fn joins(self) -> bool {
        matches!(self, Self::Ocsf)
    }
}

fn about(event: Option<&Event>) -> (&'static str, bool, Option<String>, Option<String>) {
    let Some(event) = event else { return ("other", false, None, None) };
    match event {
        Event::Intent(intent) => (
            "intent",
            matches!(intent.verdict, Verdict::Deny(_)),
            Some(intent.subject.clone()),
            Some(intent.connection.clone()),
        ),
        Event::Refused(refused) => {
            // Issuer names hold no slash, so the subject is what stands behind the first.
            let subject = refused.identity.as_ref().and_then(|who| who.split_once('/'));
            let subject = subject.map(|(_, subject)| subject.to_owned());
            ("refused", true, subject, refused.connection.clone())
        }
        Event::Opened(opened) => {
            ("opened", false, Some(opened.subject.clone()), Some(opened.connection.clone()))
        }
        Event::Pins { connection, .. } => ("pins", false, None, Some(connection.clone())),
        Event::Started { .. } => ("started", false, None, None),
        Event::Snapshot { .. } => ("snapshot", false, None, None),
        Event::Closed { .. } => ("closed", false, None, None),
        Event::Resent(_) => ("resent", false, None, None),
        Event::Message(_) => ("message", false, None, None),
        Event::Outcome(_) => ("outcome", false, None, None),
        Event::Approval(_) => ("approval", false, None, None),
        Event::Viewed(_) => ("viewed", false, None, None),
        Event::Kept(_) => ("kept", false, None, None),
        Event::Vault(_) => ("vault", false, None, None),
        Event::Connections(_) => ("connections", false, None, None),
        Event::Revocations(_) => ("revocations", false, None, None),
        Event::Directory(_) => ("directory", false, None, None),
    }
}
