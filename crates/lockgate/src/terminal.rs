//! The two voices of the command line: data on stdout, talk on stderr.
//!
//! Never decides what to say. A reader that goes away (`| head`) is no fault: what can't be
//! written is dropped.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde::Serialize;

use crate::failure::Failure;

/// Where a command speaks, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Data as JSON rather than as text.
    pub(crate) json: bool,
    /// Whether stdout takes colour.
    colour: bool,
}

/// The few styles that text may carry; it must read as well without them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    /// Headings.
    Bold,
    /// What matters less.
    Dim,
    /// It went as it should.
    Good,
    /// Refused.
    Bad,
}

impl Terminal {
    /// For this process: colour only on a terminal, and never where `NO_COLOR` is set
    /// (<https://no-color.org>).
    pub(crate) fn of_process(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, colour: wanted && io::stdout().is_terminal() }
    }

    /// One line of data.
    pub(crate) fn data(self, line: impl std::fmt::Display) {
        // A closed pipe is the reader's choice.
        let _ = writeln!(io::stdout().lock(), "{line}");
    }

    /// Bytes of data as they are.
    pub(crate) fn bytes(self, bytes: &[u8]) {
        let _ = io::stdout().lock().write_all(bytes);
    }

    /// One JSON document as data, on lines of its own.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(Failure::bug)?;
        self.data(text);
        Ok(())
    }

    /// One line of talk.
    pub(crate) fn talk(self, line: impl std::fmt::Display) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// A yes-or-no question on stderr, answered on stdin; `None` where nobody is there to answer.
    pub(crate) fn ask(self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{question} [y/N] ");
        let _ = stderr.flush();
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// As [`Self::ask`], for what is not done without a yes.
    ///
    /// # Errors
    /// Where nobody is there to answer.
    pub(crate) fn confirm(self, question: &str) -> Result<bool, Failure> {
        self.ask(question).ok_or_else(|| Failure::usage_text("nobody is there to ask; say --yes"))
    }

    /// A bar on stderr for work over `total` bytes; invisible where nobody watches.
    pub(crate) fn bytes_bar(self, what: &'static str, total: u64) -> ProgressBar {
        const FORM: &str = "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        let bar = ProgressBar::new(total).with_message(what);
        if let Ok(style) = ProgressStyle::with_template(FORM) {
            bar.set_style(style);
        }
        bar
    }

    /// As [`Self::bytes_bar`], for `total` things.
    pub(crate) fn count_bar(self, what: &'static str, total: u64) -> ProgressBar {
        const FORM: &str = "{msg} [{bar:30}] {pos} of {len}, {eta} left";
        let bar = ProgressBar::new(total).with_message(what);
        if let Ok(style) = ProgressStyle::with_template(FORM) {
            bar.set_style(style);
        }
        bar
    }

    /// Whether somebody still reads what is printed.
    pub(crate) fn is_heard(self) -> bool {
        io::stdout().flush().is_ok()
    }

    /// `text` in `style`, or plain where there is no colour.
    pub(crate) fn styled(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Good => "32",
            Style::Bad => "31",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Runs `read` while the terminal does not show what is typed.
///
/// # Errors
/// Where standard input is no terminal.
pub(crate) fn unseen<T>(read: impl FnOnce() -> T) -> Result<T, Failure> {
    let (stdin, failed) = (io::stdin(), |error| Failure::unreachable(format_args!("{error}")));
    let before = tcgetattr(&stdin).map_err(failed)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(failed)?;
    let done = read();
    tcsetattr(&stdin, OptionalActions::Flush, &before).map_err(failed)?;
    Ok(done)
}

/// Replaces control characters by visible escapes, so that recorded or remote text can't steer
/// the terminal that shows it.
pub(crate) fn inert(text: &str) -> String {
    let harmful = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    let isolate = |c: char| ('\u{2066}'..='\u{2069}').contains(&c);
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if harmful(c) || isolate(c) {
            out.extend(c.escape_unicode())
        } else {
            out.push(c)
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn recorded_text_can_not_steer_the_terminal() {
        assert_eq!(inert("a\x1b[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert_eq!(inert("größe ✓"), "größe ✓");
    }
}
