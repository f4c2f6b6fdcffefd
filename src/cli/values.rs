//! Values that several commands take, read from what a person writes.

use std::time::Duration;

/// Longest time that can be asked for: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A time as `500ms`, `10s`, `5m`, `2h`, `7d`, `1w`, or a number of seconds; or as ISO 8601 has it, `PT10S`, `P7D`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || "a time is written as 500ms, 10s, 5m, 2h, 7d or 1w, or as ISO 8601 has it (PT10M)".to_owned();
    let trimmed = text.trim();
    let whole = match trimmed.strip_prefix(['P', 'p']) {
        Some(iso) => of_iso(iso),
        None => {
            let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
            let (number, unit) = trimmed.split_at(end);
            unit_of(unit.trim()).and_then(|unit| times(number, unit))
        }
    };
    whole.filter(|time| *time <= LONGEST).ok_or_else(wrong)
}

fn unit_of(name: &str) -> Option<Duration> {
    Some(match name {
        "ms" => Duration::from_millis(1),
        "" | "s" | "sec" => Duration::from_secs(1),
        "m" | "min" => Duration::from_secs(60),
        "h" => Duration::from_secs(3600),
        "d" => Duration::from_secs(24 * 3600),
        "w" => Duration::from_secs(7 * 24 * 3600),
        _ => return None,
    })
}

/// So many units, or parts of one.
fn times(number: &str, unit: Duration) -> Option<Duration> {
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * unit.as_secs_f64()).ok()
}

/// What follows the `P`: weeks and days, and behind a `T` hours, minutes and seconds.
fn of_iso(text: &str) -> Option<Duration> {
    let text = text.to_uppercase();
    let (date, time) = text.split_once('T').map_or((text.as_str(), None), |(date, time)| (date, Some(time)));
    if (date.is_empty() && time.is_none()) || time == Some("") {
        return None;
    }
    let mut whole = Duration::ZERO;
    let units = [
        (date, [('W', 604_800), ('D', 86_400)].as_slice()),
        (time.unwrap_or_default(), &[('H', 3600), ('M', 60), ('S', 1)]),
    ];
    for (mut rest, mut units) in units {
        while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic()) {
            let (number, letter) = rest.split_at(at);
            // Each unit once, and the larger first.
            let place = units.iter().position(|(unit, _)| letter.starts_with(*unit))?;
            let (_, seconds) = units.get(place)?;
            whole = whole.checked_add(times(number, Duration::from_secs(*seconds))?)?;
            units = units.get(place + 1..)?;
            rest = letter.get(1..)?;
        }
        if !rest.is_empty() {
            return None;
        }
    }
    Some(whole)
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

/// ` Did you mean 'NAME'?` where one of the names is near enough to be meant; else nothing.
pub(crate) fn did_you_mean<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let given = given.to_lowercase();
    let best =
        names.into_iter().map(|name| (strsim::damerau_levenshtein(&given, &name.to_lowercase()), name)).min();
    match best {
        // Further away than a third of the name it would be a guess.
        Some((distance, name)) if distance * 3 <= name.chars().count().max(3) => {
            format!("; did you mean '{name}'?")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_nearest_name_is_proposed_if_it_is_near() {
        assert_eq!(did_you_mean("ordres", ["orders", "payments"]), "; did you mean 'orders'?");
        assert_eq!(did_you_mean("shipments", ["orders", "payments"]), "");
        assert_eq!(did_you_mean("x", []), "");
    }
}
