//! One spelling for one value: RFC 8785 key order and string escapes, numbers as they were written.
//!
//! RFC 8785 rounds numbers to doubles. Two calls that differ in the digits of a number are two
//! calls here, so numbers keep their spelling: `1`, `1.0` and `1e0` are three values.

use lockgate_model::Digest;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::text;

/// The canonical spelling of `value`, UTF-8 without white space.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    write(value, &mut out);
    out
}

/// SHA-256 of the canonical spelling.
pub fn digest(value: &Value) -> Digest {
    Digest::from_bytes(Sha256::digest(canonical(value)).into())
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (nth, item) in items.iter().enumerate() {
                separate(nth, out);
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => write_object(members, out),
    }
}

fn write_object(members: &Map<String, Value>, out: &mut Vec<u8>) {
    let mut sorted: Vec<_> = members.iter().collect();
    // RFC 8785 §3.2.3 sorts by UTF-16 code units, which differs from UTF-8 order beyond U+D7FF.
    sorted.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push(b'{');
    for (nth, (key, value)) in sorted.into_iter().enumerate() {
        separate(nth, out);
        write_text(key, out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}

fn separate(nth: usize, out: &mut Vec<u8>) {
    if nth > 0 {
        out.push(b',');
    }
}

fn write_text(content: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = content.as_bytes();
    loop {
        let (run, after) = rest.split_at(text::plain(rest));
        out.extend_from_slice(run);
        let Some((byte, after)) = after.split_first() else { break };
        write_escape(*byte, out);
        rest = after;
    }
    out.push(b'"');
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        0x08 => out.extend_from_slice(b"\\b"),
        0x0C => out.extend_from_slice(b"\\f"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        _ => out.extend_from_slice(&[b'\\', byte]),
    }
}
