//! `lockgate sessions`: what identities did on connections, found by the index and read from the
//! recording.
//!
//! Every look is on the record before anything is shown.

mod keep;
mod list;
mod search;
mod show;
mod tail;

pub(crate) use show::find;

use lockgate_model::Timestamp;
use lockgate_store::index::{Filter, IndexFault, Page, Query, VerdictKind};

use crate::{
    failure::{Failure, Outcome},
    moment,
    place::Place,
    terminal::Terminal,
};

/// Find and read sessions
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate sessions list --subject ann --since 2h\n  \
    lockgate sessions search '\"drop table\" orders' --verdict deny")]
pub(crate) enum Command {
    /// List sessions, newest first
    List(list::List),
    /// Print one session: who, where, and every call with its verdict
    Show(show::Show),
    /// Follow what is being recorded
    Tail(tail::Tail),
    /// Search calls by the words of their arguments and answers
    Search(search::Search),
    /// Keep a session whatever retention says
    Hold(keep::Hold),
    /// End the hold on a session
    Release(keep::Release),
    /// Destroy a session's key, so that nobody reads its content again
    Erase(keep::Erase),
}

/// Answers.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::List(list) => list::run(&list, terminal),
        Command::Show(show) => show::run(&show, terminal),
        Command::Tail(tail) => tail::run(&tail, terminal),
        Command::Search(search) => search::run(&search, terminal),
        Command::Hold(hold) => keep::hold(&hold, terminal),
        Command::Release(release) => keep::release(&release, terminal),
        Command::Erase(erase) => keep::erase(&erase, terminal),
    }
}

/// Whose, and where: everything that is given must hold.
#[derive(Debug, clap::Args)]
pub(crate) struct Whose {
    /// Only this issuer, by its short name
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// Only this subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Only members of this group, as `issuer/group`
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only this OAuth client
    #[arg(long, value_name = "TEXT")]
    client: Option<String>,
    /// Only this connection
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
}

/// Which sessions or calls: everything that is given must hold.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    whose: Whose,
    /// Only calls of this tool, resource or prompt
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only calls with this verdict
    #[arg(long, value_name = "VERDICT", value_parser = verdict)]
    verdict: Option<VerdictKind>,
    /// Only calls that this policy decided
    #[arg(long, value_name = "ID")]
    policy: Option<String>,
    /// Only calls with this fact, or one below it
    #[arg(long, value_name = "LABEL")]
    fact: Option<String>,
    /// Only calls of this W3C trace
    #[arg(long, value_name = "TRACE")]
    trace: Option<String>,
    /// Not before: a date, a time (RFC 3339), or how long ago: `2h`, `3 days`
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    since: Option<Timestamp>,
    /// Before: a date, a time (RFC 3339), or how long ago
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    until: Option<Timestamp>,
    /// At most this many, 1 to 200
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Go on behind the page that named this cursor
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl Whose {
    /// The sessions and calls of these.
    pub(crate) fn filter(&self) -> Filter {
        Filter {
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            group: self.group.clone(),
            client: self.client.clone(),
            connection: self.connection.clone(),
            ..Filter::default()
        }
    }
}

impl Which {
    fn filter(&self, text: Option<&str>) -> Result<Filter, Failure> {
        let text = text.map(Query::parse).transpose().map_err(Failure::usage_text)?;
        Ok(Filter {
            tool: self.tool.clone(),
            verdict: self.verdict,
            policy: self.policy.clone(),
            fact: self.fact.clone(),
            trace: self.trace.clone(),
            from: self.since,
            to: self.until,
            text,
            ..self.whose.filter()
        })
    }

    fn page(&self) -> Result<Page, Failure> {
        Page::new(self.limit, self.cursor.as_deref()).map_err(Failure::usage_text)
    }
}

fn verdict(text: &str) -> Result<VerdictKind, String> {
    let kinds = [VerdictKind::Allow, VerdictKind::Ask, VerdictKind::Deny];
    let found = kinds.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| "a verdict is allow, ask or deny".to_owned())
}

fn failed(fault: IndexFault) -> Failure {
    Failure::unreachable(fault)
}
