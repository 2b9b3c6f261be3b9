//! The harness of [`lockgate_fuzz::events`] for `cargo fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lockgate_fuzz::events::holds(input));
