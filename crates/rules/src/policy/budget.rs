//! How often a permit permits: `@budget("10 per 1h")` lets it do so ten times for each identity in each
//! hour. What was used is counted elsewhere; here is only how much there is.
//!
//! A budget only takes away: it stands on permits alone.

use cedar_policy::Effect;

use super::{Policies, fault::Report, hold::duration_ms, rule::Rule};

/// More calls can't be counted for.
const MOST_MAX: u32 = 1_000_000;
/// The longest window, in milliseconds.
const WINDOW_MAX_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// What one permit gives each identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The permit's `@id`, or `file:number`.
    pub policy: String,
    /// Calls in each window.
    pub most: u32,
    /// The length of a window in milliseconds. Windows follow each other from 1970-01-01T00:00:00Z on.
    pub window_ms: u64,
}

impl Policies {
    /// The budgets of these permits, in their order; `None` where one of them has none, so that nothing
    /// has to be counted.
    pub fn budgets(&self, permits: &[String]) -> Option<Vec<&Budget>> {
        if self.budgets.is_empty() || permits.is_empty() {
            return None;
        }
        permits.iter().map(|id| self.budgets.get(id)).collect()
    }
}

/// `@budget("10 per 1h")`.
pub(super) fn of(rule: &Rule, report: &mut Report) -> Option<Budget> {
    let text = rule.policy.annotation("budget")?;
    if rule.effect == Effect::Forbid {
        let fault =
            rule.fault_at("@budget", "`@budget` on a forbid would open something by itself");
        report.errors.push(fault.help("write it on the permits that are to be bounded"));
        return None;
    }
    if rule.is_about_data() {
        let fault =
            rule.fault_at("@budget", "`@budget` counts calls, and this permit is about values");
        report.errors.push(fault.help("write it on the permit of the calls"));
        return None;
    }
    let read = read(text);
    if read.is_none() {
        let fault = rule.fault_at(text, "`@budget` is no number of calls in a time");
        let help = "write at most 1000000 calls and 30 days as \"10 per 1h\" or \"3 per 1d\"";
        report.errors.push(fault.help(help));
    }
    read.map(|(most, window_ms)| Budget { policy: rule.id.clone(), most, window_ms })
}

fn read(text: &str) -> Option<(u32, u64)> {
    let (most, window) = text.split_once(" per ")?;
    let digits = most.bytes().all(|byte| byte.is_ascii_digit());
    let most = most.parse().ok().filter(|most| digits && (1..=MOST_MAX).contains(most))?;
    let window = duration_ms(window).filter(|window| (1..=WINDOW_MAX_MS).contains(window))?;
    Some((most, window))
}
