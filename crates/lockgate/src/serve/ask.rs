//! Where people are asked: opened as soon as its database can be had, and kept in step with time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use lockgate_console::{Offer, Offers};
use lockgate_gateway::{clock, gateway::Gateway};
use lockgate_model::{Approval, ApprovalEvent, ApprovalStep, Event};
use lockgate_rules::policy::Way;
use lockgate_store::{approvals::Approvals, db::DbPlace};
use tokio::time::sleep;
use tracing::error;

use super::{
    beside::{Ground, lock, opened},
    channels::Channels,
};

/// How often it is looked for what time has ended.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Lets the gateway ask, tells who wants to know, and puts on the record what nobody answered in
/// time. Runs until the gateway ends.
pub(super) async fn keep(ground: Ground, place: DbPlace, channels: Channels) {
    let away = |why| *lock(&ground.parts.approvals) = Some(why);
    // Until then a call that policies hold is refused.
    away("they are not open yet".to_owned());
    let approvals = opened("approvals", || Approvals::open(&place), away).await;
    ground.gateway.ask_at(Arc::clone(&approvals));
    *lock(&ground.parts.approvals) = None;
    // Ends with this task.
    let _told = channels.start(&ground, &approvals);
    loop {
        sleep(SWEEP_EVERY).await;
        let swept = approvals.sweep(clock::now()).await;
        if let Ok(emergencies) = approvals.emergencies().await {
            ground.parts.emergencies.store(emergencies, Ordering::Relaxed);
        }
        *lock(&ground.parts.approvals) = swept.as_ref().err().map(ToString::to_string);
        for ended in swept.unwrap_or_default() {
            record(&ground, ended);
        }
    }
}

/// What there is to say while somebody uses break-glass, or nobody has looked at it yet.
pub(super) fn loudly(emergencies: u64) -> String {
    format!(
        "{emergencies} in force or not yet looked at; see `lockgate approvals list --state emergency` \
         and `--state unreviewed`"
    )
}

/// What access people may have, by the policies and settings of the moment.
pub(super) fn offers(gateway: &Arc<Gateway>) -> Offers {
    let gateway = Arc::clone(gateway);
    Box::new(move |identity, connection, tool, emergency| {
        let snapshot = gateway.snapshot();
        let settings = &snapshot.blueprint.settings.approvals;
        let way = if emergency { Way::Emergency } else { Way::Asked };
        let lift = snapshot.policies.lift(identity, connection, tool, way)?;
        Some(Offer {
            most_ms: lift.most_ms.unwrap_or(settings.break_glass_max_ms.into()),
            answer_ms: settings.answer_max_ms.into(),
            live_max: settings.identity_max,
            lift,
        })
    })
}

fn record(ground: &Ground, ended: Approval) {
    let event = ApprovalEvent {
        approval: ended.id,
        call: ended.call,
        session: None,
        by: "gateway".to_owned(),
        step: ApprovalStep::Expired,
    };
    let journal = &ground.gateway.ground.journal;
    if let Err(fault) = journal.append(clock::now(), &Event::Approval(Box::new(event))) {
        error!(%fault, "the end of an approval is not recorded");
    }
}
