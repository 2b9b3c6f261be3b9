//! Telling people that somebody asks them: each channel learns of every question, however often it
//! has to be tried, and none holds up another.
//!
//! What is told names the call and never its content: no arguments, no answers, no credentials. A
//! question is told again after a restart while it is open; it carries the same id, so that a
//! receiver can drop what it has already. Nothing here decides, or takes an answer.

mod settings;
mod webhook;

use std::{collections::HashSet, sync::Arc};

use lockgate_model::{Approval, Timestamp};
use serde_json::{Value, json};
use tokio::{sync::watch, time::sleep};

pub use settings::{WebhookSecret, WebhookSettings};

use self::webhook::Webhook;
use crate::{
    approvals::{ApprovalFilter, Approvals},
    deliver::{Backoff, DeliverFault, Headers},
};

/// Ids of questions that were told; more are not kept, so that an old one may be told again.
const TOLD_MAX: usize = 10_000;

/// Why a channel is not getting on; `None` while it is.
pub type ChannelState = Option<Arc<str>>;

/// One channel. Run it in a task of its own.
pub struct Channel {
    name: String,
    webhook: Webhook,
    approvals: Arc<Approvals>,
    /// Where reviewers answer; the approval's id is appended.
    place: Option<String>,
    now: fn() -> Timestamp,
    state: watch::Sender<ChannelState>,
    told: HashSet<String>,
}

impl Channel {
    /// A channel by web hook. Dials nothing yet.
    ///
    /// # Errors
    /// [`DeliverFault::Setting`].
    pub fn new(
        settings: &WebhookSettings,
        headers: Headers,
        secret: &WebhookSecret,
        approvals: &Arc<Approvals>,
        place: Option<&str>,
        now: fn() -> Timestamp,
    ) -> Result<Self, DeliverFault> {
        Ok(Self {
            name: settings.name.to_string(),
            webhook: Webhook::new(settings, headers, secret)?,
            approvals: Arc::clone(approvals),
            place: place.map(|place| place.trim_end_matches('/').to_owned()),
            now,
            state: watch::Sender::new(None),
            told: HashSet::new(),
        })
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
                    tracing::error!(channel = self.name, %fault, "questions are no longer told");
                    self.state.send_replace(Some(fault.to_string().into()));
                    return;
                }
                Err(fault) => {
                    if self.state.borrow().is_none() {
                        tracing::warn!(channel = self.name, %fault, "a question is told later");
                    }
                    self.state.send_replace(Some(fault.to_string().into()));
                    sleep(backoff.next()).await;
                }
            }
        }
    }

    /// Tells of everything that was not told before.
    async fn round(&mut self) -> Result<(), DeliverFault> {
        let filter =
            ApprovalFilter { state: Some("pending".to_owned()), ..ApprovalFilter::default() };
        let pending = self.approvals.list(&filter, (self.now)()).await;
        let mut pending = pending.map_err(|fault| DeliverFault::Later(fault.to_string()))?;
        pending.retain(|approval| !self.told.contains(&approval.id));
        for approval in pending.into_iter().rev() {
            let message = message(&approval, self.place.as_deref());
            self.webhook.send(&approval.id, &message, (self.now)()).await?;
            if self.told.len() >= TOLD_MAX {
                self.told.clear();
            }
            self.told.insert(approval.id);
        }
        Ok(())
    }
}

/// What is told of a question.
fn message(approval: &Approval, place: Option<&str>) -> Value {
    let time = |at: Timestamp| {
        let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
        format!("{at:.3}")
    };
    let Approval { id, subject, terms, asked_at, .. } = approval;
    json!({
        "type": "approval.asked",
        "timestamp": time(*asked_at),
        "data": {
            "approval": id,
            "url": place.map(|place| format!("{place}/{id}")),
            "connection": subject.connection,
            "action": subject.action,
            "target": subject.target,
            "caller": { "issuer": subject.issuer, "subject": subject.subject, "client": subject.client },
            "policies": subject.policies,
            "reason": terms.reason,
            "groups": terms.groups,
            "quorum": terms.quorum,
            "answer_by": time(terms.answer_by),
        },
    })
}
