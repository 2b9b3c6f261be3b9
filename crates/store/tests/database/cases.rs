//! What goes in, what comes out, and what is found by what.

use lockgate_model::{Ask, Era, Event, OutcomeStatus, Reason, Verdict};
use lockgate_store::{
    db::{DbFault, DbPlace},
    index::{
        CallRow, Filter, Index, IndexFault, Indexed, Page, Query, RefusalFilter, RefusalRow,
        SessionRow, VerdictKind,
    },
};
use serde_json::json;
use sqlx::Connection as _;

use crate::{
    contract::Fresh,
    events::{
        at, call, closed, contents, decided, deny, found, found_sessions, intent, message, opened,
        outcome, records, records_from, refused, session,
    },
};

pub(crate) async fn every_field_comes_back(fresh: Fresh) {
    let index = &fresh.index;
    let mut asked = intent(1, 1, json!({"sql": "select"}));
    asked.facts = vec!["sql.read".into(), "sql.table:users".into()];
    let mut denied = intent(2, 1, json!(null));
    denied.verdict = deny(Reason::PolicyForbidden, "p2");
    let mut end = outcome(1, 1, OutcomeStatus::Error, "x");
    if let Event::Outcome(outcome) = &mut end {
        outcome.masked = [("pii.email".to_owned(), 3)].into();
    }
    let batch = records([
        opened(1, "alice"),
        decided(asked),
        message(1, 1, "y"),
        end,
        decided(denied),
        refused(Some("corp/mallory"), Reason::TokenExpired),
        closed(1),
    ]);
    index.apply("n1", &batch).await.unwrap();
    assert_eq!(index.applied("n1").await.unwrap(), 7);
    assert_eq!(index.applied("n2").await.unwrap(), 0);

    assert_eq!(index.session(&session(1)).await.unwrap(), Some(expected_session()));
    assert_eq!(index.call(&call(1)).await.unwrap(), Some(expected_call()));
    let row = index.call(&call(2)).await.unwrap().unwrap();
    assert_eq!((row.verdict, row.reason), (VerdictKind::Deny, Some(Reason::PolicyForbidden)));
    assert_eq!((row.status, row.outcome_seq, row.elapsed_us), (None, None, None));

    let rows = index.refusals(&RefusalFilter::default(), Page::first(9)).await.unwrap().rows;
    assert_eq!(rows, [expected_refusal()]);
    assert_eq!(index.session("s0").await.unwrap(), None);
    assert_eq!(index.call("0").await.unwrap(), None);
}

fn expected_session() -> SessionRow {
    SessionRow {
        id: session(1),
        node: "n1".into(),
        issuer: "corp".into(),
        subject: "alice".into(),
        client: Some("ide".into()),
        groups: vec!["corp/all".into(), "corp/dev".into()],
        connection: "db".into(),
        era: Some(Era::Legacy),
        opened: at(1),
        last: at(7),
        first_seq: 1,
        last_seq: 7,
        closed: Some(at(7)),
        why: Some("idle".into()),
        calls: 2,
        denied: 1,
        errors: 1,
        bytes: 110,
        held: false,
        erased: false,
        retired: false,
    }
}

fn expected_call() -> CallRow {
    CallRow {
        id: call(1),
        node: "n1".into(),
        session: Some(session(1)),
        seq: 2,
        outcome_seq: Some(4),
        time: at(2),
        trace: format!("{:032x}", 0xabd),
        issuer: "corp".into(),
        subject: "alice".into(),
        client: Some("ide".into()),
        groups: vec!["corp/all".into(), "corp/dev".into()],
        connection: "db".into(),
        method: "tools/call".into(),
        action: "call_tool".into(),
        target: "query".into(),
        verdict: VerdictKind::Allow,
        reason: None,
        policies: vec!["p1".into()],
        facts: vec!["sql.read".into(), "sql.table:users".into()],
        status: Some(OutcomeStatus::Error),
        elapsed_us: Some(1_500),
        bytes: 110,
        masked: [("pii.email".to_owned(), 3)].into(),
        text_cut: false,
        erased: false,
    }
}

fn expected_refusal() -> RefusalRow {
    RefusalRow {
        request: "r1".into(),
        node: "n1".into(),
        seq: 6,
        time: at(6),
        peer: "10.0.0.9:5000".into(),
        connection: Some("db".into()),
        identity: Some("corp/mallory".into()),
        reason: Reason::TokenExpired,
        detail: "no".into(),
    }
}

