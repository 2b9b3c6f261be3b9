//! The tables as values: read from their text once.

use std::{collections::HashMap, sync::LazyLock};

use super::line::{Line, fits};
use crate::guard::desk::Reader;

/// Every table, in the form of `tables/README.md`.
const TEXTS: [&str; 6] = [
    include_str!("tables/kubernetes.txt"),
    include_str!("tables/iac.txt"),
    include_str!("tables/git.txt"),
    include_str!("tables/cloud.txt"),
    include_str!("tables/containers.txt"),
    include_str!("tables/databases.txt"),
];

/// All programs that are known.
pub(super) static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let (tables, faults) = Tables::read(&TEXTS);
    debug_assert!(faults.is_empty(), "{faults:?}");
    tables
});

/// The tables.
#[derive(Debug, Default)]
pub(super) struct Tables {
    programs: Vec<Program>,
    /// The places of a program's entries, by its names.
    by_name: HashMap<&'static str, Vec<usize>>,
}

/// One program.
#[derive(Debug, Default)]
pub(super) struct Program {
    names: Vec<&'static str>,
    /// Flags that take the next word as their value.
    pub(super) values: Vec<&'static str>,
    /// Flags and first words with which nothing changes.
    pub(super) dry: Vec<&'static str>,
    /// Long flags have one dash.
    pub(super) single: bool,
    /// Texts within that are read as something else.
    pub(super) inner: Vec<Inner>,
    /// A command stands behind this word and so many more.
    pub(super) commands: Vec<(&'static str, usize)>,
    pub(super) rules: Vec<Rule>,
}

/// A text within the arguments.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) reader: Reader,
    pub(super) place: Place,
}

/// Where it stands.
#[derive(Debug)]
pub(super) enum Place {
    Flag(&'static str),
    Word(usize),
    From(usize),
    Stdin,
}

/// What words and flags do.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) label: &'static str,
    pub(super) pattern: Pattern,
    pub(super) note: &'static str,
}

/// Words in order, and flags that must or must not be there.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    steps: Vec<Step>,
    needs: Vec<Vec<&'static str>>,
    bars: Vec<Vec<&'static str>>,
}

#[derive(Debug)]
enum Step {
    /// One of these.
    One(Vec<&'static str>),
    /// Any number of words.
    Some,
    /// No more words.
    End,
}

impl Tables {
    /// Reads tables; what can't be read is reported and left out.
    fn read(texts: &[&'static str]) -> (Self, Vec<String>) {
        let mut tables = Self::default();
        let mut faults = Vec::new();
        for line in texts.iter().flat_map(|text| text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(names) = line.strip_prefix("program ") {
                tables
                    .programs
                    .push(Program { names: names.split(' ').collect(), ..Program::default() });
            } else if tables.programs.last_mut().and_then(|program| program.line(line)).is_none() {
                faults.push(line.to_owned());
            }
        }
        for (place, program) in tables.programs.iter().enumerate() {
            for name in &program.names {
                tables.by_name.entry(name).or_default().push(place);
            }
        }
        (tables, faults)
    }

    /// The entries of one program.
    pub(super) fn programs<'a>(
        &'a self,
        name: &str,
    ) -> impl Iterator<Item = &'a Program> + use<'a> {
        let places = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|place| self.programs.get(*place))
    }
}

impl Program {
    fn line(&mut self, line: &'static str) -> Option<()> {
        if let Some((label, rest)) = line.split_once(" : ") {
            let (pattern, note) = rest.split_once(" : ")?;
            let known = crate::guard::labels::LABELS.iter().any(|one| one.name == label);
            self.rules.push(Rule { label, pattern: Pattern::read(pattern), note });
            return known.then_some(());
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words = rest.split(' ').filter(|word| !word.is_empty());
        match word {
            "values" => self.values.extend(words),
            "dry" => self.dry.extend(words),
            "single" => self.single = true,
            "argv" => {
                let (word, skip) = rest.split_once(' ')?;
                self.commands.push((word, skip.parse().ok()?));
            }
            "stdin" => self.inner.push(Inner { reader: reader(rest)?, place: Place::Stdin }),
            kind => {
                for word in words {
                    let place = match word.strip_prefix('@') {
                        Some(place) => match place.strip_suffix("..") {
                            Some(from) => Place::From(from.parse().ok()?),
                            None => Place::Word(place.parse().ok()?),
                        },
                        None => {
                            self.values.push(word);
                            Place::Flag(word)
                        }
                    };
                    self.inner.push(Inner { reader: reader(kind)?, place });
                }
            }
        }
        Some(())
    }
}

fn reader(kind: &str) -> Option<Reader> {
    match kind {
        "sql" => Some(Reader::Sql),
        "nosql" => Some(Reader::Nosql),
        "shell" => Some(Reader::Shell),
        "code" => Some(Reader::Code),
        _ => None,
    }
}

impl Pattern {
    fn read(text: &'static str) -> Self {
        let mut pattern = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match (word, word.as_bytes().first()) {
                ("**", _) => pattern.steps.push(Step::Some),
                ("$", _) => pattern.steps.push(Step::End),
                (_, Some(b'+')) => {
                    pattern.needs.push(word.trim_start_matches('+').split('|').collect())
                }
                (_, Some(b'!')) if word.len() > 1 && !word.starts_with("!*") => {
                    pattern.bars.push(word.trim_start_matches('!').split('|').collect())
                }
                _ => pattern.steps.push(Step::One(word.split('|').collect())),
            }
        }
        pattern
    }

    /// Whether a line fits.
    pub(super) fn matches(&self, line: &Line<'_>) -> bool {
        let holds = |wanted: &&str| match wanted.strip_prefix('#') {
            Some(word) => line.words.iter().any(|one| fits(word, one)),
            None => line.has(wanted),
        };
        self.needs.iter().all(|any| any.iter().any(&holds))
            && !self.bars.iter().flatten().any(holds)
            && self.words(&line.words)
    }

    /// Words against steps; `**` takes as few words as it can, and is tried again with more.
    fn words(&self, words: &[&str]) -> bool {
        let (mut step, mut word) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let fits_here = match self.steps.get(step) {
                None => return true,
                Some(Step::End) => word >= words.len(),
                Some(Step::Some) => {
                    retry = Some((step + 1, word));
                    step += 1;
                    continue;
                }
                Some(Step::One(any)) => words
                    .get(word)
                    .is_some_and(|word| any.iter().any(|pattern| fits(pattern, word))),
            };
            if fits_here {
                step += 1;
                word += 1;
                continue;
            }
            match retry {
                Some((at, from)) if from < words.len() => {
                    retry = Some((at, from + 1));
                    (step, word) = (at, from + 1);
                }
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TEXTS, Tables};

    #[test]
    fn every_line_of_the_tables_can_be_read() {
        let (tables, faults) = Tables::read(&TEXTS);
        assert!(faults.is_empty(), "{faults:#?}");
        assert!(tables.programs.len() > 50);
        let bad = Tables::read(&["program x\nno.such.label : a : b\nargv a b\n"]).1;
        assert_eq!(bad.len(), 2);
    }
}
