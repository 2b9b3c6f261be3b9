//! What the end-to-end proofs are made of: the house's real binary, real identity providers, MCP
//! servers and clients, and stubs that misbehave on purpose. Nothing here is part of the product.

#[expect(deprecated, reason = "the legacy era is half of what the fixtures are for")]
pub mod fixture;
