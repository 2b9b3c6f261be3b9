//! What stands around an at sign: mail addresses, and passwords in URLs and connection strings.

use super::{
    bytes::{self, DIGIT, LETTER, WORD, kind},
    form,
    page::{Page, What, what},
};

const EMAIL: What = what("pii.email", "email");
const DSN: What = what("secret.dsn", "url_password");
const URL_TOKEN: What = what("secret.dsn", "url_token");
/// Longest local part (RFC 5321, section 4.5.3.1.1), in bytes.
const LOCAL_MAX_BYTES: usize = 64;
/// Longest domain (RFC 5321, section 4.5.3.1.2), in bytes.
const DOMAIN_MAX_BYTES: usize = 255;
/// Longest name and password of a URL that is looked for, in bytes.
const USERINFO_MAX_BYTES: usize = 300;
/// So many at signs behind one scheme are looked at: a password may hold some.
const SIGNS_MAX: u8 = 4;
/// Ends of file names that follow an at sign, as in `icon@2x.png`.
const FILES: [&[u8]; 12] = [
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"js", b"ts", b"css", b"map", b"json", b"tgz",
];

/// Looks at the at sign at `at`, and says where to go on.
pub(super) fn look(page: &mut Page<'_>, at: usize) -> usize {
    if userinfo(page, at) || driver(page, at) {
        return at + 1;
    }
    address(page, at).unwrap_or(at + 1)
}

fn is_local(byte: u8) -> bool {
    kind(byte) & WORD != 0
        || byte >= 0x80
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'/' | b'=' | b'?' | b'^' | b'`' | b'{'..=b'~')
}

fn is_domain(byte: u8) -> bool {
    kind(byte) & (WORD & !bytes::UNDER) != 0 || byte >= 0x80
}

fn address(page: &mut Page<'_>, at: usize) -> Option<usize> {
    let text = page.bytes();
    let back = bytes::run_back(text, at, LOCAL_MAX_BYTES, is_local);
    let local = page.part(at - back, at);
    // What quotes or parts an address is no part of it.
    let parts = |byte: &u8| {
        matches!(byte, b'\'' | b'`' | b'/' | b'=' | b'?' | b'&' | b'|' | b'{' | b'}' | b'*')
    };
    let cut = local.iter().rposition(parts).map_or(0, |last| last + 1);
    let cut = if is_apostrophe(local, cut) { 0 } else { cut };
    let skipped = local.iter().skip(cut).take_while(|byte| matches!(byte, b'.' | b'-')).count();
    let start = at - back + cut + skipped;
    let mut end = at + 1 + bytes::run(text, at + 1, DOMAIN_MAX_BYTES, is_domain);
    while matches!(page.before(end), b'.' | b'-') {
        end -= 1;
    }
    let mut domain = page.part(at + 1, end);
    let mut last = domain.iter().rposition(|byte| *byte == b'.')?;
    let of_file = |top: &[u8]| FILES.iter().any(|file| top.eq_ignore_ascii_case(file));
    if of_file(domain.get(last + 1..).unwrap_or_default()) {
        // A file by the name of an address, unless its domain is a size or a version: `icon@2x.png`.
        if domain.first().is_none_or(u8::is_ascii_digit) {
            return None;
        }
        domain = domain.get(..last).unwrap_or_default();
        end = at + 1 + last;
        last = domain.iter().rposition(|byte| *byte == b'.')?;
    }
    let top = domain.get(last + 1..).unwrap_or_default();
    let is_top = top.len() >= 2
        && top.iter().all(|byte| kind(*byte) & LETTER != 0 || *byte >= 0x80)
        || top.starts_with(b"xn--");
    let labels = domain.split(|byte| *byte == b'.').all(|label| !label.is_empty());
    let git = page.part(start, at) == b"git" && page.at(end) == b':';
    if start >= at || !is_top || !labels || git || page.before(at) == b'.' {
        return None;
    }
    page.take(start, end, EMAIL, 92);
    Some(end)
}

