//! `GET` and `POST /revocations`, and `POST /revocations/{id}/lift`: access taken away and given back.

use axum::{Json, extract::Path, http::StatusCode, response::Response};
use http::HeaderMap;
use lockgate_model::{KeptRevocation, REVOCATION_REASON_MAX_BYTES, Revocation, Revoked};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    access::new_id,
    gate::{Admin, Auditor},
    page,
    problem::{Code, Problem, ProblemBody},
    query::{Asked, Params, Time},
    revoke,
};

/// A revocation.
#[derive(Serialize, ToSchema)]
#[schema(as = Revocation)]
pub(crate) struct RevocationView {
    /// Its id.
    id: String,
    /// `person`, `client`, `group`, `login`, `jti`, `token`, `session`, `connection` or `everyone`.
    kind: &'static str,
    /// Which: `issuer/name`, a digest, a session's id or a connection's name; for everyone of one
    /// issuer its name, else empty.
    name: String,
    /// Only tokens issued up to then; every one where null.
    issued_until: Option<Time>,
    /// Why.
    reason: String,
    /// Who decided it.
    by: String,
    /// When.
    at: Time,
    /// It ends by itself then.
    until: Option<Time>,
    /// Who lifted it.
    lifted_by: Option<String>,
    /// When it was lifted.
    lifted: Option<Time>,
}

/// Who or what is to be out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRevocation {
    /// `person`, `client`, `group`, `login`, `jti`, `token`, `session`, `connection` or `everyone`.
    kind: String,
    /// Which of its kind, as lists show it.
    #[serde(default)]
    #[schema(max_length = 600)]
    name: String,
    /// Why; it is on the record.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
    )]
    reason: String,
    /// Only tokens issued up to then.
    issued_until: Option<Time>,
    /// It ends by itself then.
    until: Option<Time>,
}

/// Why somebody is let in again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lift {
    /// Why; it is on the record.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
    )]
    reason: String,
}

/// Which are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Also what was lifted, or ended by itself.
    #[serde(default)]
    all: bool,
}

/// Revocations, the newest first, at most 1,000.
#[derive(Serialize, ToSchema)]
pub(crate) struct Revocations {
    items: Vec<RevocationView>,
}

/// Lists what is revoked.
#[utoipa::path(get, path = "/revocations", operation_id = "list_revocations", tag = "revocations", params(Which),
    responses((status = 200, body = Revocations), (status = 304, description = "As the client has it"),
        (status = "default", body = ProblemBody,
            content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn list(
    auditor: Auditor,
    headers: HeaderMap,
    Params(which): Params<Which>,
) -> Result<Response, Problem> {
    let console = auditor.0.console();
    let standing_at = (!which.all).then(|| console.now());
    let found = revoke::store(console)?.list(standing_at).await?;
    page::json(&headers, &Revocations { items: found.into_iter().map(view).collect() })
}

/// Takes access away, on every gateway within a second.
#[utoipa::path(post, path = "/revocations", operation_id = "revoke", tag = "revocations", request_body = NewRevocation,
    responses((status = 201, body = RevocationView), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn make(
    Admin(caller): Admin,
    Asked(wanted): Asked<NewRevocation>,
) -> Result<(StatusCode, Json<RevocationView>), Problem> {
    let NewRevocation { kind, name, reason, issued_until, until } = wanted;
    let refused = |why: String| Problem::new(Code::RevocationInvalid, why);
    let target = Revoked::of(&kind, &name).map_err(|fault| refused(fault.to_string()))?;
    if let Some(issuer) =
        target.issuer().filter(|issuer| !(caller.console().edge.revoker.knows)(issuer))
    {
        // A slip in the name would leave everybody in.
        return Err(refused(format!("there is no issuer named `{issuer}`")));
    }
    let now = caller.console().now();
    if until.is_some_and(|until| until.0 <= now) {
        return Err(refused("it would be over already".to_owned()));
    }
    let revocation = Revocation {
        id: new_id('r')?,
        target,
        issued_until: issued_until.map(|time| time.0),
        reason: said(reason)?,
        by: caller.by(),
        at: now,
        until: until.map(|time| time.0),
    };
    revoke::make(caller.console(), vec![revocation.clone()]).await?;
    Ok((StatusCode::CREATED, Json(view(KeptRevocation { revocation, lifted: None }))))
}

/// Gives access back. What was cut stays cut.
#[utoipa::path(post, path = "/revocations/{id}/lift", operation_id = "lift_revocation", tag = "revocations",
    request_body = Lift,
    params(("id" = String, Path, pattern = "^r[0-9a-f]{32}$", description = "The revocation's id")),
    responses((status = 204), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn lift(
    Admin(caller): Admin,
    Path(id): Path<String>,
    Asked(Lift { reason }): Asked<Lift>,
) -> Result<StatusCode, Problem> {
    revoke::lift(caller.console(), id, caller.by(), said(reason)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn said(reason: String) -> Result<String, Problem> {
    let fits = (1..=REVOCATION_REASON_MAX_BYTES).contains(&reason.trim().len());
    if fits && !reason.contains(char::is_control) {
        return Ok(reason);
    }
    let why = "`reason` must be 1 to 500 bytes, none of them a control character";
    Err(Problem::new(Code::RevocationInvalid, why))
}

fn view(kept: KeptRevocation) -> RevocationView {
    let KeptRevocation { revocation, lifted } = kept;
    let (kind, name) = (revocation.target.kind(), revocation.target.name());
    let Revocation { id, issued_until, reason, by, at, until, .. } = revocation;
    let lifted_at = lifted.as_ref().map(|lifted| Time(lifted.at));
    RevocationView {
        id,
        kind,
        name,
        issued_until: issued_until.map(Time),
        reason,
        by,
        at: Time(at),
        until: until.map(Time),
        lifted_by: lifted.map(|lifted| lifted.by),
        lifted: lifted_at,
    }
}
