//! Class L, the rows of files: a recording that was damaged or forged is found out, and hostile files
//! cost bounded memory and time.

use std::{
    fs::{self, File},
    ops::Range,
    os::unix::fs::{FileExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{gateway::binary, memory::weigh, room::Room, rows::Rows, say};
use lockgate_model::{Event, Timestamp};
use lockgate_store::journal::{Journal, JournalOptions, Keys};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a reader may hold at one time, in bytes.
const MEMORY_MAX_BYTES: u64 = 300 << 20;
/// What a reader may take, whatever a file claims.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// The wrapped key behind the first line of a segment.
const WRAPPED_BYTES: usize = 60;

/// A recording of three starts, closed and signed.
struct Sample {
    data: PathBuf,
    /// The key that signed it, kept elsewhere.
    key: String,
    /// First records of its segments.
    firsts: Vec<u64>,
}

/// Runs the rows L7 and L8.
pub(crate) fn run(rows: &mut Rows) {
    let mut room = Room::start().unwrap();
    let sample = sample(&mut room).unwrap();
    let whole = verify(&sample.data, &[]);
    rows.twin(7, "a whole recording", whole.and_then(|found| no_finding(&found)));
    let whole = verify(&sample.data, &["--key", &sample.key]);
    rows.twin(
        7,
        "a whole recording, key kept elsewhere",
        whole.and_then(|found| no_finding(&found)),
    );
    damaged(rows, &sample);
    forged(rows, &sample);
    let most = hostile(rows, &sample);
    say(&format!("L8: no reader of a hostile file held more than {} MB", most >> 20));
}

fn sample(room: &mut Room) -> anyhow::Result<Sample> {
    for run in 0..3 {
        if run > 0 {
            room.gateway.kill()?;
            room.gateway.run()?;
            room.gateway.wait_ready()?;
        }
        let alice = room.alice()?;
        lockgate_e2e::room::wait_for_tools(&alice)?;
        for number in 0..5 {
            let call = alice.call("any", json!({ "run": run, "number": number }));
            ensure!(alice.send(&call)?.status == 200, "a call of run {run}");
        }
    }
    room.gateway.signal(Signal::TERM)?;
    room.gateway.wait_end(Duration::from_secs(20))?;
    let (code, key) = room.gateway.command(&["journal", "key"])?;
    ensure!(code == 0, "{key}");
    let data = room.gateway.data();
    let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse().ok();
    let firsts: Vec<u64> = segments(&data)?.iter().filter_map(number).collect();
    ensure!(firsts.len() >= 3, "{} segments", firsts.len());
    Ok(Sample { data, key: key.trim().to_owned(), firsts })
}

/// L7: what was done, and the records of which the first bad one must be.
fn damaged(rows: &mut Rows, sample: &Sample) {
    type Damage = fn(&[PathBuf]) -> anyhow::Result<()>;
    let last = sample.firsts.len() - 1;
    let (first_of, end) = (|at: usize| sample.firsts[at], u64::MAX);
    let cases: [(&str, Range<u64>, Damage); 8] = [
        ("tail truncated", first_of(last)..end, |files| {
            let file = File::options().write(true).open(files.last().context("a segment")?)?;
            Ok(file.set_len(file.metadata()?.len() - 40)?)
        }),
        ("tail truncated by whole records", first_of(last)..end, |files| {
            edit(files.last().context("a segment")?, |blocks| blocks.truncate(blocks.len() - 2))
        }),
        (
            "bit flipped in record 3 of the last segment",
            first_of(last) + 2..first_of(last) + 3,
            |files| edit(files.last().context("a segment")?, |blocks| blocks[2][40] ^= 4),
        ),
        ("bit flipped in a closed segment", first_of(1)..first_of(2), |files| {
            edit(&files[1], |blocks| blocks[0][40] ^= 1)
        }),
        ("files swapped", 1..first_of(2), |files| {
            let (one, two) = (fs::read(&files[0])?, fs::read(&files[1])?);
            fs::write(&files[0], two)?;
            Ok(fs::write(&files[1], one)?)
        }),
        ("middle file deleted", first_of(1)..first_of(1) + 1, |files| {
            Ok(fs::remove_file(&files[1])?)
        }),
        ("record 2 of the last segment deleted", first_of(last) + 1..first_of(last) + 2, |files| {
            edit(files.last().context("a segment")?, |blocks| drop(blocks.remove(1)))
        }),
        ("a real record again at the end", first_of(last)..end, |files| {
            edit(files.last().context("a segment")?, |blocks| blocks.push(blocks[0].clone()))
        }),
    ];
    for (case, expected, damage) in cases {
        let outcome = (|| {
            let copy = copy(&sample.data)?;
            damage(&segments(copy.path())?)?;
            let found = verify(copy.path(), &[])?;
            ensure!(found.code == 1, "exit {}: {}", found.code, found.text);
            let seq = found.first_seq().with_context(|| format!("no finding: {}", found.text))?;
            ensure!(
                expected.contains(&seq),
                "#{seq} is named, not one of {expected:?}: {}",
                found.text
            );
            Ok(())
        })();
        rows.row(7, case, outcome);
    }
}

/// L7: a recording that is whole in itself, but was not written by this gateway.
fn forged(rows: &mut Rows, sample: &Sample) {
    let forge = || -> anyhow::Result<TempDir> {
        let forged = tempfile::tempdir()?;
        let (journal, keys) = (forged.path().join("journal"), forged.path().join("keys"));
        let keys = Keys::open_or_create(&keys, &journal)?;
        let (written, _) = Journal::open(&journal, &keys, JournalOptions::default())?;
        for number in 0..30 {
            let event = Event::Started { version: format!("forged {number}"), torn_bytes: 0 };
            written.append(Timestamp::from_millis(1), &event)?;
        }
        drop(written);
        Ok(forged)
    };
    let outcome = (|| {
        let (copy, forged) = (copy(&sample.data)?, forge()?);
        fs::remove_dir_all(copy.path().join("journal"))?;
        copy_into(&forged.path().join("journal"), &copy.path().join("journal"))?;
        let found = verify(copy.path(), &[])?;
        ensure!(
            found.code != 0 && found.text.contains("key"),
            "exit {}: {}",
            found.code,
            found.text
        );
        Ok(())
    })();
    rows.row(7, "rewritten under another key", outcome);
    let outcome = (|| {
        let forged = forge()?;
        no_finding(&verify(forged.path(), &[])?).context("the forgery is whole in itself")?;
        let found = verify(forged.path(), &["--key", &sample.key])?;
        ensure!(found.code == 1, "exit {}: {}", found.code, found.text);
        Ok(())
    })();
    rows.row(7, "rewritten whole, keys too, against the key kept elsewhere", outcome);
}

/// Writes a hostile segment into the file, of which it gets the head.
type Make = fn(&Path, &[u8]) -> anyhow::Result<()>;

/// L8: what stands behind a good head.
const BLOCKS: [(&str, Make); 6] = [
    ("a block of 4 GiB in a file of 1 TB", |file, head| {
        fs::write(file, [head, &[0xff; 4], &[1]].concat())?;
        Ok(File::options().write(true).open(file)?.set_len(1 << 40)?)
    }),
    ("a block one byte above the bound", |file, head| {
        fs::write(file, [head, &(82_u32 << 20).to_le_bytes(), &[1]].concat())?;
        Ok(File::options().write(true).open(file)?.set_len(1 << 30)?)
    }),
    ("a block at the bound, of nothing", |file, head| {
        fs::write(file, [head, &(80_u32 << 20).to_le_bytes(), &[1]].concat())?;
        Ok(File::options().write(true).open(file)?.set_len(1 << 30)?)
    }),
    ("a body at the bound, of nothing", |file, head| {
        fs::write(file, [head, &(80_u32 << 20).to_le_bytes(), &[2]].concat())?;
        Ok(File::options().write(true).open(file)?.set_len(1 << 30)?)
    }),
    ("nothing but zeros, 1 GB", |file, head| {
        fs::write(file, head)?;
        Ok(File::options().write(true).open(file)?.set_len(1 << 30)?)
    }),
    ("a zstd frame that claims 1 TB", |file, head| {
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0];
        let length = u32::try_from(frame.len() + 1)?.to_le_bytes();
        Ok(fs::write(file, [head, &length, &[1], &frame].concat())?)
    }),
];

/// L8: what stands in place of a head.
const HEADS: [(&str, Make); 6] = [
    ("a head without an end, 1 GB", |file, _| {
        let made = File::create(file)?;
        made.set_len(1 << 30)?;
        Ok(made.write_all_at(b"{\"lockgate_journal\":", 0)?)
    }),
    ("a head of nested arrays", |file, _| Ok(fs::write(file, "[".repeat(60_000) + "\n")?)),
    ("a head with 2^64", |file, head| {
        let text = String::from_utf8_lossy(head).replacen(
            "\"first_seq\":1",
            "\"first_seq\":18446744073709551616",
            1,
        );
        Ok(fs::write(file, text)?)
    }),
    ("a head that is cut", |file, head| Ok(fs::write(file, &head[..head.len() / 2])?)),
    ("a head without its key", |file, head| Ok(fs::write(file, &head[..head.len() - 9])?)),
    ("a link to itself", |file, _| {
        fs::remove_file(file)?;
        Ok(symlink(file, file)?)
    }),
];

/// L8: gives the most memory that any reader held.
fn hostile(rows: &mut Rows, sample: &Sample) -> u64 {
    let mut most = 0;
    for (case, make) in BLOCKS.into_iter().chain(HEADS) {
        let outcome = (|| {
            let copy = copy(&sample.data)?;
            let file = segments(copy.path())?.remove(0);
            let bytes = fs::read(&file)?;
            make(&file, &bytes[..head_bytes(&bytes)?])?;
            most = most.max(readers(copy.path())?);
            Ok(())
        })();
        rows.row(8, case, outcome);
    }
    let outcome = (|| {
        let copy = copy(&sample.data)?;
        let name = format!("journal/{:020}.segment", u64::MAX);
        fs::copy(segments(copy.path())?.remove(0), copy.path().join(name))?;
        most = most.max(readers(copy.path())?);
        Ok(())
    })();
    rows.row(8, "a segment that begins with record 2^64 - 1", outcome);
    let outcome = (|| {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("evidence.json");
        fs::write(&file, "[".repeat(10 << 20))?;
        let mut command = Command::new(binary()?);
        command.args(["journal", "verify", "--bundle"]).arg(&file);
        let said = folder.path().join("said");
        let ran = weigh(command, &said, WAIT_MAX)?;
        ensure!(![0, -1, 101].contains(&ran.code), "exit {}", ran.code);
        ensure!(ran.memory_max_bytes < MEMORY_MAX_BYTES, "{} bytes", ran.memory_max_bytes);
        Ok(())
    })();
    rows.row(8, "an evidence file of nested arrays", outcome);
    most
}

/// Runs every reader over the folder: each ends by itself with an error, in bounded memory. Gives the
/// most memory that one held.
fn readers(data: &Path) -> anyhow::Result<u64> {
    let mut most = 0;
    for arguments in
        [&["journal", "verify"][..], &["journal", "show"], &["journal", "show", "--json"]]
    {
        let mut command = Command::new(binary()?);
        command.args(arguments).arg("--folder").arg(data);
        let out = tempfile::NamedTempFile::new()?;
        let ran = weigh(command, out.path(), WAIT_MAX)?;
        let text = fs::read_to_string(out.path())?;
        let tail: String = text.lines().rev().take(3).collect();
        ensure!(![0, -1, 101].contains(&ran.code), "{arguments:?}: exit {}: {tail}", ran.code);
        let held = ran.memory_max_bytes;
        ensure!(held < MEMORY_MAX_BYTES, "{arguments:?} held {held} bytes");
        most = most.max(held);
    }
    Ok(most)
}

/// What `journal verify` says.
struct Verified {
    code: i32,
    text: String,
}

impl Verified {
    fn first_seq(&self) -> Option<u64> {
        let report: Value = serde_json::from_str(&self.text).ok()?;
        report["findings"][0]["seq"].as_u64()
    }
}

fn verify(data: &Path, more: &[&str]) -> anyhow::Result<Verified> {
    let mut command = Command::new(binary()?);
    command.args(["journal", "verify", "--json", "--folder"]).arg(data).args(more);
    let said = lockgate_e2e::tools::run(command, WAIT_MAX)?;
    Ok(Verified { code: said.code, text: said.text })
}

fn no_finding(found: &Verified) -> anyhow::Result<()> {
    ensure!(found.code == 0 && found.first_seq().is_none(), "exit {}: {}", found.code, found.text);
    Ok(())
}

fn copy(data: &Path) -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    copy_into(data, folder.path())?;
    Ok(folder)
}

fn copy_into(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_into(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn segments(data: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(data.join("journal"))? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|end| end == "segment"));
    files.sort();
    Ok(files)
}

fn head_bytes(segment: &[u8]) -> anyhow::Result<usize> {
    let line = segment.iter().position(|byte| *byte == b'\n').context("no head")?;
    Ok(line + 1 + WRAPPED_BYTES)
}

/// Changes the blocks of a segment, without any key.
fn edit(file: &Path, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> anyhow::Result<()> {
    let bytes = fs::read(file)?;
    let (head, mut rest) = bytes.split_at(head_bytes(&bytes)?);
    let mut blocks = Vec::new();
    while let Some((length, _)) = rest.split_first_chunk() {
        let (block, behind) =
            rest.split_at((4 + u32::from_le_bytes(*length) as usize).min(rest.len()));
        blocks.push(block.to_vec());
        rest = behind;
    }
    change(&mut blocks);
    Ok(fs::write(file, [head, &blocks.concat()].concat())?)
}
