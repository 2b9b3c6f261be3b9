//! Values that were cut in two: over text blocks, items of an array, or members of an object.
//!
//! Strings that stand side by side are put together again and looked at as one text; what is found over a
//! seam is masked on both sides of it. In lists of numbers chance would find much, so that digits alone
//! count only where a value is exactly the strings that it is cut into.

use std::{collections::BTreeMap, ops::Range};

use super::{
    MaskFault, Operator,
    bits::Block,
    desk::{Desk, Hit, Place, Scope},
    frame::{Frame, Role, Trail},
    json::{Quoted, Span},
    operator,
    view::View,
};

/// How much of a long string is put together with its neighbours, in bytes: more than any key.
const WINDOW: usize = 8 * 1024;
/// How far from a seam something must look like a part of a value, in bytes.
const REACH: usize = 48;
/// A word from this length on may be an encoded value, in bytes.
const WORD_MIN: usize = 12;
/// Members of an object are put together where they are shorter, in bytes.
const FIELD_MAX: usize = 32;
/// How sure a finding over items or members must be, in percent.
const SURE: u8 = 85;
/// How far above a block the array of blocks may be.
const ABOVE_MAX: usize = 3;

/// Strings of one text that stand side by side.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    pieces: Vec<Piece>,
    groups: u32,
    /// Strings of the messages so far by their place, where messages follow each other.
    across: Option<BTreeMap<String, Piece>>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    span: Span,
    escaped: bool,
    /// Whether all of it is masked.
    hidden: bool,
    kind: Kind,
    /// Which strings belong together; 0 for one that has no neighbour yet.
    group: u32,
    index: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The text of a block in an array of blocks.
    Block,
    /// An item of an array.
    Item,
    /// A member of an object.
    Field,
}

/// A piece as it is put together.
struct Part {
    kind: Kind,
    /// Where its raw text begins.
    base: usize,
    raw: usize,
    view: Option<View>,
    /// Where it stands in the joined text.
    joined: Range<usize>,
}

impl Neighbours {
    /// For messages that follow each other.
    pub(super) fn across() -> Self {
        Self { across: Some(BTreeMap::new()), ..Self::default() }
    }

    /// Takes a string with its place, where that counts.
    pub(super) fn follow(&mut self, text: &str, quoted: Quoted, place: impl FnOnce() -> String) {
        let Some(mut all) = self.across.take() else { return };
        let (place, Quoted { span, escaped }) = (place(), quoted);
        let mut piece =
            Piece { span, escaped, hidden: false, kind: Kind::Block, group: 0, index: 0 };
        // What is the same in both, such as a name, is no piece of a text.
        let raw = |piece: &Piece| piece.span.of(text);
        if let Some(before) = all.remove(&place).filter(|before| raw(before) != raw(&piece)) {
            piece = self.link(before, piece);
        }
        all.insert(place, piece);
        self.across = Some(all);
    }

    /// Puts two pieces into one group; the second one as it is there.
    fn link(&mut self, mut before: Piece, mut piece: Piece) -> Piece {
        if before.group == 0 {
            self.groups += 1;
            before.group = self.groups;
            self.pieces.push(before.clone());
        }
        piece.group = before.group;
        self.pieces.push(piece.clone());
        piece
    }

    /// Takes the string that the frames lead to; `block` where it is short and has no escape, and `hidden`
    /// where all of it is masked.
    pub(super) fn add(
        &mut self,
        frames: &mut [Frame],
        quoted: Quoted,
        block: Option<&Block>,
        hidden: bool,
    ) {
        let Some(last) = frames.last() else { return };
        let kind = match last.role() {
            _ if !last.object => Kind::Item,
            Role::Text => Kind::Block,
            _ => Kind::Field,
        };
        let holder = match kind {
            Kind::Block => frames.iter_mut().rev().take(ABOVE_MAX + 1).find(|frame| !frame.object),
            Kind::Item | Kind::Field => frames.last_mut(),
        };
        let Some(holder) = holder else { return };
        let before = holder.tail.take();
        if kind == Kind::Field && !block.is_some_and(is_part) {
            return;
        }
        let Quoted { span, escaped } = quoted;
        let mut piece = Piece { span, escaped, hidden, kind, group: 0, index: holder.index };
        if let Some(before) = before.filter(|it| it.kind == kind && it.index + 1 >= piece.index) {
            piece = self.link(before, piece);
        }
        holder.tail = Some(piece);
    }
}

