//! `GET /refusals`: requests that never became a call, refused sign-ins among them.

use axum::{extract::OriginalUri, response::Response};
use http::HeaderMap;
use lockgate_model::Reason;
use lockgate_store::index::{Page, RefusalFilter, RefusalRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::search::{Listing, RefusalSearch, reason};
use crate::{
    gate::Auditor,
    look::{How, Look},
    problem::{Problem, ProblemBody},
    query::{Params, Time},
};

/// A request that never became a call.
#[derive(Serialize, ToSchema)]
#[schema(as = Refusal)]
pub(crate) struct RefusalView {
    /// The request's id.
    request: String,
    /// The node that refused it.
    node: String,
    /// The record of it.
    seq: u64,
    /// When.
    time: Time,
    /// Address of the peer.
    peer: String,
    /// The connection, where the path named one.
    connection: Option<String>,
    /// Issuer and subject, where the token was good.
    identity: Option<String>,
    /// The stable code.
    #[schema(value_type = String)]
    reason: Reason,
    /// One sentence.
    detail: String,
}

/// Finds refused requests, newest first.
#[utoipa::path(get, path = "/refusals", operation_id = "list_refusals", tag = "refusals", params(RefusalSearch),
    responses((status = 200, body = Listing<RefusalView>), (status = 304, description = "Not changed"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn list(
    auditor: Auditor,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Params(asked): Params<RefusalSearch>,
) -> Result<Response, Problem> {
    let page = Page::new(asked.limit.0, asked.cursor.as_deref())?;
    let filter = RefusalFilter {
        reason: asked.reason.as_deref().map(reason).transpose()?,
        connection: asked.connection,
        identity: asked.identity,
        from: asked.from.map(|time| time.0),
        to: asked.to.map(|time| time.0),
    };
    let look = Look::record(auditor, How::Search, None, &uri).await?;
    let found = look.index().refusals(&filter, page).await?;
    Listing::<RefusalView>::answer(found, &headers, &uri)
}

impl From<RefusalRow> for RefusalView {
    fn from(row: RefusalRow) -> Self {
        Self {
            request: row.request,
            node: row.node,
            seq: row.seq,
            time: Time(row.time),
            peer: row.peer,
            connection: row.connection,
            identity: row.identity,
            reason: row.reason,
            detail: row.detail,
        }
    }
}
