//! Why something was not done, as SCIM says it (RFC 7644 §3.12).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use lockgate_store::directory::DirectoryFault;
use serde_json::json;

use super::MEDIA_TYPE;
use crate::problem::Problem;

/// A request that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(super) status: StatusCode,
    /// `scimType`, where there is a word.
    pub(super) kind: Option<&'static str>,
    /// One sentence for whoever asked; names no secret.
    pub(super) detail: String,
}

impl Fault {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, kind: None, detail: detail.into() }
    }

    fn bad(kind: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: Some(kind), ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    /// The body is not what it should be.
    pub(super) fn syntax(detail: impl Into<String>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    /// A value is missing, or not one that can be had.
    pub(super) fn value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    /// A filter that can't be read.
    pub(super) fn filter(detail: impl Into<String>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    /// A path that can't be read.
    pub(super) fn path(detail: impl Into<String>) -> Self {
        Self::bad("invalidPath", detail)
    }

    /// Nothing stands where something was to be changed.
    pub(super) fn target(detail: impl Into<String>) -> Self {
        Self::bad("noTarget", detail)
    }

    /// It may not be written.
    pub(super) fn mutability(detail: impl Into<String>) -> Self {
        Self::bad("mutability", detail)
    }

    /// There is nothing of this name.
    pub(super) fn unknown() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing here")
    }

    /// It is not served in this way.
    pub(super) fn method() -> Self {
        let detail = "the method is not served at this path";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
    }

    /// Whether somebody else changed it meanwhile, so that it can be tried on what there is now.
    pub(super) fn is_stale(&self) -> bool {
        self.status == StatusCode::CONFLICT && self.kind.is_none()
    }

    /// It can't be done at the moment.
    pub(super) fn away() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "it can't be done at the moment; ask again")
    }
}

impl From<DirectoryFault> for Fault {
    fn from(fault: DirectoryFault) -> Self {
        let detail = fault.to_string();
        match fault {
            DirectoryFault::Stale => Self::new(StatusCode::CONFLICT, detail),
            DirectoryFault::Taken(_) => {
                Self { kind: Some("uniqueness"), ..Self::new(StatusCode::CONFLICT, detail) }
            }
            DirectoryFault::Member(_) => Self::value(detail),
            DirectoryFault::Full => Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail),
            fault => {
                tracing::error!(%fault, "people and groups can't be read or changed");
                Self::away()
            }
        }
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        tracing::error!(%problem, "what a provider told did not take effect");
        Self::away()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.as_u16().to_string(),
            "detail": self.detail,
        });
        if let (Some(kind), Some(body)) = (self.kind, body.as_object_mut()) {
            body.insert("scimType".to_owned(), kind.into());
        }
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        let (name, value) = match self.status {
            StatusCode::UNAUTHORIZED => (header::WWW_AUTHENTICATE, "Bearer"),
            StatusCode::SERVICE_UNAVAILABLE => (header::RETRY_AFTER, "5"),
            StatusCode::TOO_MANY_REQUESTS => (header::RETRY_AFTER, "60"),
            _ => return response,
        };
        headers.insert(name, HeaderValue::from_static(value));
        response
    }
}
