//! A chain of addresses in a header, read from its end: each proxy adds whom it heard, so that the last
//! one that no proxy is, is the caller. What stands before that may be the caller's own invention.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use lockgate_model::{Reason, Refusal};

use crate::settings::{ProxySettings, ProxySource};

/// Longest chain; a longer one is refused.
const HOPS_MAX: usize = 32;

/// Whose request this is that came from `peer`.
///
/// # Errors
/// [`Reason::ProxyUnclear`] where a trusted proxy says something that can't be read.
pub fn caller(
    proxies: Option<&ProxySettings>,
    peer: IpAddr,
    headers: &HeaderMap,
) -> Result<IpAddr, Refusal> {
    let peer = peer.to_canonical();
    let Some(proxies) = proxies.filter(|proxies| proxies.trusts(peer)) else { return Ok(peer) };
    let hops = match proxies.source {
        ProxySource::ProxyProtocol => return Ok(peer),
        ProxySource::XForwardedFor => listed(headers, "x-forwarded-for")?,
        ProxySource::Forwarded => forwarded(headers)?,
        ProxySource::XRealIp => real(headers)?,
    };
    if hops.len() > HOPS_MAX {
        return Err(unclear("it names too many addresses"));
    }
    let mut caller = peer;
    for hop in hops.iter().rev() {
        caller = address(hop).ok_or_else(|| unclear("it names something that is no address"))?;
        if !proxies.trusts(caller) {
            break;
        }
    }
    Ok(caller)
}

/// Every entry of a header that is a list, over all its lines.
fn listed(headers: &HeaderMap, name: &str) -> Result<Vec<String>, Refusal> {
    let mut hops = Vec::new();
    for line in headers.get_all(name) {
        let line = line.to_str().map_err(|_| unclear("its header is no text"))?;
        hops.extend(line.split(',').map(|hop| hop.trim_matches([' ', '\t']).to_owned()));
    }
    Ok(hops)
}

/// The one address that the one proxy sets.
fn real(headers: &HeaderMap) -> Result<Vec<String>, Refusal> {
    let hops = listed(headers, "x-real-ip")?;
    if hops.len() > 1 { Err(unclear("it names two addresses")) } else { Ok(hops) }
}

/// The `for` of every element (RFC 7239 §4).
fn forwarded(headers: &HeaderMap) -> Result<Vec<String>, Refusal> {
    let mut hops = Vec::new();
    for line in headers.get_all("forwarded") {
        let line = line.to_str().map_err(|_| unclear("its header is no text"))?;
        for element in parts(line, ',')? {
            let mut named = None;
            for pair in parts(element, ';')? {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                if name.eq_ignore_ascii_case("for") && named.replace(plain(value)?).is_some() {
                    return Err(unclear("one element names two addresses"));
                }
            }
            hops.push(named.ok_or_else(|| unclear("one element names no address"))?);
        }
    }
    Ok(hops)
}

/// The parts between separators that do not stand in quotes, without the blanks around them.
fn parts(text: &str, separator: char) -> Result<Vec<&str>, Refusal> {
    let (mut parts, mut rest, mut quoted, mut escaped) = (Vec::new(), text, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                let from = text.len() - rest.len();
                parts.push(text.get(from..at).unwrap_or_default());
                rest = text.get(at + 1..).unwrap_or_default();
            }
            _ => {}
        }
    }
    if quoted {
        return Err(unclear("a quote is never closed"));
    }
    parts.push(rest);
    Ok(parts.into_iter().map(|part| part.trim_matches([' ', '\t'])).collect())
}

/// A token, or what stands in quotes. Addresses need no escape, and one that has any is none.
fn plain(value: &str) -> Result<String, Refusal> {
    match value.strip_prefix('"') {
        None => Ok(value.to_owned()),
        Some(rest) => {
            let inner = rest.strip_suffix('"').filter(|inner| !inner.contains(['"', '\\']));
            inner.map(str::to_owned).ok_or_else(|| unclear("a quoted address can't be read"))
        }
    }
}

/// An address, with a port or without. No name, no zone, and nothing that is obfuscated.
fn address(hop: &str) -> Option<IpAddr> {
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    let found = hop.parse::<IpAddr>().ok().or_else(bracketed).or_else(with_port)?;
    // A zone means something on one machine alone.
    (!hop.contains('%')).then(|| found.to_canonical())
}

