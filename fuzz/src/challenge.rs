//! Where a server that wants a token says that its metadata is.

use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
use lockgate_gateway::discovery::challenge::resource_metadata;

/// What is found stands in a bearer challenge, and another challenge in front of it changes nothing.
pub fn holds(input: &[u8]) {
    let Some(found) = told(input) else { return };
    let with = [b"Basic realm=\"a, Bearer\", ", input].concat();
    assert_eq!(told(&with).as_ref(), Some(&found));
    if let Some(place) = found {
        let text = String::from_utf8_lossy(input).to_ascii_lowercase();
        assert!(text.contains("bearer") && text.contains("resource_metadata"));
        let mut rest = text.chars();
        let mut letters = place.chars().map(|letter| letter.to_ascii_lowercase());
        assert!(letters.all(|letter| rest.any(|one| one == letter)), "{place:?}");
    }
}

/// `None` where this is no header value.
fn told(value: &[u8]) -> Option<Option<String>> {
    let mut headers = HeaderMap::new();
    headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(value).ok()?);
    Some(resource_metadata(&headers))
}
