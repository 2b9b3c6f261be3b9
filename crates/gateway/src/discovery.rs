//! Going out for what servers publish of themselves: an issuer's metadata (OpenID Connect Discovery §4,
//! RFC 8414 §3), a protected resource's (RFC 9728 §3), key sets. Small answers in short time, from
//! allowed addresses, or none. Believes no document that speaks of somebody else.

pub mod challenge;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use lockgate_mcp::json::{Document, JsonLimits, Node};
use lockgate_model::{Reason, Refusal};
use tokio::time::timeout;
use url::Url;

use crate::egress::{self, Client, EgressFault, EgressRules};

/// Further scopes that somebody names are not asked for.
const SCOPES_MAX: usize = 64;
/// An answer is at most this long.
const BODY_MAX_BYTES: usize = 256 * 1024;
/// Each must have come within this time.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// A connection must stand within this time.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(3);

/// Goes out under the rules for one server.
#[derive(Debug)]
pub(crate) struct Fetcher {
    client: Client,
    rules: EgressRules,
}

/// What an issuer publishes of itself. The URLs in it are not checked yet.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// Where its keys are.
    pub(crate) jwks_uri: Option<String>,
    /// Where it gives tokens.
    pub(crate) token_endpoint: Option<String>,
    /// How clients may show there who they are; `None` where it does not say.
    pub(crate) auth_methods: Option<Vec<String>>,
    /// Where users are asked.
    pub(crate) authorization_endpoint: Option<String>,
    /// Where it tells whether a token is good (RFC 7662).
    pub(crate) introspection_endpoint: Option<String>,
    /// How clients may show there who they are; `None` where it does not say.
    pub(crate) introspection_auth_methods: Option<Vec<String>>,
    /// Where tokens are given back (RFC 7009).
    pub(crate) revocation_endpoint: Option<String>,
    /// What tokens of it may be for, as far as it says that.
    pub(crate) scopes: Vec<String>,
    /// Whether it knows PKCE by S256.
    pub(crate) takes_s256: bool,
    /// Whether it names itself when it sends a user back (RFC 9207 §3).
    pub(crate) names_itself: bool,
}

/// What a protected resource publishes of itself.
#[derive(Debug)]
pub(crate) struct Resource {
    /// Its identifier, which covers the URL that was asked about.
    pub(crate) resource: String,
    /// Who gives tokens for it.
    pub(crate) issuers: Vec<String>,
    /// What tokens for it are wanted for: as it says to whoever comes without one, else all that it knows.
    pub(crate) scopes: Vec<String>,
}

/// What a server says to whoever comes without a token.
#[derive(Default)]
struct Told {
    /// Where its metadata is (RFC 9728 §5.1).
    at: Option<Url>,
    /// What a token is wanted for (RFC 6750 §3).
    scopes: Vec<String>,
}