/// Whether what ends before `cut` is the beginning of a name such as O'Neil.
fn is_apostrophe(local: &[u8], cut: usize) -> bool {
    let name = local.get(..cut.saturating_sub(1)).unwrap_or_default();
    let letters = name.iter().all(|byte| kind(*byte) & LETTER != 0);
    local.get(name.len()) == Some(&b'\'') && (1..=3).contains(&name.len()) && letters
}

/// `scheme://name:password@host`
fn userinfo(page: &mut Page<'_>, at: usize) -> bool {
    let text = page.bytes();
    // A table is looked at again, from its beginning.
    let Some(scheme) = page.scheme.filter(|scheme| *scheme <= at) else { return false };
    if at - scheme > USERINFO_MAX_BYTES {
        page.scheme = None;
        return false;
    }
    page.scheme_signs += 1;
    if page.scheme_signs >= SIGNS_MAX {
        page.scheme = None;
    }
    let inside = |byte: u8| byte > b' ' && !b"\"'<>`".contains(&byte);
    let back = bytes::run_back(text, at, USERINFO_MAX_BYTES, inside);
    let part = page.part(at - back, at);
    let Some(scheme) = memchr::memmem::rfind(part, b"://") else { return false };
    let from = at - back + scheme + 3;
    let letter = kind(page.before(at - back + scheme)) & (LETTER | DIGIT) != 0;
    let user = page.part(from, at);
    // Behind the authority, an at sign is a letter like others.
    if !letter
        || user.is_empty()
        || bytes::kind(page.at(at + 1)) & WORD == 0 && page.at(at + 1) != b'['
    {
        return false;
    }
    let Some(colon) = user.iter().position(|byte| *byte == b':') else {
        let token =
            page.text.get(from..at).is_some_and(|user| form::is_secret(user) && user.len() >= 16);
        if token && !user.contains(&b'/') {
            page.take(from, at, URL_TOKEN, 85);
        }
        return !user.contains(&b'/');
    };
    if user.iter().take(colon).any(|byte| *byte == b'/') {
        return false;
    }
    let start = from + colon + 1;
    let password = page.text.get(start..at).unwrap_or_default();
    // `http://host:8080/path@v1`
    let port = password.bytes().take_while(u8::is_ascii_digit).count();
    if port > 0 && password.as_bytes().get(port) == Some(&b'/') {
        return false;
    }
    if !password.is_empty() && !form::is_placeholder(password) || is_word_for_password(password) {
        page.take(start, at, DSN, 95);
    }
    true
}

/// Words that are placeholders elsewhere, but passwords where only a password can stand.
fn is_word_for_password(text: &str) -> bool {
    ["password", "secret", "passwd", "token"].contains(&text)
}

/// `name:password@tcp(host:3306)/db`
fn driver(page: &mut Page<'_>, at: usize) -> bool {
    let text = page.bytes();
    let named = [&b"tcp("[..], b"tcp6(", b"unix(", b"cloudsql("];
    if !named.iter().any(|name| bytes::has(text, at + 1, name)) {
        return false;
    }
    let inside = |byte: u8| byte > b' ' && !b"\"'<>`".contains(&byte);
    let back = bytes::run_back(text, at, USERINFO_MAX_BYTES, inside);
    let Some(colon) = page.part(at - back, at).iter().position(|byte| *byte == b':') else {
        return false;
    };
    page.take(at - back + colon + 1, at, what("secret.dsn", "driver_password"), 92);
    true
}

/// `jdbc:oracle:thin:name/password@host`: looks behind the colon at `colon`.
pub(super) fn thin(page: &mut Page<'_>, colon: usize) {
    let text = page.bytes();
    if !bytes::has(text, colon.saturating_sub(5), b":thin") {
        return;
    }
    let inside = |byte: u8| byte > b' ' && !b"\"'<>`@".contains(&byte);
    let length = bytes::run(text, colon + 1, USERINFO_MAX_BYTES, inside);
    let slash = page.part(colon + 1, colon + 1 + length).iter().position(|byte| *byte == b'/');
    let end = colon + 1 + length;
    if let Some(start) = slash.map(|slash| colon + 2 + slash).filter(|_| page.at(end) == b'@') {
        page.take(start, end, what("secret.dsn", "driver_password"), 92);
    }
}
