//! A token before its signature is checked.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use lockgate_gateway::token::Jws;
use lockgate_model::Limits;

/// Holds for the input as a token, and for the token whose header and payload are its first line
/// and the rest.
pub fn holds(input: &[u8]) {
    check(input);
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (header, payload) = input.split_at(end);
    let payload = payload.strip_prefix(b"\n").unwrap_or(payload);
    let [header, payload] = [header, payload].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    check(format!("{header}.{payload}.AAAA").as_bytes());
}

/// A token is never longer than allowed, has three parts, and is not read in two ways.
fn check(token: &[u8]) {
    let max_bytes = Limits::default().token_max_bytes as usize;
    let Ok(jws) = Jws::read(token, max_bytes) else { return };
    assert!(token.len() <= max_bytes);
    assert_eq!(token.iter().filter(|byte| **byte == b'.').count(), 2);
    let again = Jws::read(token, max_bytes).map(|jws| jws.id());
    assert_eq!(again.ok(), Some(jws.id()));
}
