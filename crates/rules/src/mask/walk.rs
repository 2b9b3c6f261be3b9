//! One JSON text, leaf by leaf: which texts there are, and what names each.
//!
//! A leaf is named by the nearest key above it; in a table by its column; and where an object says
//! `{"name": …, "value": …}`, by that name. Never recurses over objects and arrays. JSON within a string
//! is walked by another walk, at most [`super::LEVELS_MAX`] deep.

use std::ops::Range;

use memchr::memchr3;

use super::{
    MaskFault, Masker,
    bits::{BLOCK, Block},
    blob,
    desk::{Desk, Lens, Place, Scope},
    detect::{Hint, Spot, Step, Tells},
    frame::{Frame, Key, Label, Named, Role, Trail},
    json::{Lexer, Quoted, Span, Token},
    neighbours::{self, Neighbours},
    view::View,
};

/// Columns that are remembered, one table.
const COLUMNS_MAX: usize = 512;
/// Keys that were looked at and hold nothing, so that rows of a table cost one look.
const CLEAN_KEYS: usize = 64;
/// Longest number whose exponent is worked out, in digits.
const DIGITS_MAX: usize = 40;

struct Walk<'s> {
    text: &'s str,
    scope: &'s Scope<'s>,
    frames: Vec<Frame>,
    columns: Vec<Vec<Label>>,
    clean: [Clean; CLEAN_KEYS],
    neighbours: Neighbours,
}

/// A key that holds nothing.
#[derive(Clone, Copy, Default)]
struct Clean {
    span: Span,
    hint: Hint,
    tells: Tells,
    role: Role,
}

/// What names a value.
enum Namer<'w> {
    Key(&'w Key),
    Label(&'w Label),
    /// What the text stands under.
    Outside,
    Nothing,
}

impl<'w> Namer<'w> {
    #[inline]
    fn tells(&self, scope: &Scope<'_>) -> Tells {
        match self {
            Self::Key(key) => key.tells,
            Self::Label(label) => label.tells,
            Self::Outside => scope.named.tells,
            Self::Nothing => Tells::Nothing,
        }
    }

    fn named(&self, text: &'w str, scope: &Scope<'w>) -> Named<'w> {
        match self {
            Self::Key(key) => key.named(text),
            Self::Label(label) => label.named(),
            Self::Outside => scope.named,
            Self::Nothing => Named::default(),
        }
    }
}

/// Looks at every leaf of `text`, which stands at `scope`: one JSON value, or `many` that follow each other.
///
/// # Errors
/// [`MaskFault`]; what was found before stays with the desk.
pub(super) fn walk(
    desk: &mut Desk<'_>,
    text: &str,
    many: bool,
    scope: &Scope<'_>,
) -> Result<(), MaskFault> {
    let mut lexer = if many { Lexer::many(text) } else { Lexer::one(text) };
    let mut walk = Walk {
        text,
        scope,
        frames: Vec::with_capacity(16),
        columns: Vec::new(),
        clean: [Clean::default(); CLEAN_KEYS],
        neighbours: if many && scope.level == 0 {
            Neighbours::across()
        } else {
            Neighbours::default()
        },
    };
    while let Some(token) = lexer.next()? {
        match token {
            Token::Open { object } => {
                walk.open(desk, object);
                continue;
            }
            Token::Key(quoted) => {
                walk.key(desk, quoted)?;
                continue;
            }
            Token::Close => walk.close(),
            Token::Text(_) | Token::Number(_) if walk.is_handle(desk) => {}
            Token::Text(quoted) => walk.string(desk, quoted)?,
            Token::Number(span) => walk.number(desk, span),
            Token::Word => walk.not_a_column(),
        }
        walk.ended();
    }
    neighbours::join(desk, text, scope, &walk.neighbours)
}

impl<'s> Walk<'s> {
    fn open(&mut self, desk: &mut Desk<'_>, object: bool) {
        let mut frame = Frame { object, ..Frame::default() };
        if object {
            desk.objects += 1;
            frame.id = desk.objects;
        } else if let Some(parent) = self.frames.last() {
            if parent.object {
                frame.columns = parent.columns;
                if parent.role() == Role::Columns {
                    frame.naming = Some(self.columns.len());
                }
            } else if parent.columns.is_some() {
                (frame.columns, frame.row) = (parent.columns, true);
            } else if parent.index == 0 {
                frame.naming = Some(self.columns.len());
            }
        }
        if frame.naming.is_some() {
            self.columns.push(Vec::new());
        }
        self.frames.push(frame);
    }

