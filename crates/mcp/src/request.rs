//! The requests that the gateway itself makes of an upstream, when it lists what is there.
//!
//! Never used for a client's call: those are forwarded as they came.

use lockgate_model::{Era, RequestId, Revision};
use serde_json::{Map, Value, json};

use crate::{
    definition::Kind,
    message::{META_CAPABILITIES, META_VERSION},
};

/// `server/discover`, the first request of the modern era.
pub fn discover(id: &RequestId, version: &str) -> Vec<u8> {
    request(id, "server/discover", meta(version))
}

/// `initialize`, the first request of a legacy session, for the newest legacy revision.
pub fn initialize(id: &RequestId, version: &str) -> Vec<u8> {
    let mut params = Map::new();
    params.insert("protocolVersion".to_owned(), Revision::V2025_11_25.as_str().into());
    params.insert("capabilities".to_owned(), json!({}));
    params.insert("clientInfo".to_owned(), client_info(version));
    request(id, "initialize", params)
}

/// `notifications/initialized`, which ends the legacy handshake.
pub fn initialized() -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string().into_bytes()
}

/// One page of a list; the first where there is no cursor.
pub fn list(id: &RequestId, era: Era, kind: Kind, cursor: Option<&str>, version: &str) -> Vec<u8> {
    let mut params = match era {
        Era::Legacy => Map::new(),
        Era::Modern => meta(version),
    };
    if let Some(cursor) = cursor {
        params.insert("cursor".to_owned(), cursor.into());
    }
    request(id, kind.list_method(), params)
}

/// `notifications/cancelled`: the answer to the request with this id is of no use any more.
pub fn cancelled(id: &RequestId) -> Vec<u8> {
    let params = json!({ "requestId": id });
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })
        .to_string()
        .into_bytes()
}

fn request(id: &RequestId, method: &str, params: Map<String, Value>) -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
        .to_string()
        .into_bytes()
}

fn meta(version: &str) -> Map<String, Value> {
    let mut meta = Map::new();
    meta.insert(META_VERSION.to_owned(), Revision::V2026_07_28.as_str().into());
    meta.insert(META_CAPABILITIES.to_owned(), json!({}));
    meta.insert("io.modelcontextprotocol/clientInfo".to_owned(), client_info(version));
    Map::from_iter([("_meta".to_owned(), Value::Object(meta))])
}

fn client_info(version: &str) -> Value {
    json!({ "name": "lockgate", "version": version })
}

#[cfg(test)]
mod tests {
    use lockgate_model::{Era, RequestId};

    use crate::{
        definition::Kind,
        json::JsonLimits,
        message::{Body, Message, parse_client},
    };

    #[test]
    fn every_request_is_one_that_the_gateway_would_accept() {
        let id = RequestId::Number(7);
        for (bytes, method, modern) in [
            (super::discover(&id, "1"), "server/discover", true),
            (super::initialize(&id, "1"), "initialize", false),
            (super::list(&id, Era::Modern, Kind::Tool, Some("c\""), "1"), "tools/list", true),
            (super::list(&id, Era::Legacy, Kind::Prompt, None, "1"), "prompts/list", false),
            (super::initialized(), "notifications/initialized", false),
            (super::cancelled(&id), "notifications/cancelled", false),
        ] {
            let Body::One(message) = parse_client(&bytes, JsonLimits::default()).unwrap() else {
                panic!("one message")
            };
            assert_eq!(message.method(), Some(method));
            assert_eq!(message.protocol_version().is_some(), modern, "{method}");
            let is_request = matches!(message, Message::Request(_));
            assert_eq!(is_request, !method.starts_with("notifications/"), "{method}");
        }
    }
}
