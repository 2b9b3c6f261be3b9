//! Checking a whole recording offline: chain, tree, signatures, and what was removed from it.
//!
//! Everything that can be told is told: the check goes on behind a broken record with the next segment.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::{Duration, Instant},
};

use lockgate_model::{Digest, Event, KeptChange};
use serde::Serialize;

use super::{
    Elsewhere, Frontier, JournalFault, Keys, SignedHead, VerifierKey,
    head::{may_be_torn, notes},
    notary::heads_path,
    read::{Chain, SegmentReader, Sessions, Stored},
    segment::Segment,
    shelf::Shelf,
};

/// What is checked, and against what.
pub struct Verify<'a> {
    /// The journal's folder.
    pub folder: &'a Path,
    /// Its keys.
    pub keys: &'a Keys,
    /// Where segments are that are no longer in the folder.
    pub elsewhere: Option<&'a Elsewhere>,
    /// The key that must have signed the heads; the recording's own where `None`.
    pub signer: Option<VerifierKey>,
    /// Heads that were kept elsewhere, as they were exported.
    pub exported: Option<&'a str>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// First record that is there; 0 in an empty journal.
    pub first_seq: u64,
    /// Last record that is there.
    pub last_seq: u64,
    /// Records that were checked.
    pub records: u64,
    /// Of these, records whose session was erased.
    pub erased: u64,
    /// Signed heads that were checked against the records.
    pub heads: u64,
    /// Last record under a signed head that holds.
    pub signed_seq: u64,
    /// Records behind it. Nothing but the chain vouches for them yet.
    pub unsigned: u64,
    /// Bytes behind the last record that are no whole record: being written, or torn.
    pub torn_bytes: u64,
    /// Everything that is wrong, by record.
    pub findings: Vec<Finding>,
    /// Bytes that were read.
    pub bytes: u64,
    /// How long it took.
    #[serde(skip)]
    pub elapsed: Duration,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// A record is not what was written.
    Broken {
        /// The record.
        seq: u64,
        /// What was found.
        detail: String,
    },
    /// Records are missing between others, or before them without a record of it.
    Gap {
        /// The first of them.
        seq: u64,
        /// The last of them.
        through: u64,
    },
    /// Records that a signed head vouches for are missing at the end.
    Cut {
        /// The first of them.
        seq: u64,
        /// The last of them.
        through: u64,
    },
    /// The records are not the ones that were signed.
    Rewritten {
        /// Size of the signed tree.
        seq: u64,
    },
    /// A head carries no signature that holds.
    Head {
        /// Which note of its file it is, from 1.
        seq: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// A session was erased without a record of it.
    Erased {
        /// Its first erased record.
        seq: u64,
        /// The session.
        session: String,
    },
}

impl Finding {
    /// The record at which it is.
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Broken { seq, .. }
            | Self::Gap { seq, .. }
            | Self::Cut { seq, .. }
            | Self::Rewritten { seq }
            | Self::Head { seq, .. }
            | Self::Erased { seq, .. } => *seq,
        }
    }
}

/// A check under way.
struct Check {
    report: Report,
    /// Roots that were signed, by size.
    signed: BTreeMap<u64, BTreeSet<Digest>>,
    sessions: Sessions,
    tree: Frontier,
    chain: Chain,
    /// Erased slots with their first record.
    erased: BTreeMap<u64, u64>,
    /// What the records say was erased and retired.
    told: Told,
}

#[derive(Default)]
struct Told {
    erased: BTreeSet<String>,
    retired: BTreeSet<(u64, Digest)>,
}

/// Checks a recording. `progress` is told how many bytes were read so far.
///
/// # Errors
/// [`JournalFault::Io`] and [`JournalFault::Key`]: what can't be read can't be checked. What is wrong
/// with the records is in the report.
pub fn verify(what: &Verify<'_>, mut progress: impl FnMut(u64)) -> Result<Report, JournalFault> {
    let began = Instant::now();
    let shelf = Shelf::new(what.folder, what.keys, what.elsewhere);
    let segments = shelf.list()?;
    let mut check = Check {
        report: Report::default(),
        signed: BTreeMap::new(),
        sessions: Sessions::new(what.folder, what.keys),
        tree: Frontier::default(),
        chain: Chain { next_seq: 1, prev: None },
        erased: BTreeMap::new(),
        told: Told::default(),
    };
    // A head that can't be read is found again below.
    let node = segments.last().and_then(|last| Some(shelf.open(last).ok()?.head.node));
    let node = node.unwrap_or_default();
    let own = VerifierKey::of(&node, what.keys);
    check.heads(what, what.signer.as_ref().unwrap_or(&own))?;
    let mut rest = segments.iter().peekable();
    while let Some(segment) = rest.next() {
        let until = rest.peek().map(|next| next.first_seq);
        check.segment(segment, &shelf, until)?;
        check.report.bytes += fs::metadata(&segment.path).map_or(0, |metadata| metadata.len());
        progress(check.report.bytes);
    }
    check.finish()?;
    check.report.elapsed = began.elapsed();
    Ok(check.report)
}

