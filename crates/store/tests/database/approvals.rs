//! Approvals: asked once, changed by whoever is first, used once, whatever the race.

use std::sync::Arc;

use lockgate_model::{
    ACCESS, Access, Act, ActFault, Approval, Digest, Person, Reviewer, State, Subject, Terms,
    Timestamp,
};
use lockgate_store::approvals::{ApprovalFault, ApprovalFilter, Approvals, Counts, content_digest};

use crate::contract::Fresh;

const DBA: &str = "corp/dba";

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn subject(arguments: u8) -> Subject {
    Subject {
        issuer: "corp".into(),
        subject: "bot".into(),
        client: None,
        connection: "staff".into(),
        action: "call_tool".into(),
        target: "delete_row".into(),
        definition: None,
        arguments: Digest::from_bytes([arguments; 32]),
        policies: vec!["writes".into()],
    }
}

fn terms() -> Terms {
    let (groups, reason) = (vec![DBA.to_owned()], Some("writes are held".to_owned()));
    Terms { groups, quorum: 1, reason, answer_by: at(60_000), grant_ms: 10_000 }
}

fn yes(subject: &str) -> Act {
    let person = Person { issuer: "corp".into(), subject: subject.into() };
    Act::Approve { by: Reviewer { person, groups: vec![DBA.to_owned()] }, until: None }
}

fn no(subject: &str) -> Act {
    let person = Person { issuer: "corp".into(), subject: subject.into() };
    let by = Reviewer { person, groups: vec![DBA.to_owned()] };
    Act::Reject { by, reason: "not today".into() }
}

fn spend(call: u32) -> Act {
    Act::Spend { call: format!("c{call}") }
}

async fn open(fresh: &Fresh) -> Arc<Approvals> {
    Arc::new(Approvals::open(&fresh.place).await.unwrap())
}

async fn ask(approvals: &Approvals, arguments: u8, now: i64) -> Approval {
    let id = format!("a{arguments}-{now}");
    let asked = approvals.ask(&id, &subject(arguments), &terms(), "c0", at(now), 100).await;
    asked.unwrap().approval
}

