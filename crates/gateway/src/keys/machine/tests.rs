//! The machine against its promises: by example for each fault row, by random histories for all.

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use lockgate_model::Timestamp;
use proptest::prelude::*;

use super::{Answer, FRESH_MS, INTERVAL_MS, KeyFault, Lookup, Machine, REFRESH_MS};
use crate::{keys::KeySet, token::Algorithm::EdDSA};

const HOUR_MS: i64 = 3_600_000;

/// The sets {a}, {a, b} and {b}.
static SETS: LazyLock<[KeySet; 3]> = LazyLock::new(|| {
    let [a, b] = ["a", "b"].map(|kid| {
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key());
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"}}"#)
    });
    [a.clone(), format!("{a},{b}"), b]
        .map(|keys| KeySet::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes()).unwrap())
});

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + ms)
}

/// `found`, `wait`, `unknown` or `unavailable`, with a `+` where a fetch must be started.
fn look(machine: &mut Machine, ms: i64, kid: &str) -> String {
    let Answer { lookup, fetch } = machine.lookup(at(ms), Some(kid), EdDSA);
    let word = match lookup {
        Lookup::Found(_) => "found",
        Lookup::Wait => "wait",
        Lookup::Missing(KeyFault::Unknown) => "unknown",
        Lookup::Missing(KeyFault::Unavailable) => "unavailable",
    };
    format!("{word}{}", if fetch { "+" } else { "" })
}

fn loaded() -> Machine {
    let mut machine = Machine::new(HOUR_MS);
    assert_eq!(look(&mut machine, 0, "a"), "wait+");
    assert_eq!(look(&mut machine, 1, "a"), "wait");
    machine.fetched(SETS[0].clone());
    assert_eq!(look(&mut machine, 2, "a"), "found");
    machine
}

#[test]
fn row_t16_unknown_ids_make_one_fetch_in_thirty_seconds() {
    let mut machine = loaded();
    let mut fetches = 0;
    for ms in 0..10_000 {
        fetches += usize::from(look(&mut machine, 3 + ms * 6, "x").ends_with('+'));
        machine.failed();
    }
    // A minute of them: at 30 s and no other time.
    assert_eq!(fetches, 1);
}

#[test]
fn a_new_key_is_found_within_thirty_seconds() {
    let mut machine = loaded();
    assert_eq!(look(&mut machine, INTERVAL_MS - 1, "b"), "unknown");
    assert_eq!(look(&mut machine, INTERVAL_MS, "b"), "wait+");
    assert_eq!(look(&mut machine, INTERVAL_MS, "b"), "wait");
    assert_eq!(look(&mut machine, INTERVAL_MS, "a"), "found");
    machine.fetched(SETS[1].clone());
    assert_eq!(look(&mut machine, INTERVAL_MS, "b"), "found");
}

#[test]
fn a_withdrawn_key_is_refused_within_five_minutes() {
    let mut machine = loaded();
    assert_eq!(look(&mut machine, REFRESH_MS, "a"), "found");
    assert_eq!(look(&mut machine, REFRESH_MS + 1, "a"), "found+");
    machine.fetched(SETS[2].clone());
    assert_eq!(look(&mut machine, REFRESH_MS + 2, "a"), "unknown");
    // After an idle night the set is confirmed before it is used.
    let mut machine = loaded();
    assert_eq!(look(&mut machine, 9 * HOUR_MS, "a"), "wait+");
    assert_eq!(look(&mut machine, 9 * HOUR_MS, "a"), "wait");
    machine.fetched(SETS[2].clone());
    assert_eq!(look(&mut machine, 9 * HOUR_MS, "a"), "unknown");
}

