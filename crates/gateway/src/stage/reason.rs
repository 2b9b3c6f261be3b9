//! What each reason means to a client: HTTP status, JSON-RPC code, and a constant text. Tables only.

use http::StatusCode;
use lockgate_mcp::{answer, code};
use lockgate_model::Reason;

/// Reasons that a tool's caller is told as a result, which is what reaches the model.
pub(super) const fn is_verdict(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::PolicyNoPermit
            | Reason::PolicyForbidden
            | Reason::PolicyError
            | Reason::BudgetSpent
            | Reason::BudgetUnavailable
            | Reason::ApprovalUnavailable
            | Reason::ApprovalPending
            | Reason::ApprovalRejected
            | Reason::ApprovalVoid
            | Reason::PinNew
            | Reason::PinChanged
            | Reason::ServerRequestDenied
            | Reason::CredentialExchangeRefused
            | Reason::TokenUnplaced
            | Reason::RestoreForbidden
            | Reason::CredentialGrantMissing
    )
}

/// Reasons after which nothing more can be read from the connection.
pub(super) const fn closes(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::HttpMalformed
            | Reason::HeadersTooLarge
            | Reason::UriTooLong
            | Reason::BodyTooLarge
            | Reason::BodyTooSlow
            | Reason::Draining
    )
}

/// The HTTP status of a reason.
pub(super) fn status_of(reason: Reason) -> StatusCode {
    use Reason as R;
    match reason {
        R::HttpMalformed | R::ProxyUnclear | R::SessionMissing | R::EraMismatch => {
            StatusCode::BAD_REQUEST
        }
        R::JsonMalformed | R::JsonDuplicateKey | R::JsonLimit => StatusCode::BAD_REQUEST,
        R::RpcInvalid | R::RpcParams | R::HeaderMismatch => StatusCode::BAD_REQUEST,
        R::RevisionUnsupported | R::CapabilityMissing => StatusCode::BAD_REQUEST,
        R::HostForeign | R::OriginForeign => StatusCode::FORBIDDEN,
        R::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        R::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        R::UriTooLong => StatusCode::URI_TOO_LONG,
        R::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        R::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
        R::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        R::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        R::TooMany | R::TooManySessions | R::ApprovalTooMany => StatusCode::TOO_MANY_REQUESTS,
        R::ConnectionUnknown | R::SessionUnknown | R::RpcMethodUnknown => StatusCode::NOT_FOUND,
        R::TokenMissing | R::TokenMalformed | R::TokenHeader | R::TokenKeyUnknown => {
            StatusCode::UNAUTHORIZED
        }
        R::TokenSignature | R::TokenIssuer | R::TokenAudience | R::TokenExpired => {
            StatusCode::UNAUTHORIZED
        }
        R::TokenNotYet | R::TokenLifetime | R::TokenAge | R::TokenClient | R::TokenClaims => {
            StatusCode::UNAUTHORIZED
        }
        R::TokenPin | R::TokenProposed | R::TokenInactive | R::TokenBound => {
            StatusCode::UNAUTHORIZED
        }
        R::GroupsAbsent | R::GroupsOverage | R::GroupsMalformed => StatusCode::UNAUTHORIZED,
        R::AccessRevoked => StatusCode::UNAUTHORIZED,
        // The token is still good: with it, they have to ask again.
        R::ConnectionRevoked | R::GroupsChanged => StatusCode::FORBIDDEN,
        R::RevocationsUnconfirmed => StatusCode::SERVICE_UNAVAILABLE,
        R::Draining | R::IssuerUnavailable | R::CatalogueMissing | R::JournalUnavailable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        R::CredentialUnavailable | R::CredentialMissing | R::CredentialUnreachable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        R::CredentialRefused | R::ChildUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        R::CredentialIssuerUnreachable | R::CredentialIssuerForbidden => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        R::CredentialIssuerRefused | R::CredentialIssuerInvalid => StatusCode::SERVICE_UNAVAILABLE,
        R::CredentialCertificateExpired | R::CredentialCertificateMismatch => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        R::EgressDenied | R::UpstreamUnreachable | R::UpstreamUnauthorized | R::UpstreamInvalid => {
            StatusCode::BAD_GATEWAY
        }
        R::UpstreamTooLarge | R::UpstreamEnded | R::MaskFailed => StatusCode::BAD_GATEWAY,
        R::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        R::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        R::PolicyNoPermit | R::PolicyForbidden | R::PolicyError | R::ApprovalUnavailable => {
            StatusCode::OK
        }
        R::ApprovalPending | R::ApprovalRejected | R::ApprovalVoid => StatusCode::OK,
        R::BudgetSpent | R::BudgetUnavailable => StatusCode::OK,
        R::TargetUnknown | R::PinNew | R::PinChanged | R::ServerRequestDenied => StatusCode::OK,
        R::TokenUnplaced | R::RestoreForbidden => StatusCode::OK,
        R::CredentialExchangeRefused | R::CredentialGrantMissing => StatusCode::OK,
        R::StreamExpired | R::StreamAge => StatusCode::OK,
    }
}