    fn close(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        let named =
            frame.naming.filter(|at| self.columns.get(*at).is_some_and(|all| !all.is_empty()));
        if let (Some(_), Some(parent)) = (named, self.frames.last_mut()) {
            parent.columns = named;
        }
    }

    /// After a value: the next one has the next number.
    fn ended(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.index += 1;
        }
    }

    fn key(&mut self, desk: &mut Desk<'_>, quoted: Quoted) -> Result<(), MaskFault> {
        let raw = quoted.span.of(self.text);
        let is_known = |known: &&Clean| !raw.is_empty() && known.span.of(self.text) == raw;
        let [first, second] = slots(raw);
        let known = self.clean.get(first).filter(is_known);
        let key = match known.or_else(|| self.clean.get(second).filter(is_known)) {
            Some(&Clean { hint, tells, role, .. }) => {
                let unescaped = quoted.escaped.then(|| View::of_json(raw).text.into());
                Key { span: quoted.span, unescaped, hidden: false, hint, tells, role }
            }
            None => self.new_key(desk, quoted)?,
        };
        if let Some(frame) = self.frames.last_mut() {
            frame.key = Some(key);
        }
        Ok(())
    }

    fn new_key(&mut self, desk: &mut Desk<'_>, quoted: Quoted) -> Result<Key, MaskFault> {
        let before = desk.hits.len();
        let place = Place::Key(self.frames.last().map_or(0, |frame| frame.id));
        // The path of a key ends with the member before it, and would mislead.
        let frames = self.frames.split_last().map_or(&[][..], |(_, above)| above);
        let trail = Trail { frames, ..self.trail() };
        self.look(desk, quoted, &self.leaf(quoted.span.start(), Named::default(), place, &trail))?;
        let hidden = desk.hits.len() > before;
        let key = Key::new(self.text, quoted);
        let (hint, tells) = desk.masker.detectors.hint(key.text(self.text));
        let key = Key { hidden, hint, tells, ..key };
        if !hidden {
            let Key { span, role, .. } = key;
            let slots = slots(quoted.span.of(self.text));
            if let Ok([first, second]) = self.clean.get_disjoint_mut(slots) {
                *second = std::mem::replace(first, Clean { span, hint, tells, role });
            }
        }
        Ok(key)
    }

    fn string(&mut self, desk: &mut Desk<'_>, quoted: Quoted) -> Result<(), MaskFault> {
        let own = self.frames.last().filter(|frame| frame.object);
        let role = own.map_or(Role::None, Frame::role);
        let before = desk.hits.len();
        let block = self.block(quoted);
        let quiet = block.as_ref().is_some_and(|block| {
            !role.is_blob() && self.is_quiet(desk, quoted, block, self.namer().tells(self.scope))
        });
        if !quiet || !desk.masker.detectors.spots().is_empty() {
            let trail = self.trail();
            let named = self.namer().named(self.text, self.scope);
            let leaf = self.leaf(quoted.span.start(), named, Place::Text, &trail);
            let raw = quoted.span.of(self.text);
            if !(quiet || role.is_blob() && blob::look(desk, raw, quoted.escaped, &leaf)?) {
                self.look_closely(desk, quoted, &leaf)?;
            }
            let spots = self.spots(desk.masker);
            if !spots.is_empty() && !raw.is_empty() {
                let view = View::of_json(raw);
                desk.whole(&view.text, &spots, &leaf.through(&view, 0));
            }
        }
        self.beside(desk, quoted, role)?;
        let hidden = self.is_hidden(desk, quoted, before);
        self.neighbours.add(&mut self.frames, quoted, block.as_ref(), hidden);
        let trail = Trail { text: self.text, frames: &self.frames, up: self.scope.trail };
        self.neighbours.follow(self.text, quoted, || trail.path());
        Ok(())
    }

    /// Whether one of the hits from `first` on masks the whole string.
    fn is_hidden(&self, desk: &Desk<'_>, quoted: Quoted, first: usize) -> bool {
        let hits = desk.hits.get(first..).unwrap_or_default();
        if hits.is_empty() {
            return false;
        }
        let Range { start, end } = self.scope.lens.source(quoted.span.range());
        hits.iter().any(|hit| hit.masked && hit.span.start <= start && end <= hit.span.end)
    }

    fn number(&mut self, desk: &mut Desk<'_>, span: Span) {
        let raw = span.of(self.text);
        let (namer, spots) = (self.namer(), self.spots(desk.masker));
        if !spots.is_empty() || !desk.is_short_number(raw, namer.tells(self.scope)) {
            let (trail, place) = (self.trail(), Place::Number(self.scope.quotes));
            let named = namer.named(self.text, self.scope);
            let leaf = self.leaf(span.start(), named, place, &trail);
            desk.whole(raw, &spots, &leaf);
            desk.number(raw, &leaf);
        }
        self.not_a_column();
    }

    /// A short string without escapes, to be looked at at a glance.
    #[inline]
    fn block(&self, quoted: Quoted) -> Option<Block> {
        let length = quoted.span.length();
        (!quoted.escaped && length <= BLOCK).then(|| Block::of(self.rest(quoted), length))
    }

    /// The text from the start of a string on.
    #[inline]
    fn rest(&self, quoted: Quoted) -> &'s [u8] {
        self.text.as_bytes().get(quoted.span.start()..).unwrap_or_default()
    }

    #[inline]
    fn is_quiet(&self, desk: &Desk<'_>, quoted: Quoted, block: &Block, tells: Tells) -> bool {
        desk.is_quiet(self.rest(quoted), block, tells)
    }

    /// What a string tells of the values beside it: their name, or the next column.
    fn beside(&mut self, desk: &mut Desk<'_>, quoted: Quoted, role: Role) -> Result<(), MaskFault> {
        let text = self.text;
        let Some(depth) = self.frames.len().checked_sub(1) else { return Ok(()) };
        let Some(frame) = self.frames.get_mut(depth) else { return Ok(()) };
        let mut late = None;
        let naming = if role == Role::Name {
            let name = Label::new(text, quoted, desk.masker.detectors);
            late = frame.unnamed.take();
            frame.name = Some(name.clone());
            // `"columns": [{"name": …}, …]`
            let above = depth.checked_sub(1).and_then(|above| self.frames.get(above));
            above.and_then(|array| array.naming).map(|at| (at, name))
        } else {
            if role.is_value() && frame.name.is_none() {
                frame.unnamed = Some(quoted);
            }
            frame.naming.map(|at| (at, Label::new(text, quoted, desk.masker.detectors)))
        };
        if let Some((at, name)) = naming
            && let Some(all) = self.columns.get_mut(at).filter(|all| all.len() < COLUMNS_MAX)
        {
            all.push(name);
        }
        if let Some(value) = late {
            let trail = self.trail();
            let name = self.frames.last().and_then(|frame| frame.name.as_ref()).map(Label::named);
            let name = name.unwrap_or_default();
            self.look(desk, value, &self.leaf(value.span.start(), name, Place::Text, &trail))?;
        }
        Ok(())
    }

    /// A number among an array's first items: they are no columns.
    fn not_a_column(&mut self) {
        if let Some(frame) = self.frames.last_mut().filter(|frame| !frame.object)
            && let Some(columns) = frame.naming.take().and_then(|at| self.columns.get_mut(at))
        {
            columns.clear();
        }
    }

    /// The spots of an operator's own that the current value stands at.
    fn spots<'m>(&self, masker: Masker<'m>) -> Vec<&'m Spot> {
        let fits = |(frame, step): (&Frame, &Step)| match step {
            Step::Member(name) => frame.object && frame.key(self.text) == Some(name),
            Step::Item(index) => !frame.object && frame.index == *index,
            Step::Any => !frame.object,
        };
        let all = masker.detectors.spots().iter();
        let is_here = |spot: &&Spot| {
            spot.steps.len() <= self.frames.len()
                && self.frames.iter().rev().zip(spot.steps.iter().rev()).all(fits)
        };
        all.filter(is_here).collect()
    }

    /// Looks at a key or a string.
    fn look(&self, desk: &mut Desk<'_>, quoted: Quoted, leaf: &Scope<'_>) -> Result<(), MaskFault> {
        let quiet = self
            .block(quoted)
            .is_some_and(|block| self.is_quiet(desk, quoted, &block, leaf.named.tells));
        if quiet { Ok(()) } else { self.look_closely(desk, quoted, leaf) }
    }

    fn look_closely(
        &self,
        desk: &mut Desk<'_>,
        quoted: Quoted,
        leaf: &Scope<'_>,
    ) -> Result<(), MaskFault> {
        let raw = quoted.span.of(self.text);
        if quoted.escaped {
            let view = View::of_json(raw);
            desk.spend(view.text.len())?;
            desk.text(&view.text, &leaf.through(&view, 0))
        } else {
            desk.text(raw, leaf)
        }
    }

    /// What names the current value.
    #[inline]
    fn namer(&self) -> Namer<'_> {
        let mut frames = self.frames.iter().rev();
        let Some(last) = frames.next() else { return Namer::Outside };
        if last.row
            && let Some(columns) = last.columns.and_then(|at| self.columns.get(at))
            && let Some(column) = columns.get(last.index)
        {
            return Namer::Label(column);
        }
        let named = |frame: &'_ &Frame| frame.object;
        let Some(frame) = std::iter::once(last).chain(frames).find(named) else {
            return Namer::Outside;
        };
        match &frame.name {
            Some(name) if frame.role().is_value() => Namer::Label(name),
            _ => frame.key.as_ref().map_or(Namer::Nothing, Namer::Key),
        }
    }

    fn trail(&self) -> Trail<'_> {
        Trail { text: self.text, frames: &self.frames, up: self.scope.trail }
    }

    fn leaf<'l>(
        &'l self,
        base: usize,
        named: Named<'l>,
        place: Place,
        trail: &'l Trail<'l>,
    ) -> Scope<'l> {
        let lens = Lens { base, view: None, up: Some(&self.scope.lens) };
        let Scope { level, quotes, .. } = *self.scope;
        Scope { named, lens, level, quotes: quotes + 1, place, trail: Some(trail) }
    }

    /// Whether the current value is one that is passed on unseen.
    #[inline]
    fn is_handle(&self, desk: &Desk<'_>) -> bool {
        let fits = |(frame, part): (&Frame, &&str)| {
            if frame.object { frame.key(self.text) == Some(part) } else { *part == "*" }
        };
        let is = |handle: &&[&str]| {
            handle.len() == self.frames.len() && self.frames.iter().zip(*handle).all(fits)
        };
        self.scope.level == 0 && desk.masker.handles.iter().any(is)
    }
}

