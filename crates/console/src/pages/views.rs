//! The pages as text. Everything that comes from outside is escaped by the templates.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use lockgate_model::Timestamp;
use url::Url;

use super::{
    Visitor,
    show::{Line, Piece, age, pieces, what},
};
use crate::{
    difference::Difference,
    problem::{Code, Problem},
    routes::approvals::{ApprovalContent, ApprovalView},
};

/// A page that could not be shown.
pub(crate) struct Fault(Problem);

#[derive(Template)]
#[template(path = "list.html")]
struct List<'a> {
    who: String,
    token: &'a str,
    lines: &'a [Line],
}

#[derive(Template)]
#[template(path = "approval.html")]
struct One<'a> {
    who: String,
    token: &'a str,
    approval: &'a ApprovalView,
    what: String,
    content: &'a ApprovalContent,
    arguments: Vec<Piece>,
    description: Vec<Piece>,
    digest: String,
    token_age: Option<String>,
    bytes: usize,
    /// What the buttons say; none where there is nothing to answer, or it is for others.
    yes: Option<&'static str>,
    no: Option<&'static str>,
    own: Option<Vec<Change>>,
    anyone: Option<Vec<Change>>,
}

#[derive(Template)]
#[template(path = "connect.html")]
struct Account<'a> {
    who: String,
    token: &'a str,
    connection: &'a str,
    /// How long it has been connected; `None` where it is not.
    age: Option<String>,
}

#[derive(Template)]
#[template(path = "going.html")]
struct Going<'a> {
    who: String,
    token: &'a str,
    connection: &'a str,
    place: &'a str,
    host: String,
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    who: String,
    token: &'a str,
    title: &'a str,
    detail: &'a str,
}

/// One place that differs from what was approved before.
struct Change {
    place: Vec<Piece>,
    before: Vec<Piece>,
    now: Vec<Piece>,
}

pub(super) fn list(visitor: &Visitor, lines: &[Line]) -> Result<Response, Fault> {
    page(&List { who: visitor.somebody.0.by(), token: &visitor.session.form_token, lines })
}

pub(super) fn one(visitor: &Visitor, content: &ApprovalContent) -> Result<Response, Fault> {
    let canonical = content.canonical.as_deref().unwrap_or_default();
    let (yes, no) = buttons(&content.approval);
    page(&One {
        who: visitor.somebody.0.by(),
        token: &visitor.session.form_token,
        approval: &content.approval,
        what: what(
            &content.approval.connection,
            &content.approval.target,
            &content.approval.action,
        ),
        content,
        arguments: pieces(canonical),
        description: pieces(content.description.as_deref().unwrap_or_default()),
        digest: content.approval.arguments_digest.to_string(),
        token_age: content.token_age_s.map(age),
        bytes: canonical.len(),
        yes,
        no,
        own: content.changed_own.as_deref().map(changes),
        anyone: content.changed.as_deref().map(changes),
    })
}

fn buttons(approval: &ApprovalView) -> (Option<&'static str>, Option<&'static str>) {
    match (approval.state, approval.access.is_some()) {
        _ if !approval.yours => (None, None),
        ("pending", false) => (Some("Approve this call, once"), Some("Reject")),
        ("pending", true) => (Some("Give this access"), Some("Reject")),
        ("approved", true) => (None, Some("Take it away")),
        ("emergency", _) => (Some("It is right"), Some("It is not right: end it")),
        ("unreviewed", _) => (Some("It was right"), Some("It was not right")),
        _ => (None, None),
    }
}

pub(super) fn connect(
    visitor: &Visitor,
    connection: &str,
    since: Option<Timestamp>,
) -> Result<Response, Fault> {
    let (who, token) = (visitor.somebody.0.by(), &*visitor.session.form_token);
    let age_s = |since| visitor.console().now().millis_since(since) / 1000;
    let age = since.map(|since| age(u64::try_from(age_s(since)).unwrap_or_default()));
    page(&Account { who, token, connection, age })
}

/// Leads away by itself: a form may only lead to a page of one's own.
pub(super) fn going(visitor: &Visitor, connection: &str, place: &str) -> Result<Response, Fault> {
    let (who, token) = (visitor.somebody.0.by(), &*visitor.session.form_token);
    let url = Url::parse(place).map_err(|_| Code::Internal)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    page(&Going { who, token, connection, place, host })
}

pub(super) fn message(text: &str) -> Result<Response, Fault> {
    page(&Message { who: String::new(), token: "", title: text, detail: "" })
}

fn changes(places: &[Difference]) -> Vec<Change> {
    let text = |value: Option<&serde_json::Value>| {
        pieces(&value.map_or_else(|| "nothing".to_owned(), ToString::to_string))
    };
    let change = |one: &Difference| Change {
        place: pieces(&one.pointer),
        before: text(one.before.as_ref()),
        now: text(one.now.as_ref()),
    };
    places.iter().map(change).collect()
}

fn page(template: &impl Template) -> Result<Response, Fault> {
    let text = template.render().map_err(|fault| {
        tracing::error!(%fault, "a page can't be written");
        Fault(Code::Internal.into())
    })?;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, html)], text).into_response())
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Code> for Fault {
    fn from(code: Code) -> Self {
        Self(code.into())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = self.0.body();
        let (title, detail) = ("This can't be done", self.0.detail.as_ref());
        let shown = page(&Message { who: String::new(), token: "", title, detail });
        let mut response = shown.unwrap_or_else(|Self(problem)| problem.into_response());
        let status = http::StatusCode::from_u16(body.status);
        *response.status_mut() = status.unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        response
    }
}
