//! What must hold for every input, whatever its bytes: one module a parser that reads from outside.
//! Its `holds` panics where something does not.
//!
//! `cargo test -p lockgate-fuzz` runs all of them briefly on any toolchain. For long runs:
//! `cargo +nightly fuzz run --features libfuzzer envelope fuzz/corpus/envelope fuzz/seeds/envelope`.

pub mod challenge;
pub mod envelope;
pub mod events;
pub mod framing;
pub mod guard;
pub mod headers;
pub mod mask;
pub mod proxy;
pub mod scim;
pub mod sse;
pub mod token;
pub mod uri;
pub mod vault;

/// One parser under test.
pub struct Target {
    /// Also the name of its folder of seeds.
    pub name: &'static str,
    /// Panics where an input shows a fault.
    pub holds: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 16] = [
    Target { name: "challenge", holds: challenge::holds },
    Target { name: "envelope", holds: envelope::holds },
    Target { name: "events", holds: events::holds },
    Target { name: "framing", holds: framing::holds },
    Target { name: "headers", holds: headers::holds },
    Target { name: "mask", holds: mask::json },
    Target { name: "mask_stream", holds: mask::stream },
    Target { name: "packs", holds: guard::packs },
    Target { name: "proxy", holds: proxy::holds },
    Target { name: "scim", holds: scim::holds },
    Target { name: "shell", holds: guard::shell },
    Target { name: "sql", holds: guard::sql },
    Target { name: "sse", holds: sse::holds },
    Target { name: "token", holds: token::holds },
    Target { name: "uri", holds: uri::holds },
    Target { name: "vault", holds: vault::holds },
];

/// The input without its first byte, cut in two where that byte says.
fn in_two(input: &[u8]) -> [&[u8]; 2] {
    let (&at, bytes) = input.split_first().unwrap_or((&0, &[]));
    let (left, right) = bytes.split_at(bytes.len() * usize::from(at) / 256);
    [left, right]
}
