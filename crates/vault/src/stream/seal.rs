//! Writing a stream.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::{
    CHUNK_BYTES, StreamFault,
    head::{self, COST, Keyed},
    nonce,
};
use crate::{Secret, cipher::NONCE_BYTES};

/// Fewest characters of a passphrase. Short ones are guessed, whatever the guessing costs.
pub const PASSPHRASE_MIN_CHARS: usize = 12;

/// Seals what is written to it. What was not [finished](Sealer::finish) is refused when it is opened.
pub struct Sealer<W> {
    out: W,
    keyed: Keyed,
    /// The chunk in the making.
    text: Zeroizing<Vec<u8>>,
    /// Its number.
    chunk: u64,
}

impl<W: Write> Sealer<W> {
    /// Begins a stream: writes its head to `out`. Takes 128 MiB of memory while it makes the key.
    ///
    /// # Errors
    /// [`StreamFault::Weak`], [`StreamFault::Randomness`] and [`StreamFault::Io`].
    pub fn begin(out: W, passphrase: &Secret) -> Result<Self, StreamFault> {
        Self::begin_at(out, passphrase, COST)
    }

    pub(super) fn begin_at(mut out: W, passphrase: &Secret, cost: u8) -> Result<Self, StreamFault> {
        if passphrase.expose().chars().count() < PASSPHRASE_MIN_CHARS {
            return Err(StreamFault::Weak);
        }
        let keyed = head::make(passphrase, cost)?;
        out.write_all(&keyed.head)?;
        let text = Zeroizing::new(Vec::with_capacity(CHUNK_BYTES));
        Ok(Self { out, keyed, text, chunk: 0 })
    }

    /// Writes the last chunk, and gives back where to.
    ///
    /// # Errors
    /// [`StreamFault::Io`]
    pub fn finish(mut self) -> Result<W, StreamFault> {
        self.seal(true)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = nonce(self.chunk, last);
        let sealed = self.keyed.cipher.seal_with(nonce, &self.keyed.head, &self.text);
        let sealed = sealed.map_err(|_| io::Error::other("a chunk can't be sealed"))?;
        // Where it stands says which nonce it has.
        self.out.write_all(sealed.get(NONCE_BYTES..).unwrap_or_default())?;
        self.text.clear();
        self.chunk += 1;
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        // A full chunk waits for more text, since it may be the last one.
        if self.text.len() == CHUNK_BYTES {
            self.seal(false)?;
        }
        let taken = text.len().min(CHUNK_BYTES - self.text.len());
        self.text.extend_from_slice(text.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    /// Flushes what is sealed; a chunk that is not full stays where it is.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
