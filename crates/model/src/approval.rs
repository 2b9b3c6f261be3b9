//! An approval: the question whether one call may be made, the answers of people, and the one use.
//!
//! A pure machine. [`Approval::apply`] gives the approval as it is after an act, or says why the act
//! is refused; whoever keeps approvals puts the new one in the place of exactly the one that it was
//! made from, so that of two acts at once one wins and the other is judged again.
//!
//! Never decides whether a call may be made: policy does, again, when a grant is used.

use serde::{Deserialize, Serialize};

use crate::{Ask, Digest, Identity, Timestamp};

mod access;
#[cfg(test)]
mod tests;

pub use access::{ACCESS, Access, Lift};

/// Characters of a reason, and of why something is void.
const REASON_MAX_CHARS: usize = 512;
/// People who may answer one question; more are refused.
pub const VOTES_MAX: usize = 16;

/// One question with its answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Minted by the gateway; not to be guessed, though knowing it gives no right.
    pub id: String,
    /// What exactly is asked for.
    pub subject: Subject,
    /// Whose answers it takes, and how long they count.
    pub terms: Terms,
    /// What is asked for beyond one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// The call that asked first: the record holds its arguments. Empty where it is for a window of
    /// time, which no call asked for.
    pub call: String,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// The latest time that an act carried. Time never runs backwards for an approval.
    pub touched_at: Timestamp,
    /// Who said yes so far.
    pub votes: Vec<Vote>,
    /// How far it has come.
    pub state: State,
}

/// What an approval is for. Whatever differs in any part is another call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Issuer's short name.
    pub issuer: String,
    /// The token's subject.
    pub subject: String,
    /// The OAuth client.
    pub client: Option<String>,
    /// The connection.
    pub connection: String,
    /// Kind of action.
    pub action: String,
    /// Tool, resource or prompt.
    pub target: String,
    /// Digest of the accepted definition, where the target has one.
    pub definition: Option<Digest>,
    /// SHA-256 of the canonical arguments (RFC 8785), or of what is asked for beyond one call.
    pub arguments: Digest,
    /// The policies that hold it, sorted.
    pub policies: Vec<String>,
}

impl Subject {
    /// Who asks, as `issuer/subject`.
    pub fn caller(&self) -> String {
        format!("{}/{}", self.issuer, self.subject)
    }
}

/// Under which terms it may be granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Qualified names of groups; each must say yes.
    pub groups: Vec<String>,
    /// Different people of each group who must.
    pub quorum: u32,
    /// Why the policies hold it, in their authors' words.
    pub reason: Option<String>,
    /// From here on the question takes no answer.
    pub answer_by: Timestamp,
    /// A grant may be used for so long, in milliseconds.
    pub grant_ms: u64,
}

/// A person, as an issuer vouches for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// Issuer's short name.
    pub issuer: String,
    /// The token's subject.
    pub subject: String,
}

/// One person's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: Person,
    /// For which of the groups it counts: those that they were in when they said it.
    pub groups: Vec<String>,
    /// When.
    pub at: Timestamp,
    /// They allow it only up to here.
    pub until: Option<Timestamp>,
}

/// How far it has come. `Pending`, `Approved`, `Emergency` and `Unreviewed` are not the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// People are asked.
    Pending,
    /// Enough of them said yes: a grant, for one use or for a window of time.
    Approved {
        /// From here on it can't be used.
        until: Timestamp,
    },
    /// Somebody said no.
    Rejected {
        /// Who.
        by: Person,
        /// Why, for the caller to read.
        reason: String,
    },
    /// Its time passed.
    Expired,
    /// The caller took the question back.
    Withdrawn,
    /// The grant was used.
    Spent {
        /// By this call.
        call: String,
    },
    /// Something that it was given for is not so any more.
    Void {
        /// What.
        why: String,
    },
    /// Somebody took it without asking before.
    Emergency {
        /// It ends then.
        until: Timestamp,
    },
    /// It was taken without asking, and not everybody has looked at it yet who must.
    Unreviewed,
    /// They found nothing wrong with how it was taken and used.
    Reviewed,
}

/// What somebody does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A reviewer says yes.
    Approve {
        /// Who, by the token that they say it with.
        by: Reviewer,
        /// Only up to here.
        until: Option<Timestamp>,
    },
    /// A reviewer says no.
    Reject {
        /// Who, by the token that they say it with.
        by: Reviewer,
        /// Why.
        reason: String,
    },
    /// The caller takes it back.
    Withdraw {
        /// Who.
        by: Person,
    },
    /// The gateway uses the grant for a call.
    Spend {
        /// The call.
        call: String,
    },
    /// The gateway found that it no longer holds.
    Void {
        /// Why.
        why: String,
    },
    /// Nothing but time passed.
    Look,
}

