//! What was sealed opens whole and in its order, or not at all.

use std::io::{Read as _, Write as _};

use proptest::{collection::vec, prelude::*};

use super::{CHUNK_BYTES, Opener, Sealer, StreamFault, head::HEAD_BYTES};
use crate::Secret;

const TAG_BYTES: usize = 16;
const PASSPHRASE: &str = "correct horse battery staple";

fn secret(text: &str) -> Secret {
    Secret::of_text(text.to_owned()).unwrap()
}

fn sealed(text: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::begin_at(Vec::new(), &secret(PASSPHRASE), 10).unwrap();
    sealer.write_all(text).unwrap();
    sealer.finish().unwrap()
}

/// What is given out, and how it ended.
fn opened(sealed: &[u8], passphrase: &str) -> (Vec<u8>, Result<(), StreamFault>) {
    let mut opener = match Opener::begin(sealed, &secret(passphrase)) {
        Ok(opener) => opener,
        Err(fault) => return (Vec::new(), Err(fault)),
    };
    let mut text = Vec::new();
    let read = opener.read_to_end(&mut text);
    let finished = opener.finish();
    assert_eq!(read.is_ok(), finished.is_ok());
    (text, finished)
}

fn fault(sealed: &[u8]) -> String {
    opened(sealed, PASSPHRASE).1.unwrap_err().to_string()
}

#[test]
fn what_is_sealed_opens() {
    for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 200_000] {
        let text: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let sealed = sealed(&text);
        let chunks = length.div_ceil(CHUNK_BYTES).max(1);
        assert_eq!(sealed.len(), HEAD_BYTES + length + chunks * TAG_BYTES, "{length}");
        let (given, end) = opened(&sealed, PASSPHRASE);
        end.unwrap();
        assert!(given == text, "{length}");
    }
}

const FOREIGN: &str = "it is no backup of Lockgate";
const PASSPHRASE_OR_HEAD: &str =
    "the passphrase is not the one that it was sealed with, or its head was changed";
const CHUNK_1: &str = "chunk 1 was changed, is out of its order, or was cut short";
const CHUNK_2: &str = "chunk 2 was changed, is out of its order, or was cut short";

#[test]
fn damage_is_refused_by_name() {
    const SEALED: usize = CHUNK_BYTES + TAG_BYTES;
    let whole = sealed(&vec![7; 2 * CHUNK_BYTES + 100]);
    let chunk = |number: usize| &whole[HEAD_BYTES + number * SEALED..][..SEALED];
    let (head, last) = (&whole[..HEAD_BYTES], &whole[HEAD_BYTES + 2 * SEALED..]);
    let changed = |at: usize| {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        changed
    };
    for (name, damaged, expected) in [
        ("nothing", Vec::new(), FOREIGN),
        ("another file", b"PK\x03\x04".to_vec(), FOREIGN),
        ("its beginning", changed(3), FOREIGN),
        ("the format", changed(16), "it has format 0, which is not known here"),
        ("the cost", changed(17), PASSPHRASE_OR_HEAD),
        ("the salt", changed(20), PASSPHRASE_OR_HEAD),
        ("the check", changed(HEAD_BYTES - 1), PASSPHRASE_OR_HEAD),
        ("the text", changed(HEAD_BYTES + SEALED + 9), CHUNK_2),
        ("a tag", changed(HEAD_BYTES + SEALED - 1), CHUNK_1),
        ("two in each other's place", [head, chunk(1), chunk(0), last].concat(), CHUNK_1),
        ("one taken out", [head, chunk(0), last].concat(), CHUNK_2),
        ("one twice", [head, chunk(0), chunk(0), chunk(1), last].concat(), CHUNK_2),
        ("cut in the head", head[..40].to_vec(), "it is cut short: chunk 0 is not there"),
        ("cut behind the head", head.to_vec(), "it is cut short: chunk 1 is not there"),
        (
            "cut behind a chunk",
            [head, chunk(0), chunk(1)].concat(),
            "it is cut short: chunk 3 is not there",
        ),
        (
            "cut within a chunk",
            whole[..whole.len() - 1].to_vec(),
            "chunk 3 was changed, is out of its order, or was cut short",
        ),
        (
            "another stream's chunk",
            [head, &sealed(&vec![7; CHUNK_BYTES + 1])[HEAD_BYTES..][..SEALED], chunk(1), last]
                .concat(),
            CHUNK_1,
        ),
    ] {
        assert_eq!(fault(&damaged), expected, "{name}");
    }
    // A last chunk that is full tells what follows from its own text.
    let full = sealed(&vec![7; CHUNK_BYTES]);
    let more = [full.as_slice(), b"x"].concat();
    assert_eq!(fault(&more), "something stands behind its end, which is chunk 1");
}

#[test]
fn a_passphrase_is_long_and_the_right_one() {
    let short = Sealer::begin_at(Vec::new(), &secret("eleven char"), 10).err().unwrap();
    assert_eq!(short.to_string(), "the passphrase has fewer than 12 characters");
    let end = opened(&sealed(b"text"), "correct horse battery stable").1;
    assert!(matches!(end, Err(StreamFault::Passphrase)), "{end:?}");
    let mut costly = sealed(b"text");
    for (cost, named) in [(9, "2^9"), (21, "2^21"), (255, "2^255")] {
        costly[17] = cost;
        assert!(fault(&costly).contains(named));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is done to a stream: what is given out is a beginning of the text, and the end says yes
    /// to the unchanged stream alone.
    #[test]
    fn nothing_else_opens(
        length in 0..3 * CHUNK_BYTES,
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..3),
    ) {
        let text: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let whole = sealed(&text);
        let mut other = whole.clone();
        for (at, byte, how) in changes {
            let at = at.index(other.len() + 1);
            match how {
                0 => other.truncate(at),
                1 => other.insert(at, byte),
                2 if at < other.len() => { other.remove(at); }
                _ if at < other.len() => other[at] ^= byte,
                _ => {}
            }
        }
        // A cost that was changed to a high one would take its time.
        prop_assume!(other.get(17).is_none_or(|cost| *cost <= 10 || *cost > 20));
        let (given, end) = opened(&other, PASSPHRASE);
        prop_assert!(text.starts_with(&given));
        prop_assert_eq!(end.is_ok(), other == whole);
    }
}