/// The JSON-RPC code of a reason: the protocol's where it has one, else our own, which is 1000 and
/// the HTTP status that comes nearest.
pub(super) fn code_of(reason: Reason) -> i32 {
    match reason {
        Reason::JsonMalformed => code::PARSE,
        Reason::RpcInvalid => code::INVALID,
        Reason::RpcMethodUnknown => code::METHOD,
        Reason::CapabilityMissing => code::CAPABILITY,
        Reason::RpcParams | Reason::TargetUnknown => code::PARAMS,
        Reason::StreamExpired => 1_401,
        _ => match status_of(reason) {
            StatusCode::OK => 1_403,
            status => 1_000 + i32::from(status.as_u16()),
        },
    }
}

/// What a person may read of a reason.
pub(super) const fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::PolicyNoPermit => "no policy permits it",
        Reason::PolicyForbidden => "a policy forbids it",
        Reason::PolicyError => "its policies could not be evaluated",
        Reason::BudgetSpent => "what its policies allow you in a time is used up",
        Reason::BudgetUnavailable => "what its policies allow you in a time can't be counted now",
        Reason::ApprovalUnavailable => "it needs an approval, which can't be asked for",
        Reason::ApprovalPending => "it waits for a person's approval",
        Reason::ApprovalRejected => "a reviewer rejected it",
        Reason::ApprovalVoid => "its approval no longer holds; repeat the call to ask again",
        Reason::ApprovalTooMany => "too many of your calls wait for approval",
        Reason::PinNew => "its definition is new and waits to be accepted",
        Reason::PinChanged => "its definition changed and waits to be accepted",
        Reason::ServerRequestDenied => "the server asked for something that no policy permits",
        Reason::TargetUnknown => answer::UNKNOWN_TARGET,
        Reason::EraMismatch => "this connection's server speaks another era of the protocol",
        Reason::ConnectionUnknown => "not found",
        Reason::ConnectionRevoked => "the connection is closed to everybody for now",
        Reason::RevocationsUnconfirmed => {
            "what was revoked can't be confirmed, so nobody is let in for now"
        }
        Reason::SessionUnknown => "session not found",
        Reason::SessionMissing => "session id missing",
        Reason::TooMany | Reason::TooManySessions => "too many at once",
        Reason::Draining => "shutting down",
        Reason::JournalUnavailable => "nothing can be recorded, so nothing is forwarded",
        Reason::IssuerUnavailable => "tokens can't be verified at the moment",
        Reason::CatalogueMissing => "none of the server's tools is accepted yet",
        Reason::CredentialUnavailable | Reason::CredentialMissing => "the server is not available",
        Reason::CredentialUnreachable | Reason::CredentialRefused | Reason::ChildUnavailable => {
            "the server is not available"
        }
        Reason::CredentialIssuerUnreachable
        | Reason::CredentialIssuerForbidden
        | Reason::CredentialIssuerRefused
        | Reason::CredentialIssuerInvalid
        | Reason::CredentialCertificateExpired
        | Reason::CredentialCertificateMismatch => "the server is not available",
        Reason::CredentialExchangeRefused => {
            "the server's identity provider gives you no access to it"
        }
        Reason::CredentialGrantMissing => "you have not connected your account at the server",
        Reason::EgressDenied | Reason::UpstreamUnreachable => "the server can't be reached",
        Reason::UpstreamTimeout => "the server did not answer in time",
        Reason::UpstreamUnauthorized => "the server refused the gateway's credential",
        Reason::UpstreamInvalid | Reason::UpstreamEnded => "the server gave no valid answer",
        Reason::MaskFailed => "it could not be searched for data to be masked",
        Reason::TokenUnplaced => {
            "a token in the arguments stands for nothing here; read the value again"
        }
        Reason::RestoreForbidden => "no policy lets the value of a token be sent there",
        Reason::UpstreamTooLarge => "the server's answer is too large",
        Reason::StreamExpired => "the token expired",
        Reason::StreamAge => "the stream reached its maximum age",
        Reason::Internal => "internal error",
        Reason::HostForeign | Reason::OriginForeign => "not allowed from there",
        Reason::MethodNotAllowed => "method not allowed",
        Reason::RpcMethodUnknown => "method not found",
        _ => match_class(reason),
    }
}

const fn match_class(reason: Reason) -> &'static str {
    match reason {
        Reason::JsonMalformed | Reason::JsonDuplicateKey | Reason::JsonLimit => "parse error",
        Reason::RpcInvalid | Reason::RpcParams | Reason::HeaderMismatch => "invalid request",
        Reason::CapabilityMissing => "capability not declared",
        Reason::RevisionUnsupported => "unsupported protocol version",
        Reason::HttpMalformed
        | Reason::HeadersTooLarge
        | Reason::UriTooLong
        | Reason::BodyTooLarge
        | Reason::BodyTooSlow
        | Reason::MediaType
        | Reason::NotAcceptable => "bad request",
        _ => "unauthorized",
    }
}
