//! `lockgate health`: does the gateway of this configuration serve? For containers and supervisors,
//! which may have no other program to ask with.
//!
//! It asks the operators' listener, as anybody could; it opens nothing of the data folder.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    config::{ConfigArgs, load},
    failure::{Exit, Failure, Outcome},
    serve::runtime,
    terminal::Terminal,
};

/// The gateway must have answered within this time: it asks nobody else for the answer.
const WAIT_MAX: Duration = Duration::from_secs(5);
const BODY_MAX_BYTES: usize = 1024 * 1024;

/// Ask the running gateway whether it serves
///
/// Asks `/readyz` on the admin listener of the configuration. Exits with 0 where the gateway serves,
/// with all of its parts or without some; with 1 where it does not, and 3 where nobody answers.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate health\n  \
    lockgate health --config /etc/lockgate/lockgate.yaml --json")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Answers.
pub(crate) fn run(args: &Args, terminal: Terminal) -> Outcome {
    let loaded = load(&args.config).map_err(Failure::usage)?;
    let address = dialled(loaded.settings.admin.address);
    let asked = runtime()?.block_on(async { timeout(WAIT_MAX, ask(address)).await });
    let unreachable =
        |why: &str| Failure::unreachable(format_args!("no answer from {address}: {why}"));
    let (status, body) = asked
        .map_err(|_| unreachable("it takes longer than 5 s"))?
        .map_err(|fault| unreachable(&fault.to_string()))?;
    let body: Value =
        serde_json::from_slice(&body).map_err(|_| unreachable("it is no Lockgate"))?;
    if terminal.json {
        terminal.json(&body)?;
    } else {
        terminal.data(body.get("state").and_then(Value::as_str).unwrap_or("unknown"));
        for part in body.get("parts").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| part.get(key).and_then(Value::as_str).unwrap_or_default();
            if text("state") != "ok" {
                let (name, state, detail) = (text("name"), text("state"), text("detail"));
                terminal.talk(format_args!("{name}: {state}: {detail}"));
            }
        }
    }
    Ok(if status == StatusCode::OK { Exit::Ok } else { Exit::No })
}

/// A listener on every address is asked on this machine's own.
fn dialled(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listening.port())
}

async fn ask(address: SocketAddr) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/readyz").header(header::HOST, address.to_string());
    let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), BODY_MAX_BYTES).collect().await;
    let body = body.map_err(|fault| anyhow::anyhow!("{fault}"))?;
    Ok((status, body.to_bytes()))
}