/// Calls that are the same share one question; what differs in anything is another.
pub(crate) async fn identical_questions_are_one(fresh: Fresh) {
    let approvals = open(&fresh).await;
    let first = ask(&approvals, 1, 0).await;
    let again = approvals.ask("other", &subject(1), &terms(), "c1", at(5), 100).await.unwrap();
    assert_eq!((again.new, &again.approval.id), (false, &first.id));
    assert_ne!(ask(&approvals, 2, 0).await.id, first.id, "A1");
    let changes: [fn(&mut Subject); 5] = [
        |subject| subject.client = Some("cli".into()),
        |subject| subject.definition = Some(Digest::from_bytes([9; 32])),
        |subject| subject.policies.push("another".into()),
        |subject| subject.issuer = "other".into(),
        |subject| subject.connection = "prod".into(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut subject = subject(1);
        change(&mut subject);
        let id = format!("b{number}");
        let asked = approvals.ask(&id, &subject, &terms(), "c2", at(0), 100).await.unwrap();
        assert!(asked.new, "{subject:?}");
    }
}

/// A6: of two answers the first one stands, and the other is told.
pub(crate) async fn the_first_answer_stands(fresh: Fresh) {
    let approvals = open(&fresh).await;
    for round in 0..20 {
        let id = ask(&approvals, round, 0).await.id;
        let act = |act: Act| {
            let (approvals, id) = (Arc::clone(&approvals), id.clone());
            tokio::spawn(async move { approvals.act(&id, &act, at(1)).await })
        };
        let (one, two) = (act(yes("ann")), act(no("bob")));
        let (one, two) = (one.await.unwrap(), two.await.unwrap());
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        let loser = if one.is_err() { one } else { two };
        assert!(matches!(loser, Err(ApprovalFault::Act(ActFault::Decided))));
    }
}

/// A7: however many race for it, a grant is used once.
pub(crate) async fn a_grant_is_used_once(fresh: Fresh) {
    let rounds =
        std::env::var("LOCKGATE_GRANT_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    let approvals = open(&fresh).await;
    // As another node would have it.
    let other = open(&fresh).await;
    let mut double = 0;
    for round in 0..rounds {
        let (id, now) = (format!("g{round}"), i64::from(round));
        approvals.ask(&id, &subject(1), &terms(), "c0", at(now), 100).await.unwrap();
        approvals.act(&id, &yes("ann"), at(now)).await.unwrap();
        let racers = (0..64).map(|racer| {
            let approvals = Arc::clone(if racer % 2 == 0 { &approvals } else { &other });
            let id = id.clone();
            tokio::spawn(async move { approvals.act(&id, &spend(racer), at(now)).await.is_ok() })
        });
        let racers: Vec<_> = racers.collect();
        let mut uses = 0;
        for racer in racers {
            uses += u32::from(racer.await.unwrap());
        }
        assert!(uses > 0, "nobody could use it");
        double += u32::from(uses > 1);
    }
    println!("{rounds} grants, 64 racers each: {double} used twice");
    assert_eq!(double, 0);
}

/// A8: what is over is over by a millisecond, and a clock that is set back brings nothing back.
pub(crate) async fn time_ends_questions_and_grants(fresh: Fresh) {
    let approvals = open(&fresh).await;
    let id = ask(&approvals, 1, 0).await.id;
    approvals.act(&id, &yes("ann"), at(0)).await.unwrap();
    assert!(approvals.sweep(at(9_999)).await.unwrap().is_empty());
    let ended = approvals.sweep(at(10_000)).await.unwrap();
    assert_eq!(ended.iter().map(|one| &one.state).collect::<Vec<_>>(), [&State::Expired]);
    let late = approvals.act(&id, &spend(1), at(1)).await;
    assert!(matches!(late, Err(ApprovalFault::Act(ActFault::Decided))), "{late:?}");
    // So does a use that came too late, before anybody swept.
    let id = ask(&approvals, 2, 0).await.id;
    approvals.act(&id, &yes("ann"), at(0)).await.unwrap();
    for now in [10_000, 9_999] {
        let late = approvals.act(&id, &spend(1), at(now)).await;
        assert!(matches!(late, Err(ApprovalFault::Act(ActFault::Decided))), "{now}: {late:?}");
    }
    // The same call may be asked about again.
    let again = ask(&approvals, 1, 10_001).await;
    assert_eq!(again.state, State::Pending);
    let over = approvals.get(&again.id, at(60_000)).await.unwrap();
    assert_eq!(over.state, State::Expired, "also where nobody has swept");
}

/// Asking again is no way around a no, until the question would have lapsed.
pub(crate) async fn a_rejection_stands(fresh: Fresh) {
    let approvals = open(&fresh).await;
    let id = ask(&approvals, 1, 0).await.id;
    approvals.act(&id, &no("ann"), at(1)).await.unwrap();
    assert_eq!(ask(&approvals, 1, 59_999).await.id, id);
    assert_ne!(ask(&approvals, 1, 60_000).await.id, id);
    let counts = approvals.counts(&subject(1)).await.unwrap();
    assert_eq!(counts, Counts { approved: 0, rejected: 1 });
}

/// A13: nobody floods the reviewers.
pub(crate) async fn a_caller_has_so_many_questions_open(fresh: Fresh) {
    let approvals = open(&fresh).await;
    for number in 0..3 {
        let id = format!("q{number}");
        approvals.ask(&id, &subject(number), &terms(), "c0", at(0), 3).await.unwrap();
    }
    let more = approvals.ask("q3", &subject(3), &terms(), "c0", at(0), 3).await;
    assert!(matches!(more, Err(ApprovalFault::TooMany { live_max: 3 })), "{more:?}");
    // Known ones are not new ones.
    assert!(!approvals.ask("q4", &subject(1), &terms(), "c0", at(0), 3).await.unwrap().new);
    approvals.act("q0", &no("ann"), at(1)).await.unwrap();
    approvals.ask("q3", &subject(3), &terms(), "c0", at(1), 3).await.unwrap();
}

pub(crate) async fn lists_say_what_they_say(fresh: Fresh) {
    let approvals = open(&fresh).await;
    for number in 0..5 {
        ask(&approvals, number, i64::from(number)).await;
    }
    approvals.act("a1-1", &yes("ann"), at(9)).await.unwrap();
    let ids = async |filter: ApprovalFilter| -> Vec<String> {
        let found = approvals.list(&filter, at(9)).await.unwrap();
        found.into_iter().map(|approval| approval.id).collect()
    };
    let all = ApprovalFilter::default();
    assert_eq!(ids(all.clone()).await, ["a4-4", "a3-3", "a2-2", "a1-1", "a0-0"]);
    let state = Some("approved".to_owned());
    assert_eq!(ids(ApprovalFilter { state, ..all.clone() }).await, ["a1-1"]);
    let before = Some((at(3), "a3-3".to_owned()));
    assert_eq!(ids(ApprovalFilter { before, limit: 2, ..all.clone() }).await, ["a2-2", "a1-1"]);
    let connection = Some("other".to_owned());
    assert!(ids(ApprovalFilter { connection, ..all.clone() }).await.is_empty());
    let caller = Some("corp/bot".to_owned());
    assert_eq!(ids(ApprovalFilter { caller, ..all }).await.len(), 5);
    assert!(matches!(approvals.get("nothing", at(0)).await, Err(ApprovalFault::Unknown)));
}

/// Whoever waits is told at once by this process, and sees what another one did soon.
fn access(id: &str, ends: i64, emergency: bool) -> Approval {
    let access = Access { reason: "case 42".into(), ends: at(ends), emergency, groups: vec![] };
    let subject = Subject {
        action: ACCESS.into(),
        target: String::new(),
        arguments: content_digest(&access),
        ..subject(0)
    };
    Approval::access(id.into(), subject, terms(), access, at(0))
}

pub(crate) async fn access_is_found_while_it_is_in_force(fresh: Fresh) {
    let approvals = open(&fresh).await;
    approvals.request(&access("a1", 30_000, false), 3).await.unwrap();
    approvals.request(&access("a2", 40_000, true), 3).await.unwrap();
    let same = approvals.request(&access("a3", 30_000, false), 3).await;
    assert!(matches!(same, Err(ApprovalFault::Busy)), "{same:?}");
    // A grant of one call is none.
    let single = ask(&approvals, 1, 0).await;
    approvals.act(&single.id, &yes("ann"), at(1)).await.unwrap();
    let over = approvals.request(&access("a4", 50_000, false), 3).await;
    assert!(matches!(over, Err(ApprovalFault::TooMany { live_max: 3 })), "{over:?}");

    let ids = async |caller, connection, now| {
        let found = approvals.in_force(caller, connection, at(now)).await.unwrap();
        found.into_iter().map(|access| access.id).collect::<Vec<_>>()
    };
    assert_eq!(ids("corp/bot", "staff", 1).await, ["a2"], "the other one is not given yet");
    approvals.act("a1", &yes("ann"), at(2)).await.unwrap();
    assert_eq!(ids("corp/bot", "staff", 2).await, ["a1", "a2"]);
    assert_eq!(ids("corp/bot", "staff", 30_000).await, ["a2"], "it ends by itself");
    assert!(ids("corp/ann", "staff", 2).await.is_empty());
    assert!(ids("corp/bot", "other", 2).await.is_empty());

    // What was taken counts until somebody has looked at it, however often time passes over it.
    assert_eq!(approvals.emergencies().await.unwrap(), 1);
    let ended = approvals.sweep(at(60_000)).await.unwrap();
    assert!(ended.iter().any(|one| one.id == "a2" && one.state == State::Unreviewed));
    assert!(approvals.sweep(at(90_000)).await.unwrap().is_empty());
    assert_eq!(approvals.emergencies().await.unwrap(), 1);
    let looked = approvals.act("a2", &yes("ann"), at(100_000)).await.unwrap();
    assert_eq!(looked.state, State::Reviewed);
    assert_eq!(approvals.emergencies().await.unwrap(), 0);
    // Decisions about calls are counted without it.
    let counts = approvals.counts(&subject(0)).await.unwrap();
    assert_eq!(counts, Counts { approved: 0, rejected: 0 }, "the single grant has expired");
    approvals.close().await;
}

pub(crate) async fn who_waits_learns_of_it(fresh: Fresh) {
    let (here, there) = (open(&fresh).await, open(&fresh).await);
    for (number, decides) in [(1, &here), (2, &there)] {
        let id = ask(&here, number, 0).await.id;
        let mut waiter = here.waiter(Some(&id));
        let waiting = tokio::spawn({
            let (here, id) = (Arc::clone(&here), id.clone());
            async move {
                while here.get(&id, at(1)).await.unwrap().state == State::Pending {
                    waiter.look().await;
                }
            }
        });
        decides.act(&id, &yes("ann"), at(1)).await.unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(5), waiting).await.unwrap().unwrap();
    }
}
