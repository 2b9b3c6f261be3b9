//! Policies from files and pins, compiled without a network: what `check`, `policy` and the
//! client settings look at.
//!
//! The service builds its Snapshot in the gateway from the same texts and pins.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lockgate_gateway::{
    provider::{Aws, Providers, Server},
    settings::ConnectionSettings,
    snapshot::{issuer_shapes, tool_shapes},
    vault::{KeyPlace, KeyPlaces},
};
use lockgate_rules::policy::{Compiled, ConnectionShape, Policies};
use lockgate_store::{
    db::DbPlace,
    journal::{Journal, JournalFault, JournalOptions, Keys, Recovery},
    pins::{PinFolder, Pins},
    secrets::Secrets,
};

use crate::{
    config::{Loaded, read_policies, suggestion},
    failure::Failure,
};

/// The folder of the recording below the data folder.
pub(crate) fn journal_folder(data: &Path) -> PathBuf {
    data.join("journal")
}

/// The folder of the recording's keys below the data folder.
pub(crate) fn keys_folder(data: &Path) -> PathBuf {
    data.join("keys")
}

/// Opens the recording for writing; its keys are made on first start.
///
/// # Errors
/// [`JournalFault`]
pub(crate) fn open_journal(loaded: &Loaded) -> Result<(Journal, Recovery), JournalFault> {
    let data = &loaded.settings.data;
    let folder = journal_folder(data);
    let keys = Keys::open_or_create(&keys_folder(data), &folder)?;
    let node = loaded.settings.node.clone();
    Journal::open(&folder, &keys, JournalOptions { node, ..JournalOptions::default() })
}

/// The index of the recording where no database is configured.
pub(crate) fn index_file(data: &Path) -> PathBuf {
    data.join("index.sqlite")
}

/// Where the index of the recording is.
///
/// # Errors
/// Where the reference to the database's URL leads nowhere.
pub(crate) fn index_place(loaded: &Loaded) -> Result<DbPlace, Failure> {
    place(loaded, index_file(&loaded.settings.data))
}

/// Where approvals are kept: beside the index, in a file of their own, or in the same database.
///
/// # Errors
/// Where the reference to the database's URL leads nowhere.
pub(crate) fn approvals_place(loaded: &Loaded) -> Result<DbPlace, Failure> {
    place(loaded, loaded.settings.data.join("approvals.sqlite"))
}

/// Where sealed secrets are kept: as approvals are.
///
/// # Errors
/// Where the reference to the database's URL leads nowhere.
pub(crate) fn vault_place(loaded: &Loaded) -> Result<DbPlace, Failure> {
    place(loaded, loaded.settings.data.join("vault.sqlite"))
}

/// Where registered connections are kept: as approvals are.
///
/// # Errors
/// Where the reference to the database's URL leads nowhere.
pub(crate) fn connections_place(loaded: &Loaded) -> Result<DbPlace, Failure> {
    place(loaded, loaded.settings.data.join("connections.sqlite"))
}

/// Where revocations are kept: as approvals are.
///
/// # Errors
/// Where the reference to the database's URL leads nowhere.
pub(crate) fn revocations_place(loaded: &Loaded) -> Result<DbPlace, Failure> {
    place(loaded, loaded.settings.data.join("revocations.sqlite"))
}

/// Where it is counted how much of each budget was used.
///
/// # Errors
/// Where the database can't be named.
pub(crate) fn budgets_place(loaded: &Loaded) -> Result<DbPlace, Failure> {
    place(loaded, loaded.settings.data.join("budgets.sqlite"))
}

/// Where people and groups are kept.
///
/// # Errors
/// Where the database can't be named.
pub(crate) fn directory_place(loaded: &Loaded) -> Result<DbPlace, Failure> {
    place(loaded, loaded.settings.data.join("directory.sqlite"))
}

/// The sealed secrets; `None` where they would be in a file that is not there.
///
/// # Errors
/// Where the database can't be opened.
pub(crate) async fn existing_secrets(loaded: &Loaded) -> Result<Option<Secrets>, Failure> {
    match vault_place(loaded)? {
        DbPlace::Sqlite(file) if !file.exists() => Ok(None),
        place => Secrets::open(&place).await.map(Some).map_err(Failure::unreachable),
    }
}

