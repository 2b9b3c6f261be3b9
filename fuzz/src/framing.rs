//! The first look at a connection's bytes, before any HTTP library sees them.

use lockgate_gateway::framing::Framer;
use lockgate_model::Limits;

use crate::in_two;

/// The same is found in one piece and in two.
pub fn holds(input: &[u8]) {
    let [left, right] = in_two(input);
    let mut parts = Framer::new(&Limits::default());
    let found_in_parts = parts.push(left).or_else(|| parts.push(right)).is_some();
    let mut whole = Framer::new(&Limits::default());
    let found = whole.push(&[left, right].concat()).is_some();
    assert_eq!(found, found_in_parts, "the split decides");
}
