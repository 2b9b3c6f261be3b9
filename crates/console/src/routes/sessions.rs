//! `GET /sessions` and `/sessions/{id}`: who did something where, found by the index.

use axum::{extract::OriginalUri, response::Response};
use http::HeaderMap;
use lockgate_model::Era;
use lockgate_store::index::{Filter, Page, Query, SessionRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::search::{Listing, SessionSearch};
use crate::{
    gate::Auditor,
    look::{How, Look},
    page,
    problem::{Code, Problem, ProblemBody},
    query::{Params, SessionId, Time},
};

/// What one identity did with one client on one connection, in figures.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    /// The session's id.
    id: String,
    /// The node that recorded it; its console shows the content.
    node: String,
    /// Issuer's short name; empty once erased.
    issuer: String,
    /// The token's subject; empty once erased.
    subject: String,
    /// The OAuth client.
    client: Option<String>,
    /// Qualified group names.
    groups: Vec<String>,
    /// The connection.
    connection: String,
    /// Era of its first message, `legacy` or `modern`; null where nothing of it can be read.
    #[schema(value_type = Option<String>)]
    era: Option<Era>,
    /// When it began.
    opened: Time,
    /// Its last event so far.
    last: Time,
    /// When it ended; null while it is open.
    closed: Option<Time>,
    /// Why it ended.
    why: Option<String>,
    /// Calls that were decided.
    calls: u64,
    /// Those that were denied.
    denied: u64,
    /// Calls that ended as an error, were cut, or failed.
    errors: u64,
    /// Bytes of answers that the client saw.
    bytes: u64,
    /// Its first record.
    first_seq: u64,
    /// Its last record so far.
    last_seq: u64,
    /// Kept whatever retention says.
    held: bool,
    /// Its content is gone for good; only that it was, and its figures, are left.
    erased: bool,
    /// All of its records were removed from the journal.
    retired: bool,
}

/// Finds sessions, newest first. What only a call has must hold for one and the same of their
/// calls.
#[utoipa::path(get, path = "/sessions", operation_id = "list_sessions", tag = "sessions", params(SessionSearch),
    responses((status = 200, body = Listing<SessionView>), (status = 304, description = "Not changed"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn list(
    auditor: Auditor,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Params(asked): Params<SessionSearch>,
) -> Result<Response, Problem> {
    let page = Page::new(asked.limit.0, asked.cursor.as_deref())?;
    let filter = Filter {
        issuer: asked.issuer,
        subject: asked.subject,
        group: asked.group,
        client: asked.client,
        connection: asked.connection,
        tool: asked.tool,
        verdict: asked.verdict,
        policy: asked.policy,
        fact: asked.fact,
        trace: asked.trace,
        from: asked.from.map(|time| time.0),
        to: asked.to.map(|time| time.0),
        text: asked.text.as_deref().map(Query::parse).transpose()?,
        open: asked.open,
        ..Filter::default()
    };
    let look = Look::record(auditor, How::Search, None, &uri).await?;
    let found = look.index().sessions(&filter, page).await?;
    Listing::<SessionView>::answer(found, &headers, &uri)
}

/// One session.
#[utoipa::path(get, path = "/sessions/{id}", operation_id = "show_session", tag = "sessions",
    params(("id" = String, Path, pattern = "^s[0-9a-f]{32}$", description = "The session's id")),
    responses((status = 200, body = SessionView), (status = 304, description = "Not changed"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn show(
    auditor: Auditor,
    SessionId(session): SessionId,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let look = Look::record(auditor, How::Show, Some(&session), &uri).await?;
    let row = look.index().session(&session).await?.ok_or(Code::SessionUnknown)?;
    page::json(&headers, &SessionView::from(row))
}

impl From<SessionRow> for SessionView {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id,
            node: row.node,
            issuer: row.issuer,
            subject: row.subject,
            client: row.client,
            groups: row.groups,
            connection: row.connection,
            era: row.era,
            opened: Time(row.opened),
            last: Time(row.last),
            closed: row.closed.map(Time),
            why: row.why,
            calls: row.calls,
            denied: row.denied,
            errors: row.errors,
            bytes: row.bytes,
            first_seq: row.first_seq,
            last_seq: row.last_seq,
            held: row.held,
            erased: row.erased,
            retired: row.retired,
        }
    }
}
