//! Secrets that are known by their whole form: JWT, PEM, tokens of Discord, Telegram, Terraform and
//! others, hashes of passwords.

use super::{
    super::{
        bytes::{self, DIGIT, DOT, LETTER, LOWER, UPPER, at, before, kind},
        page::Page,
    },
    secret,
};

/// Longest header of a JWT, in bytes of base64.
const JWT_HEADER_MAX_BYTES: usize = 2048;
/// A private key that is cut short has so many letters left at least.
const PEM_MIN_BYTES: usize = 40;
/// Longest joint of two lines of a private key in code, in bytes.
const JOINT_MAX_BYTES: usize = 24;
/// Longest token, in bytes.
const TOKEN_MAX_BYTES: usize = 16 * 1024;

fn is_url64(byte: u8) -> bool {
    kind(byte) & (LETTER | DIGIT) != 0 || matches!(byte, b'-' | b'_')
}

fn is_alnum(byte: u8) -> bool {
    kind(byte) & (LETTER | DIGIT) != 0
}

/// Looks at a word without a telling prefix, and says where to go on if it is a secret.
pub(super) fn word(
    page: &mut Page<'_>,
    text: &[u8],
    start: usize,
    end: usize,
    kinds: u8,
) -> Option<usize> {
    let length = end - start;
    if kinds & DOT != 0 && length > 30 {
        return jwt(page, text, start, end)
            .or_else(|| discord(page, start, end))
            .or_else(|| terraform(page, text, start, end))
            .or_else(|| airtable(page, start, end));
    }
    if kinds & DIGIT == 0 || length < 32 {
        return None;
    }
    let part = page.part(start, end);
    let hex = |part: &[u8]| part.iter().all(u8::is_ascii_hexdigit);
    let twilio = length == 34 && part.starts_with(b"SK") && part.get(2..).is_some_and(hex);
    if twilio && bytes::distinct(part) > 6 {
        page.take(start, end, secret("secret.twilio", "twilio_key"), 85);
        return Some(end);
    }
    // `0123…-us12`
    let (key, center) = part.split_at_checked(32)?;
    let center = center.strip_prefix(b"-us").filter(|center| (1..=2).contains(&center.len()));
    if hex(key) && center.is_some_and(|center| center.iter().all(u8::is_ascii_digit)) {
        page.take(start, end, secret("secret.mailchimp", "mailchimp"), 92);
        return Some(end);
    }
    None
}

/// JSON Web Token (RFC 7519): three parts, the first of which is a JSON object.
fn jwt(page: &mut Page<'_>, text: &[u8], start: usize, end: usize) -> Option<usize> {
    let from = start + memchr::memmem::find(page.part(start, end), b"eyJ")?;
    let header = bytes::run(text, from, JWT_HEADER_MAX_BYTES, is_url64);
    let payload_at = from + header + 1;
    let payload = bytes::run(text, payload_at, TOKEN_MAX_BYTES, is_url64);
    if header < 12 || payload < 8 || at(text, from + header) != b'.' {
        return None;
    }
    let mut stop = payload_at + payload;
    // The signature may be empty, and an encrypted token has two parts more.
    for _ in 0..3 {
        if at(text, stop) == b'.' {
            stop += 1 + bytes::run(text, stop + 1, TOKEN_MAX_BYTES, is_url64);
        }
    }
    let stop = if before(text, stop) == b'.' { stop - 1 } else { stop };
    if !is_json_header(bytes::part(text, from, from + header)) {
        return None;
    }
    page.take(from, stop, secret("secret.jwt", "jwt"), 95);
    Some(stop)
}

fn is_json_header(encoded: &[u8]) -> bool {
    let decoded = decode(encoded);
    let has = |name: &[u8]| memchr::memmem::find(&decoded, name).is_some();
    decoded.starts_with(b"{\"")
        && (has(b"\"alg\"") || has(b"\"typ\"") || has(b"\"enc\"") || has(b"\"kid\""))
}

/// Base64 with either alphabet, without padding; stops at what is no part of it.
pub(in super::super) fn decode(encoded: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(encoded.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for byte in encoded {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push((bits >> count & 255) as u8);
        }
    }
    decoded
}

