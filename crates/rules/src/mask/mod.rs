//! Masking: what in an answer is a secret or personal, and what stands in its place.
//!
//! [`mask_json`], [`mask_text`], [`mask_event`] and [`Stream`] take bytes and give bytes: every value that
//! the caller may not see is replaced, and every other byte is as it was. Pure, in linear time, and never
//! the caller of anything: who may see which class is policy's word, given here as [`Reveal`].
//!
//! | room | does |
//! |---|---|
//! | [`detect`] | says what a text holds |
//! | [`json`] | walks a message's bytes |
//! | [`view`] | shows a text as a person would read it, and the way back |
//! | [`walk`] | which text stands under which key, in a message and in JSON within texts |
//! | [`sieve`] | texts that are left at a glance |
//! | [`bits`] | bytes by kind, 64 at a time |
//! | [`desk`] | looks at one text in all its views, within the message's budget |
//! | [`known`] | finds values that somebody else says are there |
//! | [`texts`] | gives the texts to somebody who can say |
//! | [`neighbours`] | finds values that were cut in two |
//! | [`operator`] | what stands in place of a value |
//! | [`token`] | stand-ins of a value's form, and how they are known |
//! | [`render`] | puts it there |
//! | [`stream`] | server-sent events |
//! | [`held`] | notifications that a text may be cut over |
//! | [`restore`] | puts what tokens stand for into a call's arguments |
//!
//! A text that is JSON is read as such, at any depth up to [`LEVELS_MAX`], and the same value gets the same
//! replacement everywhere. So the text that mirrors a structured result stays its mirror without being
//! known as one.
//!
//! Where the operator is a token, the caller gets back in arguments what it may not see: [`restore`] is the
//! way from the tokens of [`Masked::issued`] to their values.

pub mod class;
pub mod detect;

mod bits;
mod blob;
mod desk;
mod fault;
mod frame;
mod held;
mod json;
mod known;
mod neighbours;
mod operator;
mod render;
mod restore;
mod settings;
mod sieve;
mod stream;
#[cfg(test)]
mod tests;
mod texts;
mod token;
mod view;
mod walk;

use std::borrow::Cow;

pub use class::{Class, Name};
pub use detect::{Detectors, Finding, Text};
pub use fault::MaskFault;
pub use held::{Held, notification};
pub use known::{Known, KnownValue, NOTHING_KNOWN};
pub use operator::MaskKey;
pub use render::{Issued, Masked, Report};
pub use restore::{Restore, RestoreFault, Restored, restore};
pub use settings::{Binary, MaskSettings, Numbers, Operator, Reveal};
pub use stream::{Passed, Stream, mask_event};
pub use texts::texts;

use self::desk::{Desk, Scope};

/// Nesting of objects and arrays, one JSON text.
pub const DEPTH_MAX: usize = 128;
/// Texts within texts: JSON in strings, base64 and so on, one in the other.
pub const LEVELS_MAX: u8 = 4;

/// Longest message or text, in bytes: views count in 32 bits. What a gateway takes is far below.
const TEXT_MAX: usize = 1 << 31;

/// All that decides what a caller gets to see. Made for each message, from parts that are kept.
#[derive(Clone, Copy)]
pub struct Masker<'a> {
    /// What finds values.
    pub detectors: &'a Detectors,
    /// What is masked, and how.
    pub settings: &'a MaskSettings,
    /// The key of hashes and tokens.
    pub key: &'a MaskKey,
    /// What this caller may see of it.
    pub reveal: &'a Reveal,
    /// What may stand in place of a number.
    pub numbers: Numbers,
    /// Members that are passed on unseen, by their way from the top of a message; `*` stands for any
    /// item of an array.
    pub handles: &'a [&'a [&'a str]],
    /// Values that stand in the message for sure.
    pub known: &'a Known,
    /// Whether reports say where in JSON values stand. What is on the way of a call needs it not.
    pub paths: bool,
}

impl<'a> Masker<'a> {
    /// For numbers that may become strings, without handles, with nothing known, and with paths.
    pub const fn new(
        detectors: &'a Detectors,
        settings: &'a MaskSettings,
        key: &'a MaskKey,
        reveal: &'a Reveal,
    ) -> Self {
        let (numbers, handles, known) = (Numbers::Text, &[] as &[_], &NOTHING_KNOWN);
        Self { detectors, settings, key, reveal, numbers, handles, known, paths: true }
    }
}

/// Masks one message: a whole JSON text (RFC 8259), in UTF-8 without a byte order mark.
///
/// The result is JSON of the same form: objects keep their members and arrays their items, and only masked
/// numbers may become strings. Bytes outside the masked values are those that came.
///
/// # Errors
/// [`MaskFault`] where it was not read to its end; nothing of it may leave then.
pub fn mask_json<'t>(masker: &Masker<'_>, bytes: &'t [u8]) -> Result<Masked<'t>, MaskFault> {
    let text = utf8(bytes)?;
    let mut desk = Desk::new(masker, text.len());
    desk.bare = text.is_ascii() && !view::has_escapes(text.as_bytes());
    walk::walk(&mut desk, text, false, &Scope::outermost())?;
    Ok(render::render(desk, text))
}

/// Masks one text that is no message, such as a line of an error or a file.
///
/// # Errors
/// [`MaskFault`] where it was not read to its end.
pub fn mask_text<'t>(masker: &Masker<'_>, bytes: &'t [u8]) -> Result<Masked<'t>, MaskFault> {
    let text = utf8(bytes)?;
    let mut desk = Desk::new(masker, text.len());
    desk.text(text, &Scope::outermost())?;
    Ok(render::render(desk, text))
}

fn utf8(bytes: &[u8]) -> Result<&str, MaskFault> {
    if bytes.len() > TEXT_MAX {
        return Err(MaskFault::Budget);
    }
    str::from_utf8(bytes).map_err(|error| MaskFault::Encoding { at: error.valid_up_to() })
}

/// The bytes of a masked text.
fn bytes_of(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
