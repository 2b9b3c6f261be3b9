//! The one scanner: a single pass with its own stack, linear in the bytes, blind to hash floods.

use std::{borrow::Cow, ops::Range};

use super::{JsonLimits, Member, text};
use crate::Fault;

/// How far down members are indexed and keys compared; the grammar is checked everywhere.
#[derive(Clone, Copy, Debug)]
pub(super) enum Depth {
    All,
    UpTo(usize),
}

/// Objects with more keys than this are sorted to find equal ones, so that no choice of keys is
/// slower than n log n.
const PAIRWISE_KEYS_MAX: usize = 8;

/// serde_json reads objects with such keys as numbers or raw text, and no other reader does.
const SERDE_PRIVATE: &str = "$serde_json::private::";

/// A number of at most this many characters without exponent can't overflow a double.
const DIGITS_SAFE: usize = 300;

/// Where the document's one value lies, and its index in document order.
pub(super) fn scan(
    text: &str,
    limits: JsonLimits,
    depth: Depth,
) -> Result<(Range<usize>, Vec<Member<'_>>), Fault> {
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        limits,
        indexed: match depth {
            Depth::All => usize::MAX,
            Depth::UpTo(levels) => levels,
        },
        stack: Vec::with_capacity(8),
        members: Vec::with_capacity(16),
    };
    let span = scanner.document()?;
    Ok((span, scanner.members))
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    limits: JsonLimits,
    indexed: usize,
    stack: Vec<Open>,
    members: Vec<Member<'a>>,
}

/// An object or array whose end has not come yet.
#[derive(Clone, Copy)]
struct Open {
    object: bool,
    /// Its own entry in the index; `None` for the document itself and below the index.
    entry: Option<usize>,
}

impl<'a> Scanner<'a> {
    fn document(&mut self) -> Result<Range<usize>, Fault> {
        self.space();
        let start = self.at;
        let mut entry = None;
        loop {
            if !self.value(entry)? {
                // An opened container: its first member comes next.
                entry = self.member()?;
                continue;
            }
            if !self.close()? {
                break;
            }
            entry = self.member()?;
        }
        let end = self.at;
        self.space();
        if self.at < self.bytes.len() {
            Err(self.fault("text after the end"))
        } else {
            Ok(start..end)
        }
    }

