//! Answers from Slack: they count for who is logged in, as on the page, and for nobody else.

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    rig::slack::{SlackApi, click, send},
    say,
};
use serde_json::{Value, json};

use crate::pages::House;

const AUDITOR: &str = "U0AUDITOR";
const OPERATOR: &str = "U0OPERATOR";
const ENGINEER: &str = "U0ENGINEER";

/// A house whose questions are asked in Slack.
struct Room {
    slack: SlackApi,
    house: House,
    _folder: tempfile::TempDir,
}

impl Room {
    fn start() -> anyhow::Result<Self> {
        let (slack, folder) = (SlackApi::start()?, tempfile::tempdir()?);
        let people =
            json!({ AUDITOR: "idp/auditor", OPERATOR: "idp/operator", ENGINEER: "idp/engineer" });
        let house = House::start_with(|settings| {
            settings["approvals"]["slack"] = json!([slack.settings(folder.path(), &people)?]);
            Ok(())
        })?;
        Ok(Self { slack, house, _folder: folder })
    }

    /// Calls the held tool with these arguments; what the buttons of its message say.
    fn ask(&self, arguments: &Value) -> anyhow::Result<String> {
        let count = self.slack.wait("chat.postMessage", 0)?.len();
        let told = self.house.call(arguments)?;
        ensure!(told.contains("approval.pending"), "{told}");
        let posted = self.slack.wait("chat.postMessage", count + 1)?;
        let message = posted.last().context("a message")?;
        let buttons = message["blocks"].as_array().and_then(|blocks| blocks.last());
        let value = buttons.context("buttons")?["elements"][0]["value"].as_str();
        Ok(value.context("a value")?.to_owned())
    }

    /// Clicks, and gives what that member alone is told.
    fn click(&self, member: &str, action: &str, value: &str) -> anyhow::Result<String> {
        self.whispers(&click(member, action, value), member)
    }

    fn whispers(&self, payload: &Value, member: &str) -> anyhow::Result<String> {
        let count = self.slack.wait("chat.postEphemeral", 0)?.len();
        send(self.house.api, payload)?;
        let said = self.slack.wait("chat.postEphemeral", count + 1)?;
        let last = said.last().context("a word")?;
        ensure!(last["user"] == member, "told to another: {last}");
        Ok(last["text"].as_str().context("its text")?.to_owned())
    }

    fn is_pending(&self, arguments: &Value) -> anyhow::Result<()> {
        let told = self.house.call(arguments)?;
        ensure!(told.contains("approval.pending"), "{told}");
        Ok(())
    }

    /// The message of `value`, once it has no buttons any more.
    fn ended(&self, count: usize) -> anyhow::Result<String> {
        let updates = self.slack.wait("chat.update", count)?;
        let text = updates.last().context("an update")?.to_string();
        ensure!(!text.contains("action_id"), "buttons are left: {text}");
        Ok(text)
    }
}

