//! Tells a server that its request to the client was refused, so that it need not wait for an
//! answer that never comes. Like every message it is recorded and cleared before it is sent.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE},
};
use lockgate_mcp::{
    answer, code,
    headers::{PROTOCOL_VERSION, SESSION_ID},
    message::Request,
};
use lockgate_model::{Deny, Era, Event, Refusal, Verdict};

use crate::{
    clearance::Entry,
    clock,
    hash::sha256,
    record,
    stage::{arm::Whose, intent, outcome::OpenCall, send::Way},
    upstream::{Outgoing, Verb},
};

/// The method under which a declined request stands in the record, and under which its answer does.
const ASKED: &str = "server request";
const DECLINED: &str = "response";

/// Records the refusal and, where the era has a way, answers the server with an error.
///
/// # Errors
/// `journal.unavailable`, or one of `credential.*`
pub(crate) async fn decline(
    open: &OpenCall,
    request: &Request<'_>,
    refusal: &Refusal,
) -> Result<(), Refusal> {
    let (caller, item) = (&open.caller, &open.item);
    tracing::info!(
        connection = caller.connection.name().as_str(),
        reason = refusal.reason.code(),
        detail = &*refusal.detail,
        "server request declined"
    );
    let mut asked = intent::about(caller, item, ASKED, clock::random_id()?);
    asked.target = record::inert(&request.method);
    asked.id = Some(request.id.clone());
    asked.verdict = Verdict::Deny(Deny { reason: refusal.reason, policies: Vec::new() });
    let journal = &open.gateway.ground.journal;
    journal.append(clock::now(), &Event::Intent(Box::new(asked))).map_err(intent::unavailable)?;
    if item.call.era == Era::Modern {
        return Ok(());
    }
    let words = "the client may not be asked for this";
    let body = answer::error(Some(&request.id), code::INVALID, words, None);
    let mut declined = intent::about(caller, item, DECLINED, clock::random_id()?);
    declined.id = Some(request.id.clone());
    declined.body_digest = sha256(&body);
    declined.verdict = Verdict::Allow { policies: Vec::new() };
    let clearance = Entry::record(journal, clock::now(), declined).await?.clear()?;
    let outgoing = Outgoing {
        era: Era::Legacy,
        verb: Verb::Post,
        headers: headers(open).await?,
        body: body.into(),
        session: item.session.as_ref().map(|session| session.key.clone()),
    };
    let (caller, gateway) = (Arc::clone(caller), Arc::clone(&open.gateway));
    let session = open.recording();
    // The server may take its time; the stream that it asked on goes on meanwhile.
    tokio::spawn(async move {
        let connection = &caller.connection;
        let way = Way {
            upstream: &connection.upstream,
            credential: &connection.credential,
            whose: Whose::Caller(&caller),
            journal: &gateway.ground.journal,
            session,
        };
        if let Err(refusal) = way.send(clearance, outgoing).await {
            tracing::info!(%refusal, "the server was not told that its request was declined");
        }
    });
    Ok(())
}

async fn headers(open: &OpenCall) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for name in [PROTOCOL_VERSION, SESSION_ID] {
        if let Some(value) = open.caller.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    open.caller.connection.credential.arm(&mut headers, Whose::Caller(&open.caller)).await?;
    Ok(headers)
}