/// A person with the groups that they are in at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewer {
    /// Who.
    pub person: Person,
    /// Qualified names.
    pub groups: Vec<String>,
}

/// Why an act is refused. The approval stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ActFault {
    /// It was decided before, or its time has passed.
    #[error("it was decided before, or its time has passed")]
    Decided,
    /// It is for a window of time, not for one use.
    #[error("it is for a window of time, not for one use")]
    Standing,
    /// A grant is used before anybody gave it.
    #[error("nobody has decided it yet")]
    Undecided,
    /// Nobody answers their own question.
    #[error("nobody may answer their own question")]
    Own,
    /// They are in none of the groups that are asked.
    #[error("you are in none of the groups that are asked")]
    NoReviewer,
    /// They said yes before; a person counts once.
    #[error("you have approved it already; a person counts once")]
    Twice,
    /// More people than may.
    #[error("too many people have answered")]
    TooMany,
    /// A no needs a reason, of at most 512 characters without control characters.
    #[error("a rejection needs a reason of 1 to 512 characters in one line")]
    Reason,
    /// A condition lies in the past, or would allow for longer than the policy does.
    #[error("`until` must lie ahead, and within what the policy grants")]
    Until,
    /// Only its caller may take a question back.
    #[error("only its caller may withdraw it")]
    NotCaller,
}

impl Approval {
    /// A new question.
    pub fn ask(id: String, subject: Subject, terms: Terms, call: String, now: Timestamp) -> Self {
        let (asked_at, votes, state) = (now, Vec::new(), State::Pending);
        Self { id, subject, terms, access: None, call, asked_at, touched_at: now, votes, state }
    }

    /// It, after this act.
    ///
    /// # Errors
    /// [`ActFault`]; an approval whose time has passed is [`ActFault::Decided`] for everything but
    /// [`Act::Look`].
    pub fn apply(&self, act: &Act, now: Timestamp) -> Result<Self, ActFault> {
        let mut next = self.clone();
        // A clock that was set back gives nobody more time.
        next.touched_at = self.touched_at.max(now);
        if next.is_over() {
            next.end();
        }
        match act {
            Act::Look => {}
            Act::Approve { by, until } => next.approve(by, *until)?,
            Act::Reject { by, reason } => next.reject(by, reason)?,
            Act::Withdraw { by } => next.withdraw(by)?,
            Act::Spend { .. } if self.access.is_some() => return Err(ActFault::Standing),
            Act::Spend { call } => match next.state {
                State::Approved { .. } => next.state = State::Spent { call: call.clone() },
                State::Pending => return Err(ActFault::Undecided),
                _ => return Err(ActFault::Decided),
            },
            Act::Void { why } => match next.state {
                State::Pending | State::Approved { .. } => {
                    next.state = State::Void { why: cut(why) };
                }
                _ => return Err(ActFault::Decided),
            },
        }
        Ok(next)
    }

    /// Who still has to say yes: groups, with how many more people of each.
    pub fn missing(&self) -> Vec<(&str, u32)> {
        let yes = |group: &str| {
            let votes = self.votes.iter().filter(|vote| vote.groups.iter().any(|g| g == group));
            u32::try_from(votes.count()).unwrap_or(u32::MAX)
        };
        let groups = self.terms.groups.iter().map(String::as_str);
        let left = groups.map(|group| (group, self.terms.quorum.max(1).saturating_sub(yes(group))));
        left.filter(|(_, left)| *left > 0).collect()
    }

    /// Whether nothing can happen to it any more.
    pub const fn is_closed(&self) -> bool {
        match self.state {
            State::Pending
            | State::Approved { .. }
            | State::Emergency { .. }
            | State::Unreviewed => false,
            State::Rejected { .. }
            | State::Expired
            | State::Withdrawn
            | State::Spent { .. }
            | State::Void { .. }
            | State::Reviewed => true,
        }
    }

