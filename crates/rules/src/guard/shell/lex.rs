//! A shell script as simple commands: POSIX and bash words, quotes, here-documents, pipes.
//!
//! Control words (`if`, `do`, `{`) only separate commands, so every command of every branch is
//! seen. Substitutions are not entered: their texts are handed on.

use std::collections::HashMap;

use super::{
    expand::{BRACE_CLOSE, BRACE_COMMA, BRACE_OPEN, balanced, braces, has_braces},
    word::{Command, Direction, Redirect, Script, Word},
};

/// More commands than this are not looked at.
pub(super) const COMMANDS_MAX: usize = 20_000;
/// A variable's value is not known beyond this, in bytes.
const VALUE_MAX_BYTES: usize = 64 * 1024;

/// Functions that are looked at for whether they call themselves.
const FUNCTIONS_MAX: usize = 64;

/// Constant variables of a script.
pub(super) type Variables = HashMap<String, String>;

/// Reads a script.
pub(super) fn parse(text: &str, depth: u8, variables: &mut Variables) -> Script {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
        depth,
        variables,
        script: Script { complete: true, ..Script::default() },
        command: Command::default(),
        fields: Vec::new(),
        current: None,
        redirect: None,
        documents: Vec::new(),
        looping: None,
        choosing: false,
        subshells: 0,
        functions: 0,
    };
    lexer.run();
    lexer.script
}

pub(super) struct Lexer<'a, 'v> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) depth: u8,
    pub(super) variables: &'v mut Variables,
    pub(super) script: Script,
    pub(super) command: Command,
    /// Finished words of a word that fell apart in expansion.
    pub(super) fields: Vec<Word>,
    pub(super) current: Option<Word>,
    pub(super) redirect: Option<Direction>,
    /// Here-documents whose text begins on the next line: delimiter, verbatim, indented.
    pub(super) documents: Vec<(String, bool, bool)>,
    /// The variable of a `for` whose list is being read.
    pub(super) looping: Option<(String, Vec<String>)>,
    /// Between `case` and its `in`.
    pub(super) choosing: bool,
    /// Subshells that are open.
    pub(super) subshells: usize,
    /// Functions that were defined.
    pub(super) functions: usize,
}

impl Lexer<'_, '_> {
    fn run(&mut self) {
        while self.at < self.bytes.len() && self.script.commands.len() < COMMANDS_MAX {
            self.step();
        }
        self.end_command(false);
    }

    pub(super) fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn step(&mut self) {
        match self.peek(0) {
            b' ' | b'\t' | b'\r' => {
                self.end_word();
                self.at += 1;
            }
            b'\n' => {
                self.end_command(false);
                self.at += 1;
                self.documents();
            }
            b'#' if self.current.is_none() => {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            }
            b';' | b'&' | b'|' => self.separator(),
            b'(' => self.open(),
            b')' => self.close(),
            b'<' | b'>' => self.redirection(),
            _ => self.piece(),
        }
    }

    fn separator(&mut self) {
        match (self.peek(0), self.peek(1)) {
            (b'&', b'>') => {
                self.at += 1;
                self.redirection();
            }
            (b'&', b'&') | (b'|', b'|') | (b';', b';') => {
                self.end_command(false);
                self.at += 2;
            }
            (b'|', next) => {
                self.end_command(true);
                self.at += if next == b'&' { 2 } else { 1 };
            }
            (b'&', _) => {
                self.command.background = true;
                self.end_command(false);
                self.at += 1;
            }
            _ => {
                self.end_command(false);
                self.at += 1;
            }
        }
    }

    fn open(&mut self) {
        if self.peek(1) == b'(' && self.current.is_none() && self.command.words.is_empty() {
            // `((…))` is arithmetic.
            let inner = balanced(self.text, self.at + 1);
            self.at = inner.end.min(self.bytes.len()) + 1;
            return;
        }
        if let Some(word) = &self.current
            && self.peek(1) == b')'
        {
            // `name()`: the definition of a function.
            self.functions += 1;
            if self.functions <= FUNCTIONS_MAX {
                self.find_bomb(&word.text.clone());
            }
            self.current = None;
            self.command = Command::default();
            self.at += 2;
            return;
        }
        if self.current.as_ref().is_some_and(|word| word.text.ends_with('=')) {
            // `a=(…)`: the list of an array.
            let inner = balanced(self.text, self.at);
            self.at = inner.end + 1;
            return;
        }
        self.end_command(false);
        self.subshells += 1;
        self.at += 1;
    }

