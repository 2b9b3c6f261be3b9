//! What the demo offers at its end, as people do it: the CI job's call by the command that is printed
//! waits, the reviewer approves it with a real browser, and the same command goes through once.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::binary,
    prepare, say,
    tools::{Tool, run, script},
    wire::data_of,
};
use serde_json::Value;

const WAIT: Duration = Duration::from_secs(60);

/// The demo, which stays up, and what it says at its end.
struct Demo {
    _process: Tool,
    /// Where the reviewer goes.
    pages: String,
    /// What the CI job does again.
    curl: String,
}

impl Demo {
    fn start() -> anyhow::Result<Self> {
        prepare::debian()?;
        let mut command = Command::new(binary()?);
        command.args(["demo", "--port", "0"]);
        let (mut process, _) = Tool::start(command)?;
        let said = process.until("Stop with Ctrl-C")?;
        ensure!(said.contains("All came out as told"), "{said}");
        let (_, offer) = said.split_once("Be the reviewer").with_context(|| said.clone())?;
        let (pages, curl) = offer.split_once("(log in as reviewer)").context("how to log in")?;
        let pages = pages.split_once("Approve it at ").context("where")?.1.trim().to_owned();
        let (_, curl) = curl.split_once("\n\n").context("a command")?;
        let (curl, _) = curl.split_once("\n\n").context("its end")?;
        Ok(Self { _process: process, pages, curl: curl.to_owned() })
    }

    /// The CI job's call by the command that is printed; its answer.
    fn call(&self) -> anyhow::Result<Value> {
        let mut command = Command::new("bash");
        command.args(["-c", &self.curl]);
        let said = run(command, WAIT)?.text;
        let last = data_of(&said).pop().unwrap_or_else(|| said.clone());
        serde_json::from_str(last.trim()).with_context(|| said)
    }

    fn review(&self) -> anyhow::Result<Value> {
        let mut command = script("reviewer.mjs")?;
        let origin = self.pages.strip_suffix("/approvals").context("an origin")?;
        command.args([origin, "reviewer", "approve"]);
        command.args(std::env::var_os("LOCKGATE_SCREENSHOTS"));
        let said = run(command, WAIT)?;
        let last = said.text.lines().last().unwrap_or_default();
        let seen: Value = serde_json::from_str(last).with_context(|| said.text.clone())?;
        ensure!(seen["fault"].is_null(), "{seen}");
        Ok(seen)
    }
}

fn waits(answer: &Value) -> bool {
    answer["result"]["resultType"] == "input_required"
}

#[test]
fn the_reviewer_approves_on_the_page_and_the_retry_goes_through_once() {
    let demo = Demo::start().unwrap();
    let answer = demo.call().unwrap();
    assert!(waits(&answer), "before anybody has decided: {answer}");
    let seen = demo.review().unwrap().to_string();
    for part in ["dev/ci-job", "delete_employee", "a job wants to delete", "before the call"] {
        assert!(seen.contains(part), "no `{part}`: {seen}");
    }
    let answer = demo.call().unwrap();
    assert!(answer["result"]["content"].is_array(), "with the grant: {answer}");
    assert_ne!(answer["result"]["isError"], true, "{answer}");
    let answer = demo.call().unwrap();
    assert!(waits(&answer), "the grant was for one call: {answer}");
    say("demo: approved on the page, used once, asked again");
}
