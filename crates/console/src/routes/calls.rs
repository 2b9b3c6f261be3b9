//! `GET /calls` and `/calls/{id}`: what was asked and decided, and what came of it.

use std::collections::BTreeMap;

use axum::{extract::OriginalUri, response::Response};
use http::HeaderMap;
use lockgate_model::{OutcomeStatus, Reason};
use lockgate_store::index::{CallRow, Filter, Page, Query, VerdictKind};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    events::{self, After, Events},
    search::{CallSearch, Listing, reason},
};
use crate::{
    gate::Auditor,
    look::{How, Look},
    page,
    problem::{Code, Problem, ProblemBody},
    query::{CallId, Params, Time},
    recording::Wanted,
    stretch::Stretch,
};

/// A decided call, in figures.
#[derive(Serialize, ToSchema)]
#[schema(as = Call)]
pub(crate) struct CallView {
    /// The call's id.
    id: String,
    /// The node that recorded it; its console shows the content.
    node: String,
    /// The session; null for the gateway's own calls.
    session: Option<String>,
    /// The record that decided it.
    seq: u64,
    /// The record that ended it; null while it runs, or where that is not known.
    outcome_seq: Option<u64>,
    /// When it was decided.
    time: Time,
    /// W3C trace id.
    trace: String,
    /// Issuer's short name.
    issuer: String,
    /// The token's subject.
    subject: String,
    /// The OAuth client.
    client: Option<String>,
    /// Qualified group names.
    groups: Vec<String>,
    /// The connection.
    connection: String,
    /// JSON-RPC method.
    method: String,
    /// Kind of action.
    action: String,
    /// Tool, resource, prompt or task.
    target: String,
    /// `allow`, `ask` or `deny`.
    #[schema(value_type = String)]
    verdict: VerdictKind,
    /// Why it was denied, or did not end well.
    #[schema(value_type = Option<String>)]
    reason: Option<Reason>,
    /// Ids of the deciding policies.
    policies: Vec<String>,
    /// What the arguments would do.
    facts: Vec<String>,
    /// How it ended.
    #[schema(value_type = Option<String>)]
    status: Option<OutcomeStatus>,
    /// Microseconds from the first byte of the request to its end.
    elapsed_us: Option<u64>,
    /// Bytes of answer that the client saw.
    bytes: u64,
    /// What was masked: how many times each data class was.
    masked: BTreeMap<String, u32>,
    /// It has more text than is searched.
    text_cut: bool,
    /// Its content is gone for good.
    erased: bool,
}

/// A call with its records.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallContent {
    /// The call.
    call: CallView,
    /// Its intent, messages and outcome.
    #[serde(flatten)]
    events: Events,
}

/// Finds calls, newest first.
#[utoipa::path(get, path = "/calls", operation_id = "list_calls", tag = "calls", params(CallSearch),
    responses((status = 200, body = Listing<CallView>), (status = 304, description = "Not changed"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn list(
    auditor: Auditor,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Params(asked): Params<CallSearch>,
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
        reason: asked.reason.as_deref().map(reason).transpose()?,
        trace: asked.trace,
        session: asked.session,
        from: asked.from.map(|time| time.0),
        to: asked.to.map(|time| time.0),
        text: asked.text.as_deref().map(Query::parse).transpose()?,
        ..Filter::default()
    };
    let look = Look::record(auditor, How::Search, None, &uri).await?;
    let found = look.index().calls(&filter, page).await?;
    Listing::<CallView>::answer(found, &headers, &uri)
}

/// One call with its intent, the messages of its stream, and its outcome, as recorded.
#[utoipa::path(get, path = "/calls/{id}", operation_id = "show_call", tag = "calls",
    params(("id" = String, Path, pattern = "^[0-9a-f]{32}(-[0-9]{1,9})?$", description = "The call's id"), After),
    responses((status = 200, body = CallContent), (status = 304, description = "Not changed"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn show(
    auditor: Auditor,
    CallId(id): CallId,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Params(asked): Params<After>,
) -> Result<Response, Problem> {
    let look = Look::record(auditor, How::Show, None, &uri).await?;
    let row = look.index().call(&id).await?.ok_or(Code::CallUnknown)?;
    let stretch = Stretch::of_call(&look, &row)?;
    let wanted = Wanted { call: Some(id), ..Wanted::default() };
    let events = events::read(&look, &stretch, wanted, &asked).await?;
    let next = events.next;
    let mut response = page::json(&headers, &CallContent { call: row.into(), events })?;
    if let Some(next) = next {
        page::link_next(&mut response, &uri, "after", &next.to_string());
    }
    Ok(response)
}

impl From<CallRow> for CallView {
    fn from(row: CallRow) -> Self {
        Self {
            id: row.id,
            node: row.node,
            session: row.session,
            seq: row.seq,
            outcome_seq: row.outcome_seq,
            time: Time(row.time),
            trace: row.trace,
            issuer: row.issuer,
            subject: row.subject,
            client: row.client,
            groups: row.groups,
            connection: row.connection,
            method: row.method,
            action: row.action,
            target: row.target,
            verdict: row.verdict,
            reason: row.reason,
            policies: row.policies,
            facts: row.facts,
            status: row.status,
            elapsed_us: row.elapsed_us,
            bytes: row.bytes,
            masked: row.masked,
            text_cut: row.text_cut,
            erased: row.erased,
        }
    }
}
