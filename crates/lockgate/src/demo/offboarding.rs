//! The contract ends while the contractor's agent is at work: the command that anybody would type, and
//! the stream that it cuts in front of everybody's eyes.

use std::time::Instant;

use anyhow::Context as _;
use lockgate_gateway::clock;
use lockgate_model::{Event, OutcomeStatus, Reason};
use serde_json::Value;
use tokio::{process::Command, time::sleep};

use super::{
    READY_POLL,
    call::{Following, follow},
    story::{Records, Stage, Step, records},
};
use crate::terminal::{Style, inert};

/// So many messages are seen before the contract ends.
const SEEN: u64 = 3;
/// How often the record is looked at for the end of the call.
const LOOKS: usize = 40;
/// The code of an error for somebody who may not go on.
const NOT_LET_IN: i64 = 1_401;

/// Plays the step and prints it; the inner error says what was not as told.
///
/// # Errors
/// Where the call or the command can't be made, or the recording can't be read.
pub(super) async fn play(stage: &Stage<'_>, step: &Step) -> anyhow::Result<Result<(), String>> {
    let terminal = stage.terminal;
    let who = format!("dev/{}", step.who.name());
    let token = stage.issuer.token(step.who, step.life, clock::now())?;
    let (begin, hits) = (records(stage.data, 0)?.len(), stage.server.hits());
    terminal.data(format_args!("   > {} as {}", step.ask.words(), step.who.name()));
    let mut stream = follow(stage.gateway, stage.path, &token, step.ask).await?;
    for _ in 0..SEEN {
        let message = stream.next().await?.context("the stream ended by itself")?;
        let of = |name| message.pointer(name).and_then(Value::as_u64).unwrap_or_default();
        let (done, all) = (of("/params/progress") + 1, of("/params/total"));
        terminal.data(format_args!("   < progress: {done} of {all}"));
    }
    terminal.data(format_args!("   $ lockgate revoke person {who} --reason 'the contract ended'"));
    let begun = Instant::now();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["revoke", "person", &who, "--reason", "the contract ended", "--config"]);
    let command = command.arg(stage.config).output();
    let (said, ended) = tokio::join!(command, rest(&mut stream));
    let (last, ended) = ended?;
    let said = String::from_utf8_lossy(&said?.stdout).trim().to_owned();
    terminal.data(format_args!("     {}", inert(&said)));
    let took = ended.duration_since(begun).as_millis();
    let word = terminal.styled(Style::Bad, "CUT");
    terminal.data(format_args!("   < {word} {took} ms after the command began"));
    let why = cut(stage, begin).await?;
    terminal.data(format_args!("     why: {}", why.unwrap_or("nothing on the record")));
    let code = last.pointer("/error/code").and_then(Value::as_i64);
    let hits = stage.server.hits() - hits;
    if code == Some(NOT_LET_IN) && why == Some(Reason::AccessRevoked.code()) && hits == 1 {
        return Ok(Ok(()));
    }
    Ok(Err(format!("wanted a stream that is cut; got {last}, {hits} calls, record: {why:?}")))
}

/// The last message of the stream, and when it ended.
async fn rest(stream: &mut Following) -> anyhow::Result<(Value, Instant)> {
    let mut last = Value::Null;
    while let Some(message) = stream.next().await? {
        last = message;
    }
    Ok((last, Instant::now()))
}

/// Why the call was cut, as the recording has it.
async fn cut(stage: &Stage<'_>, begin: usize) -> anyhow::Result<Option<&'static str>> {
    for _ in 0..LOOKS {
        let told: Records = records(stage.data, begin)?;
        let why = told.iter().find_map(|(_, event)| match event {
            Event::Outcome(outcome) if outcome.status == OutcomeStatus::Cut => outcome.reason,
            _ => None,
        });
        if let Some(why) = why {
            return Ok(Some(why.code()));
        }
        sleep(READY_POLL).await;
    }
    Ok(None)
}
