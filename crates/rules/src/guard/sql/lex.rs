//! SQL text as tokens, in one pass, by the rules of one dialect.
//!
//! Knows what is a word, a name, a literal, a comment; nothing of what they mean. Never fails: a
//! literal without an end is marked, and the token stands for the rest of the text.

use std::ops::Range;

use super::{Dialect, word::Word};

/// How a dialect writes literals and comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// `\'` is a quote within a literal.
    backslash: bool,
    /// `E'…'` is a literal in which `\'` is a quote; elsewhere `E` is a name before a literal.
    escaped: bool,
    /// `#` begins a comment.
    hash: bool,
    /// `$tag$ … $tag$` is a literal.
    dollar: bool,
    /// `[…]` is a name.
    bracket: bool,
    /// `/* /* */ */` is one comment.
    nested: bool,
    /// `/*! … */` is code.
    executable: bool,
    /// `--` needs white space behind it.
    spaced_dash: bool,
    /// `"…"` is a literal.
    double_text: bool,
    /// `'''…'''` is a literal.
    triple: bool,
}

impl Rules {
    pub(super) const fn of(dialect: Dialect) -> Self {
        use Dialect as D;
        Self {
            backslash: matches!(dialect, D::MySql | D::Snowflake | D::BigQuery),
            escaped: matches!(dialect, D::Postgres),
            hash: matches!(dialect, D::MySql | D::BigQuery),
            dollar: matches!(dialect, D::Postgres | D::Snowflake),
            bracket: matches!(dialect, D::TSql | D::Sqlite),
            nested: matches!(dialect, D::Postgres | D::TSql),
            executable: matches!(dialect, D::MySql),
            spaced_dash: matches!(dialect, D::MySql),
            double_text: matches!(dialect, D::MySql | D::BigQuery),
            triple: matches!(dialect, D::BigQuery),
        }
    }
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bare word, or a name that is no known word.
    Word(Word),
    /// A quoted name.
    Quoted,
    /// A literal text, with how it is written.
    Text(Style),
    Number,
    /// A place for a value: `?`, `$1`, `:name`, `@name`, `%s`, `{{…}}`.
    Param,
    Open,
    Close,
    Semicolon,
    Comma,
    Dot,
    Star,
    /// `||`, or `+` between texts.
    Join,
    /// Any other sign or signs.
    Sign,
    /// `\!` and other commands of a client program; reaches to the end of the line.
    Client,
}

/// How a literal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `'…'`, quotes doubled.
    Plain,
    /// `'…'` or `E'…'` with backslashes.
    Backslash,
    /// `$tag$…$tag$`, `q'[…]'`: as it stands, between delimiters of this many bytes.
    Raw(u8),
    /// `0x…` or `x'…'`.
    Hex,
    /// `U&'…'`.
    Unicode,
}

/// A token, as a span of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
    /// Of an opening parenthesis, the place of its closing one among the tokens, and the other way
    /// round; the last token where there is none.
    pub(super) mate: u32,
}

impl Token {
    pub(super) fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A text as tokens.
#[derive(Debug, Default)]
pub(super) struct Lexed {
    pub(super) tokens: Vec<Token>,
    /// Every literal, comment and parenthesis has its end.
    pub(super) complete: bool,
    /// Where a known word is spelled with look-alike or invisible characters.
    pub(super) disguised: Option<Range<usize>>,
    /// The text has something that dialects read differently.
    pub(super) ambiguous: bool,
}

/// Cuts `text` into tokens.
pub(super) fn lex(text: &str, rules: Rules) -> Lexed {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
        rules,
        out: Lexed { complete: true, ..Lexed::default() },
        open: Vec::new(),
        inside: false,
    };
    lexer.out.tokens.reserve(text.len() / 5);
    while lexer.at < lexer.bytes.len() {
        lexer.step();
    }
    lexer.finish()
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    rules: Rules,
    out: Lexed,
    /// Open parentheses, by their place among the tokens.
    open: Vec<u32>,
    /// Within an executable comment.
    inside: bool,
}

