//! Everything that can go wrong with a sealed stream, by name.

use std::io;

use super::{
    head::{COST_MAX, COST_MIN},
    seal::PASSPHRASE_MIN_CHARS,
};

/// Why a stream was not sealed or opened. Quotes nothing of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamFault {
    /// It does not begin as one.
    #[error("it is no backup of Lockgate")]
    Foreign,
    /// A format of another version of this program.
    #[error("it has format {0}, which is not known here")]
    Format(u8),
    /// It asks for more work and memory than anything that this program writes, or for too little.
    #[error(
        "its head was changed: it asks for 2^{0} steps, where 2^{COST_MIN} to 2^{COST_MAX} may be"
    )]
    Cost(u8),
    /// It does not open with this passphrase.
    #[error("the passphrase is not the one that it was sealed with, or its head was changed")]
    Passphrase,
    /// A passphrase that could be guessed.
    #[error("the passphrase has fewer than {PASSPHRASE_MIN_CHARS} characters")]
    Weak,
    /// A chunk does not open where it stands.
    #[error("chunk {chunk} was changed, is out of its order, or was cut short")]
    Damaged {
        /// Its number, from 1.
        chunk: u64,
    },
    /// It ends before its last chunk, or within its head.
    #[error("it is cut short: chunk {chunk} is not there")]
    Truncated {
        /// The first chunk that is missing, from 1; 0 for the head.
        chunk: u64,
    },
    /// Something stands behind the last chunk.
    #[error("something stands behind its end, which is chunk {chunk}")]
    Trailing {
        /// The last chunk, from 1.
        chunk: u64,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
    /// What holds it can't be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
}
