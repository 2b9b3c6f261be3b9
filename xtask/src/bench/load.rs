//! The load: as fast as the answers come (closed loop), or at a steady rate whatever comes (open
//! loop).

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use super::{
    process::{self, Usage},
    target::{Caller, Question, Target},
    upstream::Library,
};

/// How calls follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Each of the callers asks again as soon as it is answered.
    Closed { callers: usize },
    /// So many calls begin every second, on as many callers as that takes.
    Open { per_second: u32 },
}

/// Callers that share an open loop's rate.
const OPEN_CALLERS: usize = 64;
/// Calls of each caller before anything is measured.
const WARM_UP: usize = 20;

/// What one run measured.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// One entry a call that was answered right, in nanoseconds.
    pub(super) latencies: Vec<u64>,
    pub(super) errors: u64,
    /// What the first error said.
    pub(super) error: Option<String>,
    pub(super) elapsed: Duration,
    /// Of the target's process, where it is known.
    pub(super) usage: Option<Usage>,
}

/// Calls `target` for `duration`.
pub(super) async fn run(
    target: &Target,
    question: &Question,
    pace: Pace,
    duration: Duration,
    library: &Library,
) -> Result<Run> {
    let count = match pace {
        Pace::Closed { callers } => callers,
        Pace::Open { .. } => OPEN_CALLERS,
    };
    let mut callers = Vec::new();
    for number in 0..count {
        let caller = target.caller(number, question, library).await;
        let mut caller = caller.with_context(|| format!("can't reach {}", target.name))?;
        for _ in 0..WARM_UP {
            caller.call().await.with_context(|| format!("warming up {}", target.name))?;
        }
        callers.push(caller);
    }

    let before = target.pid.map(process::cpu_us).transpose()?;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, caller) in callers.into_iter().enumerate() {
        let due = Due { start, pace, number, count };
        tasks.spawn(drive(caller, due, start + duration));
    }
    let mut run = Run::default();
    while let Some(part) = tasks.join_next().await {
        let part = part?;
        run.latencies.extend(part.latencies);
        run.errors += part.errors;
        run.error = run.error.or(part.error);
    }
    run.elapsed = start.elapsed();
    if let (Some(pid), Some(before)) = (target.pid, before) {
        let cpu_us = process::cpu_us(pid)?.saturating_sub(before);
        run.usage = Some(Usage { cpu_us, rss_kb: process::rss_kb(pid)? });
    }
    Ok(run)
}

/// When a caller's calls are due.
struct Due {
    start: Instant,
    pace: Pace,
    number: usize,
    count: usize,
}

impl Due {
    /// When call `index` is due; `None` where it is as soon as the last one is answered.
    fn at(&self, index: usize) -> Option<Instant> {
        match self.pace {
            Pace::Closed { .. } => None,
            Pace::Open { per_second } => {
                let turn = self.number + index * self.count;
                Some(self.start + Duration::from_secs_f64(turn as f64 / f64::from(per_second)))
            }
        }
    }
}

async fn drive(mut caller: Caller, due: Due, end: Instant) -> Run {
    let mut run = Run::default();
    for index in 0.. {
        let mut begun = Instant::now();
        if let Some(at) = due.at(index) {
            if at > begun {
                tokio::time::sleep_until(at.into()).await;
                // The timer's own lateness is not the target's; a late caller's is.
                begun = Instant::now();
            } else {
                begun = at;
            }
        }
        if Instant::now() >= end {
            break;
        }
        match caller.call().await {
            Ok(()) => run.latencies.push(begun.elapsed().as_nanos() as u64),
            Err(error) => {
                run.errors += 1;
                run.error = Some(format!("{error:#}"));
                // After an error the connection can't be trusted; the run has failed anyway.
                break;
            }
        }
    }
    run
}