impl Check {
    fn heads(&mut self, what: &Verify<'_>, key: &VerifierKey) -> Result<(), JournalFault> {
        let path = heads_path(what.folder);
        let own = match fs::read(&path) {
            // The last note may have been cut off within a character.
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(JournalFault::io("read", path)(error)),
        };
        for text in [own.as_str(), what.exported.unwrap_or_default()] {
            let (mut notes, mut number) = (notes(text), 0);
            for note in notes.by_ref() {
                number += 1;
                match SignedHead::verify_renamed(note, key) {
                    Ok(SignedHead { head, .. }) => {
                        self.signed.entry(head.size).or_default().insert(head.root);
                    }
                    Err(fault) => {
                        self.found(Finding::Head { seq: number, detail: fault.to_string() })
                    }
                }
            }
            // The last note may have been cut off by a crash; anything else behind them is no note.
            if !notes.rest.is_empty() && !may_be_torn(notes.rest.as_bytes()) {
                let detail = "it is no signed tree head".to_owned();
                self.found(Finding::Head { seq: number + 1, detail });
            }
        }
        Ok(())
    }

    fn segment(
        &mut self,
        segment: &Segment,
        shelf: &Shelf,
        until: Option<u64>,
    ) -> Result<(), JournalFault> {
        let opened = shelf.open(segment).and_then(|blocks| SegmentReader::new(blocks, until));
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(fault) => return self.broken(fault),
        };
        self.enter(&reader);
        loop {
            match reader.next_stored(&mut self.sessions, &mut self.chain) {
                Ok(Some(stored)) => {
                    if let Err(fault) = reader.body(&mut self.sessions, &stored) {
                        self.broken(fault)?;
                    }
                    self.record(&stored);
                }
                Ok(None) => break,
                Err(fault) => {
                    self.broken(fault)?;
                    // Nothing in this file can be trusted to follow; the next one begins anew.
                    self.chain.prev = None;
                    return Ok(());
                }
            }
        }
        if until.is_none() {
            let whole = reader.blocks.offset;
            self.report.torn_bytes = reader.blocks.file_bytes()?.saturating_sub(whole);
        }
        Ok(())
    }

    /// Begins a segment: it must follow what was read, or begins anew behind a gap.
    fn enter(&mut self, reader: &SegmentReader) {
        let head = &reader.blocks.head;
        let first = self.report.records == 0 && self.report.findings.is_empty();
        if first && head.first_seq > 1 {
            // Whether somebody retired what was before is known at the end.
            self.report.first_seq = head.first_seq;
        } else if head.first_seq > self.chain.next_seq {
            let (seq, through) = (self.chain.next_seq, head.first_seq - 1);
            let known = self.report.findings.iter().any(|finding| finding.seq() == seq);
            if !known {
                self.found(Finding::Gap { seq, through });
            }
            self.chain.prev = None;
        } else if self.chain.prev.is_some_and(|prev| prev != head.prev) || {
            self.chain.prev.is_some()
                && head.first_seq == self.chain.next_seq
                && self.tree != head.tree
        } {
            // A file that repeats records behind a failed one begins earlier; its records are compared
            // one by one instead.
            if head.first_seq == self.chain.next_seq {
                let detail = "the segment's head does not follow the record before".to_owned();
                self.found(Finding::Broken { seq: head.first_seq, detail });
            }
        }
        if first || self.chain.prev.is_none() {
            self.chain = Chain { next_seq: head.first_seq, prev: Some(head.prev) };
            self.tree = head.tree.clone();
        }
    }

    fn record(&mut self, stored: &Stored) {
        let seq = stored.link.seq;
        let report = &mut self.report;
        if report.records == 0 {
            report.first_seq = seq;
        }
        report.records += 1;
        report.last_seq = seq;
        match &stored.event {
            Some(event) => self.told.note(event.get()),
            None => {
                report.erased += 1;
                self.erased.entry(stored.slot).or_insert(seq);
            }
        }
        self.tree.push(&stored.link.hash);
        if let Some(roots) = self.signed.get(&seq) {
            self.report.heads += 1;
            if *roots == BTreeSet::from([self.tree.root()]) {
                self.report.signed_seq = seq;
            } else {
                self.found(Finding::Rewritten { seq });
            }
        }
    }

    fn finish(&mut self) -> Result<(), JournalFault> {
        let first_seq = self.report.first_seq;
        if first_seq > 1 && !self.told.retired.iter().any(|(through, _)| *through == first_seq - 1)
        {
            self.found(Finding::Gap { seq: 1, through: first_seq - 1 });
        }
        let newest = self.signed.last_key_value().map_or(0, |(size, _)| *size);
        if newest > self.report.last_seq {
            let seq = self.report.last_seq + 1;
            self.found(Finding::Cut { seq, through: newest });
        }
        for (slot, seq) in std::mem::take(&mut self.erased) {
            let session = self.sessions.name(slot)?.unwrap_or_else(|| format!("slot {slot}"));
            if !self.told.erased.contains(&session) {
                self.found(Finding::Erased { seq, session });
            }
        }
        self.report.unsigned = self.report.last_seq - self.report.signed_seq;
        self.report.findings.sort_by_key(Finding::seq);
        Ok(())
    }

    fn broken(&mut self, fault: JournalFault) -> Result<(), JournalFault> {
        match fault {
            JournalFault::Broken { file, offset, seq, detail } => {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let detail = format!("{detail} ({name}, before byte {offset})");
                self.found(Finding::Broken { seq, detail });
                Ok(())
            }
            other => Err(other),
        }
    }

    fn found(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }
}

impl Told {
    fn note(&mut self, event: &str) {
        if !event.starts_with("{\"kept\"") {
            return;
        }
        if let Ok(Event::Kept(kept)) = serde_json::from_str(event) {
            match kept.change {
                KeptChange::Erase { session } => drop(self.erased.insert(session)),
                KeptChange::Retire { through_seq, hash } => {
                    self.retired.insert((through_seq, hash));
                }
                KeptChange::Hold { .. } | KeptChange::Release { .. } => {}
            }
        }
    }
}
