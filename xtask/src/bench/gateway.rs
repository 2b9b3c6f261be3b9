//! The product under load: the release binary with a configuration of its own.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use tempfile::TempDir;

use super::{mcp::Form, mint::Mint, process, target::Target};
use crate::repo;

/// Callers with a token of their own.
pub(super) const IDENTITIES: usize = 64;

/// The audience of reviewers' tokens.
pub(super) const REVIEW: &str = "urn:lockgate:bench:review";
/// How long a call is held: as long as may be.
pub(super) const HOLD: Duration = Duration::from_secs(45);

const READY_WAIT: Duration = Duration::from_secs(30);

/// A running gateway; ended when dropped.
pub(super) struct Gateway {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
    tokens: Vec<String>,
    /// From start to ready.
    pub(super) start: Duration,
    /// Resident when it was ready, in KB.
    pub(super) start_rss_kb: u64,
}

impl Gateway {
    /// Starts it with its data below `parent`, in front of `upstream`.
    pub(super) fn start(parent: &Path, upstream: SocketAddr, mint: &Mint) -> Result<Self> {
        Self::start_with(parent, upstream, mint, None)
    }

    /// The same; where there is an admin API, calls are held until somebody approves them there.
    pub(super) fn start_with(
        parent: &Path,
        upstream: SocketAddr,
        mint: &Mint,
        api: Option<SocketAddr>,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("lockgate-bench-").tempdir_in(parent)?;
        let (address, admin) = (free_address()?, free_address()?);
        write_files(folder.path(), address, admin, upstream, api)?;
        let issuer = format!("http://{upstream}");
        let audience = format!("http://{address}/c/bench/mcp");
        let token = |number| mint.token(&issuer, &audience, number);
        let tokens = (0..IDENTITIES).map(token).collect::<Result<_>>()?;

        let log = fs::File::create(folder.path().join("log"))?;
        let started = Instant::now();
        let child = Command::new(repo::target().join("release/lockgate"))
            .args(["serve", "--config"])
            .arg(folder.path().join("lockgate.yaml"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("can't start the gateway")?;
        let start = Duration::ZERO;
        let mut gateway = Self { child, folder, address, tokens, start, start_rss_kb: 0 };
        gateway.wait_ready(admin)?;
        gateway.start = started.elapsed();
        gateway.start_rss_kb = process::rss_kb(gateway.child.id())?;
        Ok(gateway)
    }

    /// Callers with tokens.
    pub(super) fn target(&self, name: &'static str) -> Target {
        let path = "/c/bench/mcp".to_owned();
        let (address, tokens) = (self.address, self.tokens.clone());
        Target { name, address, path, tokens, pid: Some(self.child.id()) }
    }

    /// Callers without tokens, on a connection that asks for none.
    pub(super) fn anonymous(&self, name: &'static str) -> Target {
        Target { path: "/c/open/mcp".to_owned(), tokens: Vec::new(), ..self.target(name) }
    }

    /// The same on a connection that also masks nothing.
    pub(super) fn unmasked(&self, name: &'static str) -> Target {
        Target { path: "/c/bare/mcp".to_owned(), ..self.anonymous(name) }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_ready(&mut self, admin: SocketAddr) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < READY_WAIT {
            if let Some(status) = self.child.try_wait()? {
                bail!("the gateway ended with {status}:\n{}", self.log());
            }
            if is_ready(admin) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        bail!("the gateway is not ready after {READY_WAIT:?}:\n{}", self.log())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Nothing of it is kept, so nothing has to be drained.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_ready(admin: SocketAddr) -> bool {
    use std::io::{Read as _, Write as _};
    let ask = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect(admin)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask().is_ok_and(|answer| answer.ends_with("200"))
}

pub(super) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Configuration and policies. YAML contains JSON.
fn write_files(
    folder: &Path,
    address: SocketAddr,
    admin: SocketAddr,
    upstream: SocketAddr,
    api: Option<SocketAddr>,
) -> Result<()> {
    let issuer = format!("http://{upstream}");
    let connection = |name: &str, anonymous: bool, masked: bool| {
        let issuers: &[&str] = if anonymous { &[] } else { &["idp"] };
        let masking = if masked { json!({}) } else { json!({ "mask": [] }) };
        json!({
            "name": name,
            "upstream": { "http": { "url": format!("http://{upstream}/mcp"), "allow_private": true } },
            "issuers": issuers, "pins": "on_first_use", "development_anonymous": anonymous,
            "masking": masking,
            "limits": { "answer_max_bytes": 64 * 1024 * 1024 },
        })
    };
    let mut settings = json!({
        "listen": { "address": address }, "public_url": format!("http://{address}"),
        "admin": { "address": admin }, "log": { "level": "warn", "format": "json" },
        "data": "data", "policies": "policies",
        "limits": { "identity_calls_max": 10_000, "identity_sessions_max": 10_000 },
        "issuers": [{
            "name": "idp", "issuer": issuer, "jwks_url": format!("{issuer}/keys"),
            "algorithms": ["RS256", "ES256"], "allow_private": true,
        }],
        "connections": [connection("bench", false, true), connection("open", true, true), connection("bare", true, false)],
    });
    fs::create_dir(folder.join("policies"))?;
    if let Some(api) = api {
        let fields = settings.as_object_mut().context("settings are an object")?;
        let admin_api = json!({ "address": api, "issuers": ["idp"], "audience": REVIEW });
        fields.insert("admin_api".into(), admin_api);
        let approvals = json!({ "hold_max_ms": HOLD.as_millis(), "identity_max": 10_000 });
        fields.insert("approvals".into(), approvals);
        fs::write(folder.join("policies/held.cedar"), held())?;
    }
    fs::write(folder.join("lockgate.yaml"), serde_json::to_string_pretty(&settings)?)?;
    let policies = policies();
    ensure!(policies.matches("@id").count() == 20, "the bench promises 20 policies");
    Ok(fs::write(folder.join("policies/bench.cedar"), policies)?)
}

/// Twenty policies of the kinds that people write: some decide on a call, most of them do not.
fn policies() -> String {
    let mut text = String::from(
        r#"@id("engineers") permit (principal in Group::"idp/engineers", action in [Action::"call_tool", Action::"subscribe"], resource == Connection::"bench");
@id("anonymous") permit (principal, action in Action::"call_tool", resource) when { [Connection::"open", Connection::"bare"].contains(resource) };
"#,
    );
    let (json, sse) = (Form::Json.tool(), Form::Sse.tool());
    for number in 0..9 {
        text += &format!(
            r#"@id("team-{number}") permit (principal in Group::"idp/team-{number}", action in [Action::"bench/{json}", Action::"bench/{sse}"], resource) when {{ context.arguments has number && context.arguments.number < {number}00 }};
@id("never-{number}") forbid (principal, action == Action::"bench/{json}", resource) when {{ context.arguments has size && context.arguments.size == {number}13 }};
"#
        );
    }
    text
}

/// Holds every call of the tool that answers in JSON.
fn held() -> String {
    let tool = Form::Json.tool();
    format!(
        r#"@id("held") @approvers("idp/everyone") forbid (principal, action == Action::"bench/{tool}", resource) unless {{ context.approvals.contains(Group::"idp/everyone") }};
"#
    )
}
