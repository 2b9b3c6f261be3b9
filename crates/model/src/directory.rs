//! Who is in which group, as identity providers keep telling it beside their tokens (SCIM 2.0). A token
//! says what was true when it was made; this says what is true now.
//!
//! Says nothing of who is out: that is a [`crate::Revocation`], which the same provider's word makes.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{Group, Identity};

/// What a provider's word on groups is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GroupsRule {
    /// It takes away: of the groups in a token, those that are kept here count only for who is in them
    /// now.
    #[default]
    Narrow,
    /// It counts in place of the token, for all groups that are kept here.
    Follow,
}

/// A change of what is known. Ids are the store's, of all providers together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryNews {
    /// A person.
    User {
        /// Its id.
        id: u128,
        /// Who tells of it.
        issuer: String,
        /// As tokens name them; absent where the person is gone.
        subject: Option<String>,
    },
    /// A group.
    Group {
        /// Its id.
        id: u128,
        /// Who tells of it.
        issuer: String,
        /// As tokens name it; absent where the group is gone.
        name: Option<String>,
    },
    /// Somebody in a group.
    Member {
        /// The group's id.
        group: u128,
        /// The person's.
        user: u128,
        /// Whether they left it.
        gone: bool,
    },
}

/// Everything that is known, found by what a token says.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Issuer and subject of each person, and the other way round.
    users: HashMap<u128, (String, String)>,
    subjects: HashMap<String, HashMap<String, u128>>,
    /// Issuer and name of each group, and the other way round.
    groups: HashMap<u128, (String, String)>,
    names: HashMap<String, HashMap<String, u128>>,
    /// Who is in each group.
    members: HashMap<u128, HashSet<u128>>,
}

impl Directory {
    /// Takes in a change. Told twice, it changes nothing.
    pub fn take(&mut self, news: DirectoryNews) {
        match news {
            DirectoryNews::User { id, issuer, subject } => {
                place(&mut self.users, &mut self.subjects, id, issuer, subject);
            }
            DirectoryNews::Group { id, issuer, name } => {
                if name.is_none() {
                    self.members.remove(&id);
                }
                place(&mut self.groups, &mut self.names, id, issuer, name);
            }
            DirectoryNews::Member { group, user, gone: false } => {
                self.members.entry(group).or_default().insert(user);
            }
            DirectoryNews::Member { group, user, gone: true } => {
                if let Some(members) = self.members.get_mut(&group) {
                    members.remove(&user);
                }
            }
        }
    }

    /// Whether somebody of this issuer is in a group; `None` where the group is not kept here.
    pub fn is_in(&self, subject: &str, group: &Group) -> Option<bool> {
        let id = self.names.get(&group.issuer)?.get(&group.name)?;
        let user = self.subjects.get(&group.issuer).and_then(|known| known.get(subject));
        let members = self.members.get(id);
        Some(user.is_some_and(|user| members.is_some_and(|members| members.contains(user))))
    }

    /// The groups that count for somebody now, in order; `None` where they are those of the token.
    pub fn groups(&self, who: &Identity, rule: GroupsRule) -> Option<Vec<Group>> {
        let stays = |group: &&Group| self.is_in(&who.subject, group) != Some(false);
        let mut groups: Vec<Group> = who.groups.iter().filter(stays).cloned().collect();
        if rule == GroupsRule::Follow {
            groups.extend(self.of(who));
            groups.sort_unstable();
            groups.dedup();
        }
        (groups != who.groups).then_some(groups)
    }

    /// A group that somebody was let in with, and is not in any more.
    pub fn lost<'a>(&self, who: &'a Identity) -> Option<&'a Group> {
        who.groups.iter().find(|group| self.is_in(&who.subject, group) == Some(false))
    }

    /// Every group of this identity that is kept here.
    fn of(&self, who: &Identity) -> impl Iterator<Item = Group> {
        let user = self.subjects.get(&who.issuer).and_then(|known| known.get(&who.subject));
        let names = self.names.get(&who.issuer).into_iter().flatten();
        let is_in = move |id| {
            let members = self.members.get(id);
            user.is_some_and(|user| members.is_some_and(|members| members.contains(user)))
        };
        let own = names.filter(move |(_, id)| is_in(*id));
        own.map(|(name, _)| Group { issuer: who.issuer.clone(), name: name.clone() })
    }
}

/// Puts what an id stands for in both directions.
fn place(
    by_id: &mut HashMap<u128, (String, String)>,
    by_name: &mut HashMap<String, HashMap<String, u128>>,
    id: u128,
    issuer: String,
    name: Option<String>,
) {
    if let Some((issuer, before)) = by_id.remove(&id)
        && let Some(known) = by_name.get_mut(&issuer)
        // Unless another has the name by now.
        && known.get(&before) == Some(&id)
    {
        known.remove(&before);
    }
    if let Some(name) = name {
        by_name.entry(issuer.clone()).or_default().insert(name.clone(), id);
        by_id.insert(id, (issuer, name));
    }
}

#[cfg(test)]
mod tests;
