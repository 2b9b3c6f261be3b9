//! The spellings under which a client may name this gateway in `Host` and in a request's target.

use url::Url;

/// The issuer's name in the identity of callers that `development_anonymous` lets in.
pub(crate) const DEVELOPMENT_ISSUER: &str = "development";

/// Every `Host` that means `url`: with its port, without it where it is the scheme's own, and the
/// other loopback names where it is one.
pub(crate) fn spellings(url: &Url, loopback: bool) -> Vec<String> {
    let Some(host) = url.host_str() else { return Vec::new() };
    let mut names = vec![host.to_ascii_lowercase()];
    if loopback {
        names.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
    }
    let port = url.port_or_known_default();
    let mut spellings = Vec::new();
    for name in names {
        if let Some(port) = port {
            spellings.push(format!("{name}:{port}"));
        }
        if url.port().is_none() {
            spellings.push(name);
        }
    }
    spellings
}

/// Whether `host` has the form `host` or `host:port` (RFC 9110 §7.2), whatever it names (H8).
pub(crate) fn is_well_formed(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, rest)) => match rest.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None => return false,
            },
            None => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let bracketed = host.starts_with('[');
    let plain = |c: u8| {
        c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_') || (bracketed && c == b':')
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'));
    !name.is_empty() && name.bytes().all(plain) && port_fits
}

#[cfg(test)]
mod tests {
    use super::{is_well_formed, spellings};

    #[test]
    fn hosts_with_other_parts_are_malformed_h8() {
        for good in ["a", "a.example:80", "127.0.0.1:8080", "[::1]", "[::1]:8080"] {
            assert!(is_well_formed(good), "{good}");
        }
        for bad in ["", "u@a", "a/b", "a b", "a:", "a:+1", "a:65536", "a:1:2", "[::1", "[::1]x"] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }

    #[test]
    fn a_default_port_may_be_left_out() {
        let url = "https://mcp.example.com".parse().unwrap();
        assert_eq!(spellings(&url, false), ["mcp.example.com:443", "mcp.example.com"]);
        let url = "http://127.0.0.1:8080".parse().unwrap();
        assert!(spellings(&url, true).contains(&"localhost:8080".to_owned()));
    }
}
