//! A text as a person would read it, with the way back to the bytes that it came from.
//!
//! | room | undoes |
//! |---|---|
//! | [`fold`] | hidden characters, foreign digits, styled letters, look-alikes |
//! | [`soft`] | percent, HTML, quoted-printable and backslash escapes within a text |
//! | [`runs`] | base64 and hexadecimal |
//!
//! Views are looked at and thrown away: nothing of them is ever sent. One decoding is one pass; what is
//! encoded twice is a view of a view.

mod fold;
mod runs;
mod soft;
#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::memchr;

pub(super) use fold::{fold, is_foldable};
pub(super) use runs::{decode_whole, is_short, runs, short_whole};
pub(super) use soft::{has_escapes, soft};

use super::json;

/// A decoded text and where its bytes come from.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The decoded text.
    pub(super) text: String,
    pieces: Vec<Piece>,
}

/// A stretch of the decoded text.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Where it begins in the decoded text.
    out: u32,
    /// Where it begins in the source.
    source: u32,
    /// How long it is in the source, where it is one unit that can't be cut; [`COPIED`] else.
    unit: u32,
}

/// A piece that was copied as it is.
const COPIED: u32 = u32::MAX;

impl View {
    /// The text that the inside of a JSON string stands for.
    pub(super) fn of_json(inner: &str) -> Self {
        let mut view = Self { text: String::with_capacity(inner.len()), pieces: Vec::new() };
        let mut at = 0;
        while let Some(rest) = inner.get(at..) {
            let length = memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
            view.copy(at, rest.get(..length).unwrap_or_default());
            let Some(escape) = rest.get(length..).filter(|escape| !escape.is_empty()) else {
                break;
            };
            let (character, taken) = json::unescape(escape);
            view.put(at + length, taken, character);
            at += length + taken;
        }
        view
    }

    /// A text that was decoded from `length` bytes of which none can be told from the others.
    pub(super) fn of_unit(text: String, length: usize) -> Self {
        Self { text, pieces: vec![Piece { out: 0, source: 0, unit: short(length) }] }
    }

    /// Copies a stretch that begins at `source`.
    fn copy(&mut self, source: usize, text: &str) {
        if text.is_empty() {
            return;
        }
        let (out, source) = (short(self.text.len()), short(source));
        let follows = self.pieces.last().is_some_and(|last| {
            last.unit == COPIED && source.wrapping_sub(last.source) == out.wrapping_sub(last.out)
        });
        if !follows {
            self.pieces.push(Piece { out, source, unit: COPIED });
        }
        self.text.push_str(text);
    }

    /// Puts one character for `taken` bytes of the source.
    fn put(&mut self, source: usize, taken: usize, character: char) {
        let (out, source) = (short(self.text.len()), short(source));
        self.pieces.push(Piece { out, source, unit: short(taken) });
        self.text.push(character);
    }

    /// Where in the source a stretch of the decoded text comes from: all of what it needs.
    pub(super) fn source(&self, span: Range<usize>) -> Range<usize> {
        let start = self.place(span.start).map_or(0, |(piece, within)| match piece.unit {
            COPIED => piece.source as usize + within,
            _ => piece.source as usize,
        });
        let last = self.place(span.end.saturating_sub(1).max(span.start));
        let end = last.map_or(start, |(piece, within)| match piece.unit {
            COPIED => piece.source as usize + within + 1,
            taken => piece.source as usize + taken as usize,
        });
        start..end.max(start)
    }

    /// Whether parts of it come from parts of the source.
    pub(super) fn is_cut(&self) -> bool {
        let whole = matches!(self.pieces.as_slice(), [piece] if piece.unit != COPIED);
        !whole || self.text.chars().nth(1).is_none()
    }

    fn place(&self, at: usize) -> Option<(&Piece, usize)> {
        let after = self.pieces.partition_point(|piece| piece.out as usize <= at);
        let piece = self.pieces.get(after.checked_sub(1)?)?;
        Some((piece, at - piece.out as usize))
    }
}

/// A place in a text of at most [`super::TEXT_MAX`] bytes.
fn short(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
