//! From tokens to statements: where a verb can stand, and where what it governs ends.

use std::ops::Range;

use super::{
    super::Dialect,
    functions,
    lex::{Kind, Token},
    literal,
    word::{Word, is_block_verb, is_clause, is_object, is_query},
};

/// More statements than this in one text are not looked at.
const STATEMENTS_MAX: usize = 20_000;

/// What one reading of a text found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) facts: Vec<(&'static str, Range<usize>, String)>,
    pub(super) names: Vec<(&'static str, String)>,
    /// Texts within that are SQL themselves.
    pub(super) inner: Vec<(String, Range<usize>)>,
    /// Texts within that a shell runs.
    pub(super) shell: Vec<(String, Range<usize>)>,
    /// What could not be read.
    pub(super) unread: Option<Range<usize>>,
}

/// One reading of one text.
pub(super) struct Reading<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: &'a [Token],
    pub(super) found: Found,
    statements: usize,
    /// Names that a `WITH` gave, which are no tables.
    pub(super) common: Vec<String>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(text: &'a str, tokens: &'a [Token]) -> Self {
        Self { text, tokens, found: Found::default(), statements: 0, common: Vec::new() }
    }

    pub(super) fn read(mut self) -> Found {
        let mut at = 0;
        let mut whole = 0usize;
        while at < self.tokens.len() {
            if self.statements > STATEMENTS_MAX {
                self.found.facts.push((
                    "guard.limit",
                    0..self.text.len(),
                    "there are too many statements".to_owned(),
                ));
                break;
            }
            if self.opens_statement(at) && !matches!(self.kind(at), Some(Kind::Semicolon)) {
                whole += 1;
            }
            at = if self.verb_at(at) {
                self.statements += 1;
                self.statement(at).max(at + 1)
            } else {
                self.other(at);
                at + 1
            };
        }
        if whole > 1 {
            self.found.facts.push((
                "sql.multiple",
                0..self.text.len(),
                format!("there are {whole} statements"),
            ));
        }
        self.found
    }

    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    pub(super) fn word(&self, at: usize) -> Option<Word> {
        match self.kind(at)? {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn is(&self, at: usize, word: Word) -> bool {
        self.word(at) == Some(word)
    }

    pub(super) fn spelled(&self, at: usize) -> &'a str {
        self.tokens.get(at).and_then(|token| self.text.get(token.span())).unwrap_or_default()
    }

    pub(super) fn span(&self, from: usize, to: usize) -> Range<usize> {
        let start = self.tokens.get(from).map_or(0, |token| token.start as usize);
        let end = self
            .tokens
            .get(to.saturating_sub(1).max(from))
            .map_or(start, |token| token.end as usize);
        start..end.max(start)
    }

    pub(super) fn fact(
        &mut self,
        label: &'static str,
        from: usize,
        to: usize,
        note: impl Into<String>,
    ) {
        let span = self.span(from, to);
        self.found.facts.push((label, span, note.into()));
    }

    pub(super) fn mate(&self, at: usize) -> usize {
        self.tokens.get(at).map_or(at, |token| token.mate as usize).max(at)
    }

    /// A dotted name at `at`: its last part as it counts, and the place behind it.
    pub(super) fn object(&self, at: usize) -> (String, usize) {
        let mut name = super::name_of(self.spelled(at));
        let mut next = at + 1;
        while self.kind(next) == Some(Kind::Dot) {
            // `db..table` leaves the schema out.
            let skip = if self.kind(next + 1) == Some(Kind::Dot) { 2 } else { 1 };
            name = super::name_of(self.spelled(next + skip));
            next += skip + 1;
        }
        (name, next)
    }

    pub(super) fn is_name(&self, at: usize) -> bool {
        matches!(self.kind(at), Some(Kind::Quoted | Kind::Param))
            || matches!(self.kind(at), Some(Kind::Word(word)) if !is_clause(word))
            || matches!(self.kind(at), Some(Kind::Text(_)))
    }

    /// Whether a new statement, separated from what stands before, begins here.
    fn opens_statement(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return true };
        match self.kind(before) {
            Some(Kind::Semicolon) => true,
            Some(Kind::Client) => true,
            Some(Kind::Word(Word::Go)) => self.alone_on_line(before),
            _ => false,
        }
    }

    fn alone_on_line(&self, at: usize) -> bool {
        let Some(token) = self.tokens.get(at) else { return false };
        let head = self.text.get(..token.start as usize).unwrap_or_default();
        let tail = self.text.get(token.end as usize..).unwrap_or_default();
        let before = head.rsplit('\n').next().is_none_or(|line| line.trim().is_empty());
        before && tail.split('\n').next().is_none_or(|line| line.trim().is_empty())
    }

    /// Whether the word at `at` is a verb that begins a statement, a part of one in a block, or a
    /// query within.
    pub(super) fn verb_at(&self, at: usize) -> bool {
        let verb = match self.kind(at) {
            Some(Kind::Word(word)) => word,
            Some(Kind::Client) => return true,
            Some(Kind::Text(_) | Kind::Quoted | Kind::Number) => return self.opens_statement(at),
            _ => return false,
        };
        if self.opens_statement(at) {
            return true;
        }
        if verb == Word::Name {
            return false;
        }
        let Some(before) = at.checked_sub(1) else { return true };
        match self.kind(before) {
            Some(Kind::Open) => is_query(verb) || self.strong(at),
            Some(Kind::Close) => {
                is_query(verb) && !matches!(verb, Word::Replace | Word::Values | Word::Table)
                    || self.strong(at)
            }
            Some(Kind::Word(word)) => self.follows_word(word, verb, at),
            Some(Kind::Quoted | Kind::Number | Kind::Text(_) | Kind::Param | Kind::Star) => {
                self.strong(at)
            }
            Some(Kind::Sign) => self.spelled(before) == ">>" && self.strong(at),
            _ => false,
        }
    }

    fn follows_word(&self, before: Word, verb: Word, at: usize) -> bool {
        use Word as W;
        match before {
            W::Begin | W::Else | W::Loop | W::Repeat | W::Try | W::Catch => !matches!(
                verb,
                W::Tran | W::Transaction | W::Work | W::End | W::Try | W::Catch | W::If
            ),
            W::Then => is_block_verb(verb) && !self.is_merge_action(at),
            W::Do => {
                is_block_verb(verb)
                    && !(verb == W::Update && self.is(at + 1, W::Set))
                    && verb != W::Nothing
            }
            W::As | W::For | W::Return | W::Full => {
                matches!(verb, W::Select | W::With | W::Values | W::Execute) && before != W::Full
                    || self.strong(at)
            }
            W::Union | W::All | W::Except | W::Intersect | W::Minus | W::Distinct => {
                verb == W::Select || self.strong(at)
            }
            W::Explain | W::Analyze | W::Analyse | W::Verbose | W::Describe | W::Desc => {
                is_query(verb) || matches!(verb, W::Truncate | W::Execute) || self.strong(at)
            }
            W::Also | W::Instead => is_query(verb),
            W::Name
            | W::End
            | W::Null
            | W::True
            | W::False
            | W::Go
            | W::Escape
            | W::Default
            | W::Asc
            | W::Key
            | W::Output
            | W::Nothing
            | W::Rows
            | W::Only
            | W::Immediate
            | W::Columns
            | W::Type
            | W::Data
            | W::Role
            | W::User
            | W::Status
            | W::Date
            | W::Text
            | W::Exists
            | W::Cascade
            | W::Commit
            | W::Rollback
            | W::Atomic
            | W::Tran
            | W::Transaction
            | W::Server
            | W::Index
            | W::Login => self.strong(at),
            _ => false,
        }
    }

    /// `WHEN MATCHED THEN UPDATE SET …`, `… THEN DELETE`, `… THEN INSERT (…)`.
    fn is_merge_action(&self, at: usize) -> bool {
        match self.word(at) {
            Some(Word::Update) => self.is(at + 1, Word::Set),
            Some(Word::Delete) => !self.is(at + 1, Word::From),
            Some(Word::Insert) => {
                matches!(self.kind(at + 1), Some(Kind::Open))
                    || matches!(self.word(at + 1), Some(Word::Values | Word::Row | Word::Default))
                    || self.kind(at + 1) == Some(Kind::Star)
            }
            _ => false,
        }
    }

    /// A verb that can be told by the words after it, wherever it stands.
    fn strong(&self, at: usize) -> bool {
        use Word as W;
        let next = self.word(at + 1);
        let named = self.is_name(at + 1);
        match self.word(at) {
            Some(W::Drop) => next.is_some_and(is_object),
            Some(W::Create | W::Alter) => next.is_some_and(|word| {
                is_object(word)
                    || matches!(
                        word,
                        W::Or | W::Temp | W::Temporary | W::System | W::Server | W::Unique
                    )
            }),
            Some(W::Truncate) => matches!(next, Some(W::Table)),
            Some(W::Delete) => matches!(next, Some(W::From | W::Top)),
            Some(W::Insert) => matches!(next, Some(W::Into | W::Overwrite)),
            Some(W::Replace) => matches!(next, Some(W::Into)),
            Some(W::Merge) => matches!(next, Some(W::Into)),
            Some(W::Update) => {
                named
                    && (at + 2..at + 8)
                        .find(|one| self.is(*one, W::Set))
                        .is_some_and(|set| self.object(at + 1).1 + 2 >= set)
            }
            Some(W::Exec) => named || self.kind(at + 1) == Some(Kind::Open),
            Some(W::Execute) => {
                matches!(next, Some(W::Immediate | W::Name))
                    || self.kind(at + 1) == Some(Kind::Open)
            }
            Some(W::Shutdown) => next.is_none() || next == Some(W::With),
            Some(W::Waitfor) => matches!(next, Some(W::Delay | W::Name)),
            Some(W::Select) => true,
            Some(W::With) => named && matches!(self.word(at + 2), Some(W::As)),
            Some(W::Declare | W::Dbcc) => named,
            _ => false,
        }
    }

    /// Something that is no verb: functions with effects, names of columns.
    fn other(&mut self, at: usize) {
        if !matches!(self.kind(at), Some(Kind::Word(_) | Kind::Quoted)) {
            return;
        }
        let opens = self.kind(at + 1) == Some(Kind::Open);
        let package = self.kind(at + 1) == Some(Kind::Dot);
        if !opens && !package {
            return;
        }
        let name = super::name_of(self.spelled(at));
        let Some((label, note)) = functions::effect(&name) else { return };
        let end = if opens { self.mate(at + 1) + 1 } else { at + 3 };
        if !opens && !name.contains('_') {
            return;
        }
        self.call(label, note, at, end);
    }

    /// A call with an effect; literals that it runs are read as well.
    pub(super) fn call(&mut self, label: &'static str, note: &str, at: usize, end: usize) {
        if label == "sql.delay" && self.waits_briefly(at, end) {
            return;
        }
        self.fact(label, at, end, note);
        if matches!(label, "sql.execute.dynamic" | "sql.execute.program" | "sql.execute.file") {
            self.literals(at, end, label == "sql.execute.program");
        }
    }

    /// `pg_sleep(1)`: at most ten seconds, once.
    fn waits_briefly(&self, at: usize, end: usize) -> bool {
        let number = (at..end).find(|one| self.kind(*one) == Some(Kind::Number));
        let brief = number
            .and_then(|at| self.spelled(at).parse::<f64>().ok())
            .is_some_and(|seconds| seconds < 2.0);
        brief && end <= at + 4
    }

    /// Reads the literals of a part as SQL, or as shell.
    pub(super) fn literals(&mut self, from: usize, to: usize, shell: bool) {
        let mut at = from;
        while at < to {
            let Some(Kind::Text(_)) = self.kind(at) else {
                at += 1;
                continue;
            };
            // Literals put together are one text.
            let mut end = at + 1;
            while end < to
                && (matches!(
                    self.kind(end),
                    Some(Kind::Join | Kind::Text(_) | Kind::Open | Kind::Close | Kind::Number)
                ) || self.spelled(end) == "+"
                    || (self.kind(end) == Some(Kind::Comma) && self.in_concat(from))
                    || matches!(
                        self.spelled(end).to_ascii_lowercase().as_str(),
                        "char" | "chr" | "nchar"
                    ))
            {
                end += 1;
            }
            let (text, _) =
                literal::joined(self.text, self.tokens.get(at..end).unwrap_or_default());
            let span = self.span(at, end);
            if shell {
                self.found.shell.push((text, span));
            } else if text.len() > 3 {
                self.found.inner.push((text, span));
            }
            at = end;
        }
    }

    fn in_concat(&self, from: usize) -> bool {
        (from..from + 4).any(|at| self.is(at, Word::Concat))
    }

    /// Where what the verb at `at` governs ends: a semicolon, the end of its parentheses, the next
    /// verb on its level.
    pub(super) fn end_of(&self, at: usize) -> usize {
        let mut next = at + 1;
        while next < self.tokens.len() {
            match self.kind(next) {
                Some(Kind::Semicolon | Kind::Close) => return next,
                Some(Kind::Open) => next = self.mate(next),
                Some(Kind::Client) => return next,
                Some(Kind::Word(Word::Go)) if self.alone_on_line(next) => return next,
                Some(Kind::Word(_)) if next > at + 1 && self.verb_at(next) => return next,
                _ => {}
            }
            next += 1;
        }
        self.tokens.len()
    }

    /// The places of one level, from `from` up to `to`, without what stands in parentheses.
    pub(super) fn level(&self, from: usize, to: usize) -> impl Iterator<Item = usize> {
        let mut at = from;
        std::iter::from_fn(move || {
            if at >= to {
                return None;
            }
            let here = at;
            at = if self.kind(at) == Some(Kind::Open) { self.mate(at) } else { at };
            at = at.max(here) + 1;
            Some(here)
        })
    }

    /// The first of these words on the level.
    pub(super) fn find(&self, from: usize, to: usize, words: &[Word]) -> Option<usize> {
        self.level(from, to).find(|at| self.word(*at).is_some_and(|word| words.contains(&word)))
    }
}

