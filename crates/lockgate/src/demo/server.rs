//! The sample MCP server: employees and payments in memory, over HTTP, in both eras.
//!
//! It takes one bearer credential that only the gateway knows, and counts what reaches it. It is
//! as small as a correct server can be: no sessions, no resources, and a stream only for a call whose
//! progress is asked for.

use std::{
    convert::Infallible,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::tools;
use crate::plain_http;

/// The revision of the modern era.
const MODERN: &str = "2026-07-28";
/// Revisions of the legacy era, the preferred one first.
const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
const INSTRUCTIONS: &str = "Employees and payments of a made-up company.";

/// How often a call that is followed tells how far it is, and how many times.
const STEP: Duration = Duration::from_millis(100);
const STEPS: u32 = 600;

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
    pub(crate) fn answer(
        &self,
        request: &Request<Bytes>,
    ) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        self.hits.fetch_add(1, Ordering::SeqCst);
        let whole = if let Some(refused) = self.refused(request) {
            refused
        } else if let Ok(message) = serde_json::from_slice::<Value>(request.body()) {
            match progress_token(&message) {
                Some(token) => return self.steps(&message, token),
                None => self.reply(&message),
            }
        } else {
            let error = json!({ "code": PARSE_ERROR, "message": "not JSON" });
            let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
            plain_http::json(StatusCode::BAD_REQUEST, &body)
        };
        whole.map(BodyExt::boxed_unsync)
    }

    /// The answer to whoever comes without the credential, or with another method.
    fn refused(&self, request: &Request<Bytes>) -> Option<Response<Full<Bytes>>> {
        let authorization = request.headers().get(header::AUTHORIZATION);
        if authorization.is_none_or(|value| value.as_bytes() != self.authorization.as_bytes()) {
            return Some(plain_http::text(
                StatusCode::UNAUTHORIZED,
                "the credential is not mine\n",
            ));
        }
        (request.method() != Method::POST)
            .then(|| plain_http::text(StatusCode::METHOD_NOT_ALLOWED, "POST only\n"))
    }

    fn reply(&self, message: &Value) -> Response<Full<Bytes>> {
        let Some(id) = message.get("id") else {
            return plain_http::text(StatusCode::ACCEPTED, "");
        };
        let (status, key, value) = match self.result(message) {
            Ok(result) => (StatusCode::OK, "result", result),
            Err((code, text)) => {
                let unknown = code == METHOD_NOT_FOUND && is_modern(message);
                let status = if unknown { StatusCode::NOT_FOUND } else { StatusCode::OK };
                (status, "error", json!({ "code": code, "message": text }))
            }
        };
        plain_http::json(status, &json!({ "jsonrpc": "2.0", "id": id, key: value }))
    }

    /// The answer that takes a minute, and tells how far it is.
    fn steps(&self, message: &Value, token: &Value) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let token = token.clone();
        let answer = self.reply(message).into_body();
        let steps = stream::unfold((0, Some(answer), token), |(step, answer, token)| async move {
            if step < STEPS {
                tokio::time::sleep(STEP).await;
                let params = json!({ "progressToken": token, "progress": step, "total": STEPS });
                let told = json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                    "params": params });
                return Some((event(&told.to_string()), (step + 1, answer, token)));
            }
            let whole = answer?.collect().await.map(|whole| whole.to_bytes()).unwrap_or_default();
            Some((event(&String::from_utf8_lossy(&whole)), (step, None, token)))
        });
        let mut response = Response::new(StreamBody::new(steps).boxed_unsync());
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
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

/// What the progress of a call is told by, where that is asked for.
fn progress_token(message: &Value) -> Option<&Value> {
    let is_call = message.get("method").is_some_and(|method| method == "tools/call");
    message.pointer("/params/_meta/progressToken").filter(|_| is_call)
}

fn event(message: &str) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(Bytes::from(format!("data: {message}\n\n"))))
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