/// Whether a member may be a part of a number or key: short, one word, with digits.
fn is_part(block: &Block) -> bool {
    let digits = block.range(b'0', b'9');
    if digits == 0 || block.all >> FIELD_MAX != 0 {
        return false;
    }
    let (letters, spaces) = (block.letters(), block.one(b' '));
    let word = letters | digits | block.one(b'_') | block.one(b'-');
    word | spaces == block.all && spaces & letters << 1 == 0
}

/// Looks at what stands side by side in `text`, which stands at `scope`.
///
/// # Errors
/// [`MaskFault::Budget`] and what is wrong with texts within.
pub(super) fn join(
    desk: &mut Desk<'_>,
    text: &str,
    scope: &Scope<'_>,
    neighbours: &Neighbours,
) -> Result<(), MaskFault> {
    let mut pieces: Vec<&Piece> = neighbours.pieces.iter().collect();
    pieces.sort_by_key(|piece| piece.group);
    let groups = pieces.chunk_by(|a, b| a.group == b.group);
    for group in groups.filter(|group| !group.iter().all(|piece| piece.hidden)) {
        let mut run = Run::default();
        for (nth, piece) in group.iter().enumerate() {
            let raw = piece.span.of(text);
            if !run.parts.is_empty()
                && !is_seam(&run.joined, group.get(nth..).unwrap_or_default(), text)
            {
                std::mem::take(&mut run).look(desk, scope)?;
            }
            match windows(raw, piece.escaped) {
                Some((head, tail)) => {
                    run.push(piece, raw, 0..head);
                    std::mem::take(&mut run).look(desk, scope)?;
                    run.push(piece, raw, tail..raw.len());
                }
                None => run.push(piece, raw, 0..raw.len()),
            }
        }
        run.look(desk, scope)?;
    }
    Ok(())
}

/// Whether a value may lie over the seam before the first of `right`, when `left` stands before it.
fn is_seam(left: &str, right: &[&Piece], text: &str) -> bool {
    let from = left.len().saturating_sub(REACH);
    let mut near = left.as_bytes().get(from..).unwrap_or_default().to_vec();
    let most = near.len() + REACH;
    for piece in right {
        let raw = piece.span.of(text).as_bytes();
        near.extend(raw.iter().take(most - near.len()));
        if near.len() >= most {
            break;
        }
    }
    tells(&near)
}

/// Whether something in `near` is likely to stand in a value: digits, marks of addresses and escapes, or a
/// long word, which may be an encoded one.
fn tells(near: &[u8]) -> bool {
    let telling = |byte: &u8| {
        byte.is_ascii_digit() || matches!(byte, b'@' | b'%' | b'&' | b'=' | b'\\' | 0x80..)
    };
    let mut words =
        near.split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'/'));
    near.iter().any(telling)
        || near.windows(2).any(|two| two == b"--")
        || words.any(|word| word.len() >= WORD_MIN)
}

/// Where the head of a long string ends and its tail begins: never within an escape.
fn windows(raw: &str, escaped: bool) -> Option<(usize, usize)> {
    if raw.len() <= 3 * WINDOW {
        return None;
    }
    let bytes = raw.as_bytes();
    let is_whole = |at: &usize| {
        let before = bytes.get(at.saturating_sub(12)..*at).unwrap_or_default();
        raw.is_char_boundary(*at) && !(escaped && before.contains(&b'\\'))
    };
    let cut = |from: usize| (from..from + WINDOW / 2).find(is_whole);
    Some((cut(WINDOW)?, cut(raw.len() - WINDOW)?))
}

