//! One statement: its verb, its objects, and whether something bounds it.

use super::{lex::Kind, parse::Reading, truth::Condition, word::Word};

use Word as W;

/// What may stand between UPDATE or DELETE and the table.
const MODIFIERS: [W; 11] = [
    W::From,
    W::Only,
    W::Low,
    W::Priority,
    W::Ignore,
    W::Or,
    W::Rollback,
    W::Abort,
    W::Replace,
    W::Quick,
    W::History,
];
/// What may follow a condition.
const AFTER_WHERE: [W; 9] = [
    W::Order,
    W::Group,
    W::Limit,
    W::Returning,
    W::Option,
    W::Output,
    W::Window,
    W::Having,
    W::Return,
];
/// Verbs whose object is a definition.
const SCHEMA: [W; 9] = [
    W::Drop,
    W::Undrop,
    W::Truncate,
    W::Alter,
    W::Create,
    W::Rename,
    W::Comment,
    W::Detach,
    W::Attach,
];
/// Verbs that move data between tables and files.
const FILES: [W; 9] =
    [W::Copy, W::Load, W::Export, W::Unload, W::Import, W::Put, W::Get, W::Remove, W::Source];
/// Verbs that act on the server.
const SERVER: [W; 9] = [
    W::Shutdown,
    W::Kill,
    W::Purge,
    W::Flashback,
    W::Restore,
    W::Change,
    W::Install,
    W::System,
    W::Stop,
];
/// Verbs about rights and ownership.
const RIGHTS: [W; 6] = [W::Grant, W::Revoke, W::Deny, W::Reassign, W::Security, W::Audit];
/// Verbs that keep the database in order.
const MAINTENANCE: [W; 14] = [
    W::Analyze,
    W::Analyse,
    W::Reindex,
    W::Cluster,
    W::Optimize,
    W::Check,
    W::Refresh,
    W::Checkpoint,
    W::Cache,
    W::Repair,
    W::Flush,
    W::Discard,
    W::Backup,
    W::Rebuild,
];
/// Verbs about the transaction, the session or a block, and the words that go on with one.
const SESSION: [W; 60] = [
    W::Begin,
    W::Commit,
    W::Rollback,
    W::Savepoint,
    W::Release,
    W::Abort,
    W::End,
    W::Declare,
    W::Fetch,
    W::Open,
    W::Close,
    W::Move,
    W::Use,
    W::Lock,
    W::Unlock,
    W::Listen,
    W::Notify,
    W::Unlisten,
    W::Deallocate,
    W::Print,
    W::Raise,
    W::If,
    W::While,
    W::Loop,
    W::For,
    W::Return,
    W::Case,
    W::Else,
    W::Elsif,
    W::Elseif,
    W::When,
    W::Go,
    W::Continue,
    W::Leave,
    W::Iterate,
    W::Repeat,
    W::Until,
    W::Throw,
    W::Signal,
    W::Resignal,
    W::Exit,
    W::Handler,
    W::Connect,
    W::Read,
    W::Transaction,
    W::Tran,
    W::Goto,
    W::Unset,
    W::From,
    W::Then,
    W::Endif,
    W::Exception,
    W::Parallel,
    W::Label,
    W::Assert,
    W::Null,
    W::Try,
    W::Catch,
    W::Resync,
    W::Sync,
];

