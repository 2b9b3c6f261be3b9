//! A token before its signature is checked.

use lockgate_gateway::token::Jws;
use lockgate_model::Limits;

/// Never longer than allowed, always of three parts, and never read in two ways.
pub fn holds(input: &[u8]) {
    let max_bytes = Limits::default().token_max_bytes as usize;
    let Ok(jws) = Jws::read(input, max_bytes) else { return };
    assert!(input.len() <= max_bytes);
    assert_eq!(input.iter().filter(|byte| **byte == b'.').count(), 2);
    let again = Jws::read(input, max_bytes).map(|jws| jws.id());
    assert_eq!(again.ok(), Some(jws.id()));
}
