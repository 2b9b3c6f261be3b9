//! What texts of machines are full of, and what is nobody's secret where no name says so: UUIDs, hashes
//! and times. Known at a glance, so that nothing else looks at them.
//!
//! Only what every detector leaves, and no decoding shows a text in: never more than that.

use super::view;

/// Whether `text` is such a value from end to end.
#[inline]
pub(super) fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.len() {
        20 => is_time(bytes),
        36 => is_uuid(bytes),
        32 | 40 | 64 => is_hash(bytes),
        _ => false,
    }
}

/// `2024-01-31T12:30:45Z`
fn is_time(bytes: &[u8]) -> bool {
    const FORM: &[u8; 20] = b"0000-00-00T00:00:00Z";
    bytes.iter().zip(FORM).fold(true, |fits, (byte, form)| {
        fits & if *form == b'0' { byte.is_ascii_digit() } else { byte == form }
    })
}

fn is_uuid(bytes: &[u8]) -> bool {
    const FORM: &[u8; 36] = b"00000000-0000-0000-0000-000000000000";
    let (mut fits, mut letter) = (true, false);
    for (byte, form) in bytes.iter().zip(FORM) {
        letter |= is_letter(*byte);
        fits &= if *form == b'0' { is_hex(*byte) } else { byte == form };
    }
    fits && letter
}

fn is_hash(bytes: &[u8]) -> bool {
    let (mut fits, mut letter) = (true, false);
    for byte in bytes {
        letter |= is_letter(*byte);
        fits &= is_hex(*byte);
    }
    // An IBAN begins with two letters and two digits, and a text in hexadecimal is looked into.
    let iban = matches!(bytes, [b'a'..=b'f', b'a'..=b'f', b'0'..=b'9', b'0'..=b'9', ..]);
    fits && letter && !iban && !view::may_be_hex(bytes)
}

/// Digits and small letters.
#[inline]
const fn is_hex(byte: u8) -> bool {
    byte.wrapping_sub(b'0') < 10 || is_letter(byte)
}

#[inline]
const fn is_letter(byte: u8) -> bool {
    byte.wrapping_sub(b'a') < 6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::is_plain;
    use crate::mask::{Detectors, Text, view};

    #[test]
    fn values_of_machines_are_plain() {
        for (text, plain) in [
            ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", true),
            ("9d39a3ee5e6b4b0d3255bfef95601890afd80709", true),
            ("da39a3ee5e6b4b0d3255bfef95601890afd80709", false),
            ("2024-05-01T10:00:00Z", true),
            ("12345678-1234-1234-1234-123456789012", false),
            ("4111111111111111411111111111111141111111", false),
            ("63617264203431313120313131312031", false),
            ("2024-05-01 10:00:00Z", false),
            ("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", false),
        ] {
            assert_eq!(is_plain(text), plain, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_found_in_plain_values(
            text in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{40}\
                     |[0-9a-f]{32}|[0-9a-f]{64}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
        ) {
            if is_plain(&text) {
                let (mut found, mut runs) = (Vec::new(), Vec::new());
                Detectors::standard().scan(Text { text: &text, key: None }, &mut found);
                view::runs(&text, &mut runs);
                prop_assert!(found.is_empty() && runs.is_empty(), "{} {:?}", text, found);
            }
        }
    }
}