    /// The end of a subshell, or of a pattern in a `case`.
    fn close(&mut self) {
        if self.subshells == 0 {
            self.current = None;
            self.fields.clear();
            self.command.words.clear();
        }
        self.subshells = self.subshells.saturating_sub(1);
        self.end_command(false);
        self.at += 1;
    }

    /// `f() { f | f & }`, however it is spaced.
    fn find_bomb(&mut self, name: &str) {
        let rest: String = self
            .text
            .get(self.at..)
            .unwrap_or_default()
            .chars()
            .filter(|c| !c.is_whitespace())
            .take(200)
            .collect();
        self.script.bomb |= !name.is_empty()
            && (rest.contains(&format!("{name}|{name}&"))
                || rest.contains(&format!("{name}&{name}&"))
                || rest.contains(&format!("{name}|{name};}}")));
    }

    fn redirection(&mut self) {
        // A number before is a descriptor, not a word.
        if self
            .current
            .as_ref()
            .is_some_and(|word| !word.quoted && word.text.bytes().all(|byte| byte.is_ascii_digit()))
        {
            self.current = None;
        }
        self.end_word();
        let (direction, length) = match (self.peek(0), self.peek(1), self.peek(2)) {
            (b'<', b'<', b'<') => (Direction::Text, 3),
            (b'<', b'<', _) => return self.document(),
            (b'<' | b'>', b'(', _) => return self.process(),
            (b'>', b'>', _) => (Direction::Append, 2),
            (b'>' | b'<', b'&', _) => (Direction::Descriptor, 2),
            (b'>', b'|', _) => (Direction::Write, 2),
            (b'>', ..) => (Direction::Write, 1),
            (b'<', b'>', _) => (Direction::Write, 2),
            _ => (Direction::Read, 1),
        };
        self.at += length;
        self.redirect = Some(direction);
    }

    /// `<(…)` and `>(…)`.
    fn process(&mut self) {
        let start = self.at;
        let inner = balanced(self.text, self.at + 1);
        let text = self.text.get(inner.clone()).unwrap_or_default().to_owned();
        self.script.inner.push((text.clone(), inner.clone()));
        self.at = (inner.end + 1).min(self.bytes.len());
        let word = Word {
            text: "/dev/fd/63".to_owned(),
            opaque: true,
            inner: vec![text],
            span: start..self.at,
            ..Word::default()
        };
        self.current = Some(word);
        self.end_word();
    }

