//! Why a request of the admin API was refused, as `application/problem+json` (RFC 9457).
//!
//! The one error type of the console, and the one place that says what a client learns. A refused
//! token is told as such, never why; the log has the reason.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use lockgate_model::{ActFault, Reason, Refusal};
use lockgate_store::{
    approvals::ApprovalFault,
    index::{IndexFault, QueryFault},
    journal::JournalFault,
    revocations::RevocationsFault,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::registrar::Declined;

/// The media type of every refusal.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! codes {
    ($($name:ident = $text:literal, $status:ident, $words:literal;)+) => {
        /// A stable code with its status and its words. Codes are never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[doc = $words] $name,)+
        }

        impl Code {
            /// As written in answers.
            pub(crate) const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            const fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)+ }
            }
        }
    };
}

codes! {
    TokenMissing = "token.missing", UNAUTHORIZED, "there is no token";
    TokenRefused = "token.refused", UNAUTHORIZED, "the token is not accepted";
    IssuerUnavailable = "issuer.unavailable", SERVICE_UNAVAILABLE,
        "tokens can't be verified at the moment";
    SignatureRefused = "signature.refused", UNAUTHORIZED, "the signature is not accepted";
    RoleMissing = "role.missing", FORBIDDEN, "a role is missing";
    TooMany = "limit.concurrency", TOO_MANY_REQUESTS, "too many requests are open";
    HttpMalformed = "http.malformed", BAD_REQUEST, "the request can't be read";
    PathUnknown = "path.unknown", NOT_FOUND, "nothing is served at this path";
    MethodNotAllowed = "http.method_not_allowed", METHOD_NOT_ALLOWED,
        "the method is not served at this path";
    UriTooLong = "http.uri_too_long", URI_TOO_LONG, "the request target is too long";
    BodyTooLarge = "http.body_too_large", PAYLOAD_TOO_LARGE, "the body is too large";
    BodyTooSlow = "http.body_too_slow", REQUEST_TIMEOUT, "the body came too slowly";
    MediaType = "http.media_type", UNSUPPORTED_MEDIA_TYPE, "the body must be application/json";
    BodyInvalid = "body.invalid", BAD_REQUEST, "the body is not what this path takes";
    QueryInvalid = "query.invalid", BAD_REQUEST, "a parameter is not what this path takes";
    CursorInvalid = "cursor.invalid", BAD_REQUEST, "the cursor is not one that was given out";
    SessionUnknown = "session.unknown", NOT_FOUND, "there is no such session";
    SessionElsewhere = "session.elsewhere", CONFLICT, "another node recorded the session";
    SessionErased = "session.erased", GONE, "the session was erased";
    ChangeRefused = "change.refused", CONFLICT, "the session is on hold, or still open";
    ChangeUnfinished = "change.unfinished", INTERNAL_SERVER_ERROR,
        "the change is on the record but was not made; ask again";
    CallUnknown = "call.unknown", NOT_FOUND, "there is no such call";
    ApprovalUnknown = "approval.unknown", NOT_FOUND, "there is no such approval";
    ApprovalRefused = "approval.refused", CONFLICT, "it was decided before";
    ApprovalForbidden = "approval.forbidden", FORBIDDEN, "your answer does not count here";
    ApprovalInvalid = "approval.invalid", BAD_REQUEST, "the answer is not one that can be given";
    ApprovalOther = "approval.other", CONFLICT,
        "the approval is about other arguments than those that were read";
    ApprovalsUnavailable = "approvals.unavailable", SERVICE_UNAVAILABLE,
        "the approvals can't be read at the moment";
    AccessUnknown = "access.unknown", NOT_FOUND,
        "no policy lets you ask for access there in this way";
    AccessInvalid = "access.invalid", BAD_REQUEST, "this access can't be had";
    ConnectionUnknown = "connection.unknown", NOT_FOUND, "there is no such connection";
    ConnectionReadOnly = "connection.read_only", CONFLICT,
        "it stands in the configuration file, and is changed there";
    ConnectionInvalid = "connection.invalid", BAD_REQUEST, "this connection can't be served";
    SecretUnknown = "secret.unknown", NOT_FOUND, "there is no such secret";
    SecretInvalid = "secret.invalid", BAD_REQUEST, "this secret can't be sealed";
    VersionUnsaid = "version.unsaid", PRECONDITION_REQUIRED,
        "it is there already; `If-Match` must say which version is changed";
    VersionStale = "version.stale", PRECONDITION_FAILED, "it was changed meanwhile";
    VersionInvalid = "version.invalid", BAD_REQUEST,
        "`If-Match` must be one version in quotes, as `ETag` gives it, or `*`";
    RegistryUnavailable = "registry.unavailable", SERVICE_UNAVAILABLE,
        "what is registered or sealed can't be had at the moment";
    RevocationUnknown = "revocation.unknown", NOT_FOUND, "there is no such revocation";
    RevocationInvalid = "revocation.invalid", BAD_REQUEST, "nobody can be put out in this way";
    RevocationRefused = "revocation.refused", CONFLICT, "it can't be made";
    RevocationsUnavailable = "revocations.unavailable", SERVICE_UNAVAILABLE,
        "what is revoked can't be read or changed at the moment";
    ConnectFailed = "connect.failed", BAD_GATEWAY, "that did not work at the server";
    HeadMissing = "head.missing", NOT_FOUND, "no tree head was signed yet";
    JournalUnavailable = "journal.unavailable", SERVICE_UNAVAILABLE,
        "nothing can be recorded, so nothing is shown";
    JournalBroken = "journal.broken", INTERNAL_SERVER_ERROR,
        "the recording can't be read; `lockgate journal verify` says where";
    IndexUnavailable = "index.unavailable", SERVICE_UNAVAILABLE,
        "the index can't be read at the moment";
    Internal = "console.internal", INTERNAL_SERVER_ERROR, "internal error";
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", code.text())]
pub(crate) struct Problem {
    pub(crate) code: Code,
    /// One sentence for the person who asked; names no secret.
    pub(crate) detail: Cow<'static, str>,
}

/// A refusal as it is written (RFC 9457 §3).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// Always `about:blank`: `code` says what happened.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// A stable code, as in `role.missing`.
    code: &'static str,
    /// One sentence.
    detail: String,
}

