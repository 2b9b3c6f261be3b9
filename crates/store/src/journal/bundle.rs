//! One session as evidence: its records with their proofs under one signed head, in one file that can
//! be checked without the rest of the recording.

use std::{fs, path::Path};

use lockgate_model::{Digest, Event, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Elsewhere, JournalFault, Keys, SignedHead, VerifierKey,
    head::notes,
    notary::heads_path,
    read::{Chain, SegmentReader, Sessions},
    record::{Link, digest},
    shelf::Shelf,
    tree::{Tree, proves},
};

/// The version of the file.
const VERSION: u32 = 1;

/// A session with what proves it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    lockgate_bundle: u32,
    /// The session.
    pub session: String,
    /// The key that signed the head, as the recording names it. Compare it with one that you trust.
    pub key: String,
    /// The signed head.
    pub head: String,
    records: Vec<Evidence>,
}

/// One record with its place in the tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Evidence {
    seq: u64,
    time: Timestamp,
    prev: Digest,
    event: Box<RawValue>,
    /// The body that is kept apart, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    proof: Vec<Digest>,
}

/// What a bundle proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// The session.
    pub session: String,
    /// Its records in the bundle.
    pub records: u64,
    /// Whether they begin with the session's opening and end with its close.
    pub whole: bool,
    /// Records under the signed head.
    pub head_size: u64,
    /// The key that signed it.
    pub key: String,
}

/// Why a bundle can't be made, or proves nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleFault {
    /// The journal can't be read.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// There is no record of the session.
    #[error("there is no record of session `{0}`; it may have been erased or retired")]
    Unknown(String),
    /// The newest signed head is older than the session's last record.
    #[error("record {seq} is not under a signed head yet; one is signed within a minute")]
    Unsigned {
        /// The last record of the session.
        seq: u64,
    },
    /// The file is no bundle.
    #[error("it is no evidence file: {0}")]
    Malformed(String),
    /// The bundle does not prove what it holds.
    #[error("record {seq}: {detail}")]
    Refuted {
        /// The record.
        seq: u64,
        /// What does not hold.
        detail: &'static str,
    },
    /// The head is not signed by the key.
    #[error("the signed head does not hold: {0}")]
    Head(#[from] super::HeadFault),
}

impl Bundle {
    /// Gathers the records of `session`. Takes 32 bytes of memory for each record of the journal.
    ///
    /// # Errors
    /// [`BundleFault::Unknown`], [`BundleFault::Unsigned`], [`BundleFault::Journal`].
    pub fn gather(
        folder: &Path,
        keys: &Keys,
        elsewhere: Option<&Elsewhere>,
        session: &str,
    ) -> Result<Self, BundleFault> {
        let shelf = Shelf::new(folder, keys, elsewhere);
        let segments = shelf.list()?;
        let mut sessions = Sessions::new(folder, keys);
        let mut tree: Option<Tree> = None;
        let mut node = String::new();
        let mut records = Vec::new();
        let mut chain = Chain { next_seq: 1, prev: None };
        for (at, segment) in segments.iter().enumerate() {
            let until = segments.get(at + 1).map(|next| next.first_seq);
            let mut reader = SegmentReader::new(shelf.open(segment)?, until)?;
            let head = &reader.blocks.head;
            node.clone_from(&head.node);
            if tree.is_none() {
                tree = Some(Tree::new(head.tree.clone()));
                chain = Chain { next_seq: head.first_seq, prev: Some(head.prev) };
            }
            while let Some(stored) = reader.next_stored(&mut sessions, &mut chain)? {
                if let Some(tree) = &mut tree {
                    tree.push(&stored.link.hash);
                }
                let Some(event) = stored.event.as_ref().filter(|event| names(event.get(), session))
                else {
                    continue;
                };
                let event = event.clone();
                let body = reader.body(&mut sessions, &stored)?;
                let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
                let Link { seq, time, .. } = stored.link;
                let (prev, proof) = (stored.prev, Vec::new());
                records.push(Evidence { seq, time, prev, event, body, proof });
            }
        }
        let Some(last) = records.last().map(|record| record.seq) else {
            return Err(BundleFault::Unknown(session.to_owned()));
        };
        let key = VerifierKey::of(&node, keys);
        let head = newest(folder, &key)?.filter(|signed| signed.head.size >= last);
        let Some(head) = head else { return Err(BundleFault::Unsigned { seq: last }) };
        for record in &mut records {
            let proof = tree.as_ref().and_then(|tree| tree.proof(record.seq - 1, head.head.size));
            record.proof = proof.ok_or(BundleFault::Unsigned { seq: record.seq })?;
        }
        let key = VerifierKey::of(&head.head.node, keys).to_string();
        let session = session.to_owned();
        Ok(Self { lockgate_bundle: VERSION, session, key, head: head.note, records })
    }

