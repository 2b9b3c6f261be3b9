//! What a signed request says: who clicked which button, or gave which reason (Slack's "Interaction
//! payloads", `block_actions` and `view_submission`). Everything else in it is left unread, and no
//! place that it names is ever called.

use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded;

/// One request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Workspace of the member.
    pub(super) team: String,
    /// Who clicked.
    pub(super) member: String,
    /// In which channel.
    pub(super) channel: String,
    pub(super) word: Word,
}

/// What is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    Approve(About),
    /// The reason is still to be asked for; by this trigger, within three seconds.
    Reject {
        about: About,
        trigger: String,
    },
    /// The reason, with which it is rejected.
    Reason {
        about: About,
        reason: String,
    },
    /// A link was opened.
    Nothing,
}

/// What a button stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct About {
    /// The approval's id.
    pub(super) id: String,
    /// The digest of the arguments that it is about.
    pub(super) digest: String,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    user: User,
    team: Option<Named>,
    channel: Option<Named>,
    trigger_id: Option<String>,
    #[serde(default)]
    actions: Vec<Action>,
    view: Option<View>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    /// Missing in some kinds of request; then the workspace of the request is the user's.
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Action {
    action_id: String,
    value: Option<String>,
}

#[derive(Deserialize)]
struct View {
    callback_id: String,
    private_metadata: String,
    state: Value,
}

/// Reads a form's `payload`; `None` for anything that is not one of our buttons or forms.
pub(super) fn read(body: &[u8]) -> Option<Said> {
    let mut fields = form_urlencoded::parse(body);
    let (name, text) = fields.next()?;
    if name != "payload" || fields.next().is_some() {
        return None;
    }
    let Payload { kind, user, team, channel, trigger_id, actions, view } =
        serde_json::from_str(&text).ok()?;
    let team = user.team_id.or_else(|| team.map(|team| team.id))?;
    let (channel, word) = match (&*kind, actions.as_slice(), view) {
        ("block_actions", [action], _) => (channel?.id, clicked(action, trigger_id)?),
        ("view_submission", _, Some(view)) if view.callback_id == "lockgate_reject" => {
            let (about, channel) = view.private_metadata.rsplit_once(' ')?;
            let reason = view.state.pointer("/values/reason/reason/value")?.as_str()?;
            let reason = reason.to_owned();
            (channel.to_owned(), Word::Reason { about: About::of(about)?, reason })
        }
        _ => return None,
    };
    Some(Said { team, member: user.id, channel, word })
}

fn clicked(action: &Action, trigger: Option<String>) -> Option<Word> {
    let about = || About::of(action.value.as_deref()?);
    match &*action.action_id {
        "approve" => Some(Word::Approve(about()?)),
        "reject" => Some(Word::Reject { about: about()?, trigger: trigger? }),
        "open" => Some(Word::Nothing),
        _ => None,
    }
}

impl About {
    fn of(text: &str) -> Option<Self> {
        let (id, digest) = text.split_once(' ')?;
        Some(Self { id: id.to_owned(), digest: digest.to_owned() })
    }
}

impl std::fmt::Display for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.id, self.digest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use url::form_urlencoded;

    use super::{About, Word, read};

    fn body(payload: &Value) -> Vec<u8> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("payload", &payload.to_string()).finish().into_bytes()
    }

    fn click(action: &str, value: &str) -> Value {
        json!({ "type": "block_actions", "user": { "id": "U1", "team_id": "T1" }, "team": { "id": "T9" },
            "channel": { "id": "C1" }, "trigger_id": "t.1", "response_url": "https://evil.example",
            "actions": [{ "action_id": action, "value": value }] })
    }

    proptest! {
        /// Whatever stands in a form, something is read or nothing is.
        #[test]
        fn any_bytes_are_read_or_are_nothing(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "[a-z_\\[\\]{}\":, 0-9]{0,80}",
        ) {
            prop_assert_eq!(read(&bytes), None);
            let mut payload = click("approve", "a1 00");
            payload["actions"] = json!(text);
            prop_assert_eq!(read(&body(&payload)), None);
            let about = format!("{text} 00");
            let said = read(&body(&click("approve", &about)));
            prop_assert!(said.is_some(), "{}", about);
        }
    }

    fn about() -> About {
        About { id: "a1".into(), digest: "00".into() }
    }

    #[test]
    fn buttons_and_reasons_are_read() {
        let said = read(&body(&click("approve", "a1 00"))).unwrap();
        assert_eq!((&*said.team, &*said.member, &*said.channel), ("T1", "U1", "C1"));
        assert_eq!(said.word, Word::Approve(about()));
        let said = read(&body(&click("reject", "a1 00"))).unwrap();
        assert_eq!(said.word, Word::Reject { about: about(), trigger: "t.1".into() });
        assert_eq!(read(&body(&click("open", ""))).unwrap().word, Word::Nothing);
        let said = read(&body(&json!({ "type": "view_submission", "user": { "id": "U1" },
            "team": { "id": "T1" }, "view": { "callback_id": "lockgate_reject",
                "private_metadata": "a1 00 C1",
                "state": { "values": { "reason": { "reason": { "value": "no" } } } } } })));
        let said = said.unwrap();
        assert_eq!((&*said.team, &*said.channel), ("T1", "C1"));
        assert_eq!(said.word, Word::Reason { about: about(), reason: "no".into() });
    }

    #[test]
    fn anything_else_is_nothing() {
        let mut two = click("approve", "a1 00");
        two["actions"] = json!([two["actions"][0], two["actions"][0]]);
        let mut nowhere = click("approve", "a1 00");
        nowhere["channel"] = Value::Null;
        let mut nobody = click("approve", "a1 00");
        nobody["user"] = json!({});
        for payload in [
            two,
            nowhere,
            nobody,
            click("approve", "a1"),
            click("grant", "a1 00"),
            json!({ "type": "shortcut", "user": { "id": "U1", "team_id": "T1" } }),
            json!(null),
        ] {
            assert_eq!(read(&body(&payload)), None, "{payload}");
        }
        let twice = [body(&click("open", "")), b"&".to_vec(), body(&click("approve", "a1 00"))];
        for body in [&b""[..], b"payload=", b"x=1", b"payload=%7B", &twice.concat(), b"\xff\xfe"] {
            assert_eq!(read(body), None);
        }
    }
}
