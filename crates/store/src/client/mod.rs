//! How the store reaches other machines: one HTTP client for event receivers and object stores, and
//! TLS for syslog. Where it dials stands in the operator's configuration, never in a message.
//!
//! Redirects are handed back, not followed; proxy variables of the environment are not read.

mod objects;
mod reach;
mod tls;

use std::{error::Error, path::Path, time::Duration};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use object_store::client::HttpRequestBody;
pub(crate) use reach::{FORBIDDEN, Reach};
pub(crate) use tls::config as tls_config;
use tokio::time::timeout;

/// A connection must stand within this time, TLS aside.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// An answer must have begun within this time, the request's body sent.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);
/// An idle connection is closed after this time.
const IDLE_MAX: Duration = Duration::from_secs(30);

type Dialer = hyper_rustls::HttpsConnector<HttpConnector<Reach>>;

/// An HTTP/1.1 client with its own pool. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pool: legacy::Client<Dialer, HttpRequestBody>,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientFault {
    /// The connection could not be made, or broke.
    #[error("{0}")]
    Broken(#[source] legacy::Error),
    /// No answer in time.
    #[error("no answer within {} s", ANSWER_WAIT_MAX.as_secs())]
    Slow,
}

impl Client {
    /// A client that trusts the authorities in `ca` alone, or those of the system. An address that
    /// stands in a URL itself is the caller's to look at.
    ///
    /// # Errors
    /// What is wrong with the authorities.
    pub(crate) fn new(ca: Option<&Path>, reach: Reach) -> Result<Self, String> {
        let mut dialer = HttpConnector::new_with_resolver(reach);
        // Which schemes are allowed was decided when the URL was read.
        dialer.enforce_http(false);
        dialer.set_connect_timeout(Some(CONNECT_WAIT_MAX));
        dialer.set_nodelay(true);
        let dialer = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(ca)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(dialer);
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(dialer);
        Ok(Self { pool })
    }

    /// Sends one request; any status is an answer, a redirect too.
    ///
    /// # Errors
    /// [`ClientFault`]; whether the request arrived is then not known.
    pub(crate) async fn send(
        &self,
        request: Request<HttpRequestBody>,
    ) -> Result<Response<Incoming>, ClientFault> {
        let answer = timeout(ANSWER_WAIT_MAX, self.pool.request(request));
        answer.await.map_err(|_| ClientFault::Slow)?.map_err(ClientFault::Broken)
    }
}

/// The deepest words of an error chain, which say what happened.
pub(crate) fn root(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
