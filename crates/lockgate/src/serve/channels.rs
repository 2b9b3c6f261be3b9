//! The channels on which people are told of questions, made from the configuration with their
//! secrets resolved. One that can't be used shows in `/readyz`, and stands in nobody's way.

use std::sync::Arc;

use lockgate_gateway::{clock, settings::ApprovalSettings};
use lockgate_store::{
    approvals::Approvals,
    deliver::DeliverFault,
    notify::{
        Channel, ChannelState, Mail, MailSettings, Slack, SlackSecrets, SlackSettings, Way,
        Webhook, WebhookSecret, WebhookSettings,
    },
};
use tokio::{sync::watch, task::JoinSet};
use tracing::error;
use url::Url;

use super::{
    beside::{Ground, lock},
    keep::{resolve, resolved},
};
use crate::failure::Failure;

/// Every channel that is configured.
pub(super) struct Channels(Vec<Made>);

/// How one channel is.
pub(super) struct Running {
    kind: &'static str,
    name: String,
    state: watch::Receiver<ChannelState>,
}

struct Made {
    kind: &'static str,
    name: String,
    way: Result<Way, DeliverFault>,
}

impl Channels {
    /// Resolves the secrets of all.
    ///
    /// # Errors
    /// Where a reference leads nowhere, or holds no secret that can be used.
    pub(super) fn new(settings: &ApprovalSettings) -> Result<Self, Failure> {
        let mut made = Vec::new();
        for one in &settings.webhooks {
            let (name, way) = (one.name.to_string(), webhook(one)?);
            made.push(Made { kind: "webhook", name, way });
        }
        for one in &settings.slack {
            let (name, way) = (one.name.to_string(), slack(one)?);
            made.push(Made { kind: "slack", name, way });
        }
        for one in &settings.mail {
            let (name, way) = (one.name.to_string(), mail(one)?);
            made.push(Made { kind: "mail", name, way });
        }
        Ok(Self(made))
    }

    /// The apps in Slack, in which people also answer.
    pub(super) fn slack(&self) -> Vec<Arc<Slack>> {
        let apps = self.0.iter().filter_map(|one| match &one.way {
            Ok(Way::Slack(slack)) => Some(Arc::clone(slack)),
            _ => None,
        });
        apps.collect()
    }

    /// Starts every channel, each on its own; they end with what is given back.
    pub(super) fn start(self, ground: &Ground, approvals: &Arc<Approvals>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let place = ground.settings.approvals.url.as_ref().map(Url::as_str);
        let folder = ground.settings.data.join("channels");
        for Made { kind, name, way } in self.0 {
            let state = match way {
                Ok(way) => {
                    let channel = Channel::new(&name, way, approvals, place, &folder, clock::now);
                    let state = channel.state();
                    tasks.spawn(channel.run());
                    state
                }
                Err(fault) => {
                    error!(kind, channel = name, %fault, "a channel can't be used");
                    watch::Sender::new(Some(fault.to_string().into())).subscribe()
                }
            };
            lock(&ground.parts.channels).push(Running { kind, name, state });
        }
        tasks
    }
}

impl Running {
    /// Kind and name, and why it is not getting on.
    pub(super) fn look(&self) -> (&'static str, &str, Option<String>) {
        let failing = self.state.borrow().as_ref().map(ToString::to_string);
        (self.kind, &self.name, failing)
    }
}

fn webhook(settings: &WebhookSettings) -> Result<Result<Way, DeliverFault>, Failure> {
    let wrong = |fault| Failure::usage_text(format_args!("webhook `{}`: {fault}", settings.name));
    let secret = WebhookSecret::parse(&resolve(&settings.secret)?).map_err(wrong)?;
    let webhook = Webhook::new(settings, resolved(&settings.headers)?, &secret);
    Ok(webhook.map(|webhook| Way::Webhook(Box::new(webhook))))
}

fn slack(settings: &SlackSettings) -> Result<Result<Way, DeliverFault>, Failure> {
    let wrong = |fault| Failure::usage_text(format_args!("slack `{}`: {fault}", settings.name));
    let (token, signing) = (resolve(&settings.token)?, resolve(&settings.signing_secret)?);
    let secrets = SlackSecrets::parse(&token, &signing).map_err(wrong)?;
    Ok(Slack::new(settings, secrets).map(|slack| Way::Slack(Arc::new(slack))))
}

fn mail(settings: &MailSettings) -> Result<Result<Way, DeliverFault>, Failure> {
    let password = settings.password.as_ref().map(resolve).transpose()?;
    Ok(Mail::new(settings, password).map(|mail| Way::Mail(Box::new(mail))))
}