pub(crate) async fn a_batch_that_comes_again_changes_nothing(fresh: Fresh) {
    let index = &fresh.index;
    let batch = records([
        opened(1, "alice"),
        decided(intent(1, 1, json!({"sql": "select"}))),
        message(1, 1, "hello"),
        outcome(1, 1, OutcomeStatus::Result, "x"),
    ]);
    index.apply("n1", &batch).await.unwrap();
    let once = contents(index).await;
    index.apply("n1", &batch).await.unwrap();
    index.apply("n1", &batch[1..3]).await.unwrap();
    index.apply("n1", &[]).await.unwrap();
    assert_eq!(contents(index).await, once);
    assert_eq!(index.applied("n1").await.unwrap(), 4);
}

pub(crate) async fn any_cut_into_batches_gives_the_same(fresh: Fresh) {
    let events = (0..40u64).flat_map(|n| {
        let text = format!("word{n} common");
        [
            opened(n, "alice"),
            decided(intent(n, n / 2, json!({"n": n}))),
            message(n, n / 2, &text),
            outcome(n, n / 2, OutcomeStatus::Result, &text),
        ]
    });
    let batch = records(events);
    let index = &fresh.index;
    index.apply("n1", &batch).await.unwrap();
    let whole = contents(index).await;
    for size in [1, 3, 7] {
        index.clear("n1").await.unwrap();
        assert_eq!(contents(index).await.calls, []);
        assert_eq!(index.applied("n1").await.unwrap(), 0);
        for part in batch.chunks(size) {
            index.apply("n1", part).await.unwrap();
        }
        assert_eq!(contents(index).await, whole, "batches of {size}");
        let text = Some(Query::parse("word7").unwrap());
        assert_eq!(found(index, Filter { text, ..Filter::default() }).await, [7]);
    }
}

/// Three sessions, five calls, each with something of its own.
async fn fill(index: &Index) {
    let mut bob = intent(3, 2, json!({"q": "beta"}));
    bob.subject = "bob".into();
    bob.issuer = "partner".into();
    bob.groups = vec!["partner/ops".into()];
    bob.client = None;
    bob.verdict = deny(Reason::PolicyForbidden, "no-drop");
    bob.facts = vec!["sql.write.drop".into()];
    let Event::Opened(mut of_bob) = opened(2, "bob") else { panic!("opened") };
    (of_bob.issuer, of_bob.client) = ("partner".into(), None);
    of_bob.groups = vec!["partner/ops".into()];
    let mut asked = intent(4, 3, json!({"q": "gamma"}));
    asked.verdict = Verdict::Ask(Ask {
        approvers: vec![],
        policies: vec!["ask-first".into()],
        quorum: 1,
        expires_ms: None,
        reason: None,
        access_ms: None,
        emergency: false,
    });
    asked.target = "delete".into();
    asked.connection = "files".into();
    let Event::Opened(mut of_files) = opened(3, "alice") else { panic!("opened") };
    of_files.connection = "files".into();
    let mut own = intent(5, 1, json!(null));
    own.session = None;
    let mut end = outcome(1, 1, OutcomeStatus::Failed, "y");
    if let Event::Outcome(outcome) = &mut end {
        outcome.reason = Some(Reason::UpstreamTimeout);
    }
    let batch = records([
        opened(1, "alice"),
        decided(intent(1, 1, json!({"q": "alpha"}))),
        end,
        decided(intent(2, 1, json!({"q": "alpha beta"}))),
        Event::Opened(of_bob),
        decided(bob),
        Event::Opened(of_files),
        decided(asked),
        decided(own),
        refused(None, Reason::TokenMissing),
        refused(Some("corp/eve"), Reason::TokenExpired),
        closed(2),
    ]);
    index.apply("n1", &batch).await.unwrap();
}

