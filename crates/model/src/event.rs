//! What the journal keeps: one value an event, without credentials by construction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{Digest, Era, Reason, RequestId, Revocation, Timestamp, Verdict};

/// The fact that a credential stands in a call's arguments, which are recorded without it.
pub const SECRET_IN_ARGUMENTS: &str = "secret.in_arguments";

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
    /// A session began; the first event that names it.
    Opened(Box<OpenedEvent>),
    /// A session ended; no later event names it.
    Closed {
        /// The session.
        session: String,
        /// Why, in one word or two.
        why: String,
    },
    /// A call was decided; durable before anything is forwarded.
    Intent(Box<IntentEvent>),
    /// The upstream did nothing with a call, which is about to be sent once more with another token.
    Resent(ResentEvent),
    /// One message of a stream, as the client is about to see it.
    Message(Box<MessageEvent>),
    /// The end of a call, as the client is about to see it.
    Outcome(Box<OutcomeEvent>),
    /// Tool definitions were seen, accepted or found changed.
    Pins {
        /// The connection.
        connection: String,
        /// What changed, in one sentence.
        summary: String,
    },
    /// Something happened to an approval.
    Approval(Box<ApprovalEvent>),
    /// Somebody looked at recorded content.
    Viewed(ViewedEvent),
    /// Somebody changed what is kept of the recording; on record before it takes effect.
    Kept(KeptEvent),
    /// Somebody changes the vault; on record before it takes effect.
    Vault(VaultEvent),
    /// Somebody changes what is registered; on record before it takes effect.
    Connections(ConnectionsEvent),
    /// Somebody takes access away, or gives it back; on record before it takes effect.
    Revocations(RevocationsEvent),
    /// An identity provider changes who is in which group; on record before it takes effect.
    Directory(DirectoryEvent),
}

impl Event {
    /// The session that the event belongs to. Its content is sealed under that session's key, and
    /// goes with it when the session is erased.
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Opened(opened) => Some(&opened.session),
            Self::Closed { session, .. } => Some(session),
            Self::Intent(intent) => intent.session.as_deref(),
            Self::Resent(resent) => resent.session.as_deref(),
            Self::Message(message) => message.session.as_deref(),
            Self::Outcome(outcome) => outcome.session.as_deref(),
            Self::Approval(approval) => approval.session.as_deref(),
            Self::Started { .. }
            | Self::Snapshot { .. }
            | Self::Refused(_)
            | Self::Pins { .. }
            | Self::Viewed(_)
            | Self::Kept(_)
            | Self::Vault(_)
            | Self::Connections(_)
            | Self::Revocations(_)
            | Self::Directory(_) => None,
        }
    }
}

/// Who begins to do what, where. A session is what one identity did with one client on one
/// connection: legacy, one MCP session; modern, calls with less than 15 idle minutes between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedEvent {
    /// The session's id, minted by the gateway.
    pub session: String,
    /// Issuer's short name.
    pub issuer: String,
    /// The token's subject.
    pub subject: String,
    /// The OAuth client.
    pub client: Option<String>,
    /// Qualified group names.
    pub groups: Vec<String>,
    /// The connection.
    pub connection: String,
    /// Era of its first message.
    pub era: Era,
}

/// A call is sent once more, by the same intent: the upstream answered its first try with 401.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResentEvent {
    /// The call.
    pub call: String,
    /// The caller's session.
    pub session: Option<String>,
    /// Why the first try brought nothing.
    pub reason: Reason,
}

/// One step of an approval. What people say is on record before it takes effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalEvent {
    /// The approval.
    pub approval: String,
    /// The call that asks, or that uses it.
    pub call: String,
    /// The caller's session, where the gateway itself says it.
    pub session: Option<String>,
    /// Who: `issuer/subject`, or `gateway`.
    pub by: String,
    /// What.
    pub step: ApprovalStep,
}