#[test]
fn a_click_counts_for_who_is_logged_in_and_may_answer() {
    let room = Room::start().unwrap();
    let arguments = json!({ "table": "orders" });
    let value = room.ask(&arguments).unwrap();
    let place = format!("http://{}/approvals", room.house.api);

    // A stranger, and who is not logged in: nothing happens.
    for (member, action) in [("U0NOBODY", "approve"), (AUDITOR, "approve"), (AUDITOR, "reject")] {
        let told = room.click(member, action, &value).unwrap();
        assert!(told.contains("Nothing was done") && told.contains(&place), "{told}");
    }
    room.is_pending(&arguments).unwrap();

    // Logged in, and not asked; and whoever asked.
    room.house.enter("operator", "/approvals").unwrap();
    room.house.enter("engineer", "/approvals").unwrap();
    for (member, why) in [(OPERATOR, "no such approval"), (ENGINEER, "Nothing was done")] {
        let told = room.click(member, "approve", &value).unwrap();
        assert!(told.contains(why), "{told}");
    }
    room.is_pending(&arguments).unwrap();

    // Who is asked is there now. The member of another workspace by the same id is not them.
    room.house.enter("auditor", "/approvals").unwrap();
    let mut foreign = click(AUDITOR, "approve", &value);
    foreign["user"]["team_id"] = "T9FOREIGN".into();
    let told = room.whispers(&foreign, AUDITOR).unwrap();
    assert!(told.contains("nobody told Lockgate who you are"), "{told}");
    let mut elsewhere = click(AUDITOR, "approve", &value);
    elsewhere["channel"]["id"] = "C9ELSEWHERE".into();
    assert!(send(room.house.api, &elsewhere).is_err(), "a click in another channel");
    room.is_pending(&arguments).unwrap();

    // Their yes to what was not asked, and then to what was.
    let (id, digest) = value.split_once(' ').unwrap();
    let other = format!("{id} {}", "0".repeat(digest.len()));
    let told = room.click(AUDITOR, "approve", &other).unwrap();
    assert!(told.contains("other arguments"), "{told}");
    let told = room.click(AUDITOR, "approve", "a0 x").unwrap();
    assert!(told.contains("no such approval"), "{told}");
    room.is_pending(&arguments).unwrap();
    assert!(room.slack.wait("chat.update", 0).unwrap().is_empty(), "it is still asked");
    let told = room.click(AUDITOR, "approve", &value).unwrap();
    assert!(told.contains("noted"), "{told}");
    let ended = room.ended(1).unwrap();
    assert!(ended.contains("approved") && ended.contains("idp/auditor"), "{ended}");
    room.house.upstream.take_all();
    let answered = room.house.call(&arguments).unwrap();
    assert!(!answered.contains("approval."), "{answered}");
    assert_eq!(room.house.upstream.take_seen().len(), 1);
    let told = room.click(AUDITOR, "approve", &value).unwrap();
    assert!(told.contains("Nothing was done"), "a second click: {told}");
    say("approvals: a click in Slack approved once; 9 that may not count did not");
}

#[test]
fn a_no_needs_a_reason_and_what_hides_needs_the_page() {
    let room = Room::start().unwrap();
    room.ask(&json!({ "table": "of the browser" })).unwrap();
    room.house.browse("auditor", "reject").unwrap();
    room.ended(1).unwrap();
    let value = room.ask(&json!({ "table": "after it" })).unwrap();
    let told = room.click(AUDITOR, "approve", &value).unwrap();
    assert!(told.contains("log in at"), "they logged out: {told}");

    room.house.enter("auditor", "/approvals").unwrap();
    let arguments = json!({ "note": "ok \u{202e}live" });
    let value = room.ask(&arguments).unwrap();
    let told = room.click(AUDITOR, "approve", &value).unwrap();
    let (id, _) = value.split_once(' ').unwrap();
    assert!(told.contains(&format!("/approvals/{id}")) && told.contains("overlooked"), "{told}");
    room.is_pending(&arguments).unwrap();

    // The button asks for the reason, which comes back with the form.
    send(room.house.api, &click(AUDITOR, "reject", &value)).unwrap();
    let opened = room.slack.wait("views.open", 1).unwrap().remove(0);
    assert_eq!(opened["trigger_id"], "13345224609.738474920");
    room.is_pending(&arguments).unwrap();
    let submit = |reason: &str, member: &str| {
        json!({ "type": "view_submission", "team": { "id": "T0123ABCD" },
            "user": { "id": member }, "view": { "callback_id": "lockgate_reject",
                "private_metadata": opened["view"]["private_metadata"],
                "state": { "values": { "reason": { "reason": { "value": reason } } } } } })
    };
    let told = room.whispers(&submit("  ", AUDITOR), AUDITOR).unwrap();
    assert!(told.contains("Nothing was done"), "{told}");
    let told = room.whispers(&submit("not me", "U0NOBODY"), "U0NOBODY").unwrap();
    assert!(told.contains("Nothing was done"), "{told}");
    room.is_pending(&arguments).unwrap();
    let told = room.whispers(&submit("not in the freeze", AUDITOR), AUDITOR).unwrap();
    assert!(told.contains("rejected"), "{told}");
    assert!(room.ended(2).unwrap().contains("rejected"));
    assert!(room.house.call(&arguments).unwrap().contains("not in the freeze"));
}
