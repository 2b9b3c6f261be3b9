//! `lockgate connection discover --import`: what was found becomes connections, and its headers and
//! variables secrets, all or nothing.
//!
//! Every value goes into the vault, whether it looks like a secret or not: connections take references
//! alone. What a run that was killed has sealed stays there, and nothing refers to it.

use std::{collections::BTreeMap, path::PathBuf};

use lockgate_gateway::{
    clock,
    settings::{ConnectionSettings, PinMode},
};
use lockgate_model::{ConnectionName, SecretName, VaultChange};
use lockgate_store::secrets::SecretRow;
use lockgate_vault::Secret;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{
    super::add::issuers,
    hindrances,
    read::{Entry, Server},
};
use crate::{
    config::{ConfigArgs, Loaded, connection_url, load},
    failure::{Exit, Failure, Outcome},
    orders::Author,
    registered::{self, Wish},
    sealing::{Terms, Version},
    serve::{process, runtime},
    terminal::{Terminal, inert},
    vault::{OpenVault, on_record},
};

/// How what was found is registered.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// Register what was found, with its headers and variables in the vault
    #[arg(long)]
    pub(super) import: bool,
    /// Only this one of what was found; may be repeated
    #[arg(long, value_name = "NAME", requires = "import")]
    only: Vec<String>,
    /// Register it under another name; may be repeated
    #[arg(long = "as", value_name = "OLD=NEW", requires = "import", value_parser = renamed)]
    names: Vec<(String, String)>,
    /// An issuer whose tokens open them; may be repeated, and may be left out where there is only one
    #[arg(long = "issuer", value_name = "NAME", requires = "import")]
    issuers: Vec<String>,
    /// Allow private and loopback addresses, and http:
    #[arg(long, requires = "import")]
    allow_private: bool,
    /// Accept the first definition ever seen of each tool, instead of waiting for `lockgate pins accept`
    #[arg(long, requires = "import")]
    pin_on_first_use: bool,
    /// Don't ask
    #[arg(long, requires = "import")]
    yes: bool,
}

/// A server that is to be registered.
struct Planned {
    file: PathBuf,
    name: ConnectionName,
    settings: ConnectionSettings,
    values: Vec<Moved>,
}

/// A value on its way into the vault.
struct Moved {
    place: String,
    secret: SecretName,
    value: Secret,
}

/// A server that was registered, as it is shown.
#[derive(Serialize)]
struct Imported {
    file: PathBuf,
    name: String,
    /// Where clients reach it now.
    url: String,
    /// Where each value stood, and as what it is sealed.
    sealed: BTreeMap<String, String>,
}

/// Registers them.
pub(super) fn run(
    import: &Import,
    config: &ConfigArgs,
    entries: Vec<(PathBuf, Entry)>,
    terminal: Terminal,
) -> Outcome {
    process::prepare()?;
    let file = load(config).map_err(Failure::usage)?;
    let runtime = runtime()?;
    let register = runtime.block_on(registered::register(&file))?;
    let mut loaded = file.clone();
    loaded.join(&register, None);
    let planned = import.plan(entries, &file, &loaded)?;
    if planned.is_empty() {
        terminal.talk("no MCP server was found");
        return Ok(Exit::No);
    }
    let wish =
        |one: &Planned| Wish { name: one.name.clone(), settings: Some(one.settings.clone()) };
    let wishes: Vec<Wish> = planned.iter().map(wish).collect();
    let author = Author::local(&file);
    let ready = registered::ready(&file, &register, &wishes, &author.by);
    let ready = ready.map_err(|unfit| unfit.failure())?;
    if !import.yes {
        planned.iter().for_each(|one| one.announce(terminal));
        let secrets: usize = planned.iter().map(|one| one.values.len()).sum();
        let question =
            format!("Register {} connections, with {secrets} values in the vault?", planned.len());
        if !terminal.confirm(&question)? {
            return Ok(Exit::No);
        }
    }
    let sealed = Put::all(&loaded, &author, &runtime, &planned)?;
    registered::make(&loaded, ready, false, &author).inspect_err(|_| sealed.take_back())?;
    tell(import, config, planned, terminal)
}

