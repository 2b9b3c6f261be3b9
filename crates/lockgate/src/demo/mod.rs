//! `lockgate demo`: an issuer, a sample server and the real gateway on loopback, a story told
//! through them, and then a place to try one's own client.
//!
//! Issuer and server are reachable from here only; no other command can start them. The gateway is
//! the same as in service: it reads the files that this module writes.

mod call;
mod issuer;
mod login;
mod offboarding;
mod server;
mod story;
mod tools;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use lockgate_gateway::clock;
use serde_json::json;
use tokio::{net::TcpListener, time::sleep};
use url::Url;

use self::{
    call::Ask,
    issuer::{Issuer, Life, Persona},
    server::Server,
};
use crate::{
    commands::client::{Client, TOKEN_VARIABLE},
    plain_http,
    serve::Listeners,
    terminal::{Style, Terminal},
};

/// The one connection.
const CONNECTION: &str = "staff";
const PATH: &str = "/c/staff/mcp";
const POLICIES: &str = include_str!("staff.cedar");
/// The audience of reviewers' tokens.
const REVIEW: &str = "urn:lockgate:demo:review";
/// Callers that wait for a person are told to come again soon, so that the story goes on.
const HOLD_MAX: Duration = Duration::from_millis(500);
/// How long the gateway may take to know the sample server's tools.
const READY_WAIT: Duration = Duration::from_secs(20);
const READY_POLL: Duration = Duration::from_millis(50);

/// The parts around the gateway, running on loopback until the process ends.
pub(crate) struct Demo {
    issuer: Arc<Issuer>,
    server: Arc<Server>,
    issuer_url: String,
    /// The gateway, as clients reach it.
    gateway: SocketAddr,
    admin: SocketAddr,
    /// Where reviewers answer.
    api: SocketAddr,
    data: PathBuf,
}

impl Demo {
    /// Starts issuer and sample server, and writes the gateway's files into `data`. The gateway is
    /// to serve on the listeners.
    ///
    /// # Errors
    /// Where a port is taken or a file can't be written.
    pub(crate) async fn start(data: &Path, port: u16) -> anyhow::Result<(Self, Listeners)> {
        let (issuer_listener, issuer_at) = bind(0).await?;
        let (server_listener, server_at) = bind(0).await?;
        let taken = || format!("can't listen on port {port}; choose another with --port");
        let (public, gateway) = bind(port).await.with_context(taken)?;
        let (operators, admin) = bind(0).await?;
        let (reviewers, api) = bind(0).await?;

        let issuer_url = format!("http://{issuer_at}");
        let audience = format!("http://{gateway}{PATH}");
        let redirect = format!("http://{api}/login/callback");
        let issuer = Arc::new(Issuer::new(issuer_url.clone(), audience, redirect)?);
        let authorization = format!("Bearer {}", clock::random_id()?);
        let server = Arc::new(Server::new(authorization.clone()));
        let site = Arc::clone(&issuer);
        tokio::spawn(plain_http::serve(issuer_listener, move |request| {
            let answer = site.answer(&request);
            async { answer }
        }));
        let site = Arc::clone(&server);
        tokio::spawn(plain_http::serve(server_listener, move |request| {
            let answer = site.answer(&request);
            async { answer }
        }));
        let demo =
            Self { issuer, server, issuer_url, gateway, admin, api, data: fs::canonicalize(data)? };
        demo.write_files(server_at, &authorization)?;
        Ok((demo, Listeners { public, operators, api: Some(reviewers) }))
    }

