//! Who visits a page: the session in a cookie, the token behind it verified on every request.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use url::{Url, form_urlencoded};

use super::views;
use crate::{
    console::Console,
    door::{Session, same},
    gate::{self, Somebody},
    problem::{Code, Problem},
};

/// Holds the session's id.
pub(super) const SESSION_COOKIE: &str = "lockgate_session";
/// Binds a login to the browser that began it.
pub(super) const LOGIN_COOKIE: &str = "lockgate_login";

/// Nothing is loaded but the style, nothing is sent but to here, and no page frames it.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; \
         base-uri 'none'",
    ),
];

/// Somebody who is logged in.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(super) somebody: Somebody,
    pub(super) session: Session,
    pub(super) session_id: String,
}

impl Visitor {
    pub(super) fn console(&self) -> &Arc<Console> {
        self.somebody.0.console()
    }

    /// Whether a request that changes something was made by a page of this origin.
    pub(super) fn is_own(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let login = self.console().edge.login.as_ref().ok_or(Code::PathUnknown)?;
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let origin = login.origin.origin().ascii_serialization();
        let foreign = text(header::ORIGIN).is_some_and(|one| one != origin)
            || text(HeaderName::from_static("sec-fetch-site"))
                .is_some_and(|site| site != "same-origin");
        if foreign { Err(foreign_form()) } else { Ok(()) }
    }

    /// Whether a form is one of this session's.
    pub(super) fn holds(&self, token: &str) -> Result<(), Problem> {
        if same(&self.session.form_token, token) { Ok(()) } else { Err(foreign_form()) }
    }
}

fn foreign_form() -> Problem {
    Problem::new(Code::RoleMissing, "this form is not from one of your pages; open the page again")
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = views::Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, views::Fault> {
        // Absent only where the gate is not in front of the page.
        let visitor = parts.extensions.get::<Self>().ok_or(Code::Internal)?;
        Ok(visitor.clone())
    }
}

/// Lets in who is logged in; sends everybody else to log in, where they only look.
pub(super) async fn inside(
    State(console): State<Arc<Console>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = cookie(request.headers(), SESSION_COOKIE).unwrap_or_default();
    let Some(session) = console.door.session(&id) else { return to_login(&request) };
    let caller = match verify(&console, &session.authorization()).await {
        Ok(caller) => caller,
        // The token has ended: so has the session.
        Err(Problem { code: Code::TokenRefused, .. }) => {
            console.door.close(&id);
            return to_login(&request);
        }
        Err(problem) => return views::Fault::from(problem).into_response(),
    };
    let visitor = Visitor { somebody: caller, session, session_id: id };
    request.extensions_mut().insert(visitor);
    next.run(request).await
}

/// Verifies a token as the admin API does.
pub(super) async fn verify(
    console: &Arc<Console>,
    authorization: &str,
) -> Result<Somebody, Problem> {
    let mut shown = HeaderMap::new();
    let value = HeaderValue::from_str(authorization).map_err(|_| Code::TokenRefused)?;
    shown.insert(header::AUTHORIZATION, value);
    gate::enter(Arc::clone(console), shown, None).await.map(Somebody)
}

fn to_login(request: &Request) -> Response {
    if request.method() != Method::GET {
        let detail = "you are not logged in any more; nothing was done";
        return views::Fault::from(Problem::new(Code::TokenMissing, detail)).into_response();
    }
    let next: String = form_urlencoded::byte_serialize(request.uri().path().as_bytes()).collect();
    Redirect::to(&format!("/login?next={next}")).into_response()
}

/// Sets what every page says.
pub(super) async fn dress(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a place is a page of one's own: never another host's.
pub(super) fn is_page(path: &str) -> bool {
    let id = path.strip_prefix("/approvals").map(|rest| rest.strip_prefix('/').unwrap_or(rest));
    id.is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The value of a cookie.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

/// A cookie that no script reads and no other site's form sends.
pub(super) fn set_cookie(
    name: &str,
    value: &str,
    origin: &Url,
) -> Result<HeaderValue, header::InvalidHeaderValue> {
    let secure = if origin.scheme() == "https" { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}"))
}

/// Takes a cookie back.
pub(super) fn expired(name: &'static str) -> HeaderValue {
    let text = format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::is_page;

    #[test]
    fn a_login_leads_to_no_other_place() {
        for (path, own) in [
            ("/approvals", true),
            ("/approvals/a0123", true),
            ("//evil.example", false),
            ("/approvals/../logout", false),
            ("/approvals//evil.example", false),
            ("https://evil.example/approvals", false),
            ("/\\evil.example", false),
            ("", false),
        ] {
            assert_eq!(is_page(path), own, "{path}");
        }
    }
}
