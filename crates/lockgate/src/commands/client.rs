//! `lockgate client config`: settings to paste into an MCP client, without any credential in them.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;
use url::Url;

use crate::{
    config::ConfigArgs,
    failure::{Exit, Failure, Outcome},
    registered::load_all,
    terminal::{Style, Terminal},
};

/// The variable from which the snippets take the token.
pub(crate) const TOKEN_VARIABLE: &str = "LOCKGATE_TOKEN";

/// Settings for MCP clients
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate client config --for claude-code\n  \
    lockgate client config --for vscode --connection staff")]
pub(crate) enum Command {
    /// Print settings to paste into a client
    Config(Args),
}

/// Print settings to paste into a client
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate client config --for claude-code\n  \
    lockgate client config --for codex --connection staff")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// The client
    #[arg(long = "for", value_name = "CLIENT")]
    client: Client,
    /// Only this connection; all of them where absent
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
}

/// The clients whose settings are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    /// Claude Code: `.mcp.json`
    ClaudeCode,
    /// Cursor: `.cursor/mcp.json`
    Cursor,
    /// VS Code: `.vscode/mcp.json`
    Vscode,
    /// Codex: `~/.codex/config.toml`
    Codex,
}

/// What to paste where.
#[derive(Debug, Serialize)]
pub(crate) struct Snippet {
    /// The connection's name.
    connection: String,
    /// The file that it goes into.
    pub(crate) file: &'static str,
    /// What goes into it.
    pub(crate) text: String,
}

impl Client {
    /// Every client, in the order of the help.
    pub(crate) const ALL: [Self; 4] = [Self::ClaudeCode, Self::Cursor, Self::Vscode, Self::Codex];

    /// Its name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::Cursor => "Cursor",
            Self::Vscode => "VS Code",
            Self::Codex => "Codex",
        }
    }

    /// The settings with which this client reaches `url` as server `name`. The token comes from
    /// [`TOKEN_VARIABLE`], or from a prompt where the client has one.
    pub(crate) fn snippet(self, name: &str, url: &Url) -> Snippet {
        let bearer = |variable: &str| json!({ "Authorization": format!("Bearer {variable}") });
        let server = |variable: &str| {
            let headers = bearer(variable);
            json!({ "type": "http", "url": url.as_str(), "headers": headers })
        };
        let (file, text) = match self {
            Self::ClaudeCode => {
                let server = server(&format!("${{{TOKEN_VARIABLE}}}"));
                (".mcp.json", pretty(&json!({ "mcpServers": { name: server } })))
            }
            Self::Cursor => {
                let headers = bearer(&format!("${{env:{TOKEN_VARIABLE}}}"));
                let server = json!({ "url": url.as_str(), "headers": headers });
                (".cursor/mcp.json", pretty(&json!({ "mcpServers": { name: server } })))
            }
            Self::Vscode => {
                let input = json!({
                    "type": "promptString",
                    "id": "lockgate-token",
                    "description": "Token for Lockgate",
                    "password": true,
                });
                let servers = json!({ name: server("${input:lockgate-token}") });
                let whole = json!({ "inputs": [input], "servers": servers });
                (".vscode/mcp.json", pretty(&whole))
            }
            Self::Codex => (
                "~/.codex/config.toml",
                format!(
                    "[mcp_servers.{name}]\nurl = \"{url}\"\n\
                     bearer_token_env_var = \"{TOKEN_VARIABLE}\""
                ),
            ),
        };
        Snippet { connection: name.to_owned(), file, text }
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}")
}

/// Answers.
pub(crate) fn run(Command::Config(args): &Command, terminal: Terminal) -> Outcome {
    let loaded = load_all(&args.config)?;
    let wanted = |name: &str| args.connection.as_deref().is_none_or(|only| only == name);
    let snippets: Vec<Snippet> = loaded
        .gateway
        .connections
        .iter()
        .filter(|connection| wanted(connection.name.as_str()))
        .map(|connection| {
            let url = crate::config::connection_url(&loaded.gateway, connection);
            args.client.snippet(connection.name.as_str(), &url)
        })
        .collect();
    if snippets.is_empty() {
        return Err(Failure::usage_text(match &args.connection {
            Some(name) => format!("there is no connection named `{name}`"),
            None => "no connections are configured".to_owned(),
        }));
    }
    if terminal.json {
        return terminal.json(&snippets).map(|()| Exit::Ok);
    }
    for snippet in &snippets {
        let where_to = format!("{}: into {}", snippet.connection, snippet.file);
        terminal.talk(terminal.styled(Style::Dim, &where_to));
        terminal.data(&snippet.text);
    }
    Ok(Exit::Ok)
}
