//! Receivers on loopback that keep every byte, and can be told to misbehave.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A syslog server over TCP. Aborted when dropped: its sockets close as a killed process's do.
pub(crate) struct Syslogd {
    pub(crate) address: SocketAddr,
    /// What each connection brought.
    connections: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Syslogd {
    /// Listens on `address`, and reads everything.
    pub(crate) async fn start(address: SocketAddr) -> Self {
        Self::with(address, None, |_| usize::MAX).await
    }

    /// Over TLS, with this certificate.
    pub(crate) async fn tls(certificate: &rcgen::CertifiedKey<rcgen::KeyPair>) -> Self {
        let key = PrivateKeyDer::from_pem_slice(certificate.signing_key.serialize_pem().as_bytes());
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key.unwrap())
        .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::with(([127, 0, 0, 1], 0).into(), Some(acceptor), |_| usize::MAX).await
    }

    /// Hangs up on the nth connection after so many bytes.
    pub(crate) async fn with(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        patience: impl Fn(usize) -> usize + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                kept.lock().unwrap().push(Vec::new());
                let (kept, most) = (Arc::clone(&kept), patience(number));
                match &tls {
                    None => read(stream, number, most, &kept).await,
                    Some(acceptor) => {
                        // A client that does not trust the certificate leaves.
                        if let Ok(stream) = acceptor.accept(stream).await {
                            read(stream, number, most, &kept).await;
                        }
                    }
                }
            }
        });
        Self { address, connections, task }
    }

    pub(crate) fn connections(&self) -> Vec<Vec<u8>> {
        self.connections.lock().unwrap().clone()
    }

    /// The messages of all connections, with the octet counts checked; of one that was cut short,
    /// the whole ones.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.connections().iter().flat_map(|bytes| frames(bytes)).collect()
    }
}

impl Drop for Syslogd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(
    mut stream: impl AsyncRead + Unpin,
    number: usize,
    most: usize,
    kept: &Mutex<Vec<Vec<u8>>>,
) {
    let mut buffer = [0; 4096];
    let mut total = 0;
    while total < most {
        let room = buffer.len().min(most - total);
        let Ok(length) = stream.read(&mut buffer[..room]).await else { return };
        if length == 0 {
            return;
        }
        total += length;
        kept.lock().unwrap()[number].extend_from_slice(&buffer[..length]);
    }
}

/// `LEN SP MSG` and nothing between them.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
        let digits = str::from_utf8(&bytes[..space]).unwrap();
        assert!(digits.starts_with(|c: char| ('1'..='9').contains(&c)), "`{digits}`");
        let length: usize = digits.parse().unwrap();
        let Some(message) = bytes.get(space + 1..space + 1 + length) else { break };
        messages.push(String::from_utf8(message.to_vec()).unwrap());
        bytes = &bytes[space + 1 + length..];
    }
    messages
}

/// One request as a web server got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Posted {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Posted {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value)
    }
}

/// A web server that answers the nth request with the nth status, then with 204.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
    task: JoinHandle<()>,
}

impl Web {
    pub(crate) async fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let posted = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&posted);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _): (TcpStream, _) = listener.accept().await.unwrap();
                let kept = Arc::clone(&kept);
                let service = service_fn(move |request| {
                    let kept = Arc::clone(&kept);
                    async move { answer(request, &kept, statuses).await }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, posted, task }
    }

    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    kept: &Mutex<Vec<Posted>>,
    statuses: &[u16],
) -> Result<Response<Empty<&'static [u8]>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let posted = Posted {
        path: format!("{} {}", head.method, head.uri),
        headers: headers.collect(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let number = {
        let mut kept = kept.lock().unwrap();
        kept.push(posted);
        kept.len() - 1
    };
    let status = StatusCode::from_u16(statuses.get(number).copied().unwrap_or(204)).unwrap();
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    if status.is_redirection() {
        response.headers_mut().insert("location", "/elsewhere".parse().unwrap());
    }
    Ok(response)
}
