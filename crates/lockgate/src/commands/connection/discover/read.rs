//! What a client's configuration says of its MCP servers.
//!
//! The files are others': bounded, never quoted in errors, and never written. Of an entry that may be a
//! secret, only its name can be shown; its value goes on to the vault alone.

use std::{fs::File, io::Read as _, path::Path};

use lockgate_rules::mask::{Detectors, Text};
use lockgate_vault::Secret;
use serde_json::{Map, Value};
use url::Url;

use super::jsonc;

/// Longest file that is read, in bytes.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// Where clients keep their servers: Claude and Cursor, VS Code, Codex.
const SECTIONS: [&str; 3] = ["mcpServers", "servers", "mcp_servers"];

/// Where an entry keeps values: variables, headers, and Codex's headers.
const VALUES: [&str; 3] = ["env", "headers", "http_headers"];

/// What the name of a header or variable holds that names a secret.
const TELLING: [&str; 10] = [
    "auth",
    "bearer",
    "cookie",
    "credential",
    "key",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "token",
];

/// A server as a client knows it.
pub(super) struct Entry {
    /// Its name there.
    pub(super) name: String,
    /// How it is reached; `None` where the entry says neither.
    pub(super) server: Option<Server>,
    /// Which of its settings hold secrets.
    pub(super) secrets: Vec<String>,
    /// Its headers and variables.
    pub(super) values: Vec<Given>,
    /// Whether it speaks the transport before streamable HTTP.
    pub(super) is_old: bool,
}

/// How a server is reached.
pub(super) enum Server {
    /// Over HTTP.
    Url {
        /// The address without user, query and fragment, where secrets may be.
        shown: Url,
        /// All of it.
        whole: Url,
    },
    /// As a program.
    Command {
        /// Without what may be a secret.
        shown: String,
        /// The program.
        whole: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

/// A header or a variable.
pub(super) struct Given {
    /// Where it stands in the entry.
    pub(super) place: String,
    /// Its name.
    pub(super) key: String,
    /// Its value.
    pub(super) value: Result<Secret, &'static str>,
}

impl Server {
    /// Whether the client fills in a part of it, as in `${workspaceFolder}`.
    pub(super) fn is_filled_in(&self) -> bool {
        match self {
            // A URL has its braces escaped.
            Self::Url { whole, .. } => {
                whole.as_str().contains("$%7B") || whole.as_str().contains("${")
            }
            Self::Command { whole, arguments, .. } => {
                arguments.iter().chain([whole]).any(|text| text.contains("${"))
            }
        }
    }
}

/// Reads the servers in `file`.
///
/// # Errors
/// Why it can't be read, in one sentence that quotes nothing of it.
pub(super) fn entries(file: &Path, detectors: &Detectors) -> Result<Vec<Entry>, String> {
    let tree = tree(file)?;
    let section = SECTIONS.iter().find_map(|name| tree.get(name));
    let Some(section) = section else { return Ok(Vec::new()) };
    let servers = section.as_object().ok_or("its servers are not a table of names")?;
    Ok(servers.iter().map(|(name, entry)| read(name, entry, detectors)).collect())
}

fn tree(file: &Path) -> Result<Value, String> {
    let mut text = String::new();
    let open = File::open(file).map_err(|error| error.to_string())?;
    let read = open.take(FILE_MAX_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_MAX_BYTES {
        return Err(format!("it is longer than {FILE_MAX_BYTES} bytes"));
    }
    // The parsers' own words may quote the file.
    if file.extension().is_some_and(|end| end == "toml") {
        return toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.unwrap_or_default().matches('\n').count() + 1;
            format!("it is not TOML: see line {line}")
        });
    }
    serde_json::from_str(&jsonc::plain(&text))
        .map_err(|error| format!("it is not JSON: see line {}", error.line()))
}

fn read(name: &str, entry: &Value, detectors: &Detectors) -> Entry {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let is_secret = |text: &str, key: Option<&str>| detectors.holds(Text { text, key }, "secret");
    let mut secrets = Vec::new();
    let url = text("url").and_then(|url| Url::parse(url).ok()).map(|whole| {
        let mut url = whole.clone();
        let pairs = url
            .query_pairs()
            .any(|(key, value)| names_secret(&key) || is_secret(&value, Some(&key)));
        if pairs || url.password().is_some() || is_secret(url.as_str(), None) {
            secrets.push("url".to_owned());
        }
        bare(&mut url);
        if is_secret(url.as_str(), None) {
            url.set_path("/");
        }
        Server::Url { shown: url, whole }
    });
    let list = || entry.get("args").and_then(Value::as_array).into_iter().flatten();
    let command = || {
        let whole = text("command")?.to_owned();
        let hidden = is_secret(&whole, None);
        let shown = if hidden { "a command with a secret in it".to_owned() } else { whole.clone() };
        let arguments = list().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Server::Command { shown, whole, arguments })
    };
    let server = url.or_else(command);
    let mut before = None;
    for (index, argument) in list().enumerate().filter_map(|(at, one)| Some((at, one.as_str()?))) {
        let flag: Option<&str> = before.replace(argument);
        let flag =
            flag.filter(|flag| flag.starts_with('-')).map(|flag| flag.trim_start_matches('-'));
        let own = argument.split_once('=').filter(|_| argument.starts_with('-'));
        let named = flag.is_some_and(names_secret) && !argument.starts_with('-');
        if named || own.is_some_and(|(flag, _)| names_secret(flag)) || is_secret(argument, flag) {
            secrets.push(format!("args.{index}"));
        }
    }
    let mut given = Vec::new();
    for table in VALUES {
        let values = entry.get(table).and_then(Value::as_object).into_iter().flat_map(Map::iter);
        for (key, value) in values {
            let place = format!("{table}.{key}");
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let value = value.as_str().unwrap_or_default();
            if (names_secret(key) || is_secret(value, Some(key))) && !is_filled_in(value) {
                secrets.push(place.clone());
            }
            given.push(Given { place, key: key.clone(), value: kept(text) });
        }
    }
    let is_old = text("type") == Some("sse");
    Entry { name: name.to_owned(), server, secrets, values: given, is_old }
}

/// A value as the vault takes it.
fn kept(text: String) -> Result<Secret, &'static str> {
    if text.contains("${") {
        return Err("is filled in by the client, and so not in the file");
    }
    Secret::of_text(text).map_err(|_| "is empty, too long, or no text")
}

/// Takes off what an address may hold of secrets.
fn bare(url: &mut Url) {
    url.set_query(None);
    url.set_fragment(None);
    // An address that can have neither has none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

/// Whether a header, variable, flag or parameter is named like a secret.
fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|word| name.contains(word))
}

/// Whether the client fills the value in, as in `Bearer ${TOKEN}`: the secret is not in the file.
fn is_filled_in(value: &str) -> bool {
    let value = value.strip_prefix("Bearer ").unwrap_or(value);
    let inner = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    // `${NAME:-text}` has the secret as its default.
    inner.is_some_and(|inner| !inner.contains(":-") && !inner.contains('}'))
}
