//! `GET /connections`, and `GET`, `PUT` and `DELETE /connections/{name}`: the servers that the gateway
//! protects. Those of the configuration file are read-only here.
//!
//! Settings name credentials by reference, and so hold none. What would reach the gateway's own machine
//! (programs, variables, files) is for who works on it, and refused here.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, header};
use lockgate_model::ConnectionName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    gate::{Admin, Auditor},
    page,
    problem::{Code, Problem, ProblemBody},
    query::{Asked, IfMatch, Name},
    registrar::{self, Declined, Known, Wish},
};

/// A connection.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection)]
pub(crate) struct ConnectionView {
    /// Its name.
    name: String,
    /// `file:line`, or who registered it and when.
    origin: String,
    /// Its version, which is its `ETag`; null for one of the configuration file, which is read-only here.
    version: Option<u64>,
    /// `served`, `shadowed` where the file has one of this name, or `refused`; `older` where a version
    /// before this one is served.
    state: &'static str,
    /// Why it is not served as it stands.
    why: Option<String>,
    /// What differs from the defaults, secrets by reference; null where it can't be read any more.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
}

/// Every connection.
#[derive(Serialize, ToSchema)]
pub(crate) struct Connections {
    /// Those of the file first.
    items: Vec<ConnectionView>,
}

/// The settings of a connection, as in the configuration file.
#[derive(Deserialize, ToSchema)]
#[schema(value_type = Object, example = json!({
    "issuers": ["corp"],
    "upstream": { "http": {
        "url": "https://staff.example.com/mcp", "headers": { "Authorization": "sealed:staff-token" },
    } },
}))]
pub(crate) struct SettingsBody(Map<String, Value>);

/// A change that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct Changed {
    /// What was changed.
    name: String,
    /// The version that came of it; a removal counts as one.
    version: u64,
}

/// Lists every connection, where it comes from, and whether it is served.
#[utoipa::path(get, path = "/connections", operation_id = "list_connections", tag = "connections",
    responses((status = 200, body = Connections), (status = 304, description = "As the client has it"),
        (status = "default", body = ProblemBody,
            content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn list(auditor: Auditor, headers: HeaderMap) -> Result<Response, Problem> {
    let all = (auditor.0.console().edge.registrar.connections)().await.map_err(declined)?;
    page::json(&headers, &Connections { items: all.into_iter().map(view).collect() })
}

/// Shows one connection.
#[utoipa::path(get, path = "/connections/{name}", operation_id = "show_connection", tag = "connections",
    params(("name" = String, Path, pattern = "^[a-z0-9][a-z0-9-]{0,62}$", description = "Its name")),
    responses((status = 200, body = ConnectionView), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn show(
    auditor: Auditor,
    name: Name<ConnectionName>,
) -> Result<Response, Problem> {
    let name = name.or(Code::ConnectionUnknown)?;
    let all = (auditor.0.console().edge.registrar.connections)().await.map_err(declined)?;
    // What is served comes first: the file's, where both have one of this name.
    let found = all.into_iter().find(|one| one.name == name.as_str());
    let found = found.ok_or(Code::ConnectionUnknown)?;
    let version = found.version;
    let mut response = Json(view(found)).into_response();
    if let Some(version) = version {
        tag(&mut response, version);
    }
    Ok(response)
}

/// Registers a connection, or changes one: `If-Match` says which version is changed. A running gateway
/// serves it within a second. Upstreams are servers over HTTP, and credentials `sealed:NAME` or
/// `vault:PATH#FIELD`.
#[utoipa::path(put, path = "/connections/{name}", operation_id = "put_connection", tag = "connections",
    request_body = SettingsBody,
    params(("name" = String, Path, pattern = "^[a-z0-9][a-z0-9-]{0,62}$", description = "Its name"), IfMatch),
    responses((status = 200, body = Changed), (status = 201, body = Changed, description = "It is new"),
        (status = "default", body = ProblemBody,
            content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn put(
    admin: Admin,
    name: Name<ConnectionName>,
    IfMatch(known): IfMatch,
    Asked(SettingsBody(settings)): Asked<SettingsBody>,
) -> Result<Response, Problem> {
    change(admin, name, known, Some(settings)).await
}

/// Removes a registered connection: its callers get 404 within a second.
#[utoipa::path(delete, path = "/connections/{name}", operation_id = "remove_connection", tag = "connections",
    params(("name" = String, Path, pattern = "^[a-z0-9][a-z0-9-]{0,62}$", description = "Its name"), IfMatch),
    responses((status = 200, body = Changed), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn remove(
    admin: Admin,
    name: Name<ConnectionName>,
    IfMatch(known): IfMatch,
) -> Result<Response, Problem> {
    change(admin, name, known, None).await
}

async fn change(
    Admin(caller): Admin,
    name: Name<ConnectionName>,
    known: Known,
    what: Option<Map<String, Value>>,
) -> Result<Response, Problem> {
    let name = name.or(Code::ConnectionUnknown)?;
    let goes = what.is_none();
    let wish = Wish { by: caller.by(), name: name.clone(), known, what };
    let made = (caller.console().edge.registrar.register)(wish);
    // On a task of its own: a client that leaves in the middle must not leave half a change.
    let made = tokio::spawn(made).await.map_err(|_| Code::Internal)?;
    Ok(changed(name.to_string(), made.map_err(declined)?, known, goes))
}

/// What is said of a change that was made.
pub(super) fn changed(name: String, version: u64, known: Known, goes: bool) -> Response {
    let fresh = known == Known::Nothing && !goes;
    let status = if fresh { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, Json(Changed { name, version })).into_response();
    if !goes {
        tag(&mut response, version);
    }
    response
}

fn tag(response: &mut Response, version: u64) {
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
}

fn view(one: registrar::Connection) -> ConnectionView {
    let registrar::Connection { name, origin, version, state, why, settings } = one;
    ConnectionView { name, origin, version, state, why, settings }
}

fn declined(why: Declined) -> Problem {
    match why {
        Declined::Unknown => Code::ConnectionUnknown.into(),
        Declined::Unfit(why) => Problem::new(Code::ConnectionInvalid, why),
        other => Problem::of_change(other),
    }
}
