//! `lockgate connection add`: a server becomes a connection, checked as those of the file are.

use std::path::PathBuf;

use lockgate_gateway::{
    secret::{REFERENCE_WANTED, SecretRef},
    settings::{ConnectionSettings, PinMode},
};
use lockgate_model::ConnectionName;
use serde_json::{Map, Value, json};

use crate::{
    config::{ConfigArgs, Loaded, load},
    failure::{Exit, Failure, Outcome},
    offline,
    orders::Author,
    registered::{self, Wish},
    serve::runtime,
    shown::Shown,
    terminal::Terminal,
    vault,
};

/// Register a connection
///
/// A running gateway serves it within a second. Credentials are named by reference: `sealed:NAME` in the
/// vault, `env:NAME` or `file:/absolute/path`. What has no flag here is said in a document for
/// `lockgate apply`.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("server").required(true).args(["url", "command"])),
    before_help = "Examples:\n  \
    lockgate connection add staff --url https://staff.example.com/mcp --header Authorization=sealed:staff-token\n  \
    lockgate connection add files --command /usr/local/bin/files-server --arg=--root=/srv --env TOKEN=sealed:files-token"
)]
pub(crate) struct Add {
    #[command(flatten)]
    config: ConfigArgs,
    /// Its name: the handle in URLs, policies and records
    #[arg(value_name = "NAME", value_parser = ConnectionName::new)]
    name: ConnectionName,
    /// The MCP endpoint of a server that speaks streamable HTTP
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A header sent with every request; may be repeated
    #[arg(long = "header", value_name = "NAME=REFERENCE", requires = "url")]
    headers: Vec<String>,
    /// Allow private and loopback addresses, and http:
    #[arg(long, requires = "url")]
    allow_private: bool,
    /// PEM file of the certificate authorities to trust instead of the public ones
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// The absolute path of a program that speaks over its standard input and output
    #[arg(long, value_name = "PATH")]
    command: Option<PathBuf>,
    /// An argument of the program; may be repeated
    #[arg(long = "arg", value_name = "TEXT", requires = "command", allow_hyphen_values = true)]
    arguments: Vec<String>,
    /// A variable of the program's environment; may be repeated
    #[arg(long = "env", value_name = "NAME=REFERENCE", requires = "command")]
    environment: Vec<String>,
    /// An issuer whose tokens open it; may be repeated, and may be left out where there is only one
    #[arg(long = "issuer", value_name = "NAME")]
    issuers: Vec<String>,
    /// A word for policies to refer to; may be repeated
    #[arg(long = "label", value_name = "NAME=TEXT")]
    labels: Vec<String>,
    /// Accept the first definition ever seen of each tool, instead of waiting for `lockgate pins accept`
    #[arg(long)]
    pin_on_first_use: bool,
}

/// Registers it.
pub(super) fn run(add: &Add, terminal: Terminal) -> Outcome {
    let file = load(&add.config).map_err(Failure::usage)?;
    if let Some(unfit) = registered::is_of_file(&file, &add.name) {
        return Err(unfit.failure());
    }
    let register = runtime()?.block_on(registered::register(&file))?;
    let mut loaded = file.clone();
    loaded.join(&register, None);
    if let Some(there) = loaded.registered(add.name.as_str()) {
        return Err(Failure::no(format_args!(
            "connection `{}` is registered already, version {}; change it with `lockgate apply`, or \
             remove it first",
            add.name, there.row.version
        )));
    }
    let settings = settings(add, &file)?;
    let wish = Wish { name: add.name.clone(), settings: Some(settings) };
    let author = Author::local(&file);
    let ready = registered::ready(&file, &register, &[wish], &author.by);
    registered::make(&loaded, ready.map_err(|unfit| unfit.failure())?, false, &author)?;
    tell(add, terminal)
}