impl Problem {
    /// A refusal in words of its own.
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// Why something registered or sealed was not changed, whatever it is.
    pub(crate) fn of_change(why: Declined) -> Self {
        let now = |version| format!("it is in version {version} now");
        match why {
            Declined::Unknown => Code::PathUnknown.into(),
            Declined::ReadOnly(why) => Self::new(Code::ConnectionReadOnly, why),
            Declined::Unfit(why) => Self::new(Code::BodyInvalid, why),
            Declined::Unsaid(version) => {
                let words = Code::VersionUnsaid.words();
                Self::new(Code::VersionUnsaid, format!("{words}; {}", now(version)))
            }
            Declined::Stale(version) => Self::new(Code::VersionStale, now(version)),
            Declined::Away(why) => {
                tracing::error!(%why, "what is registered or sealed can't be had");
                Self::new(Code::RegistryUnavailable, why)
            }
        }
    }

    /// As it is written.
    pub(crate) fn body(&self) -> ProblemBody {
        let status = self.code.status();
        ProblemBody {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: self.code.text(),
            detail: self.detail.clone().into_owned(),
        }
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code, code.words())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        tracing::info!(reason = refusal.reason.code(), detail = &*refusal.detail, "refused");
        match refusal.reason {
            Reason::TokenMissing => Code::TokenMissing,
            Reason::IssuerUnavailable => Code::IssuerUnavailable,
            Reason::HttpMalformed => Code::HttpMalformed,
            Reason::Internal => Code::Internal,
            _ => Code::TokenRefused,
        }
        .into()
    }
}

impl From<JournalFault> for Problem {
    fn from(fault: JournalFault) -> Self {
        tracing::error!(%fault, "the recording can't be read");
        Code::JournalBroken.into()
    }
}

impl From<IndexFault> for Problem {
    fn from(fault: IndexFault) -> Self {
        match fault {
            IndexFault::Page(_) => return Code::CursorInvalid.into(),
            IndexFault::Query(fault) => return fault.into(),
            _ => {}
        }
        tracing::error!(%fault, "the index can't be read");
        Code::IndexUnavailable.into()
    }
}

impl From<ApprovalFault> for Problem {
    fn from(fault: ApprovalFault) -> Self {
        let code = match &fault {
            ApprovalFault::Unknown => return Code::ApprovalUnknown.into(),
            ApprovalFault::Act(act) => match act {
                ActFault::Decided | ActFault::Undecided | ActFault::Standing => {
                    Code::ApprovalRefused
                }
                ActFault::Twice | ActFault::TooMany => Code::ApprovalRefused,
                ActFault::Own | ActFault::NoReviewer | ActFault::NotCaller => {
                    Code::ApprovalForbidden
                }
                ActFault::Reason | ActFault::Until => Code::ApprovalInvalid,
            },
            _ => {
                tracing::error!(%fault, "the approvals can't be read");
                return Code::ApprovalsUnavailable.into();
            }
        };
        Self::new(code, fault.to_string())
    }
}

impl From<RevocationsFault> for Problem {
    fn from(fault: RevocationsFault) -> Self {
        match fault {
            RevocationsFault::Unknown(_) => Code::RevocationUnknown.into(),
            RevocationsFault::Full | RevocationsFault::Reason => {
                Self::new(Code::RevocationRefused, fault.to_string())
            }
            fault => {
                tracing::error!(%fault, "what is revoked can't be read or changed");
                Code::RevocationsUnavailable.into()
            }
        }
    }
}

impl From<QueryFault> for Problem {
    fn from(fault: QueryFault) -> Self {
        Self::new(Code::QueryInvalid, fault.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = axum::Json(self.body()).into_response();
        let status = self.code.status();
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        // RFC 6750 §3.1: without a token no error is named.
        let challenge = match self.code {
            Code::TokenMissing => Some("Bearer"),
            Code::TokenRefused => Some("Bearer error=\"invalid_token\""),
            Code::RoleMissing => Some("Bearer error=\"insufficient_scope\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