#[test]
fn row_i20_keys_of_an_unreachable_issuer_serve_for_the_stated_time() {
    let mut machine = loaded();
    for ms in (0..=HOUR_MS).step_by(1000) {
        if look(&mut machine, ms, "a").ends_with('+') {
            machine.failed();
        }
        assert!(look(&mut machine, ms, "a").starts_with("found"), "{ms}");
        assert_eq!(machine.status(at(ms)).alarm, ms >= FRESH_MS, "{ms}");
    }
    assert_ne!(look(&mut machine, HOUR_MS + 1, "a"), "found");
    machine.failed();
    assert_eq!(look(&mut machine, HOUR_MS + 2, "a"), "unavailable");
    assert!(!machine.status(at(HOUR_MS + 2)).usable);
    // It comes back.
    assert_eq!(look(&mut machine, HOUR_MS + INTERVAL_MS + 1, "a"), "wait+");
    machine.fetched(SETS[0].clone());
    assert_eq!(look(&mut machine, HOUR_MS + INTERVAL_MS + 2, "a"), "found");
    assert!(!machine.status(at(HOUR_MS + INTERVAL_MS + 2)).alarm);
}

#[test]
fn without_any_key_nothing_is_usable() {
    let mut machine = Machine::new(HOUR_MS);
    let status = machine.status(at(0));
    assert!(!status.usable && status.alarm && status.keys == 0);
    assert_eq!(look(&mut machine, 0, "a"), "wait+");
    machine.failed();
    assert_eq!(look(&mut machine, 1, "a"), "unavailable");
    assert_eq!(look(&mut machine, INTERVAL_MS, "a"), "wait+");
}

#[test]
fn stale_time_is_capped_at_a_day() {
    let mut machine = Machine::new(i64::MAX);
    machine.lookup(at(0), Some("a"), EdDSA);
    machine.fetched(SETS[0].clone());
    let day_ms = 24 * HOUR_MS;
    assert!(machine.status(at(day_ms)).usable);
    assert!(!machine.status(at(day_ms + 1)).usable);
}

#[test]
fn a_clock_set_back_makes_a_new_fetch() {
    let mut machine = loaded();
    assert_eq!(look(&mut machine, -HOUR_MS, "a"), "wait+");
    machine.fetched(SETS[0].clone());
    assert_eq!(look(&mut machine, -HOUR_MS, "a"), "found");
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(i64),
    Look(bool),
    Fetched(usize),
    Failed,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop_oneof![0..2_000_i64, 0..60_000_i64, 0..400_000_i64].prop_map(Step::Pass),
        4 => any::<bool>().prop_map(Step::Look),
        1 => (0..3_usize).prop_map(Step::Fetched),
        2 => Just(Step::Failed),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #[test]
    fn whatever_happens_the_promises_hold(steps in steps()) {
        let stale_max_ms = 20 * 60_000;
        let mut machine = Machine::new(stale_max_ms);
        let (mut now, mut running, mut started) = (0, false, -HOUR_MS);
        // The last good set, and the start of the fetch that brought it; the last failed start.
        let (mut good, mut failed) = (None::<(usize, i64)>, None::<i64>);
        for step in steps {
            match step {
                Step::Pass(ms) => now += ms,
                Step::Fetched(set) if running => {
                    machine.fetched(SETS[set].clone());
                    (running, good, failed) = (false, Some((set, started)), None);
                }
                Step::Failed if running => {
                    machine.failed();
                    (running, failed) = (false, Some(started));
                }
                Step::Fetched(_) | Step::Failed => {}
                Step::Look(b) => {
                    let kid = if b { "b" } else { "a" };
                    let word = look(&mut machine, now, kid);
                    let starts = word.ends_with('+');
                    if starts {
                        prop_assert!(now - started >= INTERVAL_MS);
                        (running, started) = (true, now);
                    }
                    let holds = good.is_some_and(|(set, _)| set == 1 || (set == 2) == b);
                    let age = good.map(|(_, at)| now - at);
                    let excused = failed.is_some_and(|at| now - at <= FRESH_MS);
                    let limit = if excused { stale_max_ms } else { FRESH_MS };
                    match word.trim_end_matches('+') {
                        "found" => {
                            prop_assert!(holds && age.unwrap() <= limit);
                            prop_assert!(starts || running || age.unwrap() <= REFRESH_MS
                                || now - started < INTERVAL_MS);
                        }
                        "unknown" => prop_assert!(!holds && age.unwrap() <= limit),
                        "unavailable" => prop_assert!(age.is_none_or(|age| age > limit)),
                        _ => prop_assert!(running),
                    }
                }
            }
        }
    }
}
