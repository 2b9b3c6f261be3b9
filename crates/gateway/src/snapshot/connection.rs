//! One connection of a snapshot: its settings with everything that was made of them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use lockgate_mcp::{
    headers::{self, ParamHeader},
    json::JsonLimits,
};
use lockgate_model::{ConnectionName, Digest, Limits};
use lockgate_rules::policy::{ConnectionShape, ToolShape};
use lockgate_store::pins::{PinKind, Pins};
use serde_json::Value;
use url::Url;

use super::{BuildFault, Ground, Snapshot, guard::Guard};
use crate::{
    pin::{PinKeeper, Stale},
    settings::{ConnectionSettings, GatewaySettings, UpstreamSettings},
    stage::{arm::Credential, authenticate::Access, challenge::Challenge},
    upstream::{Upstream, catalogue::Lister, http::HttpUpstream, stdio::StdioUpstream},
};

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
    /// How the guard reads its tools' arguments.
    pub guard: Guard,
    origins: BTreeSet<String>,
    pub(super) shape: ConnectionShape,
}

/// An accepted tool.
#[derive(Debug)]
pub struct Tool {
    /// Digest of its definition.
    pub digest: Digest,
    /// The arguments that it wants mirrored in headers; `None` where its annotations break the
    /// rules, so that it is neither shown nor callable (V12).
    pub param_headers: Option<Vec<ParamHeader>>,
    /// Its `inputSchema`.
    pub schema: Value,
}

impl Connection {
    pub(super) fn build(
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
            None => credential(settings, ground)?,
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
            guard: Guard::build(settings)?,
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
        UpstreamSettings::Http(http) => {
            HttpUpstream::new(&connection, http, &limits, &ground.vault)
                .map(Upstream::Http)
                .map_err(|fault| BuildFault::Upstream { connection, fault })
        }
        UpstreamSettings::Stdio(stdio) => StdioUpstream::new(
            connection.clone(),
            stdio.clone(),
            limits,
            ground.launcher.clone(),
            stale.clone(),
            Arc::clone(&ground.vault),
        )
        .map(Upstream::Stdio)
        .map_err(|fault| BuildFault::Connection { connection, fault: fault.to_string() }),
    }
}

fn credential(settings: &ConnectionSettings, ground: &Ground) -> Result<Credential, BuildFault> {
    let (connection, vault) = (settings.name.clone(), Arc::clone(&ground.vault));
    let made = Credential::of(connection.clone(), &settings.upstream, vault, &ground.journal);
    made.map_err(|fault| BuildFault::Upstream { connection, fault })
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
            let schema = schema.clone();
            (pin.name.clone(), Tool { digest: pin.digest, param_headers, schema })
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
