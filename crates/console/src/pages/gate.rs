//! Who visits a page: the session in a cookie, the token behind it verified on every request.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use lockgate_model::ConnectionName;
use url::{Url, form_urlencoded};

use super::views;
use crate::{
    console::Console,
    door::{Login, Session, same},
    gate::{self, Somebody},
    problem::{Code, Problem},
};

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

/// What a browser keeps. No script reads it, and no other site's form sends it.
#[derive(Clone, Copy)]
pub(super) enum Cookie {
    /// The session's id.
    Session,
    /// Binds a login to the browser that began it.
    Login,
}

/// Somebody who is logged in.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(super) somebody: Somebody,
    pub(super) session: Session,
    pub(super) session_id: String,
}

impl Cookie {
    /// Behind TLS by a name that only this host can set (RFC 6265bis §4.1.3.2).
    fn name(self, origin: &Url) -> &'static str {
        match (self, is_encrypted(origin)) {
            (Self::Session, true) => "__Host-lockgate_session",
            (Self::Session, false) => "lockgate_session",
            (Self::Login, true) => "__Host-lockgate_login",
            (Self::Login, false) => "lockgate_login",
        }
    }

    /// Its value in a request.
    pub(super) fn of(self, headers: &HeaderMap, origin: &Url) -> Option<String> {
        let name = self.name(origin);
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
        values.next().map(str::to_owned)
    }

    /// Gives it to the browser.
    pub(super) fn set(self, value: &str, origin: &Url) -> Result<HeaderValue, Problem> {
        self.line(&format!("={value}; Path=/"), origin)
    }

    /// Takes it back.
    pub(super) fn expire(self, origin: &Url) -> Result<HeaderValue, Problem> {
        self.line("=; Path=/; Max-Age=0", origin)
    }

    fn line(self, rest: &str, origin: &Url) -> Result<HeaderValue, Problem> {
        let secure = if is_encrypted(origin) { "; Secure" } else { "" };
        let line = format!("{}{rest}; HttpOnly; SameSite=Lax{secure}", self.name(origin));
        Ok(HeaderValue::from_str(&line).map_err(|_| Code::Internal)?)
    }
}

fn is_encrypted(origin: &Url) -> bool {
    origin.scheme() == "https"
}

/// How people log in; there are no pages without.
pub(super) fn login(console: &Console) -> Result<&Login, Problem> {
    console.edge.login.as_ref().ok_or_else(|| Code::PathUnknown.into())
}

impl Visitor {
    pub(super) fn console(&self) -> &Arc<Console> {
        self.somebody.0.console()
    }

    /// Whether a request that changes something was made by a page of this origin.
    pub(super) fn is_own(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let login = login(self.console())?;
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
    let id = match login(&console) {
        Ok(login) => Cookie::Session.of(request.headers(), &login.origin).unwrap_or_default(),
        Err(problem) => return views::Fault::from(problem).into_response(),
    };
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
pub(crate) async fn verify(
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
    if let Some(connection) = path.strip_prefix("/connect/") {
        return ConnectionName::new(connection).is_ok();
    }
    let id = path.strip_prefix("/approvals").map(|rest| rest.strip_prefix('/').unwrap_or(rest));
    id.is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};
    use url::Url;

    use super::{Cookie, is_page};

    /// What leads away, in front of where to.
    const WAYS: [&str; 26] = [
        "//",
        "///",
        "/\\",
        "\\\\",
        "\\/",
        "http://",
        "https:",
        "https:///",
        "//\t",
        "/\t/",
        "/%09/",
        "/%2f",
        "/%5c",
        "javascript:",
        "data:text/html,",
        "/approvals@",
        "/approvals//",
        "/approvals/../../",
        "/approvals/..//",
        "@",
        " //",
        "\0//",
        "/approvals/%2e%2e//",
        "/approvals\\\\",
        "/connect//",
        "/connect/..//",
    ];
    const PLACES: [&str; 10] = [
        "evil.example",
        "evil.example/approvals",
        "2130706433",
        "[::1]",
        "evil.example%00.ok",
        "evil。example",
        "a@evil.example",
        "evil.example:443",
        "evil.example?x",
        "EVIL.example#x",
    ];

    #[test]
    fn u12_a_login_leads_to_no_other_place() {
        let origin = Url::parse("https://review.example.com").unwrap();
        for (path, own) in [
            ("/approvals", true),
            ("/approvals/a0123", true),
            ("/connect/staff", true),
            ("", false),
        ] {
            assert_eq!(is_page(path), own, "{path}");
        }
        let lines =
            WAYS.iter().flat_map(|way| PLACES.iter().map(move |place| format!("{way}{place}")));
        let mut away = 0;
        for line in lines {
            let there = origin.join(&line);
            away += usize::from(there.is_ok_and(|there| there.origin() != origin.origin()));
            assert!(!is_page(&line), "{line}");
        }
        assert!(away > 50, "only {away} of these lines would lead away");
    }

    #[test]
    fn u11_cookies_are_for_this_host_alone() {
        let origin = Url::parse("https://review.example.com").unwrap();
        let line = Cookie::Session.set("x", &origin).unwrap();
        let text = "__Host-lockgate_session=x; Path=/; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(line, text);
        let mut headers = HeaderMap::new();
        // Any subdomain or cleartext page could have set the first one.
        let sent = HeaderValue::from_static("lockgate_session=y; __Host-lockgate_session=x");
        headers.insert(header::COOKIE, sent);
        assert_eq!(Cookie::Session.of(&headers, &origin).unwrap(), "x");
        let here = Url::parse("http://127.0.0.1:9091").unwrap();
        assert_eq!(Cookie::Session.of(&headers, &here).unwrap(), "y");
    }
}
