//! What is told of a question: which call it is about, and never its content. No arguments, no
//! answers, no credentials.

use lockgate_model::{Approval, Timestamp, inert};
use serde_json::{Value, json};

/// Most characters of each part where people read it.
const PART_MAX_CHARS: usize = 200;

/// A question as people are told of it. Nothing in it has a second line, or turns what stands around
/// it.
pub(super) struct Question {
    /// Who asks: issuer and subject.
    pub(super) who: String,
    /// Through which OAuth client.
    pub(super) client: String,
    /// For what: the connection, and the tool, resource or prompt.
    pub(super) what: String,
    /// Why it is asked, in the words of the policies' authors; else their ids.
    pub(super) why: String,
    /// Whom.
    pub(super) groups: String,
    /// Until when.
    pub(super) answer_by: String,
}

impl Question {
    pub(super) fn of(approval: &Approval) -> Self {
        let part = |text: &str| inert(text, PART_MAX_CHARS);
        let Approval { subject, terms, .. } = approval;
        let groups = terms.groups.join(", ");
        let people = match terms.quorum {
            0 | 1 => groups,
            more => format!("{groups}: {more} people of each"),
        };
        let policies = || format!("policy {}", subject.policies.join(", "));
        Self {
            who: part(&subject.caller()),
            client: part(subject.client.as_deref().unwrap_or("unknown")),
            what: part(&what(approval)),
            why: part(&terms.reason.clone().unwrap_or_else(policies)),
            groups: part(&people),
            answer_by: time(terms.answer_by),
        }
    }
}

/// What is asked for, or was taken: also for how long, where it is for a window of time.
fn what(approval: &Approval) -> String {
    let subject = &approval.subject;
    let place = match subject.target.as_str() {
        "" => subject.connection.clone(),
        target => format!("{}/{target}", subject.connection),
    };
    match &approval.access {
        None => place,
        Some(access) if access.emergency => {
            format!("BREAK-GLASS access to {place} until {}", time(access.ends))
        }
        Some(access) => format!("access to {place} until {}", time(access.ends)),
    }
}

/// As programs are told of it.
pub(super) fn message(approval: &Approval, link: Option<&str>) -> Value {
    let Approval { id, subject, terms, asked_at, .. } = approval;
    let access = approval.access.as_ref();
    let taken = access.is_some_and(|access| access.emergency);
    let access =
        access.map(|access| json!({ "ends": time(access.ends), "emergency": access.emergency }));
    json!({
        "type": if taken { "approval.break_glass" } else { "approval.asked" },
        "timestamp": time(*asked_at),
        "data": {
            "approval": id,
            "url": link,
            "connection": subject.connection,
            "action": subject.action,
            "target": subject.target,
            "caller": { "issuer": subject.issuer, "subject": subject.subject, "client": subject.client },
            "access": access,
            "policies": subject.policies,
            "reason": terms.reason,
            "groups": terms.groups,
            "quorum": terms.quorum,
            "answer_by": time(terms.answer_by),
        },
    })
}

fn time(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
    format!("{at:.3}")
}

#[cfg(test)]
pub(super) mod tests {
    use lockgate_model::{Approval, Digest, Subject, Terms, Timestamp};

    #[test]
    fn what_is_for_a_while_says_until_when() {
        use lockgate_model::{ACCESS, Access};
        let asked = hostile();
        for (emergency, kind, what) in [
            (false, "approval.asked", "access to staff until 1970-01-01T00:01:00.000Z"),
            (
                true,
                "approval.break_glass",
                "BREAK-GLASS access to staff until 1970-01-01T00:01:00.000Z",
            ),
        ] {
            let (reason, ends) = ("zanzibar4711".into(), Timestamp::from_millis(60_000));
            let access = Access { reason, ends, emergency, groups: Vec::new() };
            let subject =
                Subject { action: ACCESS.into(), target: String::new(), ..asked.subject.clone() };
            let now = Timestamp::from_millis(0);
            let taken = Approval::access("a2".into(), subject, asked.terms.clone(), access, now);
            assert_eq!(super::Question::of(&taken).what, what);
            let told = super::message(&taken, None);
            assert_eq!(
                (&told["type"], &told["data"]["access"]["emergency"]),
                (&kind.into(), &emergency.into())
            );
            assert!(!told.to_string().contains("zanzibar4711"), "words of its owner: {told}");
        }
    }

    /// A question whose names were chosen to do harm.
    pub(in crate::notify) fn hostile() -> Approval {
        let subject = Subject {
            issuer: "corp".into(),
            subject: "bot\r\nBcc: eve@example.com".into(),
            client: Some("<!channel>".into()),
            connection: "staff".into(),
            action: "call_tool".into(),
            target: "drop`*\u{202e}<https://evil.example|ok>&".into(),
            definition: None,
            arguments: Digest::from_bytes([7; 32]),
            policies: vec!["held".into()],
        };
        let terms = Terms {
            groups: vec!["corp/dba".into()],
            quorum: 2,
            reason: Some("writes are held".into()),
            answer_by: Timestamp::from_millis(3_600_000),
            grant_ms: 1,
        };
        Approval::ask("a1".into(), subject, terms, "c1".into(), Timestamp::from_millis(0))
    }
}
