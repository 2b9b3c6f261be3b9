//! The smallest HTTP server that the admin listener and the demo's parts need: whole bodies in, bounded
//! in every direction.
//!
//! MCP clients never meet it; their listener is the gateway's.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

/// Connections served at once; further ones wait.
const CONNECTIONS_MAX: usize = 256;
/// A request's head, and its body, must each have come within this time.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// A pause after an accept that failed, so that a full file table doesn't spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of a request's body.
const BODY_MAX_BYTES: usize = 1024 * 1024;

/// Answers every request on `listener` with `site`, until the task is dropped.
pub(crate) async fn serve<S, F, B>(listener: TcpListener, site: S)
where
    S: Fn(Request<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let site = site.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let site = site.clone();
                async move { Ok::<_, Infallible>(answer(request, site).await) }
            });
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(WAIT_MAX);
            // A client that breaks off is no news.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
            drop(slot);
        });
    }
}

async fn answer<S, F, B>(request: Request<Incoming>, site: S) -> Response<Either<Full<Bytes>, B>>
where
    S: Fn(Request<Bytes>) -> F,
    F: Future<Output = Response<B>>,
{
    let (head, body) = request.into_parts();
    let refused = match timeout(WAIT_MAX, Limited::new(body, BODY_MAX_BYTES).collect()).await {
        Ok(Ok(body)) => {
            let request = Request::from_parts(head, body.to_bytes());
            return site(request).await.map(Either::Right);
        }
        Ok(Err(_)) => text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or broke off\n"),
        Err(_) => text(StatusCode::REQUEST_TIMEOUT, "the body came too slowly\n"),
    };
    refused.map(Either::Left)
}

/// A plain text.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", text)
}

/// A JSON document.
pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    typed(status, "application/json", value.to_string())
}

/// A body with its media type, never cached.
pub(crate) fn typed(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
