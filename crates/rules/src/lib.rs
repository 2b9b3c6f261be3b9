//! Judgement: who may do what with which call.
//!
//! Everything here is a pure function of its arguments: no IO, no waiting, no clock, no randomness.
//! [`policy`] is the only room of the house that knows Cedar.

pub mod guard;
pub mod mask;
pub mod policy;
