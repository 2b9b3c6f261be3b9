//! Statements that reach past the rows: files, programs, settings, the server itself.

use super::{lex::Kind, parse::Reading, word::Word};

use Word as W;

impl Reading<'_> {
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
