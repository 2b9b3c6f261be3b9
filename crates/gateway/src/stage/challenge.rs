//! What a client without a good token is told: the `WWW-Authenticate` challenge (RFC 6750 §3,
//! RFC 9728 §5.1) and the protected resource metadata that it points to (RFC 9728 §3).
//!
//! Built once for each connection from its configured public URL, never from a request's `Host`.
//! Never says which check failed.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use lockgate_model::Reason;
use serde::Serialize;
use url::{Position, Url};

/// The registered well-known name (RFC 9728 §3).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A connection's challenge and metadata.
#[derive(Clone, Debug)]
pub struct Challenge {
    resource: String,
    metadata_path: String,
    without_token: HeaderValue,
    with_token: HeaderValue,
    document: Bytes,
}

/// A scope that can't be written in a challenge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no scope: use visible ASCII without spaces, quotes and backslashes")]
pub struct ScopeFault(String);

/// The fields of RFC 9728 §2 that MCP clients read.
#[derive(Serialize)]
struct Metadata<'a> {
    resource: &'a str,
    authorization_servers: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scopes_supported: &'a [String],
    bearer_methods_supported: [&'a str; 1],
}

impl Challenge {
    /// For the connection that clients dial at `public_url`. `issuers` are the URLs of the issuers
    /// that it trusts, `scopes` what clients are to ask them for.
    ///
    /// # Errors
    /// [`ScopeFault`] where a scope is not one (RFC 6749 §3.3).
    pub fn new(
        public_url: &Url,
        issuers: &[String],
        scopes: &[String],
    ) -> Result<Self, ScopeFault> {
        let written = |c: u8| c.is_ascii_graphic() && c != b'"' && c != b'\\';
        let is_scope = |scope: &String| !scope.is_empty() && scope.bytes().all(written);
        if let Some(bad) = scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(ScopeFault(bad.clone()));
        }
        let origin = &public_url[..Position::BeforePath];
        let path = public_url.path().trim_end_matches('/');
        let resource = format!("{origin}{path}");
        let metadata_path = format!("{WELL_KNOWN}{path}");
        let mut challenge = format!("Bearer resource_metadata=\"{origin}{metadata_path}\"");
        if !scopes.is_empty() {
            challenge.push_str(&format!(", scope=\"{}\"", scopes.join(" ")));
        }
        let text =
            |text: &str| HeaderValue::from_str(text).map_err(|_| ScopeFault(scopes.join(" ")));
        let metadata = Metadata {
            resource: &resource,
            authorization_servers: issuers,
            scopes_supported: scopes,
            bearer_methods_supported: ["header"],
        };
        Ok(Self {
            without_token: text(&challenge)?,
            with_token: text(&format!("{challenge}, error=\"invalid_token\""))?,
            document: serde_json::to_vec(&metadata).unwrap_or_default().into(),
            resource,
            metadata_path,
        })
    }

    /// The value of `WWW-Authenticate` for a 401. Only a client that sent a token is told that it
    /// is invalid.
    pub fn header(&self, reason: Reason) -> HeaderValue {
        match reason {
            Reason::TokenMissing => self.without_token.clone(),
            _ => self.with_token.clone(),
        }
    }

    /// The canonical public URL: without fragment, query and trailing slash. The audience that the
    /// connection's tokens name.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Where the metadata is served: [`WELL_KNOWN`] with the connection's path behind it.
    pub fn metadata_path(&self) -> &str {
        &self.metadata_path
    }

    /// The answer to a request for the metadata. It is public: any page may read it, no token is
    /// asked for.
    pub fn metadata(&self, method: &Method) -> Response<Full<Bytes>> {
        let body = match *method {
            Method::GET => self.document.clone(),
            _ => Bytes::new(),
        };
        let length = match *method {
            Method::GET | Method::HEAD => self.document.len(),
            _ => 0,
        };
        let mut answer = Response::new(Full::new(body));
        *answer.status_mut() = match *method {
            Method::GET | Method::HEAD => StatusCode::OK,
            Method::OPTIONS => StatusCode::NO_CONTENT,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        let fields = [
            (header::ALLOW, "GET, HEAD, OPTIONS"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "mcp-protocol-version"),
            (header::CACHE_CONTROL, "public, max-age=300"),
            (header::CONTENT_TYPE, "application/json"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let headers = answer.headers_mut();
        headers.extend(fields.map(|(name, value)| (name, HeaderValue::from_static(value))));
        if *method != Method::OPTIONS {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, header};
    use http_body_util::BodyExt;
    use lockgate_model::Reason;
    use serde_json::{Value, json};

    use super::Challenge;

    fn challenge(url: &str, scopes: &[&str]) -> Challenge {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let issuers = ["https://idp.example/realms/a".to_owned()];
        Challenge::new(&url.parse().unwrap(), &issuers, &scopes).unwrap()
    }

    #[test]
    fn row_t1_the_challenge_names_an_error_only_where_a_token_came() {
        let plain = challenge("https://MCP.example/c/x/mcp", &[]);
        let pointer = "Bearer resource_metadata=\
             \"https://mcp.example/.well-known/oauth-protected-resource/c/x/mcp\"";
        assert_eq!(plain.header(Reason::TokenMissing), pointer);
        let invalid = format!("{pointer}, error=\"invalid_token\"");
        for reason in [Reason::TokenMalformed, Reason::TokenExpired, Reason::GroupsAbsent] {
            assert_eq!(plain.header(reason), invalid);
        }
        let scoped = challenge("https://mcp.example/c/x/mcp", &["mcp", "x:read"]);
        assert_eq!(scoped.header(Reason::TokenMissing), format!("{pointer}, scope=\"mcp x:read\""));
    }

    #[tokio::test]
    async fn metadata_has_the_canonical_resource() {
        for (url, resource, path) in [
            ("https://mcp.example/c/x/mcp", "https://mcp.example/c/x/mcp", "/c/x/mcp"),
            ("https://MCP.example:443/c/x/mcp/", "https://mcp.example/c/x/mcp", "/c/x/mcp"),
            ("https://mcp.example:8443/mcp#x", "https://mcp.example:8443/mcp", "/mcp"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080", ""),
        ] {
            let challenge = challenge(url, &["mcp"]);
            assert_eq!(challenge.resource(), resource);
            let well_known = format!("/.well-known/oauth-protected-resource{path}");
            assert_eq!(challenge.metadata_path(), well_known);
            let answer = challenge.metadata(&Method::GET);
            assert_eq!(answer.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(
                serde_json::from_slice::<Value>(&body).unwrap(),
                json!({
                    "resource": resource,
                    "authorization_servers": ["https://idp.example/realms/a"],
                    "scopes_supported": ["mcp"],
                    "bearer_methods_supported": ["header"],
                })
            );
        }
    }

    #[tokio::test]
    async fn other_methods_get_no_document() {
        let challenge = challenge("https://mcp.example/mcp", &[]);
        for (method, status) in [
            (Method::HEAD, 200),
            (Method::OPTIONS, 204),
            (Method::POST, 405),
            (Method::DELETE, 405),
        ] {
            let answer = challenge.metadata(&method);
            assert_eq!(answer.status(), status, "{method}");
            assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
        }
    }

    #[test]
    fn scopes_can_not_break_out_of_the_header() {
        let url = "https://mcp.example/mcp".parse().unwrap();
        for bad in ["", "a b", "a\"", "a\\", "a\r\nb", "\u{e9}"] {
            assert!(Challenge::new(&url, &[], &[bad.to_owned()]).is_err(), "{bad:?}");
        }
    }
}
