//! Points in time as people write them, and as they read them. All in UTC unless an offset is given.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::times::{days_since_1970, moment};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What a time may be written as, for errors.
const FORMS: &str = "give milliseconds since 1970, a date such as 2026-11-21, a time such as 2026-11-21T17:30:00Z, \
                     how long ago it was such as -15m (also s, h, d), or now";

/// The present time in milliseconds since 1970.
pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time in milliseconds since 1970, of any form that there is.
///
/// # Errors
/// If it is none, or lies before 1970.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    parse_at(text, now_millis()).ok_or_else(|| format!("'{text}' is no time; {FORMS}"))
}

fn parse_at(text: &str, now: i64) -> Option<i64> {
    let text = text.trim();
    if text == "now" {
        return Some(now);
    }
    if let Some(ago) = text.strip_prefix('-') {
        return now.checked_sub(duration(ago)?).filter(|time| *time >= 0);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    moment(text).ok().filter(|time| *time >= 0)
}

/// A duration in milliseconds: a number and its unit.
fn duration(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = match unit {
        "ms" => 1,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

/// A time as people read it: `2026-11-21T17:30:00.000Z`. One that is none, or lies before 1970 or after 9999, as its number.
pub(crate) fn show(millis: i64) -> String {
    let days = millis.div_euclid(DAY);
    if millis < 0 || days > days_since_1970(9999, 12, 31) {
        return millis.to_string();
    }
    let mut year = 1970 + days / 366;
    while days_since_1970(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_since_1970(year, month + 1, 1) <= days {
        month += 1;
    }
    let day = days - days_since_1970(year, month, 1) + 1;
    let rest = millis.rem_euclid(DAY);
    let (hours, minutes, seconds) = (rest / HOUR, rest % HOUR / MINUTE, rest % MINUTE / SECOND);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", rest % SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_taken_in_all_forms() {
        let now = 1_800_000_000_000;
        for (text, expected) in [
            ("now", Some(now)),
            ("0", Some(0)),
            ("1795282200000", Some(1_795_282_200_000)),
            ("-15m", Some(now - 900_000)),
            ("-250ms", Some(now - 250)),
            ("-2d", Some(now - 2 * DAY)),
            ("1970-01-01", Some(0)),
            ("2026-11-21", Some(1_795_219_200_000)),
            ("2026-11-21T17:30:00Z", Some(1_795_282_200_000)),
            ("2026-11-21 17:30", Some(1_795_282_200_000)),
            ("2026-11-21T18:30:00.5+01:00", Some(1_795_282_200_500)),
            ("2026-11-21T15:30:00-0200", Some(1_795_282_200_000)),
            ("2024-02-29", Some(1_709_164_800_000)),
            ("2023-02-29", None),
            ("2026-13-01", None),
            ("2026-11-21T25:00", None),
            ("1969-12-31", None),
            ("-5", None),
            ("-99999999999d", None),
            ("yesterday", None),
            ("99999999999999999999", None),
            ("2026-11-2\u{e4}", None),
            ("", None),
        ] {
            assert_eq!(parse_at(text, now).filter(|_| !text.is_empty()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_taken_again() {
        for millis in [0, 1, 951_782_400_000, 1_709_164_800_123, 1_795_282_200_500, 253_402_300_799_999] {
            assert_eq!(parse(&show(millis)), Ok(millis), "{}", show(millis));
        }
        assert_eq!(show(1_795_282_200_500), "2026-11-21T17:30:00.500Z");
        assert_eq!((show(-1), show(i64::MAX)), ("-1".to_owned(), i64::MAX.to_string()));
    }
}
