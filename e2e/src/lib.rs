//! What the end-to-end proofs are made of: the house's real binary, real identity providers, MCP
//! servers and clients, and stubs that misbehave on purpose. Nothing here is part of the product.
#![expect(clippy::indexing_slicing, reason = "a JSON value gives null for what it lacks")]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

pub mod disk;
#[expect(deprecated, reason = "the legacy era is half of what the fixtures are for")]
pub mod fixture;
pub mod gateway;
pub mod issuer;
pub mod mcp;
pub mod memory;
pub mod postgres;
pub mod prepare;
pub mod record;
pub mod rig;
pub mod room;
pub mod rows;
pub mod tools;
pub mod wire;

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// Prints a line for the person who runs the tests.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
