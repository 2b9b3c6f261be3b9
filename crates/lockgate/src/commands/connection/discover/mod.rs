//! `lockgate connection discover`: the MCP servers that clients on this machine have in their own
//! configurations, and what of it is a secret.
//!
//! Looks, and with `--import` registers what it found. It never writes to the clients' files, and never
//! shows a secret.

mod import;
mod jsonc;
mod read;

use std::path::{Path, PathBuf};

use lockgate_model::ConnectionName;
use lockgate_rules::mask::Detectors;
use serde::Serialize;

use self::read::{Entry, Given, Server};
use crate::{
    config::{ConfigArgs, Loaded},
    failure::{Exit, Failure, Outcome},
    registered::load_all,
    terminal::{Style, Terminal, inert},
};

/// Where clients keep their configurations, from the current folder or the home folder: Claude Code,
/// Cursor, VS Code, Codex, and Claude Desktop on Linux and macOS.
const PLACES: [&str; 7] = [
    ".mcp.json",
    ".cursor/mcp.json",
    ".vscode/mcp.json",
    ".codex/config.toml",
    "claude_desktop_config.json",
    ".config/Claude/claude_desktop_config.json",
    "Library/Application Support/Claude/claude_desktop_config.json",
];

/// Find MCP servers in the configurations of clients
///
/// Looks in the current folder and the home folder for the files of Claude Code, Claude Desktop, Cursor,
/// VS Code and Codex. Shows where secrets stand in them, never the secrets, and never changes these files.
/// With --import, all that was found becomes connections, with its headers and variables in the vault,
/// or nothing does.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate connection discover\n  \
    lockgate connection discover ~/project/.mcp.json --import --only wiki --as wiki=team-wiki")]
pub(crate) struct Discover {
    #[command(flatten)]
    config: ConfigArgs,
    /// Files, or folders in which to look, instead of the current and the home folder
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    import: import::Import,
}

/// One server that was found.
#[derive(Serialize)]
struct Found {
    file: PathBuf,
    name: String,
    url: Option<String>,
    command: Option<String>,
    /// Which of its settings hold secrets.
    secrets: Vec<String>,
    /// Why it can't be registered as it is.
    hindrances: Vec<String>,
}

/// A file that was not understood.
#[derive(Serialize)]
struct Bad {
    file: PathBuf,
    why: String,
}

/// Answers.
pub(super) fn run(discover: &Discover, terminal: Terminal) -> Outcome {
    let (detectors, mut entries, mut bad) = (Detectors::standard(), Vec::new(), Vec::new());
    for file in files(&discover.paths)? {
        match read::entries(&file, &detectors) {
            Ok(read) => entries.extend(read.into_iter().map(|entry| (file.clone(), entry))),
            Err(why) => bad.push(Bad { file, why }),
        }
    }
    if discover.import.import {
        if let Some(bad) = bad.first() {
            return Err(Failure::unreachable(bad));
        }
        return import::run(&discover.import, &discover.config, entries, terminal);
    }
    let loaded = load_all(&discover.config)?;
    let found: Vec<Found> =
        entries.into_iter().map(|(file, entry)| Found::of(entry, file, &loaded)).collect();
    if terminal.json {
        terminal.json(&serde_json::json!({ "found": found, "unread": bad }))?;
    } else {
        tell(&found, terminal);
    }
    for bad in &bad {
        terminal.talk(bad);
    }
    Ok(if bad.is_empty() { Exit::Ok } else { Exit::Unreachable })
}

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "can't read `{}`: {}", inert(&self.file.display().to_string()), inert(&self.why))
    }
}

fn tell(found: &[Found], terminal: Terminal) {
    for one in found {
        let name = terminal.styled(Style::Bold, &inert(&one.name));
        let server = one.url.as_deref().or(one.command.as_deref()).unwrap_or("no server");
        let file = one.file.display().to_string();
        terminal.data(format_args!("{name}  {}  in {}", inert(server), inert(&file)));
        if !one.secrets.is_empty() {
            terminal.data(format_args!("  secrets in {}", inert(&one.secrets.join(", "))));
        }
        for hindrance in &one.hindrances {
            terminal.data(format_args!("  {}", inert(hindrance)));
        }
    }
    if found.is_empty() {
        terminal.talk("no MCP server was found");
    } else {
        terminal.talk(
            "--import registers them, and puts their headers and variables into the vault; `lockgate \
             client config` prints the entry that takes a server's place in the client",
        );
    }
}

/// The files there are, each once.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let usual = || [Some(PathBuf::from(".")), std::env::home_dir()].into_iter().flatten().collect();
    let roots: Vec<PathBuf> = if paths.is_empty() { usual() } else { paths.to_vec() };
    let (mut files, mut seen) = (Vec::new(), Vec::new());
    for root in roots {
        if !root.exists() {
            return Err(Failure::unreachable(format_args!("`{}` is not there", root.display())));
        }
        let here = if root.is_dir() {
            PLACES.iter().map(|place| root.join(place)).filter(|file| file.is_file()).collect()
        } else {
            vec![root]
        };
        for file in here {
            let whole = file.canonicalize().unwrap_or_else(|_| file.clone());
            if !seen.contains(&whole) {
                seen.push(whole);
                files.push(file);
            }
        }
    }
    Ok(files)
}

impl Found {
    fn of(entry: Entry, file: PathBuf, loaded: &Loaded) -> Self {
        let hindrances = hindrances(&entry, &entry.name, loaded, false);
        let Entry { name, server, secrets, .. } = entry;
        let (url, command) = match server {
            Some(Server::Url { shown, .. }) => (Some(shown.to_string()), None),
            Some(Server::Command { shown, .. }) => (None, Some(shown)),
            None => (None, None),
        };
        Self { file, name, url, command, secrets, hindrances }
    }
}

/// Why an entry can't be registered under this name as it is, one sentence each.
fn hindrances(entry: &Entry, name: &str, loaded: &Loaded, allow_private: bool) -> Vec<String> {
    let mut all = Vec::new();
    let registered = loaded.registered(name).is_some();
    if ConnectionName::new(name).is_err() {
        all.push(
            "the name is unfit: use 1 to 63 of a-z, 0-9 and -, not starting with -".to_owned(),
        );
    } else if registered || loaded.settings.connections.iter().any(|one| one.name.as_str() == name)
    {
        all.push("the name is taken by another connection".to_owned());
    }
    match &entry.server {
        None => all.push("it has neither a URL nor a command".to_owned()),
        Some(Server::Command { whole, .. }) if !Path::new(whole).is_absolute() => {
            all.push("the gateway needs the absolute path of the program".to_owned());
        }
        Some(Server::Url { .. }) if entry.is_old => {
            all.push("it speaks the transport HTTP+SSE, which the gateway does not".to_owned());
        }
        Some(Server::Url { whole, .. }) if whole.scheme() != "https" && !allow_private => {
            all.push("the URL is not https:, which takes --allow-private".to_owned());
        }
        Some(_) => {}
    }
    if entry.server.as_ref().is_some_and(Server::is_filled_in) {
        all.push("the client fills in a part of the URL, the program or an argument".to_owned());
    }
    if entry.secrets.iter().any(|place| place == "url" || place.starts_with("args.")) {
        all.push(
            "a secret in the URL or an argument can't be registered; send it as a header or variable"
                .to_owned(),
        );
    }
    let unfit = |given: &Given| Some(format!("`{}` {}", given.place, given.value.as_ref().err()?));
    all.extend(entry.values.iter().filter_map(unfit));
    all
}
