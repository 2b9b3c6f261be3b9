//! Counters for the admin listener. Labels are names from the configuration and codes of our own,
//! never anything that a client or server sent (L6).

use std::sync::atomic::AtomicU64;

use lockgate_model::{Action, ConnectionName, Era, Reason};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The gateway's counters.
pub struct Metrics {
    registry: Registry,
    refused: Family<Refused, Counter>,
    calls: Family<Call, Counter>,
    requests: Counter,
    sessions: Gauge<u64, AtomicU64>,
    break_glass: Family<ByConnection, Counter>,
    channels: Family<Channel, Gauge>,
    excess: Family<Excess, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByConnection {
    connection: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    connection: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    connection: String,
    action: &'static str,
    era: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Excess {
    issuer: String,
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Channel {
    kind: &'static str,
    name: String,
}

impl Metrics {
    /// Counters at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("lockgate");
        let refused = Family::default();
        let calls = Family::default();
        let requests = Counter::default();
        let sessions = Gauge::default();
        let break_glass = Family::default();
        let channels = Family::default();
        let excess = Family::default();
        registry.register("refused", "Requests and calls that did not succeed", refused.clone());
        registry.register("calls", "Messages sent to servers", calls.clone());
        registry.register("requests", "HTTP requests", requests.clone());
        registry.register("sessions", "Open legacy sessions", sessions.clone());
        let help = "Held calls that were sent by break-glass";
        registry.register("break_glass_calls", help, break_glass.clone());
        let help = "Whether people can be told of questions on a channel";
        registry.register("channel_up", help, channels.clone());
        let help = "Calls with a token over a limit that is not enforced";
        registry.register("tokens_over_limit", help, excess.clone());
        Self { registry, refused, calls, requests, sessions, break_glass, channels, excess }
    }

    /// Counts a call whose token is over a limit of its issuer's that is not enforced.
    pub fn token_over(&self, issuer: &str, limit: Reason) {
        let excess = Excess { issuer: issuer.to_owned(), limit: limit.code() };
        self.excess.get_or_create(&excess).inc();
    }

    /// Counts a held call that goes by break-glass.
    pub fn break_glass(&self, connection: &ConnectionName) {
        let connection = connection.to_string();
        self.break_glass.get_or_create(&ByConnection { connection }).inc();
    }

    /// Counts a request.
    pub fn request(&self) {
        self.requests.inc();
    }

    /// Counts a message that is about to be sent.
    pub fn call(&self, connection: &ConnectionName, action: &Action, era: Era) {
        let era = match era {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        };
        let connection = connection.to_string();
        self.calls.get_or_create(&Call { connection, action: action.kind(), era }).inc();
    }

    /// Counts a call that did not succeed.
    pub fn refused(&self, connection: &ConnectionName, reason: Reason) {
        self.refused_request(Some(connection), reason);
    }

    /// Counts a request that was refused.
    pub fn refused_request(&self, connection: Option<&ConnectionName>, reason: Reason) {
        let connection = connection.map(ToString::to_string).unwrap_or_default();
        self.refused.get_or_create(&Refused { connection, reason: reason.code() }).inc();
    }

    /// Notes how many legacy sessions are open.
    pub fn sessions(&self, open: usize) {
        self.sessions.set(open as u64);
    }

    /// Notes whether people can be told of questions on a channel.
    pub fn channel(&self, kind: &'static str, name: &str, up: bool) {
        let channel = Channel { kind, name: name.to_owned() };
        self.channels.get_or_create(&channel).set(up.into());
    }

    /// All of it in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
