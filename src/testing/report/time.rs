//! Times in words: of the calendar, and spans.

use jiff::Timestamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// `2026-11-21T17:40:05.120Z`, of milliseconds since 1970; far from now, where calendars end, the milliseconds.
pub(super) fn iso(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |moment| format!("{moment:.3}"))
}

/// `8 d 1 h`, `10.5 s`: the two largest units of a span.
pub(super) fn span(ms: i64) -> String {
    if ms.unsigned_abs() < 60_000 {
        return format!("{}.{:03} s", ms / 1000, ms.unsigned_abs() % 1000);
    }
    let (days, hours, minutes, seconds) =
        (ms / DAY_MS, ms / 3_600_000 % 24, ms / 60_000 % 60, ms / 1000 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min {seconds} s"),
        (0, hours) => format!("{hours} h {minutes} min"),
        (days, hours) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_by_the_calendar() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(iso(i64::MAX), "9223372036854775807 ms");
    }

    #[test]
    fn spans_have_two_units() {
        assert_eq!(span(10_500), "10.500 s");
        assert_eq!(span(61_000), "1 min 1 s");
        assert_eq!(span(3_600_000), "1 h 0 min");
        assert_eq!(span(8 * DAY_MS + 3_600_000), "8 d 1 h");
    }
}
