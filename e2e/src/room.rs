//! The room in which the catalogue's rows are tried: one gateway between an issuer whose keys the
//! tests hold and an upstream that writes everything down. It also knows what "refused" means for
//! every row: the upstream heard nothing, one decision was recorded, no secret came back.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, bail, ensure};
use lockgate_model::Reason;
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, Plan},
    mcp::Caller,
    record::{Decision, Records},
    rig::{CREDENTIAL, MintIssuer, Upstream},
    wire::{Reply, Request, Wire, expect_status},
};

/// The policies of a room: staff may call most tools, read below `/srv` and get one prompt.
pub const POLICIES: &str = r#"
@id("staff-tools")
permit (principal in Group::"idp/staff", action in Action::"call_tool", resource);

@id("staff-reads")
permit (principal in Group::"idp/staff", action == Action::"read_resource", resource)
when { context.target like "file:///srv/*" };

@id("staff-prompt")
permit (principal in Group::"idp/staff", action in [Action::"get_prompt", Action::"complete"], resource)
when { context.target == "open_prompt" };

@id("no-hidden-tools")
forbid (principal, action in [Action::"main/delete_row", Action::"main/hidden"], resource);

@id("no-drop")
forbid (principal, action == Action::"main/echo", resource)
when { context.arguments has text && context.arguments.text like "*DROP TABLE*" };
"#;

/// One gateway with what stands around it.
pub struct Room {
    /// The issuer `idp`.
    pub issuer: MintIssuer,
    /// The server behind the connection `main`.
    pub upstream: Upstream,
    /// The gateway.
    pub gateway: Gateway,
    /// Its journal.
    pub records: Records,
    /// What the gateway was started with.
    pub settings: Value,
}

/// What a refused request must get.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// The status code.
    pub status: u16,
    /// The JSON-RPC code, where the answer has one.
    pub code: Option<i64>,
    /// The reasons that may stand in the record.
    pub reasons: &'a [Reason],
}

impl Room {
    /// A room with the usual settings.
    ///
    /// # Errors
    /// Where a part can't be started.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(|_, _, _| {})
    }

    /// A room whose settings or policies were changed before the start.
    ///
    /// # Errors
    /// Where a part can't be started.
    pub fn start_with(
        change: impl FnOnce(&mut Plan, &MintIssuer, &Upstream),
    ) -> anyhow::Result<Self> {
        let (issuer, upstream) = (MintIssuer::start()?, Upstream::start()?);
        let settings = settings(&issuer, &upstream.url());
        let mut plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
        change(&mut plan, &issuer, &upstream);
        let gateway = Gateway::start(&plan)?;
        let records = gateway.records();
        let room = Self { issuer, upstream, gateway, records, settings: plan.settings };
        wait_for_tools(&room.alice()?)?;
        Ok(room)
    }

    /// A caller of `main` with a good token.
    ///
    /// # Errors
    /// Where signing fails.
    pub fn alice(&self) -> anyhow::Result<Caller> {
        self.caller(&self.claims())
    }

    /// A caller of `main` with these claims.
    ///
    /// # Errors
    /// Where signing fails.
    pub fn caller(&self, claims: &Value) -> anyhow::Result<Caller> {
        Ok(self.gateway.caller("main", Some(&self.issuer.token("rsa", claims)?)))
    }

    /// Good claims for `main`.
    pub fn claims(&self) -> Value {
        self.issuer.claims(&self.gateway.url("main"))
    }

    /// Forgets what was seen and recorded before a row.
    ///
    /// # Errors
    /// Where the journal is broken.
    pub fn forget(&mut self) -> anyhow::Result<()> {
        self.upstream.take_all();
        self.records.fresh()?;
        Ok(())
    }

    /// Sends a request that must be refused as `expected`.
    ///
    /// # Errors
    /// With what was different.
    pub fn refuses(&mut self, request: &Request, expected: &Refused<'_>) -> anyhow::Result<Reply> {
        self.refuses_bytes(&request.bytes(), expected)
    }

    /// Sends raw bytes that must be refused as `expected`.
    ///
    /// # Errors
    /// With what was different.
    pub fn refuses_bytes(&mut self, bytes: &[u8], expected: &Refused<'_>) -> anyhow::Result<Reply> {
        self.forget()?;
        let mut wire = Wire::open(self.gateway.address)?;
        wire.send(bytes);
        let reply = wire.reply()?;
        expect_status(&reply, expected.status)?;
        let code = reply.rpc_code();
        ensure!(
            expected.code.is_none() || code == expected.code,
            "JSON-RPC code {code:?} instead of {:?}: {}",
            expected.code,
            reply.text()
        );
        self.nothing_forwarded()?;
        self.one_decision(Some(expected.reasons))?;
        no_secret(&reply)?;
        Ok(reply)
    }

    /// Sends a request that must reach the upstream once and be answered with a result.
    ///
    /// # Errors
    /// With what was different.
    pub fn passes(&mut self, request: &Request) -> anyhow::Result<Reply> {
        self.forget()?;
        let mut wire = Wire::open(self.gateway.address)?;
        wire.send(&request.bytes());
        let reply = wire.reply()?;
        expect_status(&reply, 200)?;
        let answer = reply.json()?;
        ensure!(answer["result"].is_object(), "no result: {answer}");
        ensure!(answer["result"]["isError"] != true, "a tool error: {answer}");
        let seen = self.upstream.take_seen();
        ensure!(seen.len() == 1, "{} requests reached the upstream", seen.len());
        self.one_decision(None)?;
        no_secret(&reply)?;
        Ok(reply)
    }

    /// Fails where the upstream heard anything but the gateway's own listing.
    ///
    /// # Errors
    /// With what it heard.
    pub fn nothing_forwarded(&self) -> anyhow::Result<()> {
        match self.upstream.take_seen().first() {
            Some(seen) => bail!("the upstream heard {} {:?}", seen.rpc, seen.heard.target),
            None => Ok(()),
        }
    }

    /// Fails unless exactly one decision was recorded: allowed, or refused for one of `reasons`.
    ///
    /// # Errors
    /// With the decisions.
    pub fn one_decision(&mut self, reasons: Option<&[Reason]>) -> anyhow::Result<Decision> {
        let mut decisions = self.records.decisions()?;
        let found: Vec<_> = decisions.iter().map(|decision| decision.reason).collect();
        ensure!(found.len() == 1, "{} decisions recorded: {found:?}", found.len());
        let decision = decisions.pop().context("one")?;
        match (decision.reason, reasons) {
            (None, None) => Ok(decision),
            (Some(reason), Some(reasons)) if reasons.contains(&reason) => Ok(decision),
            (reason, _) => bail!("recorded as {reason:?} instead of {reasons:?}"),
        }
    }
}

