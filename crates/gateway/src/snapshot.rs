//! One version of everything that decides: settings, policies, connections. Built whole, swapped
//! whole, never changed; every recorded intent names the version that decided it.
//!
//! What must outlive a version, such as an upstream's connections and processes, is handed on from
//! the previous one where its settings did not change.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use lockgate_mcp::{
    headers::{self, ParamHeader},
    json::JsonLimits,
};
use lockgate_model::{ConnectionName, Digest, Limits};
use lockgate_rules::policy::{
    ConnectionShape, Policies, PolicyErrors, PolicyFault, Source, ToolShape,
};
use lockgate_store::{
    journal::Journal,
    pins::{PinKind, Pins},
};
use serde_json::Value;
use tokio::sync::Notify;
use url::{Host, Url};

use crate::{
    egress::EgressFault,
    host,
    pin::{PinKeeper, Stale},
    settings::{ConnectionSettings, GatewaySettings, UpstreamSettings},
    stage::{
        arm::Credential,
        authenticate::{Access, Authenticator, IssuerFault},
        challenge::Challenge,
    },
    upstream::{
        Upstream,
        catalogue::Lister,
        http::HttpUpstream,
        stdio::{Launcher, StdioUpstream},
    },
};

/// What an operator wrote: the input of a [`Snapshot`].
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// The gateway's sections of the configuration.
    pub settings: GatewaySettings,
    /// The policy files.
    pub policies: Vec<Source>,
}

/// One version of everything that decides.
pub struct Snapshot {
    /// SHA-256 over settings, policies and accepted definitions.
    pub version: Digest,
    /// What it was built from.
    pub blueprint: Arc<Blueprint>,
    /// The compiled policies.
    pub policies: Policies,
    /// Verifies callers.
    pub authenticator: Arc<Authenticator>,
    /// Every connection, in the order of the configuration.
    pub connections: Vec<Arc<Connection>>,
    /// What an operator should look at.
    pub warnings: Vec<PolicyFault>,
    hosts: BTreeSet<String>,
    routes: HashMap<String, Route>,
}

/// What stands at a path.
#[derive(Clone)]
pub enum Route {
    /// The MCP endpoint of a connection.
    Mcp(Arc<Connection>),
    /// The protected resource metadata of a connection (RFC 9728).
    Metadata(Arc<Connection>),
}

/// One protected MCP server, ready to be called.
pub struct Connection {
    /// Its settings.
    pub settings: ConnectionSettings,
    /// Its limits.
    pub limits: Limits,
    /// How much of its JSON is read.
    pub json: JsonLimits,
    /// The URL under which clients know it.
    pub public_url: Url,
    /// Whose tokens it takes.
    pub access: Access,
    /// What callers without a good token are told.
    pub challenge: Challenge,
    /// The server behind it.
    pub upstream: Arc<Upstream>,
    /// Its accepted and seen definitions.
    pub pins: Arc<PinKeeper>,
    /// The accepted tools that this version's policies were compiled against.
    pub tools: HashMap<String, Tool>,
    /// Speaks to its upstream in the gateway's own name.
    pub lister: Lister,
    /// [`PinKeeper::generation`] of these tools.
    pub accepted_count: u64,
    /// The credential for its upstream.
    pub credential: Credential,
    /// Marked when its server tells that definitions changed.
    pub stale: Stale,
    origins: BTreeSet<String>,
    shape: ConnectionShape,
}

/// An accepted tool.
#[derive(Debug)]
pub struct Tool {
    /// Digest of its definition.
    pub digest: Digest,
    /// The arguments that it wants mirrored in headers; `None` where its annotations break the
    /// rules, so that it is neither shown nor callable (V12).
    pub param_headers: Option<Vec<ParamHeader>>,
}

/// What outlives every snapshot and is needed to build one.
pub struct Ground {
    /// Starts child processes.
    pub launcher: Launcher,
    /// The folder of accepted definitions.
    pub pins: PathBuf,
    /// Where everything is recorded.
    pub journal: Arc<Journal>,
    /// Notified when accepted definitions changed, so that a new snapshot is due.
    pub changed: Arc<Notify>,
}