fn tell(add: &Add, terminal: Terminal) -> Outcome {
    let loaded = registered::load_all(&add.config)?;
    let name = &add.name;
    for missing in missing(&loaded, name)? {
        terminal.talk(format_args!("note: {missing}"));
    }
    let waits = loaded
        .settings
        .connections
        .iter()
        .any(|one| one.name == *name && one.pins == PinMode::Manual);
    if waits {
        terminal.talk(format_args!(
            "note: its tools are callable once they are accepted: `lockgate pins accept {name}`"
        ));
    }
    let shown = Shown::all(&loaded)?.into_iter().find(|one| one.name == name.as_str());
    match shown {
        Some(shown) if terminal.json => terminal.json(&shown)?,
        Some(shown) => terminal
            .data(format_args!("registered {name}, version {}", shown.version.unwrap_or_default())),
        None => return Err(Failure::no(format_args!("`{name}` was removed again meanwhile"))),
    }
    Ok(Exit::Ok)
}

/// What the vault lacks for this connection.
fn missing(loaded: &Loaded, name: &ConnectionName) -> Result<Vec<String>, Failure> {
    let mut only = loaded.gateway.clone();
    only.connections.retain(|one| one.name == *name);
    if vault::references(&only).is_empty() {
        return Ok(Vec::new());
    }
    runtime()?.block_on(async {
        let secrets = offline::existing_secrets(loaded).await?;
        vault::unusable(secrets.as_ref(), &only).await.map_err(Failure::unreachable)
    })
}

/// The settings that the flags describe, in the shape of the configuration file.
fn settings(add: &Add, loaded: &Loaded) -> Result<ConnectionSettings, Failure> {
    let upstream = match (&add.url, &add.command) {
        (Some(url), _) => json!({ "http": {
            "url": url,
            "allow_private": add.allow_private,
            "headers": references("--header", &add.headers)?,
            "ca": add.ca,
        } }),
        (None, command) => json!({ "stdio": {
            "command": command,
            "args": add.arguments,
            "env": references("--env", &add.environment)?,
        } }),
    };
    let pins = if add.pin_on_first_use { PinMode::OnFirstUse } else { PinMode::Manual };
    let tree = json!({
        "name": add.name,
        "upstream": upstream,
        "issuers": issuers(&add.issuers, loaded)?,
        "labels": labels(&add.labels)?,
        "pins": pins,
    });
    serde_json::from_value(tree)
        .map_err(|error| Failure::usage_text(format_args!("connection `{}`: {error}", add.name)))
}

/// Those that were named, or the only one there is.
///
/// # Errors
/// Where there is not one alone.
pub(super) fn issuers(named: &[String], loaded: &Loaded) -> Result<Vec<String>, Failure> {
    let known: Vec<&str> = loaded.settings.issuers.iter().map(|one| one.name.as_str()).collect();
    match (named, known.as_slice()) {
        ([], [only]) => Ok(vec![(*only).to_owned()]),
        ([], []) => Err(Failure::usage_text("no issuer is configured; name one under `issuers`")),
        ([], known) => Err(Failure::usage_text(format_args!(
            "say whose tokens open it: --issuer, one of {}",
            known.join(", ")
        ))),
        (named, _) => Ok(named.to_vec()),
    }
}

/// `NAME=REFERENCE`s. What is no reference is not quoted: it may be the secret itself.
fn references(flag: &str, given: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut read = Map::new();
    for one in given {
        let Some((name, reference)) = one.split_once('=') else {
            return Err(Failure::usage_text(format_args!("{flag} is written NAME=REFERENCE")));
        };
        if SecretRef::parse(reference).is_none() {
            return Err(Failure::usage_text(format_args!(
                "{flag} {name}: {REFERENCE_WANTED}; `lockgate secret set` puts a value into the vault"
            )));
        }
        if read.insert(name.to_owned(), json!(reference)).is_some() {
            return Err(Failure::usage_text(format_args!("{flag} {name} is given twice")));
        }
    }
    Ok(read)
}

fn labels(given: &[String]) -> Result<Map<String, Value>, Failure> {
    let read = |one: &String| {
        let (name, text) = one.split_once('=').ok_or_else(|| {
            Failure::usage_text(format_args!("--label is written NAME=TEXT, not `{one}`"))
        })?;
        Ok((name.to_owned(), json!(text)))
    };
    given.iter().map(read).collect()
}
