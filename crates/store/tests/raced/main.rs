//! Approvals in very many orders of their steps: the compare-and-set and the waiters of
//! `src/approvals`, the files themselves, over rows in memory and under shuttle's scheduler. A waiter
//! here never looks by itself, so that one who is not told hangs, which shuttle reports.
//!
//! What the databases make of the same statements is shown in `tests/database`.
#![expect(clippy::unwrap_used, reason = "a case that fails here fails the test")]

#[expect(unreachable_pub, reason = "public in the library, whose file it is")]
#[path = "../../src/approvals/change.rs"]
mod change;
mod db;
mod rows;
mod sync;
#[expect(unreachable_pub, reason = "public in the library, whose file it is")]
#[path = "../../src/approvals/watch.rs"]
mod watch;

use std::sync::Arc;

use lockgate_model::{Act, Approval, Digest, Person, Reviewer, State, Subject, Terms, Timestamp};
pub(crate) use lockgate_store::approvals::{ApprovalFault, Asked};
use shuttle::{
    Config, Runner,
    future::block_on,
    scheduler::{PctScheduler, RandomScheduler},
    thread::{self, JoinHandle},
};

use crate::{
    db::conn::{Kind, Pools},
    watch::{Changes, Waiter},
};

/// Orders that are tried of each case on each kind of database, by either scheduler.
const ORDERS: usize = 1_000;
/// Changes of thread that PCT puts where they hurt.
const PCT_DEPTH: usize = 3;
const STACK_BYTES: usize = 1 << 18;
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const ANSWER_MS: i64 = 60_000;
/// From then on what was asked at first can't be answered.
const LATE: Timestamp = NOW.plus_millis(ANSWER_MS);
const LEADS: &str = "corp/leads";

/// What the library's own is to its files.
struct Approvals {
    pools: Pools,
    changes: Changes,
}

impl Approvals {
    fn new(kind: Kind) -> Arc<Self> {
        Arc::new(Self { pools: Pools::new(kind), changes: Changes::default() })
    }

    fn waiter(&self, of: Option<&str>) -> Waiter {
        self.changes.waiter(of)
    }

    /// Somebody asks about their call, under terms of `quorum` people.
    fn asked(&self, id: &str, of: &str, quorum: u32, now: Timestamp) -> Asked {
        block_on(self.ask(id, &subject(of), &terms(quorum, now), "call", now, 10)).unwrap()
    }

    fn acted(&self, id: &str, act: &Act, now: Timestamp) -> Result<Approval, ApprovalFault> {
        block_on(self.act(id, act, now))
    }

    fn state(&self, id: &str, now: Timestamp) -> State {
        block_on(self.get(id, now)).unwrap().state
    }

    /// As the gateway waits: until the row says that it is decided, or that its time has passed.
    fn decided(&self, id: &str) -> State {
        let mut told = self.waiter(Some(id));
        self.decided_by(&mut told, id)
    }

    fn decided_by(&self, told: &mut Waiter, id: &str) -> State {
        loop {
            // At the time of the question: what ended it is read from the row alone.
            let state = self.state(id, NOW);
            if state != State::Pending {
                return state;
            }
            block_on(told.look());
        }
    }
}

#[test]
fn a_change_is_never_missed_by_who_waits_for_it() {
    in_every_order(|kind| {
        let approvals = Approvals::new(kind);
        for (id, of) in [("a1", "one"), ("a2", "two")] {
            approvals.asked(id, of, 1, NOW);
        }
        let waits = ["a1", "a1", "a2"].map(|id| on(&approvals, move |it| it.decided(id)));
        let leaves = on(&approvals, |it| drop(it.waiter(Some("a1"))));
        let yes = on(&approvals, |it| it.acted("a1", &yes("ann"), NOW).map(drop).unwrap());
        let no = on(&approvals, |it| it.acted("a2", &no("bob"), NOW).map(drop).unwrap());
        let states = waits.map(|wait| wait.join().unwrap().name());
        assert_eq!(states, ["approved", "approved", "rejected"]);
        for done in [leaves, yes, no] {
            done.join().unwrap();
        }
        assert_eq!(approvals.changes.waiting(), 0, "nothing is kept of who left");
    });
}

#[test]
fn who_wants_to_know_of_everything_is_told_of_each() {
    in_every_order(|kind| {
        let approvals = Approvals::new(kind);
        approvals.asked("a1", "one", 1, NOW);
        let waits = on(&approvals, |it| {
            let mut told = it.waiter(None);
            it.decided_by(&mut told, "a1")
        });
        approvals.acted("a1", &withdrawn("one"), NOW).unwrap();
        assert_eq!(waits.join().unwrap(), State::Withdrawn);
    });
}

#[test]
fn a_grant_is_used_once() {
    in_every_order(|kind| {
        let approvals = Approvals::new(kind);
        approvals.asked("a1", "one", 1, NOW);
        let uses = ["c1", "c2", "c3"].map(|call| {
            on(&approvals, move |it| {
                it.decided("a1");
                it.acted("a1", &Act::Spend { call: call.into() }, NOW).is_ok().then_some(call)
            })
        });
        approvals.acted("a1", &yes("ann"), NOW).unwrap();
        let used: Vec<&str> = uses.into_iter().filter_map(|one| one.join().unwrap()).collect();
        let [call] = *used else { panic!("used by {used:?}") };
        assert_eq!(approvals.state("a1", NOW), State::Spent { call: call.into() });
    });
}

