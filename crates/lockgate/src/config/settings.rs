//! The whole configuration as one value: the gateway's sections beside the process's own.
//!
//! Holds no secret, only references to them. Reading it is `load`'s business.

use std::{net::SocketAddr, path::PathBuf};

use lockgate_console::ApiSettings;
use lockgate_gateway::{
    provider::{AwsSettings, ServerSettings},
    secret::SecretRef,
    settings::{
        ApprovalSettings, ConnectionSettings, GatewaySettings, IssuerSettings, ListenSettings,
        RecogniserSettings,
    },
    vault::KeyPlace,
};
use lockgate_model::Limits;
use lockgate_rules::mask::detect;
use lockgate_store::{deliver::DeliverySettings, retain::RetentionRule, ship::ShipSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// The settings of `lockgate.yaml`. A path that is not absolute starts at the file's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lockgate configuration")]
pub(crate) struct Settings {
    /// The URL under which clients know the gateway, without a path: `https://mcp.example.com`.
    // Required; optional here because the environment may supply it.
    #[schemars(with = "String", required)]
    pub(crate) public_url: Option<Url>,
    /// Name of this gateway among others; it stands in signed heads of the recording. The host's
    /// name where absent.
    #[serde(default = "Settings::default_node")]
    pub(crate) node: String,
    /// Where clients reach the gateway.
    #[serde(default)]
    pub(crate) listen: ListenSettings,
    /// Further values that a request's `Host` may have, each `host` or `host:port`.
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
    /// Folder of what must outlive the process: the recording and the pins.
    #[serde(default = "Settings::default_data")]
    pub(crate) data: PathBuf,
    /// Folder of the policies, one or more `*.cedar` files.
    #[serde(default = "Settings::default_policies")]
    pub(crate) policies: PathBuf,
    /// What becomes of the recording.
    #[serde(default)]
    pub(crate) recording: RecordingSettings,
    /// Health, readiness and metrics.
    #[serde(default)]
    pub(crate) admin: AdminSettings,
    /// The admin API over the recording; none where absent.
    #[serde(default)]
    pub(crate) admin_api: Option<ApiSettings>,
    /// Where the keys of sealed secrets are.
    #[serde(default)]
    pub(crate) vault: VaultSettings,
    /// The log on stderr.
    #[serde(default)]
    pub(crate) log: LogSettings,
    /// The bound on everything.
    #[serde(default)]
    pub(crate) limits: Limits,
    /// Who may vouch for callers.
    #[serde(default)]
    pub(crate) issuers: Vec<IssuerSettings>,
    /// The protected MCP servers.
    #[serde(default)]
    pub(crate) connections: Vec<ConnectionSettings>,
    /// How calls wait for a person's approval.
    #[serde(default)]
    pub(crate) approvals: ApprovalSettings,
    /// How secrets and personal data are found in what servers answer.
    #[serde(default)]
    pub(crate) detection: detect::Settings,
    /// Services outside that find names of people and places; connections say which they use.
    #[serde(default)]
    pub(crate) recognisers: Vec<RecogniserSettings>,
}

/// The listener for operators. It has no authentication: keep it on loopback or behind a network
/// policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AdminSettings {
    /// Address and port of `/healthz`, `/readyz` and `/metrics`.
    #[schemars(with = "String")]
    pub(crate) address: SocketAddr,
}

/// What becomes of the recording beside the journal in the data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RecordingSettings {
    /// URL of the PostgreSQL database that holds the index, by reference: `env:LOCKGATE_DATABASE_URL`
    /// with `postgres://USER:PASSWORD@HOST/DATABASE` in it. A file in the data folder where absent.
    #[schemars(with = "Option<String>")]
    pub(crate) index: Option<SecretRef>,
    /// What is sent elsewhere while it is recorded.
    pub(crate) deliver: DeliverySettings,
    /// Where closed segments are copied; nowhere where absent.
    pub(crate) ship: Option<ShipSettings>,
    /// What is kept, as whole segments; everything where absent. Sessions on hold stay.
    pub(crate) retention: RetentionRule,
}

/// The vault, in which sealed secrets are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct VaultSettings {
    /// The keys under which secrets are sealed: `file:/absolute/path` of a file that this program
    /// keeps, `env:NAME` of a variable that its operator keeps, or `transit:NAME` of a key in the transit
    /// engine of `server` or `kms:KEY` of one in the KMS of `aws`, which wraps them. `keys/vault.key` in
    /// the data folder where absent.
    #[schemars(with = "Option<String>")]
    pub(crate) keys: Option<KeyPlace>,
    /// Where keys of before are, which only open: for a move to another place.
    #[schemars(with = "Vec<String>")]
    pub(crate) older_keys: Vec<KeyPlace>,
    /// The HashiCorp Vault or OpenBao server to which references `vault:PATH#FIELD` lead, and `transit:`
    /// keys; none where absent.
    pub(crate) server: Option<ServerSettings>,
    /// The AWS account to whose Secrets Manager references `aws-sm:NAME` lead, and in whose KMS keys
    /// `kms:KEY` are; none where absent.
    pub(crate) aws: Option<AwsSettings>,
}

/// What the log says, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSettings {
    /// The least important kind of line that is written.
    pub(crate) level: LogLevel,
    /// The shape of a line.
    pub(crate) format: LogFormat,
}

/// How important a line must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogLevel {
    /// Someone must act.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What a developer wants to know.
    Debug,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Settings {
    fn default_data() -> PathBuf {
        "lockgate-data".into()
    }

    fn default_node() -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    fn default_policies() -> PathBuf {
        "policies".into()
    }

    /// The gateway's part; `None` while `public_url` is missing.
    pub(crate) fn gateway(&self) -> Option<GatewaySettings> {
        Some(GatewaySettings {
            listen: self.listen.clone(),
            public_url: self.public_url.clone()?,
            hosts: self.hosts.clone(),
            limits: self.limits,
            issuers: self.issuers.clone(),
            connections: self.connections.clone(),
            approvals: self.approvals.clone(),
            detection: self.detection.clone(),
            recognisers: self.recognisers.clone(),
            pages: self.admin_api.as_ref().and_then(|api| Some(api.login.as_ref()?.url.clone())),
        })
    }
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 9090)) }
    }
}

/// The URL under which clients know a connection.
pub(crate) fn connection_url(gateway: &GatewaySettings, connection: &ConnectionSettings) -> Url {
    let mut url = connection.public_url.clone().unwrap_or_else(|| gateway.public_url.clone());
    if url.path() == "/" {
        url.set_path(&connection.path());
    }
    url
}
