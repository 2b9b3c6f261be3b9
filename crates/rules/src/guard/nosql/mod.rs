//! Databases without SQL: MongoDB's shell and command documents, Redis, Elasticsearch and what
//! speaks like it, Cypher.

mod documents;
mod elastic;
mod mongo;
mod redis;

use super::{
    desk::{Desk, Reader},
    shell, sql,
};

pub(super) use documents::{read as read_document, shaped};
pub(super) use elastic::is_destructive_url as elastic_delete;

/// Reads a command for a database without SQL.
pub(super) fn read(desk: &mut Desk<'_>, text: &str) {
    let trimmed = text.trim_start();
    if trimmed.starts_with(['{', '[']) {
        desk.later(Reader::Json, text, 0..text.len());
        return;
    }
    let first = trimmed.split_whitespace().next().unwrap_or_default();
    let program = shell::is_client(first) || (trimmed.contains('|') && shell::resembles(text));
    if program {
        desk.later(Reader::Shell, text, 0..text.len());
        return;
    }
    if elastic::read(desk, text)
        || mongo::read(desk, text)
        || cypher(desk, text)
        || redis::read(desk, text)
    {
        return;
    }
    if sql::resembles(text) {
        desk.later(Reader::Sql, text, 0..text.len());
    } else if shell::resembles(text) {
        desk.later(Reader::Shell, text, 0..text.len());
    }
}

/// Whether a text that nobody declares reads like such a command.
pub(super) fn resembles(text: &str) -> bool {
    elastic::resembles(text)
        || mongo::resembles(text)
        || redis::resembles(text)
        || is_cypher(&text.to_ascii_uppercase())
}

fn is_cypher(upper: &str) -> bool {
    let head = upper.trim_start();
    (head.starts_with("MATCH ")
        || head.starts_with("MATCH(")
        || head.starts_with("OPTIONAL MATCH")
        || head.starts_with("MERGE (")
        || head.starts_with("CREATE (")
        || head.starts_with("CALL APOC")
        || head.starts_with("CALL {"))
        && head.contains('(')
}

/// Cypher: nodes matched without a label's property or a WHERE are all of them.
fn cypher(desk: &mut Desk<'_>, text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    if upper.trim_start().starts_with("DROP ") && !sql::resembles(text) {
        desk.fact("db.drop", 0..text.len(), "this would drop something of the database");
        return true;
    }
    if !is_cypher(&upper) {
        return false;
    }
    let span = 0..text.len();
    let words: Vec<&str> =
        upper.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let deletes =
        words.contains(&"DELETE") || upper.contains("APOC.PERIODIC") && upper.contains("DELETE");
    let bare = upper.split("DELETE").next().unwrap_or_default();
    let always = upper.replace(' ', "");
    let bounded = bare.contains('{') && !bare.contains("CALL {")
        || (words.contains(&"WHERE")
            && !always.contains("WHERETRUE")
            && !always.contains("WHERE1=1"))
        || words.contains(&"LIMIT");
    if deletes && !bounded {
        desk.fact(
            "db.delete.unbounded",
            span,
            "this would delete every node that has this label, or every node there is",
        );
    } else if deletes
        || ["SET", "CREATE", "MERGE", "REMOVE"].iter().any(|verb| words.contains(verb))
    {
        desk.fact("db.write", span, "nodes are written");
    } else {
        desk.fact("db.read", span, "nodes are read");
    }
    true
}
