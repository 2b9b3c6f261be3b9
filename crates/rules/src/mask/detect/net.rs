//! Addresses of machines: IPv4, IPv6, MAC. Versions and times of day have the same shape, and are told
//! apart by what stands around.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    bytes::{self, LETTER, kind},
    concepts as c, context,
    number::Window,
    page::{Page, What, what},
};

const V4: What = what("pii.ip", "ipv4");
const V6: What = what("pii.ip", "ipv6");
const MAC: What = what("pii.mac", "mac");
/// Longest IPv6 address in text, in bytes.
const V6_MAX_BYTES: usize = 45;
/// Longest name of an interface, in bytes.
const ZONE_MAX_BYTES: usize = 15;

/// Takes four groups with dots between them.
pub(super) fn address_v4(page: &mut Page<'_>, window: &mut Window<'_>) -> bool {
    let (start, end) = (window.start, window.end);
    let part = page.text.get(start..end).and_then(|part| part.parse::<Ipv4Addr>().ok());
    let Some(address) = part.filter(|_| page.before(start) != b'.') else { return false };
    let score = score_v4(page, window, address);
    page.take(start, end, V4, score);
    true
}

fn score_v4(page: &Page<'_>, window: &mut Window<'_>, address: Ipv4Addr) -> u8 {
    let octets = address.octets();
    let start = window.start;
    // `Chrome/120.0.0.0`
    let product =
        page.before(start) == b'/' && kind(page.before(start.saturating_sub(1))) & LETTER != 0;
    if product || address.is_loopback() || address.is_unspecified() || octets.first() == Some(&255)
    {
        return 30;
    }
    let around = window.concepts(page);
    let released = page.hint.concepts | context::close_before(page.bytes(), start);
    if released & c::VERSION != 0 && around & c::IP == 0 {
        return 40;
    }
    // Object identifiers begin with 0, 1 or 2, and have the shape of an address too.
    let version_like = octets.iter().all(|octet| *octet < 32) && octets.first() != Some(&10)
        || octets.ends_with(&[0, 0])
        || octets.first().is_some_and(|first| *first < 3);
    match (around & c::IP != 0, version_like || around & c::OTHER != 0) {
        (true, false) => 92,
        (true, true) => 75,
        (false, true) if version_like => 45,
        (false, true) => 65,
        (false, false) => 85,
    }
}

/// Looks at the colon at `at`, and says where to go on if an address stands around it.
pub(super) fn colon(page: &mut Page<'_>, at: usize) -> Option<usize> {
    let text = page.bytes();
    let hex = |byte: u8| byte.is_ascii_hexdigit();
    let back = bytes::run_back(text, at, 5, hex);
    let next = page.at(at + 1);
    if !hex(next) && next != b':' || back > 4 {
        return None;
    }
    let start = at - back;
    let before = page.before(start);
    if before.is_ascii_alphanumeric() || matches!(before, b':' | b'_' | b'.') {
        return None;
    }
    let inside = |byte: u8| hex(byte) || matches!(byte, b':' | b'.');
    let mut end = start + bytes::run(text, start, V6_MAX_BYTES, inside);
    while end > start && matches!(page.before(end), b'.' | b':') && page.before(end - 1) != b':' {
        end -= 1;
    }
    let behind = page.at(end);
    if behind.is_ascii_alphanumeric() || behind == b'_' {
        return None;
    }
    mac(page, start, end, b':').or_else(|| address_v6(page, start, end))
}

fn address_v6(page: &mut Page<'_>, start: usize, end: usize) -> Option<usize> {
    let text = page.text.get(start..end)?;
    let colons = text.bytes().filter(|byte| *byte == b':').count();
    let digits = text.bytes().any(|byte| byte.is_ascii_digit());
    if colons < 2 || end - start < 3 || !digits {
        return None;
    }
    let address: Ipv6Addr = text.parse().ok()?;
    let groups = address.segments().iter().filter(|segment| **segment != 0).count();
    let score = match groups {
        _ if address.is_loopback() || address.is_unspecified() => 30,
        0..=1 => 40,
        2 if colons < 4
            && !text.contains('.')
            && !text.starts_with("2")
            && !text.starts_with('f') =>
        {
            45
        }
        _ => 88,
    };
    // The interface of a link-local address: `fe80::1%eth0`.
    let zone = if page.at(end) == b'%' {
        1 + bytes::run(page.bytes(), end + 1, ZONE_MAX_BYTES, |byte| byte.is_ascii_alphanumeric())
    } else {
        0
    };
    page.take(start, end + zone, V6, score);
    Some(end + zone)
}

/// Takes six pairs with `gap` between them.
pub(super) fn mac(page: &mut Page<'_>, start: usize, end: usize, gap: u8) -> Option<usize> {
    let text = page.part(start, end);
    let pairs = text.split(|byte| *byte == gap);
    let pair = |pair: &[u8]| pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
    if text.len() != 17 || pairs.clone().count() != 6 || !pairs.clone().all(pair) {
        return None;
    }
    let nothing = text.iter().all(|byte| matches!(byte, b'0') || *byte == gap)
        || text.iter().all(|byte| matches!(byte, b'f' | b'F') || *byte == gap);
    page.take(start, end, MAC, if nothing { 30 } else { 85 });
    Some(end)
}

/// Takes three groups of four with dots between them, as some switches write a MAC address.
pub(super) fn mac_dotted(page: &mut Page<'_>, start: usize, end: usize) -> bool {
    let text = page.part(start, end);
    let groups = text.split(|byte| *byte == b'.');
    let group = |part: &[u8]| part.len() == 4 && part.iter().all(u8::is_ascii_hexdigit);
    let fits = text.len() == 14 && groups.clone().count() == 3 && groups.clone().all(group);
    if fits {
        page.take(start, end, MAC, 70);
    }
    fits
}
