//! The server behind the gateway: raw HTTP on one thread, so fast that it is not what is measured.
//! It publishes the issuer's keys as well.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context as _, Result};
use memchr::memmem;
use tokio::sync::mpsc::UnboundedSender;

use super::{
    bodies::Bodies,
    mcp::{self, Form},
    wire::{Head, Wire},
};

/// Texts by their size in bytes.
pub(super) type Library = Arc<BTreeMap<usize, Bodies>>;

/// When a call arrived, by the number of its text.
pub(super) type Arrival = (usize, Instant);

/// Serves until the process ends; gives the address. Tells `arrivals` of each call, where there is
/// somebody to tell.
pub(super) fn start(
    port: u16,
    library: Library,
    keys: String,
    arrivals: Option<UnboundedSender<Arrival>>,
) -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", port)).context("can't bind the upstream")?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let site = Arc::new(Site { library, keys, arrivals, sessions: AtomicU64::new(0) });
    std::thread::Builder::new().name("upstream".into()).spawn(move || {
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                let site = Arc::clone(&site);
                // A client that leaves is no fault of the bench; the load generator counts errors.
                tokio::spawn(async move { site.serve(Wire::new(stream)?).await });
            }
            #[expect(unreachable_code, reason = "gives the block its type")]
            anyhow::Ok(())
        })
    })?;
    Ok(address)
}

struct Site {
    library: Library,
    keys: String,
    arrivals: Option<UnboundedSender<Arrival>>,
    sessions: AtomicU64,
}

impl Site {
    async fn serve(&self, mut wire: Wire) -> Result<()> {
        while let Some(head) = wire.head().await? {
            let body = wire.body(&head).await?;
            match head.word(0) {
                "POST" => wire.send(&self.post(&body)).await?,
                "GET" if head.word(1) == "/keys" => {
                    wire.send(&json(200, "", &self.keys)).await?;
                }
                "GET" => return hold(&mut wire, &head).await,
                _ => wire.send(&json(200, "", "")).await?,
            }
        }
        Ok(())
    }

    fn post(&self, body: &[u8]) -> Vec<u8> {
        let method = text(body, "method").unwrap_or_default();
        let Some(id) = id(body) else { return json(202, "", "") };
        if method != "tools/call" {
            let session = if method == "initialize" { self.session() } else { String::new() };
            return match mcp::other(method, id) {
                Some(answer) => json(200, &session, &answer),
                None => json(200, "", &unknown(id)),
            };
        }
        let parse = |key| number(body, key).and_then(|digits| digits.parse().ok());
        let (Some(number), Some(size)) = (parse("number"), parse("size")) else {
            return json(200, "", &unknown(id));
        };
        if let Some(arrivals) = &self.arrivals {
            // Nobody hears it after the last one that was waited for.
            let _ = arrivals.send((number, Instant::now()));
        }
        let bodies: Option<&Bodies> = self.library.get(&size);
        let answer = mcp::result(id, bodies.map_or("", |bodies| bodies.get(number)));
        if text(body, "name") == Some(Form::Sse.tool()) {
            streamed(&answer)
        } else {
            json(200, "", &answer)
        }
    }

    /// The header that names a new session.
    fn session(&self) -> String {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        format!("Mcp-Session-Id: bench-{number}\r\n")
    }
}

fn unknown(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"unknown"}}}}"#)
}

fn json(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = body.len();
    format!("HTTP/1.1 {status} OK\r\n{kind}{headers}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The answer as the one event of a stream.
fn streamed(answer: &str) -> Vec<u8> {
    let event = format!("event: message\ndata: {answer}\n\n");
    format!("{STREAM_HEAD}{:x}\r\n{event}\r\n0\r\n\r\n", event.len()).into_bytes()
}

/// Opens a stream on which nothing ever comes, until the other side leaves.
async fn hold(wire: &mut Wire, head: &Head) -> Result<()> {
    if !head.header("accept").is_some_and(|accept| accept.contains("text/event-stream")) {
        return wire.send(&json(404, "", "")).await;
    }
    wire.send(STREAM_HEAD.as_bytes()).await?;
    wire.send(b"6\r\n: ok\n\n\r\n").await?;
    wire.head().await?;
    Ok(())
}

/// The digits after `"key":`, as the bench itself writes them.
fn number<'a>(body: &'a [u8], key: &str) -> Option<&'a str> {
    let value = after(body, key)?;
    let end = value.iter().position(|byte| !byte.is_ascii_digit())?;
    str::from_utf8(value.get(..end)?).ok().filter(|digits| !digits.is_empty())
}

/// The token after `"id":`: digits or a string, both without escapes.
fn id(body: &[u8]) -> Option<&str> {
    let value = after(body, "id")?;
    let end = match value.strip_prefix(b"\"") {
        Some(rest) => memchr::memchr(b'"', rest)? + 2,
        None => value.iter().position(|byte| !byte.is_ascii_digit())?,
    };
    str::from_utf8(value.get(..end)?).ok().filter(|id| !id.is_empty())
}

/// The string after `"key":`, without escapes.
fn text<'a>(body: &'a [u8], key: &str) -> Option<&'a str> {
    let value = after(body, key)?.strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', value)?;
    str::from_utf8(value.get(..end)?).ok()
}

fn after<'a>(body: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let key = format!("\"{key}\":");
    let at = memmem::find(body, key.as_bytes())?;
    Some(body.get(at + key.len()..)?.trim_ascii_start())
}