/// Whether a text reads like SQL: it begins with a verb and what goes with it, or has such a pair
/// behind a semicolon or a quote.
pub(super) fn resembles(text: &str) -> bool {
    use Word as W;
    let lexed = super::lex::lex(
        text.get(..text.floor_char_boundary(4096)).unwrap_or_default(),
        super::lex::Rules::of(Dialect::Postgres),
    );
    let reading = Reading::new(text, &lexed.tokens);
    let begins = |at: usize| match reading.word(at) {
        Some(W::Select) => {
            reading.find(at + 1, lexed.tokens.len().min(at + 400), &[W::From]).is_some()
                || reading.kind(at + 2) == Some(Kind::Open)
                || matches!(reading.kind(at + 1), Some(Kind::Number | Kind::Star))
        }
        Some(W::With) => reading.is(at + 2, W::As) || reading.is(at + 1, W::Recursive),
        Some(W::Explain) => {
            matches!(
                reading.word(at + 1),
                Some(W::Select | W::Analyze | W::Delete | W::Update | W::Insert | W::Verbose)
            ) || reading.kind(at + 1) == Some(Kind::Open)
        }
        Some(W::Grant | W::Revoke) => reading
            .find(at + 1, lexed.tokens.len().min(at + 40), &[W::On, W::To, W::From])
            .is_some(),
        Some(W::Copy) => {
            reading.find(at + 1, lexed.tokens.len().min(at + 40), &[W::To, W::From]).is_some()
                && reading
                    .find(at + 1, lexed.tokens.len().min(at + 40), &[W::Program, W::Name])
                    .is_some()
        }
        Some(W::Truncate) => {
            reading.is(at + 1, W::Table)
                || (lexed.tokens.len() <= at + 3 && reading.is_name(at + 1))
        }
        Some(W::Call) => reading.kind(at + 2) == Some(Kind::Open),
        Some(W::Drop) => {
            reading.strong(at) && (reading.is_name(at + 2) || reading.is(at + 2, W::If))
        }
        Some(W::Do) => matches!(reading.kind(at + 1), Some(Kind::Text(_))),
        Some(W::Show | W::Name) | None => false,
        _ => reading.strong(at),
    };
    let after = |at: &usize| *at == 0 || matches!(reading.kind(at - 1), Some(Kind::Semicolon));
    (0..lexed.tokens.len().min(512)).filter(after).any(begins)
}
