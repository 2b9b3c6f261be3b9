//! Expansion as far as it is constant: variables, substitutions of `echo` and the like, braces.

use std::ops::Range;

use super::{constant, lex::Lexer, word::Word};

/// How deep constant substitutions are worked out.
const DEPTH_MAX: u8 = 5;
/// More words than this do not come out of one with braces.
const BRACES_MAX: usize = 64;
/// A word with braces longer than this is not expanded, and so not known, in bytes.
const BRACED_MAX_BYTES: usize = 4096;

/// Unquoted braces and commas, moved where no text has them until braces are expanded.
pub(super) const BRACE_OPEN: char = '\u{f87b}';
pub(super) const BRACE_CLOSE: char = '\u{f87d}';
pub(super) const BRACE_COMMA: char = '\u{f82c}';

impl Lexer<'_, '_> {
    pub(super) fn dollar(&mut self, quoted: bool) {
        match (self.peek(1), self.peek(2)) {
            (b'(', b'(') => {
                let inner = balanced(self.text, self.at + 1);
                self.at = (inner.end + 1).min(self.bytes.len());
                let word = self.word();
                word.opaque = true;
                word.text.push('0');
            }
            (b'(', _) => {
                let inner = balanced(self.text, self.at + 1);
                self.script.complete &= inner.end < self.bytes.len();
                self.at = (inner.end + 1).min(self.bytes.len());
                self.substitute(inner, quoted);
            }
            (b'{', _) => {
                let rest = self.bytes.get(self.at + 2..).unwrap_or_default();
                let length = memchr::memchr(b'}', rest).unwrap_or(rest.len());
                let inner =
                    self.text.get(self.at + 2..self.at + 2 + length).unwrap_or_default().to_owned();
                self.at = (self.at + length + 3).min(self.bytes.len());
                self.parameter(&inner, quoted);
            }
            (b'\'', _) if !quoted => self.ansi(),
            (b'"', _) if !quoted => self.at += 1,
            (b'@' | b'*' | b'#' | b'?' | b'!' | b'$' | b'-' | b'0'..=b'9', _) => {
                let name = char::from(self.peek(1)).to_string();
                self.at += 2;
                self.parameter(&name, quoted);
            }
            (b'a'..=b'z' | b'A'..=b'Z' | b'_', _) => {
                let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
                let length = rest
                    .iter()
                    .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))
                    .unwrap_or(rest.len());
                let name =
                    self.text.get(self.at + 1..self.at + 1 + length).unwrap_or_default().to_owned();
                self.at += 1 + length;
                self.parameter(&name, quoted);
            }
            _ => {
                self.word().text.push('$');
                self.at += 1;
            }
        }
    }

    /// `$'…'` with its escape codes.
    pub(super) fn ansi(&mut self) {
        let mut end = self.at + 2;
        while let Some(byte) = self.bytes.get(end) {
            match byte {
                b'\'' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.script.complete &= end < self.bytes.len();
        let body = self.text.get(self.at + 2..end.min(self.bytes.len())).unwrap_or_default();
        let decoded = constant::unescape(body);
        let word = self.word();
        word.quoted = true;
        word.expanded |= body.contains('\\') && decoded.bytes().all(|byte| byte.is_ascii_graphic());
        word.text.push_str(&decoded);
        self.at = (end + 1).min(self.bytes.len());
    }

    pub(super) fn backquote(&mut self, quoted: bool) {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        let found = memchr::memchr(b'`', rest);
        self.script.complete &= found.is_some();
        let length = found.unwrap_or(rest.len());
        let inner = self.at + 1..self.at + 1 + length;
        self.at = (inner.end + 1).min(self.bytes.len());
        self.substitute(inner, quoted);
    }

    /// What a substitution gives, where it can be worked out.
    pub(super) fn substitute(&mut self, inner: Range<usize>, quoted: bool) {
        let text = self.text.get(inner.clone()).unwrap_or_default().to_owned();
        let known = if self.depth < DEPTH_MAX {
            constant::evaluate(&text, self.depth + 1, self.variables)
        } else {
            None
        };
        match known {
            Some(value) => self.insert(&value, quoted),
            None => {
                self.script.inner.push((text.clone(), inner));
                let word = self.word();
                word.opaque = true;
                word.inner.push(text);
            }
        }
    }

    /// `$name`, or what stands in `${…}`.
    pub(super) fn parameter(&mut self, inner: &str, quoted: bool) {
        let length = inner
            .bytes()
            .position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'))
            .unwrap_or(inner.len());
        let (name, rest) =
            inner
                .split_at_checked(length.max(usize::from(
                    length == 0 && !inner.is_empty() && inner.is_char_boundary(1),
                )))
                .unwrap_or((inner, ""));
        let value = match name {
            "IFS" => Some(" ".to_owned()),
            "@" | "*" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9"
                if self.current.as_ref().is_some_and(|word| !word.text.is_empty())
                    || self.bytes.get(self.at).is_some_and(u8::is_ascii_alphabetic) =>
            {
                Some(String::new())
            }
            "PATH" | "HOME" | "PWD" | "SHELL" if rest.starts_with(":0:1") => Some("/".to_owned()),
            _ => self.variables.get(name).cloned(),
        };
        let value = match (value, rest) {
            (Some(value), rest) => modified(&value, rest),
            (None, rest) => rest
                .strip_prefix(":-")
                .or_else(|| rest.strip_prefix(":="))
                .or_else(|| rest.strip_prefix('-'))
                .filter(|text| !text.contains('$') && !text.is_empty())
                .map(str::to_owned)
                .filter(|_| !name.bytes().any(|byte| byte.is_ascii_uppercase())),
        };
        match value {
            Some(value) => self.insert(&value, quoted),
            None => {
                let word = self.word();
                word.opaque = true;
                word.text.push('$');
                word.text.push_str(&if rest.is_empty() {
                    name.to_owned()
                } else {
                    format!("{{{inner}}}")
                });
            }
        }
    }

    /// An expanded value; unquoted, it falls apart at white space.
    pub(super) fn insert(&mut self, value: &str, quoted: bool) {
        let span = self.word().span.clone();
        if quoted {
            self.word().text.push_str(value);
            self.word().expanded = true;
            return;
        }
        let mut parts = value.split([' ', '\t', '\n']).peekable();
        while let Some(part) = parts.next() {
            if !part.is_empty() {
                let word = self
                    .current
                    .get_or_insert_with(|| Word { span: span.clone(), ..Word::default() });
                word.text.push_str(part);
                word.glob |= part.contains(['*', '?']);
                word.expanded = true;
            }
            if parts.peek().is_some()
                && let Some(word) =
                    self.current.take_if(|word| !word.text.is_empty() || word.quoted)
            {
                self.fields.push(word);
            }
        }
    }
}

/// `${name:1:2}`, `${name^^}`; other changes are not known.
pub(super) fn modified(value: &str, rest: &str) -> Option<String> {
    if rest.is_empty() || rest.starts_with(":-") || rest.starts_with(":=") || rest.starts_with('-')
    {
        return Some(value.to_owned());
    }
    if let Some(range) = rest.strip_prefix(':') {
        let (from, length) =
            range.split_once(':').map_or((range, None), |(from, length)| (from, Some(length)));
        let from: usize = from.trim().parse().ok()?;
        let length = match length {
            Some(length) => length.trim().parse().ok()?,
            None => usize::MAX,
        };
        return Some(value.chars().skip(from).take(length).collect());
    }
    match rest {
        "^^" => Some(value.to_uppercase()),
        ",," => Some(value.to_lowercase()),
        _ => None,
    }
}

/// The inside of the parentheses that open at `at`, quotes respected.
pub(super) fn balanced(text: &str, at: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut next = at;
    while let Some(byte) = bytes.get(next) {
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1..next;
                }
            }
            b'\'' => {
                let rest = bytes.get(next + 1..).unwrap_or_default();
                next += memchr::memchr(b'\'', rest).map_or(0, |end| end + 1);
            }
            b'\\' => next += 1,
            _ => {}
        }
        next += 1;
    }
    let end = bytes.len();
    (at + 1).min(end)..end
}

