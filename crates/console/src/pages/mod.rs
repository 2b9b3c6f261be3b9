//! Pages for people: the calls that wait for them. Plain HTML, which works without scripts and has
//! none; behind a login at the issuer. The admin API stands beside it, for programs.
//!
//! A page decides nothing: it shows and answers through the same rooms as the API.

mod connect;
mod gate;
mod show;
mod views;

use std::sync::Arc;

use axum::{
    Router,
    body::to_bytes,
    extract::{Path, Query, Request, State},
    middleware::from_fn_with_state,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use http::{HeaderValue, header};
use lockgate_model::Reviewer;
use serde::Deserialize;
use url::form_urlencoded;

pub(crate) use self::gate::verify;
use self::gate::{Cookie, Visitor};
use crate::{
    console::Console,
    door::{Finish, Unfinished},
    problem::{Code, Problem},
    routes::approvals,
};

/// Where the issuer sends browsers back to.
const CALLBACK: &str = "/login/callback";
/// Bytes of a form.
const FORM_MAX_BYTES: usize = 16 * 1024;

/// Every page.
pub(crate) fn router(console: &Arc<Console>) -> Router {
    let inside = Router::new()
        .route("/approvals", get(list))
        .route("/approvals/{id}", get(one).post(answer))
        .route("/connect/{connection}", get(connect::page).post(connect::change))
        .route("/connect/{connection}/callback", get(connect::callback))
        .route("/logout", post(logout))
        .layer(from_fn_with_state(Arc::clone(console), gate::inside));
    Router::new()
        .route("/", get(|| async { Redirect::to("/approvals") }))
        .route("/login", get(login))
        .route(CALLBACK, get(callback))
        .route("/style.css", get(style))
        .merge(inside)
        .layer(axum::middleware::from_fn(gate::dress))
        .with_state(Arc::clone(console))
}

async fn style() -> Response {
    let css = include_str!("../../templates/style.css");
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))], css)
        .into_response()
}

async fn list(visitor: Visitor) -> Result<Response, views::Fault> {
    let pending = show::pending(&visitor).await?;
    views::list(&visitor, &pending)
}

async fn one(
    visitor: Visitor,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, views::Fault> {
    let content = approvals::content(&visitor.somebody, &id, request.uri()).await?;
    views::one(&visitor, &content)
}

/// What a form says.
#[derive(Default)]
struct Form {
    token: String,
    verdict: String,
    digest: String,
    reason: String,
    read: bool,
}

async fn answer(
    visitor: Visitor,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, views::Fault> {
    let uri = request.uri().clone();
    let form = read(&visitor, request).await?;
    let content = approvals::content(&visitor.somebody, &id, &uri).await?;
    if form.verdict == "approve" && !content.warnings.is_empty() && !form.read {
        let detail =
            "there is something in it that is easily overlooked: say that you have read it";
        return Err(Problem::new(Code::ApprovalInvalid, detail).into());
    }
    approvals::by_form(&visitor.somebody, &id, &form.verdict, &form.digest, form.reason).await?;
    Ok(Redirect::to(&format!("/approvals/{id}")).into_response())
}

async fn logout(visitor: Visitor, request: Request) -> Result<Response, views::Fault> {
    read(&visitor, request).await?;
    visitor.console().door.close(&visitor.session_id);
    let mut response = views::message("You are logged out.")?;
    let cookie = Cookie::Session.expire(&gate::login(visitor.console())?.origin)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Reads a form, which must be one of this session's.
async fn read(visitor: &Visitor, request: Request) -> Result<Form, Problem> {
    let (head, body) = request.into_parts();
    visitor.is_own(&head.headers)?;
    let body = to_bytes(body, FORM_MAX_BYTES).await.map_err(|_| Code::BodyTooLarge)?;
    let mut form = Form::default();
    for (name, value) in form_urlencoded::parse(&body) {
        match &*name {
            "token" => form.token = value.into_owned(),
            "verdict" => form.verdict = value.into_owned(),
            "digest" => form.digest = value.into_owned(),
            "reason" => form.reason = value.into_owned(),
            "read" => form.read = value == "yes",
            _ => return Err(Code::BodyInvalid.into()),
        }
    }
    visitor.holds(&form.token)?;
    Ok(form)
}

#[derive(Deserialize)]
struct Next {
    next: Option<String>,
}

async fn login(
    State(console): State<Arc<Console>>,
    Query(Next { next }): Query<Next>,
) -> Result<Response, views::Fault> {
    let login = gate::login(&console)?;
    // Only to a page of one's own.
    let next = next.filter(|next| gate::is_page(next)).unwrap_or_else(|| "/approvals".to_owned());
    let beginning = console.door.begin(login.page(CALLBACK), next, console.now())?;
    let url = (login.begin)(beginning.begin).await.map_err(unavailable)?;
    let mut response = Redirect::to(&url).into_response();
    let cookie = Cookie::Login.set(&beginning.binding, &login.origin)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

#[derive(Deserialize)]
struct Back {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

async fn callback(
    State(console): State<Arc<Console>>,
    Query(back): Query<Back>,
    request: Request,
) -> Result<Response, views::Fault> {
    let login = gate::login(&console)?;
    let binding = Cookie::Login.of(request.headers(), &login.origin).unwrap_or_default();
    let state = back.state.unwrap_or_default();
    let begun = console.door.came_back(&state, &binding, console.now());
    let stale = || Problem::new(Code::TokenRefused, "this login was not begun here; begin again");
    let (verifier, next) = begun.ok_or_else(stale)?;
    let code = back.code.filter(|_| back.error.is_none()).ok_or(Code::TokenRefused)?;
    let redirect = login.page(CALLBACK);
    let finish = Finish { code, verifier, redirect, issuer: back.iss };
    let token = (login.finish)(finish).await.map_err(unfinished)?;
    // Nobody gets a session whose token would be refused.
    let somebody = gate::verify(&console, &format!("Bearer {token}")).await?;
    let person = Reviewer::of(somebody.0.identity()).person;
    let id = console.door.open(token, person, console.now())?;
    let mut response = Redirect::to(&next).into_response();
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, Cookie::Session.set(&id, &login.origin)?);
    headers.append(header::SET_COOKIE, Cookie::Login.expire(&login.origin)?);
    Ok(response)
}

fn unfinished(why: Unfinished) -> Problem {
    match why {
        Unfinished::Away(why) => unavailable(why),
        Unfinished::Refused(why) => {
            tracing::warn!(why, "a login is refused");
            Problem::new(Code::TokenRefused, "the issuer does not know this login; begin again")
        }
    }
}

fn unavailable(why: String) -> Problem {
    tracing::error!(why, "nobody can log in");
    Problem::new(Code::IssuerUnavailable, "the issuer can't be asked who you are at the moment")
}