    /// Reads a scalar or an empty container to its end, or opens a container. Whether it ended.
    fn value(&mut self, entry: Option<usize>) -> Result<bool, Fault> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.string().map(drop)?,
            Some(open @ (b'{' | b'[')) => return self.open(open == b'{', entry),
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return Err(self.fault("expected a value")),
        }
        self.ended(entry, start);
        Ok(true)
    }

    fn open(&mut self, object: bool, entry: Option<usize>) -> Result<bool, Fault> {
        let start = self.at;
        if self.stack.len() >= self.limits.depth as usize {
            return Err(Fault::too_deep(format!("nested deeper than {}", self.limits.depth)));
        }
        self.at += 1;
        self.space();
        if self.peek() == Some(if object { b'}' } else { b']' }) {
            self.at += 1;
            self.ended(entry, start);
            return Ok(true);
        }
        self.stack.push(Open { object, entry });
        Ok(false)
    }

    /// Closes every container that ends here. Whether a further member follows.
    fn close(&mut self) -> Result<bool, Fault> {
        while let Some(&Open { object, entry }) = self.stack.last() {
            self.space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                    return Ok(true);
                }
                Some(b'}') if object => {
                    self.at += 1;
                    if self.stack.len() <= self.indexed {
                        self.distinct_keys(entry)?;
                    }
                }
                Some(b']') if !object => self.at += 1,
                _ => return Err(self.fault("expected a comma or the end")),
            }
            self.stack.pop();
            if let Some(start) = self.entry_value_start(entry) {
                self.ended(entry, start);
            }
        }
        Ok(false)
    }

    /// Reads the key in an object, and makes the index entry of the value that follows.
    fn member(&mut self) -> Result<Option<usize>, Fault> {
        let start = self.at;
        let object = self.stack.last().is_some_and(|open| open.object);
        let indexed = self.stack.len() <= self.indexed;
        let mut key = None;
        if object {
            if self.peek() != Some(b'"') {
                return Err(self.fault("expected a key"));
            }
            let inner = self.string()?;
            if indexed {
                key = Some(self.key(inner)?);
            }
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.fault("expected a colon"));
            }
            self.at += 1;
            self.space();
        }
        if !indexed {
            return Ok(None);
        }
        if self.members.len() >= self.limits.items as usize {
            return Err(Fault::too_many(format!("more than {} parts", self.limits.items)));
        }
        // Until the value ends, `end` holds where it starts.
        self.members.push(Member { key, raw: "", start, end: self.at, inner: 0 });
        Ok(Some(self.members.len() - 1))
    }

    fn key(&self, inner: Range<usize>) -> Result<Cow<'a, str>, Fault> {
        let key = text::unescape(self.text.get(inner).unwrap_or_default());
        if key.starts_with(SERDE_PRIVATE) {
            return Err(self.fault("a key that some readers take for a value of another kind"));
        }
        Ok(key)
    }

    fn entry_value_start(&self, entry: Option<usize>) -> Option<usize> {
        self.members.get(entry?).map(|member| member.end)
    }

    fn ended(&mut self, entry: Option<usize>, start: usize) {
        let count = self.members.len();
        let Some(entry) = entry else { return };
        if let Some(member) = self.members.get_mut(entry) {
            member.raw = self.text.get(start..self.at).unwrap_or_default();
            member.end = self.at;
            member.inner = count - entry - 1;
        }
    }

    /// Refuses the object that just ended if two of its keys are equal once unescaped.
    fn distinct_keys(&self, entry: Option<usize>) -> Result<(), Fault> {
        let first = entry.map_or(0, |entry| entry + 1);
        let mut keys = self.keys_from(first);
        let few = keys.by_ref().take(PAIRWISE_KEYS_MAX + 1).count() <= PAIRWISE_KEYS_MAX;
        let twice = if few {
            self.keys_from(first)
                .enumerate()
                .any(|(nth, key)| self.keys_from(first).take(nth).any(|earlier| earlier == key))
        } else {
            let mut sorted: Vec<&str> = self.keys_from(first).collect();
            sorted.sort_unstable();
            sorted.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
        };
        if twice {
            Err(Fault::duplicate(format!(
                "a key twice in the object that ends at byte {}",
                self.at
            )))
        } else {
            Ok(())
        }
    }

    /// The keys of the object whose first member has this index entry.
    fn keys_from(&self, first: usize) -> impl Iterator<Item = &str> {
        let mut rest = self.members.get(first..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (member, after) = rest.split_first()?;
            rest = after.get(member.inner..).unwrap_or_default();
            member.key.as_deref()
        })
    }

    /// Reads a string; the span between its quotes.
    fn string(&mut self) -> Result<Range<usize>, Fault> {
        self.at += 1;
        let start = self.at;
        loop {
            self.at += text::plain(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(start..self.at - 1);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.fault("a control character in a string")),
                None => return Err(self.fault("a string without end")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        let letter = self.peek();
        self.at += 1;
        match letter {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => match self.hex()? {
                0xDC00..=0xDFFF => Err(self.fault("a lone surrogate")),
                0xD800..=0xDBFF => self.low_surrogate(),
                _ => Ok(()),
            },
            _ => Err(self.fault("an unknown escape")),
        }
    }

    fn low_surrogate(&mut self) -> Result<(), Fault> {
        let escaped = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u"));
        self.at += 2;
        if escaped && matches!(self.hex()?, 0xDC00..=0xDFFF) {
            Ok(())
        } else {
            Err(self.fault("a lone surrogate"))
        }
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        let digits = self.text.get(self.at..self.at + 4);
        let plain = |digits: &&str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let unit = digits.filter(plain).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| self.fault("an escape without four hexadecimal digits"))
    }

    fn word(&mut self, word: &str) -> Result<(), Fault> {
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word.as_bytes()) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        // Beyond a double's range readers answer with infinity, an error or the exact number.
        let token = self.text.get(start..self.at).unwrap_or_default();
        let risky = exponent || token.len() > DIGITS_SAFE;
        if risky && token.parse::<f64>().is_ok_and(f64::is_infinite) {
            return Err(self.fault("a number beyond the range of a double"));
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.fault("expected a digit")) } else { Ok(()) }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[cold]
    fn fault(&self, what: &str) -> Fault {
        Fault::malformed(format!("{what} at byte {}", self.at.min(self.bytes.len())))
    }
}
