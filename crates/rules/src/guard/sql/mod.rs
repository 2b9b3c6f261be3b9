//! SQL: what statements would do, in every dialect that a database behind a tool may speak.
//!
//! No grammar and no tree: tokens in one pass, verbs where a verb can stand, and of each statement
//! what matters (its objects, whether a condition bounds it). What can't be read is said to be so.
//! Never recursive; time is linear in the text.

mod execute;
mod functions;
mod lex;
mod literal;
mod names;
mod parse;
mod schema;
mod server;
mod statement;
mod truth;
mod value;
mod word;

#[cfg(test)]
mod tests;

use std::ops::Range;

use self::{
    lex::{Lexed, Rules, lex},
    parse::{Found, Reading},
};
use super::{
    Dialect,
    desk::{Desk, Reader},
};

/// More tokens than this in one text are not looked at.
const TOKENS_MAX: usize = 300_000;

/// Reads `text` as SQL. Where `strict`, what can't be read is a fact.
pub(super) fn read(desk: &mut Desk<'_>, text: &str, strict: bool) {
    let readings = readings(text, desk.context.dialect);
    if readings.iter().any(|(_, lexed)| lexed.tokens.len() > TOKENS_MAX) {
        return desk.fact("guard.limit", 0..text.len(), "the SQL has too many parts to be read");
    }
    let complete = readings.iter().any(|(_, lexed)| lexed.complete);
    let mut unread: Option<Range<usize>> = (!complete).then_some(0..text.len());
    let mut every = true;
    for (_, lexed) in readings.iter().filter(|(_, lexed)| lexed.complete || !complete) {
        if let Some(span) = lexed.disguised.clone() {
            desk.fact(
                "sql.obfuscated",
                span,
                "a keyword is spelled with look-alike or invisible characters",
            );
        }
        let found = Reading::new(text, &lexed.tokens).read();
        every &= found.unread.is_some();
        unread = unread.or_else(|| found.unread.clone().filter(|_| every));
        report(desk, found);
    }
    if (!complete || every)
        && let Some(span) = unread.filter(|_| strict)
    {
        desk.fact("sql.unparsed", span, "this can't be read as SQL in full");
    }
}

/// The text by the rules of the dialect; where it is not known and the text reads differently in
/// some, by the rules of each.
fn readings(text: &str, dialect: Option<Dialect>) -> Vec<(Dialect, Lexed)> {
    if let Some(dialect) = dialect {
        return vec![(dialect, lex(text, Rules::of(dialect)))];
    }
    let first = lex(text, Rules::of(Dialect::Postgres));
    if first.complete && !first.ambiguous {
        return vec![(Dialect::Postgres, first)];
    }
    let others =
        [Dialect::MySql, Dialect::TSql, Dialect::Oracle, Dialect::Snowflake, Dialect::BigQuery];
    let others = others.map(|dialect| (dialect, lex(text, Rules::of(dialect))));
    [(Dialect::Postgres, first)].into_iter().chain(others).collect()
}

fn report(desk: &mut Desk<'_>, found: Found) {
    for (label, span, note) in found.facts {
        desk.fact(label, span, note);
    }
    for (kind, name) in found.names {
        desk.name(kind, &name);
    }
    for (text, span) in found.inner {
        desk.later(Reader::Sql, text, span);
    }
    for (text, span) in found.shell {
        desk.later(Reader::Shell, text, span);
    }
}

/// Whether a text that nobody calls SQL reads like a statement: cheap, for probing.
pub(super) fn resembles(text: &str) -> bool {
    parse::resembles(text)
}

/// A name as it counts: without quotes, in lower case.
fn name_of(spelled: &str) -> String {
    let bare = spelled.strip_prefix("U&").unwrap_or(spelled);
    let bare = bare.trim_matches(|c| matches!(c, '"' | '`' | '[' | ']'));
    if bare.is_ascii() { bare.to_ascii_lowercase() } else { super::text::fold(bare).to_lowercase() }
}
