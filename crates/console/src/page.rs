//! The shape of answers that can be cached and paged: weak `ETag`s (RFC 9110 §8.8.3) and
//! `Link: rel="next"` (RFC 8288).

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use crate::problem::{Code, Problem};

/// A JSON answer with its `ETag`; 304 without a body where the client has it already.
///
/// # Errors
/// [`Code::Internal`] where it can't be written as JSON.
pub(crate) fn json(asked: &HeaderMap, body: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(body).map_err(|fault| {
        tracing::error!(%fault, "an answer can't be written");
        Code::Internal
    })?;
    Ok(tagged(asked, "application/json", body))
}

/// Like [`json()`], for a body of any type.
pub(crate) fn tagged(asked: &HeaderMap, media_type: &'static str, body: Vec<u8>) -> Response {
    let digest = Sha256::digest(&body);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("W/\"{hex}\"");
    let mut response = if has(asked, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let media_type = HeaderValue::from_static(media_type);
        ([(header::CONTENT_TYPE, media_type)], body).into_response()
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Whether `If-None-Match` names `tag`, compared weakly (RFC 9110 §13.1.2).
fn has(asked: &HeaderMap, tag: &str) -> bool {
    let opaque = tag.trim_start_matches("W/");
    let lines = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(','));
    tags.any(|one| one.trim() == "*" || one.trim().trim_start_matches("W/") == opaque)
}

/// Adds the link to the next page: the request again, with `name` set to `value`.
pub(crate) fn link_next(response: &mut Response, uri: &Uri, name: &str, value: &str) {
    let asked = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(asked.filter(|(key, _)| key != name)).append_pair(name, value);
    let link = format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish());
    if let Ok(link) = HeaderValue::try_from(link) {
        response.headers_mut().insert(header::LINK, link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        let tag = "W/\"aa\"";
        for (line, found) in [
            ("W/\"aa\"", true),
            ("\"aa\"", true),
            ("\"b\", W/\"aa\"", true),
            ("*", true),
            ("aa", false),
            ("\"a\"", false),
            ("", false),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(header::IF_NONE_MATCH, HeaderValue::from_static(line));
            assert_eq!(has(&asked, tag), found, "{line}");
        }
    }

    #[test]
    fn the_next_page_is_the_same_question_further_on() {
        let uri = "/api/v1/calls?text=a%20%26%20b&cursor=old&limit=2".parse().unwrap();
        let mut response = Response::default();
        link_next(&mut response, &uri, "cursor", "n/w");
        let link = response.headers()[header::LINK].to_str().unwrap();
        assert_eq!(link, "</api/v1/calls?text=a+%26+b&limit=2&cursor=n%2Fw>; rel=\"next\"");
    }
}
