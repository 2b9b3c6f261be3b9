//! What becomes of a journal whose files are no longer as they were written (I9, I11, L3, L7, L8).

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use crate::support::{append, open_small, small, texts};
use lockgate_store::journal::{Journal, JournalFault};
use proptest::prelude::*;
use tempfile::TempDir;

const RECORDS: usize = 30;

/// A copy of a journal of [`RECORDS`] records in segments of 8, closed.
fn journal() -> (TempDir, Vec<PathBuf>) {
    static ORIGINAL: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let journal = open_small(folder.path());
        for number in 0..RECORDS {
            let position = append(&journal, &number.to_string()).unwrap();
            if number % 8 == 7 {
                runtime.block_on(journal.synced(position)).unwrap();
            }
        }
        folder
    });
    let folder = TempDir::new().unwrap();
    for segment in segments(ORIGINAL.path()) {
        fs::copy(&segment, folder.path().join(segment.file_name().unwrap())).unwrap();
    }
    let segments = segments(folder.path());
    assert_eq!(segments.len(), RECORDS.div_ceil(8));
    (folder, segments)
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "jsonl")).collect();
    files.sort();
    files
}

fn whole_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i9_any_cut_of_the_last_segment_recovers_to_a_prefix(cut in any::<prop::sample::Index>()) {
        let (folder, segments) = journal();
        let last = segments.last().unwrap();
        let bytes = fs::read(last).unwrap();
        let before = RECORDS - whole_lines(&bytes);
        let cut = cut.index(bytes.len() + 1);
        let left = bytes.get(..cut).unwrap();
        fs::write(last, left).unwrap();

        let whole = whole_lines(left);
        let torn = left.iter().rev().take_while(|byte| **byte != b'\n').count();
        prop_assert_eq!(texts(folder.path()).unwrap().len(), before + whole);
        let (journal, recovery) = Journal::open(folder.path(), small()).unwrap();
        prop_assert_eq!(recovery.last_seq, (before + whole) as u64);
        prop_assert_eq!(recovery.torn_bytes, torn as u64);
        append(&journal, "after").unwrap();
        let texts = texts(folder.path()).unwrap();
        let expected = (0..before + whole).map(|n| n.to_string()).chain(["after".into()]);
        prop_assert_eq!(texts, expected.collect::<Vec<_>>());
    }

    #[test]
    fn i11_every_flipped_bit_is_found(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let (folder, segments) = journal();
        let file = &segments[file.index(segments.len())];
        let mut bytes = fs::read(file).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(file, &bytes).unwrap();
        let is_end = Some(file) == segments.last() && at == bytes.len() - 1;
        let read = texts(folder.path());
        if is_end {
            // Without its line feed the last record is one that is still being written.
            prop_assert_eq!(read.unwrap().len(), RECORDS - 1);
        } else {
            prop_assert!(matches!(read, Err(JournalFault::Broken { .. })), "{:?}", read);
        }
    }
}

#[test]
fn l7_damage_is_named_and_never_repaired() {
    type Damage = fn(&[PathBuf]);
    let rows: [(&str, Damage); 8] = [
        ("middle line gone", |files| edit(&files[1], |lines| drop(lines.remove(1)))),
        ("line twice", |files| edit(&files[1], |lines| lines.insert(1, lines[1].clone()))),
        ("lines swapped", |files| edit(&files[1], |lines| lines.swap(0, 1))),
        ("segment gone", |files| fs::remove_file(&files[1]).unwrap()),
        ("end of an early segment gone", |files| edit(&files[0], |lines| drop(lines.pop()))),
        ("early segment torn", |files| {
            let bytes = fs::read(&files[0]).unwrap();
            fs::write(&files[0], &bytes[..bytes.len() - 5]).unwrap();
        }),
        ("segments swapped", |files| {
            let (one, two) = (fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap());
            fs::write(&files[0], two).unwrap();
            fs::write(&files[1], one).unwrap();
        }),
        ("L3: a real record again at the end", |files| {
            edit(files.last().unwrap(), |lines| lines.push(lines[0].clone()));
        }),
    ];
    for (name, damage) in rows {
        let (folder, segments) = journal();
        damage(&segments);
        let read = texts(folder.path());
        assert!(matches!(read, Err(JournalFault::Broken { .. })), "{name}: {read:?}");
    }
}

#[test]
fn l7_a_broken_record_before_a_whole_one_stops_the_writer() {
    let (folder, segments) = journal();
    let last = segments.last().unwrap();
    edit(last, |lines| lines[0] = lines[0].replace("version", "versiom"));
    let opened = Journal::open(folder.path(), small());
    let Err(JournalFault::Broken { file, line, seq, .. }) = opened else { panic!("{opened:?}") };
    let first: u64 = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    assert_eq!((&file, line, seq), (last, 1, first));
}

#[test]
fn i9_a_broken_last_record_is_a_torn_one() {
    let (folder, segments) = journal();
    let last = segments.last().unwrap();
    let mut bytes = fs::read(last).unwrap();
    let at = bytes.len() - 10;
    bytes[at] ^= 1;
    bytes.extend([0; 100]);
    fs::write(last, &bytes).unwrap();
    let (_, recovery) = Journal::open(folder.path(), small()).unwrap();
    assert_eq!(recovery.last_seq, RECORDS as u64 - 1);
    assert!(recovery.torn_bytes > 100);
}

#[test]
fn old_segments_may_be_moved_away() {
    let (folder, segments) = journal();
    let moved = whole_lines(&fs::read(&segments[0]).unwrap());
    fs::remove_file(&segments[0]).unwrap();
    assert_eq!(texts(folder.path()).unwrap().len(), RECORDS - moved);
    let journal = open_small(folder.path());
    assert_eq!(append(&journal, "next").unwrap().seq(), RECORDS as u64 + 1);
}

#[test]
fn l8_an_endless_line_is_an_error_in_bounded_memory() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("00000000000000000001.jsonl");
    let file = fs::File::create(path).unwrap();
    file.set_len(1 << 40).unwrap();
    assert!(matches!(texts(folder.path()), Err(JournalFault::Broken { line: 1, .. })));
}

fn edit(path: &Path, change: impl Fn(&mut Vec<String>)) {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    fs::write(path, lines.join("\n") + "\n").unwrap();
}