/// What happens to an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStep {
    /// A call asked for it.
    Asked {
        /// Qualified names of the groups that are asked.
        groups: Vec<String>,
        /// Different people of each.
        quorum: u32,
        /// The policies that hold the call.
        policies: Vec<String>,
        /// When the question lapses.
        answer_by: Timestamp,
    },
    /// A person says yes.
    Approve {
        /// Only up to here.
        until: Option<Timestamp>,
    },
    /// A person says no.
    Reject {
        /// Why.
        reason: String,
    },
    /// Somebody asks for access for a window of time, or takes it in an emergency.
    Access {
        /// Where.
        connection: String,
        /// The tool; empty for all of the connection.
        target: String,
        /// The window, and why.
        access: crate::Access,
        /// Qualified names of the groups that are asked, before or after.
        groups: Vec<String>,
        /// Different people of each.
        quorum: u32,
        /// The policies that it is about.
        policies: Vec<String>,
    },
    /// Its caller takes it back.
    Withdraw,
    /// A call goes by access that is in force; it is sent after this is durable.
    Used {
        /// The policies that permit the call with it.
        policies: Vec<String>,
        /// The version that decided.
        snapshot: Digest,
        /// Whether it was taken without asking before.
        emergency: bool,
    },
    /// The grant is used; the call is sent after this is durable.
    Spent {
        /// The policies that permit the call with it.
        policies: Vec<String>,
        /// The version that decided.
        snapshot: Digest,
    },
    /// It no longer holds.
    Void {
        /// Why.
        why: String,
    },
    /// Its time passed.
    Expired,
}

/// A look at the recording, by someone who is not the caller that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewedEvent {
    /// Who looked: `issuer/subject`, or `local:user` for someone on the machine itself.
    pub by: String,
    /// How: `show`, `replay`, `tail`, `search`, `export`, `bundle`; `backup` and `restore` of the whole.
    pub how: String,
    /// The session, where it was one.
    pub viewed: Option<String>,
    /// What was asked for, in one sentence.
    pub detail: String,
}

/// A change of what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptEvent {
    /// Who: `issuer/subject`, `local:user`, or `retention` for the configured rule.
    pub by: String,
    /// What.
    pub change: KeptChange,
    /// Why, in the words of whoever did it.
    pub reason: String,
}

/// What changes in what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptChange {
    /// The session's key is destroyed; nothing of its content can be read again.
    Erase {
        /// The session.
        session: String,
    },
    /// The session, and the segments that hold it, are kept whatever retention says.
    Hold {
        /// The session.
        session: String,
    },
    /// The hold ends.
    Release {
        /// The session.
        session: String,
    },
    /// The records up to this one are removed.
    Retire {
        /// The last record that goes.
        through_seq: u64,
        /// Hash of that record, so that the rest still follows something.
        hash: Digest,
    },
}

/// A change of the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultEvent {
    /// Who: `issuer/subject`, or `local:user`.
    pub by: String,
    /// What.
    pub change: VaultChange,
}

/// What changes in the vault. Names only; a value is in no record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultChange {
    /// A secret gets a value: its first, or another one.
    Set {
        /// The secret.
        secret: String,
        /// The version that it gets.
        version: u64,
        /// The one connection that may use it; any where absent.
        connection: Option<String>,
    },
    /// A secret goes.
    Remove {
        /// The secret.
        secret: String,
        /// Its last version.
        version: u64,
    },
    /// From now on another key seals, and everything is wrapped under it.
    RotateKey {
        /// The id of the key before.
        from: String,
        /// The id of the key that seals.
        to: String,
    },
    /// A key that nothing is sealed under any more goes.
    ForgetKey {
        /// Its id.
        key: String,
    },
    /// A user lets the gateway act for them at a connection's server.
    Connect {
        /// The connection.
        connection: String,
        /// The user, as `issuer/subject`.
        user: String,
    },
    /// What a user let the gateway do at a connection's server is over.
    Disconnect {
        /// The connection.
        connection: String,
        /// The user, as `issuer/subject`.
        user: String,
    },
    /// A change that was put on the record just before did not take effect.
    Failed {
        /// Why.
        why: String,
    },
}

/// A change of the registered connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionsEvent {
    /// Who: `issuer/subject`, or `local:user`.
    pub by: String,
    /// What.
    pub change: ConnectionsChange,
}

