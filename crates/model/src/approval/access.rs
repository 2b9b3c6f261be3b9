//! More than one call: what somebody asks for ahead, or takes in an emergency, for a window of time.
//!
//! An access stands for calls of its owner that policies would hold. It ends by itself, or sooner: its
//! owner gives it back, or one of those who are asked says no.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Approval, State, Subject, Terms};
use crate::{Ask, Timestamp, canonical};

/// The action of an approval that is for a window of time.
pub const ACCESS: &str = "access";

/// A window of time, with why it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Why, in its owner's words: one line of 1 to 512 characters.
    pub reason: String,
    /// It ends then.
    pub ends: Timestamp,
    /// Taken without asking before: people look at it afterwards.
    pub emergency: bool,
    /// Groups that its owner was in when asking.
    pub groups: Vec<String>,
}

/// What it takes to lift holds for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lift {
    /// Qualified names of the groups that are asked; each must say yes.
    pub groups: Vec<String>,
    /// Different people of each.
    pub quorum: u32,
    /// The policies that it is about, sorted.
    pub policies: Vec<String>,
    /// Longest window, in milliseconds; `None` where the policies set none.
    pub most_ms: Option<u64>,
    /// Why the policies hold calls, in their authors' words.
    pub reason: Option<String>,
}

impl Access {
    /// What an answer is about, in its canonical form (RFC 8785).
    pub fn canonical(&self) -> String {
        let Self { reason, ends, emergency, .. } = self;
        canonical(&json!({ "emergency": emergency, "ends": ends, "reason": reason }))
    }
}

impl Approval {
    /// Access for a window of time, asked for; in an emergency it is in force at once.
    pub fn access(
        id: String,
        subject: Subject,
        terms: Terms,
        access: Access,
        now: Timestamp,
    ) -> Self {
        let call = String::new();
        let mut approval = Self::ask(id, subject, terms, call, now);
        if access.emergency {
            approval.state = State::Emergency { until: access.ends };
        }
        approval.access = Some(access);
        approval
    }

    /// Whether it is access that is in force.
    pub const fn is_in_force(&self) -> bool {
        self.access.is_some()
            && matches!(self.state, State::Approved { .. } | State::Emergency { .. })
    }

    /// Whether it stands for a call of its owner that policies hold as `ask` says: for no other
    /// policies than those that it was given for, and only while they let it be given.
    pub fn stands_for(&self, ask: &Ask, action: &str, target: &str) -> bool {
        let Some(access) = self.access.as_ref().filter(|_| self.is_in_force()) else {
            return false;
        };
        let (subject, terms) = (&self.subject, &self.terms);
        let there =
            subject.target.is_empty() || (action == "call_tool" && subject.target == target);
        let known = ask.policies.iter().all(|policy| subject.policies.contains(policy));
        let let_pass = if access.emergency {
            ask.emergency
        } else {
            let long = u64::try_from(access.ends.millis_since(self.asked_at)).unwrap_or(0);
            ask.access_ms.is_some_and(|most| long <= most)
                && ask.quorum <= terms.quorum
                && ask.approvers.iter().all(|group| terms.groups.contains(group))
        };
        there && known && let_pass
    }
}

impl Terms {
    /// The terms of an access that is asked for now and ends at `ends`.
    pub fn of_access(lift: &Lift, answer_ms: u64, ends: Timestamp, now: Timestamp) -> Self {
        Self {
            groups: lift.groups.clone(),
            quorum: lift.quorum.max(1),
            reason: lift.reason.clone(),
            answer_by: now.plus_millis(i64::try_from(answer_ms).unwrap_or(i64::MAX)).min(ends),
            grant_ms: u64::try_from(ends.millis_since(now)).unwrap_or(0),
        }
    }
}
