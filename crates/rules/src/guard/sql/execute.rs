//! Statements that run code: CALL, EXEC, EXECUTE, DO and PREPARE. What stands there as a literal is
//! read too; what is put together at run time is said to be so.

use super::{functions, lex::Kind, literal, parse::Reading, word::Word};

use Word as W;

impl Reading<'_> {
    /// CALL, EXEC, EXECUTE, DO and PREPARE.
    pub(super) fn execute(&mut self, at: usize, verb: W) -> usize {
        let end = self.end_of(at);
        if verb == W::Do && matches!(self.word(at + 1), Some(W::Nothing | W::Update)) {
            return at + 1;
        }
        let next = match self.word(at + 1) {
            Some(W::Immediate | W::Language) => at + 2,
            _ => at + 1,
        };
        match (verb, self.kind(next)) {
            (W::Prepare, _) => return self.prepare(at, end),
            (W::Do, Some(Kind::Text(_) | Kind::Word(_)))
                if self.level(at, end).any(|one| matches!(self.kind(one), Some(Kind::Text(_)))) =>
            {
                self.fact("sql.execute.literal", at, end, "a block of code is run");
                self.literals(at, end, false);
            }
            (W::Do, _) => self.fact("sql.execute", at, at + 1, "an expression is run"),
            (W::Call, _) => self.procedure(at, next, end),
            (_, Some(Kind::Word(_))) if self.is_prepared(&self.object(next).0, at) => {
                self.fact("sql.execute", at, end, "a prepared statement is run");
            }
            (_, Some(Kind::Word(_) | Kind::Quoted))
                if !self.is(at + 1, W::Immediate)
                    && self.kind(self.object(next).1) != Some(Kind::Open)
                    || self.is(next, W::Name) && verb == W::Exec =>
            {
                self.procedure(at, next, end)
            }
            _ => self.dynamic(at, next, end),
        }
        at + 1
    }

    pub(super) fn prepare(&mut self, at: usize, end: usize) -> usize {
        match self.find(at, end, &[W::From]) {
            Some(from) => self.dynamic(at, from + 1, end),
            // `PREPARE name AS …`: the statement is read where it stands.
            None => self.fact("sql.execute", at, at + 2, "a statement is prepared"),
        }
        at + 1
    }

    /// A string that is run as SQL.
    pub(super) fn dynamic(&mut self, at: usize, from: usize, end: usize) {
        let close = self.find(from, end, &[W::Using, W::Into]).unwrap_or(end);
        let (_, whole) =
            literal::joined(self.text, self.tokens.get(from..close).unwrap_or_default());
        let any = (from..close).any(|one| matches!(self.kind(one), Some(Kind::Text(_))));
        if whole && any {
            self.fact("sql.execute.literal", at, end, "a string is run as SQL");
        } else {
            self.fact(
                "sql.execute.dynamic",
                at,
                end,
                "this would run SQL that is put together at run time",
            );
        }
        if any {
            let (text, _) =
                literal::joined(self.text, self.tokens.get(from..close).unwrap_or_default());
            let span = self.span(from, close);
            self.found.inner.push((text, span));
        } else {
            // The variable was set before: whatever was assigned is read.
            let mut place = 0;
            while place < at {
                let stop = self.end_of(place).max(place + 1);
                if matches!(self.word(place), Some(W::Set | W::Declare | W::Select)) {
                    let text = literal::joined(
                        self.text,
                        self.tokens.get(place + 1..stop).unwrap_or_default(),
                    )
                    .0;
                    if !text.is_empty() {
                        let span = self.span(place, stop);
                        self.found.inner.push((text, span));
                    }
                }
                place = stop;
            }
        }
    }

    /// A procedure is called by its name.
    pub(super) fn procedure(&mut self, at: usize, from: usize, end: usize) {
        // `EXEC @result = name …`.
        let from = if self.kind(from) == Some(Kind::Param) && self.spelled(from + 1) == "=" {
            from + 2
        } else {
            from
        };
        let (name, next) = self.object(from);
        let written = super::super::names::plain(self.spelled(next.saturating_sub(1)));
        let package = super::name_of(self.spelled(from));
        match functions::effect(&name).or_else(|| functions::effect(&package)) {
            Some((label, _)) if label == "sql.execute.dynamic" && self.only_literals(next, end) => {
                self.fact("sql.execute.literal", at, end, "a string is run as SQL");
                self.literals(next, end, false);
            }
            Some(("sql.server", note)) if name == "sp_configure" && next >= end => {
                self.fact("sql.read", at, end, note)
            }
            Some((label, note)) => self.call(label, note, at, end),
            None if functions::reads(&name) || functions::reads(&written) => self.fact(
                "sql.execute",
                at,
                end,
                format!("the procedure {name} is called, which by its name only reads"),
            ),
            None => self.fact(
                "sql.execute.procedure",
                at,
                end,
                format!("this would call the procedure {name}, and what it does is not known"),
            ),
        }
    }

    pub(super) fn only_literals(&self, from: usize, to: usize) -> bool {
        let texts = (from..to).filter(|at| matches!(self.kind(*at), Some(Kind::Text(_)))).count();
        texts > 0
            && !(from..to).any(|at| {
                matches!(self.kind(at), Some(Kind::Param))
                    && self.spelled(at).starts_with('@')
                    && self.spelled(at + 1) != "="
            })
    }

    pub(super) fn is_prepared(&self, name: &str, before: usize) -> bool {
        (0..before)
            .any(|at| self.is(at, W::Prepare) && super::name_of(self.spelled(at + 1)) == name)
    }
}
