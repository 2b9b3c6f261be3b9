//! The harness of [`lockgate_fuzz::proxy`] for `cargo fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lockgate_fuzz::proxy::holds(input));