/// Whether a look at `text` as JSON is worth it.
pub(super) fn may_be_json(text: &str) -> bool {
    matches!(text.trim_ascii_start().as_bytes(), [b'{' | b'[' | b'"', _, ..])
}

/// The two places where a key may be remembered; a new one takes the first, and what stood there the second.
#[inline]
fn slots(key: &str) -> [usize; 2] {
    let bytes = key.as_bytes();
    let ([first, ..], [.., last]) = (bytes, bytes) else { return [0, 1] };
    let middle = bytes.get(bytes.len() / 2).unwrap_or(last);
    let ends = [first, last, middle];
    let mixed = ends.iter().fold(bytes.len(), |mixed, byte| mixed * 31 + usize::from(**byte));
    let first = (mixed % CLEAN_KEYS) & !1;
    [first, first + 1]
}

/// The digits of the whole number that `raw` stands for, where it is written with a fraction or an
/// exponent: `4.2e3` is 4200.
pub(super) fn whole_number(raw: &str) -> Option<String> {
    memchr3(b'.', b'e', b'E', raw.as_bytes())?;
    if raw.ends_with(|c: char| matches!(c, '1'..='9')) && !raw.contains(['e', 'E']) {
        // The usual fraction.
        return None;
    }
    let (mantissa, exponent) = raw.split_once(['e', 'E']).unwrap_or((raw, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (whole, fraction) = (whole.trim_start_matches('-'), fraction.trim_end_matches('0'));
    let shift = exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?;
    if let Ok(zeros) = usize::try_from(shift) {
        let fits = zeros <= DIGITS_MAX;
        return fits.then(|| format!("{whole}{fraction}{}", "0".repeat(zeros)));
    }
    // Zeros at the end of a whole number are all that an exponent below zero may take.
    let dropped = usize::try_from(shift.checked_neg()?).ok().filter(|_| fraction.is_empty())?;
    let (kept, zeros) = whole.split_at_checked(whole.len().checked_sub(dropped)?)?;
    zeros.bytes().all(|byte| byte == b'0').then(|| kept.to_owned())
}
