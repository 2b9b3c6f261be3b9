//! What becomes of a journal whose files are no longer as they were written (I9, I11, L3, L7, L8).

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use crate::support::{
    Blocks, append, keys, message, open_small, opened, recorded, segments, small, texts, verified,
    wait_packed,
};
use lockgate_store::journal::{
    Bundle, Finding, Journal, JournalFault, JournalOptions, VerifierKey, read,
};
use proptest::prelude::*;
use tempfile::TempDir;

/// Records of the samples.
const RECORDS: u64 = 24;
/// Records of a segment of the sample that has many.
const SEGMENT_RECORDS: usize = 4;

/// Two journals of [`RECORDS`] records, closed and signed.
struct Samples {
    /// In one segment, as it was written.
    open: TempDir,
    /// In segments of [`SEGMENT_RECORDS`], all but the last packed.
    packed: TempDir,
}

static SAMPLES: LazyLock<Samples> = LazyLock::new(|| {
    let (open, packed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fill(&open_apart(open.path()), 0..RECORDS);
    // How much a segment holds until the writer closes it is a matter of time; a start always begins one.
    for first in (0..RECORDS).step_by(SEGMENT_RECORDS) {
        let journal = open_apart(packed.path());
        fill(&journal, first..first + SEGMENT_RECORDS as u64);
        wait_packed(packed.path());
    }
    Samples { open, packed }
});

fn open_apart(folder: &Path) -> Journal {
    let options = JournalOptions { body_apart_min_bytes: 100, ..JournalOptions::default() };
    Journal::open(folder, &keys(folder), options).unwrap().0
}

/// Events of no session, of two sessions, and bodies kept apart.
fn fill(journal: &Journal, numbers: Range<u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for number in numbers {
        let position = match number % 6 {
            0 => append(journal, &number.to_string()),
            1 => opened(journal, "s1"),
            2 => message(journal, "s1", &format!("[{number}]")),
            3 => message(journal, "s2", &format!("[{number}]")),
            4 => message(journal, "s1", &format!("[\"{}\"]", "x".repeat(200))),
            _ => message(journal, "s2", &format!("[{number},\"{}\"]", "y".repeat(120))),
        };
        runtime.block_on(journal.synced(position.unwrap())).unwrap();
    }
}

fn copy(sample: &TempDir) -> TempDir {
    let folder = TempDir::new().unwrap();
    copy_into(sample.path(), folder.path());
    folder
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_into(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn whole_samples_verify_and_hold_what_was_written() {
    for sample in [&SAMPLES.open, &SAMPLES.packed] {
        let report = verified(sample.path());
        assert_eq!(report.findings, []);
        assert_eq!((report.records, report.unsigned, report.erased), (RECORDS, 0, 0));
        assert_eq!(recorded(sample.path()), recorded(SAMPLES.open.path()));
    }
    assert_eq!(segments(SAMPLES.packed.path()).len(), RECORDS as usize / SEGMENT_RECORDS);
}

#[test]
fn i11_every_flipped_byte_is_named() {
    for sample in [&SAMPLES.open, &SAMPLES.packed] {
        let folder = copy(sample);
        let file = segments(folder.path()).remove(0);
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&file, &bytes).unwrap();
            match try_verified(folder.path()) {
                Ok(report) => assert!(!report.findings.is_empty(), "byte {at} of {}", whole.len()),
                // The name of the key that wraps it is in clear, and another key is another fault.
                Err(JournalFault::Key { .. }) => {}
                Err(other) => panic!("byte {at}: {other}"),
            }
        }
    }
}

fn try_verified(folder: &Path) -> Result<lockgate_store::journal::Report, JournalFault> {
    crate::support::try_verified(folder, None)
}

#[test]
fn l7_damage_is_named_by_its_first_record_and_never_repaired() {
    type Damage = fn(&[PathBuf]);
    let rows: [(&str, u64, Damage); 9] = [
        ("block gone", 4, |files| Blocks::edit(&files[0], |blocks| drop(blocks.remove(3)))),
        ("block twice", 5, |files| {
            Blocks::edit(&files[0], |blocks| blocks.insert(4, blocks[3].clone()));
        }),
        ("blocks swapped", 3, |files| Blocks::edit(&files[0], |blocks| blocks.swap(2, 3))),
        ("block of another file", 2, |files| {
            let other = Blocks::read(&segments(SAMPLES.packed.path())[0]);
            Blocks::edit(&files[0], |blocks| blocks[1] = other.blocks[0].clone());
        }),
        ("tail cut", 22, |files| {
            Blocks::edit(&files[0], |blocks| blocks.truncate(blocks.len() - 4));
        }),
        ("torn", 24, |files| {
            let bytes = fs::read(&files[0]).unwrap();
            fs::write(&files[0], &bytes[..bytes.len() - 5]).unwrap();
        }),
        ("emptied", 1, |files| Blocks::edit(&files[0], Vec::clear)),
        ("removed", 1, |files| fs::remove_file(&files[0]).unwrap()),
        ("L3: a real record again at the end", 25, |files| {
            Blocks::edit(&files[0], |blocks| blocks.push(blocks[0].clone()));
        }),
    ];
    for (name, first, damage) in rows {
        let folder = copy(&SAMPLES.open);
        damage(&segments(folder.path()));
        let findings = verified(folder.path()).findings;
        assert_eq!(findings.first().map(Finding::seq), Some(first), "{name}: {findings:?}");
    }
}

#[test]
fn l7_whole_files_that_are_gone_or_changed_places_are_named() {
    type Damage = fn(&[PathBuf]);
    let rows: [(&str, Damage); 5] = [
        ("first segment gone", |files| fs::remove_file(&files[0]).unwrap()),
        ("middle segment gone", |files| fs::remove_file(&files[1]).unwrap()),
        ("last segments gone", |files| {
            files[files.len() - 2..].iter().for_each(|file| fs::remove_file(file).unwrap());
        }),
        ("segments swapped", |files| {
            let (one, two) = (fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap());
            fs::write(&files[0], two).unwrap();
            fs::write(&files[1], one).unwrap();
        }),
        ("a block of an early segment gone", |files| {
            Blocks::edit(&files[1], |blocks| drop(blocks.pop()));
        }),
    ];
    for (name, damage) in rows {
        let folder = copy(&SAMPLES.packed);
        damage(&segments(folder.path()));
        let report = verified(folder.path());
        assert!(!report.findings.is_empty(), "{name}");
        // A reader that goes through from the first record on does not pass it by either.
        let read = read(folder.path(), &keys(folder.path())).unwrap();
        let passes = read.collect::<Result<Vec<_>, _>>();
        let kept = passes.map_or(0, |records| records.len() as u64);
        assert!(kept < RECORDS, "{name}: {kept}");
    }
}

#[test]
fn i11_a_gap_is_told_apart_from_a_cut_tail_and_the_check_goes_on_behind_it() {
    let folder = copy(&SAMPLES.packed);
    let files = segments(folder.path());
    let number = |file: &Path| file.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    let (gap, behind) = (number(&files[1]), number(&files[2]));
    fs::remove_file(&files[1]).unwrap();
    Blocks::edit(files.get(3).unwrap(), |blocks| drop(blocks.pop()));
    let report = verified(folder.path());
    assert_eq!(report.findings.first(), Some(&Finding::Gap { seq: gap, through: behind - 1 }));
    assert!(matches!(report.findings[..], [_, Finding::Gap { seq, .. }] if seq > behind));
}

/// An old copy of the folder carries its own old heads. Only a head that was kept elsewhere shows it.
#[test]
fn i11_an_old_folder_put_back_shows_against_an_exported_head() {
    let folder = TempDir::new().unwrap();
    let journal = open_small(folder.path());
    append(&journal, "1").unwrap();
    drop(journal);
    let old = copy(&folder);
    let journal = open_small(folder.path());
    append(&journal, "2").unwrap();
    append(&journal, "3").unwrap();
    drop(journal);
    let exported = fs::read_to_string(folder.path().join("heads")).unwrap();
    assert_eq!(verified(old.path()).findings, []);
    let report = crate::support::try_verified(old.path(), Some(&exported)).unwrap();
    assert_eq!(report.findings, [Finding::Cut { seq: 2, through: 3 }]);

    // Written on from the old state, the same numbers hold other records.
    let journal = open_small(old.path());
    append(&journal, "other").unwrap();
    append(&journal, "others").unwrap();
    drop(journal);
    let report = crate::support::try_verified(old.path(), Some(&exported)).unwrap();
    assert_eq!(report.findings, [Finding::Rewritten { seq: 3 }]);
}

#[test]
fn i11_heads_that_were_changed_or_signed_by_another_are_named() {
    let folder = copy(&SAMPLES.open);
    let path = folder.path().join("heads");
    let heads = fs::read_to_string(&path).unwrap();
    fs::write(&path, heads.replacen("24\n", "23\n", 1)).unwrap();
    assert!(matches!(verified(folder.path()).findings[..], [Finding::Head { .. }, ..]));
    fs::write(&path, format!("{heads}rubbish\n")).unwrap();
    assert!(matches!(verified(folder.path()).findings[..], [Finding::Head { .. }]));
    // Without any, nothing but the chain vouches for the records.
    fs::remove_file(&path).unwrap();
    let report = verified(folder.path());
    assert_eq!((report.findings.len(), report.unsigned), (0, RECORDS));

    let other = TempDir::new().unwrap();
    drop(open_small(other.path()));
    let swapped = copy(&SAMPLES.open);
    for key in ["recording.key", "signing.key"] {
        fs::copy(other.path().join("keys").join(key), swapped.path().join("keys").join(key))
            .unwrap();
    }
    assert!(matches!(try_verified(swapped.path()), Err(JournalFault::Key { .. })));
}

/// A container may get another host name with every start, and the node with it.
#[test]
fn i11_a_node_that_got_another_name_raises_no_alarm() {
    let folder = TempDir::new().unwrap();
    for node in ["one", "two", "three"] {
        let options = JournalOptions { node: node.into(), ..small() };
        let (journal, _) = Journal::open(folder.path(), &keys(folder.path()), options).unwrap();
        message(&journal, "s1", &format!("[\"{node}\"]")).unwrap();
    }
    let report = verified(folder.path());
    assert_eq!((report.findings.len(), report.records, report.unsigned), (0, 3, 0));
    assert!(report.heads >= 3);
    let bundle = Bundle::gather(folder.path(), &keys(folder.path()), None, "s1").unwrap();
    let first = VerifierKey::of("one", &keys(folder.path()));
    for signer in [None, Some(&first)] {
        assert_eq!(bundle.prove(signer).unwrap().records, 3);
    }
}

/// What is appended behind half a head must not be read as its end.
#[test]
fn i9_a_torn_head_is_cut_off_on_the_next_start() {
    let whole = fs::read(SAMPLES.open.path().join("heads")).unwrap();
    let note = whole.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in 1..note {
        let folder = copy(&SAMPLES.open);
        let heads = [&whole[..], &whole[..cut]].concat();
        fs::write(folder.path().join("heads"), heads).unwrap();
        if cut % 16 == 1 {
            let journal = open_small(folder.path());
            append(&journal, "after").unwrap();
            drop(journal);
        }
        assert_eq!(verified(folder.path()).findings, [], "cut at {cut}");
    }
}

#[test]
fn l7_a_broken_record_before_a_whole_one_stops_the_writer() {
    let folder = copy(&SAMPLES.open);
    let file = segments(folder.path()).remove(0);
    Blocks::edit(&file, |blocks| {
        let at = blocks[3].len() - 1;
        blocks[3][at] ^= 1;
    });
    let opened = Journal::open(folder.path(), &keys(folder.path()), small());
    assert!(matches!(opened, Err(JournalFault::Broken { seq: 4, .. })), "{opened:?}");
}

#[test]
fn i9_a_broken_last_record_is_a_torn_one() {
    let folder = copy(&SAMPLES.open);
    let file = segments(folder.path()).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() - 10;
    bytes[at] ^= 1;
    bytes.extend([0; 100]);
    fs::write(&file, &bytes).unwrap();
    let (_, recovery) = Journal::open(folder.path(), &keys(folder.path()), small()).unwrap();
    assert_eq!(recovery.last_seq, RECORDS - 1);
    assert!(recovery.torn_bytes > 100);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i9_any_cut_of_the_last_segment_recovers_to_a_prefix(cut in any::<prop::sample::Index>()) {
        let folder = copy(&SAMPLES.open);
        let file = segments(folder.path()).remove(0);
        let bytes = fs::read(&file).unwrap();
        let head = Blocks::read(&file).head.len();
        let cut = head + cut.index(bytes.len() + 1 - head);
        fs::write(&file, &bytes[..cut]).unwrap();

        let whole = recorded(folder.path());
        let (journal, recovery) = Journal::open(folder.path(), &keys(folder.path()), small()).unwrap();
        prop_assert_eq!(recovery.last_seq, whole.len() as u64);
        prop_assert_eq!(&whole[..], &recorded(SAMPLES.open.path())[..whole.len()]);
        append(&journal, "after").unwrap();
        drop(journal);
        let records = recorded(folder.path());
        prop_assert_eq!(records.len(), whole.len() + 1);
        prop_assert!(records[whole.len()].contains("after"));
    }
}

/// I11: a recording that crashed and recovered is no tampered one.
#[test]
fn i11_crashed_and_recovered_logs_raise_no_false_alarm() {
    const LOGS: usize = 1_000;
    let alarms: Vec<_> = (0..LOGS)
        .filter_map(|round| {
            let folder = TempDir::new().unwrap();
            let runs = 1 + round % 3;
            for run in 0..=runs {
                let options = JournalOptions { reserve_bytes: 0, ..JournalOptions::default() };
                let keys = keys(folder.path());
                let (journal, _) = Journal::open(folder.path(), &keys, options).unwrap();
                for number in 0..1 + (round * 7 + run) % 9 {
                    let session = format!("s{run}-{}", number % 2);
                    message(&journal, &session, &format!("[{number}]")).unwrap();
                }
                // The process is gone without closing: nothing is signed or packed at its end.
                crash(journal, folder.path(), round * 31 + run);
            }
            drop(open_small(folder.path()));
            let report = verified(folder.path());
            (!report.findings.is_empty()).then_some((round, report))
        })
        .collect();
    assert!(alarms.is_empty(), "{} of {LOGS}: {:?}", alarms.len(), alarms.first());
}

/// Leaves the folder as a killed process would: heads as they were at some moment, the last segment
/// cut at some byte behind what was signed.
fn crash(journal: Journal, folder: &Path, seed: usize) {
    let heads = fs::read(folder.join("heads")).unwrap();
    let file = segments(folder).pop().unwrap();
    let bytes = fs::read(&file).unwrap();
    drop(journal);
    fs::write(folder.join("heads"), heads).unwrap();
    let head = Blocks::read(&file).head.len();
    let cut = head + (bytes.len() - head) * (seed % 97) / 96;
    fs::write(&file, &bytes[..cut]).unwrap();
}

#[test]
fn l8_lengths_without_an_end_are_errors_in_bounded_memory() {
    let folder = copy(&SAMPLES.open);
    let file = segments(folder.path()).remove(0);
    let head = Blocks::read(&file).head;
    // A block that claims 4 GiB, in a file that claims a terabyte.
    fs::write(&file, [&head[..], &[0xff; 4], &[1]].concat()).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_len(1 << 40).unwrap();
    let read = texts(folder.path());
    assert!(matches!(read, Err(JournalFault::Broken { seq: 1, .. })), "{read:?}");
    // Of the 4 GiB nothing was read: they are not even in memory for a moment.
    let most = fs::read_to_string("/proc/self/status").unwrap();
    let most = most.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(most < 1 << 20, "{most} KiB");
    // A head without an end.
    fs::write(&file, vec![b' '; 1 << 20]).unwrap();
    assert!(matches!(texts(folder.path()), Err(JournalFault::Broken { .. })));
}
