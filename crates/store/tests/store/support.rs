//! What the tests of the journal share.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lockgate_model::{Digest, Era, Event, MessageEvent, OpenedEvent, Timestamp};
use lockgate_store::journal::{
    Journal, JournalFault, JournalOptions, Keys, Position, Report, Verify, read, verify,
};
use sha2::Digest as _;

/// The keys of the journal in `folder`, made with it.
pub(crate) fn keys(folder: &Path) -> Keys {
    Keys::open_or_create(&folder.join("keys"), folder).unwrap()
}

/// Opens with segments so small that every test sees several.
pub(crate) fn open_small(folder: &Path) -> Journal {
    Journal::open(folder, &keys(folder), small()).unwrap().0
}

/// Options for [`open_small`].
pub(crate) fn small() -> JournalOptions {
    JournalOptions { segment_max_bytes: 2_400, reserve_bytes: 0, ..JournalOptions::default() }
}

/// Appends an event that carries `text`.
pub(crate) fn append(journal: &Journal, text: &str) -> Result<Position, JournalFault> {
    let event = Event::Started { version: text.into(), torn_bytes: 0 };
    journal.append(Timestamp::from_millis(1_700_000_000_000), &event)
}

/// The texts of all records, checked.
pub(crate) fn texts(folder: &Path) -> Result<Vec<String>, JournalFault> {
    let text = |event| match event {
        Event::Started { version, .. } => version,
        other => panic!("{other:?}"),
    };
    read(folder, &keys(folder))?.map(|record| Ok(text(record?.event()?.unwrap()))).collect()
}

/// Appends the opening of a session.
pub(crate) fn opened(journal: &Journal, session: &str) -> Result<Position, JournalFault> {
    let event = OpenedEvent {
        session: session.into(),
        issuer: "corp".into(),
        subject: "ann".into(),
        client: None,
        groups: Vec::new(),
        connection: "staff".into(),
        era: Era::Legacy,
    };
    journal.append(Timestamp::from_millis(1_700_000_000_000), &Event::Opened(Box::new(event)))
}

/// Appends a message of a session, its body apart where it is long enough.
pub(crate) fn message(
    journal: &Journal,
    session: &str,
    body: &str,
) -> Result<Position, JournalFault> {
    let body_digest = sha256(body.as_bytes());
    let apart = journal.keeps_apart(body.len());
    let event = Event::Message(Box::new(MessageEvent {
        call: "c".into(),
        session: Some(session.into()),
        bytes: body.len() as u64,
        body_digest,
        body: (!apart).then(|| serde_json::from_str(body).unwrap()),
    }));
    let now = Timestamp::from_millis(1_700_000_000_000);
    if apart {
        journal.append_with_body(now, &event, body_digest, body.to_owned().into())
    } else {
        journal.append(now, &event)
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(sha2::Sha256::digest(bytes).into())
}

/// Every record in words, its body in its place.
pub(crate) fn recorded(folder: &Path) -> Vec<String> {
    let records = read(folder, &keys(folder)).unwrap();
    records.map(|record| format!("{:?}", record.unwrap().event().unwrap())).collect()
}

/// The segments of a folder, oldest first.
pub(crate) fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "segment")).collect();
    files.sort();
    files
}

/// What the offline check says.
pub(crate) fn verified(folder: &Path) -> Report {
    try_verified(folder, None).unwrap()
}

/// What the offline check says, against heads that were kept elsewhere too.
pub(crate) fn try_verified(folder: &Path, exported: Option<&str>) -> Result<Report, JournalFault> {
    let keys = Keys::open(&folder.join("keys"))?;
    verify(&Verify { folder, keys: &keys, elsewhere: None, signer: None, exported }, |_| {})
}

/// Waits until every segment but the last is packed.
pub(crate) fn wait_packed(folder: &Path) {
    let packed = |file: &PathBuf| {
        String::from_utf8_lossy(&Blocks::read(file).head).contains("\"packed\":true")
    };
    let start = Instant::now();
    loop {
        let mut files = segments(folder);
        files.pop();
        if files.iter().all(packed) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "segments stay unpacked");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A segment file as head and blocks, without any key.
pub(crate) struct Blocks {
    pub(crate) head: Vec<u8>,
    pub(crate) blocks: Vec<Vec<u8>>,
}

impl Blocks {
    pub(crate) fn read(path: &Path) -> Self {
        const WRAPPED_BYTES: usize = 60;
        let bytes = fs::read(path).unwrap();
        let line = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let (head, mut rest) = bytes.split_at(line + WRAPPED_BYTES);
        let mut blocks = Vec::new();
        while let Some((length, _)) = rest.split_first_chunk() {
            let end = (4 + u32::from_le_bytes(*length) as usize).min(rest.len());
            let (block, behind) = rest.split_at(end);
            blocks.push(block.to_vec());
            rest = behind;
        }
        Self { head: head.to_vec(), blocks }
    }

    pub(crate) fn edit(path: &Path, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let mut read = Self::read(path);
        change(&mut read.blocks);
        fs::write(path, [read.head, read.blocks.concat()].concat()).unwrap();
    }
}
