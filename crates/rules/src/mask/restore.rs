//! The way back: tokens in a call's arguments become what they stand for, before the tool sees them.
//!
//! Every token in a key, a string or a number is found, at any depth of JSON within strings, and the table
//! of issued tokens is asked for its value. A token that the table does not have (another caller's, one
//! that was forgotten, or an address in the domain of tokens that was made up) is a fault, because no tool
//! is to work on a stand-in. A word that only looks like a token, also a token with a character changed,
//! has no seal and is what it is: an ordinary word.
//!
//! The table is the caller's. Its entries are [`Issued`]; it belongs to one scope of
//! [`super::MaskKey::scoped`], and gives none for a token that was issued for two values.

use std::{borrow::Cow, ops::Range};

use super::{
    Class, LEVELS_MAX, MaskFault, MaskKey,
    json::{Lexer, Quoted, Span, Token},
    render::Issued,
    token::Seal,
    utf8,
    view::View,
    walk,
};

/// Arguments with what tokens stand for.
#[derive(Debug)]
pub struct Restored<'t> {
    /// The arguments; borrowed where they hold no token.
    pub bytes: Cow<'t, [u8]>,
    /// What was put back, in order.
    pub restores: Vec<Restore>,
}

/// A value that was put back, without the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// What it is.
    pub class: Class,
    /// Where, as a JSON pointer (RFC 6901) to the string, the number or the value of the key that held its
    /// token; in JSON within strings one after the other, with ` > ` between. Keys are as they came.
    pub pointer: String,
}

/// Why arguments can't be restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreFault {
    /// A token that stands for nothing here.
    #[error("an unknown token at `{pointer}`")]
    Unknown {
        /// Where, as in [`Restore::pointer`].
        pointer: String,
    },
    /// They can't be read.
    #[error(transparent)]
    Unread(#[from] MaskFault),
}

/// A stretch of a text, and what is to stand there.
type Edit = (Range<usize>, String);

/// Puts what tokens stand for into `arguments`, which are one JSON text. `find` is the table of tokens:
/// what was issued under `key`, by the token.
///
/// A token that is a whole string, and was issued for a number that became a string, becomes that number
/// again. All bytes but the tokens stay.
///
/// # Errors
/// [`RestoreFault`] at the first token that `find` does not know.
pub fn restore<'t>(
    key: &MaskKey,
    arguments: &'t [u8],
    find: &dyn Fn(&str) -> Option<Issued>,
) -> Result<Restored<'t>, RestoreFault> {
    let text = utf8(arguments)?;
    let mut restoring = Restoring { seal: Seal::new(key), find, restores: Vec::new() };
    let edits = restoring.document(Lexer::one(text), text, "", 0)?;
    let bytes = match edits.as_slice() {
        [] => Cow::Borrowed(arguments),
        edits => Cow::Owned(edited(text, edits).into_bytes()),
    };
    Ok(Restored { bytes, restores: restoring.restores })
}

struct Restoring<'a> {
    seal: Seal,
    find: &'a dyn Fn(&str) -> Option<Issued>,
    restores: Vec<Restore>,
}

/// An open object or array on the way to a leaf.
struct Frame {
    /// The current member's key; `None` in an array.
    key: Option<Quoted>,
    /// How many items came before the current one.
    index: usize,
}

/// Where a leaf is.
struct Place<'p> {
    text: &'p str,
    above: &'p str,
    frames: &'p [Frame],
}

impl Place<'_> {
    fn pointer(&self) -> String {
        let mut pointer = self.above.to_owned();
        for frame in self.frames {
            pointer.push('/');
            match &frame.key {
                Some(key) => {
                    let key = unescaped(self.text, *key);
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                }
                None => pointer.push_str(&frame.index.to_string()),
            }
        }
        pointer
    }
}

