//! Serves the conformance fixtures on loopback, at the port given as the only argument (0 for a
//! free one), and prints its URL.

use std::io::Write as _;

use anyhow::Context as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "0".into());
    let port: u16 = port.parse().context("usage: conformance-fixture [PORT]")?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    writeln!(std::io::stdout(), "http://{}/mcp", listener.local_addr()?)?;
    lockgate_e2e::fixture::serve(listener).await
}
