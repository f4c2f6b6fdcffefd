//! Times and moments as people write them, and as they read them. Moments are in UTC unless an offset is given.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// Longest time that can be asked for: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// The present moment in milliseconds since 1970.
pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A moment in milliseconds since 1970: `2026-11-21`, `2026-11-21T10:30`, `2026-11-21 10:30:15.250`, with `Z` or `+02:00`
/// behind the time or without; milliseconds since 1970, with `@` before them or without; how long ago it was, as `-15m`; or
/// `now`.
///
/// # Errors
/// If it is none, or lies before 1970.
pub(crate) fn moment(text: &str) -> Result<i64, String> {
    moment_at(text.trim(), now_millis()).filter(|millis| *millis >= 0).ok_or_else(|| {
        format!(
            "'{text}' is no moment; write 2026-11-21, 2026-11-21T10:30:00Z or 2026-11-21T10:30:00+02:00, how long ago it \
             was such as -15m, milliseconds since 1970, or now"
        )
    })
}

fn moment_at(text: &str, now: i64) -> Option<i64> {
    if text == "now" {
        return Some(now);
    }
    if let Some(ago) = text.strip_prefix('-') {
        return now.checked_sub(i64::try_from(duration(ago).ok()?.as_millis()).ok()?);
    }
    let digits = text.strip_prefix('@').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits.parse().ok();
    }
    let found = if let Ok(timestamp) = text.parse::<Timestamp>() {
        timestamp
    } else if let Ok(time) = text.parse::<DateTime>() {
        time.to_zoned(TimeZone::UTC).ok()?.timestamp()
    } else {
        let date: Date = text.strip_suffix(['Z', 'z']).unwrap_or(text).parse().ok()?;
        date.to_zoned(TimeZone::UTC).ok()?.timestamp()
    };
    Some(found.as_millisecond())
}

/// A moment as people read it: `2026-11-21T17:30:00.000Z`. One that lies before 1970 or after 9999, as its number.
pub(crate) fn show(millis: i64) -> String {
    match Timestamp::from_millisecond(millis) {
        Ok(moment) if millis >= 0 => format!("{moment:.3}"),
        _ => millis.to_string(),
    }
}

/// A time as `500ms`, `10s`, `5m`, `2h`, `7d`, `1w`, or a number of seconds; or as ISO 8601 has it, `PT10S`, `P7D`.
///
/// # Errors
/// If it is none, is negative, or is longer than a hundred years.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let whole = match text.parse::<f64>() {
        Ok(seconds) => SignedDuration::try_from_secs_f64(seconds).ok(),
        Err(_) => text
            .parse()
            .ok()
            .and_then(|span: Span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()),
    };
    whole.and_then(|time| Duration::try_from(time).ok()).filter(|time| *time <= LONGEST).ok_or_else(|| {
        "a time is written as 500ms, 10s, 5m, 2h, 7d or 1w, or as ISO 8601 has it (PT10M)".to_owned()
    })
}

/// A time in words, as short as it can be: `10 s`, `500 ms`.
pub(crate) fn in_words(time: Duration) -> String {
    match time.as_millis() {
        millis if millis % 1000 == 0 => format!("{} s", millis / 1000),
        // What was measured is never round.
        millis if millis > 2000 => format!("{:.1} s", time.as_secs_f64()),
        millis => format!("{millis} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let now = 1_800_000_000_000;
        for (text, expected) in [
            ("1970-01-01", 0),
            ("1970-01-01Z", 0),
            ("2026-11-21", 1_795_219_200_000),
            ("2026-11-21T10:30", 1_795_257_000_000),
            ("2026-11-21 10:30:15.25Z", 1_795_257_015_250),
            ("2026-11-21T12:30:00+02:00", 1_795_257_000_000),
            ("2026-11-21T08:00:00-0230", 1_795_257_000_000),
            ("2026-11-21T12:30+02", 1_795_257_000_000),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999),
            ("@12345", 12345),
            ("@0", 0),
            ("3000", 3000),
            ("1795282200000", 1_795_282_200_000),
            ("now", now),
            ("-15m", now - 900_000),
            ("-250ms", now - 250),
            ("-2d", now - 2 * 86_400_000),
            ("-5", now - 5000),
        ] {
            assert_eq!(moment_at(text, now), Some(expected), "{text}");
        }
        for wrong in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-29",
            "2026-11-31",
            "2026-11-21T",
            "2026-11-21T24:00",
            "2026-11-21T10:30+99:00",
            "2026-11-21T10:30:00.x",
            "26-11-21",
            "2026-11-2\u{e4}",
            "2026-11-21T10:30:00 Europe/Berlin",
            "@x",
            "@",
            "-",
            "-99999999999d",
            "99999999999999999999",
            "1969-12-31",
        ] {
            assert!(moment(wrong).is_err_and(|why| why.contains("2026-11-21T10:30:00Z")), "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for millis in [0, 1, 951_782_400_000, 1_709_164_800_123, 1_795_282_200_500, 253_402_207_200_000] {
            assert_eq!(moment(&show(millis)), Ok(millis), "{}", show(millis));
        }
        assert_eq!(show(1_795_282_200_500), "2026-11-21T17:30:00.500Z");
        assert_eq!((show(-1), show(i64::MAX)), ("-1".to_owned(), i64::MAX.to_string()));
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let seconds = |text: &str| duration(text).map(|time| time.as_secs_f64()).ok();
        for (text, expected) in [
            ("10", 10.0),
            ("500ms", 0.5),
            ("1.5s", 1.5),
            ("5m", 300.0),
            ("2 h", 7200.0),
            ("7d", 604_800.0),
            ("1w", 604_800.0),
            ("PT10M", 600.0),
            ("P1DT2H3M4.5S", 93_784.5),
            ("p7d", 604_800.0),
            ("P1W", 604_800.0),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for wrong in [
            "",
            "s",
            "-1s",
            "5 parsecs",
            "P",
            "PT",
            "P1",
            "PT1D",
            "P1M",
            "PT5M1H",
            "1e400s",
            "99999999d",
            ".",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
        assert_eq!(
            (in_words(Duration::from_secs(10)), in_words(Duration::from_millis(1500))),
            ("10 s".to_owned(), "1500 ms".to_owned())
        );
    }
}
