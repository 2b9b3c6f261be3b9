//! `lockgate journal show`: the recording in lines, verified record by record, while a gateway may be
//! writing it.

use std::collections::{HashSet, VecDeque};

use clap::ValueEnum;
use lockgate_model::{Event, IntentEvent, RefusalEvent, Verdict};

use crate::{
    failure::{Exit, Failure, Outcome},
    place::Place,
    record::line,
    terminal::Terminal,
};

/// Print what happened, oldest first
///
/// Each record's hash is checked on the way; a broken chain is an error. With --json each line is
/// one record with its hash.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate journal show --last 20\n  \
    lockgate journal show --connection staff --verdict deny --json")]
pub(crate) struct Show {
    #[command(flatten)]
    place: Place,
    /// Only this connection
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Only this subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Only calls with this verdict
    #[arg(long, value_name = "VERDICT")]
    verdict: Option<VerdictWord>,
    /// Only the last N records of those
    #[arg(long, value_name = "N")]
    last: Option<usize>,
}

/// A verdict in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum VerdictWord {
    /// Forwarded
    Allow,
    /// Held for approval
    Ask,
    /// Refused, by policy or before it became a call
    Deny,
}

/// Which records are asked for. A call's later events follow its intent.
struct Filter<'a> {
    show: &'a Show,
    /// Chosen calls that have not ended.
    open: HashSet<String>,
}

/// Answers.
pub(crate) fn run(show: &Show, terminal: Terminal) -> Outcome {
    let place = show.place.open()?;
    place.viewed("show", None, "read the recording in lines")?;
    let mut filter = Filter { show, open: HashSet::new() };
    let mut last = VecDeque::new();
    let mut broken = None;
    for record in place.read_from(1)? {
        // What was read before a broken record is still worth showing.
        let record = match record {
            Ok(record) => record,
            Err(fault) => {
                broken = Some(fault);
                break;
            }
        };
        let Some(event) = record.event().map_err(Failure::unreachable)? else { continue };
        if !filter.takes(&event) {
            continue;
        }
        let text = if terminal.json { record.line() } else { line(&record, &event) };
        match show.last {
            None => terminal.data(text),
            Some(most) => {
                last.push_back(text);
                if last.len() > most {
                    last.pop_front();
                }
            }
        }
    }
    last.into_iter().for_each(|text| terminal.data(text));
    broken.map_or(Ok(Exit::Ok), |fault| Err(Failure::unreachable(fault)))
}

impl Filter<'_> {
    fn takes(&mut self, event: &Event) -> bool {
        match event {
            Event::Started { .. } | Event::Snapshot { .. } => self.is_open_to_all(),
            Event::Pins { connection, .. } => {
                self.show.subject.is_none() && self.show.verdict.is_none() && {
                    let only = self.show.connection.as_ref();
                    only.is_none_or(|only| only == connection)
                }
            }
            Event::Refused(refused) => self.takes_refused(refused),
            Event::Intent(intent) => {
                let takes = self.takes_intent(intent);
                if takes {
                    self.open.insert(intent.call.clone());
                }
                takes
            }
            Event::Resent(resent) => self.open.contains(&resent.call),
            Event::Message(message) => self.open.contains(&message.call),
            // Sessions have their own commands.
            Event::Opened(_)
            | Event::Closed { .. }
            | Event::Approval(_)
            | Event::Viewed(_)
            | Event::Kept(_)
            | Event::Vault(_)
            | Event::Connections(_)
            | Event::Revocations(_)
            | Event::Directory(_) => self.is_open_to_all(),
            Event::Outcome(outcome) => self.open.remove(&outcome.call),
        }
    }

    fn is_open_to_all(&self) -> bool {
        let Show { connection, subject, verdict, .. } = self.show;
        connection.is_none() && subject.is_none() && verdict.is_none()
    }

    fn takes_intent(&self, intent: &IntentEvent) -> bool {
        let word = match intent.verdict {
            Verdict::Allow { .. } => VerdictWord::Allow,
            Verdict::Ask(_) => VerdictWord::Ask,
            Verdict::Deny(_) => VerdictWord::Deny,
        };
        let Show { connection, subject, verdict, .. } = self.show;
        connection.as_ref().is_none_or(|only| *only == intent.connection)
            && subject.as_ref().is_none_or(|only| *only == intent.subject)
            && verdict.is_none_or(|only| only == word)
    }

    fn takes_refused(&self, refused: &RefusalEvent) -> bool {
        let Show { connection, subject, verdict, .. } = self.show;
        // Issuer names hold no slash, so the subject is what stands behind the first.
        let asker = refused.identity.as_ref().and_then(|who| who.split_once('/')).map(|(_, s)| s);
        connection.as_ref().is_none_or(|only| refused.connection.as_ref() == Some(only))
            && subject.as_ref().is_none_or(|only| asker == Some(only))
            && verdict.is_none_or(|only| only == VerdictWord::Deny)
    }
}
