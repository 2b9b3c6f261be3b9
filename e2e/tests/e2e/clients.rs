//! What people use: the SDKs and the Inspector, through the gateway to real servers, with tokens of
//! a real issuer, in both eras.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::{Gateway, Plan, free_address},
    issuer::Issuer,
    room::wait_for_tools,
    say,
    tools::{Tool, fixture, node_path, package, packages, python, run, script, script_path},
};
use serde_json::{Value, json};

mod masked;

const WAIT: Duration = Duration::from_secs(60);

/// Engineers may do everything; contractors may not read the environment, or write.
const POLICIES: &str = r#"
permit (principal in Group::"idp/staff", action, resource);
permit (principal in Group::"idp/contractors", action in Action::"call_tool", resource);
@id("no-environment")
forbid (principal in Group::"idp/contractors",
    action in [Action::"everything/get-env", Action::"files/write_file"], resource);
"#;

struct House {
    issuer: Issuer,
    gateway: Gateway,
    _servers: Vec<Tool>,
    files: tempfile::TempDir,
}

#[test]
fn every_client_calls_every_server() {
    let house = House::start().unwrap();
    let mut seen = 0;
    for client in ["ts-v1", "ts-v2", "python", "inspector"] {
        for (server, era) in [("everything", "legacy"), ("files", "legacy"), ("both", "2026-07-28")]
        {
            if era != "legacy" && matches!(client, "ts-v1" | "inspector") {
                // These speak the legacy era alone, which the dual-era server also understands.
                house.round(client, server, "legacy").unwrap();
            } else {
                house.round(client, server, era).unwrap();
            }
            seen += 1;
        }
    }
    for client in ["ts-v2", "python"] {
        house.round(client, "both", "auto").unwrap();
        seen += 1;
    }
    say(&format!("clients: {seen} of 14 rounds"));
}

#[test]
fn a_client_sees_and_may_do_what_policy_says() {
    let house = House::start().unwrap();
    for client in ["ts-v1", "ts-v2", "python"] {
        let seen =
            house.ask(client, "everything", "contractor", "get-env", "{}", "legacy").unwrap();
        let names = seen["tools"].to_string();
        assert!(names.contains("echo") && !names.contains("get-env"), "{client}: {names}");
        let told = seen.to_string();
        let refused = seen["fault"].is_string() || seen["result"]["isError"] == true;
        assert!(refused && !told.contains("PATH"), "{client}: {told}");
    }
    let seen = house.ask("ts-v2", "files", "contractor", "write_file", "{}", "legacy").unwrap();
    assert!(!seen["tools"].to_string().contains("write_file"), "{seen}");
    let seen = house.ask("python", "everything", "nobody", "echo", "{\"message\":\"x\"}", "auto");
    let seen = seen.unwrap();
    assert!(seen["fault"].is_string() || seen["result"]["isError"] == true, "{seen}");
}

impl House {
    fn start() -> anyhow::Result<Self> {
        let issuer = Issuer::start()?;
        let (fixture, both) = fixture()?;
        let everything = free_address()?;
        let mut command = lockgate_e2e::tools::node()?;
        command
            .arg("--import")
            .arg(script_path("loopback.mjs")?)
            .arg(packages().join("@modelcontextprotocol/server-everything/dist/index.js"))
            .arg("streamableHttp")
            .env("PORT", everything.port().to_string())
            .stderr(std::process::Stdio::null());
        let (server, _) = Tool::start(command)?;
        let files = tempfile::tempdir()?;
        std::fs::write(files.path().join("note.txt"), "kept in the folder")?;
        let http = |url: &str| json!({ "http": { "url": url, "allow_private": true } });
        let filesystem = packages().join("@modelcontextprotocol/server-filesystem/dist/index.js");
        let stdio = json!({ "stdio": { "command": node_path(),
            "args": [filesystem, files.path()] } });
        let dbhub = packages().join("@bytebase/dbhub/dist/index.js");
        let people = json!({ "stdio": { "command": node_path(),
            "args": [dbhub, "--demo", "--transport", "stdio"] } });
        let connection = |name: &str, upstream: Value| json!({ "name": name, "issuers": ["idp"], "pins": "on_first_use", "upstream": upstream });
        let settings = json!({
            "issuers": [{ "name": "idp", "issuer": issuer.url(), "allow_private": true }],
            "connections": [
                connection("both", http(&both)),
                connection("everything", http(&format!("http://{everything}/mcp"))),
                connection("files", stdio),
                connection("people", people),
            ],
        });
        let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
        let gateway = Gateway::start(&plan)?;
        let house = Self { issuer, gateway, _servers: vec![fixture, server], files };
        for name in ["both", "everything", "files", "people"] {
            let token = house.issuer.token("engineer", &house.gateway.url(name))?;
            house.wait_for_tools(name, &token)?;
        }
        Ok(house)
    }