/// Why a fetch brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchFault {
    /// No connection, or not an allowed one.
    #[error("{url}: {refusal}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What happened.
        refusal: Refusal,
    },
    /// An answer that can't be used.
    #[error("{url}: {what}")]
    Unusable {
        /// What was asked for.
        url: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// It points where the gateway doesn't go.
    #[error("discovery: {0}")]
    Forbidden(#[from] EgressFault),
}

impl Fetcher {
    /// Dials nothing yet.
    ///
    /// # Errors
    /// [`EgressFault`] where the certificate authorities can't be used.
    pub(crate) fn new(
        allow_private: bool,
        ca: Option<std::path::PathBuf>,
    ) -> Result<Self, EgressFault> {
        let rules = EgressRules { allow_private, ca, connect_wait_max: CONNECT_WAIT_MAX };
        Ok(Self { client: egress::client(&rules)?, rules })
    }

    /// A URL that may be dialled.
    ///
    /// # Errors
    /// As [`egress::check_url`].
    pub(crate) fn check(&self, url: &str) -> Result<Url, EgressFault> {
        egress::check_url(url, &self.rules)
    }

    /// Asks an issuer's well-known places in turn for its metadata.
    ///
    /// # Errors
    /// [`FetchFault`]; of the first place, which is the only one that most issuers have.
    pub(crate) async fn metadata(&self, issuer: &str) -> Result<Metadata, FetchFault> {
        let mut first = None;
        for place in self.issuer_places(issuer)? {
            match self.metadata_at(&place, issuer).await {
                Ok(metadata) => return Ok(metadata),
                Err(fault) => first = first.or(Some(fault)),
            }
        }
        Err(first.unwrap_or_else(|| unusable(issuer, "it has no metadata".to_owned())))
    }

    async fn metadata_at(&self, url: &Url, issuer: &str) -> Result<Metadata, FetchFault> {
        let body = self.get(url).await?;
        let document = parsed(url, &body)?;
        // Without this, whoever can put one document on the host can speak for every issuer.
        if text(&document, "issuer").as_deref() != Some(issuer) {
            return Err(unusable(url, "its `issuer` is another".to_owned()));
        }
        let list = |name| document.root().get(name).map(|list| texts(&list));
        let challenges = list("code_challenge_methods_supported").unwrap_or_default();
        let names_itself = document.root().get("authorization_response_iss_parameter_supported");
        Ok(Metadata {
            jwks_uri: text(&document, "jwks_uri"),
            token_endpoint: text(&document, "token_endpoint"),
            auth_methods: list("token_endpoint_auth_methods_supported"),
            authorization_endpoint: text(&document, "authorization_endpoint"),
            introspection_endpoint: text(&document, "introspection_endpoint"),
            introspection_auth_methods: list("introspection_endpoint_auth_methods_supported"),
            revocation_endpoint: text(&document, "revocation_endpoint"),
            scopes: scopes(&document),
            takes_s256: challenges.iter().any(|method| method == "S256"),
            names_itself: names_itself.is_some_and(|flag| flag.to_value() == true),
        })
    }

    /// Asks for what a protected resource publishes of itself: where it says that this is, else below its
    /// own path, then at the root.
    ///
    /// # Errors
    /// [`FetchFault`]; of the first place.
    pub(crate) async fn resource(&self, url: &Url) -> Result<Resource, FetchFault> {
        let Told { at, scopes } = self.told(url).await?;
        let found = match at {
            Some(at) => self.resource_at(&at, url).await,
            None => self.resource_at_known_places(url).await,
        };
        let mut resource = found?;
        if !scopes.is_empty() {
            resource.scopes = scopes;
        }
        Ok(resource)
    }

    async fn resource_at_known_places(&self, url: &Url) -> Result<Resource, FetchFault> {
        let mut first = None;
        let path = url.path().trim_end_matches('/');
        let places = [path, ""].map(|path| format!("/.well-known/oauth-protected-resource{path}"));
        for place in places.iter().take(if path.is_empty() { 1 } else { 2 }) {
            let mut at = url.clone();
            at.set_path(place);
            at.set_query(None);
            match self.resource_at(&at, url).await {
                Ok(resource) => return Ok(resource),
                Err(fault) => first = first.or(Some(fault)),
            }
        }
        Err(first.unwrap_or_else(|| unusable(url, "it has no metadata".to_owned())))
    }

    /// What the server says to whoever comes without a token. That request carries neither a token nor a
    /// message.
    async fn told(&self, url: &Url) -> Result<Told, FetchFault> {
        let request = Request::post(url.as_str())
            .header(header::ACCEPT, "application/json, text/event-stream")
            .body(Full::default())
            .map_err(|error| unusable(url, error.to_string()))?;
        // What is wrong with a server that gives no answer, the places that are asked next will say.
        let Ok(Ok(answer)) = timeout(WAIT_MAX, self.client.send(request)).await else {
            return Ok(Told::default());
        };
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(Told::default());
        }
        let scope = challenge::scope(answer.headers()).unwrap_or_default();
        let scopes = tokens(scope.split(' ').map(str::to_owned));
        let at = challenge::resource_metadata(answer.headers());
        let at = at.map(|at| self.check(&at)).transpose()?;
        // Else a server could have the gateway ask anybody in its own network.
        if let Some(at) = at.as_ref().filter(|at| at.origin() != url.origin()) {
            let what = format!("it says that its metadata is at {at}, which is another origin");
            return Err(unusable(url, what));
        }
        Ok(Told { at, scopes })
    }

    async fn resource_at(&self, at: &Url, url: &Url) -> Result<Resource, FetchFault> {
        let body = self.get(at).await?;
        let document = parsed(at, &body)?;
        let resource = text(&document, "resource").unwrap_or_default();
        // Another resource's issuer would get this one's tokens (RFC 9728 §3.3).
        if !Url::parse(&resource).is_ok_and(|resource| covers(&resource, url)) {
            return Err(unusable(at, "its `resource` is another".to_owned()));
        }
        let issuers = document.root().get("authorization_servers");
        let issuers = issuers.map(|issuers| texts(&issuers)).unwrap_or_default();
        if issuers.is_empty() {
            return Err(unusable(at, "it names no `authorization_servers`".to_owned()));
        }
        Ok(Resource { resource, issuers, scopes: scopes(&document) })
    }

    /// One answer with status 200, whole.
    ///
    /// # Errors
    /// [`FetchFault`]
    pub(crate) async fn get(&self, url: &Url) -> Result<Bytes, FetchFault> {
        let request = Request::get(url.as_str())
            .header(header::ACCEPT, "application/json")
            .body(Full::default())
            .map_err(|error| unusable(url, error.to_string()))?;
        match self.ask(url, request).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(unusable(url, format!("status {}", status.as_u16()))),
        }
    }

    /// One answer of any status, whole, within the limits.
    ///
    /// # Errors
    /// [`FetchFault`]
    pub(crate) async fn ask(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), FetchFault> {
        self.ask_within(url, request, WAIT_MAX).await
    }

    /// The same of a server that may take longer.
    ///
    /// # Errors
    /// [`FetchFault`]
    pub(crate) async fn ask_within(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
        wait_max: Duration,
    ) -> Result<(StatusCode, Bytes), FetchFault> {
        let exchange = async {
            let unreachable = |refusal| FetchFault::Unreachable { url: url.to_string(), refusal };
            let answer = self.client.send(request).await.map_err(unreachable)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), BODY_MAX_BYTES).collect().await;
            let body = body.map(Collected::to_bytes);
            Ok((status, body.map_err(|error| unusable(url, error.to_string()))?))
        };
        let late = |_| {
            let detail = format!("no answer within {} s", wait_max.as_secs());
            let refusal = Refusal::new(Reason::UpstreamTimeout, detail);
            FetchFault::Unreachable { url: url.to_string(), refusal }
        };
        timeout(wait_max, exchange).await.map_err(late)?
    }

    /// OpenID Connect appends to the issuer's path; RFC 8414 puts its part in front of it, and clients of
    /// MCP look for OpenID Connect's there too.
    fn issuer_places(&self, issuer: &str) -> Result<Vec<Url>, EgressFault> {
        let oidc = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let base = self.check(issuer)?;
        let path = base.path().trim_end_matches('/').to_owned();
        let in_front = |word: &str| {
            let mut url = base.clone();
            url.set_path(&format!("/.well-known/{word}{path}"));
            url
        };
        let mut places = vec![self.check(&oidc)?, in_front("oauth-authorization-server")];
        if !path.is_empty() {
            places.push(in_front("openid-configuration"));
        }
        Ok(places)
    }
}

