//! A child's standard output as lines, each bounded. Knows nothing of what a line says.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::{io::AsyncReadExt as _, process::ChildStdout, sync::watch, time::timeout};

/// Room made for each read.
const READ_BYTES: usize = 64 * 1024;
/// What an ended child left in the pipe must have been read within this time: a process that
/// escaped its group may hold the pipe open for ever.
const DRAIN_WAIT: Duration = Duration::from_millis(500);

/// The lines of one child.
pub(super) struct Output {
    stdout: ChildStdout,
    buffer: BytesMut,
    searched: usize,
    line_max_bytes: usize,
    ended: watch::Receiver<bool>,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A whole line, without its line break.
    Whole(Bytes),
    /// A line longer than the limit; nothing after it can be read.
    TooLong,
    /// The end; half a line before it was dropped.
    End,
}

impl Output {
    pub(super) fn new(
        stdout: ChildStdout,
        line_max_bytes: usize,
        ended: watch::Receiver<bool>,
    ) -> Self {
        Self { stdout, buffer: BytesMut::new(), searched: 0, line_max_bytes, ended }
    }

    /// The next line that isn't blank.
    pub(super) async fn next(&mut self) -> Line {
        loop {
            if let Some(line) = self.take_line() {
                if line.len() > self.line_max_bytes {
                    return Line::TooLong;
                }
                if !line.trim_ascii().is_empty() {
                    return Line::Whole(line);
                }
            } else if self.buffer.len() > self.line_max_bytes {
                return Line::TooLong;
            } else if self.fill().await == 0 {
                return Line::End;
            }
        }
    }

    fn take_line(&mut self) -> Option<Bytes> {
        let fresh = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(found) = memchr::memchr(b'\n', fresh) else {
            self.searched = self.buffer.len();
            return None;
        };
        let mut line = self.buffer.split_to(self.searched + found + 1).freeze();
        self.searched = 0;
        line.truncate(line.len() - 1);
        if line.ends_with(b"\r") {
            line.truncate(line.len() - 1);
        }
        Some(line)
    }

    /// How many bytes came; 0 at the end, and where reading fails, which is the same.
    async fn fill(&mut self) -> usize {
        self.buffer.reserve(READ_BYTES);
        let read = self.stdout.read_buf(&mut self.buffer);
        tokio::pin!(read);
        tokio::select! {
            biased;
            read = &mut read => return read.unwrap_or(0),
            _ = self.ended.wait_for(|ended| *ended) => {}
        }
        timeout(DRAIN_WAIT, read).await.map_or(0, |read| read.unwrap_or(0))
    }
}
