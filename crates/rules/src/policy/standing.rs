//! Access that stands: who answers for a permit and why it is there, when it ends, and by how many permits
//! somebody gets in. `@owner("…")` and `@reason("…")` are notes for people; `@until("2026-12-31T00:00:00Z")` ends a permit.
//!
//! An end only takes away: it stands on permits alone, because a forbid that ends would open
//! something.

use std::{collections::BTreeMap, sync::Arc};

use cedar_policy::Effect;
use lockgate_model::{ConnectionName, Identity, Timestamp};

use super::{Policies, Question, compile::Point, fault::Report, rule::Rule};

/// A permit, as something that somebody answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its `@id`, or `file:number`.
    pub id: String,
    /// The file it stands in.
    pub file: String,
    /// Its first line in the file, from 1.
    pub line: usize,
    /// Its `@owner`.
    pub owner: Option<String>,
    /// Its `@reason`.
    pub reason: Option<String>,
    /// From when on it permits nothing.
    pub until: Option<Timestamp>,
    /// Whether the record of a call says that it permitted it. What shows or restores masked values
    /// is not on record with its policy.
    pub recorded: bool,
}

/// One way in which somebody gets access to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// As whom: `Group::"corp/dba"`, or everybody.
    pub through: String,
    /// The permits, sorted by id.
    pub policies: Vec<String>,
}

impl Policies {
    /// Every permit, sorted by id.
    pub fn standing(&self) -> Vec<Standing> {
        let permits = self.rules.iter().filter(|rule| rule.effect == Effect::Permit);
        let standing = |rule: &Rule| Standing {
            id: rule.id.clone(),
            file: rule.place.file.name.to_string(),
            line: rule.place.line(),
            owner: rule.owner().map(str::to_owned),
            reason: rule.policy.annotation("reason").map(str::to_owned),
            until: rule.until,
            recorded: !rule.is_about_data(),
        };
        permits.map(|rule| standing(rule)).collect()
    }

    /// By which permits this identity gets in to a connection, one path for each principal that they
    /// are about. Conditions are not looked at: what they say of is not known ahead of a call.
    pub fn paths(
        &self,
        identity: &Identity,
        connection: &ConnectionName,
        now: Timestamp,
    ) -> Vec<Path> {
        let mut paths: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let covers = |rule: &&Arc<Rule>| {
            rule.effect == Effect::Permit
                && rule.is_in_force(now)
                && !rule.is_about_data()
                && rule.covers_connection(connection)
                && rule.covers_caller(identity)
        };
        for rule in self.rules.iter().filter(covers) {
            paths.entry(rule.through()).or_default().push(rule.id.clone());
        }
        paths.into_iter().map(|(through, policies)| Path { through, policies }).collect()
    }

    /// The permits that covered the caller and have ended, one sentence each.
    pub(super) fn ended(&self, question: &Question<'_>, point: &Point) -> Vec<String> {
        let ended = point.slice.iter().filter(|rule| {
            !rule.is_in_force(question.now) && rule.covers_caller(question.identity)
        });
        let sentence = |rule: &Rule| {
            let owner = rule.owner().map(|owner| format!("; ask {owner}")).unwrap_or_default();
            let end = rule.policy.annotation("until").unwrap_or_default();
            format!("the permit `{}` ended at {end}{owner}", rule.id)
        };
        ended.map(|rule| sentence(rule)).collect()
    }
}

/// `@until("2026-12-31T00:00:00Z")`: a time in UTC, to the second (RFC 3339).
pub(super) fn until(rule: &Rule, report: &mut Report) -> Option<Timestamp> {
    let text = rule.policy.annotation("until")?;
    if rule.effect == Effect::Forbid {
        let fault = rule.fault_at("@until", "`@until` on a forbid would open something by itself");
        report
            .errors
            .push(fault.help("only a permit can end; take the forbid out when its time comes"));
        return None;
    }
    // One spelling of each time: what is read must be written the same again.
    let read = text.parse::<jiff::Timestamp>().ok().filter(|time| time.to_string() == text);
    if read.is_none() {
        let fault = rule.fault_at(text, "`@until` is no time in UTC");
        report.errors.push(fault.help("write it as \"2026-12-31T00:00:00Z\""));
    }
    read.map(|time| Timestamp::from_millis(time.as_millisecond()))
}
