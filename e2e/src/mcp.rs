//! Well-formed MCP requests of both eras; rows bend them.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use crate::{
    rig::stream::FOLLOWED,
    wire::{Reply, Request, Wire, exchange},
};

/// The modern era's revision.
pub const MODERN: &str = "2026-07-28";
/// The newest legacy revision.
pub const LEGACY: &str = "2025-11-25";

/// Someone who calls one connection.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The gateway's address, or an upstream's.
    pub address: SocketAddr,
    /// The endpoint's path.
    pub path: String,
    /// The bearer token.
    pub token: Option<String>,
}

impl Caller {
    /// A POST with the headers that every request has.
    pub fn post(&self, body: impl Into<Vec<u8>>) -> Request {
        let mut request = Request::new("POST", &self.path, body)
            .header("Host", &self.address.to_string())
            .header("Content-Type", "application/json")
            .header("Accept", "application/json, text/event-stream");
        if let Some(token) = &self.token {
            request = request.header("Authorization", &format!("Bearer {token}"));
        }
        request
    }

    /// A modern request.
    pub fn modern(&self, id: &Value, method: &str, params: Value) -> Request {
        let name = ["name", "uri", "taskId"].iter().find_map(|key| params[*key].as_str());
        let name = name.map(str::to_owned);
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": meta(params) });
        self.mirrored(method, name.as_deref(), body.to_string())
    }

    /// A modern POST with these mirrored headers around any body.
    pub fn mirrored(&self, method: &str, name: Option<&str>, body: impl Into<Vec<u8>>) -> Request {
        let request = self.post(body);
        let request = request.header("MCP-Protocol-Version", MODERN).header("Mcp-Method", method);
        match name {
            Some(name) => request.header("Mcp-Name", name),
            None => request,
        }
    }

    /// A modern tool call.
    pub fn call(&self, tool: &str, arguments: Value) -> Request {
        self.modern(&json!(1), "tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// A modern tool call that asks for its progress.
    pub fn followed(&self, id: u32, tool: &str) -> Request {
        let params = json!({ "name": tool, "_meta": { "progressToken": FOLLOWED } });
        self.modern(&json!(id), "tools/call", params)
    }

    /// A modern tool call whose arguments are these bytes.
    pub fn call_raw(&self, tool: &str, arguments: &str) -> Request {
        self.mirrored("tools/call", Some(tool), call_body(&json!(tool).to_string(), arguments))
    }

    /// A legacy request, of this session where there is one.
    pub fn legacy(
        &self,
        session: Option<&str>,
        id: &Value,
        method: &str,
        params: Value,
    ) -> Request {
        let mut body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        if let (Value::Null, Some(fields)) = (id, body.as_object_mut()) {
            fields.remove("id");
        }
        let request = self.post(body.to_string());
        match session {
            Some(id) => request.header("MCP-Protocol-Version", LEGACY).header("Mcp-Session-Id", id),
            None => request,
        }
    }

    /// Opens a legacy session and gives its id.
    ///
    /// # Errors
    /// Where the handshake fails.
    pub fn initialize(&self, revision: &str) -> anyhow::Result<String> {
        let params = json!({ "protocolVersion": revision, "capabilities": {},
            "clientInfo": { "name": "rows", "version": "1" } });
        let reply = self.send(&self.legacy(None, &json!("init"), "initialize", params))?;
        crate::wire::expect_status(&reply, 200)?;
        let id = reply.header("mcp-session-id").map(str::to_owned);
        let id = id.ok_or_else(|| anyhow::anyhow!("no session: {}", reply.text()))?;
        let started = self.legacy(Some(&id), &Value::Null, "notifications/initialized", json!({}));
        crate::wire::expect_status(&self.send(&started)?, 202)?;
        Ok(id)
    }

    /// Sends a request on a new connection and reads the whole answer.
    ///
    /// # Errors
    /// Where no answer comes.
    pub fn send(&self, request: &Request) -> anyhow::Result<Reply> {
        exchange(self.address, &request.bytes())
    }

    /// Sends a request on a new connection and leaves the answer to be read.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn open(&self, request: &Request) -> anyhow::Result<Wire> {
        let mut wire = Wire::open(self.address)?;
        wire.send(&request.bytes());
        Ok(wire)
    }

    /// The same caller with another token.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }
}

/// The body of a modern tool call whose name and arguments are these bytes.
pub fn call_body(name: &str, arguments: &str) -> String {
    let meta = meta(json!({}))["_meta"].to_string();
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{name},"arguments":{arguments},"_meta":{meta}}}}}"#
    )
}

/// Params with the modern era's `_meta` added; other `_meta` entries stay.
pub fn meta(mut params: Value) -> Value {
    let Some(fields) = params.as_object_mut() else { return params };
    let entry = fields.entry("_meta").or_insert_with(|| Value::Object(Map::new()));
    if let Some(entries) = entry.as_object_mut() {
        let mut put = |key: &str, value: Value| {
            entries.entry(format!("io.modelcontextprotocol/{key}")).or_insert(value);
        };
        put("protocolVersion", json!(MODERN));
        put("clientCapabilities", json!({}));
        put("clientInfo", json!({ "name": "rows", "version": "1" }));
    }
    params
}
