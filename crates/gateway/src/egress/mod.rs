//! Every connection that the gateway opens over the network: to upstreams, and to issuers for
//! discovery and keys. One client, one set of rules.
//!
//! A name is resolved once, every address it has is checked, and the checked address is the one
//! that is dialled, so that a second answer of the name server changes nothing. Redirects are handed
//! back, not followed; proxy variables of the environment are not read.

mod connector;
mod target;
mod tls;

#[cfg(test)]
mod tests;

use std::{error::Error, net::IpAddr, path::PathBuf, time::Duration};

use bytes::Bytes;
use connector::{Connector, Timed};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
pub use lockgate_model::AddressClass;
use lockgate_model::{Reason, Refusal};
use rustls::ClientConfig;
pub use target::check_url;
pub use tls::{Identity, IdentityFault};

/// Connections kept open to one host while idle.
const IDLE_MAX_PER_HOST: usize = 256;
/// An idle connection is closed after this time.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// What one use of the network may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressRules {
    /// Allows loopback and private addresses, and `http:` to them; never link-local ones.
    pub allow_private: bool,
    /// PEM file of the only certificate authorities to trust; the system's where absent.
    pub ca: Option<PathBuf>,
    /// A connection must stand, TLS included, within this time.
    pub connect_wait_max: Duration,
}

/// Why something can't or may not be dialled.
#[derive(Debug, thiserror::Error)]
pub enum EgressFault {
    /// A URL that the rules don't allow.
    #[error("`{url}` can't be dialled: {why}")]
    Url {
        /// The URL, escaped.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An address that the rules don't allow.
    #[error("the address {0} may not be dialled")]
    Address(IpAddr),
    /// No address under this name, or no answer from the name server.
    #[error("`{0}` can't be resolved")]
    Name(String),
    /// No connection within the time.
    #[error("no connection within {} ms", .0.as_millis())]
    Slow(Duration),
    /// The connection was refused or broke.
    #[error("no connection: {0}")]
    Connect(#[source] std::io::Error),
    /// The certificate authorities can't be read.
    #[error("certificate authorities: {0}")]
    Authorities(String),
}

/// An HTTP/1.1 client with a pool of its own, bound to its rules. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    pool: legacy::Client<Timed, Full<Bytes>>,
}

/// A client that keeps `rules`.
///
/// # Errors
/// [`EgressFault::Authorities`] where there is no usable certificate authority.
pub fn client(rules: &EgressRules) -> Result<Client, EgressFault> {
    Client::over(Connector::new(rules.clone()), rules)
}

/// The same, that also reaches where clouds tell a machine who it is. Never for an address that a
/// message, an upstream or an issuer named.
///
/// # Errors
/// As [`client`].
pub(crate) fn client_to_metadata(rules: &EgressRules) -> Result<Client, EgressFault> {
    Client::over(Connector::to_metadata(rules.clone()), rules)
}

/// The same, that shows a certificate of its own in TLS to servers that ask for one.
///
/// # Errors
/// As [`client`].
pub fn client_as(rules: &EgressRules, identity: &Identity) -> Result<Client, EgressFault> {
    let mut tls = tls::config(rules.ca.as_deref())?;
    tls.client_auth_cert_resolver = identity.resolver();
    Ok(Client::with(Connector::new(rules.clone()), tls))
}

impl Client {
    fn over(connector: Connector, rules: &EgressRules) -> Result<Self, EgressFault> {
        Ok(Self::with(connector, tls::config(rules.ca.as_deref())?))
    }

    fn with(connector: Connector, tls: ClientConfig) -> Self {
        let dialer = Timed::new(connector, tls);
        // A request is sent again only where the pool finds its connection closed before the first
        // byte was written; one that may have arrived never is.
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(IDLE_MAX_PER_HOST)
            .build(dialer);
        Self { pool }
    }

    /// Sends one request and gives the head of its answer; any status is an answer, a redirect too.
    ///
    /// Waits for the connection as long as the rules say, for the answer without limit: the caller
    /// sets that one.
    ///
    /// # Errors
    /// [`Reason::EgressDenied`] where the rules forbid the address, [`Reason::UpstreamTimeout`]
    /// where no connection came about in time, else [`Reason::UpstreamUnreachable`].
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Refusal> {
        self.pool.request(request).await.map_err(|error| refusal(&error))
    }
}

/// The error chain, searched for our own fault; other causes are shown by their deepest words.
fn refusal(error: &(dyn Error + 'static)) -> Refusal {
    let mut cause = error;
    loop {
        if let Some(fault) = cause.downcast_ref::<EgressFault>() {
            let reason = match fault {
                EgressFault::Url { .. } | EgressFault::Address(_) => Reason::EgressDenied,
                EgressFault::Slow(_) => Reason::UpstreamTimeout,
                _ => Reason::UpstreamUnreachable,
            };
            return Refusal::new(reason, fault.to_string());
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => return Refusal::new(Reason::UpstreamUnreachable, cause.to_string()),
        }
    }
}
