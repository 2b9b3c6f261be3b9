//! The gateway's sections of the configuration. The binary reads them from a file and the
//! environment; nothing here reads anything, and nothing here holds a secret.

mod credential;
mod issuer;
mod proxy;
mod sandbox;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

pub use credential::{
    CertificateSettings, ClientAuthentication, CredentialSettings, TokenGrant, TokenKind,
};
pub use issuer::{
    EventSettings, IntrospectedTokens, IntrospectionSettings, IssuerSettings, PollSettings,
    ScimGroupName, ScimSettings, ScimSubject, TokenLimits,
};
use lockgate_model::{ConnectionName, Era, Limits};
use lockgate_rules::mask::{MaskSettings, detect};
use lockgate_store::notify::{MailSettings, SlackSettings, WebhookSettings};
use serde::{Deserialize, Serialize};
use url::Url;

pub use proxy::{Network as ProxyNetwork, ProxySettings, ProxySource};
pub use sandbox::{FileSettings, Network, SandboxSettings};

use crate::secret::SecretRef;

/// Everything that the gateway needs to serve, apart from the policies' texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GatewaySettings {
    /// Where clients reach the gateway.
    #[serde(default)]
    pub listen: ListenSettings,
    /// The URL under which clients know the gateway, without a path: `https://mcp.example.com`.
    /// Its host is the one that a request's `Host` must name.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub public_url: Url,
    /// Further values that a request's `Host` may have, each `host` or `host:port`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The bound on everything.
    #[serde(default)]
    pub limits: Limits,
    /// Who may vouch for callers.
    #[serde(default)]
    pub issuers: Vec<IssuerSettings>,
    /// The protected MCP servers.
    #[serde(default)]
    pub connections: Vec<ConnectionSettings>,
    /// How calls wait for a person's approval.
    #[serde(default)]
    pub approvals: ApprovalSettings,
    /// How secrets and personal data are found in what servers answer.
    #[serde(default)]
    pub detection: detect::Settings,
    /// Services outside that find names of people and places; connections say which they use.
    #[serde(default)]
    pub recognisers: Vec<RecogniserSettings>,
    /// Where users connect their accounts: the origin of the pages, which is configured with them.
    #[serde(skip)]
    pub pages: Option<Url>,
}

/// A service that reads language, spoken to as Presidio's analyzer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecogniserSettings {
    /// Its name for connections, reports and records.
    pub name: String,
    /// Where it is asked: `http://127.0.0.1:5002/analyze`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub url: Url,
    /// Allows private and loopback addresses, and `http:`.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM file of the certificate authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The language of the texts, as the service names it.
    #[serde(default = "RecogniserSettings::default_language")]
    pub language: String,
    /// The data class of each of its entities; it is asked for no others.
    #[serde(default = "RecogniserSettings::default_classes")]
    pub classes: BTreeMap<String, String>,
    /// What is less sure is no finding, in percent.
    #[serde(default = "RecogniserSettings::default_score_min")]
    pub score_min: u8,
    /// It must have answered within this time, in milliseconds.
    #[serde(default = "RecogniserSettings::default_wait_max_ms")]
    pub wait_max_ms: u32,
    /// A message with more text than this is not asked about, in bytes.
    #[serde(default = "RecogniserSettings::default_request_max_bytes")]
    pub request_max_bytes: u32,
    /// Questions that are open at a time; others wait.
    #[serde(default = "RecogniserSettings::default_in_flight_max")]
    pub in_flight_max: u16,
    /// What becomes of an answer that it could not be asked about.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// What becomes of an answer that a recogniser could not be asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OnFailure {
    /// The caller gets none of it.
    #[default]
    Refuse,
    /// It is masked by the detectors alone.
    Pass,
}

impl RecogniserSettings {
    fn default_language() -> String {
        "en".to_owned()
    }

    fn default_classes() -> BTreeMap<String, String> {
        [("PERSON", "pii.name"), ("LOCATION", "pii.address")]
            .map(|(entity, class)| (entity.to_owned(), class.to_owned()))
            .into()
    }

    const fn default_score_min() -> u8 {
        50
    }

    const fn default_wait_max_ms() -> u32 {
        2_000
    }

    const fn default_request_max_bytes() -> u32 {
        64 * 1024
    }

    const fn default_in_flight_max() -> u16 {
        8
    }
}

