//! Times and durations as Java reads them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The time of `2024-12-31T23:59:59.999+01:00` in milliseconds since 1970; without a zone it is that of UTC. What follows
/// is passed over, as by Java.
pub(super) fn datetime(text: &str) -> Result<i64, String> {
    let Some((_, time)) = text.split_once('T') else {
        return Err(
            "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format".to_owned()
        );
    };
    let text = if time.contains(['+', '-', 'Z']) { text.to_owned() } else { format!("{text}Z") };
    read(&text).ok_or_else(|| format!("Unparseable date: \"{text}\""))
}

fn read(text: &str) -> Option<i64> {
    let rest = &mut &*text;
    let (year, month, day) = (number(rest)?, after('-', rest)?, after('-', rest)?);
    let (hour, minute, second, millis) =
        (after('T', rest)?, after(':', rest)?, after(':', rest)?, after('.', rest)?);
    let nanos = (millis < 1000).then_some(millis * 1_000_000)?;
    let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(i8::try_from);
    let time = DateTime::new(
        i16::try_from(year).ok()?,
        month.ok()?,
        day.ok()?,
        hour.ok()?,
        minute.ok()?,
        second.ok()?,
        i32::try_from(nanos).ok()?,
    );
    Some(time.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond() - zone(rest)?)
}

/// The digits at the beginning, as a number.
fn number(rest: &mut &str) -> Option<i64> {
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, behind) = rest.split_at(end);
    *rest = behind;
    digits.parse().ok()
}

fn after(separator: char, rest: &mut &str) -> Option<i64> {
    *rest = rest.strip_prefix(separator)?;
    number(rest)
}

/// How far a zone is ahead of UTC, in milliseconds: `Z`, `+01:00`, `-08`.
fn zone(rest: &str) -> Option<i64> {
    if rest.starts_with('Z') {
        return Some(0);
    }
    let sign = if rest.starts_with('+') { 1 } else { -1 };
    let rest = rest.strip_prefix(['+', '-'])?;
    let two = |text: &str| text.get(..2)?.parse::<i64>().ok();
    let hours = two(rest).filter(|hours| *hours < 24)?;
    let minutes = rest.get(2..).and_then(|rest| two(rest.strip_prefix(':')?)).filter(|minutes| *minutes < 60);
    Some(sign * (hours * 60 + minutes.unwrap_or(0)) * 60 * 1000)
}

/// The milliseconds of `P1DT2H3M4.5S`; none of what Java does not read.
pub(super) fn duration(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let rest = rest.strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    if time == Some("") || days.is_empty() && time.is_none() {
        return None;
    }
    let mut total = 0_i64;
    if !days.is_empty() {
        total = days.strip_suffix('D')?.parse::<i64>().ok()?.checked_mul(DAY_MS)?;
    }
    let mut time = time.unwrap_or_default();
    for (unit, millis) in [('H', 3_600_000), ('M', 60_000), ('S', 1000)] {
        if let Some((amount, rest)) = time.split_once(unit) {
            let amount = if unit == 'S' {
                seconds(amount)?
            } else {
                amount.parse::<i64>().ok()?.checked_mul(millis)?
            };
            total = total.checked_add(amount)?;
            time = rest;
        }
    }
    if time.is_empty() { total.checked_mul(sign) } else { None }
}

/// Seconds with decimals, in milliseconds.
fn seconds(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once(['.', ',']).unwrap_or((text, ""));
    if decimals.len() > 9 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let millis: String = decimals.chars().chain("000".chars()).take(3).collect();
    let (whole_ms, millis) = (whole.parse::<i64>().ok()?.checked_mul(1000)?, millis.parse::<i64>().ok()?);
    if whole.starts_with('-') { whole_ms.checked_sub(millis) } else { whole_ms.checked_add(millis) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_and_without_a_zone() {
        assert_eq!(datetime("1970-01-01T00:00:00.000"), Ok(0));
        assert_eq!(datetime("2000-02-29T12:00:00.001Z"), Ok(951_825_600_001));
        assert_eq!(datetime("2020-01-01T00:00:00.000+02:00"), Ok(1_577_829_600_000));
        assert_eq!(datetime("2020-01-01T00:00:00.000-08"), Ok(1_577_865_600_000));
        assert_eq!(datetime("1969-12-31T23:59:59.999"), Ok(-1));
        let wrong = [
            "2020-01-01T00:00:00Z",
            "2021-02-29T00:00:00.000",
            "2020-13-01T00:00:00.000",
            "2020-01-01T24:00:00.000",
            "xTy",
        ];
        for wrong in wrong {
            assert!(datetime(wrong).unwrap_err().starts_with("Unparseable date"), "{wrong}");
        }
        assert!(datetime("2020-01-01").unwrap_err().contains("does not contain a 'T'"));
    }

    #[test]
    fn a_duration_is_read_as_java_reads_it() {
        for (text, millis) in [
            ("PT1H", 3_600_000),
            ("P1D", DAY_MS),
            ("P1DT2H3M4.5S", DAY_MS + 7_384_500),
            ("pt-1.25s", -1250),
            ("-PT1M", -60_000),
        ] {
            assert_eq!(duration(text), Some(millis), "{text}");
        }
        for wrong in
            ["1h", "P", "PT", "P1H", "PT1D", "PT1X", "PT99999999999999999999S", "PT1.1234567891S", ""]
        {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
