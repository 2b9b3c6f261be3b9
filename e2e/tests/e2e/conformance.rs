//! The protocol's own conformance suite, directly and through the gateway with a real five-minute
//! token: no check may fail through the gateway that passes directly, and none may be missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::{Gateway, Plan, free_address},
    issuer::Issuer,
    mcp::{LEGACY, MODERN},
    rig::Upstream,
    room::wait_for_tools,
    say,
    tools::{Tool, fixture, package, run, script},
};
use serde_json::{Value, json};

/// Check results of one run: by scenario and check, whether every occurrence passed.
type Checks = BTreeMap<(String, String), bool>;

/// Everything between the suite and an upstream.
struct House {
    _issuer: Issuer,
    gateway: Gateway,
    shim: Tool,
    /// Where the suite connects.
    url: String,
}

#[test]
fn what_passes_directly_passes_through_the_gateway() {
    let (_server, direct) = fixture().unwrap();
    let house = House::start(&direct).unwrap();
    for revision in [LEGACY, MODERN] {
        let before = suite(&direct, &["--requirements", revision]).unwrap();
        let through = suite(&house.url, &["--requirements", revision]).unwrap();
        let failed = |checks: &Checks| checks.values().filter(|passed| !**passed).count();
        say(&format!(
            "conformance {revision}: directly {} of {} checks failed in {} scenarios, through the \
             gateway {} of {} in {}",
            failed(&before),
            before.len(),
            scenarios(&before),
            failed(&through),
            through.len(),
            scenarios(&through),
        ));
        assert_eq!(failed(&before), 0, "the fixtures themselves: {before:?}");
        let lost: Vec<_> = before
            .iter()
            .filter(|(check, passed)| **passed && through.get(*check) != Some(&true))
            .map(|(check, _)| check)
            .collect();
        assert!(lost.is_empty(), "{revision}: lost in the gateway: {lost:#?}\n{}", house.log());
    }
}

#[test]
fn the_gateway_itself_guards_hosts_and_mirrored_headers() {
    // This upstream looks at neither.
    let upstream = Upstream::start().unwrap();
    let house = House::start(&upstream.url()).unwrap();
    for scenario in ["dns-rebinding-protection", "http-header-validation"] {
        let options = ["--scenario", scenario, "--spec-version", MODERN];
        let checks = suite(&house.url, &options).unwrap();
        say(&format!("conformance {scenario} by the gateway alone: {} checks", checks.len()));
        let failed: Vec<_> = checks.iter().filter(|(_, passed)| !**passed).collect();
        assert!(failed.is_empty() && !checks.is_empty(), "{failed:?}\n{}", house.log());
    }
}

impl House {
    fn start(upstream: &str) -> anyhow::Result<Self> {
        let issuer = Issuer::start()?;
        let shim = free_address()?;
        // Host and Origin reach the gateway as the suite sends them.
        let hosts = [format!("127.0.0.1:{}", shim.port()), format!("localhost:{}", shim.port())];
        let origins: Vec<_> = hosts.iter().map(|host| format!("http://{host}")).collect();
        let settings = json!({
            "hosts": hosts,
            "issuers": [{ "name": "idp", "issuer": issuer.url(), "allow_private": true }],
            "connections": [{
                "name": "main", "issuers": ["idp"], "pins": "on_first_use",
                "allowed_origins": origins,
                "upstream": { "http": { "url": upstream, "allow_private": true } },
            }],
        });
        let policies = "@id(\"all\") permit (principal, action, resource);".to_owned();
        let gateway = Gateway::start(&Plan { settings, policies, file_max: None })?;
        let resource = gateway.url("main");
        let token = issuer.token("engineer", &resource)?;
        wait_for_tools(&gateway.caller("main", Some(&token)))?;
        let mut command = script("shim.mjs")?;
        command.arg(format!("http://{}", gateway.address)).args([
            &issuer.url(),
            "engineer",
            &resource,
            &shim.port().to_string(),
        ]);
        let (tool, origin) = Tool::start(command)?;
        Ok(Self { _issuer: issuer, gateway, shim: tool, url: format!("{origin}/c/main/mcp") })
    }

    fn log(&self) -> String {
        let _running = &self.shim;
        let log = self.gateway.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

fn scenarios(checks: &Checks) -> usize {
    checks.keys().map(|(scenario, _)| scenario).collect::<BTreeSet<_>>().len()
}

/// One run of the suite against a server.
fn suite(url: &str, options: &[&str]) -> anyhow::Result<Checks> {
    let folder = tempfile::tempdir()?;
    let mut command = package("@modelcontextprotocol/conformance/dist/index.js")?;
    command.args(["server", "--url", url]).args(options).arg("-o").arg(folder.path());
    // What failed stands in the files; the exit code says only that something did.
    let said = run(command, Duration::from_secs(180))?;
    let checks = read(folder.path())?;
    ensure!(!checks.is_empty(), "the suite wrote no checks:\n{}", said.text);
    Ok(checks)
}

fn read(folder: &Path) -> anyhow::Result<Checks> {
    let mut checks = Checks::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?.path();
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // `server-SCENARIO-2026-11-23T07-26-29-656Z`
        let stem = name.len().saturating_sub("-2026-11-23T07-26-29-656Z".len());
        let scenario = name.get(..stem).unwrap_or(&name).trim_start_matches("server-").to_owned();
        let text = std::fs::read_to_string(entry.join("checks.json"))
            .with_context(|| format!("no checks of {scenario}"))?;
        let list: Vec<Value> = serde_json::from_str(&text)?;
        for check in list {
            let id = check["id"].as_str().unwrap_or_default().to_owned();
            let passed = check["status"] != "FAILURE";
            let all = checks.entry((scenario.clone(), id)).or_insert(true);
            *all &= passed;
        }
    }
    Ok(checks)
}
