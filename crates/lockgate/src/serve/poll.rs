//! Asks the issuers that are configured for it for their security events (RFC 8936), and has the console
//! take what they tell. A reload asks those that are configured then.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use lockgate_console::Console;
use lockgate_gateway::{
    gateway::Gateway,
    poller::Poller,
    settings::{IssuerSettings, PollSettings},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tracing::{info, warn};

use super::beside::{Ground, Parts, lock};

/// An issuer that does not wait until there is something to tell is asked no oftener.
const EVERY_MIN: Duration = Duration::from_millis(500);
/// An issuer that can't be asked is asked again after this time, which doubles up to the longest.
const AWAY: Duration = Duration::from_secs(1);
const AWAY_MAX: Duration = Duration::from_secs(30);
/// The console comes up with the index.
const CONSOLE_EVERY: Duration = Duration::from_millis(100);

/// Asks, until it is dropped.
pub(super) async fn keep(ground: Ground, made: Arc<Mutex<Option<Arc<Console>>>>) {
    let console = loop {
        if let Some(console) = lock(&made).clone() {
            break console;
        }
        sleep(CONSOLE_EVERY).await;
    };
    let mut version = ground.gateway.version();
    let (mut asked, mut asking) = (Vec::new(), JoinSet::new());
    loop {
        version.borrow_and_update();
        let wanted = wanted(&ground.gateway);
        if wanted != asked {
            asking.shutdown().await;
            lock(&ground.parts.polls).clear();
            for (issuer, poll) in &wanted {
                let (issuer, poll, parts) =
                    (issuer.clone(), poll.clone(), Arc::clone(&ground.parts));
                asking.spawn(ask(issuer, poll, Arc::clone(&console), parts));
            }
            asked = wanted;
        }
        // The sender lives as long as the gateway does.
        if version.changed().await.is_err() {
            return;
        }
    }
}

/// Whom to ask, and where.
fn wanted(gateway: &Gateway) -> Vec<(IssuerSettings, PollSettings)> {
    let snapshot = gateway.snapshot();
    let issuers = snapshot.blueprint.settings.issuers.iter();
    let polled = issuers.filter_map(|issuer| {
        let poll = issuer.events.as_ref()?.poll.clone()?;
        Some((issuer.clone(), poll))
    });
    polled.collect()
}

/// Asks one issuer over and over.
async fn ask(issuer: IssuerSettings, poll: PollSettings, console: Arc<Console>, parts: Arc<Parts>) {
    let name = issuer.name.clone();
    let mut poller = match Poller::new(&poll, &issuer) {
        Ok(poller) => poller,
        Err(fault) => return parts.polls(&name, Some(fault.to_string())),
    };
    let mut away = AWAY;
    loop {
        let asked = Instant::now();
        let why = match poller.ask().await {
            Err(refusal) => refusal.to_string(),
            Ok(told) => {
                let none = told.is_empty();
                let mut why = None;
                for one in told {
                    match console.hear(one.statement).await {
                        Ok(()) => poller.take(one.jti),
                        // It comes again, because it is not said that it was taken.
                        Err(untaken) if untaken.later => why = Some(untaken.why),
                        Err(untaken) => {
                            warn!(issuer = name, jti = one.jti, why = ?untaken, "an event is refused");
                            poller.refuse(one.jti, untaken.code, &untaken.why);
                        }
                    }
                }
                let Some(why) = why else {
                    parts.polls(&name, None);
                    away = AWAY;
                    if none {
                        sleep_until(asked + EVERY_MIN).await;
                    }
                    continue;
                };
                why
            }
        };
        parts.polls(&name, Some(why));
        sleep(away).await;
        away = (away * 2).min(AWAY_MAX);
    }
}

impl Parts {
    /// Notes why an issuer can't be asked for events; `None` where it can.
    fn polls(&self, issuer: &str, why: Option<String>) {
        let mut known = lock(&self.polls);
        let before = known.insert(issuer.to_owned(), why.clone()).flatten();
        drop(known);
        match &why {
            None if before.is_some() => info!(issuer, "events can be asked for again"),
            Some(why) if before.as_ref() != Some(why) => {
                warn!(issuer, %why, "events can't be asked for; it is tried again");
            }
            _ => {}
        }
    }
}
