//! One MCP call of the story as a real HTTP request, in the modern era, and what came back.
//!
//! A client as plain as `curl`: no session, no retry, one connection a call.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinHandle};

/// The most that an answer of the story may have, in bytes.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;
const REVISION: &str = "2026-07-28";

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    /// Which tools are there?
    ListTools,
    /// Run a tool; the arguments are JSON.
    CallTool(&'static str, &'static str),
    /// Run a tool and be told how far it is.
    Follow(&'static str, &'static str),
    /// Say yes to what waits: no MCP call, but one of the admin API.
    Approve,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// The body, null where it is no JSON.
    pub(super) body: Value,
}

impl Ask {
    /// The JSON-RPC method.
    const fn method(self) -> &'static str {
        match self {
            Self::ListTools => "tools/list",
            Self::CallTool(..) | Self::Follow(..) => "tools/call",
            Self::Approve => "approve",
        }
    }

    /// For people.
    pub(super) fn words(self) -> String {
        match self {
            Self::ListTools => self.method().to_owned(),
            Self::Approve => "approve what waits, by the admin API".to_owned(),
            Self::CallTool(tool, arguments) => format!("{} {tool} {arguments}", self.method()),
            Self::Follow(tool, arguments) => {
                format!("{} {tool} {arguments}, and follows its progress", self.method())
            }
        }
    }

    /// The JSON-RPC message.
    pub(super) fn message(self) -> Value {
        let mut params = json!({ "_meta": {
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientInfo": { "name": "lockgate-demo", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        } });
        if let (Self::CallTool(tool, arguments) | Self::Follow(tool, arguments), Some(map)) =
            (self, params.as_object_mut())
        {
            map.insert("name".to_owned(), tool.into());
            let arguments = serde_json::from_str(arguments).unwrap_or_default();
            map.insert("arguments".to_owned(), arguments);
        }
        if let (Self::Follow(..), Some(meta)) = (self, params.pointer_mut("/_meta")) {
            meta["progressToken"] = "followed".into();
        }
        json!({ "jsonrpc": "2.0", "id": 1, "method": self.method(), "params": params })
    }

    /// The headers that repeat the message (MCP 2026-07-28), besides the usual ones.
    pub(super) fn headers(self) -> Vec<(&'static str, &'static str)> {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", REVISION),
            ("mcp-method", self.method()),
        ];
        if let Self::CallTool(tool, _) | Self::Follow(tool, _) = self {
            headers.push(("mcp-name", tool));
        }
        headers
    }
}

impl Answer {
    /// The names in a list of tools.
    pub(super) fn tools(&self) -> Vec<&str> {
        let tools = self.body.pointer("/result/tools").and_then(Value::as_array);
        tools.into_iter().flatten().filter_map(|tool| tool.get("name")?.as_str()).collect()
    }

    /// The text of a tool's result, or of an error.
    pub(super) fn text(&self) -> &str {
        let text = |pointer| self.body.pointer(pointer).and_then(Value::as_str);
        text("/result/content/0/text").or_else(|| text("/error/message")).unwrap_or_default()
    }

    /// Whether the call waits for a person.
    pub(super) fn waits(&self) -> bool {
        self.body.pointer("/result/resultType").is_some_and(|kind| kind == "input_required")
    }

    /// Whether the tool's result is marked as an error.
    pub(super) fn is_tool_error(&self) -> bool {
        self.body.pointer("/result/isError").is_some_and(|flag| flag == true)
    }

    /// The JSON-RPC error code, where there is one.
    pub(super) fn code(&self) -> Option<i64> {
        self.body.pointer("/error/code").and_then(Value::as_i64)
    }
}

/// POSTs `ask` to `path` at `address` with `token`.
///
/// # Errors
/// Where nothing answers, or the answer breaks off.
pub(super) async fn post(
    address: SocketAddr,
    path: &str,
    token: &str,
    ask: Ask,
) -> anyhow::Result<Answer> {
    let (status, body) = exchange(address, request(address, path, token, ask)?).await?;
    // A call that is held is answered in a stream: its last message is the answer.
    let last = String::from_utf8_lossy(&body);
    let last = last.lines().rev().find_map(|line| line.strip_prefix("data:"));
    let body = last.map_or(&*body, |last| last.trim().as_bytes());
    Ok(Answer { status, body: serde_json::from_slice(body).unwrap_or_default() })
}

/// A call that is answered in a stream, while it goes on.
pub(super) struct Following {
    body: Incoming,
    held: Vec<u8>,
    driver: JoinHandle<Result<(), hyper::Error>>,
}

/// The same as [`post`], for an answer in a stream.
///
/// # Errors
/// Where nothing answers.
pub(super) async fn follow(
    address: SocketAddr,
    path: &str,
    token: &str,
    ask: Ask,
) -> anyhow::Result<Following> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let body = sender.send_request(request(address, path, token, ask)?).await?.into_body();
    Ok(Following { body, held: Vec::new(), driver })
}

impl Following {
    /// The next message; `None` at the end of the stream.
    ///
    /// # Errors
    /// Where the stream breaks off.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        loop {
            if let Some(end) = self.held.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.held.drain(..end + 2).collect();
                let event = String::from_utf8_lossy(&event);
                let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                match data.and_then(|data| serde_json::from_str(data.trim()).ok()) {
                    Some(message) => return Ok(Some(message)),
                    None => continue,
                }
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            if let Ok(data) = frame?.into_data() {
                self.held.extend_from_slice(&data);
            }
            anyhow::ensure!(self.held.len() <= ANSWER_MAX_BYTES, "an event is too long");
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn request(
    address: SocketAddr,
    path: &str,
    token: &str,
    ask: Ask,
) -> anyhow::Result<Request<Full<Bytes>>> {
    let mut request = Request::post(path)
        .header(header::HOST, address.to_string())
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    for (name, value) in ask.headers() {
        request = request.header(name, value);
    }
    Ok(request.body(Full::new(Bytes::from(ask.message().to_string())))?)
}

/// Says yes to the one question that waits, as a reviewer would: looks at it, and answers it by the
/// digest of what was shown. Gives what it looks like after.
///
/// # Errors
/// Where nobody asks, or the answer is refused.
pub(super) async fn approve(api: SocketAddr, token: &str) -> anyhow::Result<Answer> {
    let listed = ask_api(api, token, "/approvals?state=pending", None).await?;
    let id = listed.body.pointer("/items/0/id").and_then(Value::as_str);
    let id = id.context("nobody waits for an answer")?;
    let shown = ask_api(api, token, &format!("/approvals/{id}"), None).await?;
    let digest = shown.body.pointer("/approval/arguments_digest").cloned().unwrap_or_default();
    let yes = json!({ "arguments_digest": digest });
    ask_api(api, token, &format!("/approvals/{id}/approve"), Some(&yes)).await
}

async fn ask_api(
    api: SocketAddr,
    token: &str,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Answer> {
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header(header::HOST, api.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    let (status, body) = exchange(api, request.body(Full::new(body))?).await?;
    let answer = Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() };
    anyhow::ensure!(status.is_success(), "the admin API answered {status}: {}", answer.body);
    Ok(answer)
}

/// GETs `path` at `address`.
///
/// # Errors
/// As [`post`].
pub(super) async fn get(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    let request = Request::get(path).header(header::HOST, address.to_string());
    let (status, body) = exchange(address, request.body(Full::default())?).await?;
    Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
}

async fn exchange(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, ANSWER_MAX_BYTES)
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
    driver.abort();
    Ok((head.status, body.to_bytes()))
}
