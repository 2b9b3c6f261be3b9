//! The names of tables and columns in a statement, for lists of what is allowed. Where in doubt, a
//! name too many.

use super::{lex::Kind, parse::Reading, word::Word};

use Word as W;

impl Reading<'_> {
    /// The name of a table, remembered.
    pub(super) fn table(&mut self, at: usize) -> String {
        if self.kind(at) == Some(Kind::Open) || !self.is_name(at) {
            return "a table".to_owned();
        }
        let (name, next) = self.object(at);
        if self.kind(next) != Some(Kind::Open) || self.is(next.saturating_sub(1), W::Name) {
            self.remember(&name);
        }
        name
    }

    pub(super) fn remember(&mut self, name: &str) {
        if !name.is_empty() && !self.common.iter().any(|common| common == name) {
            self.found.names.push(("sql.table", name.to_owned()));
        }
    }

    /// The tables that a statement names after FROM, JOIN, USING, INTO and the commas between.
    pub(super) fn tables(&mut self, from: usize, to: usize) {
        let places: Vec<usize> = self.level(from, to).collect();
        let mut listing = false;
        for at in places {
            match self.kind(at) {
                Some(Kind::Word(W::From | W::Join | W::Using | W::Into)) => {
                    listing = true;
                    self.table_behind(at + 1);
                }
                Some(Kind::Comma) if listing => self.table_behind(at + 1),
                Some(Kind::Word(
                    W::Where
                    | W::Set
                    | W::On
                    | W::Group
                    | W::Order
                    | W::Values
                    | W::Having
                    | W::Limit
                    | W::Select,
                )) => listing = false,
                _ => {}
            }
        }
    }

    pub(super) fn table_behind(&mut self, mut at: usize) {
        while matches!(self.word(at), Some(W::Only | W::Lateral | W::Table)) {
            at += 1;
        }
        if !self.is_name(at) {
            return;
        }
        let (name, next) = self.object(at);
        // A call that gives rows is no table.
        if self.kind(next) != Some(Kind::Open) {
            self.remember(&name);
        }
    }

    /// The names of columns: every name that is no table, alias or call, on every level. `tables` says
    /// whether tables are named first, as after UPDATE.
    pub(super) fn columns(&mut self, from: usize, to: usize, mut tables: bool) {
        let places: Vec<usize> = self.level(from, to).collect();
        for at in places {
            match self.kind(at) {
                Some(Kind::Word(W::From | W::Join | W::Into)) => tables = true,
                Some(Kind::Word(
                    W::Where | W::On | W::Group | W::Order | W::Having | W::Set | W::Select | W::By,
                )) => tables = false,
                Some(Kind::Star) if !tables && self.stands_alone(at) => {
                    self.found.names.push(("sql.column", "*".to_owned()))
                }
                Some(Kind::Word(word)) if !tables && !is_reserved(word) => self.column(at),
                Some(Kind::Quoted) if !tables => self.column(at),
                Some(Kind::Open) if !tables => self.columns_within(at),
                _ => {}
            }
        }
    }

    pub(super) fn columns_within(&mut self, open: usize) {
        let close = self.mate(open);
        if matches!(self.word(open + 1), Some(W::Select | W::With)) {
            return;
        }
        for at in open + 1..close {
            match self.kind(at) {
                Some(Kind::Word(word)) if !is_reserved(word) => self.column(at),
                Some(Kind::Quoted) => self.column(at),
                _ => {}
            }
        }
    }

    pub(super) fn column(&mut self, at: usize) {
        let called = matches!(self.kind(at + 1), Some(Kind::Open | Kind::Dot));
        let alias = at > 0 && self.is(at - 1, W::As);
        if !called && !alias {
            self.found.names.push(("sql.column", super::name_of(self.spelled(at))));
        }
    }

    /// A star that means every column, not a product.
    pub(super) fn stands_alone(&self, at: usize) -> bool {
        at.checked_sub(1).is_some_and(|before| {
            matches!(
                self.kind(before),
                Some(Kind::Comma | Kind::Dot) | Some(Kind::Word(W::Select | W::Distinct | W::All))
            )
        })
    }
}

/// Words that are never the name of a column.
const fn is_reserved(word: W) -> bool {
    matches!(
        word,
        W::Select
            | W::Distinct
            | W::All
            | W::From
            | W::Where
            | W::And
            | W::Or
            | W::Not
            | W::In
            | W::Is
            | W::Null
            | W::Like
            | W::Ilike
            | W::Between
            | W::Case
            | W::When
            | W::Then
            | W::Else
            | W::End
            | W::As
            | W::On
            | W::Join
            | W::Inner
            | W::Left
            | W::Right
            | W::Full
            | W::Outer
            | W::Cross
            | W::Natural
            | W::Group
            | W::Order
            | W::By
            | W::Having
            | W::Limit
            | W::Offset
            | W::Union
            | W::Except
            | W::Intersect
            | W::Asc
            | W::Desc
            | W::True
            | W::False
            | W::Exists
            | W::Any
            | W::With
            | W::Using
            | W::Set
            | W::Into
            | W::Values
            | W::Update
            | W::Delete
            | W::Insert
            | W::Over
            | W::Cast
            | W::Interval
            | W::Default
            | W::Top
            | W::Returning
            | W::Only
            | W::Fetch
            | W::For
            | W::Lateral
    )
}