/// What changes in what is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionsChange {
    /// All of these together.
    Made(Vec<ConnectionVersion>),
    /// A change that was put on the record just before did not take effect.
    Failed {
        /// Why.
        why: String,
    },
}

/// The next version of one registered connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionVersion {
    /// The connection.
    pub connection: String,
    /// The version that it gets.
    pub version: u64,
    /// Its settings, in which secrets stand by reference alone; absent where it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
}

/// Access taken away, or given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationsEvent {
    /// Who: `issuer/subject`, `local:user`, or the identity provider that told of it.
    pub by: String,
    /// What.
    pub change: RevocationsChange,
}

/// What changes in who is let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationsChange {
    /// All of these together.
    Revoked(Vec<Revocation>),
    /// One counts no more.
    Lifted {
        /// Its id.
        id: String,
        /// Why.
        reason: String,
    },
    /// A change that was put on the record just before did not take effect.
    Failed {
        /// Why.
        why: String,
    },
}

/// People and groups as an identity provider tells of them (SCIM 2.0).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryEvent {
    /// Who: `scim:` and the issuer's short name.
    pub by: String,
    /// What.
    pub change: DirectoryChange,
}

/// What changes in who there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectoryChange {
    /// A person. Whether they are out, a revocation beside it says.
    User {
        /// The id under which the provider was told to find them.
        id: String,
        /// As tokens name them.
        subject: String,
        /// Whether there is one from now on.
        stays: bool,
    },
    /// A group.
    Group {
        /// The id under which the provider was told to find it.
        id: String,
        /// As tokens name it.
        name: String,
        /// Whether there is one from now on.
        stays: bool,
        /// Who is in it from now on: ids of people.
        joined: Vec<String>,
        /// Who is not any more.
        left: Vec<String>,
    },
    /// A change that was put on the record just before did not take effect.
    Failed {
        /// Why.
        why: String,
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
    /// When the token was issued, as it says; `None` for the gateway's own calls, and in records of
    /// versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_issued_at: Option<Timestamp>,
    /// The connection.
    pub connection: String,
    /// The session; `None` for the gateway's own calls.
    pub session: Option<String>,
    /// The legacy session's id on the wire, as a digest.
    pub mcp_session: Option<Digest>,
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
    /// Where tokens in the arguments became values before the call was judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restored: Vec<RestoredValue>,
    /// What the arguments would do, as hierarchical labels; and [`SECRET_IN_ARGUMENTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// The verdict with the deciding policies.
    pub verdict: Verdict,
    /// The Snapshot that decided.
    pub snapshot: Digest,
}

/// One message of a stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessageEvent {
    /// The intent it belongs to.
    pub call: String,
    /// The session of that intent.
    pub session: Option<String>,
    /// Its length in bytes.
    pub bytes: u64,
    /// Digest of its bytes.
    pub body_digest: Digest,
    /// The JSON-RPC message, byte for byte; `None` where it is large and kept apart, under its
    /// digest.
    pub body: Option<Box<RawValue>>,
}

/// How a call ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutcomeEvent {
    /// The intent it belongs to.
    pub call: String,
    /// The session of that intent.
    pub session: Option<String>,
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
    /// What was masked: how many times each data class was.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub masked: BTreeMap<String, u32>,
    /// The answer, where it is one JSON document; messages of a stream stand in their own events.
    /// `None` with a digest where it is large and kept apart.
    pub body: Option<Box<RawValue>>,
}

/// A value that was put back in place of its token; never the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredValue {
    /// Its data class.
    pub class: String,
    /// Where in the arguments: a JSON pointer (RFC 6901), and more of them for JSON within strings.
    pub pointer: String,
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
        let digest = "0".repeat(64);
        let text = format!(
            r#"{{"message":{{"call":"c1","session":"s1","bytes":47,"body_digest":"{digest}","body":{{"n":1.0,"big":9007199254740993,"e":1E400}}}}}}"#
        );
        let event: Event = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        let Event::Message(message) = event else { panic!("a message") };
        let body = message.body.unwrap();
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
