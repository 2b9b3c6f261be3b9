//! Resolve, check, dial: the three in one step, so that what was checked is what is dialled.

use std::{
    error::Error,
    future::Future,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Uri, uri::Scheme};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tower_service::Service;

use super::{EgressFault, EgressRules, target};

/// Where AWS tells a machine who it is: the instance, the container, and the pod.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

/// Dials what its rules allow. TLS is laid over it by the client.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    rules: EgressRules,
    names: Names,
    /// Whether [`METADATA`] may be dialled.
    metadata: bool,
}

/// A [`Connector`] with TLS over it, and one limit over both.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    https: HttpsConnector<Connector>,
    wait_max: Duration,
}

/// Where names are looked up.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// The system's resolver.
    System,
    /// What a test's name server answers, one list a query.
    #[cfg(test)]
    Answers(std::sync::Arc<std::sync::Mutex<Vec<Vec<IpAddr>>>>),
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Timed {
    pub(super) fn new(connector: Connector, tls: ClientConfig) -> Self {
        let wait_max = connector.rules.connect_wait_max;
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Self { https, wait_max }
    }
}

impl Connector {
    pub(super) fn new(rules: EgressRules) -> Self {
        Self { rules, names: Names::System, metadata: false }
    }

    pub(super) fn to_metadata(rules: EgressRules) -> Self {
        Self { metadata: true, ..Self::new(rules) }
    }

    #[cfg(test)]
    pub(super) fn named(self, names: Names) -> Self {
        Self { names, ..self }
    }

    async fn dial(self, uri: Uri) -> Result<TokioIo<TcpStream>, EgressFault> {
        let addresses = self.checked(&uri).await?;
        let stream = first_to_answer(&addresses, self.rules.connect_wait_max).await?;
        stream.set_nodelay(true).map_err(EgressFault::Connect)?;
        Ok(TokioIo::new(stream))
    }

    /// Every address of the host, or the fault of the first that may not be dialled: a name that
    /// points inside with one of its addresses is not to be trusted with the others.
    pub(super) async fn checked(&self, uri: &Uri) -> Result<Vec<SocketAddr>, EgressFault> {
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().unwrap_or_default();
        // The host alone: what stands behind it may be a secret.
        let fault = |why| EgressFault::Url { url: host.to_owned(), why };
        if host.is_empty() {
            return Err(fault("it has no host"));
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        if !target::port_allowed(Some(port)) {
            return Err(fault("its port is not dialled"));
        }
        let host = host.trim_matches(['[', ']']);
        let addresses = self.names.resolve(host).await?;
        // By its address alone: a name that leads there is somebody's trick.
        let metadata =
            |address| self.metadata && METADATA.contains(address) && host.parse() == Ok(*address);
        for address in addresses.iter().filter(|address| !metadata(address)) {
            self.rules.admit(*address, tls)?;
        }
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

impl Names {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, EgressFault> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let found: Vec<IpAddr> = match self {
            Self::System => lookup_host((host, 0))
                .await
                .map_err(|_| EgressFault::Name(host.to_owned()))?
                .map(|address| address.ip())
                .collect(),
            #[cfg(test)]
            Self::Answers(answers) => answers.lock().unwrap().remove(0),
        };
        if found.is_empty() { Err(EgressFault::Name(host.to_owned())) } else { Ok(found) }
    }
}

/// Tries the addresses one after the other; each gets an even share of the time, so that a dead
/// first one doesn't use it all up.
async fn first_to_answer(
    addresses: &[SocketAddr],
    wait_max: Duration,
) -> Result<TcpStream, EgressFault> {
    let share = wait_max / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut fault = EgressFault::Slow(wait_max);
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => fault = EgressFault::Connect(error),
            Err(_) => fault = EgressFault::Slow(wait_max),
        }
    }
    Err(fault)
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = EgressFault;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}

impl Service<Uri> for Timed {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let wait_max = self.wait_max;
        let connecting = self.https.call(uri);
        Box::pin(async move {
            let slow = |_| EgressFault::Slow(wait_max);
            timeout(wait_max, connecting).await.map_err(slow)?
        })
    }
}
