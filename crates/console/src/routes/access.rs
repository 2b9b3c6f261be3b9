//! `POST /approvals/access` and `/approvals/break-glass`: access for a window of time. What came of it
//! is an approval like any other: listed, shown, answered and withdrawn as one.

use axum::{Json, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::approvals::{ApprovalView, view};
use crate::{
    access::{self, Wanted},
    gate::Somebody,
    problem::{Problem, ProblemBody},
    query::Asked,
};

/// For how long access is wanted to what, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    /// The connection.
    connection: String,
    /// Only this tool; all of the connection where absent.
    tool: Option<String>,
    /// For so long from now, in milliseconds; the policies say how long that may be.
    #[schema(minimum = 1)]
    for_ms: u64,
    /// Why; those who are asked read it.
    #[schema(min_length = 1, max_length = 512)]
    reason: String,
}

/// Asks for access: those whom the policies name must approve it before it is in force.
#[utoipa::path(post, path = "/approvals/access", operation_id = "request_access", tag = "approvals", request_body = Window,
    responses((status = 201, body = ApprovalView), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn request(
    somebody: Somebody,
    Asked(window): Asked<Window>,
) -> Result<(StatusCode, Json<ApprovalView>), Problem> {
    ask(&somebody, window, false).await
}

/// Takes access in an emergency, where the policies let the caller: it is in force at once, everybody
/// who is told of questions is told of it, and people must look at it afterwards.
#[utoipa::path(post, path = "/approvals/break-glass", operation_id = "break_glass", tag = "approvals", request_body = Window,
    responses((status = 201, body = ApprovalView), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn break_glass(
    somebody: Somebody,
    Asked(window): Asked<Window>,
) -> Result<(StatusCode, Json<ApprovalView>), Problem> {
    ask(&somebody, window, true).await
}

async fn ask(
    somebody: &Somebody,
    window: Window,
    emergency: bool,
) -> Result<(StatusCode, Json<ApprovalView>), Problem> {
    let Window { connection, tool, for_ms, reason } = window;
    let wanted = Wanted { connection, tool, for_ms, reason, emergency };
    let approval = access::request(&somebody.0, wanted).await?;
    Ok((StatusCode::CREATED, Json(view(approval, somebody))))
}
