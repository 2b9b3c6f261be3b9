//! The end-to-end proofs: every file is a room of its own around the real binary.

#[cfg(test)]
mod fixtures;
