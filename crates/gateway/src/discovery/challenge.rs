//! What a server that wants a token says of it in `WWW-Authenticate` (RFC 9110 §11.6.1): where its metadata
//! is (RFC 9728 §5.1), and what for (RFC 6750 §3). Pure; what of it is believed is not decided here.

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// The first `resource_metadata` of a `Bearer` challenge, as it stands there.
pub fn resource_metadata(headers: &HeaderMap) -> Option<String> {
    parameter(headers, "resource_metadata")
}

/// The first `scope` of a `Bearer` challenge, as it stands there.
pub fn scope(headers: &HeaderMap) -> Option<String> {
    parameter(headers, "scope")
}

fn parameter(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter();
    values.filter_map(|value| value.to_str().ok()).find_map(|value| of_value(value, wanted))
}

fn of_value(text: &str, wanted: &str) -> Option<String> {
    let mut bearer = false;
    for part in parts(text) {
        // A part is a scheme, a scheme with its first parameter, or one more parameter.
        let Some((before, value)) = part.split_once('=') else {
            bearer = is_bearer(part);
            continue;
        };
        let before = before.trim();
        let name = match before.rsplit_once([' ', '\t']) {
            Some((scheme, name)) => {
                bearer = is_bearer(scheme);
                name
            }
            None => before,
        };
        if bearer && name.eq_ignore_ascii_case(wanted) {
            return Some(unquoted(value.trim()));
        }
    }
    None
}

fn is_bearer(scheme: &str) -> bool {
    scheme.trim().eq_ignore_ascii_case("bearer")
}

/// What stands between commas that are in no quoted text.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

fn unquoted(value: &str) -> String {
    let Some(rest) = value.strip_prefix('"') else { return value.to_owned() };
    let (mut text, mut escaped) = (String::new(), false);
    for letter in rest.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => {
                escaped = true;
                continue;
            }
            '"' => break,
            _ => {}
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
    use proptest::prelude::*;

    use super::{resource_metadata, scope};

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn found(values: &[&str]) -> Option<String> {
        resource_metadata(&headers(values))
    }

    #[test]
    fn the_bearer_challenge_says_what_for() {
        let both = headers(&[r#"Basic scope="x", Bearer resource_metadata="y", scope="a b""#]);
        assert_eq!(scope(&both).as_deref(), Some("a b"));
        assert_eq!(scope(&headers(&[r#"Bearer error_description="scope=a""#])), None);
    }

    #[test]
    fn the_bearer_challenge_says_where() {
        for good in [
            &[r#"Bearer resource_metadata="https://a/x""#][..],
            &[r#"bearer error="invalid_token", Resource_Metadata="https://a/x", scope="a b""#],
            &["Bearer resource_metadata=https://a/x"],
            &[r#"Basic realm="a, Bearer", Bearer scope="a,b", resource_metadata = "https://a/x""#],
            &[r#"Basic realm="a""#, r#"Bearer resource_metadata="https:\//a/x""#],
            &[r#"Negotiate, Bearer realm="\"", resource_metadata="https://a/x""#],
            &[r#"Negotiate YQ==, Bearer resource_metadata="https://a/x""#],
        ] {
            assert_eq!(found(good).as_deref(), Some("https://a/x"), "{good:?}");
        }
    }

    #[test]
    fn what_no_bearer_challenge_says_is_not_heard() {
        for bad in [
            &[][..],
            &["Bearer"],
            &[r#"Bearer realm="resource_metadata=https://a/x""#],
            &[r#"Bearer realm="a, resource_metadata=https://a/x""#],
            &[r#"DPoP resource_metadata="https://a/x""#],
            &[r#"Bearer scope="a", Basic resource_metadata="https://a/x""#],
            &[r#"Bearer not_resource_metadata="https://a/x""#],
        ] {
            assert_eq!(found(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_can_be_read(text in "[ -~]{0,80}") {
            found(&[&text]);
        }

        #[test]
        fn what_is_quoted_comes_back(text in "[ -~]{0,40}") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer scope=\"a\", resource_metadata=\"{quoted}\", error=\"x\"");
            prop_assert_eq!(found(&[&header]), Some(text));
        }
    }
}
