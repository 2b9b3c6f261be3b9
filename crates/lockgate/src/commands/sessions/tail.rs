//! `lockgate sessions tail`: what is being recorded, as it comes.

use std::time::Duration;

use crate::{
    failure::{Exit, Failure, Outcome},
    place::Place,
    record::line,
    terminal::Terminal,
};

/// How often the end of the recording is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Follow what is being recorded
///
/// Reads the recording's files at its own pace, so a slow reader holds nothing up and misses
/// nothing. Ends with Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate sessions tail\n  \
    lockgate sessions tail --session s4f0c… --json")]
pub(crate) struct Tail {
    #[command(flatten)]
    place: Place,
    /// Only this session
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// Begin with this record instead of the next one
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// Stop at the end of what is there now
    #[arg(long)]
    once: bool,
}

/// Answers.
pub(crate) fn run(tail: &Tail, terminal: Terminal) -> Outcome {
    let place = tail.place.open()?;
    place.viewed("tail", tail.session.as_deref(), "followed the recording")?;
    let mut reader = place.read_from(tail.from.unwrap_or(1))?;
    let mut shows = tail.from.is_some() || tail.session.is_some() || tail.once;
    loop {
        for record in reader.by_ref() {
            let record = record.map_err(Failure::unreachable)?;
            let Some(event) = record.event().map_err(Failure::unreachable)? else { continue };
            let wanted = tail.session.as_deref().is_none_or(|only| event.session() == Some(only));
            if shows && wanted {
                terminal.data(if terminal.json { record.line() } else { line(&record, &event) });
            }
        }
        if tail.once || !terminal.is_heard() {
            return Ok(Exit::Ok);
        }
        shows = true;
        std::thread::sleep(LOOK_EVERY);
    }
}