/// Why a blueprint can't be used. The snapshot before it stays in force.
#[derive(Debug, thiserror::Error)]
pub enum BuildFault {
    /// The settings contradict themselves.
    #[error("{0}")]
    Settings(String),
    /// The issuers can't be used.
    #[error(transparent)]
    Issuers(#[from] IssuerFault),
    /// A policy is wrong.
    #[error(transparent)]
    Policies(#[from] PolicyErrors),
    /// An upstream can't be used.
    #[error("connection `{connection}`: {fault}")]
    Upstream {
        /// The connection.
        connection: ConnectionName,
        /// What is wrong.
        fault: EgressFault,
    },
    /// A command can't be run, or accepted definitions can't be read.
    #[error("connection `{connection}`: {fault}")]
    Connection {
        /// The connection.
        connection: ConnectionName,
        /// What is wrong.
        fault: String,
    },
}

impl Snapshot {
    /// Builds the next version from what an operator wrote.
    ///
    /// # Errors
    /// [`BuildFault`], and nothing has changed.
    pub fn build(
        blueprint: Arc<Blueprint>,
        ground: &Ground,
        previous: Option<&Self>,
    ) -> Result<Self, BuildFault> {
        let settings = &blueprint.settings;
        check(settings)?;
        let authenticator = Authenticator::new(
            &settings.issuers,
            &settings.limits,
            previous.map(|previous| previous.authenticator.as_ref()),
        )?;
        let connections = settings
            .connections
            .iter()
            .map(|one| Connection::build(one, settings, ground, previous).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let shapes: Vec<_> =
            connections.iter().map(|connection| connection.shape.clone()).collect();
        let compiled = Policies::compile(&blueprint.policies, &shapes, &issuer_names(settings))?;
        Ok(Self {
            version: version(&blueprint, &shapes),
            policies: compiled.policies,
            warnings: compiled.warnings,
            authenticator: Arc::new(authenticator),
            hosts: hosts(settings, &connections),
            routes: routes(&connections)?,
            connections,
            blueprint,
        })
    }

    /// The limits of the gateway as a whole.
    pub fn limits(&self) -> &Limits {
        &self.blueprint.settings.limits
    }

    /// What stands at exactly this path; nothing is decoded or normalised (H12).
    pub fn route(&self, path: &str) -> Option<&Route> {
        self.routes.get(path)
    }

    /// Whether a request's `Host` names this gateway.
    pub fn is_own_host(&self, host: &str) -> bool {
        self.hosts.contains(host) || self.hosts.contains(&host.to_ascii_lowercase())
    }

    /// The connection with this name.
    pub fn connection(&self, name: &ConnectionName) -> Option<&Arc<Connection>> {
        self.connections.iter().find(|connection| connection.settings.name == *name)
    }
}

impl Connection {
    fn build(
        settings: &ConnectionSettings,
        gateway: &GatewaySettings,
        ground: &Ground,
        previous: Option<&Snapshot>,
    ) -> Result<Self, BuildFault> {
        let limits = settings.limits.over(&gateway.limits);
        let before = previous.and_then(|snapshot| snapshot.connection(&settings.name));
        let same = before.filter(|before| {
            before.settings.upstream == settings.upstream && before.limits == limits
        });
        let credential = match same {
            Some(same) => same.credential.renewed(&settings.upstream),
            None => Credential::of(&settings.upstream),
        };
        let stale = before.map_or_else(Stale::default, |before| before.stale.clone());
        let upstream = match same {
            Some(same) => Arc::clone(&same.upstream),
            None => Arc::new(upstream(settings, limits, ground, &stale)?),
        };
        let pins = match same {
            Some(same) if same.settings.pins == settings.pins => {
                same.pins.reload().map_err(|fault| BuildFault::Connection {
                    connection: settings.name.clone(),
                    fault: fault.to_string(),
                })?;
                Arc::clone(&same.pins)
            }
            _ => pins(settings, limits, ground, &upstream, &credential, &stale)?,
        };
        let lister = lister(settings, limits, ground, &upstream, &credential);
        let accepted_count = pins.generation();
        let accepted = pins.accepted();
        let public_url = public_url(settings, &gateway.public_url);
        let issuers = gateway.issuers.iter().filter(|one| settings.issuers.contains(&one.name));
        let challenge = Challenge::new(
            &public_url,
            &issuers.map(|one| one.issuer.clone()).collect::<Vec<_>>(),
            &settings.scopes,
        )
        .map_err(|fault| BuildFault::Connection {
            connection: settings.name.clone(),
            fault: fault.to_string(),
        })?;
        let own = challenge.resource().to_owned();
        let audiences = [own].into_iter().chain(settings.audiences.iter().cloned()).collect();
        Ok(Self {
            access: Access { issuers: settings.issuers.clone(), audiences },
            challenge,
            json: JsonLimits::from(&limits),
            origins: settings
                .allowed_origins
                .iter()
                .cloned()
                .chain([public_url.origin().ascii_serialization()])
                .collect(),
            shape: ConnectionShape {
                name: settings.name.clone(),
                labels: settings.labels.clone(),
                tools: accepted.as_ref().map(tool_shapes),
            },
            tools: accepted.iter().flat_map(tools).collect(),
            credential,
            lister,
            settings: settings.clone(),
            limits,
            public_url,
            upstream,
            pins,
            accepted_count,
            stale,
        })
    }

    /// Its name.
    pub fn name(&self) -> &ConnectionName {
        &self.settings.name
    }

    /// Whether pages of this web origin may call it.
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.origins.contains(origin)
    }
}

fn upstream(
    settings: &ConnectionSettings,
    limits: Limits,
    ground: &Ground,
    stale: &Stale,
) -> Result<Upstream, BuildFault> {
    let connection = settings.name.clone();
    match &settings.upstream {
        UpstreamSettings::Http(http) => HttpUpstream::new(http, &limits)
            .map(Upstream::Http)
            .map_err(|fault| BuildFault::Upstream { connection, fault }),
        UpstreamSettings::Stdio(stdio) => StdioUpstream::new(
            connection.clone(),
            stdio.clone(),
            limits,
            ground.launcher.clone(),
            stale.clone(),
        )
        .map(Upstream::Stdio)
        .map_err(|fault| BuildFault::Connection { connection, fault: fault.to_string() }),
    }
}

fn lister(
    settings: &ConnectionSettings,
    limits: Limits,
    ground: &Ground,
    upstream: &Arc<Upstream>,
    credential: &Credential,
) -> Lister {
    Lister::new(
        settings.name.clone(),
        Arc::clone(upstream),
        credential.clone(),
        settings.era,
        limits,
        Arc::clone(&ground.journal),
    )
}

fn pins(
    settings: &ConnectionSettings,
    limits: Limits,
    ground: &Ground,
    upstream: &Arc<Upstream>,
    credential: &Credential,
    stale: &Stale,
) -> Result<Arc<PinKeeper>, BuildFault> {
    PinKeeper::open(
        settings.pins,
        &ground.pins,
        lister(settings, limits, ground, upstream, credential),
        Arc::clone(&ground.journal),
        stale.clone(),
        Arc::clone(&ground.changed),
    )
    .map(Arc::new)
    .map_err(|fault| BuildFault::Connection {
        connection: settings.name.clone(),
        fault: fault.to_string(),
    })
}

/// The accepted tools by name.
fn tools(accepted: &Pins) -> HashMap<String, Tool> {
    let tools = accepted.definitions.iter().filter(|pin| pin.kind == PinKind::Tool);
    tools
        .map(|pin| {
            let schema = pin.definition.get("inputSchema").unwrap_or(&Value::Null);
            let param_headers = headers::param_headers(schema);
            (pin.name.clone(), Tool { digest: pin.digest, param_headers })
        })
        .collect()
}

/// The accepted tools as policy sees them.
pub fn tool_shapes(accepted: &Pins) -> Vec<ToolShape> {
    let tools = accepted.definitions.iter().filter(|pin| pin.kind == PinKind::Tool);
    tools
        .map(|pin| ToolShape {
            name: pin.name.clone(),
            input_schema: pin.definition.get("inputSchema").cloned().unwrap_or(Value::Null),
        })
        .collect()
}

fn public_url(settings: &ConnectionSettings, gateway: &Url) -> Url {
    let mut url = settings.public_url.clone().unwrap_or_else(|| gateway.clone());
    if settings.public_url.is_none() || url.path() == "/" {
        url.set_path(&settings.path());
    }
    url
}

/// Contradictions that no later step would notice.
fn check(settings: &GatewaySettings) -> Result<(), BuildFault> {
    let fault = |text: String| Err(BuildFault::Settings(text));
    let loopback = settings.listen.address.ip().is_loopback() && is_loopback(&settings.public_url);
    let mut seen = BTreeSet::new();
    for one in &settings.connections {
        let name = &one.name;
        if !seen.insert(name) {
            return fault(format!("connection `{name}` stands twice"));
        }
        if !is_plain_path(&one.path()) {
            return fault(format!(
                "connection `{name}`: `path` must be plain, like `/c/{name}/mcp`"
            ));
        }
        if let Some(unknown) =
            one.issuers.iter().find(|issuer| settings.issuers.iter().all(|i| i.name != **issuer))
        {
            return fault(format!("connection `{name}`: no issuer is named `{unknown}`"));
        }
        if one.development_anonymous && !loopback {
            return fault(format!(
                "connection `{name}`: `development_anonymous` needs a loopback address and URL"
            ));
        }
        if one.issuers.is_empty() && !one.development_anonymous {
            return fault(format!("connection `{name}`: no issuer, so that nobody could call it"));
        }
    }
    Ok(())
}

/// Segments of unreserved characters (RFC 3986 §2.3) that no reader normalises.
fn is_plain_path(path: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'~');
    path.strip_prefix('/').is_some_and(|rest| {
        rest.split('/')
            .all(|segment| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain))
    })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The short names that policies may use for issuers.
pub fn issuer_names(settings: &GatewaySettings) -> Vec<String> {
    let anonymous = settings.connections.iter().any(|one| one.development_anonymous);
    let configured = settings.issuers.iter().map(|issuer| issuer.name.clone());
    configured.chain(anonymous.then(|| host::DEVELOPMENT_ISSUER.to_owned())).collect()
}

fn hosts(settings: &GatewaySettings, connections: &[Arc<Connection>]) -> BTreeSet<String> {
    let mut hosts: BTreeSet<String> =
        settings.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    for url in connections.iter().map(|one| &one.public_url).chain([&settings.public_url]) {
        hosts.extend(host::spellings(url, is_loopback(url)));
    }
    hosts
}

fn routes(connections: &[Arc<Connection>]) -> Result<HashMap<String, Route>, BuildFault> {
    let mut routes = HashMap::new();
    for connection in connections {
        let mcp = (connection.settings.path(), Route::Mcp(Arc::clone(connection)));
        let metadata = connection.challenge.metadata_path().to_owned();
        for (path, route) in [mcp, (metadata, Route::Metadata(Arc::clone(connection)))] {
            if routes.insert(path.clone(), route).is_some() {
                return Err(BuildFault::Settings(format!("the path `{path}` is taken twice")));
            }
        }
    }
    Ok(routes)
}

/// Over everything that can change a decision.
fn version(blueprint: &Blueprint, shapes: &[ConnectionShape]) -> Digest {
    let settings = serde_json::to_value(&blueprint.settings).unwrap_or_default();
    let policies: BTreeMap<_, _> =
        blueprint.policies.iter().map(|source| (&source.name, &source.text)).collect();
    let tools: Vec<_> = shapes
        .iter()
        .map(|shape| {
            let tools = shape.tools.iter().flatten();
            (shape.name.as_str(), tools.map(|t| (&t.name, &t.input_schema)).collect::<Vec<_>>())
        })
        .collect();
    lockgate_mcp::json::digest(&serde_json::json!([settings, policies, tools]))
}
