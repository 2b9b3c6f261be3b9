//! Why a request was refused: one stable code a cause, and words that are safe to show.
//!
//! The code goes into the record, the log and the metrics. What the client may learn is decided in
//! one place, the gateway's respond stage, from the code alone.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// A stable reason code. Codes are never renamed; new ones may be added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl Reason {
            /// Every reason, in the order of the stages that give them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as written in records, logs and metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

reasons! {
    // accept
    /// The HTTP framing could be read in two ways, or a header breaks RFC 9110.
    HttpMalformed = "http.malformed",
    /// A trusted proxy says of whom a request is in a way that can't be read.
    ProxyUnclear = "http.proxy_unclear",
    /// The `Host` header names no configured public host.
    HostForeign = "http.host_foreign",
    /// The `Origin` header names no allowed origin.
    OriginForeign = "http.origin_foreign",
    /// The HTTP method is not served here.
    MethodNotAllowed = "http.method_not_allowed",
    /// The request's headers exceed a limit.
    HeadersTooLarge = "http.headers_too_large",
    /// The request target exceeds its limit.
    UriTooLong = "http.uri_too_long",
    /// The request's body exceeds its limit.
    BodyTooLarge = "http.body_too_large",
    /// The body came too slowly.
    BodyTooSlow = "http.body_too_slow",
    /// The body's media type or content coding is not accepted.
    MediaType = "http.media_type",
    /// The `Accept` header leaves no shape in which to answer.
    NotAcceptable = "http.not_acceptable",
    /// More requests at once than the limits allow.
    TooMany = "limit.concurrency",
    /// More sessions than the limits allow.
    TooManySessions = "limit.sessions",
    /// The gateway is shutting down.
    Draining = "gateway.draining",
    // authenticate
    /// No token was sent.
    TokenMissing = "token.missing",
    /// The `Authorization` header is not one Bearer token (RFC 6750 §2.1).
    TokenMalformed = "token.malformed",
    /// The token's header names an algorithm, type, critical or key parameter that is not allowed.
    TokenHeader = "token.header",
    /// No usable key of the issuer has this key id.
    TokenKeyUnknown = "token.key_unknown",
    /// The signature does not verify.
    TokenSignature = "token.signature",
    /// The issuer is not one of the connection's.
    TokenIssuer = "token.issuer",
    /// The token is for another audience.
    TokenAudience = "token.audience",
    /// The token is past its `exp`, or has none.
    TokenExpired = "token.expired",
    /// The token is not valid yet (`nbf`, `iat`).
    TokenNotYet = "token.not_yet_valid",
    /// `exp - iat` is longer than the issuer's `max_token_lifetime`.
    TokenLifetime = "token.lifetime",
    /// `now - iat` is longer than the issuer's `max_token_age`.
    TokenAge = "token.age",
    /// The client is not one of the issuer's allowed clients.
    TokenClient = "token.client",
    /// A claim that the issuer's tokens must carry is absent, or has another value.
    TokenPin = "token.pin",
    /// The token's job runs what somebody proposed, from a pull request or a fork.
    TokenProposed = "token.proposed",
    /// A claim has a shape that can't be relied on.
    TokenClaims = "token.claims",
    /// The issuer says that the token is no good (any more).
    TokenInactive = "token.inactive",
    /// The token is bound to a key (`cnf`) whose proof was not sent.
    TokenBound = "token.bound",
    /// What the permits allow in a time is used up.
    BudgetSpent = "policy.budget",
    /// What was used of a budget can't be counted.
    BudgetUnavailable = "budget.unavailable",
    /// Somebody took this access away.
    AccessRevoked = "access.revoked",
    /// Somebody is no longer in a group that they were let in with.
    GroupsChanged = "groups.changed",
    /// The groups claim is absent.
    GroupsAbsent = "groups.absent",
    /// The issuer left the groups out because there are too many (`_claim_names`, `hasgroups`).
    GroupsOverage = "groups.overage",
    /// The groups claim is not a list of names.
    GroupsMalformed = "groups.malformed",
    /// The issuer's keys, or its word on a token, can't be had, so nothing can be verified.
    IssuerUnavailable = "issuer.unavailable",
    /// What was revoked can't be confirmed, so nobody is let in.
    RevocationsUnconfirmed = "revocations.unconfirmed",
    // resolve
    /// Somebody closed the connection to everybody.
    ConnectionRevoked = "connection.revoked",
    /// No connection answers at this path.
    ConnectionUnknown = "connection.unknown",
    /// The connection's tools are not known yet, so nothing can be decided.
    CatalogueMissing = "connection.catalogue_missing",
    /// The session is unknown, ended, or another identity's.
    SessionUnknown = "session.unknown",
    /// The session id is missing where the protocol needs one.
    SessionMissing = "session.missing",
    // parse
    /// The body is not one strict JSON document.
    JsonMalformed = "json.malformed",
    /// Two object keys are, or could be read as, the same.
    JsonDuplicateKey = "json.duplicate_key",
    /// The JSON is deeper or has more parts than the limits allow.
    JsonLimit = "json.limit",
    /// The document is no JSON-RPC message that this era allows.
    RpcInvalid = "rpc.invalid",
    /// The method is unknown in this era.
    RpcMethodUnknown = "rpc.method_unknown",
    /// The parameters do not have the shape that the method needs.
    RpcParams = "rpc.params",
    /// Mirrored headers and body disagree.
    HeaderMismatch = "rpc.header_mismatch",
    /// The protocol revision is not served.
    RevisionUnsupported = "rpc.revision_unsupported",
    /// The client did not declare the capability that its request needs.
    CapabilityMissing = "rpc.capability_missing",
    /// The message speaks the era that the upstream does not.
    EraMismatch = "rpc.era_mismatch",
    // judge
    /// No policy permits it.
    PolicyNoPermit = "policy.no_permit",
    /// A policy forbids it.
    PolicyForbidden = "policy.forbidden",
    /// A policy could not be evaluated.
    PolicyError = "policy.error",
    /// A policy holds the call for approval, and approvals can't be asked for.
    ApprovalUnavailable = "approval.unavailable",
    /// The call waits for a person's approval.
    ApprovalPending = "approval.pending",
    /// A person refused to approve the call.
    ApprovalRejected = "approval.rejected",
    /// The approval does not hold for what the call would be now.
    ApprovalVoid = "approval.void",
    /// The caller has too many calls waiting for approval.
    ApprovalTooMany = "approval.too_many",
    /// The tool, prompt or resource does not exist, or not for this caller.
    TargetUnknown = "target.unknown",
    /// The definition is new and nobody accepted it.
    PinNew = "pin.new",
    /// The definition changed since it was accepted.
    PinChanged = "pin.changed",
    /// A request from the server to the client that no policy permits.
    ServerRequestDenied = "server_request.denied",
    // record
    /// The journal can't be written, so nothing is forwarded.
    JournalUnavailable = "journal.unavailable",
    // arm, send
    /// The credential for the upstream can't be had.
    CredentialUnavailable = "credential.unavailable",
    /// No secret of this name is sealed in the vault.
    CredentialMissing = "credential.missing",
    /// The vault can't be asked for the credential.
    CredentialUnreachable = "credential.unreachable",
    /// The vault's secret is not for this connection, or does not open.
    CredentialRefused = "credential.refused",
    /// The authorization server can't be asked for a token.
    CredentialIssuerUnreachable = "credential.issuer_unreachable",
    /// The authorization server stands where the gateway may not connect to.
    CredentialIssuerForbidden = "credential.issuer_forbidden",
    /// The authorization server refused to give a token.
    CredentialIssuerRefused = "credential.issuer_refused",
    /// The authorization server gives no token in exchange for this caller's.
    CredentialExchangeRefused = "credential.exchange_refused",
    /// What the authorization server answered can't be used.
    CredentialIssuerInvalid = "credential.issuer_invalid",
    /// The caller has not let the gateway act for them at the upstream, or took it back.
    CredentialGrantMissing = "credential.grant_missing",
    /// The client certificate has expired, or is not valid yet.
    CredentialCertificateExpired = "credential.certificate_expired",
    /// The key does not belong to the client certificate.
    CredentialCertificateMismatch = "credential.certificate_mismatch",
    /// The upstream's address is not allowed.
    EgressDenied = "egress.denied",
    /// The upstream can't be reached.
    UpstreamUnreachable = "upstream.unreachable",
    /// The upstream did not answer in time.
    UpstreamTimeout = "upstream.timeout",
    /// The upstream refused the gateway's credential.
    UpstreamUnauthorized = "upstream.unauthorized",
    /// The upstream answered with something that is no MCP answer.
    UpstreamInvalid = "upstream.invalid",
    /// The upstream's answer exceeds a limit.
    UpstreamTooLarge = "upstream.too_large",
    /// The upstream ended the stream without a final answer.
    UpstreamEnded = "upstream.ended",
    /// The stdio child can't be started, or crashed too often.
    ChildUnavailable = "child.unavailable",
    // answer
    /// The answer could not be searched to its end for what must be masked.
    MaskFailed = "mask.failed",
    /// A token in the arguments can't become a value: it stands for nothing here, or a header mirrors it.
    TokenUnplaced = "mask.token",
    /// No policy lets the caller send the value of a token there.
    RestoreForbidden = "mask.restore",
    // streams
    /// The token expired while a stream was open.
    StreamExpired = "stream.expired",
    /// The stream reached its maximum age.
    StreamAge = "stream.age",
    /// Something failed inside the gateway; the call was refused.
    Internal = "gateway.internal",
}

/// A refused request: the reason, and one sentence for the record and the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", reason.code())]
pub struct Refusal {
    /// The stable code.
    pub reason: Reason,
    /// For the record and the log. It reaches the client only where the reason's answer shows it,
    /// so it names no secret and quotes no credential.
    pub detail: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with its one-sentence detail.
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Reason;

    #[test]
    fn codes_are_distinct_and_serialize_as_written() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let json = serde_json::to_string(reason).unwrap();
            assert_eq!(json, format!("\"{}\"", reason.code()));
        }
    }
}
