//! A look at what a server shows now, for `lockgate pins`: by listing it, or, while a gateway owns
//! the data folder, by reading what that one saw last.
//!
//! Accepts nothing; a listing is on the record like any other call.

use std::{path::Path, sync::Arc};

use lockgate_gateway::{
    clock,
    pin::SEEN_FOLDER,
    settings::{ConnectionSettings, GatewaySettings},
    snapshot::{Blueprint, Connection, Ground, Snapshot},
    upstream::stdio::Launcher,
    vault::Vault,
};
use lockgate_model::{ConnectionName, Event};
use lockgate_store::{
    journal::{Journal, JournalFault},
    pins::{Change, ChangeKind, PinFolder, Pins},
};
use tokio::sync::Notify;

use crate::{
    config::Loaded, failure::Failure, offline, serve::process, terminal::inert, vault::OpenVault,
};

/// What was seen, and where.
pub(crate) struct Look {
    /// Everything that the server shows.
    pub(crate) pins: Pins,
    /// Who looked.
    pub(crate) source: Source,
    /// The journal, where no gateway holds it.
    journal: Option<Arc<Journal>>,
}

/// Who looked at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// This process, just now.
    Upstream,
    /// The gateway that is running on the same data folder.
    Gateway,
}

impl Look {
    /// Looks at the server of one connection.
    ///
    /// # Errors
    /// Where it can't be listed, or nothing was ever seen of it.
    pub(crate) async fn at(
        loaded: &Loaded,
        settings: &ConnectionSettings,
    ) -> Result<Self, Failure> {
        match offline::open_journal(loaded) {
            Ok((journal, _)) => list(loaded, settings, Arc::new(journal)).await,
            Err(JournalFault::Locked { .. }) => last_seen(loaded, settings),
            Err(fault) => Err(Failure::unreachable(fault)),
        }
    }

    /// Puts an acceptance on the record. A running gateway does that itself when it takes the new
    /// pins over.
    ///
    /// # Errors
    /// Where the journal can't be written.
    pub(crate) async fn record(
        self,
        connection: &ConnectionName,
        changes: &[Change],
    ) -> Result<(), Failure> {
        let Some(journal) = self.journal else { return Ok(()) };
        let (connection, summary) = (connection.to_string(), summary(changes));
        let event = Event::Pins { connection, summary: format!("accepted: {summary}") };
        let position = journal.append(clock::now(), &event).map_err(Failure::unreachable)?;
        journal.synced(position).await.map_err(Failure::unreachable)
    }
}

/// Changes in one sentence: `new: tool a, tool b; changed: tool c`.
pub(crate) fn summary(changes: &[Change]) -> String {
    let sort = |word: &str, kind: fn(&ChangeKind) -> bool| {
        let names: Vec<String> = changes
            .iter()
            .filter(|change| kind(&change.kind))
            .map(|change| format!("{} {}", change.what, inert(&change.name)).trim().to_owned())
            .collect();
        (!names.is_empty()).then(|| format!("{word}: {}", names.join(", ")))
    };
    let sorts = [
        sort("new", |kind| matches!(kind, ChangeKind::Added)),
        sort("changed", |kind| matches!(kind, ChangeKind::Changed(_))),
        sort("gone", |kind| matches!(kind, ChangeKind::Removed)),
    ];
    let sorts: Vec<String> = sorts.into_iter().flatten().collect();
    if sorts.is_empty() { "nothing new".to_owned() } else { sorts.join("; ") }
}

fn last_seen(loaded: &Loaded, settings: &ConnectionSettings) -> Result<Look, Failure> {
    let folder = offline::pins_folder(&loaded.settings.data).join(SEEN_FOLDER);
    let seen = PinFolder::open(&folder)
        .and_then(|folder| folder.load(&settings.name))
        .map_err(Failure::unreachable)?;
    let pins = match seen {
        Some(pins) => pins,
        // Where nothing ever differed, nothing was noted.
        None => offline::load_pins(loaded, settings)?.ok_or_else(|| {
            let name = &settings.name;
            Failure::unreachable(format_args!("the running gateway could not list `{name}` yet"))
        })?,
    };
    Ok(Look { pins, source: Source::Gateway, journal: None })
}

/// What a connection's credential may be fetched from; nothing is made for it.
pub(crate) async fn vault(loaded: &Loaded) -> Result<Arc<Vault>, Failure> {
    let vault = Arc::new(Vault::default());
    vault.ask_at(offline::vault_providers(loaded)?);
    if let Some(OpenVault { secrets, places, keys }) = OpenVault::existing(loaded).await? {
        vault.open(Arc::new(secrets), places, keys);
    }
    Ok(vault)
}

/// One connection of `gateway` by itself, with upstreams of its own. Policies take no part in what the
/// gateway asks in its own name, and may name tools that are only now to be accepted.
///
/// # Errors
/// Where it can't be used.
pub(crate) fn alone(
    gateway: &GatewaySettings,
    name: &ConnectionName,
    data: &Path,
    journal: &Arc<Journal>,
    vault: Arc<Vault>,
) -> Result<Arc<Connection>, Failure> {
    let mut settings = gateway.clone();
    settings.connections.retain(|connection| connection.name == *name);
    let blueprint = Blueprint { settings, policies: Vec::new(), gone: Vec::new() };
    let ground = Ground {
        launcher: Launcher::this_program(),
        pins: offline::pins_folder(data),
        journal: Arc::clone(journal),
        vault,
        changed: Arc::new(Notify::new()),
    };
    let snapshot =
        Snapshot::build(Arc::new(blueprint), &ground, None).map_err(Failure::usage_text)?;
    let connection = snapshot.connection(name).map(Arc::clone);
    connection.ok_or_else(|| Failure::no(format_args!("`{name}` is not served")))
}

async fn list(
    loaded: &Loaded,
    settings: &ConnectionSettings,
    journal: Arc<Journal>,
) -> Result<Look, Failure> {
    process::prepare()?;
    let (data, vault) = (&loaded.settings.data, vault(loaded).await?);
    let connection = alone(&loaded.gateway, &settings.name, data, &journal, vault)?;
    let listed = connection.lister.list().await;
    connection.upstream.shutdown().await;
    let catalogue = listed.map_err(|refusal| {
        Failure::unreachable(format_args!("`{}` can't be listed: {refusal}", settings.name))
    })?;
    Ok(Look { pins: catalogue.pins(), source: Source::Upstream, journal: Some(journal) })
}
