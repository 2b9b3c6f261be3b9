//! Statements about objects rather than rows: DROP, ALTER, CREATE and their like.

use super::{
    lex::Kind,
    parse::Reading,
    word::{Word, is_object},
};
use crate::guard::fact::shown;

use Word as W;

/// What ALTER TABLE … DROP may drop without losing data.
const KEEPS_DATA: [W; 7] =
    [W::Not, W::Default, W::Constraint, W::Check, W::Identity, W::Expression, W::Foreign];

impl Reading<'_> {
    /// DROP, UNDROP, TRUNCATE, ALTER, CREATE, RENAME, COMMENT, DETACH, ATTACH.
    pub(super) fn schema(&mut self, at: usize, verb: W) -> usize {
        let end = self.end_of(at);
        match verb {
            W::Drop => self.drop_object(at, end),
            W::Truncate => self.truncate(at),
            W::Alter => return self.alter(at, end),
            W::Create => return self.create(at, end),
            W::Rename if self.is(at + 1, W::User) => {
                self.fact("sql.privilege", at, at + 2, "this would rename an account")
            }
            W::Rename => self.fact("sql.ddl.alter", at, end, "an object gets another name"),
            W::Detach if matches!(self.word(at + 1), Some(W::Table | W::View | W::Dictionary)) => {
                let name = self.table(at + 2);
                self.fact("sql.ddl.drop", at, at + 3, format!("this would detach {name}"));
            }
            W::Attach => self.fact(
                "sql.execute.file",
                at,
                end,
                "this would open or create a file of the database's machine",
            ),
            W::Undrop => self.fact("sql.ddl.create", at, end, "something dropped is brought back"),
            _ => self.fact(
                "sql.ddl.alter",
                at,
                at + 2,
                "a note on an object, or the session, changes",
            ),
        }
        at + 1
    }

    /// The words between the verb and the name, and the place of the name.
    fn head(&self, at: usize, end: usize) -> (Vec<W>, usize) {
        let mut words = Vec::new();
        let mut next = at + 1;
        while next < end && words.len() < 12 {
            let Some(word) = self.word(next) else { break };
            let modifier = matches!(
                word,
                W::Or
                    | W::Replace
                    | W::Temp
                    | W::Temporary
                    | W::Unlogged
                    | W::Global
                    | W::Local
                    | W::If
                    | W::Not
                    | W::Exists
                    | W::Concurrently
                    | W::Materialized
                    | W::Foreign
                    | W::External
                    | W::Unique
                    | W::Recursive
                    | W::Volatile
                    | W::Transient
                    | W::Virtual
                    | W::Fulltext
                    | W::Spatial
                    | W::Clustered
                    | W::Nonclustered
                    | W::Bitmap
                    | W::By
                    | W::Default
                    | W::Online
                    | W::Privileges
                    | W::Data
                    | W::Event
                    | W::Operator
                    | W::Text
                    | W::Row
                    | W::Access
                    | W::Public
                    | W::Dynamic
                    | W::Hybrid
                    | W::Iceberg
                    | W::Live
                    | W::Link
                    | W::Security
                    | W::Binary
                    | W::Conversion
            );
            if !modifier && !is_object(word) && !matches!(word, W::System | W::Prepare) {
                break;
            }
            words.push(word);
            next += 1;
        }
        // A name that is spelled like a word.
        if next >= end
            && !words.is_empty()
            && self
                .word(next - 1)
                .is_some_and(|word| !is_object(word) && !matches!(word, W::Exists | W::If))
        {
            next -= 1;
        }
        (words, next)
    }

    fn drop_object(&mut self, at: usize, end: usize) {
        let (words, name_at) = self.head(at, end);
        if name_at >= end {
            self.found.unread.get_or_insert(self.span(at, end));
            return;
        }
        let kind = words
            .iter()
            .find(|word| is_object(**word))
            .map_or_else(|| "object".to_owned(), |word| format!("{word:?}").to_lowercase());
        let spelled = self.spelled(name_at);
        let (name, next) = self.object(name_at);
        let temporary = words.iter().any(|word| matches!(word, W::Temp | W::Temporary))
            || spelled.starts_with('#')
            || super::name_of(spelled) == "pg_temp"
            || (next > name_at + 1 && spelled.eq_ignore_ascii_case("tempdb"));
        if temporary && matches!(words.first(), Some(W::Table | W::Temp | W::Temporary)) {
            return self.fact("sql.ddl.temporary", at, end, "a temporary table is dropped");
        }
        if matches!(words.as_slice(), [W::Prepare, ..]) {
            return self.fact("sql.transaction", at, end, "a prepared statement is dropped");
        }
        if words.iter().any(|word| {
            matches!(word, W::User | W::Role | W::Login | W::Policy | W::Owned | W::Credential)
        }) {
            self.fact(
                "sql.privilege",
                at,
                end,
                "this would drop an account, its rights, or a policy",
            );
        }
        if words.iter().any(|word| matches!(word, W::Table | W::View)) {
            self.table(name_at);
            for comma in self
                .level(name_at, end)
                .filter(|one| self.kind(*one) == Some(Kind::Comma))
                .collect::<Vec<_>>()
            {
                self.table(comma + 1);
            }
        }
        self.fact("sql.ddl.drop", at, end, format!("this would drop the {kind} {}", shown(&name)));
    }

    fn truncate(&mut self, at: usize) {
        let next =
            at + usize::from(
                self.is(at + 1, W::Table)
                    || self.is(at + 1, W::Only)
                    || self.is(at + 1, W::Database),
            ) + 1;
        let next =
            if self.is(next, W::If) && self.is(next + 1, W::Exists) { next + 2 } else { next };
        let next = next + usize::from(self.is(next, W::Only));
        if self.spelled(next).starts_with('#') || self.spelled(next).eq_ignore_ascii_case("pg_temp")
        {
            return self.fact("sql.ddl.temporary", at, next + 1, "a temporary table is emptied");
        }
        if self.kind(next) == Some(Kind::Open) {
            // The function that rounds numbers.
            return;
        }
        let name = self.table(next);
        self.fact(
            "sql.ddl.truncate",
            at,
            next + 1,
            format!("this would delete every row of {name}: TRUNCATE"),
        );
    }

    fn alter(&mut self, at: usize, end: usize) -> usize {
        let (words, name_at) = self.head(at, end);
        let has = |word| words.contains(&word);
        if has(W::System)
            || has(W::Server) && !has(W::Foreign)
            || self.is(at + 1, W::Warehouse) && self.find(at, end, &[W::Abort]).is_some()
        {
            self.fact("sql.server", at, end, "this would change the server itself");
        } else if [
            W::User,
            W::Role,
            W::Login,
            W::Policy,
            W::Privileges,
            W::Credential,
            W::Group,
            W::Profile,
        ]
        .into_iter()
        .any(has)
            || self.is(at + 1, W::Authorization)
        {
            self.fact("sql.privilege", at, end, "this would change an account or its rights");
        } else if has(W::Database) || has(W::Tablespace) {
            self.alter_database(at, end);
        } else {
            self.alter_table(at, name_at, end);
        }
        // Clauses of an ALTER look like statements (`DROP INDEX`); they have been read.
        end.max(at + 1)
    }

    fn alter_database(&mut self, at: usize, end: usize) {
        let harsh = (at..end).any(|one| {
            let word = self.spelled(one).to_ascii_lowercase();
            matches!(
                word.as_str(),
                "offline"
                    | "single_user"
                    | "restricted_user"
                    | "read_only"
                    | "emergency"
                    | "rename"
                    | "modify"
                    | "close"
                    | "mount"
                    | "dismount"
                    | "noarchivelog"
                    | "flashback"
                    | "owner"
                    | "remove"
                    | "recovery"
                    | "drop"
            )
        });
        if harsh {
            self.fact(
                "sql.server",
                at,
                end,
                "this would take a database away from those who use it, or change how it is kept",
            );
        } else {
            self.fact("sql.ddl.alter", at, end, "a database's settings change");
        }
    }

    fn alter_table(&mut self, at: usize, name_at: usize, end: usize) {
        let table = self.table(name_at);
        self.fact("sql.ddl.alter", at, name_at + 1, format!("the definition of {table} changes"));
        let places: Vec<usize> = self.level(name_at + 1, end).collect();
        for one in places {
            if self.is(one.saturating_sub(1), W::To) {
                continue; // a new name
            }
            if let Some((label, words)) = self.alteration(one, end, &table) {
                self.fact(label, one, (one + 2).min(end), words);
            }
        }
    }

    /// What an action of ALTER TABLE does, where it loses data or a protection.
    fn alteration(&self, one: usize, end: usize, table: &str) -> Option<(&'static str, String)> {
        let next = self.word(one + 1);
        let named = |at: usize, name: &str| self.spelled(at).eq_ignore_ascii_case(name);
        Some(match self.word(one)? {
            W::Drop if !next.is_some_and(|next| KEEPS_DATA.contains(&next)) => {
                let what = self.spelled(if next == Some(W::Column) { one + 2 } else { one + 1 });
                ("sql.ddl.drop", format!("this would drop {} of {table}", shown(what)))
            }
            W::Truncate => ("sql.ddl.truncate", format!("this would empty a partition of {table}")),
            W::Detach => ("sql.ddl.drop", format!("this would detach a partition of {table}")),
            W::Discard => ("sql.ddl.drop", format!("this would throw the data of {table} away")),
            W::Name if named(one, "engine") && named(one + 2, "blackhole") => {
                ("sql.ddl.drop", format!("this would throw the data of {table} away"))
            }
            W::Delete | W::Update
                if next == Some(W::Where) || self.find(one, end, &[W::Where]).is_some() =>
            {
                let words = format!("this would delete rows of {table} in the background");
                ("sql.write.unbounded", words)
            }
            W::Disable | W::Enable
                if matches!(next, Some(W::Row | W::Trigger | W::Rule | W::All)) =>
            {
                ("sql.privilege", format!("this would switch a protection of {table}"))
            }
            W::No if next == Some(W::Force) => {
                ("sql.privilege", format!("this would switch row security of {table} off"))
            }
            W::Name if named(one, "owner") => {
                ("sql.privilege", format!("this would give {table} another owner"))
            }
            W::Name if named(one, "nocheck") => {
                ("sql.privilege", format!("this would switch checks of {table} off"))
            }
            _ => return None,
        })
    }

    fn create(&mut self, at: usize, end: usize) -> usize {
        let (words, name_at) = self.head(at, end);
        let has = |word| words.contains(&word);
        let (name, _) = self.object(name_at);
        self.fact("sql.ddl.create", at, name_at + 1, format!("{} is created", shown(&name)));
        if has(W::Table) || has(W::View) {
            self.remember_created(&name);
        }
        if has(W::Replace) && has(W::Table) && !has(W::Temp) && !has(W::Temporary)
            || has(W::Replace) && (has(W::Schema) || has(W::Database))
        {
            self.fact(
                "sql.ddl.replace",
                at,
                name_at + 1,
                format!("this would replace {name} and all that it holds"),
            );
        }
        if [W::User, W::Role, W::Login, W::Policy, W::Credential, W::Group].into_iter().any(has) {
            self.fact("sql.privilege", at, end, "this would create an account, a role or a policy");
        }
        if has(W::Assembly) || has(W::Language) {
            self.fact(
                "sql.execute.program",
                at,
                end,
                "this would load code into the database server",
            );
        }
        if has(W::Extension)
            && (matches!(
                name.as_str(),
                "plpython3u"
                    | "plpythonu"
                    | "plperlu"
                    | "pltclu"
                    | "dblink"
                    | "file_fdw"
                    | "adminpack"
                    | "plsh"
            ))
        {
            self.fact(
                "sql.execute.program",
                at,
                end,
                "this would add an extension that runs programs or reaches files",
            );
        }
        if has(W::Server) || has(W::Link) || has(W::Subscription) || has(W::Directory) {
            self.fact(
                "sql.execute.file",
                at,
                end,
                "this would connect the database with files or another server",
            );
        }
        if has(W::Function) || has(W::Procedure) || has(W::Proc) {
            self.routine(at, end);
        }
        // A body is read where it stands.
        if has(W::Table) && self.find(name_at, end, &[W::As]).is_none() {
            end.max(at + 1)
        } else {
            at + 1
        }
    }

    fn remember_created(&mut self, name: &str) {
        self.found.names.push(("sql.table", name.to_owned()));
    }

    /// The body of a routine, where it is a literal, and the language in which it is written.
    fn routine(&mut self, at: usize, end: usize) {
        for one in self.level(at, end).collect::<Vec<_>>() {
            if self.is(one, W::Language) {
                let language = self.spelled(one + 1).trim_matches('\'').to_ascii_lowercase();
                if matches!(
                    language.as_str(),
                    "c" | "plpythonu" | "plpython3u" | "plperlu" | "pltclu" | "plsh" | "internal"
                ) {
                    self.fact(
                        "sql.execute.program",
                        one,
                        one + 2,
                        "this would create a function that can run programs",
                    );
                }
            }
            if self.spelled(one).eq_ignore_ascii_case("soname") || self.is(one, W::External) {
                self.fact(
                    "sql.execute.program",
                    one,
                    one + 2,
                    "this would create a function from a library",
                );
            }
        }
        self.literals(at, end, false);
    }
}