/// The usual settings: one issuer `idp`, one connection `main` to `upstream`.
pub fn settings(issuer: &MintIssuer, upstream: &str) -> Value {
    json!({
        "issuers": [issuer_settings("idp", issuer)],
        "connections": [connection("main", upstream)],
    })
}

/// The settings of an issuer.
pub fn issuer_settings(name: &str, issuer: &MintIssuer) -> Value {
    json!({ "name": name, "issuer": issuer.url(), "allow_private": true })
}

/// The settings of a connection that issuer `idp` opens, to an HTTP upstream on this machine.
pub fn connection(name: &str, upstream: &str) -> Value {
    json!({
        "name": name,
        "issuers": ["idp"],
        "pins": "on_first_use",
        "upstream": { "http": {
            "url": upstream,
            "allow_private": true,
            "headers": { "Authorization": "env:ROWS_CREDENTIAL" },
        } },
    })
}

/// What the admin API and its pages are called in tokens.
pub const ADMIN: &str = "https://lockgate.test/admin";

/// The settings of the admin API with its pages, to which issuer `idp` logs people in; the secret of the
/// client that they are there is put into `folder`.
///
/// # Errors
/// Where it can't be written.
pub fn admin_api(api: SocketAddr, folder: &Path) -> std::io::Result<Value> {
    let secret = folder.join("pages");
    std::fs::write(&secret, "pages-secret")?;
    Ok(json!({ "address": api.to_string(), "issuers": ["idp"], "audience": ADMIN,
        "login": { "issuer": "idp", "client_id": "pages", "url": format!("http://{api}"),
            "client_secret": format!("file:{}", secret.display()), "scopes": ["openid", "mcp"] } }))
}

/// Waits until the gateway has seen and accepted the tools behind the caller's connection.
///
/// # Errors
/// Where it never does.
pub fn wait_for_tools(caller: &Caller) -> anyhow::Result<()> {
    for _ in 0..250 {
        let list = caller.send(&caller.modern(&json!(1), "tools/list", json!({})))?.json()?;
        if list["result"]["tools"].as_array().is_some_and(|tools| !tools.is_empty()) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("no tool of {} is listed", caller.path)
}

/// Fails where the answer shows the upstream's credential.
///
/// # Errors
/// With the answer.
pub fn no_secret(reply: &Reply) -> anyhow::Result<()> {
    let canary = CREDENTIAL.trim_start_matches("Bearer ");
    ensure!(!reply.everything().contains(canary), "the credential came back: {}", reply.text());
    Ok(())
}
