//! What a script is made of once it is read: commands with their words, quotes and constant
//! expansions done.

use std::ops::Range;

/// One word after quote removal and constant expansion.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Word {
    /// Its text; what is not known stands in it as written, such as `$HOME`.
    pub(super) text: String,
    /// A part of it is not known.
    pub(super) opaque: bool,
    /// An unquoted `*`, `?` or `[` stands in it.
    pub(super) glob: bool,
    /// Some of it was quoted or escaped.
    pub(super) quoted: bool,
    /// Some of it came out of a variable, substitution or escape code.
    pub(super) expanded: bool,
    /// Texts of the substitutions in it.
    pub(super) inner: Vec<String>,
    /// Where it stands.
    pub(super) span: Range<usize>,
}

/// What is done with a file or text beside the words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Redirect {
    pub(super) to: Direction,
    pub(super) word: Word,
}

/// Where a redirect goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// `>`: the file is emptied first.
    Write,
    /// `>>`.
    Append,
    /// `<`.
    Read,
    /// `<<` or `<<<`: the text itself.
    Text,
    /// `>&2` and its like.
    Descriptor,
}

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    pub(super) redirects: Vec<Redirect>,
    /// It reads what the command before it writes.
    pub(super) piped: bool,
    /// It runs in the background.
    pub(super) background: bool,
    /// Variables that are set for it, or for the script.
    pub(super) assigns: Vec<String>,
}

/// A script.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    pub(super) commands: Vec<Command>,
    /// Every quote and substitution has its end.
    pub(super) complete: bool,
    /// Texts of substitutions whose commands run as well.
    pub(super) inner: Vec<(String, Range<usize>)>,
    /// A function calls itself twice in the background.
    pub(super) bomb: bool,
}

impl Word {
    /// A word that is known as it stands.
    pub(super) fn plain(text: &str, span: Range<usize>) -> Self {
        Self { text: text.to_owned(), span, glob: text.contains(['*', '?']), ..Self::default() }
    }
}

impl Command {
    /// From its first word to its last.
    pub(super) fn span(&self) -> Range<usize> {
        let start = self.words.first().map_or(0, |word| word.span.start);
        start..self.words.last().map_or(start, |word| word.span.end)
    }
}