    /// Reads an evidence file.
    ///
    /// # Errors
    /// [`BundleFault::Malformed`]
    pub fn parse(text: &str) -> Result<Self, BundleFault> {
        let malformed = |error: serde_json::Error| BundleFault::Malformed(error.to_string());
        let bundle: Self = serde_json::from_str(text).map_err(malformed)?;
        if bundle.lockgate_bundle == VERSION {
            Ok(bundle)
        } else {
            Err(BundleFault::Malformed("its version is another one".to_owned()))
        }
    }

    /// Checks every record against the signed head. `signer` is the key that must have signed it; the
    /// one that the bundle names where `None`, which proves only that the bundle agrees with itself.
    ///
    /// # Errors
    /// [`BundleFault::Head`] and [`BundleFault::Refuted`].
    pub fn prove(&self, signer: Option<&VerifierKey>) -> Result<Proven, BundleFault> {
        let own = VerifierKey::parse(&self.key)?;
        let signed = SignedHead::verify_renamed(&self.head, signer.unwrap_or(&own))?;
        let (size, root) = (signed.head.size, signed.head.root);
        let mut before = 0;
        for record in &self.records {
            let refuted = |detail| BundleFault::Refuted { seq: record.seq, detail };
            if record.seq <= before {
                return Err(refuted("it is out of order"));
            }
            before = record.seq;
            let event = record.event.get();
            let link = Link::new(record.prev, record.seq, record.time, &digest(event.as_bytes()));
            if !proves(&link.hash, record.seq - 1, size, &root, &record.proof) {
                return Err(refuted("it is not in the tree that was signed"));
            }
            if !names(event, &self.session) {
                return Err(refuted("it belongs to another session"));
            }
            if let Some(body) = &record.body
                && body_digest(event) != Some(digest(body.as_bytes()))
            {
                return Err(refuted("its body is not the one that was hashed"));
            }
        }
        let event = |record: Option<&Evidence>| {
            record.and_then(|record| serde_json::from_str::<Event>(record.event.get()).ok())
        };
        let opened = matches!(event(self.records.first()), Some(Event::Opened(_)));
        let closed = matches!(event(self.records.last()), Some(Event::Closed { .. }));
        Ok(Proven {
            session: self.session.clone(),
            records: self.records.len() as u64,
            whole: opened && closed,
            head_size: size,
            key: signer.unwrap_or(&own).to_string(),
        })
    }
}

/// The newest head of the journal's own file.
fn newest(folder: &Path, key: &VerifierKey) -> Result<Option<SignedHead>, BundleFault> {
    let path = heads_path(folder);
    let bytes = fs::read(&path).map_err(JournalFault::io("read", &path))?;
    let text = String::from_utf8_lossy(&bytes);
    let last = notes(&text).last().map(|note| SignedHead::verify_renamed(note, key));
    Ok(last.transpose()?)
}

fn names(event: &str, session: &str) -> bool {
    // Most events are of other sessions; what does not even hold the text need not be read.
    event.contains(session)
        && serde_json::from_str::<Event>(event).is_ok_and(|event| event.session() == Some(session))
}

fn body_digest(event: &str) -> Option<Digest> {
    match serde_json::from_str(event).ok()? {
        Event::Outcome(outcome) => outcome.body_digest,
        Event::Message(message) => Some(message.body_digest),
        _ => None,
    }
}
