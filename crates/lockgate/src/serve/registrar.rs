//! What is registered and what is sealed, as the admin API shows and changes it: by the same checks, into
//! the same database and on the same record as the commands do it.
//!
//! Everything is read anew for each request, of which there are few: the configuration as it stands on
//! disk counts, so that nothing is registered that would not be served after the next start. What reaches
//! the gateway's own machine (programs, variables, files) can't be registered this way.

use std::sync::{Arc, Mutex};

use lockgate_console::{
    Connection, Declined, Known, Later, Registrar, Sealable, Secret as ShownSecret, Wish,
};
use lockgate_gateway::{
    clock,
    settings::{ConnectionSettings, UpstreamSettings},
};
use lockgate_model::{ConnectionName, SecretName, VaultChange};
use lockgate_store::{journal::Journal, secrets::SecretRow};
use lockgate_vault::Secret;
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

use super::{beside::lock, runtime};
use crate::{
    config::{ConfigArgs, Loaded, load, local_paths, without_types},
    failure::{Exit, Failure},
    offline,
    orders::Author,
    registered::{self, Unfit, load_all},
    sealing::{Terms, Version},
    shown::Shown,
    vault::{self, OpenVault, on_record, references},
};

/// What it takes.
struct Desk {
    args: ConfigArgs,
    journal: Arc<Journal>,
    /// Held while something is changed, so that of two who know one version the second is told.
    changing: Mutex<()>,
}

/// The registrar of the gateway whose journal this is.
pub(super) fn registrar(args: &ConfigArgs, journal: &Arc<Journal>) -> Registrar {
    let (args, journal) = (args.clone(), Arc::clone(journal));
    let desk = Arc::new(Desk { args, journal, changing: Mutex::default() });
    let [lists, registers, tells, seals] = [(); 4].map(|()| Arc::clone(&desk));
    Registrar {
        connections: Box::new(move || done(&lists, Desk::connections)),
        register: Box::new(move |wish| done(&registers, |desk| desk.register(wish))),
        secrets: Box::new(move || done(&tells, Desk::secrets)),
        seal: Box::new(move |wish| done(&seals, |desk| desk.seal(wish))),
    }
}

/// Does the work on a thread that may wait.
fn done<T: Send + 'static>(
    desk: &Arc<Desk>,
    work: impl FnOnce(&Desk) -> Result<T, Declined> + Send + 'static,
) -> Later<Result<T, Declined>> {
    let desk = Arc::clone(desk);
    Box::pin(async move {
        let done = spawn_blocking(move || work(&desk)).await;
        done.unwrap_or_else(|_| Err(Declined::Away("it was broken off".to_owned())))
    })
}

impl Desk {
    fn connections(&self) -> Result<Vec<Connection>, Declined> {
        let loaded = load_all(&self.args).map_err(|failure| declined(&failure))?;
        let all = Shown::all(&loaded).map_err(|failure| declined(&failure))?;
        let one = |one: Shown| Connection {
            name: one.name,
            origin: one.origin,
            version: one.version,
            state: one.state,
            why: one.why,
            settings: one.settings,
        };
        Ok(all.into_iter().map(one).collect())
    }

    fn register(&self, wish: Wish<ConnectionName, Map<String, Value>>) -> Result<u64, Declined> {
        let Wish { by, name, known, what } = wish;
        let _changing = lock(&self.changing);
        let file = load(&self.args).map_err(|fault| declined(&Failure::usage(fault)))?;
        if let Some(unfit) = registered::is_of_file(&file, &name) {
            return Err(Declined::ReadOnly(unfit.why));
        }
        let register = runtime().and_then(|runtime| runtime.block_on(registered::register(&file)));
        let register = register.map_err(|failure| declined(&failure))?;
        let now = register.rows.iter().find(|row| row.name == name.as_str());
        known.fits(now.filter(|row| row.settings.is_some()).map(|row| row.version))?;
        let settings = what.map(|settings| remote(&name, settings)).transpose()?;
        let wishes = [registered::Wish { name, settings }];
        let ready = registered::ready(&file, &register, &wishes, &by).map_err(unfit)?;
        let version = ready.versions.first().map_or(0, |one| one.version);
        let author = Author::at(by, Arc::clone(&self.journal));
        let made = registered::make(&file, ready, false, &author);
        made.map(|()| version).map_err(|failure| declined(&failure))
    }

    fn secrets(&self) -> Result<Vec<ShownSecret>, Declined> {
        let loaded = load_all(&self.args).map_err(|failure| declined(&failure))?;
        let rows = runtime().and_then(|runtime| {
            runtime.block_on(async {
                let Some(secrets) = offline::existing_secrets(&loaded).await? else {
                    return Ok(Vec::new());
                };
                let rows = vault::rows(&secrets).await.map_err(Failure::unreachable);
                secrets.close().await;
                rows
            })
        });
        let users = references(&loaded.gateway);
        let used_by =
            |name: &str| SecretName::new(name).ok().and_then(|name| users.get(&name).cloned());
        let one = |row: SecretRow| ShownSecret {
            used_by: used_by(&row.name).unwrap_or_default(),
            name: row.name,
            version: row.version,
            connection: row.connection,
            description: row.description,
            author: row.author,
            created: row.created,
            updated: row.updated,
        };
        Ok(rows.map_err(|failure| declined(&failure))?.into_iter().map(one).collect())
    }

