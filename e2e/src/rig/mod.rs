//! Stand-ins under the tests' control: a plain HTTP server on threads, an issuer that also makes
//! tokens no provider would, and an upstream that writes down what reaches it and may misbehave.

pub mod aws;
pub mod bao;
mod mint;
mod server;
pub mod slack;
pub mod stream;
mod upstream;

pub use mint::{Key, MintIssuer, Publication, encode, now_s};
pub use server::{Handler, Heard, Next, Server};
pub use upstream::{Act, CREDENTIAL, Seen, Upstream, answer, json_reply, tools};
