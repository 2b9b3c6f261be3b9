//! Objects line by line: what people feed corpora in and get them back with answers added.
//!
//! Never reorders lines or members, and never holds more than one line.

use std::{
    fs,
    io::{self, BufRead as _},
};

use serde_json::{Map, Value};

use crate::{
    failure::{Exit, Failure, Outcome},
    terminal::Terminal,
};

/// Reads one JSON object a line from `file`, or from stdin where it is `-` or none, and prints each after
/// `answer` has added to it. Blank lines are passed over.
///
/// # Errors
/// What can't be read; a line that is no object, and what `answer` says is wrong with one, with the
/// number of the line.
pub(crate) fn each(
    file: Option<&str>,
    terminal: Terminal,
    mut answer: impl FnMut(&mut Map<String, Value>) -> Result<(), String>,
) -> Outcome {
    let input: Box<dyn io::BufRead> = match file {
        None | Some("-") => Box::new(io::stdin().lock()),
        Some(file) => Box::new(io::BufReader::new(fs::File::open(file).map_err(|error| {
            Failure::unreachable(format_args!("can't read `{file}`: {error}"))
        })?)),
    };
    for (number, line) in input.lines().enumerate() {
        let line = line.map_err(Failure::unreachable)?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |why: String| Failure::usage_text(format_args!("line {}: {why}", number + 1));
        let mut object = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        answer(&mut object).map_err(wrong)?;
        terminal.data(Value::Object(object));
    }
    Ok(Exit::Ok)
}
