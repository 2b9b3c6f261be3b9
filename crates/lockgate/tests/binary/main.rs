//! The real binary: its words, its exit codes, its service and its demo.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that can't go on fails")]

mod backup;
mod cli;
mod connection;
mod demo;
mod folder;
mod guard;
mod mask;
mod nodes;
mod serve;
mod vault;