pub(crate) async fn filters_say_what_they_say(fresh: Fresh) {
    fill(&fresh.index).await;
    let text = |text: &str| Some(text.to_owned());
    let none = Filter::default;
    let rows: Vec<(Filter, &[u64], &[u64])> = vec![
        (none(), &[1, 2, 3, 4, 5], &[1, 2, 3]),
        (Filter { issuer: text("corp"), ..none() }, &[1, 2, 4, 5], &[1, 3]),
        (Filter { subject: text("bob"), ..none() }, &[3], &[2]),
        (Filter { issuer: text("corp"), subject: text("bob"), ..none() }, &[], &[]),
        (Filter { group: text("partner/ops"), ..none() }, &[3], &[2]),
        (Filter { group: text("corp/dev"), ..none() }, &[1, 2, 4, 5], &[1, 3]),
        (Filter { group: text("corp"), ..none() }, &[], &[]),
        (Filter { client: text("ide"), ..none() }, &[1, 2, 4, 5], &[1, 3]),
        (Filter { connection: text("files"), ..none() }, &[4], &[3]),
        (Filter { tool: text("delete"), ..none() }, &[4], &[3]),
        (Filter { tool: text("DELETE"), ..none() }, &[], &[]),
        (Filter { verdict: Some(VerdictKind::Allow), ..none() }, &[1, 2, 5], &[1]),
        (Filter { verdict: Some(VerdictKind::Ask), ..none() }, &[4], &[3]),
        (Filter { verdict: Some(VerdictKind::Deny), ..none() }, &[3], &[2]),
        (Filter { policy: text("no-drop"), ..none() }, &[3], &[2]),
        (Filter { policy: text("p1"), ..none() }, &[1, 2, 5], &[1]),
        (Filter { fact: text("sql"), ..none() }, &[3], &[2]),
        (Filter { reason: Some(Reason::UpstreamTimeout), ..none() }, &[1], &[1]),
        (Filter { reason: Some(Reason::PolicyForbidden), ..none() }, &[3], &[2]),
        (Filter { trace: text(&format!("{:032x}", 0xabe)), ..none() }, &[3], &[2]),
        (Filter { session: Some(session(1)), ..none() }, &[1, 2], &[1]),
        (Filter { from: Some(at(6)), ..none() }, &[3, 4, 5], &[2, 3]),
        (Filter { to: Some(at(4)), ..none() }, &[1], &[1]),
        (Filter { from: Some(at(4)), to: Some(at(5)), ..none() }, &[2], &[1]),
        (Filter { text: Query::parse("beta").ok(), ..none() }, &[2, 3], &[1, 2]),
        (Filter { text: Query::parse("beta alpha").ok(), ..none() }, &[2], &[1]),
        (Filter { open: Some(true), ..none() }, &[1, 2, 3, 4, 5], &[1, 3]),
        (Filter { open: Some(false), ..none() }, &[1, 2, 3, 4, 5], &[2]),
        // Of one and the same call.
        (
            Filter {
                text: Query::parse("beta").ok(),
                reason: Some(Reason::UpstreamTimeout),
                ..none()
            },
            &[],
            &[],
        ),
        (Filter { subject: text("' OR 1=1 --"), ..none() }, &[], &[]),
        (Filter { fact: text("%"), ..none() }, &[], &[]),
    ];
    for (filter, calls, sessions) in rows {
        assert_eq!(found(&fresh.index, filter.clone()).await, calls, "{filter:?}");
        assert_eq!(found_sessions(&fresh.index, filter.clone()).await, sessions, "{filter:?}");
    }
    let none = RefusalFilter::default;
    for (filter, count) in [
        (none(), 2),
        (RefusalFilter { reason: Some(Reason::TokenMissing), ..none() }, 1),
        (RefusalFilter { identity: text("corp/eve"), ..none() }, 1),
        (RefusalFilter { connection: text("db"), ..none() }, 2),
        (RefusalFilter { from: Some(at(11)), ..none() }, 1),
        (RefusalFilter { to: Some(at(10)), ..none() }, 0),
    ] {
        let rows = fresh.index.refusals(&filter, Page::first(9)).await.unwrap().rows;
        assert_eq!(rows.len(), count, "{filter:?}");
    }
}

pub(crate) async fn a_fact_is_found_by_those_above_it(fresh: Fresh) {
    let facts =
        ["sql", "sql.write", "sql.write.drop", "sqlite", "sql-x", "sql/x", "SQL.write", "sq"];
    let calls = facts.iter().enumerate().map(|(number, fact)| {
        let mut call = intent(number as u64, 1, json!(null));
        call.facts = vec![(*fact).into()];
        decided(call)
    });
    fresh.index.apply("n1", &records(calls)).await.unwrap();
    for (fact, expected) in [
        ("sql", &[0, 1, 2][..]),
        ("sql.write", &[1, 2]),
        ("sql.write.drop", &[2]),
        ("sql.w", &[]),
        ("sql.", &[]),
        ("sqlite", &[3]),
        ("SQL", &[6]),
        ("", &[]),
    ] {
        let filter = Filter { fact: Some(fact.into()), ..Filter::default() };
        assert_eq!(found(&fresh.index, filter).await, expected, "{fact}");
    }
}