/// How calls wait for a person's approval. Which calls, and whose approval, policies say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApprovalSettings {
    /// Where reviewers find the admin API or the page, as told to callers; the approval's id is
    /// appended. Without it callers are told the id alone.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub url: Option<Url>,
    /// A caller is kept waiting for so long before it is told to come again, in milliseconds. Most
    /// clients give up after 60 seconds.
    pub hold_max_ms: u32,
    /// A question that nobody answered lapses after this time, in milliseconds.
    pub answer_max_ms: u32,
    /// A grant can be used for at most so long, in milliseconds; `@expires` may say less.
    pub grant_max_ms: u32,
    /// Access by break-glass ends after at most this time, in milliseconds.
    pub break_glass_max_ms: u32,
    /// Questions that one identity may have open.
    pub identity_max: u32,
    /// Web servers that are told of every question, never of its content.
    pub webhooks: Vec<WebhookSettings>,
    /// Slack channels in which each is asked, with buttons.
    pub slack: Vec<SlackSettings>,
    /// People who get a mail for each.
    pub mail: Vec<MailSettings>,
}

impl Default for ApprovalSettings {
    fn default() -> Self {
        Self {
            url: None,
            hold_max_ms: 45_000,
            answer_max_ms: 3_600_000,
            grant_max_ms: 600_000,
            break_glass_max_ms: 3_600_000,
            identity_max: 100,
            webhooks: Vec::new(),
            slack: Vec::new(),
            mail: Vec::new(),
        }
    }
}

/// The listening socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListenSettings {
    /// Address and port.
    #[serde(default = "ListenSettings::default_address")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub address: SocketAddr,
    /// TLS, where the gateway terminates it itself.
    #[serde(default)]
    pub tls: Option<TlsSettings>,
    /// Proxies in front of it whose word on a caller's address is taken.
    #[serde(default)]
    pub proxies: Option<ProxySettings>,
}

/// Certificate and key of the listening socket, both PEM; read again on reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TlsSettings {
    /// The certificate chain, leaf first.
    pub certificate: PathBuf,
    /// The private key (PKCS #8, PKCS #1 or SEC 1).
    pub key: PathBuf,
}

/// One protected MCP server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectionSettings {
    /// The handle in URLs, policies and records.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: ConnectionName,
    /// The path at which clients reach it; `/c/<name>/mcp` where absent.
    #[serde(default)]
    pub path: Option<String>,
    /// The whole URL under which clients know it, where it isn't the gateway's `public_url` with
    /// the path behind it. Its path, where it has one, must be `path`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub public_url: Option<Url>,
    /// The server behind it.
    pub upstream: UpstreamSettings,
    /// Which era the upstream speaks.
    #[serde(default)]
    pub era: EraSetting,
    /// Names of the issuers whose tokens open it.
    #[serde(default)]
    pub issuers: Vec<String>,
    /// Audiences that its tokens may name besides its own public URL.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Scopes that clients are told to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How new tool definitions become callable.
    #[serde(default)]
    pub pins: PinMode,
    /// When the recording of answers is on disk.
    #[serde(default)]
    pub durability: Durability,
    /// Words for policies to refer to: `resource.labels.env == "production"`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How the command guard reads the arguments of its tools.
    #[serde(default)]
    pub guard: GuardSettings,
    /// What is masked in what it answers, and how. Who sees which class all the same, policies say.
    #[serde(default)]
    pub masking: MaskSettings,
    /// Recognisers that are asked about its texts too.
    #[serde(default)]
    pub recognisers: Vec<String>,
    /// Web origins whose pages may call it; without any, a request with `Origin` is refused.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Limits that differ from the gateway's for this connection.
    #[serde(default)]
    pub limits: LimitOverrides,
    /// Lets callers in without a token, as subject `anonymous` of issuer `development`. Refused
    /// unless the listening address and the public URL are loopback.
    #[serde(default)]
    pub development_anonymous: bool,
}

/// How the command guard reads the arguments of a connection's tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GuardSettings {
    /// The SQL that its database speaks: `postgres`, `mysql`, `sqlite`, `tsql`, `oracle`,
    /// `snowflake` or `bigquery`. Where absent, what dialects read differently is read in each way.
    #[serde(default)]
    pub dialect: Option<String>,
    /// What arguments carry where names and schemas mislead: by tool, then by argument (its name, or
    /// its JSON pointer), one of `sql`, `shell`, `nosql`, `code`, `path` and `text`. `text` is for
    /// people: nothing in it is taken for a command.
    #[serde(default)]
    pub arguments: BTreeMap<String, BTreeMap<String, String>>,
    /// Files with rules of your own (`lockgate guard rules test`).
    #[serde(default)]
    pub packs: Vec<PathBuf>,
}

/// The server behind a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum UpstreamSettings {
    /// A server that speaks streamable HTTP.
    Http(HttpSettings),
    /// A program that speaks over its standard input and output.
    Stdio(StdioSettings),
}

