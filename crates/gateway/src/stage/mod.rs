//! The stages of one call, one file each, in the order in which the path calls them.

pub mod accept;
pub mod admit;
pub mod authenticate;
pub mod challenge;
pub mod resolve;

pub mod parse;

pub mod guard;
pub mod hold;
pub mod judge;
pub mod restore;
pub mod secrets;

pub mod intent;

pub mod access;
pub mod clear;

pub mod arm;

pub mod send;

pub mod answer;
pub mod inspect;
pub mod mask;
pub mod outcome;
pub mod pieces;
pub mod relay;

mod reason;
pub mod respond;