impl Reading<'_> {
    /// Reads the statement whose verb stands at `at`. The place from which to read on: what it
    /// holds is read by whoever called.
    pub(super) fn statement(&mut self, at: usize) -> usize {
        let Some(verb) = self.word(at) else { return self.wordless(at) };
        match verb {
            W::Select
            | W::Values
            | W::Table
            | W::Show
            | W::Help
            | W::List
            | W::Perform
            | W::Summary => self.select(at, verb),
            W::With => return self.with(at),
            W::Describe | W::Desc | W::Explain => return self.explain(at),
            W::Insert | W::Upsert => self.insert(at),
            W::Replace => self.replace(at),
            W::Update | W::Delete => self.change(at, verb),
            W::Merge => self.merge(at),
            _ if SCHEMA.contains(&verb) => return self.schema(at, verb),
            W::Call | W::Exec | W::Execute | W::Do | W::Prepare => return self.execute(at, verb),
            _ if FILES.contains(&verb) => self.files(at, verb),
            _ if SERVER.contains(&verb) => self.server(at, verb),
            W::Dbcc => self.dbcc(at),
            W::Set | W::Reset | W::Start => self.settings(at, verb),
            W::Pragma => self.pragma(at),
            W::Vacuum => self.vacuum(at),
            _ => match plain(verb) {
                Some((label, words, length)) => {
                    self.fact(label, at, self.end_of(at).min(at + length), words);
                }
                None => return self.unknown(at),
            },
        }
        at + 1
    }

    /// MySQL's REPLACE: rows that are there make way.
    fn replace(&mut self, at: usize) {
        self.fact("sql.write", at, at + 2, "rows are written");
        let table = self.table(if self.is(at + 1, W::Into) { at + 2 } else { at + 1 });
        self.fact(
            "sql.write.replace",
            at,
            at + 2,
            format!("this would replace rows of {table} that are there"),
        );
    }

    fn vacuum(&mut self, at: usize) {
        self.fact("sql.maintenance", at, at + 1, "the database is maintained");
        if let Some(into) = self.find(at + 1, self.end_of(at), &[W::Into]) {
            self.fact(
                "sql.execute.file",
                at,
                into + 2,
                "this would write a file of the database's machine",
            );
        }
    }

    /// A statement that begins with no word: a client's command, or nothing that can be read.
    fn wordless(&mut self, at: usize) -> usize {
        if self.kind(at) != Some(Kind::Client) {
            self.found
                .unread
                .get_or_insert(self.tokens.get(at).map_or(0..0, super::lex::Token::span));
            return at + 1;
        }
        let line = self.spelled(at);
        let command = line.trim_start_matches(['\\', '.']);
        let word = command.split_whitespace().next().unwrap_or_default();
        match word.to_ascii_lowercase().as_str() {
            _ if command.starts_with('!') => self.client_shell(at, command.trim_start_matches('!')),
            "shell" | "system" => {
                self.client_shell(at, command.get(word.len()..).unwrap_or_default())
            }
            "drop" | "wipe" | "restore" => {
                self.fact("sql.ddl.drop", at, at + 1, "this would replace what the file holds")
            }
            "load" | "output" | "once" | "backup" | "import" | "save" | "clone" | "read"
            | "dump"
                if line.starts_with('.') =>
            {
                let harmless = matches!(word, "dump" | "backup" | "read" | "import");
                if harmless {
                    self.fact("sql.read", at, at + 1, "the client reads or copies");
                } else {
                    self.fact(
                        "sql.execute.file",
                        at,
                        at + 1,
                        "the client would write a file or load code",
                    );
                }
            }
            "gexec" => self.fact(
                "sql.execute.dynamic",
                at,
                at + 1,
                "this would run what a query gives as SQL",
            ),
            "i" | "ir" | "include" => {
                self.fact("sql.execute.file", at, at + 1, "this would run a file")
            }
            "o" | "out" | "w" | "write" | "g" if command.contains('|') => {
                self.client_shell(at, command.split('|').nth(1).unwrap_or_default())
            }
            "copy" => self.found.inner.push((command.to_owned(), self.span(at, at + 1))),
            _ => self.fact("sql.read", at, at + 1, "the client shows something"),
        }
        at + 1
    }

    fn client_shell(&mut self, at: usize, script: &str) {
        self.fact("sql.execute.program", at, at + 1, "the client would run a program");
        let span = self.span(at, at + 1);
        self.found.shell.push((script.to_owned(), span));
    }

    /// A first word that is no verb: commands of clients, or nothing that can be read.
    fn unknown(&mut self, at: usize) -> usize {
        let word = self.spelled(at).to_ascii_lowercase();
        let start = self.tokens.get(at).map_or(0, |token| token.start as usize);
        let line =
            self.text.get(start..).unwrap_or_default().split('\n').next().unwrap_or_default();
        let next = self
            .tokens
            .iter()
            .position(|token| token.start as usize >= start + line.len())
            .unwrap_or(self.tokens.len());
        match word.as_str() {
            "delimiter" | "spool" | "prompt" | "quit" | "exit" | "set" | "whenever" | "let"
            | "assign" | "pivot" | "summarize" | "from" => return next.max(at + 1),
            "host" | "system" | "shell" => {
                self.client_shell(at, line.get(word.len()..).unwrap_or_default());
                return next.max(at + 1);
            }
            "uninstall" => self.fact("sql.server", at, at + 1, "this would remove a plug-in"),
            "noaudit" => self.fact("sql.privilege", at, at + 1, "this would stop auditing"),
            "remove" | "rm" => {
                self.fact("sql.ddl.drop", at, at + 1, "this would remove files of a stage")
            }
            "raiserror" | "revert" | "undo" | "atomic" | "elsif" => {}
            // A label or a variable's assignment in a block, or a declaration of one.
            _ if matches!(self.spelled(at + 1), ":" | ":=" | "." | "=") && at > 0 => {}
            _ if self.follows_declarations(at) => {}
            _ => {
                self.found
                    .unread
                    .get_or_insert(self.tokens.get(at).map_or(0..0, super::lex::Token::span));
            }
        }
        at + 1
    }

    /// Within `DECLARE … BEGIN`, every statement declares something.
    fn follows_declarations(&self, at: usize) -> bool {
        (0..at)
            .rev()
            .take(200)
            .map(|one| self.word(one))
            .find_map(|word| match word {
                Some(W::Declare) => Some(true),
                Some(W::Begin) => Some(true),
                _ => None,
            })
            .unwrap_or(false)
    }

    fn select(&mut self, at: usize, verb: W) {
        self.fact("sql.read", at, at + 1, "rows are read");
        if verb != W::Select {
            return;
        }
        let end = self.end_of(at);
        self.tables(at, end);
        self.columns(at, end, false);
        let Some(into) = self.find(at + 1, end, &[W::Into]) else { return };
        match self.kind(into + 1) {
            Some(Kind::Word(W::Outfile | W::Dumpfile)) => {
                self.fact(
                    "sql.execute.file",
                    into,
                    into + 3,
                    "this would write a file on the database server",
                );
            }
            Some(Kind::Param) => {}
            _ if self.is(into + 1, W::Temp)
                || self.is(into + 1, W::Temporary)
                || self.spelled(into + 1).starts_with('#') => {}
            _ => {
                let (name, _) = self.object(into + 1);
                self.fact(
                    "sql.ddl.create",
                    into,
                    into + 2,
                    format!("this would create the table {name}"),
                );
            }
        }
    }

    /// Remembers the names of a WITH; what they hold, and what follows, is read by itself.
    fn with(&mut self, at: usize) -> usize {
        let mut next = if self.is(at + 1, W::Recursive) { at + 2 } else { at + 1 };
        for _ in 0..64 {
            self.common.push(super::name_of(self.spelled(next)));
            next += 1;
            if self.kind(next) == Some(Kind::Open) {
                next = self.mate(next) + 1;
            }
            while matches!(self.word(next), Some(W::As | W::Not | W::Materialized)) {
                next += 1;
            }
            if self.kind(next) != Some(Kind::Open) {
                break;
            }
            next = self.mate(next) + 1;
            if self.kind(next) != Some(Kind::Comma) {
                break;
            }
            next += 1;
        }
        at + 1
    }

    /// A plan is harmless, unless it is made by running the statement.
    fn explain(&mut self, at: usize) -> usize {
        let mut next = at + 1;
        let mut runs = false;
        loop {
            match self.kind(next) {
                Some(Kind::Word(W::Analyze | W::Analyse)) => runs = true,
                Some(Kind::Word(W::Verbose)) => {}
                Some(Kind::Open) if next == at + 1 => {
                    let close = self.mate(next);
                    let option = (next..close)
                        .find(|one| matches!(self.word(*one), Some(W::Analyze | W::Analyse)));
                    let off = |at: usize| {
                        matches!(self.word(at), Some(W::False | W::Off)) || self.spelled(at) == "0"
                    };
                    runs |= option.is_some_and(|option| !off(option + 1));
                    next = close;
                }
                _ => break,
            }
            next += 1;
        }
        self.fact("sql.read", at, next, "a plan is shown");
        if runs { next } else { self.end_of_batch(next) }
    }

    fn end_of_batch(&self, at: usize) -> usize {
        self.level(at, self.tokens.len())
            .find(|one| matches!(self.kind(*one), Some(Kind::Semicolon | Kind::Client)))
            .unwrap_or(self.tokens.len())
    }

    fn insert(&mut self, at: usize) {
        self.fact("sql.write", at, at + 2, "rows are written");
        let skip = self
            .level(at + 1, at + 6)
            .take_while(|one| {
                matches!(
                    self.word(*one),
                    Some(
                        W::Into
                            | W::Overwrite
                            | W::Or
                            | W::Ignore
                            | W::Replace
                            | W::Table
                            | W::Low
                            | W::High
                            | W::Priority
                            | W::Delayed
                            | W::Rollback
                            | W::Abort
                    )
                )
            })
            .count();
        let words: Vec<_> = (at + 1..at + 1 + skip).filter_map(|one| self.word(one)).collect();
        let table = self.table(at + 1 + skip);
        if words.contains(&W::Overwrite) || words.contains(&W::Replace) {
            self.fact(
                "sql.write.replace",
                at,
                at + 1 + skip,
                format!("this would replace rows of {table} that are there"),
            );
        }
    }

    /// UPDATE and DELETE: which table, and is there a bound?
    fn change(&mut self, at: usize, verb: W) {
        self.fact(
            "sql.write",
            at,
            at + 1,
            if verb == W::Update { "rows are changed" } else { "rows are deleted" },
        );
        let end = self.end_of(at);
        let (top, next) = self.before_table(at);
        let table = self.table(next);
        self.tables(next, end);
        self.columns(next, end, true);
        let percent = top && (at..next).any(|one| self.is(one, W::Percent));
        let condition = self.find(next, end, &[W::Where]);
        let limit = self.find(next, end, &[W::Limit]);
        let limit = limit.or((top && !percent).then_some(at + 1));
        let limited = limit.is_some_and(|limit| self.is_small(limit));
        let verb = if verb == W::Update { "UPDATE" } else { "DELETE" };
        let does = if verb == "UPDATE" { "change" } else { "delete" };
        match condition {
            None if limited => {}
            None => self.fact(
                "sql.write.unbounded",
                at,
                end,
                format!("this would {does} every row of {table}: {verb} without WHERE"),
            ),
            Some(place) => {
                let close = self.find(place + 1, end, &AFTER_WHERE).unwrap_or(end);
                let condition = Condition { text: self.text, tokens: self.tokens, table: &table };
                if condition.always_holds(place + 1, close) && !limited {
                    self.fact("sql.write.unbounded", at, end, format!("this would {does} every row of {table}: the WHERE of this {verb} is always true"));
                }
            }
        }
    }

    /// What stands between UPDATE or DELETE and its table: whether there is a TOP, and where the
    /// table begins.
    fn before_table(&self, at: usize) -> (bool, usize) {
        let mut next = at + 1;
        while self.word(next).is_some_and(|word| MODIFIERS.contains(&word)) {
            next += 1;
        }
        if !self.is(next, W::Top) {
            return (false, next);
        }
        let bracketed = self.kind(next + 1) == Some(Kind::Open);
        next = if bracketed { self.mate(next + 1) + 1 } else { next + 2 };
        if self.is(next, W::Percent) {
            next += 1;
        }
        while self.is(next, W::From) {
            next += 1;
        }
        (true, next)
    }

    /// Whether a limit leaves most rows alone: at most a thousand, or as a parameter says.
    fn is_small(&self, limit: usize) -> bool {
        let number = (limit + 1..limit + 3).find(|at| self.kind(*at) == Some(Kind::Number));
        number.is_none_or(|at| self.spelled(at).parse::<u64>().is_ok_and(|rows| rows <= 1000))
    }

    fn merge(&mut self, at: usize) {
        self.fact("sql.write", at, at + 1, "rows are merged");
        let end = self.end_of(at);
        let table = self.table(if self.is(at + 1, W::Into) { at + 2 } else { at + 1 });
        self.tables(at, end);
        let deletes = self
            .level(at + 1, end)
            .find(|one| self.is(*one, W::Delete) && self.is(one - 1, W::Then));
        if let Some(place) = deletes {
            self.fact("sql.write.unbounded", place, place + 1, format!("this would delete rows of {table} by what another table holds: MERGE with DELETE"));
        }
    }
}

/// What a verb does that needs no look at what follows it: its label, words for it, and how many
/// tokens it spans.
fn plain(verb: W) -> Option<(&'static str, &'static str, usize)> {
    Some(match verb {
        _ if RIGHTS.contains(&verb) => {
            ("sql.privilege", "this would change rights or ownership", 4)
        }
        W::Waitfor => ("sql.delay", "this would make the session wait", 2),
        W::Enable | W::Disable => {
            ("sql.privilege", "this would switch a trigger or protection on or off", 2)
        }
        _ if MAINTENANCE.contains(&verb) => ("sql.maintenance", "the database is maintained", 1),
        _ if SESSION.contains(&verb) => {
            ("sql.transaction", "a transaction, session or block is handled", 1)
        }
        _ => return None,
    })
}
