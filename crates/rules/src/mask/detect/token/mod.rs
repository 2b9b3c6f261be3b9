//! Secrets by their form: those of the [`table`], and a few that need a look of their own.

mod shapes;
mod table;

use std::sync::LazyLock;

use super::{
    bytes::{self, DIGIT, LETTER, at, before, kind},
    page::{Page, What, what},
};
use table::{Body, ROWS, Row};

pub(super) use shapes::{colon, decode, dollar, pem, tilde};

/// Bytes of a prefix that are looked at together.
const HEAD: usize = 3;

/// Which three bytes begin a prefix, as a set of 16-bit hashes, and the rows by these bytes.
struct Heads {
    set: Box<[u64]>,
    rows: Vec<(u32, &'static Row)>,
}

static HEADS: LazyLock<Heads> = LazyLock::new(|| {
    let mut set = vec![0u64; 1024].into_boxed_slice();
    let mut rows: Vec<(u32, &'static Row)> = Vec::new();
    for row in ROWS {
        let head = row.prefix.bytes().take(HEAD).fold(0, |head, byte| head << 8 | u32::from(byte));
        let (slot, bit) = place(head);
        if let Some(slot) = set.get_mut(slot) {
            *slot |= bit;
        }
        rows.push((head, row));
    }
    // Of two prefixes that both fit, the longer one says more.
    rows.sort_by_key(|(head, row)| (*head, usize::MAX - row.prefix.len()));
    Heads { set, rows }
});

fn place(head: u32) -> (usize, u64) {
    let hash = head.wrapping_mul(0x9e37_79b1) >> 16;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

/// Looks for secrets in the word `start..end`, and says where to go on if there is one.
pub(super) fn look(page: &mut Page<'_>, start: usize, end: usize, kinds: u8) -> Option<usize> {
    let heads = &*HEADS;
    let text = page.bytes();
    let mut head = 0;
    let mut skip_to = start;
    for (place_in, byte) in page.part(start, end).iter().enumerate() {
        head = (head << 8 | u32::from(*byte)) & 0x00ff_ffff;
        let (slot, bit) = place(head);
        if heads.set.get(slot).is_some_and(|bits| bits & bit != 0) && place_in + 1 >= HEAD {
            let from = start + place_in + 1 - HEAD;
            if from >= skip_to
                && let Some(reached) = begin(page, heads, head, from)
            {
                skip_to = reached;
            }
        }
    }
    if skip_to > start {
        return Some(skip_to.max(end));
    }
    let (start, end, kinds) = super::walk::bare(text, start, end, kinds);
    shapes::word(page, text, start, end, kinds)
}

/// Tries the rows that begin with `head`.
fn begin(page: &mut Page<'_>, heads: &Heads, head: u32, from: usize) -> Option<usize> {
    let text = page.bytes();
    let first = heads.rows.partition_point(|(known, _)| *known < head);
    let rows = heads.rows.get(first..)?.iter().take_while(|(known, _)| *known == head);
    for (_, row) in rows {
        if !bytes::has(text, from, row.prefix.as_bytes())
            || !row.glued && kind(before(text, from)) & (LETTER | DIGIT) != 0
        {
            continue;
        }
        let body = from + row.prefix.len();
        let length = bytes::run(text, body, row.most.max(64), |byte| belongs(row.body, byte));
        let length = length - trailing(text, body, length);
        let longer = belongs(row.body, at(text, body + length));
        if length < row.least || row.exact && (length > row.most || longer) {
            continue;
        }
        let secret = bytes::part(text, body, body + length);
        if is_random(secret, row) {
            let what = What { class: row.class, detector: row.prefix };
            page.take(from, body + length, what, 92);
            return Some(body + length);
        }
    }
    None
}

/// Dots and dashes at the end belong to the sentence.
fn trailing(text: &[u8], body: usize, length: usize) -> usize {
    bytes::run_back(text, body + length, length, |byte| matches!(byte, b'.' | b'-'))
}

fn belongs(body: Body, byte: u8) -> bool {
    let alnum = kind(byte) & (LETTER | DIGIT) != 0;
    match body {
        Body::Alnum => alnum,
        Body::Word => alnum || byte == b'_',
        Body::Url => alnum || matches!(byte, b'_' | b'-'),
        Body::Wide => alnum || matches!(byte, b'_' | b'-' | b'.' | b'='),
        Body::Base64 => alnum || matches!(byte, b'+' | b'/' | b'=' | b'%' | b'_' | b'-'),
        Body::Base64Url => alnum || matches!(byte, b'_' | b'-' | b'='),
        Body::Base32 => matches!(byte, b'A'..=b'Z' | b'2'..=b'7'),
        Body::Hex => byte.is_ascii_hexdigit() || byte == b'-',
        Body::Upper => matches!(byte, b'A'..=b'Z' | b'0'..=b'9'),
        Body::Low => matches!(byte, b'a'..=b'z' | b'0'..=b'9'),
        Body::Path => alnum || matches!(byte, b'_' | b'-' | b'/' | b':' | b'@' | b'=' | b'%'),
        Body::Percent => alnum || byte == b'%',
    }
}

/// Whether this could have been drawn by lot: `xxxxxxxx` and words joined by dashes were not.
fn is_random(secret: &[u8], row: &Row) -> bool {
    let distinct = bytes::distinct(secret);
    if distinct < 6 {
        return false;
    }
    let digits = secret.iter().any(u8::is_ascii_digit);
    let words = secret.split(|byte| matches!(byte, b'-' | b'_' | b'.'));
    let spelled = words.clone().count() > 2
        && words.clone().all(|word| word.len() < 12 && word.iter().all(u8::is_ascii_lowercase));
    // A short prefix needs a digit behind it, since letters alone may go on a word.
    !spelled
        && (digits
            || row.prefix.len() >= 6
            || bytes::changes(secret) >= 6
            || row.body == Body::Base32)
}

pub(super) const fn secret(class: &'static str, detector: &'static str) -> What {
    what(class, detector)
}