impl Lexer<'_> {
    fn finish(mut self) -> Lexed {
        let last = u32::try_from(self.out.tokens.len().saturating_sub(1)).unwrap_or(u32::MAX);
        if !self.open.is_empty() || self.inside {
            self.out.complete = false;
        }
        for open in self.open {
            if let Some(token) = self.out.tokens.get_mut(open as usize) {
                token.mate = last;
            }
        }
        self.out
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let start = self.at;
        self.at = (start + length).min(self.bytes.len());
        let cut = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.out.tokens.push(Token { kind, start: cut(start), end: cut(self.at), mate: 0 });
    }

    fn step(&mut self) {
        let (byte, next) = (self.peek(0), self.peek(1));
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | 0 => self.at += 1,
            b'-' if next == b'-' => self.dashes(),
            b'/' if next == b'*' => self.comment(),
            b'*' if next == b'/' && self.inside => {
                self.inside = false;
                self.at += 2;
            }
            b'#' => self.hash(),
            b'\'' => self.text_literal(0),
            b'"' => self.double(),
            b'`' => self.quoted(b'`', Kind::Quoted),
            b'[' if self.rules.bracket => self.quoted(b']', Kind::Quoted),
            b'$' => self.dollar(),
            b'\\' => self.backslash(),
            b'(' | b')' => self.parenthesis(byte),
            b';' => self.push(Kind::Semicolon, 1),
            b',' => self.push(Kind::Comma, 1),
            b'.' if next.is_ascii_digit() && !self.follows_name() => self.number(),
            b'.' if next.is_ascii_alphabetic() && self.begins_line() => {
                self.push(Kind::Client, self.line_end(self.at) - self.at);
            }
            b'.' => self.push(Kind::Dot, 1),
            b'*' => self.push(Kind::Star, 1),
            b'|' if next == b'|' => self.push(Kind::Join, 2),
            b'0'..=b'9' => self.number(),
            b'?' => self.push(Kind::Param, 1),
            b':' | b'@' | b'%' | b'{' => self.param(byte, next),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => self.word(),
            _ => {
                self.out.ambiguous |= byte == b'[';
                let length =
                    if matches!(byte, b'<' | b'>' | b'!' | b'=') && matches!(next, b'=' | b'>') {
                        2
                    } else {
                        1
                    };
                self.push(Kind::Sign, length);
            }
        }
    }

    fn follows_name(&self) -> bool {
        self.out.tokens.last().is_some_and(|token| {
            token.end as usize == self.at
                && matches!(token.kind, Kind::Word(_) | Kind::Quoted | Kind::Close)
        })
    }

    fn line_end(&self, from: usize) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        memchr::memchr2(b'\n', b'\r', rest).map_or(self.bytes.len(), |end| from + end)
    }

    fn dashes(&mut self) {
        let spaced = matches!(self.peek(2), 0 | b' ' | b'\t' | b'\r' | b'\n');
        self.out.ambiguous |= !spaced;
        if self.rules.spaced_dash && !spaced {
            self.push(Kind::Sign, 1);
        } else {
            self.at = self.line_end(self.at);
        }
    }

    fn hash(&mut self) {
        self.out.ambiguous = true;
        if self.rules.hash {
            self.at = self.line_end(self.at);
        } else if is_word(self.peek(1)) || self.peek(1) == b'#' {
            // `#temp` and `##temp` of T-SQL.
            let length = self.run(if self.peek(1) == b'#' { 2 } else { 1 });
            self.push(Kind::Quoted, length);
        } else {
            self.push(Kind::Sign, 1);
        }
    }

    /// `/* … */`, nested or not; of an executable one only the delimiters are skipped.
    fn comment(&mut self) {
        if self.peek(2) == b'!' || (self.peek(2) == b'M' && self.peek(3) == b'!') {
            self.out.ambiguous = true;
            if self.rules.executable {
                self.at += if self.peek(2) == b'M' { 4 } else { 3 };
                while self.peek(0).is_ascii_digit() {
                    self.at += 1;
                }
                self.inside = true;
                return;
            }
        }
        let mut depth = 1usize;
        let mut at = self.at + 2;
        while depth > 0 {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let Some(found) = memchr::memchr2(b'*', b'/', rest) else {
                self.out.complete = false;
                self.at = self.bytes.len();
                return;
            };
            at += found;
            match (self.bytes.get(at), self.bytes.get(at + 1)) {
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    at += 2;
                }
                (Some(b'/'), Some(b'*')) => {
                    self.out.ambiguous = true;
                    depth += usize::from(self.rules.nested);
                    at += 2;
                }
                _ => at += 1,
            }
        }
        self.at = at;
    }

    /// A literal whose opening quote stands `prefix` bytes ahead.
    fn text_literal(&mut self, prefix: usize) {
        let letter = if prefix == 0 { 0 } else { self.peek(0).to_ascii_lowercase() };
        if prefix == 0 && self.rules.triple && self.peek(1) == b'\'' && self.peek(2) == b'\'' {
            return self.triple(b"'''");
        }
        let escapes = self.rules.backslash || letter == b'e' && self.rules.escaped;
        let style = match letter {
            b'x' => Style::Hex,
            b'u' => Style::Unicode,
            _ if escapes => Style::Backslash,
            _ => Style::Plain,
        };
        let end = self.closing(self.at + prefix + 1, b'\'', escapes);
        self.push(Kind::Text(style), end - self.at);
    }

    /// The end of a literal that closes with `quote`, behind the quote; doubled quotes don't close.
    fn closing(&mut self, from: usize, quote: u8, escapes: bool) -> usize {
        let mut at = from;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let Some(found) = memchr::memchr2(quote, b'\\', rest) else {
                self.out.complete = false;
                return self.bytes.len();
            };
            at += found;
            if self.bytes.get(at) == Some(&b'\\') {
                let quoted = matches!(self.bytes.get(at + 1), Some(b'\\' | b'\'' | b'"'));
                self.out.ambiguous |= quoted;
                at += if escapes { 2 } else { 1 };
            } else if self.bytes.get(at + 1) == Some(&quote) {
                at += 2;
            } else {
                return at + 1;
            }
        }
    }

    fn triple(&mut self, delimiter: &[u8]) {
        let rest = self.bytes.get(self.at + 3..).unwrap_or_default();
        match memchr::memmem::find(rest, delimiter) {
            Some(end) => self.push(Kind::Text(Style::Raw(3)), end + 6),
            None => {
                self.out.complete = false;
                self.push(Kind::Text(Style::Raw(3)), self.bytes.len() - self.at);
            }
        }
    }

    fn double(&mut self) {
        if self.rules.triple && self.peek(1) == b'"' && self.peek(2) == b'"' {
            return self.triple(b"\"\"\"");
        }
        let kind = if self.rules.double_text { Kind::Text(Style::Backslash) } else { Kind::Quoted };
        let end = self.closing(self.at + 1, b'"', self.rules.double_text);
        self.push(kind, end - self.at);
    }

    fn quoted(&mut self, close: u8, kind: Kind) {
        let end = self.closing(self.at + 1, close, false);
        self.push(kind, end - self.at);
    }

    /// `$1`, `$tag$…$tag$`, or a sign.
    fn dollar(&mut self) {
        let tag = self.run(1);
        if self.bytes.get(self.at + tag) != Some(&b'$') || self.peek(1).is_ascii_digit() {
            return self.push(Kind::Param, tag);
        }
        self.out.ambiguous = true;
        if !self.rules.dollar || self.follows_name() {
            // Not a literal here, and nothing else that could be run.
            self.out.complete &= self.rules.dollar;
            return self.push(Kind::Sign, 1);
        }
        let delimiter = self.bytes.get(self.at..=self.at + tag).unwrap_or_default();
        let from = self.at + delimiter.len();
        let found = memchr::memmem::find(self.bytes.get(from..).unwrap_or_default(), delimiter);
        let style = Style::Raw(u8::try_from(delimiter.len()).unwrap_or(u8::MAX));
        let length = delimiter.len();
        match found {
            Some(end) => self.push(Kind::Text(style), end + 2 * length),
            None => {
                self.out.complete = false;
                self.push(Kind::Text(style), self.bytes.len() - self.at);
            }
        }
    }

    /// Whether nothing, a statement's end or a line's end stands before.
    fn begins_line(&self) -> bool {
        self.out.tokens.last().is_none_or(|last| {
            let gap = self.bytes.get(last.end as usize..self.at);
            last.kind == Kind::Semicolon || gap.is_some_and(|gap| gap.contains(&b'\n'))
        })
    }

    /// `\!` and its like at the begin of a line or statement; elsewhere a sign.
    fn backslash(&mut self) {
        let begins = self.begins_line();
        if begins || self.peek(1) == b'!' || self.peek(1) == b'g' {
            self.push(Kind::Client, self.line_end(self.at) - self.at);
        } else {
            // `SELECT 1 \g`, and `\gexec`, which runs what was selected.
            let length = self.run(1);
            self.push(Kind::Client, length);
        }
    }

    fn parenthesis(&mut self, byte: u8) {
        let index = u32::try_from(self.out.tokens.len()).unwrap_or(u32::MAX);
        if byte == b'(' {
            self.open.push(index);
            return self.push(Kind::Open, 1);
        }
        self.push(Kind::Close, 1);
        match self.open.pop() {
            Some(open) => {
                if let Some(token) = self.out.tokens.get_mut(open as usize) {
                    token.mate = index;
                }
                if let Some(token) = self.out.tokens.last_mut() {
                    token.mate = open;
                }
            }
            None => self.out.complete = false,
        }
    }

    fn number(&mut self) {
        let hex = self.peek(0) == b'0'
            && matches!(self.peek(1), b'x' | b'X')
            && self.peek(2).is_ascii_hexdigit();
        let mut length = 1;
        while let Some(byte) = self.bytes.get(self.at + length) {
            let exponent = matches!(byte, b'+' | b'-')
                && !hex
                && matches!(self.bytes.get(self.at + length - 1), Some(b'e' | b'E'));
            if !(byte.is_ascii_alphanumeric() || *byte == b'.' || *byte == b'_' || exponent) {
                break;
            }
            length += 1;
        }
        self.push(if hex { Kind::Text(Style::Hex) } else { Kind::Number }, length);
    }

    /// `:name`, `@name`, `@@name`, `%s`, `%(name)s`, `{{name}}`, or a sign.
    fn param(&mut self, byte: u8, next: u8) {
        let length = match byte {
            b':' if next == b':' || next == b'=' => return self.push(Kind::Sign, 2),
            b'@' if next == b'@' => self.run(2),
            b':' | b'@' if is_word(next) => self.run(1),
            b'%' if next == b's' && !is_word(self.peek(2)) => 2,
            b'%' if next == b'(' => self.until(b")s", 2),
            b'{' => self.until(b"}", 1).max(1),
            _ => 1,
        };
        let kind = if length > 1 { Kind::Param } else { Kind::Sign };
        self.push(kind, length);
    }

    /// The length of what ends with `end` on the same line; 1 where it does not.
    fn until(&self, end: &[u8], from: usize) -> usize {
        let rest = self
            .bytes
            .get(self.at + from..(self.at + 66).min(self.bytes.len()))
            .unwrap_or_default();
        memchr::memmem::find(rest, end).map_or(1, |found| {
            let mut length = from + found + end.len();
            while end == b"}" && self.bytes.get(self.at + length) == Some(&b'}') {
                length += 1;
            }
            length
        })
    }

    /// How far word characters reach, beginning `from` bytes ahead.
    fn run(&self, from: usize) -> usize {
        let rest = self.bytes.get(self.at + from..).unwrap_or_default();
        from + rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len())
    }

    fn word(&mut self) {
        if self.peek(0) >= 0x80 && self.skips_space() {
            return;
        }
        let quote = match self.peek(0).to_ascii_lowercase() {
            b'e' if self.peek(1) == b'\'' && !self.rules.escaped => None,
            b'e' | b'n' | b'x' | b'b' | b'r' if self.peek(1) == b'\'' => Some(1),
            b'u' if self.peek(1) == b'&' && self.peek(2) == b'\'' => Some(2),
            _ => None,
        };
        if let Some(prefix) = quote {
            return self.text_literal(prefix);
        }
        if self.peek(0).eq_ignore_ascii_case(&b'q') && self.peek(1) == b'\'' && self.alternative() {
            return;
        }
        if self.peek(0).eq_ignore_ascii_case(&b'u') && self.peek(1) == b'&' && self.peek(2) == b'"'
        {
            let end = self.closing(self.at + 3, b'"', false);
            return self.push(Kind::Quoted, end - self.at);
        }
        let length = self.word_length();
        let text = self.text.get(self.at..self.at + length).unwrap_or_default();
        let (word, disguised) = Word::of(text);
        if disguised && self.out.disguised.is_none() {
            self.out.disguised = Some(self.at..self.at + length);
        }
        self.push(Kind::Word(word), length);
    }

    /// Word characters, up to white space that is not ASCII.
    fn word_length(&self) -> usize {
        let length = self.run_dollar();
        let text = self.text.get(self.at..self.at + length).unwrap_or_default();
        if text.is_ascii() {
            return length;
        }
        let end = text.char_indices().find(|(_, c)| c.is_whitespace()).map(|(at, _)| at);
        end.unwrap_or(text.len()).max(1)
    }

    fn run_dollar(&self) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        rest.iter().position(|byte| !is_word(*byte) && *byte != b'$').unwrap_or(rest.len())
    }

    /// Skips white space and invisible characters that are not ASCII.
    fn skips_space(&mut self) -> bool {
        let character = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        match character {
            Some(c) if c.is_whitespace() || super::super::text::is_invisible(c) => {
                if c.is_whitespace() && self.out.disguised.is_none() {
                    self.out.ambiguous = true;
                }
                self.at += c.len_utf8();
                true
            }
            None => {
                self.at += 1;
                true
            }
            _ => false,
        }
    }

    /// Oracle's `q'[…]'`.
    fn alternative(&mut self) -> bool {
        let close = match self.peek(2) {
            b'[' => b"]'",
            b'(' => b")'",
            b'{' => b"}'",
            b'<' => b">'",
            b'!' => b"!'",
            b'|' => b"|'",
            b'~' => b"~'",
            b'^' => b"^'",
            _ => return false,
        };
        let rest = self.bytes.get(self.at + 3..).unwrap_or_default();
        let Some(end) = memchr::memmem::find(rest, close) else { return false };
        self.push(Kind::Text(Style::Raw(3)), end + 5);
        true
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
