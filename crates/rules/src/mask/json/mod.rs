//! JSON (RFC 8259) as a walk over its own bytes: every leaf once, with its place, nothing built.
//!
//! [`Lexer`] checks the grammar and gives tokens as spans; it keeps its own stack, so that nesting costs
//! no thread stack. It never copies a byte and never reads a number, so that what is not replaced stays
//! as it was written. `mcp` has a scanner of its own, which indexes a whole document and compares keys:
//! masking wants neither, and this room may not know that one.

mod lex;
mod text;

pub(super) use lex::{Lexer, Quoted, Span, Token};
pub(super) use text::unescape;
