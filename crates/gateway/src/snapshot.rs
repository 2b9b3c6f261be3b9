//! One version of everything that decides: settings, policies, connections. Built whole, swapped
//! whole, never changed; every recorded intent names the version that decided it.
//!
//! What must outlive a version, such as an upstream's connections and processes, is handed on from
//! the previous one where its settings did not change.

mod check;
mod connection;
mod guard;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use check::{check, is_loopback};
pub use connection::{Connection, Tool, tool_shapes};
pub use guard::Guard;
use lockgate_model::{ConnectionName, Digest, Limits};
use lockgate_rules::{
    mask::Detectors,
    policy::{ConnectionShape, IssuerShape, Policies, PolicyErrors, PolicyFault, Source},
};
use lockgate_store::journal::Journal;
use tokio::sync::Notify;

use crate::{
    egress::EgressFault,
    host,
    recogniser::Recogniser,
    settings::{GatewaySettings, IssuerSettings, ProxySettings},
    stage::authenticate::{Authenticator, IssuerFault},
    upstream::stdio::Launcher,
    vault::Vault,
};

/// What an operator wrote: the input of a [`Snapshot`].
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// The gateway's sections of the configuration.
    pub settings: GatewaySettings,
    /// The policy files.
    pub policies: Vec<Source>,
    /// Connections that were registered and are not served: policies may still speak of them.
    pub gone: Vec<ConnectionName>,
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
    /// What finds secrets and personal data in answers.
    pub detectors: Arc<Detectors>,
    /// Who is asked besides.
    pub recognisers: Vec<Arc<Recogniser>>,
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

/// What outlives every snapshot and is needed to build one.
pub struct Ground {
    /// Starts child processes.
    pub launcher: Launcher,
    /// The folder of accepted definitions.
    pub pins: PathBuf,
    /// Where everything is recorded.
    pub journal: Arc<Journal>,
    /// Where sealed credentials are fetched.
    pub vault: Arc<Vault>,
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
        let gone = blueprint.gone.iter().map(ConnectionShape::unserved);
        let known: Vec<_> = shapes.iter().cloned().chain(gone).collect();
        let compiled = Policies::compile(&blueprint.policies, &known, &issuer_shapes(settings))?;
        Ok(Self {
            version: version(&blueprint, &shapes, &connections),
            policies: compiled.policies,
            warnings: compiled.warnings,
            authenticator: Arc::new(authenticator),
            detectors: detectors(settings, previous)?,
            recognisers: recognisers(settings, previous)?,
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

    /// Proxies whose word on a caller's address is taken.
    pub fn proxies(&self) -> Option<&ProxySettings> {
        self.blueprint.settings.listen.proxies.as_ref()
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

/// The issuers as policies know them.
pub fn issuer_shapes(settings: &GatewaySettings) -> Vec<IssuerShape> {
    let kind = |name: &String| {
        let issuer = settings.issuers.iter().find(|issuer| issuer.name == *name);
        issuer.map(IssuerSettings::kind).unwrap_or_default()
    };
    let shape = |name: String| IssuerShape { vouches_for: kind(&name), name };
    issuer_names(settings).into_iter().map(shape).collect()
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

fn detectors(
    settings: &GatewaySettings,
    previous: Option<&Snapshot>,
) -> Result<Arc<Detectors>, BuildFault> {
    let same = previous.filter(|one| one.blueprint.settings.detection == settings.detection);
    if let Some(same) = same {
        return Ok(Arc::clone(&same.detectors));
    }
    let new = Detectors::new(&settings.detection);
    new.map(Arc::new).map_err(|fault| BuildFault::Settings(format!("detection: {fault}")))
}

fn recognisers(
    settings: &GatewaySettings,
    previous: Option<&Snapshot>,
) -> Result<Vec<Arc<Recogniser>>, BuildFault> {
    let before = || previous.into_iter().flat_map(|previous| &previous.recognisers);
    let made = settings.recognisers.iter().map(|one| {
        if let Some(same) = before().find(|before| before.settings == *one) {
            return Ok(Arc::clone(same));
        }
        let new = Recogniser::new(one).map(Arc::new);
        new.map_err(|fault| BuildFault::Settings(format!("recogniser `{}`: {fault}", one.name)))
    });
    made.collect()
}

/// Over everything that can change a decision.
fn version(
    blueprint: &Blueprint,
    shapes: &[ConnectionShape],
    connections: &[Arc<Connection>],
) -> Digest {
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
    let packs: Vec<_> = connections.iter().map(|connection| &connection.guard.texts).collect();
    lockgate_mcp::json::digest(&serde_json::json!([settings, policies, tools, packs]))
}
