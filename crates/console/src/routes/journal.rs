//! `GET /journal/head` and `GET /journal/export`: the recording as a whole.

use axum::{
    body::Body,
    extract::OriginalUri,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, header};
use lockgate_model::Digest;
use lockgate_store::journal::SignedHead;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    gate::Auditor,
    look::{How, Look},
    page,
    problem::{Code, Problem, ProblemBody},
    query::{Params, SessionId, Time},
    recording::{Place, Wanted},
    stretch::Stretch,
};

/// A signed tree head (C2SP tlog-checkpoint), taken apart.
#[derive(Serialize, ToSchema)]
pub(crate) struct Head {
    /// The node whose recording it is.
    node: String,
    /// How many records it covers.
    size: u64,
    /// The root of the tree (RFC 6962), in hexadecimal.
    #[schema(value_type = String)]
    root: Digest,
    /// The whole signed note, which is what a verifier takes.
    note: String,
}

/// What is exported; everything where nothing is said.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Export {
    /// Not the records before.
    #[param(inline)]
    from: Option<Time>,
    /// Not the records at or after.
    #[param(inline)]
    to: Option<Time>,
    /// Only this session's.
    #[param(value_type = Option<String>, pattern = "^s[0-9a-f]{32}$")]
    session: Option<SessionId>,
}

/// The latest signed tree head: a signed note, or its parts as JSON where that is asked for.
#[utoipa::path(get, path = "/journal/head", operation_id = "show_head", tag = "journal",
    responses(
        (status = 200, content((String = "text/plain"), (Head = "application/json"))),
        (status = 304, description = "Not changed"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn head(
    Auditor(caller): Auditor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let signed = (caller.console().edge.keeper.head)().ok_or(Code::HeadMissing)?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("application/json")) {
        return page::json(&headers, &Head::from(&*signed));
    }
    Ok(page::tagged(&headers, "text/plain; charset=utf-8", signed.note.clone().into_bytes()))
}

/// The records as they stand in the journal, one JSON document a line.
///
/// Where it can't be finished the connection is broken off, so that a part is never taken for the
/// whole.
#[utoipa::path(get, path = "/journal/export", operation_id = "export_journal", tag = "journal", params(Export),
    responses(
        (status = 200, body = String, content_type = "application/jsonl"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn export(
    auditor: Auditor,
    OriginalUri(uri): OriginalUri,
    Params(asked): Params<Export>,
) -> Result<Response, Problem> {
    let session = asked.session.map(|SessionId(session)| session);
    let look = Look::record(auditor, How::Export, session.as_deref(), &uri).await?;
    let wanted = Wanted {
        session: session.clone(),
        from: asked.from.map(|time| time.0),
        to: asked.to.map(|time| time.0),
        ..Wanted::default()
    };
    let stretch = match session {
        Some(session) => Some(Stretch::of_session(&look, &session).await?),
        None => None,
    };
    let first = stretch.as_ref().map_or(1, |stretch| stretch.begin(1));
    let place = look.recording().at(first);
    let export = Exporting { look, stretch, wanted, place: Some(place) };
    let lines = stream::unfold(export, Exporting::next);
    let body = Body::from_stream(lines);
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], body).into_response())
}

struct Exporting {
    look: Look,
    stretch: Option<Stretch>,
    wanted: Wanted,
    /// `None` once it is over.
    place: Option<Place>,
}

impl Exporting {
    async fn next(mut self) -> Option<(Result<Bytes, Problem>, Self)> {
        let place = self.place.take()?;
        if !self.look.caller().standing().holds() {
            // Broken off: a clean end would say that this was all.
            return Some((Err(Code::TokenRefused.into()), self));
        }
        let (place, piece) = place.piece(self.wanted.clone()).await;
        let piece = match piece {
            Ok(piece) => piece,
            Err(fault) => return Some((Err(fault.into()), self)),
        };
        if !piece.at_end {
            self.place = Some(match &self.stretch {
                Some(stretch) => stretch.skip(place, &self.look),
                None => place,
            });
        }
        let mut lines = String::new();
        for shown in piece.records {
            lines.push_str(&shown.line);
            lines.push('\n');
        }
        Some((Ok(lines.into()), self))
    }
}

impl From<&SignedHead> for Head {
    fn from(signed: &SignedHead) -> Self {
        let head = &signed.head;
        let (node, note) = (head.node.clone(), signed.note.clone());
        Self { node, size: head.size, root: head.root, note }
    }
}