/// Pieces that are looked at as one text.
#[derive(Default)]
struct Run {
    joined: String,
    parts: Vec<Part>,
}

impl Run {
    fn push(&mut self, piece: &Piece, raw: &str, span: Range<usize>) {
        let base = piece.span.start() + span.start;
        let raw = raw.get(span).unwrap_or_default();
        let view = piece.escaped.then(|| View::of_json(raw));
        let start = self.joined.len();
        self.joined.push_str(view.as_ref().map_or(raw, |view| &view.text));
        let joined = start..self.joined.len();
        self.parts.push(Part { kind: piece.kind, base, raw: raw.len(), view, joined });
    }

    fn look(self, desk: &mut Desk<'_>, scope: &Scope<'_>) -> Result<(), MaskFault> {
        if self.parts.len() < 2 {
            return Ok(());
        }
        desk.spend(self.joined.len())?;
        let mut beside = desk.beside();
        beside.text(&self.joined, &Scope { level: scope.level, ..Scope::outermost() })?;
        desk.settle(&beside);
        for hit in std::mem::take(&mut beside.hits) {
            let first = self.parts.partition_point(|part| part.joined.end <= hit.span.start);
            let after = self.parts.partition_point(|part| part.joined.start < hit.span.end);
            let parts = self.parts.get(first..after).unwrap_or_default();
            let is_token = |part: &Part| {
                let text = self.joined.get(part.joined.clone()).unwrap_or_default();
                desk.tokens(text).iter().any(|word| word.span == (0..text.len()))
            };
            // Also where what tells of a value is cut, and not the value.
            if self.is_meant(&hit, first..after, parts) && !parts.iter().any(is_token) {
                put(desk, scope, &hit, parts);
            }
        }
        Ok(())
    }

    /// Whether a finding over seams is more than chance.
    fn is_meant(&self, hit: &Hit, at: Range<usize>, parts: &[Part]) -> bool {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
        if first.kind == Kind::Block {
            return true;
        }
        if hit.score < SURE {
            return false;
        }
        let is_number = |part: &Part| {
            let text = self.joined.get(part.joined.clone()).unwrap_or_default();
            text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'.'))
        };
        if parts.len() == 1 {
            return !is_number(first);
        }
        if !parts.iter().all(is_number) {
            return true;
        }
        let before = at.start.checked_sub(1).and_then(|before| self.parts.get(before));
        let beside = [before, self.parts.get(at.end)];
        hit.span == (first.joined.start..last.joined.end)
            && !beside.into_iter().flatten().any(is_number)
    }
}

/// The hit in each of the parts that it lies over: the replacement in the first, a label or nothing in the
/// others.
fn put(desk: &mut Desk<'_>, scope: &Scope<'_>, hit: &Hit, parts: &[Part]) {
    for (nth, part) in parts.iter().enumerate() {
        let start = hit.span.start.max(part.joined.start) - part.joined.start;
        let end = hit.span.end.min(part.joined.end) - part.joined.start;
        if end <= start {
            continue;
        }
        let raw = part.view.as_ref().map_or(start..end, |view| view.source(start..end));
        let span = scope.lens.source(part.base + raw.start..part.base + raw.end.min(part.raw));
        // The value once, however many parts it has.
        let value = if nth == 0 { hit.value.clone() } else { String::new() };
        desk.hits.push(Hit {
            span,
            class: hit.class.clone(),
            score: hit.score,
            detector: hit.detector.clone(),
            masked: hit.masked,
            value,
            place: Place::Text,
            path: scope.trail.map(Trail::path).unwrap_or_else(|| "$".to_owned()),
            instead: (nth > 0).then(|| match desk.masker.settings.operator(&hit.class) {
                Operator::Drop => String::new(),
                _ => operator::label(&hit.class, ""),
            }),
        });
    }
}