/// An upstream reached over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HttpSettings {
    /// The MCP endpoint.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub url: Url,
    /// Allows private and loopback addresses, and `http:`, for this upstream.
    #[serde(default)]
    pub allow_private: bool,
    /// Headers sent with every request: the service's credential, by reference.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, String>"))]
    pub headers: BTreeMap<String, SecretRef>,
    /// A token that the gateway gets for it from an authorization server, sent as `Authorization`.
    #[serde(default)]
    pub credential: Option<Box<CredentialSettings>>,
    /// The certificate by which the gateway shows itself to it in TLS.
    #[serde(default)]
    pub client_certificate: Option<CertificateSettings>,
    /// PEM file of the certificate authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// An upstream run as a child process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StdioSettings {
    /// The program's absolute path; never passed through a shell.
    pub command: PathBuf,
    /// Its arguments, as they are.
    #[serde(default)]
    pub args: Vec<String>,
    /// Its whole environment, by reference; of the gateway's own it gets nothing. What needs to
    /// find other programs gets `PATH: env:PATH`; `sandbox.home` gives it `HOME` and `TMPDIR`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, String>"))]
    pub env: BTreeMap<String, SecretRef>,
    /// Its working directory; `/` where absent.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// What it may use of the machine.
    #[serde(default)]
    pub sandbox: SandboxSettings,
}

/// Which era an upstream speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum EraSetting {
    /// Whatever it turns out to speak; it may speak both.
    #[default]
    Auto,
    /// Only revisions with sessions, up to 2025-11-25.
    Legacy,
    /// Only 2026-07-28 and later.
    Modern,
}

impl EraSetting {
    /// Whether messages of `era` may be forwarded.
    pub const fn admits(self, era: Era) -> bool {
        match self {
            Self::Auto => true,
            Self::Legacy => matches!(era, Era::Legacy),
            Self::Modern => matches!(era, Era::Modern),
        }
    }
}

/// How new tool definitions become callable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PinMode {
    /// Someone accepts every definition with `lockgate pins accept`.
    #[default]
    Manual,
    /// The first definition ever seen under a name is accepted; every change waits for someone.
    OnFirstUse,
}

/// When the recording of an answer is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Durability {
    /// Written before the client sees it, synced within 20 ms.
    #[default]
    Default,
    /// Synced before the client sees it.
    Strict,
}

/// A connection's own limits; the gateway's hold where one is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitOverrides {
    /// A client's request body.
    pub request_max_bytes: Option<u32>,
    /// One JSON answer, one SSE event, or one line of a stdio child.
    pub answer_max_bytes: Option<u32>,
    /// An upstream must have begun its answer within this time.
    pub answer_wait_max_ms: Option<u32>,
    /// An upstream connection must be made within this time.
    pub connect_wait_max_ms: Option<u32>,
    /// A stream is ended when it is this old.
    pub stream_age_max_ms: Option<u32>,
    /// After a legacy client has gone, its answer is still read and recorded for this time.
    pub orphan_max_ms: Option<u32>,
}

impl ListenSettings {
    fn default_address() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 8080))
    }
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self { address: Self::default_address(), tls: None, proxies: None }
    }
}

impl UpstreamSettings {
    /// Where its secrets are, every one.
    pub fn secrets(&self) -> Vec<&SecretRef> {
        match self {
            Self::Http(http) => {
                let credential = http.credential.iter().flat_map(|credential| credential.secrets());
                let certificate = http.client_certificate.iter();
                let certificate = certificate.flat_map(|one| [&one.certificate, &one.key]);
                http.headers.values().chain(credential).chain(certificate).collect()
            }
            Self::Stdio(stdio) => stdio.env.values().collect(),
        }
    }
}

impl ConnectionSettings {
    /// The path at which clients reach it.
    pub fn path(&self) -> String {
        self.path.clone().unwrap_or_else(|| format!("/c/{}/mcp", self.name))
    }
}

impl LimitOverrides {
    /// The limits of the connection: `base` with these in place.
    pub fn over(&self, base: &Limits) -> Limits {
        Limits {
            request_max_bytes: self.request_max_bytes.unwrap_or(base.request_max_bytes),
            answer_max_bytes: self.answer_max_bytes.unwrap_or(base.answer_max_bytes),
            answer_wait_max_ms: self.answer_wait_max_ms.unwrap_or(base.answer_wait_max_ms),
            connect_wait_max_ms: self.connect_wait_max_ms.unwrap_or(base.connect_wait_max_ms),
            stream_age_max_ms: self.stream_age_max_ms.unwrap_or(base.stream_age_max_ms),
            orphan_max_ms: self.orphan_max_ms.unwrap_or(base.orphan_max_ms),
            ..*base
        }
    }
}