    /// As the usual wait, for servers that only speak the legacy era.
    fn wait_for_tools(&self, name: &str, token: &str) -> anyhow::Result<()> {
        let caller = self.gateway.caller(name, Some(token));
        if name == "both" {
            return wait_for_tools(&caller);
        }
        for _ in 0..150 {
            if let Ok(session) = caller.initialize("2025-11-25") {
                let list = caller.legacy(Some(&session), &json!(1), "tools/list", json!({}));
                let text = caller.send(&list)?.text();
                if text.contains("inputSchema") {
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        anyhow::bail!("no tool of {name} is listed:\n{}", self.gateway.log())
    }

    /// One client does its usual round as the engineer and gets what the server says.
    fn round(&self, client: &str, server: &str, era: &str) -> anyhow::Result<()> {
        let note = self.files.path().join("note.txt");
        let (tool, arguments, expected) = match server {
            "everything" => ("echo", json!({ "message": "through the gate" }), "through the gate"),
            "files" => ("read_text_file", json!({ "path": note }), "kept in the folder"),
            _ => ("test_simple_text", json!({}), "simple text response"),
        };
        let seen = self.ask(client, server, "engineer", tool, &arguments.to_string(), era);
        let seen = seen.with_context(|| format!("{client} to {server} in {era}"))?;
        let (told, listed) = (seen["result"].to_string(), seen["tools"].to_string());
        ensure!(told.contains(expected), "{client} to {server} in {era}: {seen}");
        ensure!(listed.contains(tool), "{client} to {server} in {era}: listed {listed}");
        Ok(())
    }

    fn ask(
        &self,
        client: &str,
        server: &str,
        person: &str,
        tool: &str,
        arguments: &str,
        era: &str,
    ) -> anyhow::Result<Value> {
        let url = self.gateway.url(server);
        let token = self.issuer.token(person, &url)?;
        if client == "inspector" {
            return inspector(&url, &token, tool, arguments);
        }
        let mut command = match client {
            "ts-v1" => script("client-v1.mjs")?,
            "ts-v2" => script("client-v2.mjs")?,
            _ => python("client.py")?,
        };
        command.args([&url, &token, tool, arguments, era]);
        let said = run(command, WAIT)?;
        let last = said.text.lines().last().unwrap_or_default();
        serde_json::from_str(last).with_context(|| said.text.clone())
    }
}

/// The Inspector's command line: once for the list, once for the call.
fn inspector(url: &str, token: &str, tool: &str, arguments: &str) -> anyhow::Result<Value> {
    let base = |method: &str| -> anyhow::Result<std::process::Command> {
        let mut command =
            package("@modelcontextprotocol/inspector/clients/launcher/build/index.js")?;
        command.args(["--cli", url, "--transport", "http", "--method", method]);
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
        Ok(command)
    };
    let listed = run(base("tools/list")?, WAIT)?;
    ensure!(listed.code == 0, "the Inspector's list: {}", listed.text);
    let mut call = base("tools/call")?;
    call.args(["--tool-name", tool]);
    let arguments: serde_json::Map<String, Value> = serde_json::from_str(arguments)?;
    for (name, value) in &arguments {
        call.args(["--tool-arg", &format!("{name}={}", value.as_str().unwrap_or_default())]);
    }
    let called = run(call, WAIT)?;
    ensure!(called.code == 0, "the Inspector's call: {}", called.text);
    Ok(json!({ "tools": listed.text, "result": called.text }))
}
