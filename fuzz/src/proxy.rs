//! What proxies say of whom a request is.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use lockgate_gateway::{
    proxy,
    settings::{ProxySettings, ProxySource},
};

const PROXY: &str = "10.0.0.1";

/// A header is somebody or nobody, whatever stands before the caller; from anybody but a proxy it is nothing.
pub fn holds(input: &[u8]) {
    let peer = PROXY.parse().unwrap();
    drop(proxy::told(input, peer));
    for (source, name) in [
        (ProxySource::XForwardedFor, "x-forwarded-for"),
        (ProxySource::Forwarded, "forwarded"),
        (ProxySource::XRealIp, "x-real-ip"),
    ] {
        let proxies = ProxySettings { addresses: vec!["10.0.0.0/8".parse().unwrap()], source };
        let told = |value: &[u8], peer: IpAddr| {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(value).ok()?;
            headers.append(HeaderName::from_static(name), value);
            proxy::caller(Some(&proxies), peer, &headers).ok()
        };
        let stranger: IpAddr = "203.0.113.9".parse().unwrap();
        if HeaderValue::from_bytes(input).is_ok() {
            assert_eq!(told(input, stranger), Some(stranger));
        }
        let Some(caller) = told(input, peer).filter(|caller| !proxies.trusts(*caller)) else {
            continue;
        };
        let invented = match source {
            ProxySource::XForwardedFor => [b"192.0.2.66, ", input].concat(),
            ProxySource::Forwarded => [b"for=192.0.2.66, ", input].concat(),
            _ => continue,
        };
        // A chain that is too long by now is nobody's.
        assert!(told(&invented, peer).is_none_or(|found| found == caller), "{invented:?}");
    }
}
