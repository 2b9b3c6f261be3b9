//! Where the passphrase of a backup is read: a file, or the terminal; never an argument, which every user
//! of the machine could see.

use std::{
    fs::File,
    io::{self, BufRead as _, IsTerminal as _, Read as _},
    path::PathBuf,
};

use lockgate_vault::{SECRET_MAX_BYTES, Secret};

use crate::{
    failure::Failure,
    terminal::{Terminal, unseen},
};

/// Where the passphrase is.
#[derive(Debug, clap::Args)]
pub(crate) struct From {
    /// Read the passphrase from this file; asked for on the terminal where absent. One line break at its
    /// end is not part of it
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl From {
    /// Reads a passphrase that something was sealed with.
    ///
    /// # Errors
    /// Where it can't be read. What was read is not quoted.
    pub(crate) fn read(&self, terminal: Terminal) -> Result<Secret, Failure> {
        match self.of_file()? {
            Some(passphrase) => Ok(passphrase),
            None => asked("Passphrase, which does not show:", terminal),
        }
    }

    /// Reads a new one; on the terminal twice, since a slip could not be mended later.
    ///
    /// # Errors
    /// As [`Self::read`], and where the two are not the same.
    pub(crate) fn read_new(&self, terminal: Terminal) -> Result<Secret, Failure> {
        if let Some(passphrase) = self.of_file()? {
            return Ok(passphrase);
        }
        let passphrase = asked("A passphrase for the backup, which does not show:", terminal)?;
        let again = asked("The same again:", terminal)?;
        if again.expose() != passphrase.expose() {
            return Err(Failure::usage_text("the two passphrases are not the same"));
        }
        Ok(passphrase)
    }

    fn of_file(&self) -> Result<Option<Secret>, Failure> {
        let Some(path) = &self.passphrase_file else { return Ok(None) };
        let shown = path.display();
        let file = File::open(path)
            .map_err(|error| Failure::unreachable(format_args!("can't read `{shown}`: {error}")))?;
        let wrong =
            |fault| Failure::usage_text(format_args!("`{shown}` holds no passphrase: {fault}"));
        Secret::read(file).map(Some).map_err(wrong)
    }
}

fn asked(question: &str, terminal: Terminal) -> Result<Secret, Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage_text(
            "nobody is there to ask for the passphrase; give --passphrase-file",
        ));
    }
    terminal.talk(question);
    // Room for all of it at once: a text that grows leaves copies of itself behind.
    let mut line = String::with_capacity(SECRET_MAX_BYTES);
    let read = unseen(|| stdin.lock().take(SECRET_MAX_BYTES as u64).read_line(&mut line))?;
    read.map_err(Failure::unreachable)?;
    let wrong = |fault| Failure::usage_text(format_args!("that is no passphrase: {fault}"));
    Secret::of_text(line).map_err(wrong)
}
