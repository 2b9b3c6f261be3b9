//! The operators' listener: `/healthz`, `/readyz` and `/metrics`. It has no authentication and
//! shows nothing of any call.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::plain_http;

/// How one part of the gateway is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// Calls are served, though not all of them or not by the newest configuration.
    Degraded,
    /// No call can be served.
    Failed,
}

/// One part with its name.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// `config`, `journal`, `issuer dev`, …
    pub(crate) name: String,
    /// How it is.
    pub(crate) state: State,
    /// Why, in one sentence.
    pub(crate) detail: String,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
        }
    }
}

/// Answers one request of an operator. Both texts are asked for only where they are shown.
pub(crate) fn answer(
    request: &Request<Bytes>,
    parts: impl FnOnce() -> Vec<Part>,
    metrics: impl FnOnce() -> String,
) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return plain_http::text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
    }
    match request.uri().path() {
        "/healthz" => plain_http::text(StatusCode::OK, "ok\n"),
        "/readyz" => readiness(&parts()),
        "/metrics" => {
            let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            plain_http::typed(StatusCode::OK, media, metrics())
        }
        _ => plain_http::text(StatusCode::NOT_FOUND, "/healthz, /readyz or /metrics\n"),
    }
}

/// 200 while calls are served, 503 where none can be. A degraded part is named but does not take
/// the gateway out of service: the old configuration still protects what it protected.
fn readiness(parts: &[Part]) -> Response<Full<Bytes>> {
    let worst = parts.iter().map(|part| part.state).max().unwrap_or(State::Ok);
    let status =
        if worst == State::Failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let parts: Vec<_> = parts
        .iter()
        .map(|part| json!({ "name": part.name, "state": part.state.word(), "detail": part.detail }))
        .collect();
    plain_http::json(status, &json!({ "state": worst.word(), "parts": parts }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failed_part_takes_the_gateway_out_of_service() {
        for (state, status) in [(State::Ok, 200), (State::Degraded, 200), (State::Failed, 503)] {
            let part = |state| Part { name: "x".into(), state, detail: String::new() };
            let request = Request::get("/readyz").body(Bytes::new()).unwrap();
            let parts = || vec![part(State::Ok), part(state)];
            assert_eq!(answer(&request, parts, String::new).status(), status, "{state:?}");
        }
    }
}