fn unclear(what: &'static str) -> Refusal {
    Refusal::new(Reason::ProxyUnclear, what)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use lockgate_model::Reason;
    use proptest::prelude::*;

    use super::caller;
    use crate::settings::{ProxySettings, ProxySource};

    fn proxies(source: ProxySource) -> ProxySettings {
        let addresses = ["10.0.0.0/8", "127.0.0.1", "fd00::/8"];
        ProxySettings { addresses: addresses.map(|one| one.parse().unwrap()).to_vec(), source }
    }

    /// Whose request it is by these lines, or `unclear`.
    fn found(source: ProxySource, peer: &str, lines: &[(&str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        match caller(Some(&proxies(source)), peer.parse().unwrap(), &headers) {
            Ok(address) => address.to_string(),
            Err(refusal) => {
                assert_eq!(refusal.reason, Reason::ProxyUnclear);
                "unclear".to_owned()
            }
        }
    }

    #[test]
    fn the_last_that_no_proxy_is_is_the_caller() {
        use ProxySource::{Forwarded as F, ProxyProtocol as P, XForwardedFor as X, XRealIp as R};
        let (x, f, r) = ("x-forwarded-for", "forwarded", "x-real-ip");
        for (source, peer, lines, expected) in [
            // Nobody but a proxy is believed, and a proxy only by its own way.
            (X, "203.0.113.9", &[(x, "192.0.2.1")][..], "203.0.113.9"),
            (X, "10.0.0.1", &[(r, "192.0.2.1"), (f, "for=192.0.2.1")], "10.0.0.1"),
            (R, "10.0.0.1", &[(x, "192.0.2.1")], "10.0.0.1"),
            (P, "10.0.0.1", &[(x, "192.0.2.1"), (r, "192.0.2.1")], "10.0.0.1"),
            (X, "10.0.0.1", &[], "10.0.0.1"),
            // What stands before the caller is the caller's own word.
            (X, "10.0.0.1", &[(x, "192.0.2.1")], "192.0.2.1"),
            (X, "10.0.0.1", &[(x, "10.9.9.9, 192.0.2.1")], "192.0.2.1"),
            (X, "10.0.0.1", &[(x, "127.0.0.1, 192.0.2.1, 10.0.0.2")], "192.0.2.1"),
            (X, "10.0.0.1", &[(x, "unknown, 192.0.2.1")], "192.0.2.1"),
            (X, "10.0.0.1", &[(x, "192.0.2.66"), (x, "192.0.2.1")], "192.0.2.1"),
            (X, "10.0.0.1", &[(x, "10.0.0.3,10.0.0.2")], "10.0.0.3"),
            // Spellings.
            (X, "::ffff:10.0.0.1", &[(x, "::ffff:192.0.2.1")], "192.0.2.1"),
            (X, "10.0.0.1", &[(x, "192.0.2.1:4711")], "192.0.2.1"),
            (X, "10.0.0.1", &[(x, "[2001:db8::1]:4711")], "2001:db8::1"),
            (X, "fd00::7", &[(x, "2001:db8::1")], "2001:db8::1"),
            (X, "10.0.0.1", &[(x, "[2001:db8::1]")], "2001:db8::1"),
            // What can't be read is nobody.
            (X, "10.0.0.1", &[(x, "")], "unclear"),
            (X, "10.0.0.1", &[(x, "192.0.2.1,")], "unclear"),
            (X, "10.0.0.1", &[(x, "192.0.2.1, unknown")], "unclear"),
            (X, "10.0.0.1", &[(x, "localhost")], "unclear"),
            (X, "10.0.0.1", &[(x, "fe80::1%eth0")], "unclear"),
            (X, "10.0.0.1", &[(x, "010.0.0.1")], "unclear"),
            (X, "10.0.0.1", &[(x, "192.0.2.1 10.0.0.1")], "unclear"),
            (X, "10.0.0.1", &[(x, "\u{e9}")], "unclear"),
            (R, "10.0.0.1", &[(r, "192.0.2.1")], "192.0.2.1"),
            (R, "10.0.0.1", &[(r, "192.0.2.1"), (r, "192.0.2.2")], "unclear"),
            (R, "10.0.0.1", &[(r, "192.0.2.1, 192.0.2.2")], "unclear"),
            (F, "10.0.0.1", &[(f, "for=192.0.2.1;proto=https;by=10.0.0.1")], "192.0.2.1"),
            (F, "10.0.0.1", &[(f, r#"For="[2001:db8::1]:4711""#)], "2001:db8::1"),
            (F, "10.0.0.1", &[(f, r#"for=192.0.2.9;host="a,for=10.0.0.9""#)], "192.0.2.9"),
            (
                F,
                "10.0.0.1",
                &[(f, "for=192.0.2.66, for=192.0.2.1"), (f, "for=10.0.0.2")],
                "192.0.2.1",
            ),
            (F, "10.0.0.1", &[(f, "for=_hidden")], "unclear"),
            (F, "10.0.0.1", &[(f, "for=unknown")], "unclear"),
            (F, "10.0.0.1", &[(f, "proto=https")], "unclear"),
            (F, "10.0.0.1", &[(f, "for=192.0.2.1;for=192.0.2.2")], "unclear"),
            (F, "10.0.0.1", &[(f, r#"for="192.0.2.1"#)], "unclear"),
            (F, "10.0.0.1", &[(f, r#"for="192.0.2\.1""#)], "unclear"),
        ] {
            assert_eq!(found(source, peer, lines), expected, "{source:?} {peer} {lines:?}");
        }
        let long = vec!["10.0.0.2"; 33].join(",");
        assert_eq!(found(X, "10.0.0.1", &[(x, &long)]), "unclear");
    }

    proptest! {
        /// Whatever a caller puts in front changes nothing.
        #[test]
        fn what_stands_before_the_caller_counts_for_nothing(invented in "[0-9a-f:.,= \"]{0,25}") {
            let told = format!("{invented}, 192.0.2.1, 10.0.0.2");
            let line = [("x-forwarded-for", &*told)];
            prop_assert_eq!(found(ProxySource::XForwardedFor, "10.0.0.1", &line), "192.0.2.1");
        }

        #[test]
        fn no_line_is_a_panic(line in "[ -~]{0,60}") {
            found(ProxySource::Forwarded, "10.0.0.1", &[("forwarded", &line)]);
            found(ProxySource::XForwardedFor, "10.0.0.1", &[("x-forwarded-for", &line)]);
        }
    }
}
