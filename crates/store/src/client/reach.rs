//! Names into addresses that may be dialled. Every address of a name is looked at, and the one that
//! was looked at is dialled, so that a second answer of the name server changes nothing.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task, vec,
};

use hyper_util::client::legacy::connect::dns::Name;
use lockgate_model::AddressClass;
use tokio::net::lookup_host;
use tower_service::Service;

/// How far a client reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anywhere, also to where a cloud gives out credentials: object stores need that.
    Anywhere,
    /// To servers, of this machine and its networks as well; never to an address that is
    /// [`AddressClass::Forbidden`].
    Servers,
}

impl Reach {
    /// Whether this address may be dialled.
    pub(crate) fn admits(self, address: IpAddr) -> bool {
        self == Self::Anywhere || AddressClass::of(address) != AddressClass::Forbidden
    }

    /// The addresses behind `host:port`; refused where one of them may not be dialled.
    pub(crate) async fn resolve(self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<_> = lookup_host((host, port)).await?.collect();
        if found.iter().all(|address| self.admits(address.ip())) {
            return Ok(found);
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, FORBIDDEN))
    }
}

/// Why an address is not dialled.
pub(crate) const FORBIDDEN: &str =
    "its address is link-local, reserved or a cloud's metadata service, which is never dialled";

type Found = Pin<Box<dyn Future<Output = io::Result<vec::IntoIter<SocketAddr>>> + Send>>;

impl Service<Name> for Reach {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Found;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Found {
        let reach = *self;
        // The port is the connector's affair.
        Box::pin(async move { Ok(reach.resolve(name.as_str(), 0).await?.into_iter()) })
    }
}

#[cfg(test)]
mod tests {
    use super::Reach;

    #[tokio::test]
    async fn what_no_receiver_is_at_is_not_dialled() {
        for host in ["169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"] {
            assert!(Reach::Servers.resolve(host, 1).await.is_err(), "{host}");
            assert!(Reach::Anywhere.resolve(host, 1).await.is_ok(), "{host}");
        }
        for host in ["127.0.0.1", "localhost", "10.1.2.3", "::1", "192.0.1.1"] {
            assert!(Reach::Servers.resolve(host, 1).await.is_ok(), "{host}");
        }
    }
}
