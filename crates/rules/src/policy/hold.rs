//! What the annotations of a forbid say of the people who may lift it: `@approvers`, `@quorum`,
//! `@expires`, `@reason`.

use cedar_policy::Effect;
use lockgate_model::{Ask, Group};

use super::{fault::Report, rule::Rule};

/// More people of one group can't be asked for.
const QUORUM_MAX: u32 = 8;
/// A grant can't be made to last longer than this, in milliseconds.
const EXPIRES_MAX_MS: u64 = 24 * 60 * 60 * 1000;
/// Characters of a reason.
const REASON_MAX_CHARS: usize = 256;
/// The annotations that belong to `@approvers`.
const TERMS: [&str; 3] = ["quorum", "expires", "reason"];

/// Who may lift a forbid, and on what terms.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Each must say yes.
    pub(super) groups: Vec<Group>,
    /// Different people of each.
    quorum: u32,
    /// How long their yes can be used, in milliseconds.
    expires_ms: Option<u64>,
    /// Why it is held, for people to read.
    reason: Option<String>,
}

impl Hold {
    /// Reads the annotations of `rule`; what is wrong with them is reported.
    pub(super) fn of(rule: &Rule, report: &mut Report) -> Option<Self> {
        let Some(text) = rule.policy.annotation("approvers") else {
            for name in TERMS.into_iter().filter(|name| rule.policy.annotation(name).is_some()) {
                let word = format!("@{name}");
                let fault = rule.fault_at(&word, format!("`{word}` without `@approvers`"));
                report.errors.push(fault.help("say who approves: `@approvers(\"dev/reviewers\")`"));
            }
            return None;
        };
        check_effect(rule, report);
        Some(Self {
            groups: groups(rule, text, report),
            quorum: quorum(rule, report),
            expires_ms: expires(rule, report),
            reason: reason(rule, report),
        })
    }

    /// What a call that all of these hold asks for: the strictest of their terms. `groups` are those
    /// that have not said yes.
    pub(super) fn ask<'a>(
        holds: impl Iterator<Item = &'a Self> + Clone,
        groups: Vec<String>,
        policies: Vec<String>,
    ) -> Ask {
        let mut reasons: Vec<&str> =
            holds.clone().filter_map(|one| one.reason.as_deref()).collect();
        reasons.dedup();
        Ask {
            approvers: groups,
            policies,
            quorum: holds.clone().map(|one| one.quorum).max().unwrap_or(1),
            expires_ms: holds.filter_map(|one| one.expires_ms).min(),
            reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
        }
    }
}

fn check_effect(rule: &Rule, report: &mut Report) {
    if rule.effect == Effect::Permit {
        let fault = rule.fault("`@approvers` on a permit holds nothing");
        let help = "put it on a `forbid … unless { context.approvals.contains(Group::\"…\") }`";
        report.errors.push(fault.help(help));
    } else if !rule.reads.context("approvals") {
        let fault = rule.fault("this policy forbids even what its approvers have approved");
        let help = "add `unless { context.approvals.contains(Group::\"…\") }`";
        report.warnings.push(fault.help(help));
    }
}

/// `@approvers("issuer/group, issuer/group")`.
fn groups(rule: &Rule, text: &str, report: &mut Report) -> Vec<Group> {
    let group = |part: &str| {
        let (issuer, name) = part.trim().split_once('/')?;
        let complete = !issuer.is_empty() && !name.is_empty();
        complete.then(|| Group { issuer: issuer.to_owned(), name: name.to_owned() })
    };
    let groups: Option<Vec<_>> = text.split(',').map(group).collect();
    groups.unwrap_or_else(|| {
        let fault = rule.fault_at(text, "`@approvers` names no groups");
        let help = "write qualified groups, separated by commas: `@approvers(\"dev/reviewers\")`";
        report.errors.push(fault.help(help));
        Vec::new()
    })
}

/// `@quorum("2")`.
fn quorum(rule: &Rule, report: &mut Report) -> u32 {
    let Some(text) = rule.policy.annotation("quorum") else { return 1 };
    let number = text.parse().ok().filter(|number| (1..=QUORUM_MAX).contains(number));
    number.unwrap_or_else(|| {
        let fault = rule.fault_at(text, "`@quorum` is no number of people");
        let help = format!("write how many people of each group must approve, 1 to {QUORUM_MAX}");
        report.errors.push(fault.help(help));
        1
    })
}

/// `@expires("10m")`.
fn expires(rule: &Rule, report: &mut Report) -> Option<u64> {
    let text = rule.policy.annotation("expires")?;
    let read = duration_ms(text).filter(|millis| (1..=EXPIRES_MAX_MS).contains(millis));
    if read.is_none() {
        let fault = rule.fault_at(text, "`@expires` is no time");
        let help =
            "write how long an approval can be used, at most a day: \"30s\", \"10m\", \"2h\"";
        report.errors.push(fault.help(help));
    }
    read
}

fn duration_ms(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse::<u64>().ok().filter(|_| digits)?.checked_mul(unit)
}

/// `@reason("…")`.
fn reason(rule: &Rule, report: &mut Report) -> Option<String> {
    let text = rule.policy.annotation("reason")?;
    let good = !text.trim().is_empty()
        && text.chars().count() <= REASON_MAX_CHARS
        && !text.contains(char::is_control);
    if !good {
        let fault = rule.fault_at("@reason", "`@reason` can't be shown");
        let help = format!("write one line of at most {REASON_MAX_CHARS} characters");
        report.errors.push(fault.help(help));
    }
    good.then(|| text.to_owned())
}