pub(crate) async fn nodes_share_an_index_and_are_cleared_alone(fresh: Fresh) {
    let index = &fresh.index;
    let of = |number: u64| {
        let text = json!({"q": format!("node{number} word")});
        [
            opened(number, "alice"),
            decided(intent(number, number, text)),
            refused(None, Reason::TokenMissing),
        ]
    };
    index.apply("n1", &records(of(1))).await.unwrap();
    index.apply("n2", &records(of(2))).await.unwrap();
    let words = |text: &str| Filter { text: Query::parse(text).ok(), ..Filter::default() };
    assert_eq!(found(index, words("word")).await, [1, 2]);
    index.clear("n1").await.unwrap();
    assert_eq!(found(index, words("word")).await, [2]);
    assert_eq!(found(index, words("node1")).await, [0; 0]);
    let left = contents(index).await;
    assert_eq!((left.sessions.len(), left.calls.len(), left.refusals.len()), (1, 1, 1));
    assert_eq!(index.applied("n1").await.unwrap(), 0);
    assert_eq!(index.applied("n2").await.unwrap(), 3);
    index.apply("n1", &records(of(1))).await.unwrap();
    assert_eq!(found(index, words("word")).await, [1, 2]);
    // The last one that has any.
    index.clear("n1").await.unwrap();
    index.clear("n2").await.unwrap();
    assert_eq!(found(index, words("word")).await, [0; 0]);
}

pub(crate) async fn records_without_their_beginning_are_kept(fresh: Fresh) {
    let index = &fresh.index;
    let batch = records_from(
        100,
        [
            outcome(1, 1, OutcomeStatus::Result, "orphan"),
            message(1, 1, "orphan"),
            closed(7),
            decided(intent(2, 1, json!(null))),
            outcome(2, 1, OutcomeStatus::Result, "child"),
        ],
    );
    index.apply("n1", &batch).await.unwrap();
    assert_eq!(index.applied("n1").await.unwrap(), 104);
    let row = index.session(&session(1)).await.unwrap().unwrap();
    assert_eq!((&*row.subject, row.opened, row.calls), ("alice", at(103), 1));
    assert_eq!(row.groups, ["corp/all", "corp/dev"]);
    assert_eq!(index.session(&session(7)).await.unwrap(), None);
    assert_eq!(index.call(&call(1)).await.unwrap(), None);
    // A call that is known twice is the first.
    index.apply("n1", &records_from(200, [decided(intent(2, 9, json!(null)))])).await.unwrap();
    assert_eq!(index.call(&call(2)).await.unwrap().unwrap().session, Some(session(1)));
}

pub(crate) async fn what_many_calls_have_is_found_too(fresh: Fresh) {
    let index = &fresh.index;
    let calls = (0..40_200u64).map(|number| {
        let text = if number == 77 { "common rare" } else { "common" };
        let mut call = intent(number, 1, json!({"q": text}));
        call.session = None;
        call.facts = vec!["sql.read".into()];
        call.subject = format!("user{}", number / 100);
        decided(call)
    });
    index.apply("n1", &records(calls)).await.unwrap();
    let text = |text: &str| Query::parse(text).ok();
    let all = Filter {
        fact: Some("sql".into()),
        group: Some("corp/dev".into()),
        policy: Some("p1".into()),
        text: text("common com*"),
        ..Filter::default()
    };
    let page = index.calls(&all, Page::first(3)).await.unwrap();
    let ids: Vec<_> = page.rows.iter().map(|row| &*row.id).collect();
    assert_eq!(ids, [call(40_199), call(40_198), call(40_197)]);
    let next = Page::new(1, page.next.map(|next| next.to_string()).as_deref()).unwrap();
    assert_eq!(index.calls(&all, next).await.unwrap().rows[0].id, call(40_196));
    let one = Filter { text: text("common rare"), ..all.clone() };
    assert_eq!(found(index, one.clone()).await, [77]);
    let subject = Some("user0".to_owned());
    assert_eq!(found(index, Filter { subject, ..all.clone() }).await, (0..100).collect::<Vec<_>>());
    assert_eq!(found(index, Filter { fact: Some("sq".into()), ..one }).await, [0; 0]);
    let none = Filter { text: text("common absent"), ..all };
    assert_eq!(found(index, none).await, [0; 0]);
}

/// A session whose every text is `text`.
fn hostile(number: u64, text: &str) -> Vec<Indexed> {
    let mut call = intent(number, number, json!({text: [text, "needle"]}));
    for field in [
        &mut call.subject,
        &mut call.target,
        &mut call.trace,
        &mut call.method,
        &mut call.connection,
        &mut call.issuer,
        &mut call.action,
    ] {
        *field = text.into();
    }
    call.facts = vec![text.into()];
    call.groups = vec![text.into()];
    call.verdict = deny(Reason::PolicyForbidden, text);
    records_from(
        number * 10 + 1,
        [
            opened(number, text),
            decided(call),
            message(number, number, text),
            refused(Some(text), Reason::TokenMissing),
            Event::Closed { session: session(number), why: text.into() },
        ],
    )
}

