//! `lockgate replay`: one session again, in its own time or faster.
//!
//! Only shows what was recorded; nothing is sent anywhere. What was recorded can't steer the
//! terminal.

use std::time::Duration;

use lockgate_model::{Event, Timestamp};

use super::sessions;
use crate::{
    failure::{Exit, Outcome},
    place::Place,
    record,
    terminal::{Style, Terminal},
};

/// Longest pause between two events, however long it was.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Show one session again, as it happened
///
/// Prints a timeline: how long after the beginning each call was asked, decided and answered. With
/// --speed 1 it takes the time that it took, pauses of more than five seconds cut short.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate replay s4f0c…\n  \
    lockgate replay s4f0c… --speed 10")]
pub(crate) struct Replay {
    /// The session
    #[arg(value_name = "SESSION")]
    session: String,
    #[command(flatten)]
    place: Place,
    /// How many times faster than it was; all at once where absent
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    speed: Option<f64>,
    /// Whole arguments and answers instead of their beginnings
    #[arg(long)]
    full: bool,
}

/// Answers.
pub(crate) fn run(replay: &Replay, terminal: Terminal) -> Outcome {
    let place = replay.place.open()?;
    let row = sessions::find(&place, &replay.session)?;
    place.viewed("replay", Some(&row.id), "replayed a session")?;
    let mut before: Option<Timestamp> = None;
    for found in place.session(&row)? {
        let (recorded, event) = found?;
        if let (Some(speed), Some(before)) = (replay.speed, before) {
            std::thread::sleep(pause(recorded.time.millis_since(before), speed));
        }
        before = Some(recorded.time);
        if terminal.json {
            terminal.data(recorded.line());
            continue;
        }
        let at = offset(recorded.time.millis_since(row.opened));
        let words = record::timeline(&event, replay.full);
        terminal.data(format_args!("{} {words}", terminal.styled(Style::Dim, &at)));
        if matches!(event, Event::Closed { .. }) {
            break;
        }
    }
    Ok(Exit::Ok)
}

fn pause(millis: i64, speed: f64) -> Duration {
    let millis = u32::try_from(millis.max(0)).unwrap_or(u32::MAX);
    Duration::from_secs_f64(f64::from(millis) / 1000.0 / speed).min(PAUSE_MAX)
}

/// `+minutes:seconds.millis` since the beginning.
fn offset(millis: i64) -> String {
    let millis = millis.max(0);
    format!("+{:02}:{:02}.{:03}", millis / 60_000, millis / 1000 % 60, millis % 1000)
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.01..=1e6).contains(speed));
    speed.ok_or_else(|| "a speed is a number from 0.01 to 1000000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_as_they_were_by_the_factor_and_never_long() {
        for (millis, speed, wait) in
            [(1_000, 1.0, 1_000), (1_000, 10.0, 100), (60_000, 1.0, 5_000), (-5, 1.0, 0)]
        {
            assert_eq!(pause(millis, speed).as_millis(), wait, "{millis} at {speed}");
        }
        assert_eq!(offset(61_005), "+01:01.005");
        assert!(super::speed("0").is_err() && super::speed("NaN").is_err());
    }
}
