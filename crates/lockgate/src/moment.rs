//! Points in time as people write and read them.

use jiff::{Span, Zoned, civil::Date, tz::TimeZone};
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

/// `2026-11-25T12:00:00.123Z`.
pub(crate) fn text(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.millis())
        .map_or_else(|_| at.millis().to_string(), |at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::{parse, text};

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
