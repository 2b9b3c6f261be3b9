//! Messages as Slack takes them (Block Kit). Whatever a call named stands in a code span, in which
//! nothing is a link, a mention or a format, with the three characters escaped that must be
//! ("Formatting text for app surfaces").

use lockgate_model::{Approval, State, inert};
use serde_json::{Value, json};

use super::super::question::Question;

/// Most characters of a name in what is said last.
const NAME_MAX_CHARS: usize = 200;
/// Characters of a reason, as everywhere else.
const REASON_MAX_CHARS: u32 = 512;

/// The text so that Slack shows it and does not read it.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text from outside, on one line, in a code span.
fn code(text: &str) -> String {
    format!("`{}`", escape(&text.replace('`', "'")))
}

/// The question, with buttons for an answer where one `counts`.
pub(super) fn question(
    approval: &Approval,
    link: Option<&str>,
    channel: &str,
    counts: bool,
) -> Value {
    let asked = Question::of(approval);
    let Question { who, client, what, why, groups, answer_by } = &asked;
    let title = format!("{} asks for `{}` of {}", code(who), approval.subject.action, code(what));
    let mut blocks = vec![
        section(&format!("*A call waits for you.* {title}")),
        json!({ "type": "section", "fields": [
            text(&format!("*Why*\n{}", code(why))),
            text(&format!("*Who is asked*\n{}", code(groups))),
            text(&format!("*Client*\n{}", code(client))),
            text(&format!("*Answer by*\n{}", code(answer_by))),
        ] }),
        json!({ "type": "context", "elements": [
            text("Its arguments are never told here. They are on the page.") ] }),
    ];
    let buttons = buttons(approval, link, counts);
    if !buttons.is_empty() {
        blocks.push(json!({ "type": "actions", "block_id": "lockgate", "elements": buttons }));
    }
    json!({
        "channel": channel,
        "text": format!("A call waits for you: {title}"),
        "unfurl_links": false,
        "unfurl_media": false,
        "metadata": { "event_type": "lockgate_approval", "event_payload": { "approval": approval.id } },
        "blocks": blocks,
    })
}

/// What an answering button says names the arguments that it is about.
fn buttons(approval: &Approval, link: Option<&str>, counts: bool) -> Vec<Value> {
    let about = format!("{} {}", approval.id, approval.subject.arguments);
    let mut buttons = if counts { vec![approve(&about), reject(&about)] } else { Vec::new() };
    buttons.extend(link.map(|link| {
        json!({ "type": "button", "action_id": "open", "url": link,
            "text": { "type": "plain_text", "text": "Open" } })
    }));
    buttons
}

/// What remains once it is decided.
pub(super) fn ended(approval: &Approval, channel: &str, ts: &str) -> Value {
    let asked = Question::of(approval);
    let name = |one: &lockgate_model::Person| {
        code(&inert(&format!("{}/{}", one.issuer, one.subject), NAME_MAX_CHARS))
    };
    let by = match &approval.state {
        State::Rejected { by, .. } => format!(" by {}", name(by)),
        State::Approved { .. } | State::Spent { .. } => {
            let voters: Vec<_> = approval.votes.iter().map(|vote| name(&vote.by)).collect();
            format!(" by {}", voters.join(", "))
        }
        _ => String::new(),
    };
    // Whoever learns of it late learns of the answer, not of what became of it.
    let word = match &approval.state {
        State::Spent { .. } => "approved",
        other => other.name(),
    };
    let said = format!("*{word}*{by}: {} for {}", code(&asked.who), code(&asked.what));
    json!({ "channel": channel, "ts": ts, "text": said, "blocks": [section(&said)] })
}

/// The form in which a reason is given.
pub(super) fn modal(about: &str, channel: &str) -> Value {
    let plain = |text: &str| json!({ "type": "plain_text", "text": text });
    json!({
        "type": "modal",
        "callback_id": "lockgate_reject",
        "private_metadata": format!("{about} {channel}"),
        "title": plain("Reject the call"),
        "submit": plain("Reject"),
        "close": plain("Cancel"),
        "blocks": [{ "type": "input", "block_id": "reason", "label": plain("Why? Its caller reads this."),
            "element": { "type": "plain_text_input", "action_id": "reason", "multiline": false,
                "min_length": 1, "max_length": REASON_MAX_CHARS } }],
    })
}

/// Asks back, as nobody sees the arguments here.
fn approve(about: &str) -> Value {
    let plain = |text: &str| json!({ "type": "plain_text", "text": text });
    json!({
        "type": "button",
        "action_id": "approve",
        "value": about,
        "style": "primary",
        "text": plain("Approve"),
        "confirm": {
            "title": plain("Approve it?"),
            "text": plain("You approve exactly the arguments that are on the page."),
            "confirm": plain("Approve"),
            "deny": plain("Cancel"),
        },
    })
}

fn reject(about: &str) -> Value {
    json!({ "type": "button", "action_id": "reject", "value": about, "style": "danger",
        "text": { "type": "plain_text", "text": "Reject" } })
}

fn section(words: &str) -> Value {
    json!({ "type": "section", "text": text(words) })
}

/// `verbatim`: nothing in it is made a link.
fn text(words: &str) -> Value {
    json!({ "type": "mrkdwn", "text": words, "verbatim": true })
}

#[cfg(test)]
mod tests {
    use lockgate_model::{Act, Reviewer, Timestamp};

    use super::{super::super::question::tests::hostile, *};

    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(fields) => fields.values().for_each(|item| texts(item, found)),
            _ => {}
        }
    }

    #[test]
    fn what_a_call_names_steers_nothing() {
        let asked = question(&hostile(), Some("https://review.example/approvals/a1"), "C1", true);
        let act = Act::Approve {
            by: Reviewer {
                person: lockgate_model::Person { issuer: "corp".into(), subject: "<@U1>".into() },
                groups: vec!["corp/dba".into()],
            },
            until: None,
        };
        let half = hostile().apply(&act, Timestamp::from_millis(1)).unwrap();
        for message in [asked, ended(&half, "C1", "1.2"), ended(&hostile(), "C1", "1.2")] {
            let mut found = Vec::new();
            texts(&message, &mut found);
            for text in found {
                assert!(!text.contains(['<', '>', '\u{202e}', '\r']), "{text}");
                assert_eq!(text.matches('`').count() % 2, 0, "every span ends: {text}");
            }
        }
    }

    #[test]
    fn a_button_names_the_arguments_that_it_is_about() {
        let asked = question(&hostile(), Some("https://review.example/approvals/a1"), "C1", true);
        let buttons = asked["blocks"][3]["elements"].as_array().unwrap();
        for button in &buttons[..2] {
            assert_eq!(button["value"], format!("a1 {}", "07".repeat(32)));
        }
        assert_eq!(buttons[2]["url"], "https://review.example/approvals/a1");
        assert!(buttons[2].get("value").is_none());
        for (link, counts, count) in [(None, true, 2), (Some("https://a"), false, 1)] {
            let asked = question(&hostile(), link, "C1", counts);
            assert_eq!(asked["blocks"][3]["elements"].as_array().unwrap().len(), count);
        }
        assert!(question(&hostile(), None, "C1", false)["blocks"].get(3).is_none());
    }
}
