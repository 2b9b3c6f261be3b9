//! The listening side: accepts connections, guards their framing, hands each request to the path,
//! and ends all of it within a bound. Knows nothing of what a request says.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use lockgate_model::Limits;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    framing::{Guarded, Watch},
    gateway::{Gateway, Phase},
    path, proxy,
};

/// Room for the parser beyond the limits, so that the guard's finding comes before the parser's.
const HEAD_SLACK: usize = 64 * 1024;
/// Header lines for which the parser has room anyway.
const PARSER_HEADERS: u32 = 100;
/// Between two attempts to accept after the system had no socket to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// After the hard bound, streams get this long to say their last words.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// TLS of the listening socket; replaced on reload.
#[derive(Default)]
pub struct Tls(ArcSwapOption<rustls::ServerConfig>);

impl Tls {
    /// Puts a certificate in force for connections accepted from now on; `None` for plain TCP.
    pub fn set(&self, config: Option<Arc<rustls::ServerConfig>>) {
        self.0.store(config);
    }
}

/// Serves `listener` until `shutdown` is done, then drains: open requests end within
/// `drain_max_ms`, whatever they wait for.
pub async fn serve(
    gateway: &Arc<Gateway>,
    listener: TcpListener,
    tls: Arc<Tls>,
    shutdown: impl Future<Output = ()>,
) {
    let limits = *gateway.snapshot().limits();
    let places = Arc::new(Semaphore::new(limits.connections_max as usize));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let gateway = Arc::clone(gateway);
                let tls = tls.0.load_full();
                tokio::spawn(async move {
                    connection(&gateway, stream, peer, tls).await;
                    drop(place);
                });
            }
            Err(fault) => {
                tracing::warn!(%fault, "no connection can be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    drain(gateway, &places, &limits).await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Answers are written whole; waiting for more of them helps nobody.
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

async fn drain(gateway: &Gateway, places: &Semaphore, limits: &Limits) {
    gateway.enter(Phase::Draining);
    let all_closed = async { drop(places.acquire_many(limits.connections_max).await) };
    let mut all_closed = pin!(all_closed);
    let bound = Duration::from_millis(limits.drain_max_ms.into());
    if timeout(bound, &mut all_closed).await.is_err() {
        gateway.enter(Phase::Ending);
        drop(timeout(LAST_WORDS, all_closed).await);
    }
    gateway.enter(Phase::Ending);
}

async fn connection(
    gateway: &Arc<Gateway>,
    mut stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
) {
    let snapshot = gateway.snapshot();
    let wait = Duration::from_millis(snapshot.limits().header_wait_max_ms.into());
    let proxies = snapshot.proxies();
    let caller = match proxy::caller_by_wire(proxies, peer, &mut stream, wait).await {
        Ok(caller) => caller,
        Err(fault) => return tracing::warn!(%peer, %fault, "a proxy's connection is closed"),
    };
    drop(snapshot);
    let Some(config) = tls else { return speak(gateway, stream, caller).await };
    match Box::pin(timeout(wait, TlsAcceptor::from(config).accept(stream))).await {
        // Apart, so that connections without TLS need no room for its state.
        Ok(Ok(stream)) => Box::pin(speak(gateway, stream, caller)).await,
        Ok(Err(fault)) => tracing::debug!(%peer, %fault, "no TLS"),
        Err(_) => tracing::debug!(%peer, "TLS handshake too slow"),
    }
}

/// What the connection's task watches.
struct Pulse {
    /// Requests under way.
    open: AtomicUsize,
    /// Requests begun so far.
    begun: AtomicU32,
}

async fn speak<S>(gateway: &Arc<Gateway>, stream: S, peer: IpAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = *gateway.snapshot().limits();
    let guarded = Guarded::new(stream, &limits);
    let watch = guarded.watch();
    let pulse = Arc::new(Pulse { open: AtomicUsize::new(0), begun: AtomicU32::new(0) });
    let service = {
        let (watch, pulse) = (Arc::clone(&watch), Arc::clone(&pulse));
        service_fn(move |request| {
            let (gateway, pulse) = (Arc::clone(gateway), Arc::clone(&pulse));
            let framing = watch.check(pulse.begun.fetch_add(1, Ordering::Relaxed));
            async move {
                let _under_way = UnderWay::new(&pulse);
                Ok::<_, Infallible>(path::request(&gateway, peer, framing, request).await)
            }
        })
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(limits.headers_max_bytes as usize + HEAD_SLACK);
    if limits.headers_max > PARSER_HEADERS {
        // Asked for a number of its own, the parser allocates for each head.
        builder.max_headers(limits.headers_max as usize);
    }
    let http = builder.serve_connection(TokioIo::new(guarded), service);
    let mut http = pin!(http);
    let mut phase = gateway.phase();
    let mut draining = pin!(phase.wait_for(|phase| *phase >= Phase::Draining));
    let mut told = false;
    let mut idle = Idle::new(&limits);
    loop {
        tokio::select! {
            ended = &mut http => {
                if let Err(fault) = ended {
                    path::broken(gateway, peer, watch.bad(), &fault);
                }
                return;
            }
            _ = &mut draining, if !told => {
                told = true;
                http.as_mut().graceful_shutdown();
            }
            () = sleep_until(idle.look_at) => if idle.is_over(&watch, &pulse) {
                return;
            },
        }
    }
}

/// Ends connections on which nothing, or nothing but a slow head, comes. Looks now and then instead
/// of setting a timer for each request.
struct Idle {
    head_wait: Duration,
    idle_max: Duration,
    begun: u32,
    since: Instant,
    look_at: Instant,
}

impl Idle {
    fn new(limits: &Limits) -> Self {
        let head_wait = Duration::from_millis(limits.header_wait_max_ms.into());
        let now = Instant::now();
        Self {
            head_wait,
            idle_max: Duration::from_millis(limits.idle_max_ms.into()),
            begun: 0,
            since: now,
            look_at: now + head_wait,
        }
    }

    fn is_over(&mut self, watch: &Watch, pulse: &Pulse) -> bool {
        let now = Instant::now();
        let begun = pulse.begun.load(Ordering::Relaxed);
        if begun != self.begun || pulse.open.load(Ordering::Relaxed) > 0 {
            self.begun = begun;
            self.since = now;
        }
        // A client that never sent a head has no more time than one that is slow to.
        let bound = if begun == 0 { self.head_wait } else { self.idle_max };
        let head_end = watch.head_since().map(|since| Instant::from_std(since) + self.head_wait);
        let end = head_end.unwrap_or(now + bound).min(self.since + bound);
        self.look_at = end.min(now + self.head_wait / 2);
        end <= now
    }
}

/// Counts a request while it is under way, its stream aside.
struct UnderWay<'a>(&'a Pulse);

impl<'a> UnderWay<'a> {
    fn new(pulse: &'a Pulse) -> Self {
        pulse.open.fetch_add(1, Ordering::Relaxed);
        Self(pulse)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
