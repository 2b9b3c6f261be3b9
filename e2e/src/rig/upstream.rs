//! The recording upstream: an MCP server of both eras that writes down all that reaches it, and
//! does something else instead of a tool when a row tells it to.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::{Value, json, value::RawValue};

use super::server::{Heard, Next, Server};

/// The credential that the gateway's configuration refers to for this upstream. It must never be
/// seen anywhere else.
pub const CREDENTIAL: &str = "Bearer canary-7f2e9c41d8b6a053";

/// Something to do instead of answering a call: writes raw bytes.
pub type Act = Arc<dyn Fn(&Heard, &Value, &mut TcpStream) -> io::Result<Next> + Send + Sync>;

/// One request that reached the upstream.
#[derive(Clone, Debug)]
pub struct Seen {
    /// As it was heard.
    pub heard: Heard,
    /// Its JSON-RPC method; empty where there is none.
    pub rpc: String,
}

/// The upstream.
pub struct Upstream {
    server: Server,
    state: Arc<State>,
}

struct State {
    seen: Mutex<Vec<Seen>>,
    acts: Mutex<BTreeMap<String, Act>>,
    tools: Mutex<Value>,
    calls: Mutex<Option<File>>,
    sessions: AtomicU64,
    modern: bool,
    legacy: bool,
}

impl Upstream {
    /// An upstream that speaks both eras.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn start() -> io::Result<Self> {
        Self::start_eras(true, true)
    }

    /// An upstream that speaks these eras.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn start_eras(modern: bool, legacy: bool) -> io::Result<Self> {
        let state = Arc::new(State {
            seen: Mutex::default(),
            acts: Mutex::default(),
            tools: Mutex::new(tools()),
            calls: Mutex::default(),
            sessions: AtomicU64::new(0),
            modern,
            legacy,
        });
        let shared = Arc::clone(&state);
        let server = Server::start(Arc::new(move |heard, socket| shared.serve(heard, socket)))?;
        Ok(Self { server, state })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its MCP endpoint.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.server.address())
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.server.connections()
    }

    /// Does `act` instead of the tool, method or `GET`, until [`Upstream::behave`].
    pub fn act(&self, tool: &str, act: Act) {
        let mut acts = self.state.acts.lock().unwrap_or_else(PoisonError::into_inner);
        acts.insert(tool.to_owned(), act);
    }

    /// Forgets every act.
    pub fn behave(&self) {
        self.state.acts.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Replaces the list of tools.
    pub fn offer(&self, tools: Value) {
        *self.state.tools.lock().unwrap_or_else(PoisonError::into_inner) = tools;
    }

    /// Writes the `tag` argument of every call to `file` and syncs it before the call is answered.
    ///
    /// # Errors
    /// Where the file can't be made.
    pub fn keep_calls(&self, file: &Path) -> io::Result<()> {
        let file = File::options().create(true).append(true).open(file)?;
        *self.state.calls.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(())
    }

    /// Everything seen since the last time this was asked, the gateway's own listing left out.
    pub fn take_seen(&self) -> Vec<Seen> {
        let mut seen = self.state.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *seen);
        all.into_iter().filter(|seen| !is_listing(seen)).collect()
    }

    /// Everything seen since the last time this was asked.
    pub fn take_all(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.state.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the gateway asks for itself: it lists tools and prompts to know what it guards.
fn is_listing(seen: &Seen) -> bool {
    let own = ["server/discover", "initialize", "notifications/initialized", "tools/list"];
    let session = matches!(seen.heard.method.as_str(), "GET" | "DELETE");
    session || own.contains(&seen.rpc.as_str()) || seen.rpc == "prompts/list"
}

impl State {
    fn serve(&self, heard: &Heard, socket: &mut TcpStream) -> io::Result<Next> {
        let message: Value = serde_json::from_slice(&heard.body).unwrap_or_default();
        let rpc = message["method"].as_str().unwrap_or_default().to_owned();
        let seen = Seen { heard: heard.clone(), rpc: rpc.clone() };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        if let ("GET", Some(act)) = (heard.method.as_str(), self.act_for("GET")) {
            return act(heard, &message, socket);
        }
        if heard.method != "POST" {
            let status = if heard.method == "DELETE" { 200 } else { 405 };
            return json_reply(socket, status, &[], "");
        }
        let name = message["params"]["name"].as_str().unwrap_or(&rpc).to_owned();
        if rpc == "tools/call" {
            self.keep(&message["params"]["arguments"])?;
        }
        if let Some(act) = self.act_for(&name).or_else(|| self.act_for(&rpc)) {
            return act(heard, &message, socket);
        }
        if message["id"].is_null() {
            return json_reply(socket, 202, &[], "");
        }
        let modern = message.pointer("/params/_meta/io.modelcontextprotocol~1protocolVersion");
        if modern.is_some() && !self.modern {
            let text = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: no session"}}"#;
            return json_reply(socket, 400, &[], text);
        }
        if modern.is_none() && !self.legacy {
            let id = &message["id"];
            let error = json!({ "code": -32022, "message": "Unsupported protocol version",
                "data": { "supported": ["2026-07-28"], "requested": "2025-11-25" } });
            let body = json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string();
            return json_reply(socket, 400, &[], &body);
        }
        let mut headers = Vec::new();
        if rpc == "initialize" {
            let number = self.sessions.fetch_add(1, Ordering::AcqRel);
            headers.push(("Mcp-Session-Id", format!("upstream-session-{number}")));
        }
        json_reply(socket, 200, &headers, &self.result(&rpc, &message, &heard.body))
    }

    fn act_for(&self, name: &str) -> Option<Act> {
        self.acts.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn keep(&self, arguments: &Value) -> io::Result<()> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = calls.as_mut() else { return Ok(()) };
        file.write_all(format!("{}\n", arguments["tag"].as_str().unwrap_or("?")).as_bytes())?;
        file.sync_data()
    }

    fn result(&self, rpc: &str, message: &Value, body: &[u8]) -> String {
        let result = match rpc {
            "server/discover" => json!({
                "resultType": "complete", "supportedVersions": ["2025-11-25", "2026-07-28"],
                "capabilities": capabilities(), "instructions": "Rows only",
                "ttlMs": 0, "cacheScope": "private",
                "_meta": { "io.modelcontextprotocol/serverInfo": server() },
            }),
            "initialize" => json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": capabilities(), "serverInfo": server(),
                "instructions": "Rows only",
            }),
            "tools/list" => {
                let tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner).clone();
                listed("tools", tools)
            }
            "prompts/list" => listed("prompts", prompts()),
            "resources/list" => listed("resources", resources()),
            "resources/templates/list" => listed(
                "resourceTemplates",
                json!([
                    { "uriTemplate": "test://template/{id}", "name": "Template" }
                ]),
            ),
            "resources/read" => json!({
                "resultType": "complete", "ttlMs": 1000, "cacheScope": "public",
                "contents": [{ "uri": message["params"]["uri"], "text": "read" }],
            }),
            "prompts/get" => json!({
                "resultType": "complete",
                "messages": [{ "role": "user", "content": { "type": "text", "text": "got" } }],
            }),
            "completion/complete" => json!({
                "resultType": "complete", "completion": { "values": ["one"], "hasMore": false },
            }),
            _ => return answer(&message["id"], body),
        };
        json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string()
    }
}

