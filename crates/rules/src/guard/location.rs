//! Paths and URLs: do they climb out of where they start, name secrets, or reach into the own
//! network?

use std::net::{IpAddr, Ipv4Addr};

use super::{
    desk::Desk,
    fact::shown,
    shell::is_sensitive,
    text::{fold, percent_text},
};

/// Reads a path or URL.
pub(super) fn read(desk: &mut Desk<'_>, text: &str) {
    let mut decoded = text.to_owned();
    // Twice: what is decoded once by a proxy and once by a server.
    for _ in 0..2 {
        decoded = percent_text(&decoded).unwrap_or(decoded);
    }
    let decoded = fold(&decoded);
    let span = 0..text.len();
    let (path, remote) = match decoded.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => (rest, false),
        Some((_, rest)) => {
            (rest.find('/').map_or("", |at| rest.get(at..).unwrap_or_default()), true)
        }
        None => (decoded.as_str(), false),
    };
    if climbs(path) {
        desk.fact(
            "path.traversal",
            span.clone(),
            "the path climbs out of the folder in which it starts",
        );
    }
    if !remote && is_sensitive(path) {
        desk.fact(
            "path.sensitive",
            span.clone(),
            format!("{} holds keys, passwords or the like", shown(path)),
        );
    }
    if path.contains('\0') {
        desk.fact(
            "path.traversal",
            span.clone(),
            "the path has a zero byte, at which some programs end it",
        );
    }
    if remote || decoded.starts_with("//") {
        if is_metadata(&decoded) {
            desk.fact(
                "net.metadata",
                span,
                "the cloud's metadata service is named, which gives credentials",
            );
        } else if is_internal_url(&decoded) {
            desk.fact("net.internal", span, "a host of the own network is named");
        }
    }
}

/// Whether `..` leads above the start, or hides behind a name that is left again.
fn climbs(path: &str) -> bool {
    let mut depth = 0i32;
    let absolute = path.starts_with('/') || path.starts_with('\\');
    let mut back = false;
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                depth -= 1;
                back = true;
                if depth < 0 {
                    return true;
                }
            }
            _ => depth += 1,
        }
    }
    absolute && back
}

/// Whether a URL names a host of the own network.
pub(super) fn is_internal_url(url: &str) -> bool {
    let host = host_of(url).to_ascii_lowercase();
    let name =
        ["localhost", "host.docker.internal", "kubernetes.default", "kubernetes.default.svc"]
            .contains(&host.as_str())
            || [
                ".local",
                ".internal",
                ".localhost",
                ".svc",
                ".svc.cluster.local",
                ".corp",
                ".lan",
                ".intranet",
            ]
            .iter()
            .any(|end| host.ends_with(end));
    name || address(&host).is_some_and(is_internal)
}

fn is_metadata(url: &str) -> bool {
    let host = host_of(url).to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    matches!(host, "metadata.google.internal" | "metadata" | "instance-data" | "[fd00:ec2::254]" | "metadata.azure.com") || address(host).is_some_and(|ip| matches!(ip, IpAddr::V4(four) if four.octets() == [169, 254, 169, 254] || four.octets() == [100, 100, 100, 200] || four.octets() == [169, 254, 170, 2]))
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest).trim_start_matches('/');
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.starts_with('[') {
        return host.split_once(']').map_or(host, |(head, _)| url_host(host, head));
    }
    host.split(':').next().unwrap_or_default()
}

fn url_host<'a>(host: &'a str, head: &str) -> &'a str {
    host.get(..=head.len()).unwrap_or(host)
}

/// An address in any of the spellings that resolvers take: `127.1`, `0x7f000001`, `2130706433`.
fn address(host: &str) -> Option<IpAddr> {
    if let Some(six) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return six.parse::<std::net::Ipv6Addr>().ok().map(|ip| ip.to_canonical());
    }
    let number = |part: &str| {
        let (digits, radix) = match part.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None if part.len() > 1 && part.starts_with('0') => (part, 8),
            None => (part, 10),
        };
        u32::from_str_radix(digits, radix).ok()
    };
    let parts = host.split('.').map(number).collect::<Option<Vec<_>>>()?;
    let value = match parts.as_slice() {
        [all] => *all,
        [a, rest] => (a << 24) | (rest & 0xff_ffff),
        [a, b, rest] => (a << 24) | (b << 16) | (rest & 0xffff),
        [a, b, c, d] => (a << 24) | (b << 16) | (c << 8) | d,
        _ => return None,
    };
    Some(IpAddr::V4(Ipv4Addr::from(value)))
}

fn is_internal(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(four) => {
            four.is_private()
                || four.is_loopback()
                || four.is_link_local()
                || four.is_unspecified()
                || (four.octets()[0] == 100 && (64..128).contains(&four.octets()[1]))
        }
        IpAddr::V6(six) => {
            six.is_loopback()
                || six.is_unspecified()
                || six.is_unique_local()
                || six.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{climbs, is_internal_url, is_metadata};

    #[test]
    fn hosts_are_told_apart_in_every_spelling() {
        for host in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://[::1]:80/",
            "http://u:p@localhost/x",
            "http://10.0.0.3:8080/",
            "http://[::ffff:10.0.0.1]/",
            "https://db.internal/x",
        ] {
            assert!(is_internal_url(host), "{host}");
        }
        for host in
            ["https://example.com/127.0.0.1", "https://8.8.8.8/", "https://localhost.example.com/"]
        {
            assert!(!is_internal_url(host), "{host}");
        }
        assert!(is_metadata("http://169.254.169.254/latest"));
        assert!(is_metadata("http://0xa9fea9fe/"));
    }

    #[test]
    fn climbing_is_seen() {
        for path in ["../x", "a/../../x", "..\\x", "/srv/../etc", "a/b/../../../c"] {
            assert!(climbs(path), "{path}");
        }
        for path in ["a/../b", "a/..b/c", "...", "/srv/a", "a.b"] {
            assert!(!climbs(path), "{path}");
        }
    }
}