impl Import {
    /// What is to be registered, or everything that hinders it.
    fn plan(
        &self,
        entries: Vec<(PathBuf, Entry)>,
        file: &Loaded,
        loaded: &Loaded,
    ) -> Result<Vec<Planned>, Failure> {
        let named = self.only.iter().chain(self.names.iter().map(|(old, _)| old));
        if let Some(none) =
            named.into_iter().find(|name| entries.iter().all(|(_, one)| one.name != **name))
        {
            return Err(Failure::usage_text(format_args!("no server named `{none}` was found")));
        }
        let (mut hindering, mut wanted) = (Vec::new(), Vec::new());
        for (file, entry) in entries {
            if !self.only.is_empty() && !self.only.contains(&entry.name) {
                continue;
            }
            let renamed = self.names.iter().find(|(old, _)| *old == entry.name);
            let name = renamed.map_or(&entry.name, |(_, new)| new).clone();
            let mut why = hindrances(&entry, &name, loaded, self.allow_private);
            if wanted.iter().any(|(_, other, _)| *other == name) {
                why.push(
                    "another one that was found has this name; name one file alone".to_owned(),
                );
            }
            let at =
                format!("`{}` in `{}`", inert(&entry.name), inert(&file.display().to_string()));
            hindering.extend(why.into_iter().map(|why| format!("{at}: {}", inert(&why))));
            wanted.push((file, name, entry));
        }
        if !hindering.is_empty() {
            return Err(Failure::no(format_args!(
                "nothing was imported: {}; --as OLD=NEW gives another name, --only NAME leaves out the \
                 others",
                hindering.join("; ")
            )));
        }
        let issuers = issuers(&self.issuers, file)?;
        wanted
            .into_iter()
            .map(|(file, name, entry)| self.planned(file, &name, entry, &issuers))
            .collect()
    }

    fn planned(
        &self,
        file: PathBuf,
        name: &str,
        entry: Entry,
        issuers: &[String],
    ) -> Result<Planned, Failure> {
        let unfit = |why: String| Failure::usage_text(format_args!("connection `{name}`: {why}"));
        let (mut references, mut values) = (serde_json::Map::new(), Vec::<Moved>::new());
        for given in entry.values {
            // What can't be sealed was named as a hindrance.
            let Ok(value) = given.value else { continue };
            let secret = secret_name(name, &given.key).map_err(&unfit)?;
            if values.iter().any(|other| other.secret == secret) {
                return Err(unfit(format!("two of its values would be the secret `{secret}`")));
            }
            references.insert(given.key, json!(format!("sealed:{secret}")));
            values.push(Moved { place: given.place, secret, value });
        }
        let upstream = match entry.server {
            Some(Server::Url { whole, .. }) => json!({ "http": {
                "url": whole, "allow_private": self.allow_private, "headers": references,
            } }),
            Some(Server::Command { whole, arguments, .. }) => json!({ "stdio": {
                "command": whole, "args": arguments, "env": references,
            } }),
            None => Value::Null,
        };
        let pins = if self.pin_on_first_use { PinMode::OnFirstUse } else { PinMode::Manual };
        let tree = json!({ "name": name, "upstream": upstream, "issuers": issuers, "pins": pins });
        let settings = serde_json::from_value(tree).map_err(|error| unfit(error.to_string()))?;
        let name = ConnectionName::new(name).map_err(|fault| unfit(fault.to_string()))?;
        Ok(Planned { file, name, settings, values })
    }
}

impl Planned {
    fn announce(&self, terminal: Terminal) {
        let file = self.file.display().to_string();
        terminal.talk(format_args!("{}  from `{}`", self.name, inert(&file)));
        for Moved { place, secret, .. } in &self.values {
            terminal.talk(format_args!("  {} becomes the secret {secret}", inert(place)));
        }
    }
}

/// Secrets that were put, which are taken back where something fails after them.
struct Put<'a> {
    author: &'a Author,
    runtime: &'a Runtime,
    vault: Option<OpenVault>,
    put: Vec<Version>,
}

