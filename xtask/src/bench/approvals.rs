//! From a reviewer's answer to the call at the upstream, through the whole binary, for one call among
//! others that wait. The upstream, the callers and the reviewer are this process, so that one clock
//! measures both ends.
//!
//! What the store does of it, the bench of its own crate shows.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{
    bodies::Bodies,
    gateway::{Gateway, HOLD, IDENTITIES, REVIEW, free_address},
    mcp::{Era, Form},
    mint::Mint,
    target::{Question, Target},
    upstream::{self, Arrival, Library},
    wire::Wire,
};
use crate::repo;

const ROUNDS: usize = 200;
/// Until a call that was just held waits.
const SETTLE: Duration = Duration::from_millis(20);
const OPEN_WAIT: Duration = Duration::from_secs(10);
const SIZE: usize = 256;

/// How long one call took, in milliseconds.
struct Took {
    /// From the answer as it was sent by the reviewer.
    sent: f64,
    /// From the moment that the reviewer was told that it is done; below zero where the call was at
    /// the upstream before.
    told: f64,
}

/// A reviewer with a kept-alive connection to the admin API.
struct Reviewer {
    wire: Wire,
    head: String,
}

/// Prints the table.
pub(super) fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("\nthrough the binary, {ROUNDS} calls each, ms");
    println!("{:<10} {:>22} {:>22}", "", "from the answer sent", "from the answer told");
    println!("{:<10} {:>11} {:>10} {:>11} {:>10}", "waiting", "p50", "p99", "p50", "p99");
    for waiting in [1, 1_000] {
        let took = runtime.block_on(measure(waiting))?;
        let sent = percentiles(took.iter().map(|took| took.sent))?;
        let told = percentiles(took.iter().map(|took| took.told))?;
        println!(
            "{waiting:<10} {:>11.2} {:>10.2} {:>11.2} {:>10.2}",
            sent.0, sent.1, told.0, told.1
        );
    }
    Ok(())
}

async fn measure(waiting: usize) -> Result<Vec<Took>> {
    let library: Library = Arc::new([(SIZE, Bodies::new(SIZE))].into());
    let (mint, api) = (Mint::new()?, free_address()?);
    let (arrivals, mut arrived) = unbounded_channel();
    let upstream = upstream::start(0, Arc::clone(&library), mint.key_set()?, Some(arrivals))?;
    let data = repo::target().join("bench");
    std::fs::create_dir_all(&data)?;
    let gateway = Gateway::start_with(&data, upstream, &mint, Some(api))?;
    let target = gateway.target("held");
    let token = mint.token(&format!("http://{upstream}"), REVIEW, IDENTITIES)?;
    let mut reviewer = Reviewer::new(api, &token).await?;
    reviewer.wait_for_approvals().await?;

    let question = Question { era: Era::Modern, form: Form::Json, size: SIZE };
    let (mut others, begun) = (Vec::new(), Instant::now());
    for number in 1..waiting {
        let mut caller = target.caller(number, &question, &library).await?;
        caller.begin(number).await?;
        others.push(caller);
    }
    let mut took = Vec::with_capacity(ROUNDS);
    for number in waiting..waiting + ROUNDS {
        let one = (&target, &question, &library, number);
        took.push(round(one, &mut reviewer, &mut arrived).await?);
    }
    ensure!(begun.elapsed() < HOLD, "the others did not wait to the end");
    Ok(took)
}

/// A call begins to wait, is approved, arrives, and is answered.
async fn round(
    (target, question, library, number): (&Target, &Question, &Library, usize),
    reviewer: &mut Reviewer,
    arrived: &mut UnboundedReceiver<Arrival>,
) -> Result<Took> {
    let mut caller = target.caller(number, question, library).await?;
    let head = caller.begin(number).await?;
    tokio::time::sleep(SETTLE).await;
    let listed = reviewer.ask("GET", "/approvals?state=pending&limit=1", "").await?;
    let newest = listed.pointer("/items/0").with_context(|| format!("nobody asks: {listed}"))?;
    let id = newest.get("id").and_then(Value::as_str).context("a question without id")?;
    let yes = json!({ "arguments_digest": newest.get("arguments_digest") }).to_string();
    let sent = Instant::now();
    reviewer.ask("POST", &format!("/approvals/{id}/approve"), &yes).await?;
    let told = Instant::now();
    let (who, at) = arrived.recv().await.context("the upstream is gone")?;
    ensure!(who == number, "only the call that was approved goes on");
    caller.end(&head).await?;
    let since = |from: Instant| match at.checked_duration_since(from) {
        Some(after) => after.as_secs_f64() * 1e3,
        None => from.duration_since(at).as_secs_f64() * -1e3,
    };
    Ok(Took { sent: since(sent), told: since(told) })
}

impl Reviewer {
    async fn new(api: SocketAddr, token: &str) -> Result<Self> {
        let head = format!(
            "Host: {api}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        );
        Ok(Self { wire: Wire::connect(api).await?, head })
    }

    /// They are opened beside the calls, a moment after the start.
    async fn wait_for_approvals(&mut self) -> Result<()> {
        let begun = Instant::now();
        while let Err(fault) = self.ask("GET", "/approvals", "").await {
            if begun.elapsed() > OPEN_WAIT {
                return Err(fault);
            }
            tokio::time::sleep(SETTLE).await;
        }
        Ok(())
    }

    async fn ask(&mut self, verb: &str, path: &str, body: &str) -> Result<Value> {
        let (head, length) = (&self.head, body.len());
        let request = format!(
            "{verb} /api/v1{path} HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n{body}"
        );
        self.wire.send(request.as_bytes()).await?;
        let head = self.wire.head().await?.context("the admin API is gone")?;
        let answer = self.wire.body(&head).await?;
        let text = || String::from_utf8_lossy(&answer).into_owned();
        ensure!(head.status() == 200, "{verb} {path}: {} {}", head.status(), text());
        serde_json::from_slice(&answer).with_context(text)
    }
}

/// The 50th and the 99th.
fn percentiles(figures: impl Iterator<Item = f64>) -> Result<(f64, f64)> {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied();
    at(50).zip(at(99)).context("nothing was measured")
}
