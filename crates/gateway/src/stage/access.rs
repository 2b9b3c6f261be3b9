//! A call that policies hold, and that access lets pass: given ahead for a window of time, or taken in
//! an emergency. The call is judged again with what the access stands for, and that it goes by it is
//! on record first.

use std::sync::Arc;

use lockgate_model::{Approval, ApprovalStep, Ask, Group, State};
use lockgate_store::approvals::{ApprovalFault, Approvals};

use super::{
    clear::{Right, event, refusal},
    judge::{Basis, judge_again, spend},
    outcome::OpenCall,
    respond::Stop,
};
use crate::{
    clearance::{Entry, Grant},
    clock,
};

/// Whether access of its caller lets a held call pass.
pub enum ByAccess {
    /// It does, and that is on record.
    Goes(Box<Right>),
    /// There is none for it.
    None(Box<OpenCall>, Entry),
}

/// Looks for access of the caller, where the policies that hold the call let there be any.
///
/// # Errors
/// Where access can't be looked for, or has ended just now, or the call is not permitted with it.
pub async fn by_access(
    mut open: OpenCall,
    entry: Entry,
    approvals: &Arc<Approvals>,
    ask: &Ask,
) -> Result<ByAccess, Stop> {
    if ask.access_ms.is_none() && !ask.emergency {
        return Ok(ByAccess::None(Box::new(open), entry));
    }
    let (gateway, caller) = (Arc::clone(&open.gateway), Arc::clone(&open.caller));
    let access = match access(&open, approvals, ask).await {
        Ok(Some(access)) => access,
        Ok(None) => return Ok(ByAccess::None(Box::new(open), entry)),
        Err(fault) => return Err(open.refuse(refusal(fault))),
    };
    let emergency = matches!(access.state, State::Emergency { .. });
    let groups = ask.approvers.iter().filter_map(|name| Group::parse(name)).collect();
    let basis = Basis::Access(&access);
    let used = match judge_again(&gateway, &caller, &mut open.item, basis, groups).await {
        Ok((policies, version)) => {
            match spend(&gateway, &gateway.snapshot(), &caller, &policies).await {
                Ok(()) => {
                    let step = ApprovalStep::Used { policies, snapshot: version, emergency };
                    let event = event(&open, &access.id, entry.call(), step);
                    Grant::standing(approvals, &gateway.ground.journal, event, clock::now()).await
                }
                Err(refusal) => Err(refusal),
            }
        }
        Err(refusal) => Err(refusal),
    };
    match used.and_then(|grant| entry.lift(grant)) {
        Ok(clearance) => {
            if emergency {
                tracing::warn!(approval = access.id, call = %clearance.call(), "a call by break-glass");
                gateway.metrics.break_glass(caller.connection.name());
            }
            Ok(ByAccess::Goes(Box::new(Right { open, clearance })))
        }
        Err(refusal) => Err(open.refuse(refusal)),
    }
}

/// Access of the caller that is in force and stands for the call; one that others gave before one
/// that was taken.
async fn access(
    open: &OpenCall,
    approvals: &Approvals,
    ask: &Ask,
) -> Result<Option<Approval>, ApprovalFault> {
    let (identity, action) = (&open.caller.identity, &open.item.call.action);
    let (caller, connection) =
        (format!("{}/{}", identity.issuer, identity.subject), open.caller.connection.name());
    let mut found = approvals.in_force(&caller, connection.as_str(), clock::now()).await?;
    found.retain(|access| access.stands_for(ask, action.kind(), action.target()));
    found.sort_by_key(|access| matches!(access.state, State::Emergency { .. }));
    Ok(found.into_iter().next())
}