    fn seal(&self, wish: Wish<SecretName, Sealable>) -> Result<u64, Declined> {
        let Wish { by, name, known, what } = wish;
        let _changing = lock(&self.changing);
        let loaded = load_all(&self.args).map_err(|failure| declined(&failure))?;
        let author = Author::at(by, Arc::clone(&self.journal));
        match what {
            Some(what) => put(&loaded, &name, known, what, &author),
            None => remove(&loaded, &name, known, &author),
        }
    }
}

/// Seals the next version of a secret.
fn put(
    loaded: &Loaded,
    name: &SecretName,
    known: Known,
    what: Sealable,
    author: &Author,
) -> Result<u64, Declined> {
    let Sealable { mut value, connection, description } = what;
    let value = Secret::of_text(std::mem::take(&mut *value));
    let value = value.map_err(|fault| Declined::Unfit(format!("`value`: {fault}")))?;
    let runtime = runtime().map_err(|failure| declined(&failure))?;
    let vault = runtime.block_on(OpenVault::of(loaded)).map_err(|failure| declined(&failure))?;
    let row = runtime.block_on(vault.secrets.find(name.as_str()));
    let row = row.map_err(|fault| Declined::Away(fault.to_string()))?;
    let live = row.as_ref().filter(|row| row.sealed.is_some());
    known.fits(live.map(|row| row.version))?;
    let connection = connection.map(|name| name.to_string());
    let terms = match live {
        Some(row) => stays(row, connection, description)?,
        None => {
            if let Some(connection) = &connection {
                offline::connection(loaded, connection).map_err(|failure| declined(&failure))?;
            }
            Terms { connection, description: description.unwrap_or_default() }
        }
    };
    let sealed = runtime.block_on(Version::seal(&vault, name, row.as_ref(), terms, &value));
    let version = sealed.map_err(|failure| declined(&failure))?;
    let put =
        on_record(author, version.change(), || runtime.block_on(version.put(&vault, &author.by)));
    runtime.block_on(vault.secrets.close());
    put.map(|()| version.number).map_err(|failure| declined(&failure))
}

/// What a secret is for, which does not change with its value.
fn stays(
    row: &SecretRow,
    connection: Option<String>,
    description: Option<String>,
) -> Result<Terms, Declined> {
    let other = connection.is_some() && connection != row.connection;
    if other || description.is_some_and(|text| text != row.description) {
        let why = "what a secret is for stays as it is when its value changes; remove it first";
        return Err(Declined::Unfit(why.to_owned()));
    }
    Ok(Terms { connection: row.connection.clone(), description: row.description.clone() })
}

/// Removes a secret; gives the version that it had.
fn remove(
    loaded: &Loaded,
    name: &SecretName,
    known: Known,
    author: &Author,
) -> Result<u64, Declined> {
    let runtime = runtime().map_err(|failure| declined(&failure))?;
    let secrets = runtime.block_on(offline::existing_secrets(loaded));
    let Some(secrets) = secrets.map_err(|failure| declined(&failure))? else {
        return Err(Declined::Unknown);
    };
    let row = runtime.block_on(secrets.find(name.as_str()));
    let row = row.map_err(|fault| Declined::Away(fault.to_string()))?;
    let Some(version) = row.filter(|row| row.sealed.is_some()).map(|row| row.version) else {
        return Err(Declined::Unknown);
    };
    known.fits(Some(version))?;
    let change = VaultChange::Remove { secret: name.to_string(), version };
    let removed = on_record(author, change, || {
        let removed = secrets.remove(name.as_str(), version, &author.by, clock::now());
        runtime.block_on(removed).map_err(Failure::unreachable)
    });
    runtime.block_on(secrets.close());
    removed.map(|_| version).map_err(|failure| declined(&failure))
}

/// Settings that reach nothing on the gateway's own machine.
fn remote(
    name: &ConnectionName,
    mut settings: Map<String, Value>,
) -> Result<ConnectionSettings, Declined> {
    let unfit = |why: &str| Err(Declined::Unfit(why.to_owned()));
    let named = settings.entry("name").or_insert_with(|| Value::from(name.as_str()));
    if named.as_str() != Some(name.as_str()) {
        return unfit("`name` is another one than the path's");
    }
    let read = serde_json::from_value(Value::Object(settings));
    let mut settings: ConnectionSettings =
        read.map_err(|error| Declined::Unfit(without_types(&error.to_string())))?;
    if matches!(settings.upstream, UpstreamSettings::Stdio(_)) {
        return unfit(
            "a program runs on the gateway's machine; register it there: `lockgate connection add`",
        );
    }
    if local_paths(&mut settings).next().is_some() {
        return unfit("it names a file, which is on the gateway's machine; register it there");
    }
    if settings.upstream.secrets().iter().any(|secret| secret.is_local()) {
        return unfit(
            "variables and files are on the gateway's machine; name credentials `sealed:NAME` or \
             `vault:PATH#FIELD`",
        );
    }
    Ok(settings)
}

fn unfit(unfit: Unfit) -> Declined {
    if unfit.of_file { Declined::ReadOnly(unfit.why) } else { Declined::Unfit(unfit.why) }
}

/// A command's failure, in the words of the admin API.
fn declined(failure: &Failure) -> Declined {
    match failure.exit {
        Exit::Unreachable | Exit::Bug => Declined::Away(failure.summary()),
        _ => Declined::Unfit(failure.summary()),
    }
}