/// Whether a resource's identifier stands for `url`: the same origin, and a path above it or the same.
fn covers(resource: &Url, url: &Url) -> bool {
    let (above, path) = (resource.path().trim_end_matches('/'), url.path());
    let rest = path.strip_prefix(above);
    resource.origin() == url.origin()
        && resource.fragment().is_none()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn parsed<'a>(url: &Url, body: &'a [u8]) -> Result<Document<'a>, FetchFault> {
    Document::strict(body, JsonLimits::default()).map_err(|fault| unusable(url, fault.to_string()))
}

fn text(document: &Document<'_>, name: &str) -> Option<String> {
    Some(document.root().get(name)?.text()?.into_owned())
}

fn texts(list: &Node<'_, '_>) -> Vec<String> {
    list.children().filter_map(|one| Some(one.text()?.into_owned())).collect()
}

fn scopes(document: &Document<'_>) -> Vec<String> {
    let known = document.root().get("scopes_supported");
    tokens(known.map(|list| texts(&list)).unwrap_or_default())
}

/// Those that are scopes (RFC 6749 §3.3).
fn tokens(found: impl IntoIterator<Item = String>) -> Vec<String> {
    let known = |c: u8| matches!(c, b'!' | b'#'..=b'[' | b']'..=b'~');
    let is_scope = |text: &String| (1..=128).contains(&text.len()) && text.bytes().all(known);
    found.into_iter().filter(is_scope).take(SCOPES_MAX).collect()
}

/// The fault of an answer that came from `url`.
pub(crate) fn unusable(url: impl std::fmt::Display, what: String) -> FetchFault {
    FetchFault::Unusable { url: url.to_string(), what }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{covers, tokens};

    #[test]
    fn only_scopes_are_taken_for_scopes() {
        let found = ["mcp:basic", "", "a b", "a\"", "a\\", "ä", "https://a.example/x.read"];
        let taken = tokens(found.map(str::to_owned));
        assert_eq!(taken, ["mcp:basic", "https://a.example/x.read"]);
        assert_eq!(tokens(vec!["a".to_owned(); 100]).len(), 64);
    }

    #[test]
    fn a_resource_stands_for_what_is_below_it() {
        let url = Url::parse("https://a.example/team/mcp").unwrap();
        for good in [
            "https://a.example",
            "https://a.example/",
            "https://a.example/team",
            "https://a.example/team/mcp",
            "https://a.example:443/team/",
        ] {
            assert!(covers(&Url::parse(good).unwrap(), &url), "{good}");
        }
        for bad in [
            "http://a.example/team/mcp",
            "https://b.example/team/mcp",
            "https://a.example:8443/team/mcp",
            "https://a.example/te",
            "https://a.example/team/mcp/other",
            "https://a.example/team/mcp#part",
        ] {
            assert!(!covers(&Url::parse(bad).unwrap(), &url), "{bad}");
        }
    }
}