/// Three parts, the first of which is a number in base64.
fn discord(page: &mut Page<'_>, start: usize, end: usize) -> Option<usize> {
    let mut parts = page.part(start, end).split(|byte| *byte == b'.');
    let (id, time, code) = (parts.next()?, parts.next()?, parts.next()?);
    let lengths =
        (23..=28).contains(&id.len()) && time.len() == 6 && (27..=40).contains(&code.len());
    let number = decode(id);
    let digits = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    // Numbers begin so in base64, and random text changes its case often.
    let drawn = matches!(id.first(), Some(b'M'..=b'O')) && bytes::changes(id) >= 8;
    if !lengths || parts.next().is_some() || !digits && !drawn {
        return None;
    }
    page.take(start, end, secret("secret.discord", "discord_bot"), 95);
    Some(end)
}

fn terraform(page: &mut Page<'_>, text: &[u8], start: usize, end: usize) -> Option<usize> {
    let mark = start + memchr::memmem::find(page.part(start, end), b".atlasv1.")?;
    let back = bytes::run_back(text, mark, 14, is_alnum);
    let body = bytes::run(text, mark + 9, 100, is_url64);
    if back < 14 || body < 60 {
        return None;
    }
    page.take(mark - back, mark + 9 + body, secret("secret.terraform", "terraform"), 95);
    Some(mark + 9 + body)
}

fn airtable(page: &mut Page<'_>, start: usize, end: usize) -> Option<usize> {
    let (id, code) = page.part(start, end).split_at_checked(17)?;
    let fits = id.starts_with(b"pat")
        && id.iter().all(|byte| is_alnum(*byte))
        && code.first() == Some(&b'.')
        && code.len() == 65
        && code.iter().skip(1).all(u8::is_ascii_hexdigit);
    if fits {
        page.take(start, end, secret("secret.airtable", "airtable"), 95);
    }
    fits.then_some(end)
}

/// `123456789:AA…`: a bot of Telegram. Says where to go on.
pub(in super::super) fn colon(page: &mut Page<'_>, colon: usize) -> Option<usize> {
    let text = page.bytes();
    if at(text, colon + 1) != b'A' {
        return None;
    }
    let back = bytes::run_back(text, colon, 11, |byte| byte.is_ascii_digit());
    let body = bytes::run(text, colon + 1, 40, is_url64);
    let fits = (8..=10).contains(&back) && (34..=36).contains(&body);
    let code = bytes::part(text, colon + 1, colon + 1 + body);
    if !fits || bytes::distinct(code) < 12 {
        return None;
    }
    page.take(colon - back, colon + 1 + body, secret("secret.telegram", "telegram_bot"), 92);
    Some(colon + 1 + body)
}

/// `abc8Q~…`: a client secret of Azure; `sha256~…`: a token of OpenShift. Says where to go on.
pub(in super::super) fn tilde(page: &mut Page<'_>, tilde: usize) -> Option<usize> {
    let text = page.bytes();
    let wide = |byte: u8| is_url64(byte) || matches!(byte, b'.' | b'~');
    let body = bytes::run(text, tilde + 1, 60, wide);
    let end = tilde + 1 + body;
    let code = bytes::part(text, tilde + 1, end);
    if before(text, tilde) == b'Q' && kind(before(text, tilde - 1)) == DIGIT && tilde >= 5 {
        let front = bytes::run_back(text, tilde - 2, 3, wide);
        if front == 3 && (31..=40).contains(&body) && bytes::distinct(code) > 10 {
            page.take(tilde - 5, end, secret("secret.azure", "azure_client_secret"), 95);
            return Some(end);
        }
    }
    let openshift = tilde >= 6 && bytes::part(text, tilde - 6, tilde) == b"sha256";
    if openshift && (40..=46).contains(&body) {
        page.take(tilde - 6, end, secret("secret.openshift", "openshift"), 95);
        return Some(end);
    }
    None
}

