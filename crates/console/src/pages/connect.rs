//! The page on which somebody connects their account at a connection's server, and disconnects it. A
//! consent ends in the session that began it, at the connection that it was begun for.

use axum::{
    extract::{Path, Query, Request},
    response::{IntoResponse as _, Redirect, Response},
};
use lockgate_model::{ConnectionName, Timestamp};
use serde::Deserialize;

use super::{Visitor, gate, read, views};
use crate::{
    connect::{Back, NotConnected},
    door::Beginning,
    problem::{Code, Problem},
};

/// What a browser brings back (RFC 6749 §4.1.2).
#[derive(Deserialize)]
pub(super) struct Returned {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

pub(super) async fn page(
    visitor: Visitor,
    Path(connection): Path<String>,
) -> Result<Response, views::Fault> {
    let since = since(&visitor, &name(&connection)?).await?;
    views::connect(&visitor, &connection, since)
}

pub(super) async fn change(
    visitor: Visitor,
    Path(connection): Path<String>,
    request: Request,
) -> Result<Response, views::Fault> {
    let form = read(&visitor, request).await?;
    let connection = name(&connection)?;
    match &*form.verdict {
        "connect" => begin(&visitor, connection).await,
        "disconnect" => {
            let connect = &visitor.console().edge.connect;
            let ended = (connect.end)(visitor.somebody.0.identity(), connection.clone(), ());
            ended.await.map_err(problem)?;
            Ok(Redirect::to(&format!("/connect/{connection}")).into_response())
        }
        _ => Err(Code::BodyInvalid.into()),
    }
}

async fn begin(visitor: &Visitor, connection: ConnectionName) -> Result<Response, views::Fault> {
    let console = visitor.console();
    let redirect = redirect(visitor, &connection)?;
    let Beginning { begin, .. } = console.door.begin_for(
        visitor.session.form_token.clone(),
        redirect,
        connection.to_string(),
        console.now(),
    )?;
    let identity = visitor.somebody.0.identity();
    let place = (console.edge.connect.begin)(identity, connection.clone(), begin);
    views::going(visitor, connection.as_str(), &place.await.map_err(problem)?)
}

pub(super) async fn callback(
    visitor: Visitor,
    Path(connection): Path<String>,
    Query(back): Query<Returned>,
) -> Result<Response, views::Fault> {
    let (console, connection) = (visitor.console(), name(&connection)?);
    let state = back.state.unwrap_or_default();
    let begun = console.door.came_back(&state, &visitor.session.form_token, console.now());
    let begun = begun.filter(|(_, begun)| begun == connection.as_str());
    let (verifier, _) = begun.ok_or_else(|| {
        Problem::new(Code::ConnectFailed, "this was not begun here; open the page and begin again")
    })?;
    let refused = || Problem::new(Code::ConnectFailed, "the server did not give its consent");
    let code = back.code.filter(|_| back.error.is_none()).ok_or_else(refused)?;
    let redirect = redirect(&visitor, &connection)?;
    let back = Back { code, verifier, redirect, issuer: back.iss };
    let identity = visitor.somebody.0.identity();
    (console.edge.connect.finish)(identity, connection.clone(), back).await.map_err(problem)?;
    Ok(Redirect::to(&format!("/connect/{connection}")).into_response())
}

async fn since(
    visitor: &Visitor,
    connection: &ConnectionName,
) -> Result<Option<Timestamp>, Problem> {
    let connect = &visitor.console().edge.connect;
    let asked = (connect.since)(visitor.somebody.0.identity(), connection.clone(), ());
    asked.await.map_err(problem)
}

/// Where the server sends the browser back to: a place of this connection alone, so that no other's
/// answer is taken for this one's.
fn redirect(visitor: &Visitor, connection: &ConnectionName) -> Result<String, Problem> {
    Ok(gate::login(visitor.console())?.page(&format!("/connect/{connection}/callback")))
}

fn name(connection: &str) -> Result<ConnectionName, Problem> {
    ConnectionName::new(connection).map_err(|_| Code::ConnectionUnknown.into())
}

fn problem(not: NotConnected) -> Problem {
    match not {
        NotConnected::Unknown => Code::ConnectionUnknown.into(),
        NotConnected::Failed(refusal) => {
            tracing::warn!(%refusal, "an account was not connected or disconnected");
            let why = format!("that did not work at the server: {}", refusal.reason.code());
            Problem::new(Code::ConnectFailed, why)
        }
    }
}
