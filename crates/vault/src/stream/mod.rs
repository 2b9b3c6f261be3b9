//! A long text sealed under a passphrase, as a stream that is written and read once, from its beginning
//! to its end: what a backup is kept in.
//!
//! **Format**, version 1. A head of 66 bytes: the 16 bytes `lockgate backup` and a line feed, the version,
//! the binary logarithm of the cost N, 16 random bytes of salt, and 32 bytes by which a wrong passphrase
//! is known. scrypt (RFC 7914; N, r = 8, p = 1) makes 64 bytes of the passphrase and the salt: the key,
//! and those 32 bytes. Then come chunks of 64 KiB of text, the last one shorter or as long, never absent,
//! each sealed with AES-256-GCM and followed by its tag. The nonce is the number of the chunk, from 0, as
//! 11 big-endian bytes, and a byte that is 1 for the last chunk and 0 for the others: the STREAM
//! construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015). The head is associated data of every chunk.
//!
//! So a stream opens whole and in its order, or up to a fault that has a name. Nothing is given out that
//! was not checked; but only its end tells that it was whole. No nonce comes twice under a key, since
//! each stream has a salt of its own.

mod fault;
mod head;
mod open;
mod seal;

#[cfg(test)]
mod tests;

pub use fault::StreamFault;
pub use open::Opener;
pub use seal::{PASSPHRASE_MIN_CHARS, Sealer};

use crate::cipher::NONCE_BYTES;

/// Text in a chunk, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// The nonce of one chunk.
fn nonce(number: u64, last: bool) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    let number = number.to_be_bytes().into_iter().chain([u8::from(last)]);
    nonce.iter_mut().skip(3).zip(number).for_each(|(to, from)| *to = from);
    nonce
}
