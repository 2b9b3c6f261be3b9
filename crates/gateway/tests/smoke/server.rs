//! A small MCP server: sessions, and tools that answer well or badly.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

static SESSIONS: AtomicU32 = AtomicU32::new(0);
/// Calls of tools that arrived.
pub(crate) static CALLS: AtomicU32 = AtomicU32::new(0);
/// Errors that came back for requests of the server.
pub(crate) static DECLINED: AtomicU32 = AtomicU32::new(0);

const TOOLS: [&str; 10] = [
    "echo",
    "stream",
    "ask",
    "early",
    "slow",
    "foreign",
    "unauthorized",
    "redirect",
    "gzip",
    "cookie",
];

/// Starts it; gives the URL of its endpoint.
pub(crate) async fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let http = http1::Builder::new();
                drop(http.serve_connection(TokioIo::new(stream), service_fn(answer)).await);
            });
        }
    });
    format!("http://{address}/mcp")
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let method = request.method().clone();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    if method != "POST" {
        return Ok(empty(StatusCode::OK));
    }
    let message: Value = serde_json::from_slice(&body).unwrap();
    if message.get("error").is_some() {
        DECLINED.fetch_add(1, Ordering::Relaxed);
    }
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
                                "serverInfo": { "name": "small", "version": "0" } }),
        "tools/list" => json!({ "tools": TOOLS.map(tool) }),
        "tools/call" => json!({ "content": [
            { "type": "text", "text": message["params"]["arguments"]["text"] }] }),
        _ => return Ok(empty(StatusCode::ACCEPTED)),
    };
    let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
    if let Some(name) = message["params"]["name"].as_str() {
        CALLS.fetch_add(1, Ordering::Relaxed);
        return Ok(call(name, &answer).await);
    }
    let mut response = json(&answer);
    if message["method"] == "initialize" {
        let session = format!("s-{}", SESSIONS.fetch_add(1, Ordering::Relaxed));
        response.headers_mut().insert("mcp-session-id", session.parse().unwrap());
    }
    Ok(response)
}

/// One tool's way to answer.
async fn call(name: &str, answer: &Value) -> Response<Full<Bytes>> {
    let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                           "params": { "progressToken": 1, "progress": 1 } });
    let question = json!({ "jsonrpc": "2.0", "id": "q1", "method": "elicitation/create",
                           "params": { "message": "secret?" } });
    match name {
        "stream" => stream(&[&progress, answer]),
        "ask" => stream(&[&question, answer]),
        "early" => stream(&[&progress]),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            json(answer)
        }
        "foreign" => json(&json!({ "jsonrpc": "2.0", "id": 999, "result": {} })),
        "unauthorized" => {
            let mut response = empty(StatusCode::UNAUTHORIZED);
            response.headers_mut().insert("www-authenticate", "Bearer".parse().unwrap());
            response
        }
        "redirect" => {
            let mut response = empty(StatusCode::FOUND);
            response.headers_mut().insert("location", "http://127.0.0.1:1/".parse().unwrap());
            response
        }
        "gzip" => {
            let mut response = json(answer);
            response.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
            response
        }
        "cookie" => {
            let mut response = json(answer);
            response.headers_mut().insert("set-cookie", "a=b".parse().unwrap());
            response.headers_mut().insert("x-own", "c".parse().unwrap());
            response
        }
        _ => json(answer),
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn json(body: &Value) -> Response<Full<Bytes>> {
    typed(Response::new(Full::from(body.to_string())), "application/json")
}

fn stream(messages: &[&Value]) -> Response<Full<Bytes>> {
    let events: String =
        messages.iter().map(|one| format!("data: {one}\n\n: comment\n\n")).collect();
    typed(Response::new(Full::from(events)), "text/event-stream")
}

fn tool(name: &str) -> Value {
    json!({ "name": name, "inputSchema": {
        "type": "object", "properties": { "text": { "type": "string" } } } })
}

fn typed(mut response: Response<Full<Bytes>>, media: &'static str) -> Response<Full<Bytes>> {
    response.headers_mut().insert("content-type", media.parse().unwrap());
    response
}
