//! A guard between socket and HTTP parser: sees every raw head before the parser does, and finds
//! those that two parsers could frame in different ways (RFC 9112 §11.2), which the parser behind
//! it would repair in silence. It changes no byte and answers nothing: the connection asks it, per
//! request, whether the head may be believed.
//!
//! A chunked request is the last on its connection, so chunks need no parsing here.

mod framer;
#[cfg(test)]
mod tests;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

pub use framer::Framer;
use lockgate_model::{Limits, Reason, Refusal};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The socket, with the guard in front.
pub struct Guarded<S> {
    socket: S,
    framer: Framer,
    watch: Arc<Watch>,
}

/// What the guard found, for the task that serves the connection.
pub struct Watch {
    opened: Instant,
    /// Milliseconds after `opened`, plus one, at which the head being read began; 0 between heads.
    head_since: AtomicU64,
    bad: OnceLock<Bad>,
}

/// The first head of a connection that may not be believed. All after it are as bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Number of heads before it.
    pub index: u32,
    /// Which limit or rule it breaks.
    pub reason: Reason,
    /// Why, in one sentence.
    pub detail: &'static str,
}

impl Watch {
    /// Whether the head of the request with this number, counted from 0, may be believed.
    ///
    /// # Errors
    /// A refusal of the accept stage; the connection must be closed after it.
    pub fn check(&self, index: u32) -> Result<(), Refusal> {
        match self.bad.get() {
            Some(bad) if index >= bad.index => Err(bad.refusal()),
            _ => Ok(()),
        }
    }

    /// What was found, if anything was.
    pub fn bad(&self) -> Option<Bad> {
        self.bad.get().copied()
    }

    /// When the head that is being read began.
    pub fn head_since(&self) -> Option<Instant> {
        let millis = self.head_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.opened + std::time::Duration::from_millis(millis))
    }

    fn mark(&self, in_head: bool) {
        let was = self.head_since.load(Ordering::Relaxed) > 0;
        if was != in_head {
            let since = if in_head { self.opened.elapsed().as_millis() as u64 + 1 } else { 0 };
            self.head_since.store(since, Ordering::Relaxed);
        }
    }
}

impl Bad {
    fn refusal(self) -> Refusal {
        Refusal::new(self.reason, self.detail)
    }
}

impl<S> Guarded<S> {
    /// Puts the guard in front of a fresh connection.
    pub fn new(socket: S, limits: &Limits) -> Self {
        let watch =
            Watch { opened: Instant::now(), head_since: AtomicU64::new(0), bad: OnceLock::new() };
        Self { socket, framer: Framer::new(limits), watch: Arc::new(watch) }
    }

    /// The guard's findings.
    pub fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or(&[]);
        if let Some(bad) = self.framer.push(fresh) {
            // Only the first finding of a connection ever comes.
            let _ = self.watch.bad.set(bad);
        }
        self.watch.mark(self.framer.in_head());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }
}