/// Everybody outside who keeps secrets and wraps keys. Nothing is dialled here.
///
/// # Errors
/// Where their settings can't be used.
pub(crate) fn vault_providers(loaded: &Loaded) -> Result<Providers, Failure> {
    let settings = &loaded.settings.vault;
    let server = settings.server.as_ref().map(Server::new).transpose();
    let server = server.map_err(|fault| Failure::usage_text(format_args!("vault.server: {fault}")));
    let aws = settings.aws.as_ref().map(Aws::new).transpose();
    let aws = aws.map_err(|fault| Failure::usage_text(format_args!("vault.aws: {fault}")));
    Ok(Providers { server: server?.map(Arc::new), aws: aws?.map(Arc::new) })
}

/// Where the vault's keys are: a file beside the recording's where the configuration says nothing.
pub(crate) fn vault_keys(loaded: &Loaded, providers: Providers) -> KeyPlaces {
    let settings = &loaded.settings.vault;
    let file = || KeyPlace::file(keys_folder(&loaded.settings.data).join("vault.key"));
    let sealing = settings.keys.clone().unwrap_or_else(file);
    KeyPlaces::new(settings.older_keys.iter().cloned().chain([sealing]).collect(), providers)
}

fn place(loaded: &Loaded, file: PathBuf) -> Result<DbPlace, Failure> {
    match &loaded.settings.recording.index {
        None => Ok(DbPlace::Sqlite(file)),
        Some(url) => {
            let url = url.resolve().map_err(Failure::unreachable)?;
            Ok(DbPlace::Postgres(url.expose().to_owned()))
        }
    }
}

/// The folder of the pins below the data folder.
pub(crate) fn pins_folder(data: &Path) -> PathBuf {
    data.join("pins")
}

/// Compiles the configured policies against the pinned tools. A connection without pins takes
/// part without tools.
///
/// # Errors
/// Where policies or pins can't be read, or a policy is wrong.
pub(crate) fn compile(loaded: &Loaded) -> Result<Compiled, Failure> {
    let sources = read_policies(&loaded.settings.policies).map_err(Failure::usage)?;
    let mut shapes = shapes(loaded)?;
    shapes.extend(loaded.gone.iter().map(ConnectionShape::unserved));
    let issuers = issuer_shapes(&loaded.gateway);
    Policies::compile(&sources, &shapes, &issuers).map_err(Failure::usage)
}

/// Every connection as policy sees it.
///
/// # Errors
/// Where a pin file can't be read.
pub(crate) fn shapes(loaded: &Loaded) -> Result<Vec<ConnectionShape>, Failure> {
    loaded
        .gateway
        .connections
        .iter()
        .map(|connection| Ok(shape(connection, load_pins(loaded, connection)?.as_ref())))
        .collect()
}

/// What is accepted of one connection; `None` where nothing is.
///
/// # Errors
/// Where the pin file can't be read.
pub(crate) fn load_pins(
    loaded: &Loaded,
    connection: &ConnectionSettings,
) -> Result<Option<Pins>, Failure> {
    let folder = pins_folder(&loaded.settings.data);
    // A check must not create the data folder.
    if !folder.exists() {
        return Ok(None);
    }
    let folder = PinFolder::open(&folder).map_err(Failure::unreachable)?;
    folder.load(&connection.name).map_err(Failure::unreachable)
}

fn shape(connection: &ConnectionSettings, pins: Option<&Pins>) -> ConnectionShape {
    ConnectionShape {
        name: connection.name.clone(),
        labels: connection.labels.clone(),
        tools: pins.map(tool_shapes),
    }
}

/// The connection of this name.
///
/// # Errors
/// With the nearest name where there is none.
pub(crate) fn connection<'a>(
    loaded: &'a Loaded,
    name: &str,
) -> Result<&'a ConnectionSettings, Failure> {
    let connections = &loaded.gateway.connections;
    connections.iter().find(|settings| settings.name.as_str() == name).ok_or_else(|| {
        let known: Vec<&str> = connections.iter().map(|c| c.name.as_str()).collect();
        let help = suggestion(name, &known);
        Failure::usage_text(format!("there is no connection named `{name}`; {help}"))
    })
}
