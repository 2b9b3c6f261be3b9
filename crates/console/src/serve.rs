//! The console's own listener: plain HTTP/1.1, bounded in every direction.
//!
//! Knows nothing of what a request says. Connections are tasks of this one, and end with it.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::sleep,
};
use tower_service::Service as _;

/// Connections served at once; further ones wait.
const CONNECTIONS_MAX: usize = 256;
/// A request's head must have come within this time, also on a connection kept alive.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_MAX_BYTES: usize = 32 * 1024;
/// A pause after an accept that failed, so that a full file table doesn't spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The connection on which a request came; found among the request's extensions.
#[derive(Clone)]
pub(crate) struct Line {
    /// Who is at the other end.
    pub(crate) peer: IpAddr,
    end: Arc<Notify>,
}

impl Line {
    /// Ends the connection, whatever it is doing. For streams whose reader reads no more.
    pub(crate) fn cut(&self) {
        self.end.notify_one();
    }
}

/// Serves until dropped.
pub(crate) async fn serve(router: Router, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = loop {
            tokio::select! {
                accepted = listener.accept() => break accepted,
                Some(_) = connections.join_next() => {}
            }
        };
        let Ok((stream, peer)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let router = router.clone();
        connections.spawn(async move {
            speak(router, stream, peer.ip()).await;
            drop(place);
        });
    }
}

async fn speak(router: Router, stream: TcpStream, peer: IpAddr) {
    // Answers are written whole; waiting for more of them helps nobody.
    let _ = stream.set_nodelay(true);
    let line = Line { peer, end: Arc::default() };
    let service = service_fn(|request| {
        let mut request = http::Request::map(request, Body::new);
        request.extensions_mut().insert(line.clone());
        let answer = router.clone().call(request);
        async { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT_MAX).max_buf_size(HEAD_MAX_BYTES);
    let connection = server.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A client that breaks off is no news.
        _ = connection => {}
        () = line.end.notified() => {}
    }
}
