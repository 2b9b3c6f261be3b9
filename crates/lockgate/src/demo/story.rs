//! The story: who calls what, and what must come of it. Each step is a real HTTP call through the
//! gateway; what it printed is compared with what was told, and with the recording.

use std::{net::SocketAddr, path::Path, sync::Arc};

use http::StatusCode;
use lockgate_gateway::clock;
use lockgate_model::{ApprovalStep, Event, Reason, Verdict};
use lockgate_store::journal;

use super::{
    REVIEW,
    call::{Answer, Ask, approve, post},
    issuer::{Issuer, Life, Persona},
    offboarding,
    server::Server,
};
use crate::{
    offline, record,
    terminal::{Style, Terminal, inert},
};

/// One call, and what must come of it.
pub(super) struct Step {
    title: &'static str,
    pub(super) who: Persona,
    pub(super) life: Life,
    pub(super) ask: Ask,
    told: Told,
}

/// What must come of a call.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// A list of exactly these tools.
    Shows(&'static [&'static str]),
    /// A result with this text in it.
    Answers(&'static str),
    /// A result with the first texts in it, and none of the others.
    Masks(&'static [&'static str], &'static [&'static str]),
    /// The answer that an unknown tool gets; the record names this policy.
    Hides(&'static str),
    /// A tool error whose text and record name this policy.
    Refuses(&'static str),
    /// It waits for a person; the record names the policy that holds it, and nothing was sent.
    Waits(&'static str),
    /// A person said yes.
    Approves,
    /// An answer in a stream, which ends when its caller is put out.
    Ends,
    /// 401, nothing reaches the server, and this reason on the record.
    TurnsAway(Reason),
}

/// Where the story takes place.
pub(super) struct Stage<'a> {
    /// The gateway.
    pub(super) gateway: SocketAddr,
    /// Where reviewers answer.
    pub(super) api: SocketAddr,
    /// The same, with a browser.
    pub(super) pages: &'a str,
    /// The connection's path.
    pub(super) path: &'a str,
    /// The gateway's configuration file.
    pub(super) config: &'a Path,
    /// The folder of the recording.
    pub(super) data: &'a Path,
    /// Who signs tokens.
    pub(super) issuer: &'a Issuer,
    /// What is protected.
    pub(super) server: &'a Arc<Server>,
    /// Where it is told.
    pub(super) terminal: Terminal,
}

/// `INVALID_PARAMS`, with which MCP servers answer for an unknown tool.
const UNKNOWN_TOOL: i64 = -32602;

const ALL_TOOLS: &[&str] = &["query_employees", "list_payments", "delete_employee", "run_sql"];

const STEPS: &[Step] = &[
    Step {
        title: "An engineer looks around: every tool is there",
        who: Persona::Engineer,
        life: Life::Usual,
        ask: Ask::ListTools,
        told: Told::Shows(ALL_TOOLS),
    },
    Step {
        title: "The engineer reads rows: cards and e-mails are masked on the way",
        who: Persona::Engineer,
        life: Life::Usual,
        ask: ENGINEERING,
        told: Told::Masks(
            &["Mei Castellanos", "[pii.email]", "****5619"],
            &["mei@example.com", "4716044839205619"],
        ),
    },
    Step {
        title: "A fraud analyst reads the same rows: a policy shows them the e-mails",
        who: Persona::FraudAnalyst,
        life: Life::Usual,
        ask: ENGINEERING,
        told: Told::Masks(&["mei@example.com", "****5619"], &["4716044839205619"]),
    },
    Step {
        title: "Even an engineer may not delete the board: a policy looks at the arguments",
        who: Persona::Engineer,
        life: Life::Usual,
        ask: Ask::CallTool("delete_employee", r#"{"employee_id":1}"#),
        told: Told::Refuses("keep-the-board"),
    },
    Step {
        title: "The engineer asks in SQL: `drop table` in a literal is only text",
        who: Persona::Engineer,
        life: Life::Usual,
        ask: Ask::CallTool(
            "run_sql",
            r#"{"sql":"SELECT name FROM employees WHERE note <> 'drop table'"}"#,
        ),
        told: Told::Answers("Mei Castellanos"),
    },
    Step {
        title: "DROP TABLE is read for what it does, however it is spelled",
        who: Persona::Engineer,
        life: Life::Usual,
        ask: Ask::CallTool("run_sql", r#"{"sql":"SELECT 1; DrOp/**/TaBlE employees"}"#),
        told: Told::Refuses("guard-prod-sql"),
    },
    Step {
        title: "A contractor looks around: one tool is left",
        who: Persona::Contractor,
        life: Life::Usual,
        ask: Ask::ListTools,
        told: Told::Shows(&["query_employees"]),
    },
    Step {
        title: "The contractor calls a hidden tool: to them it does not exist",
        who: Persona::Contractor,
        life: Life::Usual,
        ask: Ask::CallTool("delete_employee", r#"{"employee_id":4}"#),
        told: Told::Hides("contractors-never-delete"),
    },
    Step {
        title: "A token that expired: refused before any traffic",
        who: Persona::Engineer,
        life: Life::Expired,
        ask: Ask::CallTool("query_employees", "{}"),
        told: Told::TurnsAway(Reason::TokenExpired),
    },
    Step {
        title: "A token that lives for three weeks: refused, however well it is signed",
        who: Persona::Engineer,
        life: Life::Weeks,
        ask: Ask::CallTool("query_employees", "{}"),
        told: Told::TurnsAway(Reason::TokenLifetime),
    },
    Step {
        title: "A CI job reads the payments that it checks",
        who: Persona::CiJob,
        life: Life::Usual,
        ask: Ask::CallTool("list_payments", r#"{"employee_id":2}"#),
        told: Told::Answers("8000"),
    },
    Step {
        title: "The CI job wants to delete a row: it has to wait for a person",
        who: Persona::CiJob,
        life: Life::Usual,
        ask: DELETE,
        told: Told::Waits("deletes-of-jobs-wait"),
    },
    Step {
        title: "The reviewer looks at exactly that call, and says yes",
        who: Persona::Reviewer,
        life: Life::Usual,
        ask: Ask::Approve,
        told: Told::Approves,
    },
    Step {
        title: "The CI job repeats the identical call: it goes through, once",
        who: Persona::CiJob,
        life: Life::Usual,
        ask: DELETE,
        told: Told::Answers("4"),
    },
    Step {
        title: "And once more: the yes was for one call, so it has to wait again",
        who: Persona::CiJob,
        life: Life::Usual,
        ask: DELETE,
        told: Told::Waits("deletes-of-jobs-wait"),
    },
    Step {
        title: "The contract ends while the contractor's agent is at work: its stream is cut",
        who: Persona::Contractor,
        life: Life::Usual,
        ask: Ask::Follow("query_employees", "{}"),
        told: Told::Ends,
    },
    Step {
        title: "The contractor comes with a new token: it is good for an hour, and refused",
        who: Persona::Contractor,
        life: Life::Usual,
        ask: Ask::CallTool("query_employees", "{}"),
        told: Told::TurnsAway(Reason::AccessRevoked),
    },
];

const ENGINEERING: Ask = Ask::CallTool("query_employees", r#"{"department":"engineering"}"#);
const DELETE: Ask = Ask::CallTool("delete_employee", r#"{"employee_id":4}"#);

/// Tells the story. Returns the titles of the steps that did not come out as told.
///
/// # Errors
/// Where a call can't be made or the recording can't be read.
pub(super) async fn tell(stage: &Stage<'_>) -> anyhow::Result<Vec<&'static str>> {
    let terminal = stage.terminal;
    let begin = records(stage.data, 0)?.len();
    let mut failed = Vec::new();
    for (index, step) in STEPS.iter().enumerate() {
        let title = format!("{}. {}", index + 1, step.title);
        terminal.data(terminal.styled(Style::Bold, &title));
        if let Err(why) = play(stage, step).await? {
            terminal.data(format_args!("   NOT AS TOLD: {why}"));
            failed.push(step.title);
        }
    }
    let title = format!("{}. The recording of it all", STEPS.len() + 1);
    terminal.data(terminal.styled(Style::Bold, &title));
    let told = records(stage.data, begin)?;
    for (record, event) in &told {
        terminal.data(format_args!("   {}", record::line(record, event)));
    }
    if let Err(why) = is_whole(&told) {
        terminal.data(format_args!("   NOT AS TOLD: {why}"));
        failed.push("The recording of it all");
    }
    Ok(failed)
}

/// Plays one step and prints it; the inner error says what was not as told.
async fn play(stage: &Stage<'_>, step: &Step) -> anyhow::Result<Result<(), String>> {
    let terminal = stage.terminal;
    if matches!(step.ask, Ask::Approve) {
        return review(stage, step).await;
    }
    if matches!(step.ask, Ask::Follow(..)) {
        return offboarding::play(stage, step).await;
    }
    let token = stage.issuer.token(step.who, step.life, clock::now())?;
    let (begin, hits) = (records(stage.data, 0)?.len(), stage.server.hits());
    terminal.data(format_args!("   > {} as {}", step.ask.words(), step.who.name()));
    let answer = post(stage.gateway, stage.path, &token, step.ask).await?;
    let hits = stage.server.hits() - hits;
    let why = why(&records(stage.data, begin)?);
    let word = match step.told {
        Told::Shows(_) | Told::Answers(_) | Told::Masks(..) => {
            terminal.styled(Style::Good, "ALLOWED")
        }
        Told::Waits(_) => terminal.styled(Style::Bold, "HELD"),
        _ => terminal.styled(Style::Bad, "REFUSED"),
    };
    terminal.data(format_args!("   < {word} {}", shown(step.told, &answer)));
    terminal.data(format_args!("     why: {why}"));
    if matches!(step.told, Told::Waits(_)) {
        terminal.data(format_args!("     decided at: {}", stage.pages));
    }
    Ok(step.told.compare(&answer, hits, &why))
}

/// A person answers the question that waits.
async fn review(stage: &Stage<'_>, step: &Step) -> anyhow::Result<Result<(), String>> {
    let token = stage.issuer.token_for(REVIEW, step.who, step.life, clock::now())?;
    stage.terminal.data(format_args!("   > {} as {}", step.ask.words(), step.who.name()));
    let answer = approve(stage.api, &token).await?;
    let member = |name: &str| {
        let text = answer.body.pointer(name).and_then(serde_json::Value::as_str);
        inert(text.unwrap_or_default())
    };
    let word = stage.terminal.styled(Style::Good, "APPROVED");
    stage.terminal.data(format_args!(
        "   < {word} {} of {}, until {}",
        member("/target"),
        member("/subject"),
        member("/until")
    ));
    Ok(step.told.compare(&answer, 0, ""))
}

/// The answer in a few words.
fn shown(told: Told, answer: &Answer) -> String {
    match told {
        Told::Shows(_) => format!("tools: {}", inert(&answer.tools().join(", "))),
        Told::TurnsAway(_) => format!("HTTP {}", answer.status),
        Told::Waits(_) => "come again with the same call".to_owned(),
        _ => inert(answer.text()),
    }
}

impl Told {
    fn compare(self, answer: &Answer, hits: u64, why: &str) -> Result<(), String> {
        let text = answer.text();
        let named = |policy: &str| why.contains(policy);
        let good = match self {
            Self::Shows(tools) => answer.tools() == tools,
            Self::Answers(part) => !answer.is_tool_error() && text.contains(part) && hits == 1,
            Self::Masks(shown, hidden) => {
                let (all, whole) = (|part: &&str| text.contains(*part), answer.body.to_string());
                shown.iter().all(all)
                    && !hidden.iter().any(|part| whole.contains(part))
                    && hits == 1
            }
            Self::Hides(policy) => {
                answer.code() == Some(UNKNOWN_TOOL) && named(policy) && hits == 0
            }
            Self::Refuses(policy) => {
                answer.is_tool_error() && text.contains(policy) && named(policy) && hits == 0
            }
            Self::Waits(policy) => answer.waits() && named(policy) && hits == 0,
            // How it ends is looked at while it goes on.
            Self::Ends => false,
            Self::Approves => answer.body.pointer("/state").is_some_and(|s| s == "approved"),
            Self::TurnsAway(reason) => {
                answer.status == StatusCode::UNAUTHORIZED && named(reason.code()) && hits == 0
            }
        };
        if good {
            return Ok(());
        }
        let Answer { status, body } = answer;
        Err(format!("wanted {self:?}; got HTTP {status} {body}, {hits} calls, record: {why}"))
    }
}

pub(super) type Records = Vec<(journal::Record, Event)>;

/// The recording from its record number `skip` on.
pub(super) fn records(data: &Path, skip: usize) -> anyhow::Result<Records> {
    let keys = journal::Keys::open(&offline::keys_folder(data))?;
    let mut found = Vec::new();
    for record in journal::read(&offline::journal_folder(data), &keys)?.skip(skip) {
        let record = record?;
        if let Some(event) = record.event()? {
            found.push((record, event));
        }
    }
    Ok(found)
}

/// What the recording gives as the reason of the last decision.
fn why(records: &Records) -> String {
    let reason = records.iter().rev().find_map(|(_, event)| match event {
        Event::Intent(intent) => Some(match &intent.verdict {
            Verdict::Allow { policies } if policies.is_empty() => {
                "the protocol itself is open to every identity of the connection".to_owned()
            }
            Verdict::Allow { policies } => format!("permitted by {}", policies.join(", ")),
            Verdict::Ask(ask) => format!("held by {}", ask.policies.join(", ")),
            Verdict::Deny(deny) => {
                format!("{} by {}", deny.reason.code(), deny.policies.join(", "))
            }
        }),
        Event::Refused(refused) => Some(format!("{}: {}", refused.reason.code(), refused.detail)),
        Event::Approval(approval) => match &approval.step {
            ApprovalStep::Spent { policies, .. } => {
                Some(format!("permitted by {}, with the approval", policies.join(", ")))
            }
            _ => None,
        },
        _ => None,
    });
    reason.unwrap_or_else(|| "nothing on the record".to_owned())
}

/// Every step left its record, and every call that was let through has its end on it.
fn is_whole(records: &Records) -> Result<(), String> {
    let count = |kind: fn(&Event) -> bool| records.iter().filter(|(_, e)| kind(e)).count();
    let intents = count(|event| matches!(event, Event::Intent(_)));
    let refused = count(|event| matches!(event, Event::Refused(_)));
    let ends = count(|event| matches!(event, Event::Outcome(_)));
    let begun = count(
        |event| matches!(event, Event::Intent(intent) if !matches!(intent.verdict, Verdict::Deny(_))),
    );
    let calls = STEPS.iter().filter(|step| !matches!(step.ask, Ask::Approve)).count();
    if intents + refused == calls && ends == begun {
        return Ok(());
    }
    Err(format!(
        "{calls} calls left {intents} intents, {refused} refusals; {ends} of {begun} ended"
    ))
}
