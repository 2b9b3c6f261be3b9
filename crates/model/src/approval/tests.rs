//! The machine: who may do what when, and what can never happen whatever the order of acts.

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn question(groups: &[&str], quorum: u32) -> Approval {
    let subject = Subject {
        issuer: "corp".into(),
        subject: "bot".into(),
        client: Some("ci".into()),
        connection: "staff".into(),
        action: "call_tool".into(),
        target: "delete_row".into(),
        definition: Some(Digest::from_bytes([1; 32])),
        arguments: Digest::from_bytes([2; 32]),
        policies: vec!["writes".into()],
    };
    let terms = Terms {
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        quorum,
        reason: None,
        answer_by: at(60 * MINUTE),
        grant_ms: 10 * 60_000,
    };
    Approval::ask("a1".into(), subject, terms, "c1".into(), at(0))
}

fn reviewer(issuer: &str, subject: &str, groups: &[&str]) -> Reviewer {
    Reviewer {
        person: Person { issuer: issuer.into(), subject: subject.into() },
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

fn yes(subject: &str, groups: &[&str]) -> Act {
    Act::Approve { by: reviewer("corp", subject, groups), until: None }
}

fn spend(call: &str) -> Act {
    Act::Spend { call: call.into() }
}

const DBA: &[&str] = &["corp/dba"];

#[test]
fn a_grant_is_used_once_and_for_so_long() {
    let asked = question(DBA, 1);
    assert_eq!(asked.apply(&spend("c1"), at(1)), Err(ActFault::Undecided));
    let granted = asked.apply(&yes("ann", DBA), at(5 * MINUTE)).unwrap();
    assert_eq!(granted.state, State::Approved { until: at(15 * MINUTE) });
    let spent = granted.apply(&spend("c2"), at(15 * MINUTE - 1)).unwrap();
    assert_eq!(spent.state, State::Spent { call: "c2".into() });
    assert_eq!(spent.apply(&spend("c3"), at(15 * MINUTE - 1)), Err(ActFault::Decided), "A5");
    assert_eq!(granted.apply(&spend("c2"), at(15 * MINUTE)), Err(ActFault::Decided), "A8");
    let late = asked.apply(&yes("ann", DBA), at(60 * MINUTE));
    assert_eq!(late, Err(ActFault::Decided), "A8: the question has lapsed");
}

#[test]
fn a8_a_clock_that_is_set_back_gives_no_time() {
    let granted = question(DBA, 1).apply(&yes("ann", DBA), at(0)).unwrap();
    let seen = granted.apply(&Act::Look, at(10 * MINUTE - 1)).unwrap();
    assert_eq!(seen.state, State::Approved { until: at(10 * MINUTE) });
    let over = seen.apply(&Act::Look, at(10 * MINUTE)).unwrap();
    assert_eq!(over.state, State::Expired);
    assert_eq!(over.apply(&spend("c1"), at(1)), Err(ActFault::Decided));
    // Nor does the approver's own yes count from an earlier time than was seen before.
    let seen = question(DBA, 1).apply(&Act::Look, at(50 * MINUTE)).unwrap();
    let granted = seen.apply(&yes("ann", DBA), at(MINUTE)).unwrap();
    assert_eq!(granted.state, State::Approved { until: at(60 * MINUTE) });
}

#[test]
fn a4_nobody_answers_their_own_question() {
    let asked = question(DBA, 1);
    for issuer in ["corp", "github"] {
        let by = reviewer(issuer, "bot", DBA);
        let act = Act::Approve { by: by.clone(), until: None };
        assert_eq!(asked.apply(&act, at(1)), Err(ActFault::Own), "{issuer}");
        let act = Act::Reject { by, reason: "no".into() };
        assert_eq!(asked.apply(&act, at(1)), Err(ActFault::Own), "{issuer}");
    }
    assert_eq!(asked.apply(&yes("ann", &["corp/dev"]), at(1)), Err(ActFault::NoReviewer), "A10");
    assert_eq!(asked.apply(&yes("ann", &["other/dba"]), at(1)), Err(ActFault::NoReviewer));
}

#[test]
fn a19_a_quorum_counts_people() {
    let once = question(DBA, 2).apply(&yes("ann", DBA), at(0)).unwrap();
    assert_eq!((once.state.clone(), once.missing()), (State::Pending, vec![("corp/dba", 1)]));
    assert_eq!(once.apply(&yes("ann", DBA), at(1)), Err(ActFault::Twice));
    let twice = once.apply(&yes("bob", DBA), at(MINUTE)).unwrap();
    assert_eq!(twice.state, State::Approved { until: at(11 * MINUTE) });
    // One person in both groups answers for both.
    let both = question(&["corp/dba", "corp/sec"], 1);
    let half = both.apply(&yes("ann", DBA), at(0)).unwrap();
    assert_eq!(half.missing(), [("corp/sec", 1)]);
    let whole = both.apply(&yes("ann", &["corp/sec", "corp/dba"]), at(0)).unwrap();
    assert!(matches!(whole.state, State::Approved { .. }));
}

#[test]
fn conditions_only_shorten() {
    let asked = question(DBA, 1);
    let act = |until| Act::Approve { by: reviewer("corp", "ann", DBA), until: Some(at(until)) };
    for wrong in [0, -1, 10 * MINUTE + 1] {
        assert_eq!(asked.apply(&act(wrong), at(0)), Err(ActFault::Until), "{wrong}");
    }
    let granted = asked.apply(&act(MINUTE), at(0)).unwrap();
    assert_eq!(granted.state, State::Approved { until: at(MINUTE) });
    // The shortest of several counts, also where it has passed before the last yes.
    let two = question(DBA, 2).apply(&act(MINUTE), at(0)).unwrap();
    assert_eq!(two.apply(&yes("bob", DBA), at(MINUTE)).unwrap().state, State::Expired);
}

#[test]
fn a_no_needs_a_reason_and_is_the_end() {
    let asked = question(DBA, 2);
    let no = |reason: &str| Act::Reject { by: reviewer("corp", "ann", DBA), reason: reason.into() };
    for reason in ["", "  ", "two\nlines", &"x".repeat(REASON_MAX_CHARS + 1)] {
        assert_eq!(asked.apply(&no(reason), at(0)), Err(ActFault::Reason), "{reason}");
    }
    let rejected = asked.apply(&no("not today"), at(0)).unwrap();
    assert!(rejected.is_closed());
    assert_eq!(rejected.apply(&yes("bob", DBA), at(1)), Err(ActFault::Decided), "A6");
}

#[test]
fn its_caller_takes_it_back() {
    let asked = question(DBA, 1);
    let by = |subject: &str| Act::Withdraw { by: reviewer("corp", subject, &[]).person };
    assert_eq!(asked.apply(&by("ann"), at(0)), Err(ActFault::NotCaller));
    let gone = asked.apply(&by("bot"), at(0)).unwrap();
    assert_eq!(gone.apply(&yes("ann", DBA), at(1)), Err(ActFault::Decided));
}

/// Access to `tool` for an hour.
fn access(tool: &str, emergency: bool) -> Approval {
    let asked = question(DBA, 1);
    let subject = Subject { action: ACCESS.into(), target: tool.into(), ..asked.subject };
    let reason = "case 42".into();
    let access = Access { reason, ends: at(60 * MINUTE), emergency, groups: Vec::new() };
    Approval::access("a2".into(), subject, asked.terms, access, at(0))
}

/// What policies say that hold a call of `delete_row`.
fn held() -> Ask {
    Ask {
        approvers: vec!["corp/dba".into()],
        policies: vec!["writes".into()],
        quorum: 1,
        expires_ms: None,
        reason: None,
        access_ms: Some(3_600_000),
        emergency: true,
    }
}

#[test]
fn access_is_in_force_once_it_is_given_and_ends_by_itself() {
    let asked = access("", false);
    assert!(!asked.is_in_force());
    let given = asked.apply(&yes("ann", DBA), at(MINUTE)).unwrap();
    assert_eq!(given.state, State::Approved { until: at(60 * MINUTE) });
    assert_eq!(given.apply(&spend("c1"), at(MINUTE)), Err(ActFault::Standing), "not for one use");
    assert_eq!(given.apply(&yes("bob", DBA), at(MINUTE)), Err(ActFault::Decided));
    let seen = given.apply(&Act::Look, at(60 * MINUTE - 1)).unwrap();
    assert!(seen.is_in_force());
    let over = given.apply(&Act::Look, at(60 * MINUTE)).unwrap();
    assert_eq!((over.state.clone(), over.is_closed()), (State::Expired, true));
    // Sooner: its owner gives it back, or somebody who may give it takes it away.
    let back = Act::Withdraw { by: reviewer("corp", "bot", &[]).person };
    assert_eq!(given.apply(&back, at(2 * MINUTE)).unwrap().state, State::Withdrawn);
    let no = Act::Reject { by: reviewer("corp", "bob", DBA), reason: "enough".into() };
    assert!(given.apply(&no, at(2 * MINUTE)).unwrap().is_closed());
    let own = Act::Approve { by: reviewer("corp", "bot", DBA), until: None };
    assert_eq!(asked.apply(&own, at(1)), Err(ActFault::Own));
}

#[test]
fn a18_an_emergency_is_in_force_at_once_and_looked_at_afterwards() {
    let taken = access("", true);
    assert!(taken.is_in_force() && taken.is_open());
    let own = Act::Approve { by: reviewer("corp", "bot", DBA), until: None };
    assert_eq!(taken.apply(&own, at(1)), Err(ActFault::Own), "not by whoever took it");
    let early = Act::Approve { by: reviewer("corp", "ann", DBA), until: Some(at(MINUTE)) };
    assert_eq!(taken.apply(&early, at(1)), Err(ActFault::Until));
    // Over by time, or by its owner's word: it is not closed before somebody looked.
    let back = Act::Withdraw { by: reviewer("corp", "bot", &[]).person };
    for over in [taken.apply(&Act::Look, at(60 * MINUTE)), taken.apply(&back, at(MINUTE))] {
        let over = over.unwrap();
        assert_eq!((&over.state, over.is_closed()), (&State::Unreviewed, false));
        assert!(!over.is_in_force());
        let right = over.apply(&yes("ann", DBA), at(90 * MINUTE)).unwrap();
        assert_eq!((&right.state, right.is_closed()), (&State::Reviewed, true));
        let no = Act::Reject { by: reviewer("corp", "ann", DBA), reason: "no need".into() };
        assert!(over.apply(&no, at(90 * MINUTE)).unwrap().is_closed());
    }
    // Looked at while it is in force: it stays so to its end, or ends at once.
    let seen = taken.apply(&yes("ann", DBA), at(MINUTE)).unwrap();
    assert!(seen.is_in_force());
    assert_eq!(seen.apply(&Act::Look, at(60 * MINUTE)).unwrap().state, State::Reviewed);
    let no = Act::Reject { by: reviewer("corp", "ann", DBA), reason: "no need".into() };
    assert!(!taken.apply(&no, at(MINUTE)).unwrap().is_in_force());
}

#[test]
fn access_stands_for_what_it_was_given_for() {
    let given = |tool| access(tool, false).apply(&yes("ann", DBA), at(MINUTE)).unwrap();
    let call = "call_tool";
    for (what, access, ask, action, target, stands) in [
        ("all of the connection", given(""), held(), call, "delete_row", true),
        ("a resource of it", given(""), held(), "read_resource", "file:///a", true),
        ("the tool", given("delete_row"), held(), call, "delete_row", true),
        ("another tool", given("delete_row"), held(), call, "drop_table", false),
        ("a resource", given("delete_row"), held(), "read_resource", "delete_row", false),
        ("not given yet", access("", false), held(), call, "delete_row", false),
        ("a question of one call", question(DBA, 1), held(), call, "delete_row", false),
        (
            "another policy",
            given(""),
            Ask { policies: vec!["writes".into(), "x".into()], ..held() },
            call,
            "delete_row",
            false,
        ),
        (
            "other groups",
            given(""),
            Ask { approvers: vec!["corp/sec".into()], ..held() },
            call,
            "delete_row",
            false,
        ),
        ("more people", given(""), Ask { quorum: 2, ..held() }, call, "delete_row", false),
        (
            "no access any more",
            given(""),
            Ask { access_ms: None, ..held() },
            call,
            "delete_row",
            false,
        ),
        (
            "less time now",
            given(""),
            Ask { access_ms: Some(3_599_999), ..held() },
            call,
            "delete_row",
            false,
        ),
        ("an emergency", access("", true), held(), call, "delete_row", true),
        (
            "an emergency of whom it is not allowed to",
            access("", true),
            Ask { emergency: false, ..held() },
            call,
            "delete_row",
            false,
        ),
        (
            "an emergency where access could not be asked for",
            access("", true),
            Ask { access_ms: None, ..held() },
            call,
            "delete_row",
            true,
        ),
    ] {
        assert_eq!(access.stands_for(&ask, action, target), stands, "{what}");
    }
}

fn any_act() -> impl Strategy<Value = Act> {
    let people = prop::sample::select(vec!["ann", "bob", "bot", "eve"]);
    let groups = prop::sample::subsequence(vec!["corp/dba", "corp/sec", "corp/dev"], 0..=3);
    let by = (people, groups).prop_map(|(subject, groups)| reviewer("corp", subject, &groups));
    let until = prop::option::of(-10..30 * MINUTE).prop_map(|until| until.map(at));
    prop_oneof![
        4 => (by.clone(), until).prop_map(|(by, until)| Act::Approve { by, until }),
        1 => by.clone().prop_map(|by| Act::Reject { by, reason: "no".into() }),
        1 => by.prop_map(|by| Act::Withdraw { by: by.person }),
        3 => "[a-z]{2}".prop_map(|call| Act::Spend { call }),
        1 => Just(Act::Void { why: "the tool changed".into() }),
        2 => Just(Act::Look),
    ]
}

proptest! {
    /// Whatever happens in whatever order: access is in force only after enough people said yes or as
    /// an emergency, never past its end, and an emergency is not closed before somebody looked.
    #[test]
    fn access_is_never_in_force_without_people_or_past_its_end(
        emergency in any::<bool>(),
        acts in prop::collection::vec((any_act(), 0..90 * MINUTE), 0..40),
    ) {
        let mut approval = access("", emergency);
        for (act, time) in acts {
            let Ok(next) = approval.apply(&act, at(time)) else { continue };
            prop_assert!(next.state.name() != "spent");
            let answered = next.votes.iter().any(|vote| vote.by.subject != "bot");
            if next.is_in_force() {
                prop_assert!(next.touched_at < at(60 * MINUTE));
                prop_assert!(emergency || answered);
                prop_assert!(!approval.is_closed());
            }
            if emergency && next.is_closed() {
                prop_assert!(next.state.name() == "rejected" || answered);
            }
            approval = next;
        }
    }

    /// Whatever happens in whatever order, by whatever clock: at most one use, only after enough
    /// different people of each group, none of them its caller, and not after its time.
    #[test]
    fn a_grant_is_never_used_twice_nor_without_enough_people(
        quorum in 1..3_u32,
        acts in prop::collection::vec((any_act(), 0..90 * MINUTE), 0..40),
    ) {
        let mut approval = question(&["corp/dba", "corp/sec"], quorum);
        let (mut uses, mut latest) = (0, 0);
        for (act, time) in acts {
            let Ok(next) = approval.apply(&act, at(time)) else { continue };
            latest = latest.max(time);
            prop_assert_eq!(next.touched_at, at(latest));
            prop_assert!(!approval.is_closed() || next.state == approval.state, "the end is the end");
            if let (Act::Spend { .. }, State::Approved { until }) = (&act, &approval.state) {
                uses += 1;
                prop_assert!(next.touched_at < *until);
                for group in &next.terms.groups {
                    let people: std::collections::BTreeSet<_> = next
                        .votes
                        .iter()
                        .filter(|vote| vote.groups.contains(group) && vote.by.subject != "bot")
                        .map(|vote| &vote.by.subject)
                        .collect();
                    prop_assert!(people.len() >= quorum as usize);
                }
            }
            approval = next;
        }
        prop_assert!(uses <= 1);
    }
}
