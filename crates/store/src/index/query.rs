//! The little language of the text search, read once and spelled for either database.
//!
//! Words parted by blanks: all must occur in one call. `"quoted words"` must follow one another in
//! one text. A `*` at the end of a word, or after the closing quote, takes every word that begins
//! so. Everything else is data: signs only part words, and `dba@example.org` means the three words
//! in a row. Pure; nothing of what was typed goes on as syntax.

use super::words::words;

/// Most parts of a query.
const TERMS_MAX: usize = 16;

/// Most words in a row.
pub(super) const PHRASE_MAX: usize = 16;

/// What was typed can't be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryFault {
    /// There is no letter and no digit in it.
    #[error("the search has no word in it")]
    Empty,
    /// A quote opens and never closes.
    #[error("the search has a quote that is never closed")]
    Quote,
    /// There is too much of it.
    #[error("the search is too long: at most 16 words or phrases, and 16 words in a phrase")]
    TooLong,
}

/// What is looked for in the text of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
}

/// Words that follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    /// In the spelling of the index: lower-case ASCII letters and digits. Never empty.
    words: Vec<String>,
    /// The last word may go on.
    prefix: bool,
}

impl Query {
    /// Reads what was typed.
    ///
    /// # Errors
    /// [`QueryFault`].
    pub fn parse(typed: &str) -> Result<Self, QueryFault> {
        let mut terms = Vec::new();
        let mut rest = typed;
        loop {
            rest = rest.trim_start();
            if rest.is_empty() {
                break;
            }
            let (text, prefix, after) = item(rest)?;
            rest = after;
            let words = words(text);
            if words.len() > PHRASE_MAX || terms.len() == TERMS_MAX {
                return Err(QueryFault::TooLong);
            }
            if !words.is_empty() {
                terms.push(Term { words, prefix });
            }
        }
        if terms.is_empty() { Err(QueryFault::Empty) } else { Ok(Self { terms }) }
    }

    /// One text a term for FTS5 (sqlite.org/fts5.html §3): `"a b"`, and `"a b" *` for a beginning.
    pub(super) fn fts5(&self) -> impl Iterator<Item = String> {
        self.terms.iter().map(|term| {
            let star = if term.prefix { " *" } else { "" };
            format!("\"{}\"{star}", term.words.join(" "))
        })
    }

    /// One text a term for PostgreSQL's `tsquery`: `a <-> b`, and `a <-> b:*` for a beginning.
    pub(super) fn tsquery(&self) -> impl Iterator<Item = String> {
        self.terms.iter().map(|term| {
            let star = if term.prefix { ":*" } else { "" };
            format!("{}{star}", term.words.join(" <-> "))
        })
    }
}

/// The first part of `rest`: its text, whether a star ends it, and what comes after.
fn item(rest: &str) -> Result<(&str, bool, &str), QueryFault> {
    if let Some(quoted) = rest.strip_prefix('"') {
        let (text, after) = quoted.split_once('"').ok_or(QueryFault::Quote)?;
        return Ok(match after.strip_prefix('*') {
            Some(after) => (text, true, after),
            None => (text, false, after),
        });
    }
    let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
    let (text, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    Ok((text, text.ends_with('*'), after))
}

#[cfg(test)]
mod tests {
    use super::{Query, QueryFault};

    #[test]
    fn both_dialects_say_the_same() {
        for (typed, fts5, tsquery) in [
            ("drop", &["\"drop\""][..], &["drop"][..]),
            ("drop  Table", &["\"drop\"", "\"table\""], &["drop", "table"]),
            ("\"drop table\" x", &["\"drop table\"", "\"x\""], &["drop <-> table", "x"]),
            ("sal*", &["\"sal\" *"], &["sal:*"]),
            ("\"drop tab\"*", &["\"drop tab\" *"], &["drop <-> tab:*"]),
            ("a-b", &["\"a b\""], &["a <-> b"]),
            ("a\"b c\"d", &["\"a\"", "\"b c\"", "\"d\""], &["a", "b <-> c", "d"]),
            ("x ***", &["\"x\""], &["x"]),
            (
                "NEAR(a b) OR NOT c",
                &["\"near a\"", "\"b\"", "\"or\"", "\"not\"", "\"c\""],
                &["near <-> a", "b", "or", "not", "c"],
            ),
            ("a & !b | (c:*)", &["\"a\"", "\"b\"", "\"c\""], &["a", "b", "c"]),
            ("words:x ^y", &["\"words x\"", "\"y\""], &["words <-> x", "y"]),
        ] {
            let query = Query::parse(typed).unwrap();
            assert_eq!(query.fts5().collect::<Vec<_>>(), fts5, "{typed}");
            assert_eq!(query.tsquery().collect::<Vec<_>>(), tsquery, "{typed}");
        }
    }

    #[test]
    fn what_can_not_be_looked_for_is_said() {
        let long = "x ".repeat(17);
        let phrase = "x-".repeat(17);
        for (typed, fault) in [
            ("", QueryFault::Empty),
            (" * \0 ' ", QueryFault::Empty),
            ("\"\"", QueryFault::Empty),
            ("a \"b", QueryFault::Quote),
            (&long, QueryFault::TooLong),
            (&phrase, QueryFault::TooLong),
        ] {
            assert_eq!(Query::parse(typed), Err(fault), "{typed}");
        }
    }
}
