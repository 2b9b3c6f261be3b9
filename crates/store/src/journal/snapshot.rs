//! A journal as it is at one moment, while it is written to: names that keep its files where they are, and
//! how much of each counts. Reads no record, and takes no key.
//!
//! Segments and heads only ever grow, so a length says what they held. Two things could tear that moment
//! apart. A segment that is taken out says so in a record before: so names are given until there is no file
//! without one, and only then are lengths taken. And a session's key is destroyed in its place, after the
//! record of it: so the keys are copied before the lengths are taken and after, and both must be the same,
//! but for new ones that are still there.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    JournalFault, holds,
    notary::heads_path,
    segment,
    session_keys::{self, ERASED, SLOT_BYTES},
};
use crate::folder;

/// How often a moment is looked for in which no session is erased.
const TRIES: u32 = 50;

/// What is taken of one file.
pub(crate) struct Part {
    /// Where it can be read for as long as the snapshot is needed.
    pub(crate) path: PathBuf,
    /// How much of it counts, in bytes.
    pub(crate) bytes: u64,
}

/// Takes a snapshot of the journal in `folder`. Names and copies are put into `room`, an empty folder on the
/// same file system; each file has its own name there.
///
/// # Errors
/// [`JournalFault::Io`], and [`JournalFault::Refused`] while sessions are erased one after the other.
pub(crate) fn snapshot(folder: &Path, room: &Path) -> Result<Vec<Part>, JournalFault> {
    for number in 0..TRIES {
        let room = room.join(number.to_string());
        folder::create(&room).map_err(JournalFault::io("create", &room))?;
        if let Some(parts) = at_one_moment(folder, &room)? {
            return Ok(parts);
        }
    }
    Err(JournalFault::Refused("sessions are being erased all the while; try again later"))
}

fn at_one_moment(folder: &Path, room: &Path) -> Result<Option<Vec<Part>>, JournalFault> {
    let mut parts: Vec<Part> = Vec::new();
    // Before the records for which the heads vouch.
    if let Some(heads) = named(&heads_path(folder), room)? {
        parts.push(part(heads)?);
    }
    parts.extend(copied(&holds::path(folder), room, holds::FILE)?.map(part).transpose()?);
    let keys = folder.join(session_keys::FILE);
    let before = copied(&keys, room, "session.keys.before")?;
    for segment in segments(folder, room)? {
        parts.push(part(segment)?);
    }
    let after = copied(&keys, room, session_keys::FILE)?;
    if !goes_on(before.as_deref(), after.as_deref())? {
        return Ok(None);
    }
    parts.extend(after.map(part).transpose()?);
    Ok(Some(parts))
}

/// Gives every segment a name in `room`, the oldest first.
fn segments(folder: &Path, room: &Path) -> Result<Vec<PathBuf>, JournalFault> {
    let (mut seen, mut names) = (BTreeSet::new(), Vec::new());
    loop {
        let fresh: Vec<_> = segment::list(folder)?
            .into_iter()
            .filter(|segment| seen.insert(segment.first_seq))
            .collect();
        if fresh.is_empty() {
            return Ok(names);
        }
        for segment in fresh {
            names.extend(named(&segment.path, room)?);
        }
    }
}

fn part(path: PathBuf) -> Result<Part, JournalFault> {
    let metadata = fs::metadata(&path).map_err(JournalFault::io("read", &path))?;
    Ok(Part { path, bytes: metadata.len() })
}

/// A second name for the file at `path`, under which it stays; `None` where it is not there any more.
fn named(path: &Path, room: &Path) -> Result<Option<PathBuf>, JournalFault> {
    let name = room.join(path.file_name().unwrap_or_default());
    there(fs::hard_link(path, &name))
        .map_err(JournalFault::io("give another name to", path))
        .map(|there| there.map(|()| name))
}

fn copied(path: &Path, room: &Path, name: &str) -> Result<Option<PathBuf>, JournalFault> {
    let copy = room.join(name);
    there(fs::copy(path, &copy))
        .map_err(JournalFault::io("copy", path))
        .map(|there| there.map(|_| copy))
}

fn there<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether no key was destroyed between two copies: `after` begins with all of `before`, and none of the
/// keys that came behind it is gone again.
fn goes_on(before: Option<&Path>, after: Option<&Path>) -> Result<bool, JournalFault> {
    let Some(after) = after else { return Ok(before.is_none()) };
    let read = |path: &Path| fs::read(path).map_err(JournalFault::io("read", path));
    let (before, after) = (before.map(read).transpose()?.unwrap_or_default(), read(after)?);
    let same = after.starts_with(&before);
    let fresh = after.get(before.len() / SLOT_BYTES * SLOT_BYTES..).unwrap_or_default();
    Ok(same && fresh.chunks(SLOT_BYTES).all(|slot| slot.first() != Some(&ERASED)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::session_keys::{ERASED, SLOT_BYTES},
        goes_on,
    };

    #[test]
    fn keys_may_come_and_none_may_go() {
        let folder = tempfile::tempdir().unwrap();
        let [before, after] = ["before", "after"].map(|name| folder.path().join(name));
        let slots = |states: &[u8]| states.iter().flat_map(|&state| [state; SLOT_BYTES]).collect();
        for (one, other, expected) in [
            (vec![], vec![], true),
            (vec![0, 1], vec![0, 1], true),
            (vec![0, 1], vec![0, 1, 1], true),
            (vec![0, 1, ERASED], vec![0, 1, ERASED, 1], true),
            (vec![0, 1], vec![0, ERASED], false),
            (vec![0, 1], vec![0, ERASED, 1], false),
            (vec![0, 1], vec![0, 1, ERASED], false),
            (vec![0, 1], vec![0], false),
            (vec![], vec![0, ERASED], false),
        ] {
            let [was, is]: [Vec<u8>; 2] = [slots(&one), slots(&other)];
            fs::write(&before, was).unwrap();
            fs::write(&after, is).unwrap();
            assert_eq!(
                goes_on(Some(&before), Some(&after)).unwrap(),
                expected,
                "{one:?} {other:?}"
            );
        }
        assert!(goes_on(None, Some(&after)).is_ok_and(|goes_on| !goes_on));
        assert!(goes_on(None, None).unwrap());
        assert!(!goes_on(Some(&before), None).unwrap());
    }
}
