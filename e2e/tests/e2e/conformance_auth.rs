//! The conformance suite as a server and the authorization server of that, with a gateway between it and a
//! client: what its scenarios of authorization find. Every scenario that the suite has is either run, with
//! each check that fails named, or stands here with the reason why it can't say anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use lockgate_e2e::{
    gateway::binary,
    say,
    tools::{beside, package, run},
};
use serde_json::Value;

const SUITE: &str = "@modelcontextprotocol/conformance/dist/index.js";

/// What a scenario must find.
struct Run {
    scenario: &'static str,
    /// Whether a person consents to what the gateway does for them; else it has tokens of its own.
    person: bool,
    /// What becomes of the client's call.
    end: End,
    /// Checks that fail, because they are about something that the gateway does not do here.
    failing: &'static [&'static str],
}

/// What becomes of the client's call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is answered.
    Answered,
    /// The gateway asks for no token, and refuses it.
    NotAsked,
    /// The server refuses the token.
    Refused,
}

/// A program sends nobody to log in, and nobody registers for that.
const LOGIN: &[&str] =
    &["authorization-request", "client-registration", "resource-parameter-in-authorization"];

const RUNS: &[Run] = &[
    run_of("client-credentials-basic", &[]),
    run_of("client-credentials-jwt", &[]),
    run_of("metadata-default", LOGIN),
    run_of("metadata-var1", LOGIN),
    run_of("metadata-var2", LOGIN),
    run_of("metadata-var3", LOGIN),
    run_of("pre-registration", &[]),
    run_of("token-endpoint-auth-basic", &["resource-parameter-in-authorization"]),
    run_of("token-endpoint-auth-post", &["resource-parameter-in-authorization"]),
    // Nothing registers itself: whoever is known at the old one is asked for at the new one by name.
    run_of("authorization-server-migration", &["sep-2352-reregister-on-as-change"]),
    Run { scenario: "metadata-issuer-mismatch", person: false, end: End::NotAsked, failing: &[] },
    Run { scenario: "resource-mismatch", person: false, end: End::NotAsked, failing: &[] },
    // Who the gateway is there, its operator has set up before.
    Run {
        scenario: "metadata-default",
        person: true,
        end: End::Answered,
        failing: &["client-registration"],
    },
    person("basic-cimd", End::Answered),
    person("iss-normalized", End::NotAsked),
    person("iss-not-advertised", End::Answered),
    person("iss-supported", End::Answered),
    person("iss-supported-missing", End::NotAsked),
    person("iss-unexpected", End::NotAsked),
    person("iss-wrong-issuer", End::NotAsked),
    person("offline-access-not-supported", End::Answered),
    person("offline-access-scope", End::Answered),
    person("scope-from-scopes-supported", End::Answered),
    person("scope-from-www-authenticate", End::Answered),
    person("scope-omitted-when-undefined", End::Answered),
    person("scope-retry-limit", End::Refused),
    person("token-endpoint-auth-none", End::Answered),
];

const AGAIN: &str = "asks for more in the middle of a call, where nobody is there to consent";
const BEFORE: &str =
    "how it was before servers had metadata of their own; name the `token_endpoint`";
const GRANT: &str = "a grant that the gateway does not have";

const NOT_RUN: &[(&str, &str)] = &[
    ("2025-03-26-oauth-endpoint-fallback", BEFORE),
    ("2025-03-26-oauth-metadata-backcompat", BEFORE),
    ("dpop", "tokens that are bound to a key, which the gateway does not ask for"),
    ("dpop-nonce", "tokens that are bound to a key, which the gateway does not ask for"),
    ("enterprise-managed-authorization", GRANT),
    ("scope-step-up", AGAIN),
    ("wif-jwt-bearer", GRANT),
];

const fn run_of(scenario: &'static str, failing: &'static [&'static str]) -> Run {
    Run { scenario, person: false, end: End::Answered, failing }
}

const fn person(scenario: &'static str, end: End) -> Run {
    Run { scenario, person: true, end, failing: &[] }
}

#[test]
fn the_gateway_is_a_client_as_the_suite_wants_it() {
    let names = RUNS.iter().map(|run| run.scenario).chain(NOT_RUN.iter().map(|(name, _)| *name));
    let names: BTreeSet<_> = names.map(str::to_owned).collect();
    assert_eq!(names, scenarios().unwrap(), "the suite has others");
    let (mut checks, mut failing) = (0, 0);
    for run in RUNS {
        let found = run.go().unwrap();
        checks += found.len();
        failing += run.failing.len();
    }
    say(&format!(
        "conformance, as a client: {} of {} scenarios run, {} of {checks} checks pass, {failing} are \
         about what the gateway does not do",
        names.len() - NOT_RUN.len(),
        names.len(),
        checks - failing,
    ));
}

impl Run {
    /// Every check with whether all its occurrences passed.
    fn go(&self) -> anyhow::Result<BTreeMap<String, bool>> {
        let folder = tempfile::tempdir()?;
        let mut command = package(SUITE)?;
        command.args(["client", "--scenario", &format!("auth/{}", self.scenario), "--command"]);
        command.arg(beside("conformance-upstream")?).arg("-o").arg(folder.path());
        command.env("LOCKGATE_BIN", binary()?);
        if self.person {
            command.env("CONFORMANCE_PERSON", "1");
        }
        // What failed stands in the files; the exit code says only that something did.
        let said = run(command, Duration::from_secs(60))?.text;
        let results = results(folder.path()).with_context(|| said)?;
        let list: Vec<Value> = serde_json::from_slice(&fs::read(results.join("checks.json"))?)?;
        let mut checks = BTreeMap::new();
        for check in list.iter().filter(|check| check["status"] != "INFO") {
            let id = check["id"].as_str().unwrap_or_default().to_owned();
            *checks.entry(id).or_insert(true) &= check["status"] == "SUCCESS";
        }
        let read = |file: &str| fs::read_to_string(results.join(file)).unwrap_or_default();
        let (seen, log) = (read("stdout.txt"), read("stderr.txt"));
        let failed: Vec<_> =
            checks.iter().filter(|(_, passed)| !**passed).map(|(id, _)| &**id).collect();
        let name = self.scenario;
        ensure!(failed == self.failing, "{name}: {failed:?} failed\n{list:#?}\n{seen}\n{log}");
        let client: Value = serde_json::from_str(seen.trim())
            .with_context(|| format!("{name}: the client saw {seen:?}\n{log}"))?;
        let result = &client["result"];
        let answered = result["content"].is_array() && result["isError"] != true;
        let end = match (answered, checks.contains_key("token-request")) {
            (true, true) => End::Answered,
            (true, false) => bail!("{name}: answered without a token, {checks:?}"),
            (false, true) => End::Refused,
            (false, false) => End::NotAsked,
        };
        ensure!(end == self.end, "{name}: the client saw {seen}, {checks:?}\n{log}");
        Ok(checks)
    }
}

/// The scenarios of authorization that the suite has.
fn scenarios() -> anyhow::Result<BTreeSet<String>> {
    let mut command = package(SUITE)?;
    command.arg("list");
    let said = run(command, Duration::from_secs(60))?.text;
    let names = said.lines().filter_map(|line| line.trim().strip_prefix("- auth/"));
    Ok(names.filter_map(|name| Some(name.split_whitespace().next()?.to_owned())).collect())
}

/// The folder with `checks.json`.
fn results(folder: &Path) -> anyhow::Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.join("checks.json").is_file() {
            return Ok(path);
        }
        if let Ok(below) = results(&path) {
            return Ok(below);
        }
    }
    bail!("no checks below {}", folder.display())
}
