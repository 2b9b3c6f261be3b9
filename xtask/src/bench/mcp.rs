//! The few MCP messages of the bench, as bytes, in both eras.

use std::fmt::Write as _;

/// Which era a caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    Legacy,
    Modern,
}

/// In which form the upstream answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Sse,
}

impl Form {
    /// The tool that answers in this form.
    pub(super) const fn tool(self) -> &'static str {
        match self {
            Self::Json => "rows",
            Self::Sse => "rows_streamed",
        }
    }
}

pub(super) const LEGACY: &str = "2025-11-25";
pub(super) const MODERN: &str = "2026-07-28";

/// The modern era's part of the params.
const META: &str = concat!(
    r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
    r#""io.modelcontextprotocol/clientCapabilities":{},"#,
    r#""io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}"#
);

/// A call of `form`'s tool for text `number` of `size` bytes.
pub(super) fn call(era: Era, form: Form, id: u64, number: usize, size: usize) -> String {
    let tool = form.tool();
    let meta = match era {
        Era::Legacy => "",
        Era::Modern => META,
    };
    let comma = if meta.is_empty() { "" } else { "," };
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"number":{number},"size":{size}}}{comma}{meta}}}}}"#
    )
}

pub(super) const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;

pub(super) const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// The answer to a call.
pub(super) fn result(id: &str, text: &str) -> String {
    let mut answer = String::with_capacity(text.len() + 160);
    let _ = write!(
        answer,
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete","content":[{{"type":"text","text":"{text}"}}],"isError":false}}}}"#
    );
    answer
}

/// The upstream's answers to everything but a call; `None` for what it does not know.
pub(super) fn other(method: &str, id: &str) -> Option<String> {
    let capabilities = r#""capabilities":{"tools":{}}"#;
    let info = r#"{"name":"bench","version":"1"}"#;
    let result = match method {
        "initialize" => {
            format!(r#"{{"protocolVersion":"{LEGACY}",{capabilities},"serverInfo":{info}}}"#)
        }
        "server/discover" => format!(
            r#"{{"resultType":"complete","supportedVersions":["{MODERN}","{LEGACY}"],{capabilities},"ttlMs":0,"cacheScope":"private","_meta":{{"io.modelcontextprotocol/serverInfo":{info}}}}}"#
        ),
        "tools/list" => {
            let tool = |form: Form| {
                let schema = r#"{"type":"object","properties":{"number":{"type":"integer"},"size":{"type":"integer"}}}"#;
                let name = form.tool();
                format!(r#"{{"name":"{name}","description":"Gives rows","inputSchema":{schema}}}"#)
            };
            let tools = [tool(Form::Json), tool(Form::Sse)].join(",");
            format!(
                r#"{{"resultType":"complete","tools":[{tools}],"ttlMs":0,"cacheScope":"private"}}"#
            )
        }
        _ => return None,
    };
    Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
}
