//! Reading a stream.

use std::io::{self, Read};

use zeroize::Zeroizing;

use super::{
    CHUNK_BYTES, StreamFault,
    head::{self, HEAD_BYTES, Keyed},
    nonce,
};
use crate::{
    Secret,
    cipher::{NONCE_BYTES, OVERHEAD_BYTES},
};

/// Where the bytes of a chunk end; one more is read, to know whether anything follows.
const CHUNK_END: usize = CHUNK_BYTES + OVERHEAD_BYTES;

/// Opens what is read from it. Only [`Opener::finish`] tells that it was whole.
pub struct Opener<R> {
    from: R,
    keyed: Keyed,
    /// Room for the nonce, then what was read of the next chunk.
    sealed: Vec<u8>,
    /// The text of the chunk before it, and how much of that was given out.
    text: Zeroizing<Vec<u8>>,
    given: usize,
    /// The number of the next chunk.
    chunk: u64,
    /// Set by the last chunk.
    ended: bool,
    /// The first fault, after which nothing more is read.
    fault: Option<StreamFault>,
}

impl<R: Read> Opener<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// [`StreamFault`], by name.
    pub fn begin(mut from: R, passphrase: &Secret) -> Result<Self, StreamFault> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        from.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        let keyed = head::read(&head, passphrase)?;
        let sealed = vec![0; NONCE_BYTES];
        let text = Zeroizing::new(Vec::new());
        Ok(Self { from, keyed, sealed, text, given: 0, chunk: 0, ended: false, fault: None })
    }

    /// Reads what is left, and tells whether all of it was as it was sealed.
    ///
    /// # Errors
    /// The first [`StreamFault`] that was met.
    pub fn finish(mut self) -> Result<(), StreamFault> {
        while !self.ended && self.fault.is_none() {
            self.advance();
        }
        self.fault.map_or(Ok(()), Err)
    }

    /// Opens the next chunk, or notes why not.
    fn advance(&mut self) {
        self.text.clear();
        self.given = 0;
        match self.next() {
            Ok(text) => self.text = text,
            Err(fault) => self.fault = Some(fault),
        }
    }

    fn next(&mut self) -> Result<Zeroizing<Vec<u8>>, StreamFault> {
        let wanted = (CHUNK_END + 1).saturating_sub(self.sealed.len());
        self.from.by_ref().take(wanted as u64).read_to_end(&mut self.sealed)?;
        let follows = self.sealed.get(CHUNK_END).copied();
        let last = follows.is_none();
        self.sealed.truncate(CHUNK_END);
        let Some(text) = self.open(last) else { return Err(self.why(last)) };
        self.ended = last;
        self.chunk += 1;
        self.sealed.truncate(NONCE_BYTES);
        self.sealed.extend(follows);
        Ok(text)
    }

    /// The text of the chunk that was read, if it stands in its place.
    fn open(&mut self, last: bool) -> Option<Zeroizing<Vec<u8>>> {
        let nonce = nonce(self.chunk, last);
        self.sealed.iter_mut().zip(nonce).for_each(|(to, from)| *to = from);
        self.keyed.cipher.open(&self.keyed.head, &self.sealed).ok()
    }

    /// Why the chunk that was read does not open.
    fn why(&mut self, last: bool) -> StreamFault {
        let chunk = self.chunk + 1;
        if self.sealed.len() == NONCE_BYTES {
            return StreamFault::Truncated { chunk };
        }
        match self.open(!last) {
            // It opens, but as another one than it stands here as.
            Some(_) if last => StreamFault::Truncated { chunk: chunk + 1 },
            Some(_) => StreamFault::Trailing { chunk },
            None => StreamFault::Damaged { chunk },
        }
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended && self.fault.is_none() {
            self.advance();
        }
        if let Some(fault) = &self.fault {
            return Err(io::Error::new(io::ErrorKind::InvalidData, fault.to_string()));
        }
        let left = self.text.get(self.given..).unwrap_or_default();
        let given = left.len().min(into.len());
        into.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
        self.given += given;
        Ok(given)
    }
}
