//! `POST /sessions/{id}/hold`, `/release` and `/erase`: what an admin changes in what is kept.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    change::{self, Change},
    gate::Admin,
    problem::{Code, Problem, ProblemBody},
    query::{Asked, SessionId},
};

/// Characters of a reason.
const REASON_MAX: usize = 512;

/// Why something is done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    /// In the words of whoever does it; stands in the record.
    #[schema(
        min_length = 1,
        max_length = 512,
        pattern = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
    )]
    reason: String,
}

/// A change that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// The session.
    session: String,
    /// `hold`, `release` or `erase`.
    change: &'static str,
    /// The record that says so. Lists show the change once the index has come that far.
    seq: u64,
}

/// Keeps a session, and the segments that hold it, whatever retention says.
#[utoipa::path(post, path = "/sessions/{id}/hold", operation_id = "hold_session", tag = "kept", request_body = Why,
    params(("id" = String, Path, pattern = "^s[0-9a-f]{32}$", description = "The session's id")),
    responses((status = 200, body = Receipt), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn hold(
    admin: Admin,
    session: SessionId,
    why: Asked<Why>,
) -> Result<Json<Receipt>, Problem> {
    make(admin, Change::Hold, session, why).await
}

/// Ends the hold on a session.
#[utoipa::path(post, path = "/sessions/{id}/release", operation_id = "release_session", tag = "kept", request_body = Why,
    params(("id" = String, Path, pattern = "^s[0-9a-f]{32}$", description = "The session's id")),
    responses((status = 200, body = Receipt), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn release(
    admin: Admin,
    session: SessionId,
    why: Asked<Why>,
) -> Result<Json<Receipt>, Problem> {
    make(admin, Change::Release, session, why).await
}

/// Destroys a session's key: nothing of its content can be read again. Refused while it is held, or
/// still open.
#[utoipa::path(post, path = "/sessions/{id}/erase", operation_id = "erase_session", tag = "kept", request_body = Why,
    params(("id" = String, Path, pattern = "^s[0-9a-f]{32}$", description = "The session's id")),
    responses((status = 200, body = Receipt), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn erase(
    admin: Admin,
    session: SessionId,
    why: Asked<Why>,
) -> Result<Json<Receipt>, Problem> {
    make(admin, Change::Erase, session, why).await
}

async fn make(
    admin: Admin,
    change: Change,
    SessionId(session): SessionId,
    Asked(Why { reason }): Asked<Why>,
) -> Result<Json<Receipt>, Problem> {
    let blank = reason.trim().is_empty();
    if blank || reason.chars().count() > REASON_MAX || reason.contains(char::is_control) {
        let detail = "`reason` must be 1 to 512 characters, none of them a control character";
        return Err(Problem::new(Code::BodyInvalid, detail));
    }
    let seq = change::make(admin, change, session.clone(), reason).await?;
    Ok(Json(Receipt { session, change: change.word(), seq }))
}