#[test]
fn every_answer_counts_or_is_refused() {
    in_every_order(|kind| {
        let approvals = Approvals::new(kind);
        approvals.asked("a1", "one", 2, NOW);
        let answers = ["ann", "bob"]
            .map(|who| on(&approvals, move |it| it.acted("a1", &yes(who), NOW).map(drop).unwrap()));
        for answer in answers {
            answer.join().unwrap();
        }
        let now = block_on(approvals.get("a1", NOW)).unwrap();
        assert_eq!((now.votes.len(), now.state.name()), (2, "approved"), "a yes was lost");
    });
}

#[test]
fn of_a_yes_and_a_no_one_stands() {
    in_every_order(|kind| {
        let approvals = Approvals::new(kind);
        approvals.asked("a1", "one", 1, NOW);
        let acts = [yes("ann"), no("bob"), withdrawn("one")];
        let acts = acts.map(|act| on(&approvals, move |it| it.acted("a1", &act, NOW)));
        let told: Vec<_> = acts.into_iter().map(|act| act.join().unwrap()).collect();
        let state = approvals.state("a1", NOW);
        assert_ne!(state, State::Pending, "it was decided");
        // A grant may be taken back; otherwise the first answer is the only one.
        let last = told.iter().rev().find_map(|told| told.as_ref().ok()).unwrap();
        assert_eq!(last.state, state);
        let taken_back = told[0].is_ok() && state == State::Withdrawn;
        assert_eq!(told.iter().filter(|told| told.is_ok()).count(), 1 + usize::from(taken_back));
    });
}

#[test]
fn the_same_question_is_asked_once_also_where_the_last_one_is_over() {
    in_every_order(|kind| {
        let approvals = Approvals::new(kind);
        approvals.asked("a0", "one", 1, NOW);
        let waits = on(&approvals, |it| it.decided("a0"));
        let asks =
            ["a1", "a2", "a3"].map(|id| on(&approvals, move |it| it.asked(id, "one", 1, LATE)));
        let asked = asks.map(|ask| ask.join().unwrap());
        assert_eq!(asked.iter().filter(|asked| asked.new).count(), 1);
        let ids = asked.each_ref().map(|asked| &asked.approval.id);
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(waits.join().unwrap(), State::Expired, "who waited for the last one is told");
    });
}

#[test]
fn time_ends_a_question_before_or_after_an_answer_never_both() {
    in_every_order(|kind| {
        let approvals = Approvals::new(kind);
        approvals.asked("a1", "one", 1, NOW);
        let waits = on(&approvals, |it| it.decided("a1"));
        let sweeps = on(&approvals, |it| block_on(it.sweep(LATE)).unwrap());
        let in_time = approvals.acted("a1", &yes("ann"), NOW);
        let ended = sweeps.join().unwrap();
        let state = waits.join().unwrap();
        match in_time {
            // The sweep read it before, and then finds that it has changed.
            Ok(_) => assert!(matches!(state, State::Approved { .. }) && ended.is_empty()),
            Err(_) => assert!(state == State::Expired && ended.len() == 1),
        }
    });
}

fn in_every_order(case: fn(Kind)) {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let mut config = Config::new();
        config.stack_size = STACK_BYTES;
        Runner::new(RandomScheduler::new(ORDERS), config.clone()).run(move || case(kind));
        Runner::new(PctScheduler::new(PCT_DEPTH, ORDERS), config).run(move || case(kind));
    }
}

fn on<T: 'static + Send>(
    approvals: &Arc<Approvals>,
    does: impl FnOnce(&Approvals) -> T + Send + 'static,
) -> JoinHandle<T> {
    let approvals = Arc::clone(approvals);
    thread::spawn(move || does(&approvals))
}

fn reviewer(who: &str) -> Reviewer {
    let person = Person { issuer: "corp".into(), subject: who.into() };
    Reviewer { person, groups: vec![LEADS.into()] }
}

fn yes(who: &str) -> Act {
    Act::Approve { by: reviewer(who), until: None }
}

fn no(who: &str) -> Act {
    Act::Reject { by: reviewer(who), reason: "no".into() }
}

fn withdrawn(who: &str) -> Act {
    Act::Withdraw { by: reviewer(who).person }
}

fn subject(of: &str) -> Subject {
    Subject {
        issuer: "corp".into(),
        subject: of.into(),
        client: None,
        connection: "db".into(),
        action: "call_tool".into(),
        target: "query".into(),
        definition: None,
        arguments: Digest::from_bytes([7; 32]),
        policies: vec!["writes".into()],
    }
}

fn terms(quorum: u32, now: Timestamp) -> Terms {
    let (groups, answer_by) = (vec![LEADS.into()], now.plus_millis(ANSWER_MS));
    let grant_ms = 600_000;
    Terms { groups, quorum, reason: None, answer_by, grant_ms }
}