/// Brace expansion: `{a,b}c` is `ac bc`.
pub(super) fn braces(word: Word) -> Vec<Word> {
    if !has_braces(&word) {
        return vec![word];
    }
    if word.text.len() > BRACED_MAX_BYTES {
        return vec![Word { text: "${braces}".to_owned(), opaque: true, ..word }];
    }
    let mut done = Vec::new();
    let mut waiting = vec![word.text.clone()];
    while let Some(text) = waiting.pop() {
        let expanded =
            if done.len() + waiting.len() < BRACES_MAX { expand_one(&text) } else { None };
        match expanded {
            Some(parts) => waiting.extend(parts.into_iter().rev()),
            None => done.push(text),
        }
    }
    let many = done.len() > 1;
    done.into_iter()
        .map(|text| Word {
            text: text.replace(BRACE_OPEN, "{").replace(BRACE_CLOSE, "}").replace(BRACE_COMMA, ","),
            expanded: word.expanded || many,
            ..word.clone()
        })
        .collect()
}

/// Whether an unquoted brace, or a comma, stands in it.
pub(super) fn has_braces(word: &Word) -> bool {
    word.text.contains([BRACE_OPEN, BRACE_COMMA, BRACE_CLOSE])
}

/// The innermost braces with a comma.
pub(super) fn expand_one(text: &str) -> Option<Vec<String>> {
    let close =
        text.char_indices().filter(|(_, c)| *c == BRACE_CLOSE).map(|(at, _)| at).find(|close| {
            let open = text.get(..*close).and_then(|head| head.rfind(BRACE_OPEN));
            open.is_some_and(|open| {
                text.get(open..*close).is_some_and(|inner| inner.contains(BRACE_COMMA))
            })
        })?;
    let open = text.get(..close)?.rfind(BRACE_OPEN)?;
    let head = text.get(..open)?;
    let tail = text.get(close + BRACE_CLOSE.len_utf8()..)?;
    let inner = text.get(open + BRACE_OPEN.len_utf8()..close)?;
    Some(inner.split(BRACE_COMMA).map(|part| format!("{head}{part}{tail}")).collect())
}
