//! Telling people that somebody asks them: each channel learns of every question, however often it
//! has to be tried, and none holds up another.
//!
//! What is told names the call and never its content: no arguments, no answers, no credentials. A
//! question is told once; again only where it is not known whether it was, as after a crash between
//! the telling and the note of it. Nothing here decides, or takes an answer.

mod mail;
mod question;
mod settings;
mod slack;
mod told;
mod webhook;

use std::{collections::HashSet, path::Path, sync::Arc};

use lockgate_model::{Approval, State, Timestamp};
use tokio::{sync::watch, time::sleep};

pub use mail::Mail;
pub use settings::{
    MailSettings, MailboxFault, MailboxText, PersonFault, PersonName, SlackSecretFault,
    SlackSecrets, SlackSettings, WebhookSecret, WebhookSecretFault, WebhookSettings,
};
pub use slack::{SignatureFault, Slack, escape};
pub use webhook::Webhook;

use self::told::Told;
use crate::{
    approvals::{ApprovalFault, ApprovalFilter, Approvals},
    deliver::{Backoff, DeliverFault},
};

/// Why a channel is not getting on; `None` while it is.
pub type ChannelState = Option<Arc<str>>;

/// How people are told.
pub enum Way {
    /// A web server of theirs.
    Webhook(Box<Webhook>),
    /// A message with buttons, which is changed once it is decided.
    Slack(Arc<Slack>),
    /// Mail.
    Mail(Box<Mail>),
}

/// One channel. Run it in a task of its own.
pub struct Channel {
    name: String,
    way: Way,
    approvals: Arc<Approvals>,
    /// Where reviewers answer; the approval's id is appended.
    place: Option<String>,
    now: fn() -> Timestamp,
    state: watch::Sender<ChannelState>,
    told: Told,
}

impl Channel {
    /// A channel of this name, which keeps what it told in `folder`. Dials nothing yet.
    pub fn new(
        name: &str,
        way: Way,
        approvals: &Arc<Approvals>,
        place: Option<&str>,
        folder: &Path,
        now: fn() -> Timestamp,
    ) -> Self {
        let told = Told::open(folder.join(format!("{}-{name}.json", way.kind())));
        Self {
            name: name.to_owned(),
            way,
            approvals: Arc::clone(approvals),
            place: place.map(|place| place.trim_end_matches('/').to_owned()),
            now,
            state: watch::Sender::new(None),
            told,
        }
    }

    /// How it is doing, for readiness and metrics.
    pub fn state(&self) -> watch::Receiver<ChannelState> {
        self.state.subscribe()
    }

    /// Tells of every question, the oldest first, until the receiver refuses for good.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new();
        let mut changed = self.approvals.waiter(None);
        loop {
            match self.round().await {
                Ok(()) => {
                    self.state.send_replace(None);
                    backoff.reset();
                    changed.look().await;
                }
                Err(fault @ DeliverFault::Never(_)) => {
                    tracing::error!(channel = %self.what(), %fault, "questions are no longer told");
                    self.state.send_replace(Some(fault.to_string().into()));
                    return;
                }
                Err(fault) => {
                    if self.state.borrow().is_none() {
                        tracing::warn!(channel = %self.what(), %fault, "a question is told later");
                    }
                    self.state.send_replace(Some(fault.to_string().into()));
                    sleep(backoff.next().max(fault.wait())).await;
                }
            }
        }
    }

    fn what(&self) -> String {
        format!("{} {}", self.way.kind(), self.name)
    }

    /// Tells of everything that was not told before, and settles what was decided.
    async fn round(&mut self) -> Result<(), DeliverFault> {
        let mut open = Vec::new();
        for state in ["pending", "emergency"] {
            let filter =
                ApprovalFilter { state: Some(state.to_owned()), ..ApprovalFilter::default() };
            let found = self.approvals.list(&filter, (self.now)()).await;
            open.extend(found.map_err(|fault| DeliverFault::Later(fault.to_string()))?);
        }
        open.sort_by_key(|approval| approval.asked_at);
        let known: HashSet<_> = open.iter().map(|approval| approval.id.clone()).collect();
        for approval in open.into_iter().filter(is_told) {
            if self.told.has(&approval.id) {
                continue;
            }
            let link = self.place.as_ref().map(|place| format!("{place}/{}", approval.id));
            let receipt = self.way.tell(&approval, link.as_deref(), (self.now)()).await?;
            self.told.add(approval.id, receipt);
            self.told.save().await?;
        }
        self.settle(&known).await
    }

    /// Says of what is no longer open how it ended, where that can be said, and forgets it.
    async fn settle(&mut self, open: &HashSet<String>) -> Result<(), DeliverFault> {
        let mut settled = false;
        for (id, receipt) in self.told.all() {
            if open.contains(&id) {
                continue;
            }
            match self.approvals.get(&id, (self.now)()).await {
                // More are open than are listed at once.
                Ok(approval) if is_told(&approval) => continue,
                Ok(approval) => self.way.settle(&approval, &receipt).await?,
                Err(ApprovalFault::Unknown) => {}
                Err(fault) => return Err(DeliverFault::Later(fault.to_string())),
            }
            self.told.remove(&id);
            settled = true;
        }
        if settled { self.told.save().await } else { Ok(()) }
    }
}

/// Whether people are told of it: it waits for them, or was just taken without asking.
const fn is_told(approval: &Approval) -> bool {
    matches!(approval.state, State::Pending | State::Emergency { .. })
}

impl Way {
    /// In one word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Mail(_) => "mail",
        }
    }

    /// Tells of a question; gives what finds the message again, if anything does.
    async fn tell(
        &self,
        approval: &Approval,
        link: Option<&str>,
        now: Timestamp,
    ) -> Result<String, DeliverFault> {
        match self {
            Self::Webhook(webhook) => {
                let message = question::message(approval, link);
                webhook.send(&approval.id, &message, now).await?;
            }
            Self::Slack(slack) => return slack.post(approval, link).await,
            Self::Mail(mail) => mail.send(approval, link).await?,
        }
        Ok(String::new())
    }

    /// Says how it ended, as far as this way can.
    async fn settle(&self, approval: &Approval, receipt: &str) -> Result<(), DeliverFault> {
        match self {
            Self::Slack(slack) => slack.update(approval, receipt).await,
            Self::Webhook(_) | Self::Mail(_) => Ok(()),
        }
    }
}
