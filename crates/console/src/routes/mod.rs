//! Every path of the admin API, registered together with its description.

mod access;
pub(crate) mod approvals;
mod calls;
mod connections;
mod events;
mod journal;
mod keep;
mod refusals;
mod revocations;
mod search;
mod secrets;
mod sessions;

use std::sync::Arc;

use axum::{Extension, Router, middleware::from_fn_with_state, response::Response, routing::get};
use http::HeaderMap;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    console::Console,
    gate, hear, page, pages,
    problem::{Code, Problem},
    scim, slack,
};

/// Where the API stands.
const BASE: &str = "/api/v1";

/// What the description says of the whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lockgate admin API",
        version = "1",
        description = "Search, open, follow, hold and erase what Lockgate recorded. Every look and \
            every change is itself recorded before it is answered. Decide on calls that wait for a \
            person. Register servers, and seal credentials for them.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    modifiers(&Bearer),
    security(("oidc" = []))
)]
struct Description;

/// Every request carries a token.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("oidc", SecurityScheme::Http(scheme));
    }
}

/// Every path behind the gate.
pub(crate) fn router(console: Arc<Console>) -> Router {
    let pages = console.edge.login.is_some().then(|| pages::router(&console));
    let clicks = slack::router(&console);
    let told = hear::router(&console);
    let provisioned = scim::router(&console);
    let (router, description) = described().split_for_parts();
    let description: Arc<str> = text(&description).into();
    let api = router
        .route(&format!("{BASE}/openapi.json"), get(openapi))
        .layer(Extension(description))
        .fallback(|| async { Problem::from(Code::PathUnknown) })
        .method_not_allowed_fallback(|| async { Problem::from(Code::MethodNotAllowed) })
        .layer(from_fn_with_state(console, gate::pass));
    // Pages, clicks, what is told and who is provisioned have gates of their own.
    pages.into_iter().chain(clicks).chain([told, provisioned]).fold(api, Router::merge)
}

/// The API's description, OpenAPI 3.1 as JSON.
pub(crate) fn description() -> String {
    text(&described().into_openapi())
}

fn described() -> OpenApiRouter {
    let paths = OpenApiRouter::new()
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::show))
        .routes(routes!(events::list))
        .routes(routes!(events::tail_session))
        .routes(routes!(events::tail))
        .routes(routes!(keep::hold))
        .routes(routes!(keep::release))
        .routes(routes!(keep::erase))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::show))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::reject))
        .routes(routes!(approvals::withdraw))
        .routes(routes!(access::request))
        .routes(routes!(access::break_glass))
        .routes(routes!(connections::list))
        .routes(routes!(connections::show, connections::put, connections::remove))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::put, secrets::remove))
        .routes(routes!(calls::list))
        .routes(routes!(calls::show))
        .routes(routes!(refusals::list))
        .routes(routes!(revocations::list, revocations::make))
        .routes(routes!(revocations::lift))
        .routes(routes!(journal::head))
        .routes(routes!(journal::export));
    OpenApiRouter::with_openapi(Description::openapi()).nest(BASE, paths)
}

fn text(description: &utoipa::openapi::OpenApi) -> String {
    // It is made of the program's own text, which is always JSON.
    description.to_pretty_json().unwrap_or_default() + "\n"
}

async fn openapi(Extension(description): Extension<Arc<str>>, headers: HeaderMap) -> Response {
    page::tagged(&headers, "application/json", description.as_bytes().to_vec())
}
