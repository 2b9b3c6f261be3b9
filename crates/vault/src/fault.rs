//! Everything that can go wrong with a sealed text or with the keys, by name.

use std::{io, path::PathBuf};

use crate::{KeyId, SecretFault};

/// Why a text was not sealed or opened. Quotes nothing of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultFault {
    /// The sealed text is shorter than it says, or than any can be.
    #[error("the sealed text is cut short: it has {has} of {needs} bytes")]
    Truncated {
        /// Its bytes.
        has: usize,
        /// What it should have.
        needs: usize,
    },
    /// Something stands behind the sealed text.
    #[error("the sealed text has {has} bytes and says {needs}")]
    Trailing {
        /// Its bytes.
        has: usize,
        /// What it should have.
        needs: usize,
    },
    /// What stands there is not even base64.
    #[error("what stands there is no sealed text")]
    NotSealed,
    /// A format of another version of this program.
    #[error("the sealed text has format {0}, which is not known here")]
    Format(u8),
    /// The key under which it was sealed is not among those here: the wrong keys, or ones of before a
    /// rotation.
    #[error("it was sealed under the key {key}, and the keys here are {}", list(.has))]
    UnknownKey {
        /// Under which.
        key: KeyId,
        /// Those that there are.
        has: Vec<KeyId>,
    },
    /// It was sealed for another secret, connection or purpose.
    #[error("it was sealed for something else: two sealed texts were swapped")]
    Swapped,
    /// It is another version of the secret.
    #[error("it is version {sealed} of the secret, where version {expected} should be")]
    Version {
        /// What it was sealed as.
        sealed: u64,
        /// What should stand there.
        expected: u64,
    },
    /// Its bytes were changed.
    #[error("it was changed since it was sealed")]
    Damaged,
    /// What was opened is no secret.
    #[error("what was sealed is no secret: {0}")]
    Content(#[from] SecretFault),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}

/// Why the keys can't be had or changed. Quotes nothing of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// The file is missing.
    #[error("the vault's key file `{}` is missing; restore it from your backup", .0.display())]
    Missing(PathBuf),
    /// Others than its owner can read the file.
    #[error(
        "others can read the vault's key file `{}`; `chmod 600` it, and think of who could",
        .0.display()
    )]
    Exposed(PathBuf),
    /// The operating system refused.
    #[error("can't {doing} the vault's key file `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The variable is missing, or no text.
    #[error("the variable `{0}`, which should hold the vault's keys, is not set")]
    Unset(String),
    /// It ends before its end.
    #[error("the vault's keys are cut short: the last line is not `end` and the number of keys")]
    Truncated,
    /// A key is not 64 hexadecimal digits, with or without its id before it.
    #[error("key {0} of the vault's keys is not `ID:KEY` with 64 hexadecimal digits as KEY")]
    Malformed(usize),
    /// A key is another one than its id says.
    #[error("key {number} of the vault's keys is not the key {id} that it says: the wrong key")]
    WrongKey {
        /// Which of them, from 1.
        number: usize,
        /// What it says.
        id: KeyId,
    },
    /// The same key stands there twice.
    #[error("the key {0} stands twice among the vault's keys")]
    Twice(KeyId),
    /// There is none, or too many.
    #[error("the vault has {0} keys; it takes 1 to {max}", max = crate::keys::KEYS_MAX)]
    Count(usize),
    /// Keys in a variable are changed by whoever sets it.
    #[error("the vault's keys come from the variable `{0}`: {1}")]
    ReadOnly(String, &'static str),
    /// There is no such key.
    #[error("the vault has no key {0}")]
    Unknown(KeyId),
    /// What was unwrapped outside is another key, or none.
    #[error("what was unwrapped is not the key {0}")]
    Foreign(KeyId),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}

fn list(ids: &[KeyId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
