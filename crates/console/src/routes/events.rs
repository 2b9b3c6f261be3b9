//! `GET /sessions/{id}/events`, `/sessions/{id}/tail` and `/tail`: the recording itself, a page at a
//! time or as it comes.

use axum::{
    extract::OriginalUri,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use lockgate_model::ConnectionName;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::{
    gate::Auditor,
    look::{How, Look},
    page,
    problem::{Code, Problem, ProblemBody},
    query::{Limit, Params, Seq, SessionId},
    recording::{Shown, Wanted},
    stretch::Stretch,
    tail::{self, Followed, Sessions},
};

/// Bytes of records in one answer, beyond which no further record is added.
const PAGE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Where to go on in a session.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct After {
    /// Only records behind this one.
    #[param(inline)]
    after: Option<Seq>,
    /// Records in the answer; fewer where they are large.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
}

/// Where to go on in a stream.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TailAfter {
    /// Begin behind this record. `Last-Event-ID` says so as well, and comes first.
    #[param(inline)]
    after: Option<Seq>,
}

/// What to follow.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TailOf {
    /// Begin behind this record. `Last-Event-ID` says so as well, and comes first.
    #[param(inline)]
    after: Option<Seq>,
    /// Only what concerns this connection.
    #[param(value_type = Option<String>, pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    connection: Option<ConnectionName>,
}

/// Some records of a session, in order.
#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    /// Each as recorded: `seq`, `time` in milliseconds since 1970, `prev`, `hash`, `event`.
    #[schema(value_type = Vec<Object>)]
    pub(super) events: Vec<Box<RawValue>>,
    /// What to give as `after` for the rest; absent where there is none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<u64>,
}

/// The events of a session, as recorded.
#[utoipa::path(get, path = "/sessions/{id}/events", operation_id = "list_session_events", tag = "sessions",
    params(("id" = String, Path, pattern = "^s[0-9a-f]{32}$", description = "The session's id"), After),
    responses((status = 200, body = Events), (status = 304, description = "Not changed"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn list(
    auditor: Auditor,
    SessionId(session): SessionId,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Params(asked): Params<After>,
) -> Result<Response, Problem> {
    let look = Look::record(auditor, How::Replay, Some(&session), &uri).await?;
    let stretch = Stretch::of_session(&look, &session).await?;
    let wanted = Wanted { session: Some(session), ..Wanted::default() };
    let records = read(&look, &stretch, wanted, &asked).await?;
    let next = records.next;
    let mut response = page::json(&headers, &records)?;
    if let Some(next) = next {
        page::link_next(&mut response, &uri, "after", &next.to_string());
    }
    Ok(response)
}

/// A session's events as server-sent events: those behind `after`, then those to come, until it is
/// closed.
///
/// Each `record` has the record's number as its id and the record as its data. A last event `end`
/// says why: `closed`, or `token`.
#[utoipa::path(get, path = "/sessions/{id}/tail", operation_id = "tail_session", tag = "sessions",
    params(("id" = String, Path, pattern = "^s[0-9a-f]{32}$", description = "The session's id"), TailAfter,
        ("Last-Event-ID" = inline(Option<Seq>), Header, description = "The last record that came")),
    responses((status = 200, body = String, content_type = "text/event-stream"),
        (status = 204, description = "The session is closed, and nothing comes after that record"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn tail_session(
    auditor: Auditor,
    SessionId(session): SessionId,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Params(asked): Params<TailAfter>,
) -> Result<Response, Problem> {
    let after = tail::resume_after(&headers, asked.after)?;
    let look = Look::record(auditor, How::Tail, Some(&session), &uri).await?;
    let stretch = Stretch::of_session(&look, &session).await?;
    if stretch.is_over(after) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(tail::stream(look, Followed::Session(session, stretch), after))
}

/// The whole recording of this node as server-sent events: what is behind `after`, then what comes.
#[utoipa::path(get, path = "/tail", operation_id = "tail", tag = "journal", params(TailOf,
        ("Last-Event-ID" = inline(Option<Seq>), Header, description = "The last record that came")),
    responses((status = 200, body = String, content_type = "text/event-stream"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn tail(
    auditor: Auditor,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Params(asked): Params<TailOf>,
) -> Result<Response, Problem> {
    let after = tail::resume_after(&headers, asked.after)?;
    let look = Look::record(auditor, How::Tail, None, &uri).await?;
    let followed = match asked.connection {
        Some(connection) => Followed::Connection(Sessions::on(connection)),
        None => Followed::All,
    };
    Ok(tail::stream(look, followed, after))
}

/// The records of `stretch` that are wanted, from where it is asked for to where a page ends.
pub(super) async fn read(
    look: &Look,
    stretch: &Stretch,
    wanted: Wanted,
    asked: &After,
) -> Result<Events, Problem> {
    let after = asked.after.map_or(0, |after| after.0);
    let mut place = look.recording().at(stretch.begin(after.saturating_add(1)));
    let (mut events, mut bytes) = (Vec::new(), 0);
    while !stretch.is_over(place.next_seq().saturating_sub(1)) {
        let (further, piece) = place.piece(wanted.clone()).await;
        let piece = piece?;
        for Shown { seq, line, .. } in piece.records {
            bytes += line.len();
            events.push(RawValue::from_string(line).map_err(|_| Code::JournalBroken)?);
            if events.len() >= usize::from(asked.limit.0) || bytes >= PAGE_MAX_BYTES {
                let next = (!stretch.is_over(seq)).then_some(seq);
                return Ok(Events { events, next });
            }
        }
        if piece.at_end {
            break;
        }
        place = stretch.skip(further, look);
    }
    Ok(Events { events, next: None })
}
