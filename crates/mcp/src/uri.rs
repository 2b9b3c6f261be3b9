//! Resource URIs as they are decided on: one spelling for all spellings that a server may take for
//! the same resource (RFC 3986 §6.2, and what file systems add to it).
//!
//! Decides only what a URI is compared as; what is forwarded stays as it came. Whether a path leads
//! elsewhere by a link is for the server to know.

#[cfg(test)]
mod tests;

/// Longest URI that has a canonical spelling.
const URI_MAX_BYTES: usize = 8 * 1024;

/// How often readers may be expected to decode a path one after the other.
const DECODES_MAX: usize = 4;

/// The canonical spelling of an absolute URI; `None` where it has none.
///
/// Scheme and host in lower case, no `.` and `..` segments, unreserved characters unescaped, every
/// other escape in upper case, characters beyond ASCII escaped, `file:/x` and
/// `file://localhost/x` as `file:///x`, doubled slashes of file paths as one.
///
/// A URI whose path only shows `..` to some readers (behind an escaped or doubly escaped slash, a
/// backslash, a `;`) has none, nor has one with broken escapes, control characters, or escapes in
/// the path that are no UTF-8.
pub fn canonical(uri: &str) -> Option<String> {
    if uri.len() > URI_MAX_BYTES {
        return None;
    }
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(in_scheme) {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let (rest, fragment) = split_off(rest, '#');
    let (rest, query) = split_off(rest, '?');
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            (Some(authority), path)
        }
        None => (None, rest),
    };
    let mut out = format!("{scheme}:");
    write_authority(&scheme, authority, &mut out)?;
    out.push_str(&path_of(&scheme, authority.is_some(), path)?);
    for (mark, part) in [('?', query), ('#', fragment)] {
        if let Some(part) = part {
            out.push(mark);
            out.push_str(&normal(part)?);
        }
    }
    Some(out)
}

const fn in_scheme(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.')
}

fn split_off(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn write_authority(scheme: &str, authority: Option<&str>, out: &mut String) -> Option<()> {
    let Some(authority) = authority else {
        // `file:/x` is `file:///x` (RFC 8089 §2).
        if scheme == "file" {
            out.push_str("//");
        }
        return Some(());
    };
    if authority.contains(['\\', ' ', '\t']) {
        return None;
    }
    out.push_str("//");
    let host = match authority.split_once('@') {
        Some((_, host)) if host.contains('@') => return None,
        Some((user, host)) => {
            out.push_str(&normal(user)?);
            out.push('@');
            host
        }
        None => authority,
    };
    let host = normal(host)?.to_ascii_lowercase();
    // `file://../x` and `file://h%2F..` are paths to some readers.
    if hides_dots(&host) || host.contains("%2f") || host.contains("%5c") {
        return None;
    }
    let (host, port) = host_and_port(&host)?;
    if !(scheme == "file" && host == "localhost") {
        out.push_str(&lower_only_letters(host));
    }
    match (scheme, port) {
        (_, "") | ("http" | "ws", "80") | ("https" | "wss", "443") => {}
        (_, port) => {
            out.push(':');
            out.push_str(port);
        }
    }
    Some(())
}

/// The host, with its brackets where it has them, and the digits of the port; `None` where readers
/// could part them elsewhere.
fn host_and_port(text: &str) -> Option<(&str, &str)> {
    let end = match text.strip_prefix('[') {
        Some(address) => address.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(end);
    let port = if port.is_empty() { "" } else { port.strip_prefix(':')? };
    let plain = port.bytes().all(|c| c.is_ascii_digit());
    let brackets = host.strip_prefix('[').unwrap_or(host).contains('[');
    (plain && !brackets).then_some((host, port))
}

/// Escapes back in upper case, after everything was made lower.
fn lower_only_letters(host: &str) -> String {
    let mut out = String::with_capacity(host.len());
    let mut escape = 0;
    for c in host.chars() {
        out.push(if escape > 0 { c.to_ascii_uppercase() } else { c });
        escape = if c == '%' { 2 } else { escape.max(1) - 1 };
    }
    out
}

fn path_of(scheme: &str, authority: bool, path: &str) -> Option<String> {
    let path = normal(path)?;
    if !readable(&path) {
        return None;
    }
    if !path.starts_with('/') {
        // Nothing to resolve dots against: such a path must have none.
        return (scheme != "file" && !hides_dots(&path)).then_some(path);
    }
    let merge = scheme == "file";
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            ".." => {
                kept.pop();
            }
            "." => {}
            "" if merge && !last => continue,
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if last {
            kept.push("");
        }
    }
    // Without an authority, a path must not begin to look like one.
    let safe = authority || scheme == "file" || kept.len() < 2 || kept.first() != Some(&"");
    (safe && !kept.iter().any(|segment| hides_dots(segment)))
        .then(|| format!("/{}", kept.join("/")))
}

/// Unreserved characters unescaped, other escapes in upper case, everything that is no URI
/// character escaped. `None` for broken escapes and control characters.
fn normal(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let decoded = hex(bytes.next()?)? << 4 | hex(bytes.next()?)?;
            if decoded == 0 {
                return None;
            }
            if unreserved(decoded) {
                out.push(char::from(decoded))
            } else {
                escape(decoded, &mut out)
            }
        } else if byte.is_ascii_control() {
            return None;
        } else if byte.is_ascii_graphic() && byte != b'\\' {
            out.push(char::from(byte));
        } else {
            escape(byte, &mut out);
        }
    }
    Some(out)
}

fn escape(byte: u8, out: &mut String) {
    out.push_str(&format!("%{byte:02X}"));
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

const fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether the escapes of a path stand for text: no control characters, and UTF-8.
fn readable(path: &str) -> bool {
    String::from_utf8(decode(path.as_bytes())).is_ok_and(|text| !text.chars().any(char::is_control))
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let pair = match after {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        out.push(pair.map_or(*first, |(high, low)| high << 4 | low));
        rest = if pair.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    out
}

/// Whether some reader finds a `.` or `..` segment within this segment: after decoding it once or
/// more, at a backslash, or before the parameters that some servers cut off at `;`.
fn hides_dots(segment: &str) -> bool {
    let mut bytes = segment.as_bytes().to_vec();
    for _ in 0..DECODES_MAX {
        let mut pieces = bytes.split(|byte| matches!(byte, b'/' | b'\\'));
        let dots = |piece: &[u8]| {
            let name = piece.split(|byte| *byte == b';').next().unwrap_or_default();
            matches!(name, b"." | b"..")
        };
        if pieces.any(dots) {
            return true;
        }
        let decoded = decode(&bytes);
        if decoded == bytes {
            return false;
        }
        bytes = decoded;
    }
    // Still changing: nobody writes that in earnest.
    true
}
