//! The lexer: one pass, one token at a time, its own stack.

use std::ops::Range;

use super::text;
use crate::mask::{DEPTH_MAX, MaskFault};

/// One part of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mask) enum Token {
    /// `{` or `[`.
    Open {
        /// Whether it is an object.
        object: bool,
    },
    /// The end of the innermost object or array.
    Close,
    /// The key of the value that follows.
    Key(Quoted),
    /// A string that is a value.
    Text(Quoted),
    /// A number, as it is written.
    Number(Span),
    /// `true`, `false` or `null`.
    Word,
}

/// A stretch of a text of at most [`super::super::TEXT_MAX`] bytes: its end above its start in one word, because
/// there is one in every token, and what is written in halves is slow to read as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::mask) struct Span(u64);

/// What stands between two quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mask) struct Quoted {
    /// Where, without the quotes.
    pub(in crate::mask) span: Span,
    /// Whether it has an escape.
    pub(in crate::mask) escaped: bool,
}

impl Span {
    #[inline]
    fn new(start: usize, end: usize) -> Self {
        let short = |at: usize| u64::from(u32::try_from(at).unwrap_or(u32::MAX));
        Self(short(end) << 32 | short(start))
    }

    #[inline]
    pub(in crate::mask) const fn start(self) -> usize {
        self.0 as u32 as usize
    }

    #[inline]
    const fn end(self) -> usize {
        (self.0 >> 32) as usize
    }

    #[inline]
    pub(in crate::mask) const fn length(self) -> usize {
        self.end().saturating_sub(self.start())
    }

    #[inline]
    pub(in crate::mask) const fn range(self) -> Range<usize> {
        self.start()..self.end()
    }

    /// What stands there.
    #[inline]
    pub(in crate::mask) fn of(self, text: &str) -> &str {
        text.get(self.range()).unwrap_or_default()
    }
}

/// Reads one JSON value after the other, with white space between them.
#[derive(Debug)]
pub(in crate::mask) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether each open container is an object; the innermost is the lowest bit.
    open: u128,
    depth: usize,
    expects: Expects,
    /// Whether more than one value may stand there.
    many: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expects {
    /// The first value.
    First,
    /// A value, after a colon or a comma.
    Value,
    /// A value or the end of an array that has just begun.
    Item,
    /// A key or the end of an object that has just begun.
    Member,
    /// A comma or the end of a container; at the outermost level, the end.
    More,
}

impl<'a> Lexer<'a> {
    /// Of a text that is one JSON value.
    pub(in crate::mask) fn one(text: &'a str) -> Self {
        Self::new(text, false)
    }

    /// Of a text that is JSON values one after the other, such as one a line.
    pub(in crate::mask) fn many(text: &'a str) -> Self {
        Self::new(text, true)
    }

    fn new(text: &'a str, many: bool) -> Self {
        let expects = Expects::First;
        Self { bytes: text.as_bytes(), at: 0, open: 0, depth: 0, expects, many }
    }

