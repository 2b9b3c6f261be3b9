//! The one test command: everything that must hold, in the order in which faults are cheapest to
//! find, each step timed, and one summary.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::{repo, tidy};

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this step; may be given several times
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
}

/// What is run, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// What the compiler can't check.
    Tidy,
    /// Layout.
    Format,
    /// Lints of every crate, tests included.
    Lint,
    /// Every crate's own tests.
    Unit,
    /// The parsers under mutated inputs, briefly.
    Fuzz,
    /// The real binary, and the programs of the end-to-end tests.
    Build,
    /// Node and Python parts of the end-to-end tests.
    Parts,
    /// The real binary with real parts.
    E2e,
}

/// How many tests cargo counted.
#[derive(Clone, Copy, Default)]
struct Count {
    passed: u64,
    failed: u64,
}

struct Outcome {
    step: Step,
    ok: bool,
    count: Count,
    took: Duration,
}

/// Runs the steps, also after one has failed, and tells whether all were good.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let all = Step::value_variants().iter().copied();
    let chosen = all.filter(|step| options.only.is_empty() || options.only.contains(step));
    let outcomes = chosen.map(run_step).collect::<Result<Vec<_>>>()?;
    summarize(&outcomes);
    Ok(outcomes.iter().all(|outcome| outcome.ok))
}

fn run_step(step: Step) -> Result<Outcome> {
    println!("== {}", step.name());
    let start = Instant::now();
    let (ok, count) = match step {
        Step::Tidy => (tidy::run()?, Count::default()),
        _ => run_cargo(step.arguments())?,
    };
    Ok(Outcome { step, ok, count, took: start.elapsed() })
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What cargo is asked to do.
    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Tidy => &[],
            Self::Format => &["fmt", "--all", "--check"],
            Self::Lint => &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
            Self::Unit => &[
                "test",
                "--workspace",
                "--exclude",
                "lockgate-e2e",
                "--exclude",
                "lockgate-fuzz",
                "--no-fail-fast",
            ],
            Self::Fuzz => &["test", "--package", "lockgate-fuzz", "--", "--nocapture"],
            Self::Build => &["build", "--package", "lockgate", "--package", "lockgate-e2e"],
            Self::Parts => &["run", "--package", "lockgate-e2e", "--bin", "prepare"],
            Self::E2e => {
                &["test", "--package", "lockgate-e2e", "--no-fail-fast", "--", "--nocapture"]
            }
        }
    }
}

/// Runs cargo, shows what it says as it comes, and counts the tests that it reports.
fn run_cargo(arguments: &[&str]) -> Result<(bool, Count)> {
    println!("$ cargo {}", arguments.join(" "));
    let mut command: Command = repo::cargo();
    let mut child = command.args(arguments).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("no output of cargo")?;
    let mut count = Count::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let Some(counted) = counted(&line) {
            count = Count {
                passed: count.passed + counted.passed,
                failed: count.failed + counted.failed,
            };
        }
    }
    Ok((child.wait()?.success(), count))
}

/// Reads cargo's closing line: `test result: ok. 3 passed; 0 failed; …`.
fn counted(line: &str) -> Option<Count> {
    let (_, figures) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let figure = |word| {
        let part = figures.split(';').find(|part| part.trim().ends_with(word))?;
        part.trim().strip_suffix(word)?.trim().parse().ok()
    };
    Some(Count { passed: figure("passed")?, failed: figure("failed")? })
}

fn summarize(outcomes: &[Outcome]) {
    println!();
    for Outcome { step, ok, count, took } in outcomes {
        let word = if *ok { "ok" } else { "FAILED" };
        let tests = match count {
            Count { passed: 0, failed: 0 } => String::new(),
            Count { passed, failed } => format!("{passed} passed, {failed} failed"),
        };
        println!("{:<8} {word:<8} {:>7.1} s  {tests}", step.name(), took.as_secs_f64());
    }
    let took: Duration = outcomes.iter().map(|outcome| outcome.took).sum();
    let passed: u64 = outcomes.iter().map(|outcome| outcome.count.passed).sum();
    let failed: u64 = outcomes.iter().map(|outcome| outcome.count.failed).sum();
    let steps = outcomes.iter().filter(|outcome| !outcome.ok).count();
    println!("{passed} passed, {failed} failed, {steps} steps failed, {:.0} s", took.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn the_closing_line_is_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.03s";
        assert!(counted(line).is_some_and(|count| (count.passed, count.failed) == (12, 3)));
        assert!(counted("test result is near").is_none());
    }
}
