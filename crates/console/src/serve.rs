//! The console's own listener: plain HTTP/1.1, bounded in every direction.
//!
//! Knows nothing of what a request says. Connections are tasks of this one, and end with it.

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::sleep,
};
use tower_service::Service as _;

use crate::gate::Standing;

/// Connections served at once; further ones wait.
const CONNECTIONS_MAX: usize = 256;
/// A request's head must have come within this time, also on a connection kept alive.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_MAX_BYTES: usize = 32 * 1024;
/// A pause after an accept that failed, so that a full file table doesn't spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often a connection asks whether who used it last may still be there.
const STANDING_EVERY: Duration = Duration::from_millis(400);
/// And how long it then has to take its last words.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// The connection on which a request came; found among the request's extensions.
#[derive(Clone)]
pub(crate) struct Line {
    /// Who is at the other end.
    pub(crate) peer: IpAddr,
    /// Whose request came last.
    user: Arc<Mutex<Option<Standing>>>,
}

impl Line {
    /// From now on the connection lasts no longer than `standing` does.
    pub(crate) fn is_used_by(&self, standing: Standing) {
        *self.user.lock().unwrap_or_else(PoisonError::into_inner) = Some(standing);
    }

    /// Done shortly after its user's time is over: also where the other end reads no more, so that
    /// nobody asks whether there is a next event.
    async fn over(&self) {
        loop {
            while self.is_in_order() {
                sleep(STANDING_EVERY).await;
            }
            sleep(LAST_WORDS).await;
            // Unless a new token came on it meanwhile.
            if !self.is_in_order() {
                return;
            }
        }
    }

    fn is_in_order(&self) -> bool {
        let user = self.user.lock().unwrap_or_else(PoisonError::into_inner);
        user.as_ref().is_none_or(Standing::holds)
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
    let line = Line { peer, user: Arc::default() };
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
        () = line.over() => {}
    }
}
