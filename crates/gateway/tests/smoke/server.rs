//! A small MCP server: sessions, two tools, one of which answers as a stream.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

static SESSIONS: AtomicU32 = AtomicU32::new(0);

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
    let empty = |status| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        Ok(response)
    };
    if method != "POST" {
        return empty(StatusCode::OK);
    }
    let message: Value = serde_json::from_slice(&body).unwrap();
    let id = &message["id"];
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
                                "serverInfo": { "name": "small", "version": "0" } }),
        "tools/list" => json!({ "tools": [tool("echo"), tool("stream")] }),
        "tools/call" => json!({ "content": [
            { "type": "text", "text": message["params"]["arguments"]["text"] }] }),
        _ => return empty(StatusCode::ACCEPTED),
    };
    let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result });
    if message["params"]["name"] == "stream" {
        let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                               "params": { "progressToken": 1, "progress": 1 } });
        let text = format!("data: {progress}\n\n: comment\n\ndata: {answer}\n\n");
        let response = Response::new(Full::from(text));
        return Ok(typed(response, "text/event-stream"));
    }
    let mut response = typed(Response::new(Full::from(answer.to_string())), "application/json");
    if message["method"] == "initialize" {
        let session = format!("s-{}", SESSIONS.fetch_add(1, Ordering::Relaxed));
        response.headers_mut().insert("mcp-session-id", session.parse().unwrap());
    }
    Ok(response)
}

fn tool(name: &str) -> Value {
    json!({ "name": name, "inputSchema": {
        "type": "object", "properties": { "text": { "type": "string" } } } })
}

fn typed(mut response: Response<Full<Bytes>>, media: &'static str) -> Response<Full<Bytes>> {
    response.headers_mut().insert("content-type", media.parse().unwrap());
    response
}