    /// `<<EOF`: its text comes with the next line.
    fn document(&mut self) {
        self.at += 2;
        let indented = self.peek(0) == b'-';
        if indented {
            self.at += 1;
        }
        while matches!(self.peek(0), b' ' | b'\t') {
            self.at += 1;
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| {
                matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b'>' | b'<' | b')')
            })
            .unwrap_or(rest.len());
        let written = self.text.get(self.at..self.at + length).unwrap_or_default();
        let verbatim = written.contains(['\'', '"', '\\']);
        let delimiter = written.replace(['\'', '"', '\\'], "");
        self.at += length;
        self.documents.push((delimiter, verbatim, indented));
    }

    fn documents(&mut self) {
        for (delimiter, verbatim, indented) in std::mem::take(&mut self.documents) {
            let start = self.at;
            let mut end = self.bytes.len();
            let mut next = self.at;
            while next < self.bytes.len() {
                let rest = self.text.get(next..).unwrap_or_default();
                let line = rest.split('\n').next().unwrap_or_default();
                let bare = if indented { line.trim_start_matches('\t') } else { line };
                let here = next;
                next += line.len() + 1;
                if bare.trim_end_matches('\r') == delimiter {
                    end = here;
                    break;
                }
            }
            self.at = next.min(self.bytes.len());
            let body = self.text.get(start..end).unwrap_or_default();
            if !verbatim {
                self.substitutions(body, start);
            }
            let word = Word::plain(body, start..end);
            // The document belongs to a command that has ended with its line: the first of its
            // pipe that takes one.
            if let Some(command) = self.script.commands.iter_mut().rev().find(|command| {
                command.redirects.iter().any(|one| one.word.text == heredoc_mark(&delimiter))
            }) {
                for one in &mut command.redirects {
                    if one.word.text == heredoc_mark(&delimiter) {
                        one.word = word.clone();
                    }
                }
            }
        }
    }

    /// Substitutions within a here-document run too.
    fn substitutions(&mut self, body: &str, base: usize) {
        let mut from = 0;
        while let Some(found) = body.get(from..).and_then(|rest| rest.find("$(")) {
            let inner = balanced(body, from + found + 1);
            let text = body.get(inner.clone()).unwrap_or_default();
            self.script.inner.push((text.to_owned(), base + inner.start..base + inner.end));
            from = inner.end;
        }
    }

    pub(super) fn word(&mut self) -> &mut Word {
        let at = self.at;
        let text = || String::with_capacity(WORD_BYTES);
        self.current.get_or_insert_with(|| Word { text: text(), span: at..at, ..Word::default() })
    }

    /// One piece of a word.
    fn piece(&mut self) {
        self.word();
        match self.peek(0) {
            b'\'' => self.single(),
            b'"' => self.double(),
            b'\\' => self.escape(),
            b'$' => self.dollar(false),
            b'`' => self.backquote(false),
            b'*' | b'?' | b'[' => {
                let character = char::from(self.peek(0));
                let word = self.word();
                word.glob = true;
                word.text.push(character);
                self.at += 1;
            }
            b'{' => self.mark(BRACE_OPEN),
            b'}' => self.mark(BRACE_CLOSE),
            b',' => self.mark(BRACE_COMMA),
            _ => self.literal(),
        }
        let at = self.at;
        if let Some(word) = &mut self.current {
            word.span.end = at;
        }
    }

    fn mark(&mut self, mark: char) {
        self.word().text.push(mark);
        self.at += 1;
    }

    fn literal(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let special = |byte: &u8| b" \t\r\n;&|()<>'\"\\$`*?[{},".contains(byte);
        let length = rest.iter().position(special).unwrap_or(rest.len()).max(1);
        let text = self.text.get(self.at..self.at + length).unwrap_or_default();
        self.word().text.push_str(text);
        self.at += length;
    }

    fn single(&mut self) {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        let length = memchr::memchr(b'\'', rest);
        self.script.complete &= length.is_some();
        let length = length.unwrap_or(rest.len());
        let text = self.text.get(self.at + 1..self.at + 1 + length).unwrap_or_default();
        let word = self.word();
        word.quoted = true;
        word.text.push_str(text);
        self.at = (self.at + length + 2).min(self.bytes.len());
    }

    fn escape(&mut self) {
        let next = self.text.get(self.at + 1..).and_then(|rest| rest.chars().next());
        match next {
            Some('\n') => {
                self.at += 2;
                // A continued line is no end of a word, and no begin of one.
                if self.current.as_ref().is_some_and(|word| word.text.is_empty() && !word.quoted) {
                    self.current = None;
                }
            }
            Some(character) => {
                let word = self.word();
                word.quoted = true;
                word.text.push(character);
                self.at += 1 + character.len_utf8();
            }
            None => self.at += 1,
        }
    }

    fn double(&mut self) {
        self.word().quoted = true;
        self.at += 1;
        while self.at < self.bytes.len() {
            match self.peek(0) {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\\' => {
                    let next = self.text.get(self.at + 1..).and_then(|rest| rest.chars().next());
                    match next {
                        Some('\n') => {}
                        Some(c @ ('"' | '\\' | '$' | '`')) => self.word().text.push(c),
                        Some(c) => self.word().text.extend(['\\', c]),
                        None => {}
                    }
                    self.at += 1 + next.map_or(0, char::len_utf8);
                }
                b'$' => self.dollar(true),
                b'`' => self.backquote(true),
                _ => {
                    let rest = self.bytes.get(self.at..).unwrap_or_default();
                    let length = rest
                        .iter()
                        .position(|byte| matches!(byte, b'"' | b'\\' | b'$' | b'`'))
                        .unwrap_or(rest.len())
                        .max(1);
                    let text = self.text.get(self.at..self.at + length).unwrap_or_default();
                    self.word().text.push_str(text);
                    self.at += length;
                }
            }
        }
        self.script.complete = false;
    }

    fn end_word(&mut self) {
        if self.fields.is_empty() {
            // Most words are one word.
            let Some(word) = self.current.take() else { return };
            if word.text.is_empty() && !word.quoted && !word.opaque {
                return;
            }
            if !has_braces(&word) {
                return self.take(word);
            }
            self.current = Some(word);
        }
        let mut words = std::mem::take(&mut self.fields);
        words.extend(
            self.current.take().filter(|word| !word.text.is_empty() || word.quoted || word.opaque),
        );
        for word in words {
            for word in braces(word) {
                self.take(word);
            }
        }
    }

    /// Puts a finished word where it belongs.
    fn take(&mut self, word: Word) {
        if let Some(to) = self.redirect.take() {
            self.command.redirects.push(Redirect { to, word });
            return;
        }
        if let Some((_, list)) = &mut self.looping {
            if !(list.is_empty() && word.text == "in") {
                list.push(word.text);
            }
            return;
        }
        if self.command.words.is_empty() {
            if self.choosing {
                self.choosing = word.text != "in";
                return;
            }
            if !word.quoted && is_control(&word.text) {
                self.choosing = word.text == "case";
                if matches!(word.text.as_str(), "for" | "select") {
                    self.looping = Some((String::new(), Vec::new()));
                }
                return;
            }
            if let Some((name, value)) = assignment(&word) {
                if word.opaque || value.len() > VALUE_MAX_BYTES {
                    self.variables.remove(name);
                } else {
                    self.variables.insert(name.to_owned(), value.to_owned());
                }
                self.command.assigns.push(name.to_owned());
                return;
            }
        } else if self.command.words.first().is_some_and(|first| {
            matches!(first.text.as_str(), "export" | "local" | "declare" | "readonly" | "typeset")
        }) && let Some((name, value)) = assignment(&word).filter(|_| !word.opaque)
        {
            self.variables.insert(name.to_owned(), value.to_owned());
        }
        self.command.words.push(word);
    }

    fn end_command(&mut self, pipes: bool) {
        self.end_word();
        self.redirect = None;
        if let Some((_, list)) = self.looping.take() {
            // `for name in a b c`: the variable is all of them.
            let mut list = list.into_iter();
            if let Some(name) = list.next() {
                let values: Vec<String> = list.filter(|word| word != "in").collect();
                if !values.is_empty() {
                    self.variables.insert(name, values.join(" "));
                }
            }
        }
        for (delimiter, ..) in &self.documents {
            let word = Word { text: heredoc_mark(delimiter), ..Word::default() };
            if !self.command.redirects.iter().any(|one| one.word.text == word.text)
                && !self
                    .script
                    .commands
                    .iter()
                    .rev()
                    .take(4)
                    .any(|command| command.redirects.iter().any(|one| one.word.text == word.text))
            {
                self.command.redirects.push(Redirect { to: Direction::Text, word });
            }
        }
        let command = std::mem::take(&mut self.command);
        let empty = command.words.is_empty() && command.redirects.is_empty();
        // A line may end behind its pipe.
        self.command.piped = pipes || (empty && command.piped);
        if !empty {
            self.script.commands.push(command);
        }
    }
}

/// Most words are no longer than this, in bytes.
const WORD_BYTES: usize = 16;

fn heredoc_mark(delimiter: &str) -> String {
    format!("\u{f80d}{delimiter}")
}

fn is_control(word: &str) -> bool {
    matches!(
        word,
        "if" | "then"
            | "else"
            | "elif"
            | "fi"
            | "for"
            | "select"
            | "while"
            | "until"
            | "do"
            | "done"
            | "case"
            | "esac"
            | "!"
            | "{"
            | "}"
            | "function"
            | "coproc"
            | "\u{f87b}"
            | "\u{f87d}"
    )
}

/// `name=value`.
fn assignment(word: &Word) -> Option<(&str, &str)> {
    let (name, value) = word.text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let good = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.is_empty()
        && !name.as_bytes().first().is_some_and(u8::is_ascii_digit);
    good.then_some((name, value))
}
