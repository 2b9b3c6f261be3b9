//! A real OIDC provider on loopback, and tokens from it.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    gateway::free_address,
    tools::{Tool, script, script_path},
    wire::{Request, exchange, expect_status},
};

/// The provider. Its clients are the persons of `issuer.mjs`.
pub struct Issuer {
    tool: Option<Tool>,
    folder: TempDir,
    address: SocketAddr,
    /// The origin whose pages may send people here.
    pages: Option<String>,
    /// Further clients, as a JSON list.
    clients: String,
}

impl Issuer {
    /// Starts the provider with a fresh key.
    ///
    /// # Errors
    /// Where the parts can't be installed or started.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_for(None)
    }

    /// The same, with further clients in the form of RFC 7591.
    ///
    /// # Errors
    /// Where the parts can't be installed or started.
    pub fn start_with(clients: &Value) -> anyhow::Result<Self> {
        Self::begin(None, clients.to_string())
    }

    /// The same, with a client `pages` at this origin, through which people log in.
    ///
    /// # Errors
    /// Where the parts can't be installed or started.
    pub fn start_for(pages: Option<String>) -> anyhow::Result<Self> {
        Self::begin(pages, "[]".to_owned())
    }

    fn begin(pages: Option<String>, clients: String) -> anyhow::Result<Self> {
        let (folder, address) = (tempfile::tempdir()?, free_address()?);
        let mut issuer = Self { tool: None, folder, address, pages, clients };
        issuer.resume()?;
        Ok(issuer)
    }

    /// How many tokens it gave since it was started.
    ///
    /// # Errors
    /// Where it does not say.
    pub fn given(&self) -> anyhow::Result<u64> {
        let request = Request::new("GET", "/given", "")
            .header("Host", &self.address.to_string())
            .header("Connection", "close");
        Ok(exchange(self.address, &request.bytes())?.text().parse()?)
    }

    /// Takes a token of `client` back (RFC 7009).
    ///
    /// # Errors
    /// Where the provider refuses.
    pub fn revoke(&self, client: &str, token: &str) -> anyhow::Result<()> {
        let basic = STANDARD.encode(format!("{client}:{client}-secret"));
        let request = Request::new("POST", "/token/revocation", format!("token={token}"))
            .header("Host", &self.address.to_string())
            .header("Authorization", &format!("Basic {basic}"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Connection", "close");
        expect_status(&exchange(self.address, &request.bytes())?, 200)
    }

    /// What it told whom: `refreshed`, `revoked` and `introspected` are counts, `tokens` is every token.
    ///
    /// # Errors
    /// Where it does not say.
    pub fn told(&self) -> anyhow::Result<Value> {
        let request = Request::new("GET", "/told", "")
            .header("Host", &self.address.to_string())
            .header("Connection", "close");
        exchange(self.address, &request.bytes())?.json()
    }

    /// Keeps the answers of refreshes back, which are done all the same, or lets them go.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn hold(&self, on: bool) -> anyhow::Result<()> {
        let file = self.folder.path().join("keys.json.hold");
        if on {
            std::fs::write(file, "")?
        } else {
            std::fs::remove_file(file)?
        }
        Ok(())
    }

    /// The issuer's `iss`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it.
    pub fn stop(&mut self) {
        if let Some(tool) = self.tool.take() {
            tool.stop();
        }
    }

    /// Starts it again at the same address, with the keys that it has.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.launch(&[])
    }

    /// Restarts it with a new key; the last one stays published until the next rotation.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn rotate(&mut self) -> anyhow::Result<()> {
        self.stop();
        self.launch(&["rotate"])
    }

    /// Puts somebody into other groups: their next token says so.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn regroup(&self, who: &str, groups: &[&str]) -> anyhow::Result<()> {
        let file = self.folder.path().join("keys.json.groups");
        Ok(std::fs::write(file, serde_json::json!({ who: groups }).to_string())?)
    }

    fn launch(&mut self, options: &[&str]) -> anyhow::Result<()> {
        let mut command = script("issuer.mjs")?;
        script_path("exchange.mjs")?;
        command.arg(self.address.port().to_string()).arg(self.key_file()).args(options);
        command.env("CLIENTS", &self.clients);
        command.envs(self.pages.iter().map(|origin| ("PAGES_ORIGIN", origin)));
        // It warns about its development set-up on stderr.
        command.stderr(std::process::Stdio::null());
        self.tool = Some(Tool::start(command)?.0);
        Ok(())
    }

    /// An access token of `client` for `resource`.
    ///
    /// # Errors
    /// Where the provider refuses.
    pub fn token(&self, client: &str, resource: &str) -> anyhow::Result<String> {
        let basic = STANDARD.encode(format!("{client}:{client}-secret"));
        let escaped = resource.replace(':', "%3A").replace('/', "%2F");
        let form = format!("grant_type=client_credentials&scope=mcp&resource={escaped}");
        let request = Request::new("POST", "/token", form)
            .header("Host", &self.address.to_string())
            .header("Authorization", &format!("Basic {basic}"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Connection", "close");
        let reply = exchange(self.address, &request.bytes())?;
        expect_status(&reply, 200)?;
        let answer: Value = serde_json::from_slice(&reply.body)?;
        Ok(answer["access_token"].as_str().context("no access token")?.to_owned())
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("keys.json")
    }
}
