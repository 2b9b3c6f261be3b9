//! What the upstream answered, by its shape: one document, a stream, or nothing. Its record is
//! written before any of it leaves.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, HeaderName},
};
use lockgate_mcp::message::{self, Body, Message};
use lockgate_model::{OutcomeStatus, Reason, Refusal};

use super::{
    inspect::{headers_for_client, inspect, invalid},
    outcome::OpenCall,
    parse::Part,
    relay,
    respond::Stop,
    send::Sent,
};
use crate::{body::AnswerBody, upstream::Answer};

/// An answer that the client may see, recorded as far as it goes.
pub struct Answered {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers for the client.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
}

/// Takes the answer.
///
/// # Errors
/// A refusal of the send stage, or `journal.unavailable`.
pub async fn answer(sent: Sent) -> Result<Answered, Stop> {
    let Sent { open, answer } = sent;
    match answer {
        Answer::Json { status, headers, body } => match open.item.part {
            Part::Request => document(open, status, headers, body).await,
            _ => nothing(open, status, &headers).await,
        },
        Answer::Stream { status, headers, events } => match open.item.part {
            Part::Request | Part::Listen => {
                let mut kept = headers_for_client(&open, &headers);
                kept.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
                let no_buffer = HeaderName::from_static("x-accel-buffering");
                kept.insert(no_buffer, HeaderValue::from_static("no"));
                let body = relay::start(open, headers, events);
                Ok(Answered { status, headers: kept, body })
            }
            _ => Err(open.fail(invalid("a stream where none was asked for"))),
        },
        Answer::Empty { status, headers } => nothing(open, status, &headers).await,
    }
}

/// One JSON document in answer to a request.
async fn document(
    mut open: OpenCall,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answered, Stop> {
    if !status.is_success() && !is_error(&open, &body) {
        return nothing(open, status, &headers).await;
    }
    let inspected = match open.awaited() {
        Some(awaited) => inspect(&open, &awaited, &headers, body).await,
        None => Err(Refusal::new(Reason::Internal, "an answer to no request")),
    };
    let inspected = match inspected {
        Ok(inspected) => inspected,
        Err(refusal) => return Err(open.fail(refusal)),
    };
    if let Err(refusal) = open.gateway.revocations.check(open.asking()) {
        return Err(open.cut(refusal));
    }
    open.note_masked(inspected.masked);
    if let Err(refusal) = open.close(inspected.status, inspected.body.clone()).await {
        return Err(Stop::from(refusal).of(&open.item));
    }
    let mut kept = headers_for_client(&open, &headers);
    kept.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(Answered { status, headers: kept, body: inspected.body.into() })
}

/// Whether an answer with a bad status is the upstream's own error about this request.
fn is_error(open: &OpenCall, body: &[u8]) -> bool {
    matches!(
        message::parse_server(body, open.caller.connection.json),
        Ok(Body::One(Message::Response(response)))
            if response.result().is_none() && response.id == open.item.call.id
    )
}

/// No answer in the body: for notifications all there is, for requests a failure.
async fn nothing(
    mut open: OpenCall,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Answered, Stop> {
    let gone =
        status == StatusCode::NOT_FOUND || (open.item.part == Part::End && status.is_success());
    let ended = open.session().filter(|_| gone).cloned();
    let gateway = Arc::clone(&open.gateway);
    if let Some(session) = &ended {
        gateway.sessions.close(session);
        if !status.is_success() {
            let detail = "the server does not know this session any more";
            let stop = open.fail(Refusal::new(Reason::SessionUnknown, detail));
            gateway.end_recording(&session.recording, "the server forgot it");
            return Err(stop);
        }
    }
    let expected = match open.item.part {
        Part::Notification | Part::Response | Part::End => status.is_success(),
        Part::Request | Part::Listen => false,
    };
    if !expected {
        let refusal = match (open.item.part, status) {
            (Part::Listen | Part::End, StatusCode::METHOD_NOT_ALLOWED) => {
                Refusal::new(Reason::MethodNotAllowed, "the server does not offer this")
            }
            _ => Refusal::new(
                Reason::UpstreamInvalid,
                format!("the upstream answered with status {} and no message", status.as_u16()),
            ),
        };
        return Err(open.fail(refusal));
    }
    if let Err(refusal) = open.close(OutcomeStatus::Accepted, Bytes::new()).await {
        return Err(Stop::from(refusal).of(&open.item));
    }
    if let Some(session) = ended {
        gateway.end_recording(&session.recording, "the client ended it");
    }
    let status = if open.item.part == Part::End { StatusCode::OK } else { StatusCode::ACCEPTED };
    let headers = headers_for_client(&open, headers);
    Ok(Answered { status, headers, body: AnswerBody::Whole(None) })
}
