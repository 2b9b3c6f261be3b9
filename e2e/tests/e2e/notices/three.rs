//! One question on three channels: Slack and mail tell of it once, and a web server that is dead
//! holds up neither.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::free_address,
    rig::slack::{SIGNING, SlackApi, TOKEN},
    say,
    tools::{Tool, python},
};
use serde_json::{Value, json};

use super::{CANARY, SECRET};
use crate::pages::House;

const PASSWORD: &str = "mail-secret-4711";

/// A real mail server, with what it took.
struct Mailbox {
    tool: Option<Tool>,
    port: u16,
}

impl Mailbox {
    /// Starts it with a certificate for `localhost`, which stands in `folder` as `ca.pem`.
    fn start(folder: &Path, how: &str) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (certificate, key) = (folder.join("ca.pem"), folder.join("key.pem"));
        std::fs::write(&certificate, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        let mut command: Command = python("mail.py")?;
        command.arg(certificate).arg(key).arg(how);
        let (tool, port) = Tool::start(command)?;
        Ok(Self { tool: Some(tool), port: port.parse()? })
    }

    fn settings(&self, folder: &Path, scheme: &str) -> anyhow::Result<Value> {
        std::fs::write(folder.join("password"), PASSWORD)?;
        Ok(json!({
            "name": "ops", "server": format!("{scheme}://localhost:{}", self.port),
            "from": "Lockgate <lockgate@example.com>",
            "to": ["ann@example.com", "Bo \"the <b>\" <bo@example.com>"],
            "user": "lockgate", "password": format!("file:{}", folder.join("password").display()),
            "ca": folder.join("ca.pem"),
        }))
    }

