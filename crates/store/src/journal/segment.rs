//! Segment files: their names, their beginning and end, and the chain through one of them.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use lockgate_model::Digest;

use super::{
    JournalFault, Record,
    record::{GENESIS, LINE_MAX_BYTES, parse},
};
use crate::folder;

/// One file of the journal.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Sequence number of its first record, which is its name.
    pub(super) first_seq: u64,
    pub(super) path: PathBuf,
}

/// The segments of `folder`, oldest first.
pub(super) fn list(folder: &Path) -> Result<Vec<Segment>, JournalFault> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).map_err(JournalFault::io("list", folder))? {
        let path = entry.map_err(JournalFault::io("list", folder))?.path();
        if let Some(first_seq) = first_seq(&path) {
            segments.push(Segment { first_seq, path });
        }
    }
    segments.sort_unstable_by_key(|segment| segment.first_seq);
    Ok(segments)
}

fn first_seq(path: &Path) -> Option<u64> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
    let digits = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    if digits { stem.parse().ok() } else { None }
}

/// The path of the segment that begins with `first_seq`.
pub(super) fn path(folder: &Path, first_seq: u64) -> PathBuf {
    folder.join(format!("{first_seq:020}.jsonl"))
}

/// Where a segment is prepared before it takes its place.
pub(super) fn unfinished_path(folder: &Path) -> PathBuf {
    folder.join("unfinished")
}

/// Removes what a killed process was preparing.
pub(super) fn remove_unfinished(folder: &Path) -> Result<(), JournalFault> {
    let path = unfinished_path(folder);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(JournalFault::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Creates an empty segment, durably.
pub(super) fn create(folder: &Path, first_seq: u64) -> Result<File, JournalFault> {
    let file = create_file(&path(folder, first_seq))?;
    sync_folder(folder)?;
    Ok(file)
}

/// Creates a file that only the owner reads, and that is only appended to.
pub(super) fn create_file(path: &Path) -> Result<File, JournalFault> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(JournalFault::io("create", path))
}

/// Makes the names in `folder` durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), JournalFault> {
    folder::sync(folder).map_err(JournalFault::io("sync", folder))
}

/// The place in the chain that the next record must fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    pub(super) next_seq: u64,
    /// `None` where the records before were moved away, and the first one is taken as it is.
    pub(super) prev: Option<Digest>,
}

impl Chain {
    /// The chain that begins with `segment`.
    pub(super) fn beginning(segment: &Segment) -> Self {
        let prev = (segment.first_seq == 1).then_some(GENESIS);
        Self { next_seq: segment.first_seq, prev }
    }

    /// Moves on over `record`.
    ///
    /// # Errors
    /// Why it does not fit.
    fn follow(&mut self, record: &Record) -> Result<(), &'static str> {
        if record.seq != self.next_seq {
            return Err("another record stands in its place");
        }
        if self.prev.is_some_and(|prev| prev != record.prev) {
            return Err("it does not follow the record before");
        }
        *self = Self { next_seq: record.seq.saturating_add(1), prev: Some(record.hash) };
        Ok(())
    }
}

/// The verified records of one segment.
#[derive(Debug)]
pub(super) struct Records {
    lines: Lines,
    pub(super) chain: Chain,
    /// First record of the next segment; `None` in the last segment, which may end anywhere.
    until: Option<u64>,
}

/// Reads `segment` as part of `chain`, up to the record before `until`.
pub(super) fn records(
    segment: &Segment,
    chain: Chain,
    until: Option<u64>,
) -> Result<Records, JournalFault> {
    Ok(Records { lines: Lines::open(segment)?, chain, until })
}

impl Records {
    /// The next record; `None` at the end, and before a last line that has no line feed yet.
    pub(super) fn next(&mut self) -> Result<Option<Record>, JournalFault> {
        if self.until == Some(self.chain.next_seq) {
            return Ok(None);
        }
        let Some(line) = self.lines.next()? else {
            return match self.until {
                Some(_) => Err(self.broken("it is missing")),
                None => Ok(None),
            };
        };
        let checked = parse(line).and_then(|record| {
            self.chain.follow(&record)?;
            Ok(record)
        });
        checked.map(Some).map_err(|detail| self.broken(detail))
    }

    fn broken(&self, detail: &'static str) -> JournalFault {
        self.lines.broken(self.chain.next_seq, detail)
    }
}

/// Where the last segment ends.
#[derive(Debug)]
pub(super) struct End {
    /// Its last record's number and hash.
    pub(super) last: Option<(u64, Digest)>,
    /// Length of its whole records.
    pub(super) bytes: u64,
    /// What stands behind them.
    pub(super) torn_bytes: u64,
}

/// Finds the end of the last segment.
///
/// # Errors
/// [`JournalFault::Broken`] where a whole record stands behind a broken one: that is damage, not a
/// write that was cut short.
pub(super) fn find_end(segment: &Segment) -> Result<End, JournalFault> {
    let mut lines = Lines::open(segment)?;
    let mut chain = Chain::beginning(segment);
    let (mut last, mut bytes, mut torn) = (None, 0, None);
    while let Some(line) = lines.next()? {
        match (parse(line), &torn) {
            (Ok(record), None) => {
                chain.follow(&record).map_err(|why| lines.broken(chain.next_seq, why))?;
                last = Some((record.seq, record.hash));
                bytes = lines.bytes;
            }
            (Ok(_), Some(fault)) => {
                let (line, detail) = *fault;
                let (file, seq) = (segment.path.clone(), chain.next_seq);
                return Err(JournalFault::Broken { file, line, seq, detail });
            }
            (Err(detail), None) => torn = Some((lines.number, detail)),
            (Err(_), Some(_)) => {}
        }
    }
    Ok(End { last, bytes, torn_bytes: lines.file_bytes()? - bytes })
}

/// The whole lines of a file.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    /// The line that was read last, from 1.
    number: u64,
    /// End of that line in the file.
    bytes: u64,
}

impl Lines {
    fn open(segment: &Segment) -> Result<Self, JournalFault> {
        let path = segment.path.clone();
        let file = File::open(&path).map_err(JournalFault::io("open", &path))?;
        let reader = BufReader::with_capacity(256 * 1024, file);
        Ok(Self { path, reader, line: Vec::new(), number: 0, bytes: 0 })
    }

    /// The next line without its line feed; `None` at the end or before an unfinished line.
    fn next(&mut self) -> Result<Option<&[u8]>, JournalFault> {
        self.line.clear();
        let length = (&mut self.reader)
            .take(LINE_MAX_BYTES as u64 + 1)
            .read_until(b'\n', &mut self.line)
            .map_err(JournalFault::io("read", &self.path))?;
        if self.line.pop_if(|byte| *byte == b'\n').is_none() {
            return if length > LINE_MAX_BYTES { Err(self.too_long()) } else { Ok(None) };
        }
        self.number += 1;
        self.bytes += length as u64;
        Ok(Some(&self.line))
    }

    fn file_bytes(&self) -> Result<u64, JournalFault> {
        let metadata = self.reader.get_ref().metadata();
        Ok(metadata.map_err(JournalFault::io("read", &self.path))?.len())
    }

    fn too_long(&self) -> JournalFault {
        let (file, line) = (self.path.clone(), self.number + 1);
        JournalFault::Broken { file, line, seq: 0, detail: "the line is longer than a record" }
    }

    /// A fault at the line that was read last.
    fn broken(&self, seq: u64, detail: &'static str) -> JournalFault {
        let line = self.number.max(1);
        JournalFault::Broken { file: self.path.clone(), line, seq, detail }
    }
}
