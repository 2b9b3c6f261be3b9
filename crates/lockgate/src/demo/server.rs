//! The sample MCP server: employees and payments in memory, over HTTP, in both eras.
//!
//! It takes one bearer credential that only the gateway knows, and counts what reaches it. It is
//! as small as a correct server can be: no sessions, no streams, no resources.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::tools;
use crate::plain_http;

/// The revision of the modern era.
const MODERN: &str = "2026-07-28";
/// Revisions of the legacy era, the preferred one first.
const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
const INSTRUCTIONS: &str = "Employees and payments of a made-up company.";

/// JSON-RPC 2.0 §5.1.
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const PARSE_ERROR: i32 = -32700;

/// The server with its data.
pub(crate) struct Server {
    /// The whole value of the `Authorization` header that it takes.
    authorization: String,
    hits: AtomicU64,
    rows: Mutex<tools::Rows>,
}

/// A JSON-RPC error.
type Fault = (i32, String);

impl Server {
    /// A server with fresh data that takes `authorization` only.
    pub(crate) fn new(authorization: String) -> Self {
        Self { authorization, hits: AtomicU64::new(0), rows: Mutex::new(tools::Rows::sample()) }
    }

    /// Requests that reached it so far.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }

    /// Answers one HTTP request.
    pub(crate) fn answer(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        self.hits.fetch_add(1, Ordering::SeqCst);
        let authorization = request.headers().get(header::AUTHORIZATION);
        if authorization.is_none_or(|value| value.as_bytes() != self.authorization.as_bytes()) {
            return plain_http::text(StatusCode::UNAUTHORIZED, "the credential is not mine\n");
        }
        if request.method() != Method::POST {
            return plain_http::text(StatusCode::METHOD_NOT_ALLOWED, "POST only\n");
        }
        let Ok(message) = serde_json::from_slice::<Value>(request.body()) else {
            let error = json!({ "code": PARSE_ERROR, "message": "not JSON" });
            let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
            return plain_http::json(StatusCode::BAD_REQUEST, &body);
        };
        let Some(id) = message.get("id") else {
            return plain_http::text(StatusCode::ACCEPTED, "");
        };
        let (status, key, value) = match self.result(&message) {
            Ok(result) => (StatusCode::OK, "result", result),
            Err((code, text)) => {
                let unknown = code == METHOD_NOT_FOUND && is_modern(&message);
                let status = if unknown { StatusCode::NOT_FOUND } else { StatusCode::OK };
                (status, "error", json!({ "code": code, "message": text }))
            }
        };
        plain_http::json(status, &json!({ "jsonrpc": "2.0", "id": id, key: value }))
    }

    fn result(&self, message: &Value) -> Result<Value, Fault> {
        let none = Value::Null;
        let params = message.get("params").unwrap_or(&none);
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
        let modern = is_modern(message);
        let result = match method {
            "initialize" if !modern => initialized(params),
            "ping" if !modern => json!({}),
            "server/discover" if modern => discovered(),
            "tools/list" => json!({ "tools": tools::definitions() }),
            "tools/call" => self.call(params)?,
            other => return Err((METHOD_NOT_FOUND, format!("no method {other}"))),
        };
        Ok(if modern { complete(result, method) } else { result })
    }

    fn call(&self, params: &Value) -> Result<Value, Fault> {
        let none = Value::Null;
        let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
        let arguments = params.get("arguments").unwrap_or(&none);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = rows
            .call(name, arguments)
            .ok_or_else(|| (INVALID_PARAMS, format!("Unknown tool: {name}")))?;
        let (text, failed) = match answer {
            Ok(rows) => (rows.to_string(), false),
            Err(why) => (why, true),
        };
        Ok(json!({ "content": [{ "type": "text", "text": text }], "isError": failed }))
    }
}

/// A modern message names its revision in `_meta`.
fn is_modern(message: &Value) -> bool {
    message
        .pointer("/params/_meta/io.modelcontextprotocol~1protocolVersion")
        .is_some_and(|version| version == MODERN)
}

/// The answer to `initialize`: the client's revision where it is served, else the newest.
fn initialized(params: &Value) -> Value {
    let asked = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
    let [newest, ..] = LEGACY;
    let version = LEGACY.into_iter().find(|known| *known == asked).unwrap_or(newest);
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": {} },
        "serverInfo": server_info(),
        "instructions": INSTRUCTIONS,
    })
}

fn discovered() -> Value {
    json!({
        "supportedVersions": [MODERN],
        "capabilities": { "tools": {} },
        "instructions": INSTRUCTIONS,
    })
}

/// What every modern result carries besides its content.
fn complete(mut result: Value, method: &str) -> Value {
    if let Some(map) = result.as_object_mut() {
        map.insert("resultType".to_owned(), "complete".into());
        map.insert(
            "_meta".to_owned(),
            json!({ "io.modelcontextprotocol/serverInfo": server_info() }),
        );
        if method != "tools/call" {
            map.insert("ttlMs".to_owned(), 60_000.into());
            map.insert("cacheScope".to_owned(), "public".into());
        }
    }
    result
}

fn server_info() -> Value {
    json!({ "name": "lockgate-demo", "version": env!("CARGO_PKG_VERSION") })
}
