//! The real binary: its words, its exit codes, its service and its demo.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod cli;
mod demo;
mod folder;
mod serve;