/// A tool's answer that carries the arguments back, digit for digit.
pub fn answer(id: &Value, body: &[u8]) -> String {
    let arguments = arguments(body).unwrap_or_else(|| "{}".to_owned());
    let text = json!(arguments);
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete","content":[{{"type":"text","text":{text}}}]}}}}"#
    )
}

/// The arguments' own bytes.
fn arguments(body: &[u8]) -> Option<String> {
    let message: BTreeMap<String, &RawValue> = serde_json::from_slice(body).ok()?;
    let params: BTreeMap<String, &RawValue> =
        serde_json::from_str(message.get("params")?.get()).ok()?;
    Some(params.get("arguments")?.get().to_owned())
}

/// Writes an answer with a JSON body; an empty one has no content type.
///
/// # Errors
/// Whatever the socket says.
pub fn json_reply(
    socket: &mut TcpStream,
    status: u16,
    headers: &[(&str, String)],
    body: &str,
) -> io::Result<Next> {
    let mut head = format!("HTTP/1.1 {status} .\r\nContent-Length: {}\r\n", body.len());
    if !body.is_empty() {
        head.push_str("Content-Type: application/json\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    socket.write_all((head + body).as_bytes())?;
    Ok(Next::Keep)
}

fn capabilities() -> Value {
    json!({ "tools": { "listChanged": true }, "prompts": {}, "resources": {}, "completions": {},
        "logging": {} })
}

fn server() -> Value {
    json!({ "name": "rows", "version": "1" })
}

fn listed(kind: &str, items: Value) -> Value {
    json!({ "resultType": "complete", kind: items, "ttlMs": 1000, "cacheScope": "public" })
}

fn resources() -> Value {
    json!([
        { "uri": "file:///srv/open.txt", "name": "Open" },
        { "uri": "file:///etc/passwd", "name": "Closed" },
    ])
}

fn prompts() -> Value {
    json!([{ "name": "open_prompt" }, { "name": "hidden_prompt" }])
}

/// The tools that it offers at first.
pub fn tools() -> Value {
    let any = json!({ "type": "object", "properties": {} });
    let text = json!({ "type": "object", "properties": {
        "text": { "type": "string" }, "tag": { "type": "string" } } });
    let region = json!({ "type": "object", "properties": {
        "region": { "type": "string", "x-mcp-header": "Region" },
        "limit": { "type": "integer", "x-mcp-header": "Limit" } } });
    let bad = json!({ "type": "object", "properties": {
        "a": { "type": "string", "x-mcp-header": "Same" },
        "b": { "type": "string", "x-mcp-header": "same" } } });
    json!([
        { "name": "echo", "description": "Says it back", "inputSchema": text },
        { "name": "any", "description": "Takes anything", "inputSchema": any },
        { "name": "delete_row", "description": "Forbidden", "inputSchema": any,
            "annotations": { "readOnlyHint": true } },
        { "name": "hidden", "description": "Not for staff", "inputSchema": any },
        { "name": "region", "description": "Mirrors its arguments", "inputSchema": region },
        { "name": "bad_header", "description": "Mirrors one name twice", "inputSchema": bad },
        { "name": "bad name", "description": "No name for a tool", "inputSchema": any },
    ])
}
