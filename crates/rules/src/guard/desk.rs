//! The work that one inspection does: texts waiting to be read, and what was found in those that
//! were.
//!
//! A text within a text (`sh -c '…'`, `EXEC('…')`, `psql -c …`) is never read by recursion: it is put
//! on the queue, with a depth, so that the stack stays flat whatever is nested.

use std::{borrow::Cow, ops::Range};

use super::{
    Dialect,
    fact::{Facts, Place},
};

/// How deep texts may stand in one another.
const DEPTH_MAX: u8 = 10;
/// How many texts are read for one call.
const TEXTS_MAX: usize = 2048;
/// How many bytes are read for one call, all texts together.
const BYTES_MAX: usize = 2 * 1024 * 1024;
/// A single text larger than this is not read, in bytes.
pub(super) const TEXT_MAX_BYTES: usize = 256 * 1024;

/// Which reader a text is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// SQL; what can't be read is a fact.
    Sql,
    /// A shell script; what can't be read is a fact.
    Shell,
    /// A program with its arguments, already split.
    Argv(Vec<String>),
    /// Python, JavaScript, Ruby, Perl, PHP: looked through for calls.
    Code,
    /// A command for a database without SQL.
    Nosql,
    /// JSON in a text.
    Json,
    /// A path or URL.
    Location,
    /// Nobody knows: looked at only where it reads like a command.
    Probe,
}

/// A text waiting to be read.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) reader: Reader,
    pub(super) text: String,
    pub(super) context: Context,
}

/// What is known of the text being read.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) place: Place,
    pub(super) depth: u8,
    /// Nobody is known to run it: its facts are only suspected.
    pub(super) suspect: bool,
    pub(super) dialect: Option<Dialect>,
}

/// Everything about one inspection.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) facts: Facts,
    queue: Vec<Task>,
    texts: usize,
    bytes: usize,
}

impl Work {
    /// Takes a text in, if there is still room for it.
    pub(super) fn push(&mut self, task: Task) {
        self.texts += 1;
        self.bytes = self.bytes.saturating_add(task.text.len());
        let over = match () {
            () if task.text.len() > TEXT_MAX_BYTES => "it is too long to be read",
            () if task.context.depth > DEPTH_MAX => "texts stand in one another too deeply",
            () if self.texts > TEXTS_MAX || self.bytes > BYTES_MAX => "there is too much to read",
            () => return self.queue.push(task),
        };
        let length = task.text.len();
        self.facts.add("guard.limit", &task.context.place, 0..length, over);
    }

    pub(super) fn pop(&mut self) -> Option<Task> {
        self.queue.pop()
    }
}

/// Where a reader puts what it finds in one text.
pub(super) struct Desk<'a> {
    pub(super) work: &'a mut Work,
    pub(super) context: Context,
}

impl Desk<'_> {
    /// A fact about `span` of the text.
    pub(super) fn fact(
        &mut self,
        label: &'static str,
        span: Range<usize>,
        note: impl Into<String>,
    ) {
        let label: Cow<'static, str> = if self.context.suspect && !label.starts_with("suspect") {
            format!("suspect.{label}").into()
        } else {
            label.into()
        };
        self.work.facts.add(label, &self.context.place, span, note);
    }

    /// The name of something that is touched.
    pub(super) fn name(&mut self, kind: &str, name: &str) {
        if !self.context.suspect {
            self.work.facts.name(kind, name);
        }
    }

    /// A text found at `span` of this one, to be read as well.
    pub(super) fn later(&mut self, reader: Reader, text: impl Into<String>, span: Range<usize>) {
        let place = self.context.place.within(span);
        let context =
            Context { place, depth: self.context.depth.saturating_add(1), ..self.context.clone() };
        self.work.push(Task { reader, text: text.into(), context });
    }
}
