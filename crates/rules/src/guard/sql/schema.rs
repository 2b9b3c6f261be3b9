//! Statements about objects rather than rows: DROP, ALTER, CREATE and their like; files and the
//! server itself.

use super::{
    lex::Kind,
    parse::{Reading, is_object},
    word::Word,
};

use Word as W;

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
        self.fact(
            "sql.ddl.drop",
            at,
            end,
            format!("this would drop the {kind} {}", super::super::fact::shown(&name)),
        );
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
            let next = self.word(one + 1);
            let inside_rename = self.is(one.saturating_sub(1), W::To);
            match self.word(one) {
                _ if inside_rename => {}
                Some(W::Drop)
                    if !matches!(
                        next,
                        Some(
                            W::Not
                                | W::Default
                                | W::Constraint
                                | W::Check
                                | W::Identity
                                | W::Expression
                        )
                    ) && !matches!(self.word(one + 1), Some(W::Foreign)) =>
                {
                    let what =
                        self.spelled(if next == Some(W::Column) { one + 2 } else { one + 1 });
                    let what = super::super::fact::shown(what);
                    self.fact(
                        "sql.ddl.drop",
                        one,
                        one + 2,
                        format!("this would drop {what} of {table}"),
                    );
                }
                Some(W::Truncate) => self.fact(
                    "sql.ddl.truncate",
                    one,
                    one + 2,
                    format!("this would empty a partition of {table}"),
                ),
                Some(W::Discard) => self.fact(
                    "sql.ddl.drop",
                    one,
                    one + 2,
                    format!("this would throw the data of {table} away"),
                ),
                Some(W::Detach) => self.fact(
                    "sql.ddl.drop",
                    one,
                    one + 2,
                    format!("this would detach a partition of {table}"),
                ),
                Some(W::Delete | W::Update)
                    if next == Some(W::Where) || self.find(one, end, &[W::Where]).is_some() =>
                {
                    self.fact(
                        "sql.write.unbounded",
                        one,
                        end,
                        format!("this would delete rows of {table} in the background"),
                    );
                }
                Some(W::Disable | W::Enable)
                    if matches!(next, Some(W::Row | W::Trigger | W::Rule | W::All)) =>
                {
                    self.fact(
                        "sql.privilege",
                        one,
                        one + 2,
                        format!("this would switch a protection of {table}"),
                    );
                }
                Some(W::No) if next == Some(W::Force) => self.fact(
                    "sql.privilege",
                    one,
                    one + 2,
                    format!("this would switch row security of {table} off"),
                ),
                Some(W::Name) if self.spelled(one).eq_ignore_ascii_case("owner") => self.fact(
                    "sql.privilege",
                    one,
                    end,
                    format!("this would give {table} another owner"),
                ),
                Some(W::Name)
                    if self.spelled(one).eq_ignore_ascii_case("engine")
                        && self.spelled(one + 2).eq_ignore_ascii_case("blackhole") =>
                {
                    self.fact(
                        "sql.ddl.drop",
                        one,
                        end,
                        format!("this would throw the data of {table} away"),
                    );
                }
                Some(W::Name) if self.spelled(one).eq_ignore_ascii_case("nocheck") => self.fact(
                    "sql.privilege",
                    one,
                    end,
                    format!("this would switch checks of {table} off"),
                ),
                _ => {}
            }
        }
    }

    fn create(&mut self, at: usize, end: usize) -> usize {
        let (words, name_at) = self.head(at, end);
        let has = |word| words.contains(&word);
        let (name, _) = self.object(name_at);
        self.fact(
            "sql.ddl.create",
            at,
            name_at + 1,
            format!("{} is created", super::super::fact::shown(&name)),
        );
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

    /// COPY, LOAD, EXPORT and what else moves data between the server and files.
    pub(super) fn files(&mut self, at: usize, verb: W) {
        let end = self.end_of(at);
        let program = self.find(at, end, &[W::Program]);
        if let (W::Copy, Some(program)) = (verb, program) {
            self.fact(
                "sql.execute.program",
                at,
                end,
                "this would run a program on the database server",
            );
            self.literals(program, end, true);
            return;
        }
        if verb == W::Import && self.find(at, end, &[W::Schema]).is_some() {
            return self.fact("sql.ddl.create", at, end, "foreign tables are created");
        }
        if verb == W::Load && matches!(self.kind(at + 1), Some(Kind::Text(_))) {
            return self.fact(
                "sql.execute.program",
                at,
                end,
                "this would load a library into the database server",
            );
        }
        if verb == W::Remove {
            return self.fact("sql.ddl.drop", at, end, "this would remove files of a stage");
        }
        if verb != W::Copy {
            return self.fact(
                "sql.execute.file",
                at,
                end,
                "this would move data between the database and files",
            );
        }
        let direction = self.find(at + 1, end, &[W::To, W::From]);
        let Some(direction) = direction else {
            return self.fact("sql.write", at, end, "rows are copied");
        };
        let into = self.is(at + 1, W::Into);
        if !into && self.kind(at + 1) != Some(Kind::Open) {
            self.table(at + 1);
        }
        let target = if into { at + 2 } else { direction + 1 };
        let remote = |text: &str| {
            ["s3:", "gs:", "gcs:", "azure:", "wasb", "http"]
                .iter()
                .any(|scheme| text.trim_matches('\'').starts_with(scheme))
        };
        match (self.word(direction), self.kind(target)) {
            (Some(W::To), Some(Kind::Text(_))) => {
                self.fact("sql.execute.file", at, end, "this would write rows to a file or bucket")
            }
            (Some(W::From), Some(Kind::Text(_))) if into => {
                self.fact("sql.execute.file", at, end, "this would write rows to a file or bucket")
            }
            (Some(W::From), Some(Kind::Text(_))) if remote(self.spelled(target)) => {
                self.fact("sql.write", at, end, "rows are loaded")
            }
            (Some(W::From), Some(Kind::Text(_))) => self.fact(
                "sql.execute.file",
                at,
                end,
                "this would read a file of the database server",
            ),
            (Some(W::To), _) => self.fact("sql.read", at, end, "rows are read"),
            _ => self.fact("sql.write", at, end, "rows are loaded"),
        }
    }

    /// Statements about the server itself.
    pub(super) fn server(&mut self, at: usize, verb: W) {
        let end = self.end_of(at);
        let note = match verb {
            W::Shutdown => "this would stop the server",
            W::Kill => "this would end somebody's session",
            W::Purge => "this would throw logs or what can be brought back away",
            W::Flashback | W::Restore => "this would replace what is there by an older state",
            W::Install => "this would load a plug-in into the server",
            W::Change | W::Stop => "this would change replication",
            _ => "this would change the server itself",
        };
        let label = if verb == W::Install { "sql.execute.program" } else { "sql.server" };
        if verb == W::Restore
            && self.level(at, end).any(|one| {
                matches!(
                    self.spelled(one).to_ascii_lowercase().as_str(),
                    "headeronly" | "verifyonly" | "filelistonly" | "labelonly"
                )
            })
        {
            return self.fact("sql.read", at, end, "a backup is looked at");
        }
        self.fact(label, at, end, note);
        if verb == W::System {
            // A client's `system rm …`.
            let script = self.text.get(self.span(at + 1, end)).unwrap_or_default().to_owned();
            let span = self.span(at, end);
            self.found.shell.push((script, span));
        }
    }

    pub(super) fn dbcc(&mut self, at: usize) {
        let end = self.end_of(at);
        let loss = (at..end).any(|one| {
            let word = self.spelled(one).to_ascii_lowercase();
            matches!(
                word.as_str(),
                "repair_allow_data_loss"
                    | "shrinkdatabase"
                    | "shrinkfile"
                    | "writepage"
                    | "clonedatabase"
            )
        });
        if loss {
            self.fact(
                "sql.server",
                at,
                end,
                "this would repair or shrink a database at the risk of its data",
            );
        } else {
            self.fact("sql.maintenance", at, at + 2, "the database is checked");
        }
    }

    /// SET, RESET and START.
    pub(super) fn settings(&mut self, at: usize, verb: W) {
        let end = self.end_of(at);
        let words: Vec<String> =
            (at + 1..end.min(at + 5)).map(|one| self.spelled(one).to_ascii_lowercase()).collect();
        let first = words.first().map_or("", String::as_str);
        let (label, note) = match (verb, first) {
            (W::Reset, "master" | "slave" | "replica" | "binary") => {
                ("sql.server", "this would reset replication and its logs")
            }
            (W::Start, "slave" | "replica" | "group_replication") => {
                ("sql.server", "this would change replication")
            }
            (W::Set, "password") => ("sql.privilege", "this would change a password"),
            (W::Set, "role" | "authorization") => {
                ("sql.privilege", "this would take on another role")
            }
            (W::Set, "session" | "local")
                if words.iter().any(|word| matches!(word.as_str(), "authorization" | "role")) =>
            {
                ("sql.privilege", "this would take on another role")
            }
            (W::Set, "global" | "persist" | "persist_only") => {
                ("sql.server", "this would change a setting of the server")
            }
            (W::Set, word) if word.starts_with("@@global") || word.starts_with("@@persist") => {
                ("sql.server", "this would change a setting of the server")
            }
            (W::Set, "row_security" | "session_replication_role") => {
                ("sql.privilege", "this would switch a protection off")
            }
            _ => ("sql.transaction", "the session's settings change"),
        };
        self.fact(label, at, end, note);
    }

    /// SQLite's PRAGMA.
    pub(super) fn pragma(&mut self, at: usize) {
        let end = self.end_of(at);
        let (name, next) = self.object(at + 1);
        let set = self.spelled(next) == "=" || self.kind(next) == Some(Kind::Open);
        match name.as_str() {
            "writable_schema"
            | "trusted_schema"
            | "key"
            | "rekey"
            | "temp_store_directory"
            | "data_store_directory"
                if set =>
            {
                self.fact(
                    "sql.server",
                    at,
                    end,
                    "this would switch a protection of the database off",
                );
            }
            _ => {
                self.fact("sql.read", at, end, "a setting of the database is looked at or changed")
            }
        }
    }
}