impl Restoring<'_> {
    /// What is to be changed in a JSON text, in order.
    fn document(
        &mut self,
        mut lexer: Lexer<'_>,
        text: &str,
        above: &str,
        level: u8,
    ) -> Result<Vec<Edit>, RestoreFault> {
        let (mut edits, mut frames): (Vec<Edit>, Vec<Frame>) = (Vec::new(), Vec::new());
        while let Some(token) = lexer.next()? {
            match token {
                Token::Open { .. } => {
                    frames.push(Frame { key: None, index: 0 });
                    continue;
                }
                Token::Close => {
                    frames.pop();
                }
                Token::Key(quoted) => {
                    if let Some(frame) = frames.last_mut() {
                        frame.key = Some(quoted);
                    }
                    let place = Place { text, above, frames: &frames };
                    self.string(text, quoted, &place, LEVELS_MAX, false, &mut edits)?;
                    continue;
                }
                Token::Text(quoted) => {
                    let place = Place { text, above, frames: &frames };
                    self.string(text, quoted, &place, level, true, &mut edits)?;
                }
                Token::Number(span) => {
                    self.number(text, span, &Place { text, above, frames: &frames }, &mut edits)?;
                }
                Token::Word => {}
            }
            if let Some(frame) = frames.last_mut() {
                frame.index += 1;
            }
        }
        Ok(edits)
    }

    /// `alone`: a string that is a value, and so may become a number.
    fn string(
        &mut self,
        text: &str,
        quoted: Quoted,
        place: &Place<'_>,
        level: u8,
        alone: bool,
        edits: &mut Vec<Edit>,
    ) -> Result<(), RestoreFault> {
        let raw = quoted.span.of(text);
        let view = quoted.escaped.then(|| View::of_json(raw));
        let inner = view.as_ref().map_or(raw, |view| &view.text);
        let base = quoted.span.start();
        let source = |span: Range<usize>| {
            let span = view.as_ref().map_or(span.clone(), |view| view.source(span));
            base + span.start..base + span.end
        };
        if let Some(nested) = self.nested(inner, place, level)? {
            edits.extend(nested.into_iter().map(|(span, new)| (source(span), escaped(&new))));
            return Ok(());
        }
        for word in self.seal.words(inner) {
            let token = inner.get(word.span.clone()).unwrap_or_default();
            let issued = self.ask(token, word.sealed, place)?;
            if alone && issued.number && token.len() == inner.len() {
                edits.push((base - 1..base + raw.len() + 1, issued.value));
            } else {
                edits.push((source(word.span), escaped(&issued.value)));
            }
        }
        Ok(())
    }

    /// What is to be changed in a string that is JSON; `None` where it is none.
    fn nested(
        &mut self,
        inner: &str,
        place: &Place<'_>,
        level: u8,
    ) -> Result<Option<Vec<Edit>>, RestoreFault> {
        if level >= LEVELS_MAX || !walk::may_be_json(inner) {
            return Ok(None);
        }
        let restored = self.restores.len();
        let above = place.pointer() + " > ";
        match self.document(Lexer::many(inner), inner, &above, level + 1) {
            Ok(edits) => Ok(Some(edits)),
            Err(RestoreFault::Unread(MaskFault::Json { .. })) => {
                self.restores.truncate(restored);
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// A number as it is written, or as a reader wrote it again with an exponent.
    fn number(
        &mut self,
        text: &str,
        span: Span,
        place: &Place<'_>,
        edits: &mut Vec<Edit>,
    ) -> Result<(), RestoreFault> {
        let raw = span.of(text);
        let whole = walk::whole_number(raw);
        let digits = whole.as_deref().unwrap_or(raw);
        let is_whole = |range: &Range<usize>| *range == (0..digits.len());
        if !self.seal.words(digits).iter().any(|word| is_whole(&word.span)) {
            return Ok(());
        }
        let issued = self.ask(digits, true, place)?;
        let is_number = serde_json::from_str::<serde_json::Number>(&issued.value).is_ok();
        let quote = if is_number { "" } else { "\"" };
        edits.push((span.range(), format!("{quote}{}{quote}", escaped(&issued.value))));
        Ok(())
    }

    fn ask(
        &mut self,
        token: &str,
        sealed: bool,
        place: &Place<'_>,
    ) -> Result<Issued, RestoreFault> {
        let issued = if sealed { (self.find)(token) } else { None };
        let issued = issued.ok_or_else(|| RestoreFault::Unknown { pointer: place.pointer() })?;
        self.restores.push(Restore { class: issued.class.clone(), pointer: place.pointer() });
        Ok(issued)
    }
}

fn unescaped<'t>(text: &'t str, quoted: Quoted) -> Cow<'t, str> {
    let raw = quoted.span.of(text);
    if quoted.escaped { Cow::Owned(View::of_json(raw).text) } else { Cow::Borrowed(raw) }
}

/// A text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (span, new) in edits {
        out.push_str(text.get(at..span.start).unwrap_or_default());
        out.push_str(new);
        at = span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