/// `$2b$12$…`: the hash of a password, as crypt writes it. Says where to go on.
pub(in super::super) fn dollar(page: &mut Page<'_>, dollar: usize) -> Option<usize> {
    let text = page.bytes();
    let named = [
        &b"$2a$"[..],
        b"$2b$",
        b"$2y$",
        b"$1$",
        b"$5$",
        b"$6$",
        b"$7$",
        b"$y$",
        b"$apr1$",
        b"$argon2id$",
        b"$argon2i$",
        b"$argon2d$",
        b"$scrypt$",
        b"$pbkdf2-sha256$",
        b"$pbkdf2-sha512$",
        b"$8$",
        b"$9$",
        b"$krb5asrep$",
        b"$krb5tgs$",
    ];
    if !named.iter().any(|name| bytes::has(text, dollar, name)) {
        if bytes::has(text, dollar, b"$production$") || bytes::has(text, dollar, b"$sandbox$") {
            return paypal(page, dollar);
        }
        return None;
    }
    // Those of Kerberos name the account.
    let kerberos = bytes::has(text, dollar, b"$krb5");
    let inside = |byte: u8| {
        is_alnum(byte) || b"$./+=,-_".contains(&byte) || kerberos && b"@:*".contains(&byte)
    };
    let length = bytes::run(text, dollar, 2048, inside);
    let code = bytes::part(text, dollar, dollar + length);
    let parts = code.split(|byte| *byte == b'$').count();
    if length < 28 || parts < 4 {
        return None;
    }
    page.take(dollar, dollar + length, secret("secret.password", "password_hash"), 92);
    Some(dollar + length)
}

fn paypal(page: &mut Page<'_>, dollar: usize) -> Option<usize> {
    let text = page.bytes();
    let start = dollar.checked_sub(12).filter(|start| bytes::has(text, *start, b"access_token"))?;
    let length = bytes::run(text, dollar, 120, |byte| is_alnum(byte) || byte == b'$');
    if length < 40 {
        return None;
    }
    page.take(start, dollar + length, secret("secret.paypal", "paypal"), 95);
    Some(dollar + length)
}

/// `-----BEGIN … PRIVATE KEY-----`, also cut short. Says where to go on.
pub(in super::super) fn pem(page: &mut Page<'_>, start: usize) -> Option<usize> {
    let text = page.bytes();
    if !bytes::has(text, start, b"-----BEGIN ") {
        return None;
    }
    let label_at = start + 11;
    let label_length = bytes::run(text, label_at, 60, |byte| {
        kind(byte) & UPPER != 0 || matches!(byte, b' ' | b'0'..=b'9')
    });
    let label = bytes::part(text, label_at, label_at + label_length);
    let private = memchr::memmem::find(label, b"PRIVATE").is_some();
    let mut end =
        label_at + label_length + bytes::run(text, label_at + label_length, 5, |byte| byte == b'-');
    if !private {
        return Some(end);
    }
    let body = end;
    // Base64, its line breaks in any spelling, and the headers of encrypted keys.
    let inside = |byte: u8| is_alnum(byte) || b"+/= \t\r\n\\:,.()@".contains(&byte);
    loop {
        end += bytes::run(text, end, usize::MAX, inside);
        // `"…" +\n"…"`: a key that code puts together of its lines.
        let joint = bytes::run(text, end, JOINT_MAX_BYTES, |byte| b"\"' +\r\n\t".contains(&byte));
        if joint > 2
            && before(text, end + joint) == at(text, end)
            && is_alnum(at(text, end + joint))
        {
            end += joint;
            continue;
        }
        if at(text, end) != b'-' || bytes::has(text, end, b"-----") {
            break;
        }
        end += 1;
    }
    if bytes::has(text, end, b"-----END") {
        end += 8 + bytes::run(text, end + 8, 60, |byte| {
            kind(byte) & (UPPER | LOWER) != 0 || byte == b' '
        });
        end += bytes::run(text, end, 5, |byte| byte == b'-');
    } else {
        while before(text, end).is_ascii_whitespace() {
            end -= 1;
        }
    }
    // Without a key in it, it is a word about keys.
    let key = bytes::part(text, body, end).iter().filter(|byte| is_alnum(**byte)).count();
    if key >= PEM_MIN_BYTES {
        page.take(start, end, secret("secret.private_key", "pem"), 97);
    }
    Some(end)
}
