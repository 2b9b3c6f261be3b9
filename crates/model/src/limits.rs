//! The bound on everything: every queue, body, wait and session has its number here.

use serde::{Deserialize, Serialize};

/// Limits of one gateway; a connection may lower or raise the last group for itself.
///
/// Units are the last word of each name. All are per process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limits {
    /// Client connections open at once; further ones wait to be accepted.
    pub connections_max: u32,
    /// Header lines of one request.
    pub headers_max: u32,
    /// All header bytes of one request, request line included.
    pub headers_max_bytes: u32,
    /// The request target.
    pub uri_max_bytes: u32,
    /// A client's whole request head must have come within this time.
    pub header_wait_max_ms: u32,
    /// A client's whole body must have come within this time.
    pub body_wait_max_ms: u32,
    /// An idle keep-alive connection is closed after this time.
    pub idle_max_ms: u32,
    /// On SIGTERM, streams still open after this time are ended.
    pub drain_max_ms: u32,
    /// Nesting of JSON objects and arrays.
    pub json_depth_max: u32,
    /// Keys and array items of one JSON document.
    pub json_items_max: u32,
    /// Requests that one identity may have open at once.
    pub identity_calls_max: u32,
    /// Legacy sessions that one identity may have open at once on one connection.
    pub identity_sessions_max: u32,
    /// A legacy session with no request for this time is ended.
    pub session_idle_max_ms: u32,
    /// A token longer than this is refused before it is looked at.
    pub token_max_bytes: u32,
    /// When it could not be confirmed for this time what is revoked, calls are refused and streams end.
    pub unconfirmed_max_ms: u32,

    /// A client's request body.
    pub request_max_bytes: u32,
    /// One JSON answer, one SSE event, or one line of a stdio child.
    pub answer_max_bytes: u32,
    /// An upstream must have begun its answer within this time.
    pub answer_wait_max_ms: u32,
    /// An upstream connection must be made within this time.
    pub connect_wait_max_ms: u32,
    /// A stream is ended when it is this old, whatever its token says.
    pub stream_age_max_ms: u32,
    /// After a legacy client has gone, its answer is still read and recorded for this time.
    pub orphan_max_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            headers_max: 100,
            headers_max_bytes: 32 * 1024,
            uri_max_bytes: 8 * 1024,
            header_wait_max_ms: 10_000,
            body_wait_max_ms: 30_000,
            idle_max_ms: 120_000,
            drain_max_ms: 30_000,
            json_depth_max: 64,
            json_items_max: 100_000,
            identity_calls_max: 256,
            identity_sessions_max: 64,
            session_idle_max_ms: 3_600_000,
            token_max_bytes: 8 * 1024,
            unconfirmed_max_ms: 10_000,
            request_max_bytes: 4 * 1024 * 1024,
            answer_max_bytes: 16 * 1024 * 1024,
            answer_wait_max_ms: 120_000,
            connect_wait_max_ms: 5_000,
            stream_age_max_ms: 3_600_000,
            orphan_max_ms: 30_000,
        }
    }
}
