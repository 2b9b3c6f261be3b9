//! The command guard: what would the arguments of a call do?
//!
//! [`inspect`] reads SQL, shell, command lines, calls of databases without SQL, paths and URLs as
//! the machine that will run them does, and gives [`Facts`]: labels with evidence. Facts never
//! allow anything, and nothing here decides; policy does, on `context.facts`. What can't be read,
//! or is too large to be read, is a fact too.
//!
//! Pure, never recursive over its input, and linear in it: every text has limits, and texts within
//! texts wait in a queue ([`desk`]).
//!
//! | room | reads |
//! |---|---|
//! | [`arguments`] | the JSON of a call: which text is what, by admin, schema and name |
//! | [`sql`] | statements of every dialect |
//! | [`shell`] | scripts, and what their programs do |
//! | [`cli`] | command lines of known programs, by tables |
//! | [`nosql`] | MongoDB, Redis, Elasticsearch, Cypher |
//! | [`location`] | paths and URLs |
//! | [`labels`] | the reference of labels |

mod arguments;
mod cli;
mod desk;
mod fact;
pub mod labels;
mod location;
mod names;
mod nosql;
mod packs;
mod shell;
mod sql;
mod text;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use fact::{Fact, Facts, is_within};
pub use packs::{PACK_MAX_BYTES, Pack, PackFault};

use self::{
    desk::{Context, Desk, Reader, Task, Work},
    fact::Place,
};

/// Which SQL a database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL, Redshift, CockroachDB.
    Postgres,
    /// MySQL, MariaDB.
    MySql,
    /// SQLite, DuckDB.
    Sqlite,
    /// Microsoft SQL Server.
    TSql,
    /// Oracle.
    Oracle,
    /// Snowflake.
    Snowflake,
    /// BigQuery.
    BigQuery,
}

/// What a text is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SQL.
    Sql,
    /// A shell script or command line.
    Shell,
    /// A command for a database without SQL.
    Nosql,
    /// A program text.
    Code,
    /// A path or URL.
    Location,
    /// The JSON of a call's arguments.
    Call,
    /// Text for people.
    Prose,
    /// Not said.
    Auto,
}

impl Kind {
    /// The kind with this name on the command line, in a corpus and in the configuration. Command
    /// lines of every family are shell.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sql" => Self::Sql,
            "shell" | "kubectl" | "container" | "iac" | "git" | "cloud" => Self::Shell,
            "nosql" => Self::Nosql,
            "code" => Self::Code,
            "path" | "url" | "location" => Self::Location,
            "toolcall" | "call" => Self::Call,
            "text" | "prose" => Self::Prose,
            "auto" => Self::Auto,
            _ => return None,
        })
    }
}

/// What is known of a call besides its arguments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Profile<'a> {
    /// The tool's name.
    pub tool: Option<&'a str>,
    /// The tool's `inputSchema`.
    pub schema: Option<&'a Value>,
    /// What an admin said of arguments: their JSON pointers, or names at the top, with their kinds.
    pub roles: &'a [(String, Kind)],
    /// The SQL that the connection's database speaks.
    pub dialect: Option<Dialect>,
    /// The connection's name, for the scopes of rules.
    pub connection: &'a str,
    /// Rules of people's own.
    pub packs: &'a [Pack],
}

impl Dialect {
    /// Every dialect with its name on the command line and in the configuration.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("postgres", Self::Postgres),
        ("mysql", Self::MySql),
        ("sqlite", Self::Sqlite),
        ("tsql", Self::TSql),
        ("oracle", Self::Oracle),
        ("snowflake", Self::Snowflake),
        ("bigquery", Self::BigQuery),
    ];

    /// The dialect of this name.
    pub fn named(name: &str) -> Option<Self> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|(_, dialect)| *dialect)
    }
}

/// What the arguments of a call would do.
pub fn inspect(profile: &Profile<'_>, arguments: &Value) -> Facts {
    let mut work = Work::default();
    let context =
        Context { place: Place::default(), depth: 0, suspect: false, dialect: profile.dialect };
    arguments::read(&mut Desk { work: &mut work, context }, profile, arguments);
    let mut facts = run(work);
    let tool = profile.tool.unwrap_or_default();
    packs::read(&mut facts, profile.packs, profile.connection, tool, arguments);
    facts
}

/// What the rules of `packs` find in one text, on top of `facts`.
pub fn with_packs(mut facts: Facts, packs: &[Pack], text: &str) -> Facts {
    packs::read_text(&mut facts, packs, text);
    facts
}

/// What one text of this kind would do.
pub fn inspect_text(text: &str, kind: Kind, dialect: Option<Dialect>) -> Facts {
    let mut work = Work::default();
    let context =
        Context { place: Place::default(), depth: 0, suspect: kind == Kind::Prose, dialect };
    let reader = match kind {
        Kind::Sql => Reader::Sql,
        Kind::Shell => Reader::Shell,
        Kind::Nosql => Reader::Nosql,
        Kind::Code => Reader::Code,
        Kind::Location => Reader::Location,
        Kind::Call => Reader::Json,
        Kind::Auto | Kind::Prose => Reader::Probe,
    };
    work.push(Task { reader, text: text.to_owned(), context });
    run(work)
}

fn run(mut work: Work) -> Facts {
    while let Some(task) = work.pop() {
        let Task { reader, text, context } = task;
        let strict = context.depth == 0;
        let mut desk = Desk { work: &mut work, context };
        match reader {
            Reader::Sql => sql::read(&mut desk, &text, strict),
            Reader::Shell => shell::read(&mut desk, &text, strict),
            Reader::Argv(argv) => shell::read_argv(&mut desk, &argv),
            Reader::Code => shell::read_code(&mut desk, &text),
            Reader::Nosql => nosql::read(&mut desk, &text),
            Reader::Location => location::read(&mut desk, &text),
            Reader::Probe => arguments::probe(&mut desk, &text),
            Reader::Json => json(&mut desk, &text),
        }
    }
    work.facts
}

/// JSON in a text, read as arguments.
fn json(desk: &mut Desk<'_>, text: &str) {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => arguments::read(desk, &Profile::default(), &value),
        // A document of MongoDB's shell has keys without quotes.
        Err(_) if desk.context.depth > 0 => {}
        Err(_) => {
            let call = text.trim_start().starts_with('{');
            if call {
                desk.fact("guard.limit", 0..text.len(), "this can't be read as JSON");
            } else {
                arguments::probe(desk, text);
            }
        }
    }
}
