//! A command line as its program reads it: words, and flags with their values.

use super::table::Program;

/// The arguments of one program.
pub(super) struct Line<'a> {
    /// What is no flag and no flag's value, in order; `--` stays.
    pub(super) words: Vec<&'a str>,
    /// Flags with their values, each as written and, where short ones are joined, one by one.
    flags: Vec<(String, Option<&'a str>)>,
    raw: &'a [&'a str],
}

impl<'a> Line<'a> {
    pub(super) fn read(program: &Program, raw: &'a [&'a str]) -> Self {
        let mut line = Self { words: Vec::new(), flags: Vec::new(), raw };
        let mut at = 0;
        let mut plain = false;
        while let Some(word) = raw.get(at).copied() {
            at += 1;
            if plain || !word.starts_with('-') || word.len() < 2 {
                line.words.push(word);
            } else if word == "--" && line.words.is_empty() && line.flags.is_empty() {
                // `minikube kubectl -- get pods`.
            } else if word == "--" {
                plain = true;
                line.words.push(word);
            } else {
                at += line.flag(program, word, raw.get(at).copied());
            }
        }
        line
    }

    /// Takes a flag; how many words behind it are its value.
    fn flag(&mut self, program: &Program, word: &'a str, next: Option<&'a str>) -> usize {
        let takes = |flag: &str| program.values.contains(&flag);
        if let Some((name, value)) = word
            .split_once('=')
            .filter(|(name, _)| word.starts_with("--") || program.single || takes(name))
        {
            self.flags.push((name.to_owned(), Some(value)));
            return 0;
        }
        if takes(word) {
            self.flags.push((word.to_owned(), next));
            return 1;
        }
        let long = word.starts_with("--") || program.single;
        if !long {
            let letters = word.char_indices().skip(1).peekable();
            for (place, letter) in letters {
                let name = format!("-{letter}");
                if takes(&name) {
                    let rest = word
                        .get(place + letter.len_utf8()..)
                        .unwrap_or_default()
                        .trim_start_matches('=');
                    let (value, taken) = if rest.is_empty() { (next, 1) } else { (Some(rest), 0) };
                    self.flags.push((name, value));
                    self.flags.push((word.to_owned(), None));
                    return taken;
                }
                self.flags.push((name, None));
            }
        }
        self.flags.push((word.to_owned(), None));
        0
    }

    /// Whether a flag is given; `--flag=pattern` asks for its value too.
    pub(super) fn has(&self, wanted: &str) -> bool {
        let (name, pattern) = match wanted.split_once('=') {
            Some((name, pattern)) => (name, Some(pattern)),
            None => (wanted, None),
        };
        self.flags.iter().any(|(flag, value)| {
            fits(name, flag)
                && match pattern {
                    Some(pattern) => value.is_some_and(|value| fits(pattern, value)),
                    // `--wait=false` is no `--wait`.
                    None => !value.is_some_and(|value| {
                        matches!(value, "false" | "none") && flag.starts_with("--")
                    }),
                }
        })
    }

    /// The values of a flag.
    pub(super) fn values(&self, wanted: &str) -> impl Iterator<Item = &'a str> {
        self.flags.iter().filter(move |(flag, _)| flag == wanted).filter_map(|(_, value)| *value)
    }

    /// Whether it says that nothing is to change.
    pub(super) fn is_dry(&self, program: &Program) -> bool {
        program.dry.iter().any(|dry| {
            if dry.starts_with('-') {
                self.has(dry)
            } else {
                self.words.first().is_some_and(|first| fits(dry, first))
                    || self
                        .words
                        .last()
                        .is_some_and(|last| last == dry && (dry.contains('=') || *dry == "help"))
            }
        })
    }

    /// The command behind `word` and `skip` more words, or behind `--`.
    pub(super) fn command_behind(
        &self,
        program: &Program,
        word: &str,
        skip: usize,
    ) -> Option<Vec<String>> {
        let start = self.raw.iter().position(|one| *one == word)?;
        let rest = self.raw.get(start + 1..)?;
        if let Some(dashes) = rest.iter().position(|one| *one == "--") {
            return rest.get(dashes + 1..).map(owned).filter(|argv| !argv.is_empty());
        }
        let mut at = 0;
        let mut left = skip;
        while let Some(one) = rest.get(at) {
            if one.starts_with('-') {
                at += if program.values.iter().any(|value| value == one)
                    && !(word == "run" && one == &"-d")
                {
                    2
                } else {
                    1
                };
            } else if left > 0 {
                left -= 1;
                at += 1;
            } else {
                break;
            }
        }
        rest.get(at..).map(owned).filter(|argv| !argv.is_empty())
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Whether a text fits a pattern, in which `*` is anything, and `\` takes a meaning away.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    // Most patterns are words.
    if memchr::memchr2(b'*', b'\\', pattern.as_bytes()).is_none() {
        return pattern == text;
    }
    let mut pieces: Vec<String> = vec![String::new()];
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                if let (Some(next), Some(last)) = (characters.next(), pieces.last_mut()) {
                    last.push(next);
                }
            }
            '*' => pieces.push(String::new()),
            other => {
                if let Some(last) = pieces.last_mut() {
                    last.push(other);
                }
            }
        }
    }
    let Some((first, rest)) = pieces.split_first() else { return false };
    let Some(mut left) = text.strip_prefix(first.as_str()) else { return false };
    let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
    for piece in middle {
        let Some(at) = left.find(piece.as_str()) else { return false };
        left = left.get(at + piece.len()..).unwrap_or_default();
    }
    left.ends_with(last.as_str())
}
