//! Times in words: of the calendar, and spans.

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// From the year 0 to 9999: outside of it, milliseconds say more than a date.
const WRITTEN: std::ops::Range<i64> = -62_167_219_200_000..253_402_300_800_000;

/// `2026-11-21T17:40:05.120Z`, of milliseconds since 1970.
pub(super) fn iso(ms: i64) -> String {
    if !WRITTEN.contains(&ms) {
        return format!("{ms} ms");
    }
    let (days, of_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = date(days);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// The date of a day counted from 1970-01-01, in the Gregorian calendar. Years are counted from March here, so that a leap
/// day comes last.
fn date(days: i64) -> (i64, i64, i64) {
    /// From 0000-03-01 to 1970-01-01.
    const TO_1970: i64 = 719_468;
    const ERA: i64 = 146_097; // days in 400 years
    let days = days + TO_1970;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months = (5 * of_year + 2) / 153; // since March
    let day = of_year - (153 * months + 2) / 5 + 1;
    let month = if months < 10 { months + 3 } else { months - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
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
        assert_eq!(iso(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(iso(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(iso(WRITTEN.end - 1), "9999-12-31T23:59:59.999Z");
        assert_eq!(iso(WRITTEN.start), "0000-01-01T00:00:00.000Z");
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
