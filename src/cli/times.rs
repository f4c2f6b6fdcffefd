//! Moments as people write them, to milliseconds since 1970. All are in UTC unless they say otherwise.

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// A moment: `2026-11-21`, `2026-11-21T10:30`, `2026-11-21 10:30:15.250`, each with `Z` or `+02:00` behind it or without; or
/// `@` and milliseconds since 1970.
pub(crate) fn moment(text: &str) -> Result<i64, String> {
    parse(text.trim()).ok_or_else(|| {
        format!("'{text}' is no moment; write 2026-11-21, 2026-11-21T10:30:00Z or 2026-11-21T10:30:00+02:00, or @ and milliseconds since 1970")
    })
}

fn parse(text: &str) -> Option<i64> {
    if let Some(millis) = text.strip_prefix('@') {
        return millis.parse().ok();
    }
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text.strip_suffix(['Z', 'z']).unwrap_or(text), None),
    };
    let mut parts = date.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    if day < 1 || day > days_of(year, month) {
        return None;
    }
    days_since_1970(year, month, day).checked_mul(DAY)?.checked_add(time.map_or(Some(0), time_of_day)?)
}

/// Milliseconds since midnight in UTC; may lie before it or behind the next, where there is a time zone.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, zone) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, "Z"),
    };
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':');
    let (hours, minutes) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let seconds = parts.next().map_or(Some(0), |seconds| number(seconds, 2))?;
    let all_digits = fraction.chars().all(|c| c.is_ascii_digit());
    if parts.next().is_some()
        || hours > 23
        || minutes > 59
        || seconds > 59
        || !all_digits
        || fraction.len() > 9
    {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis - zone_of(zone)?)
}

/// By how many milliseconds the clocks of a time zone are ahead.
fn zone_of(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "00"),
    };
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.chars().all(|c| c.is_ascii_digit())).then(|| text.parse().ok())?
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first of January 1970 to a day of a year from 1970 on.
pub(crate) fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let of_years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    of_years + (1..month).map(|month| days_of(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
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
        ] {
            assert_eq!(moment(text), Ok(expected), "{text}");
        }
        for wrong in [
            "",
            "yesterday",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-11-31",
            "2026-11-21T",
            "2026-11-21T24:00",
            "2026-11-21T10",
            "2026-11-21T10:30+99:00",
            "2026-11-21T10:30:00.x",
            "26-11-21",
            "2026-11-21T10:30:00 Europe/Berlin",
            "@x",
            "1969-12-31",
        ] {
            assert!(moment(wrong).is_err_and(|why| why.contains("2026-11-21T10:30:00Z")), "{wrong}");
        }
    }
}
