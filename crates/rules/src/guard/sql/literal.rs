//! What a literal of SQL says, and what literals put together say.

use super::lex::{Kind, Style, Token};

/// The text that a literal stands for.
pub(super) fn decode(text: &str, token: &Token) -> String {
    let written = text.get(token.span()).unwrap_or_default();
    let Kind::Text(style) = token.kind else { return String::new() };
    match style {
        Style::Raw(edge) => {
            let edge = usize::from(edge);
            let inner = written.get(
                edge..written.len().saturating_sub(if written.starts_with(['q', 'Q']) {
                    2
                } else {
                    edge
                }),
            );
            inner.unwrap_or_default().to_owned()
        }
        Style::Hex => {
            let digits: String = written.chars().filter(char::is_ascii_hexdigit).collect();
            // The 0 of `0x`.
            let digits = if written.starts_with("0x") || written.starts_with("0X") {
                digits.get(1..).unwrap_or_default()
            } else {
                &digits
            };
            super::super::text::hex_text(digits).unwrap_or_default()
        }
        Style::Plain => inner(written).replace("''", "'"),
        Style::Backslash => unescape(inner(written)),
        Style::Unicode => unicode(inner(written)),
    }
}

/// Between the quotes, without what stands before the first one.
fn inner(written: &str) -> &str {
    let Some(open) = written.find(['\'', '"']) else { return "" };
    let body = written.get(open + 1..).unwrap_or_default();
    body.strip_suffix(['\'', '"']).unwrap_or(body)
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('x') => out.extend(digits(&mut characters, 2)),
                Some('u') => out.extend(digits(&mut characters, 4)),
                Some(other) => out.push(other),
                None => {}
            },
            '\'' if characters.peek() == Some(&'\'') => {
                characters.next();
                out.push('\'');
            }
            other => out.push(other),
        }
    }
    out
}

fn unicode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
        } else if characters.next_if_eq(&'+').is_some() {
            out.extend(digits(&mut characters, 6));
        } else {
            out.extend(digits(&mut characters, 4));
        }
    }
    out
}

fn digits(characters: &mut std::iter::Peekable<std::str::Chars<'_>>, most: usize) -> Option<char> {
    let mut code = 0;
    for _ in 0..most {
        let Some(digit) = characters.peek().and_then(|c| c.to_digit(16)) else { break };
        code = code * 16 + digit;
        characters.next();
    }
    char::from_u32(code)
}

/// What an expression of literals says: `'DR' + 'OP'`, `'a' || 'b'`, `concat('a', 'b')`,
/// `CHAR(68)`. The flag tells whether there was anything else in it.
pub(super) fn joined(text: &str, tokens: &[Token]) -> (String, bool) {
    let mut out = String::new();
    let mut whole = true;
    let mut calls = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Text(_) => out.push_str(&decode(text, token)),
            Kind::Number if calls > 0 => {
                let code = text.get(token.span()).and_then(|number| number.parse().ok());
                out.extend(code.and_then(char::from_u32));
            }
            Kind::Open => calls += 1,
            Kind::Close => calls = calls.saturating_sub(1),
            Kind::Join | Kind::Comma => {}
            Kind::Sign if text.get(token.span()) == Some("+") => {}
            Kind::Word(_) if tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Open) => {
                let name = text.get(token.span()).unwrap_or_default().to_ascii_lowercase();
                whole &= matches!(
                    name.as_str(),
                    "concat"
                        | "char"
                        | "chr"
                        | "nchar"
                        | "cast"
                        | "convert_from"
                        | "decode"
                        | "unhex"
                );
            }
            _ => whole = false,
        }
    }
    (out, whole)
}
