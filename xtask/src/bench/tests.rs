//! The bench against itself: its upstream must answer its load generator, in every form.

use std::{sync::Arc, time::Duration};

use super::{
    bodies::Bodies,
    load::{self, Pace},
    mcp::{Era, Form},
    mint::Mint,
    target::{Question, Target},
    upstream,
};

#[test]
fn the_upstream_answers_every_question() {
    let library = Arc::new([256, 256 * 1024].map(|size| (size, Bodies::new(size))).into());
    let keys = Mint::new().unwrap().key_set().unwrap();
    let address = upstream::start(0, Arc::clone(&library), keys, None).unwrap();
    let path = "/mcp".to_owned();
    let target =
        Target { name: "direct", address, path, tokens: Vec::new(), pid: Some(std::process::id()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for era in [Era::Legacy, Era::Modern] {
        for form in [Form::Json, Form::Sse] {
            for size in [256, 256 * 1024] {
                for pace in [Pace::Closed { callers: 2 }, Pace::Open { per_second: 500 }] {
                    let question = Question { era, form, size };
                    let duration = Duration::from_millis(50);
                    let run = load::run(&target, &question, pace, duration, &library);
                    let run = runtime.block_on(run).unwrap();
                    assert_eq!(run.error, None, "{question:?} {pace:?}");
                    assert!(!run.latencies.is_empty() && run.usage.is_some());
                }
            }
        }
    }
}

#[test]
fn a_wrong_answer_is_an_error() {
    let keys = String::new();
    let theirs = Arc::new([(256, Bodies::new(256))].into());
    let address = upstream::start(0, theirs, keys, None).unwrap();
    let path = "/mcp".to_owned();
    let target = Target { name: "direct", address, path, tokens: Vec::new(), pid: None };
    let question = Question { era: Era::Modern, form: Form::Json, size: 512 };
    let ours = Arc::new([(512, Bodies::new(512))].into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pace = Pace::Closed { callers: 1 };
    let run = load::run(&target, &question, pace, Duration::from_millis(10), &ours);
    assert!(runtime.block_on(run).is_err());
}