    /// Whether people are asked for an answer: before, or after what was taken in an emergency.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Pending | State::Emergency { .. } | State::Unreviewed)
    }

    /// Whether its time has passed, by the latest time that it knows.
    fn is_over(&self) -> bool {
        match self.state {
            State::Pending => self.touched_at >= self.terms.answer_by,
            State::Approved { until } | State::Emergency { until } => self.touched_at >= until,
            _ => false,
        }
    }

    /// What becomes of it by time, or by its caller's word: what was taken in an emergency is not
    /// over before people have looked at it.
    fn end(&mut self) {
        self.state = match self.state {
            State::Emergency { .. } if self.missing().is_empty() => State::Reviewed,
            State::Emergency { .. } => State::Unreviewed,
            _ => State::Expired,
        };
    }

    fn approve(&mut self, by: &Reviewer, until: Option<Timestamp>) -> Result<(), ActFault> {
        let groups = self.answering(by)?;
        if !self.is_open() {
            return Err(ActFault::Decided);
        }
        if self.votes.iter().any(|vote| vote.by == by.person) {
            return Err(ActFault::Twice);
        }
        if self.votes.len() >= VOTES_MAX {
            return Err(ActFault::TooMany);
        }
        let now = self.touched_at;
        let asked = self.state == State::Pending;
        if until.is_some_and(|until| !asked || until <= now || until > self.longest(now)) {
            return Err(ActFault::Until);
        }
        self.votes.push(Vote { by: by.person.clone(), groups, at: now, until });
        if !self.missing().is_empty() {
            return Ok(());
        }
        if self.state == State::Unreviewed {
            self.state = State::Reviewed;
        } else if self.state == State::Pending {
            let conditions = self.votes.iter().filter_map(|vote| vote.until);
            let until = conditions.chain([self.longest(now)]).min().unwrap_or(now);
            // Where the first to say yes allowed it for less time than the last one took.
            self.state = if until > now { State::Approved { until } } else { State::Expired };
        }
        Ok(())
    }

    fn reject(&mut self, by: &Reviewer, reason: &str) -> Result<(), ActFault> {
        self.answering(by)?;
        // Access that was given can be taken away.
        if !self.is_open() && !self.is_in_force() {
            return Err(ActFault::Decided);
        }
        if !is_reason(reason) {
            return Err(ActFault::Reason);
        }
        self.state = State::Rejected { by: by.person.clone(), reason: reason.to_owned() };
        Ok(())
    }

    fn withdraw(&mut self, by: &Person) -> Result<(), ActFault> {
        if (&by.issuer, &by.subject) != (&self.subject.issuer, &self.subject.subject) {
            return Err(ActFault::NotCaller);
        }
        match self.state {
            State::Pending | State::Approved { .. } => self.state = State::Withdrawn,
            State::Emergency { .. } => self.end(),
            _ => return Err(ActFault::Decided),
        }
        Ok(())
    }

    /// The groups for which an answer counts, where this person may answer.
    fn answering(&self, by: &Reviewer) -> Result<Vec<String>, ActFault> {
        // The same subject at another issuer may be the same person: it does not count either.
        if by.person.subject == self.subject.subject {
            return Err(ActFault::Own);
        }
        let asked = self.terms.groups.iter().filter(|group| by.groups.contains(group));
        let groups: Vec<String> = asked.cloned().collect();
        if groups.is_empty() { Err(ActFault::NoReviewer) } else { Ok(groups) }
    }

    /// Until when a grant that is given now can be used at most.
    fn longest(&self, now: Timestamp) -> Timestamp {
        if let Some(access) = &self.access {
            return access.ends;
        }
        now.plus_millis(i64::try_from(self.terms.grant_ms).unwrap_or(i64::MAX))
    }
}

impl Terms {
    /// The terms that a verdict names, for a question that is asked now.
    pub fn of(ask: &Ask, answer_ms: u64, grant_ms: u64, now: Timestamp) -> Self {
        Self {
            groups: ask.approvers.clone(),
            quorum: ask.quorum.max(1),
            reason: ask.reason.clone(),
            answer_by: now.plus_millis(i64::try_from(answer_ms).unwrap_or(i64::MAX)),
            grant_ms: ask.expires_ms.map_or(grant_ms, |most| most.min(grant_ms)),
        }
    }
}

impl Reviewer {
    /// As whom somebody answers who came with this token.
    pub fn of(identity: &Identity) -> Self {
        let groups = identity.groups.iter().map(ToString::to_string).collect();
        Self { person: identity.person(), groups }
    }
}

impl State {
    /// Its name in records, the API and the CLI.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved { .. } => "approved",
            Self::Rejected { .. } => "rejected",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Spent { .. } => "spent",
            Self::Void { .. } => "void",
            Self::Emergency { .. } => "emergency",
            Self::Unreviewed => "unreviewed",
            Self::Reviewed => "reviewed",
        }
    }
}

/// Whether a person's reason can be shown: one line of 1 to 512 characters.
pub fn is_reason(text: &str) -> bool {
    let blank = text.trim().is_empty();
    !blank && text.chars().count() <= REASON_MAX_CHARS && !text.contains(char::is_control)
}

fn cut(text: &str) -> String {
    text.chars().take(REASON_MAX_CHARS).collect()
}
