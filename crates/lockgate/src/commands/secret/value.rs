//! Where a secret's value is read: a file or standard input, never an argument, which every user of the
//! machine could see.

use std::{
    fs::File,
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use lockgate_vault::Secret;

use crate::{
    failure::Failure,
    terminal::{Terminal, unseen},
};

/// Where the value is.
#[derive(Debug, clap::Args)]
pub(super) struct From {
    /// Read the value from this file; from standard input where absent. One line break at its end is
    /// not part of it
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
}

impl From {
    /// Reads the value.
    ///
    /// # Errors
    /// Where it can't be read, or is no secret. What was read is not quoted.
    pub(super) fn read(&self, terminal: Terminal) -> Result<Secret, Failure> {
        if let Some(path) = &self.from_file {
            let file = File::open(path).map_err(|error| {
                Failure::unreachable(format_args!("can't read `{}`: {error}", path.display()))
            })?;
            return Secret::read(file).map_err(|fault| {
                Failure::usage_text(format_args!("`{}` holds no secret: {fault}", path.display()))
            });
        }
        let stdin = io::stdin();
        let read = if stdin.is_terminal() {
            terminal.talk("Type the value, then Enter and Ctrl-D; it does not show:");
            unseen(|| Secret::read(stdin.lock()))?
        } else {
            Secret::read(stdin.lock())
        };
        read.map_err(|fault| {
            Failure::usage_text(format_args!("there is no secret on standard input: {fault}"))
        })
    }
}
