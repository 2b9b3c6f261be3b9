//! What the annotations of a forbid say of the people who may lift it: `@approvers`, `@quorum`,
//! `@expires`, `@reason` for one call; `@access` and `@break_glass` for a window of time.

use cedar_policy::Effect;
use lockgate_model::{Ask, Group, Identity, Lift};

use super::{fault::Report, rule::Rule};

/// More people of one group can't be asked for.
const QUORUM_MAX: u32 = 8;
/// A grant can't be made to last longer than this, in milliseconds.
const EXPIRES_MAX_MS: u64 = 24 * 60 * 60 * 1000;
/// Nobody gets access for longer than this, in milliseconds.
const ACCESS_MAX_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Characters of a reason.
const REASON_MAX_CHARS: usize = 256;
/// The annotations that belong to `@approvers`.
const TERMS: [&str; 5] = ["quorum", "expires", "reason", "access", "break_glass"];

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
    /// They may lift it for a window of time, at most so long, in milliseconds.
    access_ms: Option<u64>,
    /// Who may lift it alone in an emergency.
    break_glass: Vec<Group>,
}

/// How holds are lifted for a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Those who are asked say yes first.
    Asked,
    /// In an emergency, without asking.
    Emergency,
}

impl Hold {
    /// Reads the annotations of `rule`; what is wrong with them is reported.
    pub(super) fn of(rule: &Rule, report: &mut Report) -> Option<Self> {
        let Some(text) = rule.policy.annotation("approvers") else {
            // A permit may say why it stands, to nobody but its readers.
            let noted = |name: &str| name == "reason" && rule.effect == Effect::Permit;
            if rule.effect == Effect::Permit {
                reason(rule, report);
            }
            let terms = TERMS.into_iter().filter(|name| !noted(name));
            for name in terms.filter(|name| rule.policy.annotation(name).is_some()) {
                let word = format!("@{name}");
                let fault = rule.fault_at(&word, format!("`{word}` without `@approvers`"));
                report.errors.push(fault.help("say who approves: `@approvers(\"dev/reviewers\")`"));
            }
            return None;
        };
        check_effect(rule, report);
        let break_glass = rule.policy.annotation("break_glass");
        Some(Self {
            groups: groups(rule, "approvers", text, report),
            quorum: quorum(rule, report),
            expires_ms: duration(rule, "expires", EXPIRES_MAX_MS, report),
            reason: reason(rule, report),
            access_ms: duration(rule, "access", ACCESS_MAX_MS, report),
            break_glass: break_glass
                .map(|text| groups(rule, "break_glass", text, report))
                .unwrap_or_default(),
        })
    }

    /// Every group that it names.
    pub(super) fn named(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().chain(&self.break_glass)
    }

    /// Whether this caller may lift it in this way.
    pub(super) fn gives(&self, way: Way, identity: &Identity) -> bool {
        match way {
            Way::Asked => self.access_ms.is_some(),
            Way::Emergency => self.break_glass.iter().any(|group| identity.groups.contains(group)),
        }
    }

    /// What a call that all of these hold asks for: the strictest of their terms. `groups` are those
    /// that have not said yes.
    pub(super) fn ask<'a>(
        holds: impl Iterator<Item = &'a Self> + Clone,
        groups: Vec<String>,
        policies: Vec<String>,
        identity: &Identity,
    ) -> Ask {
        let every = |way| holds.clone().all(|one| one.gives(way, identity));
        Ask {
            approvers: groups,
            policies,
            quorum: most(holds.clone()),
            expires_ms: holds.clone().filter_map(|one| one.expires_ms).min(),
            reason: reasons(holds.clone()),
            access_ms: every(Way::Asked)
                .then(|| holds.clone().filter_map(|one| one.access_ms).min())
                .flatten(),
            emergency: every(Way::Emergency),
        }
    }

    /// What it takes to lift all of these for a window of time.
    pub(super) fn lift<'a>(
        holds: impl Iterator<Item = &'a Self> + Clone,
        policies: Vec<String>,
        way: Way,
    ) -> Lift {
        let mut groups: Vec<String> =
            holds.clone().flat_map(|one| &one.groups).map(Group::to_string).collect();
        groups.sort_unstable();
        groups.dedup();
        let longest = holds.clone().filter_map(|one| one.access_ms).min();
        Lift {
            groups,
            quorum: most(holds.clone()),
            policies,
            most_ms: longest.filter(|_| way == Way::Asked),
            reason: reasons(holds),
        }
    }
}

fn most<'a>(holds: impl Iterator<Item = &'a Hold>) -> u32 {
    holds.map(|one| one.quorum).max().unwrap_or(1)
}

fn reasons<'a>(holds: impl Iterator<Item = &'a Hold>) -> Option<String> {
    let mut reasons: Vec<&str> = holds.filter_map(|one| one.reason.as_deref()).collect();
    reasons.dedup();
    (!reasons.is_empty()).then(|| reasons.join("; "))
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

/// `@approvers("issuer/group, issuer/group")`, and `@break_glass` likewise.
fn groups(rule: &Rule, name: &str, text: &str, report: &mut Report) -> Vec<Group> {
    let groups: Option<Vec<_>> = text.split(',').map(|part| Group::parse(part.trim())).collect();
    groups.unwrap_or_else(|| {
        let fault = rule.fault_at(text, format!("`@{name}` names no groups"));
        let help =
            format!("write qualified groups, separated by commas: `@{name}(\"dev/reviewers\")`");
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

/// `@expires("10m")`, `@access("8h")`.
fn duration(rule: &Rule, name: &str, most_ms: u64, report: &mut Report) -> Option<u64> {
    let text = rule.policy.annotation(name)?;
    let read = duration_ms(text).filter(|millis| (1..=most_ms).contains(millis));
    if read.is_none() {
        let fault = rule.fault_at(text, format!("`@{name}` is no time"));
        let days = most_ms / 86_400_000;
        let help =
            format!("write a time of at most {days} days as \"30s\", \"10m\", \"2h\" or \"1d\"");
        report.errors.push(fault.help(help));
    }
    read
}

/// A time as "30s", "10m", "2h" or "1d".
pub(super) fn duration_ms(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
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
