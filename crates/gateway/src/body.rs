//! HTTP bodies: read whole within a limit, and the two shapes in which the gateway sends one.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::sync::mpsc;

/// The body of an answer to a client.
pub enum AnswerBody {
    /// One piece; empty where there is none.
    Whole(Option<Bytes>),
    /// Pieces as they come. The sender notices when the client has gone.
    Stream(mpsc::Receiver<Bytes>),
}

/// Why a body could not be read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// It is longer than the limit.
    TooLarge,
    /// It broke off, or its framing is wrong.
    Broken,
}

/// Reads a body to its end, at most `max` bytes; trailers are dropped.
///
/// # Errors
/// [`BodyFault`]; nothing more should be read from the connection then.
pub async fn read(mut body: Incoming, max: usize) -> Result<Bytes, BodyFault> {
    let announced = body.size_hint().lower();
    if announced > max as u64 {
        return Err(BodyFault::TooLarge);
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyFault::Broken)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > max {
            return Err(BodyFault::TooLarge);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            // `announced` is within `max`, which counts u32s.
            rest.reserve((announced as usize).max(first.len() + data.len()));
            rest.extend_from_slice(&first);
            first = Bytes::new();
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(pieces) => {
                pieces.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

impl From<Full<Bytes>> for AnswerBody {
    fn from(full: Full<Bytes>) -> Self {
        let mut full = full;
        // A body of one piece is ready at once, or has none.
        let frame = full.frame().now_or_never().flatten();
        Self::Whole(frame.and_then(|frame| frame.ok()?.into_data().ok()))
    }
}

impl From<Vec<u8>> for AnswerBody {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Whole((!bytes.is_empty()).then(|| bytes.into()))
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }
}
