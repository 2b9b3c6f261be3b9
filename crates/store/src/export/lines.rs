//! Lines, plain or in independent zstd frames: a reader needs no more than one frame, and a frame
//! that was cut or changed fails its checksum.

use std::io::{self, Write};

use zstd::{bulk::Compressor, zstd_safe::CParameter};

use super::{ExportFault, Packing};

/// A frame is closed when it holds this much. In bytes.
const FRAME_BYTES: usize = 256 * 1024;

/// The library's own default: at level 3 a frame takes about a millisecond.
const LEVEL: i32 = 3;

/// A writer of lines.
pub(super) struct Lines<W> {
    out: W,
    buffer: Vec<u8>,
    compressor: Option<Compressor<'static>>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W, packing: Packing) -> io::Result<Self> {
        let compressor = match packing {
            Packing::Plain => None,
            Packing::Zstd => {
                let mut compressor = Compressor::new(LEVEL)?;
                compressor.set_parameter(CParameter::ChecksumFlag(true))?;
                Some(compressor)
            }
        };
        Ok(Self { out, buffer: Vec::new(), compressor })
    }

    /// Adds a line; `line` holds no line feed. Always tells that one was written.
    pub(super) fn push(&mut self, line: &str) -> Result<bool, ExportFault> {
        self.buffer.extend_from_slice(line.as_bytes());
        self.buffer.push(b'\n');
        if self.buffer.len() >= FRAME_BYTES {
            self.flush()?;
        }
        Ok(true)
    }

    pub(super) fn finish(mut self) -> Result<(), ExportFault> {
        self.flush()?;
        Ok(self.out.flush()?)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        match &mut self.compressor {
            Some(compressor) => self.out.write_all(&compressor.compress(&self.buffer)?)?,
            None => self.out.write_all(&self.buffer)?,
        }
        self.buffer.clear();
        Ok(())
    }
}