pub(crate) async fn l1_hostile_text_is_data(fresh: Fresh) {
    let index = &fresh.index;
    let huge = "x".repeat(1_000_000);
    let rows = [
        "a\r\nb",
        "nul\0nul",
        "line\u{2028}paragraph\u{2029}next\u{85}",
        "\u{1b}[2J\u{1b}]52;c;aGk=\u{7}",
        "\"},\"event\":{}}\n{\"seq\":1,",
        "'; DROP TABLE calls; --",
        "$1 ? :x @y {} %s",
        "\" OR words MATCH \"x",
        "NEAR(a b) AND NOT c OR ^d : {e}",
        "a & b | !c <-> d:*",
        "\u{feff}\u{202e}\u{10ffff}",
        &huge,
        "plain",
    ];
    for (number, text) in rows.iter().enumerate() {
        let number = number as u64;
        index.apply("n1", &hostile(number, text)).await.unwrap();
    }
    for (number, text) in rows.iter().enumerate() {
        let number = number as u64;
        let own = Some((*text).to_owned());
        let filter = Filter {
            subject: own.clone(),
            tool: own.clone(),
            trace: own.clone(),
            fact: own.clone(),
            group: own.clone(),
            policy: own.clone(),
            connection: own.clone(),
            issuer: own.clone(),
            ..Filter::default()
        };
        assert_eq!(found(index, filter).await, [number], "{text:.40}");
        let filter = Filter { subject: own.clone(), ..Filter::default() };
        assert_eq!(found_sessions(index, filter).await, [number], "{text:.40}");
        let filter = RefusalFilter { identity: own, ..RefusalFilter::default() };
        assert_eq!(index.refusals(&filter, Page::first(9)).await.unwrap().rows.len(), 1);
        // As a search it finds itself, or nothing, or is refused in words.
        match Query::parse(text) {
            Ok(query) => {
                drop(found(index, Filter { text: Some(query), ..Filter::default() }).await)
            }
            Err(fault) => assert!(!fault.to_string().is_empty()),
        }
    }
    let short =
        found(index, Filter { text: Query::parse("needle").ok(), ..Filter::default() }).await;
    let all_but_huge: Vec<_> = (0..13).filter(|number| *number != 11).collect();
    assert_eq!(short, all_but_huge, "the huge one is beyond what is searched");
    let row = index.call(&call(1)).await.unwrap().unwrap();
    assert_eq!(row.subject, "nul\u{fffd}nul");
}

pub(crate) async fn long_names_are_found_by_their_full_value(fresh: Fresh) {
    let base = "é".repeat(2_000);
    let subjects = [base.clone(), format!("{base}a"), format!("{base}b")];
    let calls = subjects.iter().enumerate().map(|(number, subject)| {
        let mut call = intent(number as u64, number as u64, json!(null));
        (call.subject, call.target) = (subject.clone(), subject.clone());
        decided(call)
    });
    fresh.index.apply("n1", &records(calls)).await.unwrap();
    for (number, subject) in subjects.iter().enumerate() {
        let subject = Some(subject.clone());
        let filter = Filter { tool: subject.clone(), subject, ..Filter::default() };
        assert_eq!(found(&fresh.index, filter).await, [number as u64]);
    }
    let row = fresh.index.call(&call(1)).await.unwrap().unwrap();
    assert!(row.subject.len() <= 512 && row.subject.contains("…sha256:"), "{}", row.subject);
}

pub(crate) async fn a_later_schema_is_refused(fresh: Fresh) {
    fresh.index.close().await;
    let later = "INSERT INTO _index_migrations (version, description, success, checksum, \
        execution_time) VALUES (999, 'later', TRUE, 'x', 0)";
    match &fresh.place {
        DbPlace::Sqlite(path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query(later).execute(&mut connection).await.unwrap();
        }
        DbPlace::Postgres(url) => {
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            sqlx::query(later).execute(&mut connection).await.unwrap();
        }
    }
    let fault = Index::open(&fresh.place).await.unwrap_err();
    assert!(matches!(fault, IndexFault::Db(DbFault::Newer { version: 999, .. })), "{fault:?}");
    assert!(fault.to_string().contains("reindex"), "{fault}");
}
