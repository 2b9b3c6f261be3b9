//! Where people are asked: opened as soon as its database can be had, and kept in step with time.

use std::{sync::Arc, time::Duration};

use lockgate_gateway::clock;
use lockgate_model::{Approval, ApprovalEvent, ApprovalStep, Event};
use lockgate_store::{approvals::Approvals, db::DbPlace};
use tokio::time::sleep;
use tracing::{error, warn};

use super::beside::{Ground, lock};

/// A database that is away is tried again this often.
const OPEN_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked for what time has ended.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Lets the gateway ask, and puts on the record what nobody answered in time. Runs until the gateway
/// ends.
pub(super) async fn keep(ground: Ground, place: DbPlace) {
    let approvals = opened(&ground, &place).await;
    ground.gateway.ask_at(Arc::clone(&approvals));
    loop {
        sleep(SWEEP_EVERY).await;
        let swept = approvals.sweep(clock::now()).await;
        *lock(&ground.parts.approvals) = swept.as_ref().err().map(ToString::to_string);
        for ended in swept.unwrap_or_default() {
            record(&ground, ended);
        }
    }
}

async fn opened(ground: &Ground, place: &DbPlace) -> Arc<Approvals> {
    loop {
        match Approvals::open(place).await {
            Ok(approvals) => return Arc::new(approvals),
            Err(fault) => {
                let why = fault.to_string();
                let known = lock(&ground.parts.approvals).replace(why.clone());
                if known.as_ref() != Some(&why) {
                    warn!(%why, "approvals can't be opened; it is tried again");
                }
            }
        }
        sleep(OPEN_EVERY).await;
    }
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
