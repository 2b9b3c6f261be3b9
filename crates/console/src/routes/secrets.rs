//! `GET /secrets`, and `PUT` and `DELETE /secrets/{name}`: the credentials in the vault. They go in, and
//! are used; nothing here gives one back.

use axum::response::Response;
use http::HeaderMap;
use lockgate_model::{ConnectionName, SecretName};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::connections::{Changed, changed};
use crate::{
    gate::{Admin, Auditor},
    page,
    problem::{Code, Problem, ProblemBody},
    query::{Asked, IfMatch, Name, Time},
    registrar::{self, Declined, Known, Sealable, Wish},
};

/// Longest description, in characters.
const DESCRIPTION_MAX: usize = 200;

/// A secret, without its value.
#[derive(Serialize, ToSchema)]
#[schema(as = Secret)]
pub(crate) struct SecretView {
    /// Its name.
    name: String,
    /// Its version: what `If-Match` names, in quotes.
    version: u64,
    /// The one connection that may use it; any where null.
    connection: Option<String>,
    /// The connections that refer to it.
    used_by: Vec<String>,
    /// What it is for.
    description: String,
    /// Who set this version.
    author: String,
    /// When its first version was set.
    created: Time,
    /// When this version was set.
    updated: Time,
}

/// Every secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct Secrets {
    /// In the order of their names.
    items: Vec<SecretView>,
}

/// A value for a secret. No `Debug` or `Serialize`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewValue {
    /// The value; of a header all of it, as in `Bearer …`.
    #[serde(deserialize_with = "wiped")]
    #[schema(value_type = String, min_length = 1, write_only)]
    value: Zeroizing<String>,
    /// The one connection that may use it. What a secret is for stays as it is when its value changes.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    connection: Option<String>,
    /// What it is for; whoever lists secrets reads it.
    #[schema(max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    description: Option<String>,
}

/// Lists every secret and who uses it, never a value.
#[utoipa::path(get, path = "/secrets", operation_id = "list_secrets", tag = "secrets",
    responses((status = 200, body = Secrets), (status = 304, description = "As the client has it"),
        (status = "default", body = ProblemBody,
            content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn list(auditor: Auditor, headers: HeaderMap) -> Result<Response, Problem> {
    let all = (auditor.0.console().edge.registrar.secrets)().await.map_err(declined)?;
    page::json(&headers, &Secrets { items: all.into_iter().map(view).collect() })
}

/// Seals a new secret, or another value of one: `If-Match` says which version is followed. A running
/// gateway uses it within 5 seconds.
#[utoipa::path(put, path = "/secrets/{name}", operation_id = "put_secret", tag = "secrets",
    request_body = NewValue,
    params(("name" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", description = "Its name"),
        IfMatch),
    responses((status = 200, body = Changed), (status = 201, body = Changed, description = "It is new"),
        (status = "default", body = ProblemBody,
            content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn put(
    admin: Admin,
    name: Name<SecretName>,
    IfMatch(known): IfMatch,
    body: Result<Asked<NewValue>, Problem>,
) -> Result<Response, Problem> {
    let Asked(NewValue { value, connection, description }) = body.map_err(unquoted)?;
    let invalid = |why: &'static str| Problem::new(Code::SecretInvalid, why);
    let connection = connection.map(|name| ConnectionName::new(&name)).transpose();
    let connection = connection.map_err(|_| invalid("`connection` is no connection's name"))?;
    let odd =
        |text: &String| text.chars().count() > DESCRIPTION_MAX || text.contains(char::is_control);
    if description.as_ref().is_some_and(odd) {
        return Err(invalid("`description` must be at most 200 characters on one line"));
    }
    let what = Sealable { value, connection, description };
    change(admin, name, known, Some(what)).await
}

/// Removes a secret for good: connections that refer to it are refused within 5 seconds.
#[utoipa::path(delete, path = "/secrets/{name}", operation_id = "remove_secret", tag = "secrets",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", description = "Its name"),
        IfMatch),
    responses((status = 200, body = Changed), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn remove(
    admin: Admin,
    name: Name<SecretName>,
    IfMatch(known): IfMatch,
) -> Result<Response, Problem> {
    change(admin, name, known, None).await
}

async fn change(
    Admin(caller): Admin,
    name: Name<SecretName>,
    known: Known,
    what: Option<Sealable>,
) -> Result<Response, Problem> {
    let name = name.or(Code::SecretUnknown)?;
    let goes = what.is_none();
    let wish = Wish { by: caller.by(), name: name.clone(), known, what };
    let made = (caller.console().edge.registrar.seal)(wish);
    // On a task of its own: a client that leaves in the middle must not leave half a change.
    let made = tokio::spawn(made).await.map_err(|_| Code::Internal)?;
    Ok(changed(name.to_string(), made.map_err(declined)?, known, goes))
}

/// A parser's words may quote what it read, which here may be the secret.
fn unquoted(problem: Problem) -> Problem {
    if problem.code != Code::BodyInvalid {
        return problem;
    }
    let detail =
        "the body must be an object with `value`, and may have `connection` and `description`";
    Problem::new(Code::BodyInvalid, detail)
}

fn wiped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

fn view(one: registrar::Secret) -> SecretView {
    let registrar::Secret {
        name,
        version,
        connection,
        used_by,
        description,
        author,
        created,
        updated,
    } = one;
    let (created, updated) = (Time(created), Time(updated));
    SecretView { name, version, connection, used_by, description, author, created, updated }
}

fn declined(why: Declined) -> Problem {
    match why {
        Declined::Unknown => Code::SecretUnknown.into(),
        Declined::Unfit(why) => Problem::new(Code::SecretInvalid, why),
        other => Problem::of_change(other),
    }
}
