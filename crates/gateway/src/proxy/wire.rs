//! The header with which a proxy begins a connection: the PROXY protocol's version 2, in binary (HAProxy's
//! specification of 2020, §2.2). Version 1 is not taken: a line of text is easier to smuggle.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ppp::v2::{Addresses, Command, Header};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};

use crate::settings::{ProxySettings, ProxySource};

/// The part of the header that says how long the rest is, in bytes.
const HEAD_BYTES: usize = 16;
/// Longest rest, addresses and whatever is told with them, in bytes.
const REST_MAX_BYTES: usize = 2_048;

/// Why a connection of a proxy is closed.
#[derive(Debug, thiserror::Error)]
pub enum WireFault {
    /// It broke off.
    #[error("the connection broke off: {0}")]
    Io(#[from] io::Error),
    /// It came too slowly.
    #[error("the PROXY header came too slowly")]
    Slow,
    /// It is no header.
    #[error("no PROXY header of version 2: {0}")]
    Unread(String),
}

/// Whose connection this is from `peer`: where that is a proxy that says so, reads exactly its header.
///
/// # Errors
/// [`WireFault`]; nothing more may be read of the connection then.
pub async fn caller<S: AsyncRead + Unpin>(
    proxies: Option<&ProxySettings>,
    peer: SocketAddr,
    stream: &mut S,
    wait_max: Duration,
) -> Result<IpAddr, WireFault> {
    let speaks = |proxies: &&ProxySettings| {
        proxies.source == ProxySource::ProxyProtocol && proxies.trusts(peer.ip())
    };
    if proxies.filter(speaks).is_none() {
        return Ok(peer.ip());
    }
    let bytes = timeout(wait_max, read(stream)).await.map_err(|_| WireFault::Slow)??;
    told(&bytes, peer.ip())
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, WireFault> {
    let mut bytes = vec![0; HEAD_BYTES];
    stream.read_exact(&mut bytes).await?;
    let [.., high, low] = bytes.as_slice() else { return Err(unread("it has no length")) };
    let rest = usize::from(u16::from_be_bytes([*high, *low]));
    // What is no header says any length.
    if !bytes.starts_with(ppp::v2::PROTOCOL_PREFIX) {
        return Err(unread("it begins otherwise"));
    }
    if rest > REST_MAX_BYTES {
        return Err(unread("it is too long"));
    }
    bytes.resize(HEAD_BYTES + rest, 0);
    stream.read_exact(bytes.get_mut(HEAD_BYTES..).unwrap_or_default()).await?;
    Ok(bytes)
}

/// Whom the whole header names; the proxy `peer` itself where it speaks for itself (`LOCAL`).
///
/// # Errors
/// [`WireFault::Unread`].
pub fn told(bytes: &[u8], peer: IpAddr) -> Result<IpAddr, WireFault> {
    let header = Header::try_from(bytes).map_err(|fault| unread(&fault.to_string()))?;
    match (header.command, header.addresses) {
        (Command::Local, _) => Ok(peer),
        (Command::Proxy, Addresses::IPv4(of)) => Ok(of.source_address.into()),
        (Command::Proxy, Addresses::IPv6(of)) => Ok(IpAddr::from(of.source_address).to_canonical()),
        (Command::Proxy, Addresses::Unspecified | Addresses::Unix(_)) => {
            Err(unread("it names no address"))
        }
    }
}

fn unread(what: &str) -> WireFault {
    WireFault::Unread(what.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use proptest::prelude::*;

    use super::caller;
    use crate::settings::{ProxySettings, ProxySource};

    const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    fn v4(source: [u8; 4]) -> Vec<u8> {
        [&source[..], &[10, 0, 0, 1], &[0x12, 0x67, 0x1f, 0x90]].concat()
    }

    /// Whose connection it is, and what is left of it.
    async fn found(peer: &str, sent: &[u8]) -> Result<(IpAddr, Vec<u8>), String> {
        let proxies = ProxySettings {
            addresses: vec!["10.0.0.0/8".parse().unwrap()],
            source: ProxySource::ProxyProtocol,
        };
        let mut stream = sent;
        let wait = Duration::from_millis(50);
        let who = caller(Some(&proxies), peer.parse().unwrap(), &mut stream, wait).await;
        who.map(|who| (who, stream.to_vec())).map_err(|fault| fault.to_string())
    }

    #[tokio::test]
    async fn a_proxy_names_the_caller_and_nobody_else_does() {
        let proxied = [&header(0x21, 0x11, &v4([192, 0, 2, 1]))[..], b"POST /"].concat();
        let (who, rest) = found("10.0.0.9:1", &proxied).await.unwrap();
        assert_eq!((who.to_string(), &*rest), ("192.0.2.1".to_owned(), &b"POST /"[..]));
        // From anybody else it is what they sent, which is no HTTP.
        let (who, rest) = found("203.0.113.9:1", &proxied).await.unwrap();
        assert_eq!((who.to_string(), rest), ("203.0.113.9".to_owned(), proxied));

        let mut mapped = vec![0; 36];
        mapped[10..16].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 1]);
        let extra = [&v4([192, 0, 2, 1])[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        for (what, bytes, expected) in [
            ("IPv6 that is IPv4", header(0x21, 0x21, &mapped), "192.0.2.1"),
            ("more told", header(0x21, 0x11, &extra), "192.0.2.1"),
            ("for itself", header(0x20, 0x00, &[]), "10.0.0.9"),
            ("for itself, with an address", header(0x20, 0x11, &v4([192, 0, 2, 1])), "10.0.0.9"),
        ] {
            let (who, rest) = found("10.0.0.9:1", &bytes).await.unwrap();
            assert_eq!((who.to_string(), rest.len()), (expected.to_owned(), 0), "{what}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_closes_the_connection() {
        let good = header(0x21, 0x11, &v4([192, 0, 2, 1]));
        let mut long = good.clone();
        long[14..16].copy_from_slice(&[0xff, 0xff]);
        for (what, bytes) in [
            ("HTTP", b"POST /c/main/mcp HTTP/1.1\r\n\r\n".to_vec()),
            ("version 1", b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n".to_vec()),
            ("nothing", Vec::new()),
            ("cut in its head", good[..10].to_vec()),
            ("cut in its rest", good[..20].to_vec()),
            ("too long", long),
            ("version 3", header(0x31, 0x11, &v4([192, 0, 2, 1]))),
            ("another command", header(0x22, 0x11, &v4([192, 0, 2, 1]))),
            ("too short for its family", header(0x21, 0x21, &v4([192, 0, 2, 1]))),
            ("no family", header(0x21, 0x00, &[])),
            ("a socket in the file system", header(0x21, 0x31, &[b'a'; 216])),
        ] {
            assert!(found("10.0.0.9:1", &bytes).await.is_err(), "{what}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(
            head in prop::collection::vec(any::<u8>(), 0..4),
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let bytes = [&SIGNATURE[..], &head, &rest].concat();
            drop(runtime.unwrap().block_on(found("10.0.0.9:1", &bytes)));
        }
    }
}