    /// The next token; `None` at the end.
    ///
    /// # Errors
    /// [`MaskFault::Json`] and [`MaskFault::Depth`]; the lexer is of no use afterwards.
    #[inline(always)]
    pub(in crate::mask) fn next(&mut self) -> Result<Option<Token>, MaskFault> {
        self.space();
        let key = match self.expects {
            Expects::First | Expects::Value => false,
            Expects::Item if self.peek() == Some(b']') => return Ok(Some(self.close())),
            Expects::Item => false,
            Expects::Member if self.peek() == Some(b'}') => return Ok(Some(self.close())),
            Expects::Member => true,
            Expects::More if self.depth == 0 => match self.peek() {
                None => return Ok(None),
                Some(_) if self.many => false,
                Some(_) => return Err(self.fault("text after the end")),
            },
            Expects::More => {
                let object = self.open & 1 == 1;
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b'}') if object => return Ok(Some(self.close())),
                    Some(b']') if !object => return Ok(Some(self.close())),
                    _ => return Err(self.fault("expected a comma or the end")),
                }
                self.space();
                object
            }
        };
        if key { self.key() } else { self.value() }
    }

    #[inline]
    fn close(&mut self) -> Token {
        self.at += 1;
        self.open >>= 1;
        self.depth -= 1;
        self.expects = Expects::More;
        Token::Close
    }

    #[inline(always)]
    fn key(&mut self) -> Result<Option<Token>, MaskFault> {
        if self.peek() != Some(b'"') {
            return Err(self.fault("expected a key"));
        }
        let key = self.quoted()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.fault("expected a colon"));
        }
        self.at += 1;
        self.expects = Expects::Value;
        Ok(Some(Token::Key(key)))
    }

    #[inline(always)]
    fn value(&mut self) -> Result<Option<Token>, MaskFault> {
        let token = match self.peek() {
            Some(b'"') => Token::Text(self.quoted()?),
            Some(b'{') => return self.enter(true),
            Some(b'[') => return self.enter(false),
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return Err(self.fault("expected a value")),
        };
        self.expects = Expects::More;
        Ok(Some(token))
    }

    fn enter(&mut self, object: bool) -> Result<Option<Token>, MaskFault> {
        if self.depth >= DEPTH_MAX {
            return Err(MaskFault::Depth { at: self.at });
        }
        self.at += 1;
        self.open = self.open << 1 | u128::from(object);
        self.depth += 1;
        self.expects = if object { Expects::Member } else { Expects::Item };
        Ok(Some(Token::Open { object }))
    }

    #[inline(always)]
    fn quoted(&mut self) -> Result<Quoted, MaskFault> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += text::plain(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Quoted { span: Span::new(start, self.at - 1), escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.fault("a control character in a string")),
                None => return Err(self.fault("a string without end")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), MaskFault> {
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

    fn low_surrogate(&mut self) -> Result<(), MaskFault> {
        let escaped = self.rest().starts_with(b"\\u");
        self.at += 2;
        if escaped && matches!(self.hex()?, 0xDC00..=0xDFFF) {
            Ok(())
        } else {
            Err(self.fault("a lone surrogate"))
        }
    }

    fn hex(&mut self) -> Result<u32, MaskFault> {
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or_default();
        let digit = |unit: u32, byte: &u8| Some(unit << 4 | char::from(*byte).to_digit(16)?);
        let unit = digits.iter().try_fold(0, digit).filter(|_| digits.len() == 4);
        let unit = unit.ok_or_else(|| self.fault("an escape without four hexadecimal digits"));
        self.at += 4;
        unit
    }

    fn word(&mut self, word: &[u8]) -> Result<Token, MaskFault> {
        if !self.rest().starts_with(word) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(Token::Word)
    }

    fn number(&mut self) -> Result<Token, MaskFault> {
        let start = self.at;
        self.skip(|byte| byte == b'-', 1);
        if self.skip(|byte| byte == b'0', 1) == 0 {
            self.digits()?;
        }
        if self.skip(|byte| byte == b'.', 1) == 1 {
            self.digits()?;
        }
        if self.skip(|byte| matches!(byte, b'e' | b'E'), 1) == 1 {
            self.skip(|byte| matches!(byte, b'+' | b'-'), 1);
            self.digits()?;
        }
        Ok(Token::Number(Span::new(start, self.at)))
    }

    fn digits(&mut self) -> Result<(), MaskFault> {
        match self.skip(|byte| byte.is_ascii_digit(), usize::MAX) {
            0 => Err(self.fault("expected a digit")),
            _ => Ok(()),
        }
    }

    /// Passes at most `most` bytes that `is` likes; how many.
    fn skip(&mut self, is: impl Fn(u8) -> bool, most: usize) -> usize {
        let rest = self.rest();
        let count = rest.iter().take(most).position(|byte| !is(*byte));
        let count = count.unwrap_or_else(|| rest.len().min(most));
        self.at += count;
        count
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    const fn fault(&self, what: &'static str) -> MaskFault {
        MaskFault::Json { at: self.at, what }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lexer, Token};
    use crate::mask::{DEPTH_MAX, MaskFault};

    fn read(text: &str) -> Result<Vec<Token>, MaskFault> {
        let mut lexer = Lexer::one(text);
        let mut tokens = Vec::new();
        while let Some(token) = lexer.next()? {
            tokens.push(token);
        }
        Ok(tokens)
    }

    #[test]
    fn valid_texts_are_read_to_their_end() {
        for text in [
            "0",
            "-0",
            "1.5e+3",
            "\"\"",
            "[]",
            "{}",
            "[[],{}]",
            " [ 1 , 2 ] ",
            r#"{"a":{"b":[null]}}"#,
            r#""\u00e9\ud83d\ude00\"""#,
            "true",
            r#"{"":""}"#,
        ] {
            assert!(read(text).is_ok(), "{text}: {:?}", read(text));
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            " ",
            "01",
            "+1",
            "1.",
            ".5",
            "1e",
            "-",
            "[1,]",
            "{\"a\":1,}",
            "[1 2]",
            "{a:1}",
            "[",
            "{",
            "]",
            "\"",
            "\"\t\"",
            r#""\x""#,
            r#""\u12g4""#,
            r#""\ud800""#,
            r#""\udc00""#,
            "tru",
            "nul",
            "[1}",
            "{\"a\"}",
            "{\"a\" 1}",
            "1 2",
            "\u{feff}1",
            "NaN",
            "'a'",
            "[1]]",
        ] {
            assert!(
                matches!(read(text), Err(MaskFault::Json { .. })),
                "{text:?}: {:?}",
                read(text)
            );
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(read(&nested(DEPTH_MAX + 1)), Err(MaskFault::Depth { at: DEPTH_MAX }));
    }
}
