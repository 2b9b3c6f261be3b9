//! A recording to export: calls of every kind, with texts that break careless readers.

use std::{collections::BTreeMap, path::Path};

use lockgate_model::{
    Ask, Deny, Digest, Era, Event, IntentEvent, MessageEvent, OutcomeEvent, OutcomeStatus, Reason,
    RefusalEvent, RequestId, Timestamp, Verdict,
};
use lockgate_store::journal::{Journal, JournalOptions, Keys};
use serde_json::{Value, value::RawValue};

/// 2026-11-25T10:00:00Z.
pub(crate) const BEGIN_MS: i64 = 1_795_600_800_000;

/// Texts of the catalogue's row L1, each of which must come back as it went in.
pub(crate) fn hostile() -> Vec<String> {
    vec![
        "a\r\nb".into(),
        "nul\0".into(),
        "line\u{2028}paragraph\u{2029}next\u{85}".into(),
        "\u{1b}[2J\u{1b}]52;c;aGk=\u{7}".into(),
        "\"},\"event\":{}}\n{\"seq\":1,".into(),
        "\u{feff}\u{202e}".into(),
        "'; DROP TABLE calls; --".into(),
        "\u{10ffff}\u{1f4a5}".into(),
        "x".repeat(1_000_000),
        "plain".into(),
    ]
}

/// The keys of the journal in `folder`, made with it.
pub(crate) fn keys(folder: &Path) -> Keys {
    Keys::open_or_create(&folder.join("keys"), folder).unwrap()
}

/// A writer of events with a clock of its own.
pub(crate) struct Recording {
    journal: Journal,
    now: i64,
    calls: u64,
}

impl Recording {
    pub(crate) fn begin(folder: &Path) -> Self {
        let options = JournalOptions { segment_max_bytes: 256 * 1024, ..JournalOptions::default() };
        let (journal, _) = Journal::open(folder, &keys(folder), options).unwrap();
        let mut recording = Self { journal, now: BEGIN_MS, calls: 0 };
        recording.started();
        recording
    }

    pub(crate) fn append(&mut self, event: &Event) {
        self.journal.append(Timestamp::from_millis(self.now), event).unwrap();
        self.now += 1_000;
    }

    pub(crate) fn started(&mut self) {
        self.append(&Event::Started { version: "1".into(), torn_bytes: 0 });
    }

    /// An intent; gives its call's id.
    pub(crate) fn intent(&mut self, subject: &str, arguments: &str, verdict: Verdict) -> String {
        self.calls += 1;
        let call = format!("{:032x}", self.calls);
        let groups: Vec<_> = (0..self.calls % 3).map(|n| format!("corp/g{n}")).collect();
        let digest = Digest::from_bytes([7; 32]);
        self.append(&Event::Intent(Box::new(IntentEvent {
            call: call.clone(),
            trace: format!("{:032x}", self.calls * 7),
            peer: if self.calls.is_multiple_of(2) { "192.0.2.7" } else { "2001:db8::7" }.into(),
            issuer: "corp".into(),
            subject: subject.into(),
            client: self.calls.is_multiple_of(2).then(|| "ide".into()),
            groups,
            token: digest,
            token_issued_at: None,
            connection: "payroll".into(),
            session: Some(format!("s{:032x}", self.calls % 4)),
            mcp_session: None,
            era: Era::Modern,
            id: Some(RequestId::Number(1)),
            method: "tools/call".into(),
            action: "call_tool".into(),
            target: format!("tool{}", self.calls % 5),
            arguments: serde_json::from_str::<Value>(arguments).unwrap(),
            arguments_digest: digest,
            body_digest: digest,
            definition: Some(digest),
            restored: Vec::new(),
            facts: vec!["sql.read".into()],
            verdict,
            snapshot: digest,
        })));
        call
    }

    pub(crate) fn outcome(&mut self, call: &str, status: OutcomeStatus, body: Option<&str>) {
        let body: Option<Box<RawValue>> = body.map(|body| serde_json::from_str(body).unwrap());
        self.append(&Event::Outcome(Box::new(OutcomeEvent {
            call: call.into(),
            session: None,
            status,
            reason: (status == OutcomeStatus::Failed).then_some(Reason::UpstreamEnded),
            elapsed_us: 1_500,
            bytes: body.as_ref().map_or(0, |body| body.get().len() as u64),
            body_digest: None,
            masked: BTreeMap::from([("pii.email".to_owned(), 2)]),
            body,
        })));
    }

    pub(crate) fn message(&mut self, call: &str, body: &str) {
        self.append(&Event::Message(Box::new(MessageEvent {
            call: call.into(),
            session: None,
            bytes: body.len() as u64,
            body_digest: Digest::from_bytes([1; 32]),
            body: Some(serde_json::from_str(body).unwrap()),
        })));
    }

    pub(crate) fn refused(&mut self, reason: Reason, identity: Option<&str>) {
        self.append(&Event::Refused(RefusalEvent {
            request: "f".repeat(32),
            peer: "192.0.2.9".into(),
            connection: identity.map(|_| "payroll".into()),
            identity: identity.map(Into::into),
            reason,
            detail: "a detail with \u{1b}[2J\" in it".into(),
        }));
    }
}

pub(crate) fn allow() -> Verdict {
    Verdict::Allow { policies: vec!["staff-read".into(), "staff".into()] }
}

pub(crate) fn deny() -> Verdict {
    Verdict::Deny(Deny { reason: Reason::PolicyForbidden, policies: vec!["no-ddl".into()] })
}

pub(crate) fn ask() -> Verdict {
    Verdict::Ask(Ask {
        approvers: vec!["corp/dba".into()],
        policies: vec!["hold".into()],
        quorum: 1,
        expires_ms: None,
        reason: None,
        access_ms: None,
        emergency: false,
    })
}