    /// Stops it, and gives every mail that it took.
    fn stop(&mut self) -> anyhow::Result<Vec<Value>> {
        let said = self.tool.take().context("it was stopped")?.stop();
        said.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// A part of `/readyz` by its name.
fn part(house: &House, name: &str) -> anyhow::Result<String> {
    let (_, body) = house.gateway.ready()?;
    let body: Value = serde_json::from_str(&body)?;
    let parts = body["parts"].as_array().context("parts")?;
    let part = parts.iter().find(|part| part["name"] == name).context("its part")?;
    Ok(part["state"].as_str().context("its state")?.to_owned())
}

fn wait_for(house: &House, name: &str, state: &str) {
    let begun = Instant::now();
    while part(house, name).ok().as_deref() != Some(state) {
        let (_, body) = house.gateway.ready().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(15), "{name} is not {state}: {body}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Everything that the gateway keeps or says outside of the sealed record.
fn shown(house: &House) -> String {
    let mut shown = house.gateway.log();
    shown.push_str(&house.gateway.ready().unwrap().1);
    shown.push_str(&house.gateway.ask_admin("/metrics").unwrap().1);
    for file in std::fs::read_dir(house.gateway.data().join("channels")).unwrap() {
        shown.push_str(&std::fs::read_to_string(file.unwrap().path()).unwrap());
    }
    shown
}

#[test]
fn a_question_is_told_on_every_channel_that_lives() {
    let slack = SlackApi::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut mailbox = Mailbox::start(folder.path(), "starttls").unwrap();
    let dead = free_address().unwrap();
    let mut house = House::start_with(|settings| {
        std::fs::write(folder.path().join("secret"), SECRET)?;
        let approvals = &mut settings["approvals"];
        approvals["slack"] = json!([slack.settings(folder.path(), &json!({ "U1": "idp/auditor" }))?]);
        approvals["mail"] = json!([mailbox.settings(folder.path(), "smtp")?]);
        approvals["webhooks"] = json!([{ "name": "dead", "url": format!("http://{dead}/"),
            "allow_cleartext": true, "secret": format!("file:{}/secret", folder.path().display()) }]);
        Ok(())
    })
    .unwrap();
    // It is asked to come again a little later, and does.
    slack.answer_next("HTTP/1.1 429 Slow\r\nretry-after: 1\r\ncontent-length: 2\r\n\r\n{}");
    let (begun, arguments) = (Instant::now(), json!({ "text": CANARY }));
    let told = house.call(&arguments).unwrap();
    let id = told.split("/approvals/").nth(1).unwrap().get(..33).unwrap().to_owned();
    let posted = slack.wait("chat.postMessage", 1).unwrap();
    assert!(begun.elapsed() > Duration::from_secs(1), "it comes when it may");
    let text = posted[0].to_string();
    for part in ["idp/engineer", "main/any", "looked at first", "idp/audit", &id] {
        assert!(text.contains(part), "{part}: {text}");
    }
    wait_for(&house, "webhook dead", "degraded");
    for name in ["slack ops", "mail ops"] {
        wait_for(&house, name, "ok");
    }
    let (_, metrics) = house.gateway.ask_admin("/metrics").unwrap();
    for line in [
        r#"lockgate_channel_up{kind="slack",name="ops"} 1"#,
        r#"lockgate_channel_up{kind="mail",name="ops"} 1"#,
        r#"lockgate_channel_up{kind="webhook",name="dead"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }

    // The link opens the page, and whoever follows it without a login decides nothing.
    for _ in 0..3 {
        let reply = house.page(&house.get(&format!("/approvals/{id}"))).unwrap();
        assert_eq!(reply.status, 303);
    }
    house.gateway.kill().unwrap();
    house.gateway.run().unwrap();
    house.gateway.wait_ready().unwrap();
    assert!(house.call(&arguments).unwrap().contains("approval.pending"));
    house.call(&json!({ "text": CANARY, "more": 1 })).unwrap();
    slack.wait("chat.postMessage", 2).unwrap();
    wait_for(&house, "mail ops", "ok");
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(slack.wait("chat.postMessage", 2).unwrap().len(), 2, "nothing is told twice");
    let everything = shown(&house);
    let mails = mailbox.stop().unwrap();
    check_mails(&mails, &id, &house).unwrap();
    let all = format!("{everything}{mails:?}{:?}", slack.said());
    for secret in [CANARY, TOKEN, SIGNING, PASSWORD, SECRET] {
        assert!(!all.contains(secret), "{secret} is told: {all}");
    }
    say("approvals: 2 questions told once in Slack and by mail, beside a dead web server");
}

fn check_mails(mails: &[Value], id: &str, house: &House) -> anyhow::Result<()> {
    ensure!(mails.len() == 2, "{mails:?}");
    let mail = &mails[0];
    ensure!(mail["tls"] == true && mail["user"] == "lockgate", "{mail}");
    ensure!(mail["to"] == json!(["ann@example.com", "bo@example.com"]), "{mail}");
    let text = mail["text"].as_str().context("its text")?.replace("=\r\n", "");
    for part in [
        format!("Message-ID: <{id}@example.com>"),
        format!("http://{}/approvals/{id}", house.api),
        "looked at first".to_owned(),
        "Auto-Submitted: auto-generated".to_owned(),
    ] {
        ensure!(text.contains(&part), "{part}: {text}");
    }
    Ok(())
}

#[test]
fn mail_is_never_sent_where_it_could_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut clear = Mailbox::start(folder.path(), "clear").unwrap();
    let other = tempfile::tempdir().unwrap();
    let mut wrapped = Mailbox::start(other.path(), "wrapped").unwrap();
    let stranger = tempfile::tempdir().unwrap();
    let mut strange = Mailbox::start(stranger.path(), "wrapped").unwrap();
    let house = House::start_with(|settings| {
        // No STARTTLS is offered; the certificate is another's; and one that is as it should be.
        let mut stripped = clear.settings(folder.path(), "smtp")?;
        stripped["name"] = "stripped".into();
        let mut forged = strange.settings(stranger.path(), "smtps")?;
        forged["name"] = "forged".into();
        forged["ca"] = json!(other.path().join("ca.pem"));
        let good = wrapped.settings(other.path(), "smtps")?;
        settings["approvals"]["mail"] = json!([stripped, forged, good]);
        Ok(())
    })
    .unwrap();
    house.call(&json!({ "x": 1 })).unwrap();
    wait_for(&house, "mail stripped", "degraded");
    wait_for(&house, "mail forged", "degraded");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(wrapped.stop().unwrap().len(), 1);
    assert!(clear.stop().unwrap().is_empty());
    assert!(strange.stop().unwrap().is_empty());
    assert_eq!(part(&house, "mail ops").unwrap(), "ok");
}
