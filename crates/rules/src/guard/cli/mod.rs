//! Command lines of known programs, by tables: which words and flags do what.
//!
//! The tables are text (`tables/`), so that a program is added without code. A rule whose flags say
//! that nothing is to change (`--dry-run`) does not apply.

mod line;
mod table;

use std::ops::Range;

use self::{
    line::Line,
    table::{Inner, Place, Program, TABLES},
};
use super::desk::{Desk, Reader};

/// Whether a table has this program.
pub(super) fn knows(name: &str) -> bool {
    TABLES.programs(name).next().is_some()
}

/// Whether a rule applies to a program with these words.
pub(super) fn matches<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> bool {
    let words: Vec<&str> = words.collect();
    TABLES.programs(name).any(|program| {
        let line = Line::read(program, &words);
        program.rules.iter().any(|rule| rule.pattern.matches(&line))
            || program.inner.iter().any(|inner| !inner.texts(&line).is_empty())
    })
}

/// Reads a program with its words, and with what it is given to read, where that is known.
pub(super) fn read(
    desk: &mut Desk<'_>,
    name: &str,
    words: &[&str],
    stdin: Option<&str>,
    span: Range<usize>,
) {
    for program in TABLES.programs(name) {
        let line = Line::read(program, words);
        inner(desk, program, &line, stdin, &span);
        let matching: Vec<_> =
            program.rules.iter().filter(|rule| rule.pattern.matches(&line)).collect();
        if line.is_dry(program) {
            if !matching.is_empty() {
                desk.fact("call.dry_run", span.clone(), "it is only tried, or shown");
            }
            continue;
        }
        for rule in matching {
            desk.fact(rule.label, span.clone(), rule.note);
        }
    }
}

/// Commands and texts within.
fn inner(
    desk: &mut Desk<'_>,
    program: &Program,
    line: &Line<'_>,
    stdin: Option<&str>,
    span: &Range<usize>,
) {
    for inner in &program.inner {
        for text in inner.texts(line) {
            // `--parameters 'commands=["…"]'` of remote shells.
            let text = text
                .strip_prefix("commands=")
                .map_or(text.clone(), |list| list.trim_matches(['[', ']', '"', '\'']).to_owned());
            desk.later(inner.reader.clone(), text, span.clone());
        }
        if let (Place::Stdin, Some(text)) = (&inner.place, stdin) {
            desk.later(inner.reader.clone(), text, span.clone());
        }
    }
    for (word, skip) in &program.commands {
        if let Some(argv) = line.command_behind(program, word, *skip) {
            desk.later(Reader::Argv(argv), "", span.clone());
        }
    }
}

impl Inner {
    fn texts(&self, line: &Line<'_>) -> Vec<String> {
        match &self.place {
            Place::Flag(flag) => line.values(flag).map(str::to_owned).collect(),
            Place::Word(at) => {
                line.words.get(*at).map(|word| (*word).to_owned()).into_iter().collect()
            }
            Place::From(at) => {
                let rest = line.words.get(*at..).unwrap_or_default();
                if rest.is_empty() { Vec::new() } else { vec![rest.join(" ")] }
            }
            Place::Stdin => Vec::new(),
        }
    }
}
