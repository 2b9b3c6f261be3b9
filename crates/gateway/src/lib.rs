//! The machine side of Lockgate: one MCP call from socket to answer.
//!
//! A request is accepted, authenticated, resolved, parsed, judged, recorded, cleared, armed and
//! sent; its answer is recorded and handed back. [`path`] is that journey in one short function;
//! each stage is one file under [`stage`], in the same order, and consumes the type that the stage
//! before gave, so no stage can be left out. No MCP message is written or read here except through
//! `lockgate-mcp`, no policy except through `lockgate-rules`, no file except through
//! `lockgate-store`, no sealed secret except through `lockgate-vault`.

pub mod body;
pub mod budgets;
pub mod clearance;
pub mod clock;
mod decline;
pub mod discovery;
pub mod egress;
pub mod framing;
pub mod gateway;
mod hash;
pub mod history;
mod host;
mod introspection;
pub mod keys;
pub mod legs;
pub mod metrics;
pub mod oauth;
pub mod path;
pub mod pin;
pub mod poller;
pub mod provider;
pub mod proxy;
pub mod recogniser;
mod record;
pub mod recording;
pub mod revocations;
pub mod secret;
pub mod serve;
pub mod session;
pub mod settings;
mod shelter;
mod slots;
pub mod snapshot;
pub mod stage;
pub mod token;
pub mod tokens;
pub mod upstream;
pub mod vault;
