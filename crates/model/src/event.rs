//! What the journal keeps: one value an event, without credentials by construction.

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{Digest, Era, Reason, RequestId, Verdict};

/// One record of the journal. The journal itself adds sequence number, time and chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The process started; the first event of every run.
    Started {
        /// Product version.
        version: String,
        /// Bytes of a torn tail that were dropped on start; 0 after a clean stop.
        torn_bytes: u64,
    },
    /// A new Snapshot came into force, or was refused.
    Snapshot {
        /// Its version, named by every later intent.
        version: Digest,
        /// What changed, in one sentence.
        summary: String,
    },
    /// A request was refused before it became a call.
    Refused(RefusalEvent),
    /// A call was decided; durable before anything is forwarded.
    Intent(Box<IntentEvent>),
    /// One message of a stream, as the client is about to see it.
    Message {
        /// The intent it belongs to.
        call: String,
        /// The JSON-RPC message, byte for byte.
        body: Box<RawValue>,
    },
    /// The end of a call, as the client is about to see it.
    Outcome(Box<OutcomeEvent>),
    /// Tool definitions were seen, accepted or found changed.
    Pins {
        /// The connection.
        connection: String,
        /// What changed, in one sentence.
        summary: String,
    },
}

/// A request that never became a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalEvent {
    /// The request's own id, minted by the gateway.
    pub request: String,
    /// Address of the peer.
    pub peer: String,
    /// The connection, where the path named one.
    pub connection: Option<String>,
    /// Issuer and subject, where the token was good.
    pub identity: Option<String>,
    /// The stable code.
    pub reason: Reason,
    /// One sentence; control characters escaped, at most 512 bytes.
    pub detail: String,
}

/// A decided call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntentEvent {
    /// The call's id, minted by the gateway; outcome and messages name it.
    pub call: String,
    /// W3C trace id.
    pub trace: String,
    /// Address of the peer.
    pub peer: String,
    /// Issuer's short name.
    pub issuer: String,
    /// The token's subject.
    pub subject: String,
    /// The OAuth client.
    pub client: Option<String>,
    /// Qualified group names.
    pub groups: Vec<String>,
    /// Digest of the token's claims, never the token.
    pub token: Digest,
    /// The connection.
    pub connection: String,
    /// The legacy session, as a digest of its id.
    pub session: Option<Digest>,
    /// Era of the message.
    pub era: Era,
    /// JSON-RPC id.
    pub id: Option<RequestId>,
    /// JSON-RPC method.
    pub method: String,
    /// Kind of action.
    pub action: String,
    /// Tool, resource, prompt or task.
    pub target: String,
    /// The arguments, numbers digit for digit.
    pub arguments: Value,
    /// Digest of the canonical arguments.
    pub arguments_digest: Digest,
    /// Digest of the exact bytes of the request's body.
    pub body_digest: Digest,
    /// The pinned definition that it was decided on.
    pub definition: Option<Digest>,
    /// The verdict with the deciding policies.
    pub verdict: Verdict,
    /// The Snapshot that decided.
    pub snapshot: Digest,
}

/// How a call ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutcomeEvent {
    /// The intent it belongs to.
    pub call: String,
    /// How it ended.
    pub status: OutcomeStatus,
    /// Why, where it did not end well.
    pub reason: Option<Reason>,
    /// Microseconds from the first byte of the request to this event.
    pub elapsed_us: u64,
    /// Bytes of answer that the client is about to see in this event.
    pub bytes: u64,
    /// Digest of these bytes.
    pub body_digest: Option<Digest>,
    /// The answer, where it is one JSON document; messages of a stream stand in their own events.
    pub body: Option<Box<RawValue>>,
}

/// The end of a call in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeStatus {
    /// The upstream answered with a result.
    Result,
    /// The upstream answered with an error, or a tool result marked as one.
    Error,
    /// A notification or response that has no answer.
    Accepted,
    /// Lockgate refused it.
    Refused,
    /// The client left, and in its era that cancels.
    Cancelled,
    /// The stream was ended by the gateway.
    Cut,
    /// The upstream failed; whether the call ran is not known.
    Failed,
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::Event;
    use crate::RequestId;

    #[test]
    fn bodies_and_numbers_come_back_digit_for_digit() {
        let text = r#"{"message":{"call":"c1","body":{"n":1.0,"big":9007199254740993,"e":1E400}}}"#;
        let event: Event = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        let Event::Message { body, .. } = event else { panic!("a message") };
        let again: Box<RawValue> = serde_json::from_str(body.get()).unwrap();
        assert_eq!(again.get(), body.get());
    }

    #[test]
    fn ids_are_whole_numbers_or_text() {
        for (text, id) in [("7", RequestId::Number(7)), ("\"7\"", RequestId::Text("7".into()))] {
            assert_eq!(serde_json::from_str::<RequestId>(text).unwrap(), id);
            assert_eq!(serde_json::to_string(&id).unwrap(), text);
        }
        for bad in ["1.5", "null", "[1]", "9223372036854775808"] {
            assert!(serde_json::from_str::<RequestId>(bad).is_err(), "{bad}");
        }
    }
}