impl<'a> Put<'a> {
    /// Puts every value, or none.
    fn all(
        loaded: &Loaded,
        author: &'a Author,
        runtime: &'a Runtime,
        planned: &[Planned],
    ) -> Result<Self, Failure> {
        let mut put = Self { author, runtime, vault: None, put: Vec::new() };
        if planned.iter().all(|one| one.values.is_empty()) {
            return Ok(put);
        }
        let vault = put.vault.insert(runtime.block_on(OpenVault::of(loaded))?);
        let versions = runtime.block_on(sealed(vault, planned))?;
        for version in versions {
            let done = on_record(author, version.change(), || {
                runtime.block_on(version.put(vault, &author.by))
            });
            if let Err(failure) = done {
                put.take_back();
                return Err(failure);
            }
            put.put.push(version);
        }
        Ok(put)
    }

    /// Removes them again, on the record; what stays all the same is named by the failure's record.
    fn take_back(&self) {
        let Some(vault) = &self.vault else { return };
        for version in &self.put {
            let (secret, number) = (version.name.to_string(), version.number);
            let change = VaultChange::Remove { secret, version: number };
            let removed = on_record(self.author, change, || {
                let (name, by) = (version.name.as_str(), &self.author.by);
                let removed = vault.secrets.remove(name, number, by, clock::now());
                self.runtime.block_on(removed).map_err(Failure::unreachable)
            });
            // Why it had to be taken back is what the caller must learn.
            drop(removed);
        }
    }
}

async fn sealed(vault: &OpenVault, planned: &[Planned]) -> Result<Vec<Version>, Failure> {
    let mut versions = Vec::new();
    for one in planned {
        for Moved { place, secret, value } in &one.values {
            let row = vault.secrets.find(secret.as_str()).await.map_err(Failure::unreachable)?;
            if matches!(row, Some(SecretRow { sealed: Some(_), .. })) {
                return Err(Failure::no(format_args!(
                    "nothing was imported: the secret `{secret}` is there already; `lockgate secret \
                     remove {secret}` takes it out, --as gives the connection another name"
                )));
            }
            let terms = Terms {
                connection: Some(one.name.to_string()),
                description: format!("imported from {}", inert(place)),
            };
            versions.push(Version::seal(vault, secret, row.as_ref(), terms, value).await?);
        }
    }
    Ok(versions)
}

fn tell(
    import: &Import,
    config: &ConfigArgs,
    planned: Vec<Planned>,
    terminal: Terminal,
) -> Outcome {
    let loaded = registered::load_all(config)?;
    let imported: Vec<Imported> = planned
        .into_iter()
        .map(|one| Imported {
            file: one.file,
            url: connection_url(&loaded.gateway, &one.settings).to_string(),
            sealed: one.values.into_iter().map(|at| (at.place, at.secret.to_string())).collect(),
            name: one.name.to_string(),
        })
        .collect();
    if terminal.json {
        terminal.json(&imported)?;
    }
    for Imported { file, name, url, sealed } in &imported {
        let file = inert(&file.display().to_string());
        if !terminal.json {
            terminal.data(format_args!("registered {name} from `{file}`"));
            for (place, secret) in sealed {
                terminal.data(format_args!("  {} is sealed as {secret}", inert(place)));
            }
        }
        terminal.talk(format_args!(
            "in `{file}`: let its entry point to {url}, as `lockgate client config` prints it, and take \
             its headers and variables out"
        ));
    }
    if imported.iter().any(|one| !one.sealed.is_empty()) {
        terminal.talk(
            "note: what stood in a file may be known to others; give those secrets new values",
        );
    }
    if !import.pin_on_first_use {
        terminal
            .talk("note: tools are callable once they are accepted: `lockgate pins accept NAME`");
    }
    Ok(Exit::Ok)
}

/// What a connection's value is called in the vault.
fn secret_name(connection: &str, key: &str) -> Result<SecretName, String> {
    let plain = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }
    };
    let name: String = format!("{connection}-{key}").chars().map(plain).collect();
    SecretName::new(&name).map_err(|fault| fault.to_string())
}

fn renamed(text: &str) -> Result<(String, String), String> {
    let (old, new) = text.split_once('=').ok_or("write OLD=NEW")?;
    Ok((old.to_owned(), new.to_owned()))
}
