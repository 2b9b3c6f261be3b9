//! Points in time as people write and read them.

use jiff::{Span, SpanRelativeTo, Zoned, civil::Date, tz::TimeZone};
use lockgate_model::Timestamp;

/// Reads a date, a time (RFC 3339), or how long ago: `2026-11-25`, `2026-11-25T12:00:00Z`, `2h`.
///
/// # Errors
/// In words for the command line.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    let from = |at: jiff::Timestamp| Timestamp::from_millis(at.as_millisecond());
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(from(at));
    }
    if let Ok(date) = text.parse::<Date>()
        && let Ok(midnight) = date.to_zoned(TimeZone::UTC)
    {
        return Ok(from(midnight.timestamp()));
    }
    if let Ok(span) = text.parse::<Span>()
        && let Ok(at) = Zoned::now().with_time_zone(TimeZone::UTC).checked_sub(span)
    {
        return Ok(from(at.timestamp()));
    }
    Err("write a date, a time like 2026-11-25T12:00:00Z, or how long ago, like 2h or 3d".to_owned())
}

/// Reads a time (RFC 3339) and nothing else: one that may lie ahead.
///
/// # Errors
/// In words for the command line.
pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    let at = text.parse::<jiff::Timestamp>();
    at.map(|at| Timestamp::from_millis(at.as_millisecond()))
        .map_err(|_| "write a time like 2026-11-25T12:00:00Z".to_owned())
}

/// Reads a length of time such as `90s`, `30m`, `2h` or `1d`, in milliseconds.
///
/// # Errors
/// In words for the command line.
pub(crate) fn length_ms(text: &str) -> Result<u64, String> {
    let span: Option<Span> = text.parse().ok();
    let length = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    match length.and_then(|length| u64::try_from(length.as_millis()).ok()) {
        Some(millis) if millis > 0 => Ok(millis),
        _ => Err("write how long, like 30m, 2h or 1d".to_owned()),
    }
}

/// A length of time in its two largest units: `2d 3h`, `5m 7s`; nothing is shorter than `0s`.
pub(crate) fn length(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m")];
    let parts = parts.into_iter().chain([(seconds % 60, "s")]).skip_while(|(n, _)| *n == 0);
    let words: Vec<String> = parts.take(2).map(|(n, unit)| format!("{n}{unit}")).collect();
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

/// `2026-11-25T12:00:00.123Z`.
pub(crate) fn text(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.millis())
        .map_or_else(|_| at.millis().to_string(), |at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::{length, parse, text};

    #[test]
    fn lengths_have_two_units() {
        for (millis, written) in [
            (-5, "0s"),
            (999, "0s"),
            (61_000, "1m 1s"),
            (3_600_000, "1h 0m"),
            (180_000_000, "2d 2h"),
        ] {
            assert_eq!(length(millis), written);
        }
    }

    #[test]
    fn dates_times_and_spans_are_read() {
        for (written, read) in [
            ("2026-11-25", "2026-11-25T00:00:00.000Z"),
            ("2026-11-25T12:00:00.5Z", "2026-11-25T12:00:00.500Z"),
            ("2026-11-25T12:00:00+02:00", "2026-11-25T10:00:00.000Z"),
        ] {
            assert_eq!(text(parse(written).unwrap()), read);
        }
        let (hours, days) = (parse("2h").unwrap(), parse("3 days").unwrap());
        let apart = hours.millis_since(days);
        assert!((apart - 70 * 3_600_000).abs() < 60_000, "{apart}");
        for bad in ["", "yesterday", "25.11.2026", "2026-13-01"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