    /// The gateway's configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.data.join("lockgate.yaml")
    }

    fn write_files(&self, server: SocketAddr, authorization: &str) -> anyhow::Result<()> {
        let credential = self.data.join("credential");
        fs::write(&credential, authorization)?;
        let policies = self.data.join("policies");
        fs::create_dir_all(&policies)?;
        fs::write(policies.join("staff.cedar"), POLICIES)?;
        fs::write(policies.join("guard.cedar"), lockgate_rules::policy::guard_starter(None))?;
        // YAML contains JSON, and this way no name can break out of its quotes.
        let config = json!({
            "public_url": format!("http://{}", self.gateway),
            "listen": { "address": self.gateway },
            "admin": { "address": self.admin },
            "admin_api": {
                "address": self.api,
                "issuers": [issuer::NAME],
                "audience": REVIEW,
                "login": {
                    "issuer": issuer::NAME,
                    "client_id": login::CLIENT,
                    "url": format!("http://{}", self.api),
                },
            },
            "approvals": { "hold_max_ms": HOLD_MAX.as_millis(), "url": self.pages() },
            "data": self.data.join("data"),
            "policies": policies,
            "log": { "level": "error" },
            "issuers": [{
                "name": issuer::NAME,
                "issuer": self.issuer_url,
                "algorithms": ["ES256"],
                "allow_private": true,
            }],
            "connections": [{
                "name": CONNECTION,
                "issuers": [issuer::NAME],
                "pins": "on_first_use",
                "labels": { "env": "prod" },
                "guard": { "dialect": "postgres" },
                "masking": { "operators": { "pci.card": { "last": 4 } } },
                "upstream": { "http": {
                    "url": format!("http://{server}/mcp"),
                    "allow_private": true,
                    "headers": { "Authorization": format!("file:{}", credential.display()) },
                } },
            }],
        });
        fs::write(self.config(), format!("{config:#}\n"))?;
        Ok(())
    }

    /// Where reviewers answer with a browser.
    fn pages(&self) -> String {
        format!("http://{}/approvals", self.api)
    }

    /// Waits until every part of the gateway is as it should be.
    ///
    /// # Errors
    /// Where it isn't in time.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        let wait = async {
            loop {
                let answer = call::get(self.admin, "/readyz").await;
                if answer.is_ok_and(|answer| answer.body.get("state").is_some_and(|s| s == "ok")) {
                    return;
                }
                sleep(READY_POLL).await;
            }
        };
        tokio::time::timeout(READY_WAIT, wait).await.context("the gateway did not become ready")
    }

    /// Tells the story; gives the titles of the steps that did not come out as told.
    ///
    /// # Errors
    /// Where a call can't be made or the recording can't be read.
    pub(crate) async fn tell(&self, terminal: Terminal) -> anyhow::Result<Vec<&'static str>> {
        let stage = story::Stage {
            gateway: self.gateway,
            api: self.api,
            pages: &self.pages(),
            path: PATH,
            config: &self.config(),
            data: &self.data.join("data"),
            issuer: &self.issuer,
            server: &self.server,
            terminal,
        };
        story::tell(&stage).await
    }

    /// Prints how to come in with one's own client.
    ///
    /// # Errors
    /// Where no token can be made.
    pub(crate) fn invite(&self, terminal: Terminal) -> anyhow::Result<()> {
        let url = Url::parse(&format!("http://{}{PATH}", self.gateway))?;
        let heading = |text: &str| terminal.data(terminal.styled(Style::Bold, text));
        heading("Come in with your own client");
        let who: Vec<&str> = Persona::ALL.into_iter().map(Persona::name).collect();
        let issuer = &self.issuer_url;
        terminal.data(format_args!("A token for an hour, as one of {}:", who.join(", ")));
        terminal.data(format_args!(
            "  export {TOKEN_VARIABLE}=$(curl -s -X POST {issuer}/token/engineer)\n"
        ));
        for client in Client::ALL {
            let snippet = client.snippet(CONNECTION, &url);
            heading(&format!("{}: {}", client.title(), snippet.file));
            terminal.data(format_args!("{}\n", snippet.text));
        }
        heading("Or by hand, with a fresh token");
        let ask = Ask::CallTool("query_employees", "{}");
        terminal.data(self.curl(&url, Persona::Engineer, ask)?);
        heading("\nBe the reviewer");
        terminal.data(format_args!(
            "The CI job asks for another row, and waits. Approve it at {}\n(log in as {}), and let the \
             job ask again: it goes through, once.\n",
            self.pages(),
            Persona::Reviewer.name()
        ));
        let ask = Ask::CallTool("delete_employee", r#"{"employee_id":3}"#);
        terminal.data(self.curl(&url, Persona::CiJob, ask)?);
        let file = self.config();
        terminal.data(format_args!("\nConfiguration and policies: {}", file.display()));
        terminal
            .data(format_args!("The recording: lockgate journal show --config {}", file.display()));
        let token = self.issuer.token_for(REVIEW, Persona::Reviewer, Life::Usual, clock::now())?;
        terminal.data(format_args!(
            "On the command line: {TOKEN_VARIABLE}={token} lockgate approvals watch --config {}",
            file.display()
        ));
        terminal.data(format_args!(
            "The contractor is out until somebody lifts it: lockgate revoke list --config {}",
            file.display()
        ));
        terminal.data("Stop with Ctrl-C.");
        Ok(())
    }

    fn curl(&self, url: &Url, who: Persona, ask: Ask) -> anyhow::Result<String> {
        let token = self.issuer.token(who, Life::Usual, clock::now())?;
        let headers: String = ask
            .headers()
            .iter()
            .map(|(name, value)| format!("  -H '{name}: {value}' \\\n"))
            .collect();
        let message = ask.message();
        Ok(format!(
            "curl -s {url} \\\n  -H 'authorization: Bearer {token}' \\\n{headers}  -d '{message}'"
        ))
    }
}

async fn bind(port: u16) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
