//! Times of day as `SimpleDateFormat` writes them, in UTC.

/// Writes a time, in milliseconds since 1970, by a pattern of `yyyy`, `MM`, `dd`, `HH`, `mm`, `ss`, `SSS` and what stands
/// between them; none where the pattern has other letters.
pub(super) fn format(pattern: &str, millis: i64) -> Option<String> {
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = date(days);
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' {
            let quoted = rest.get(1..)?;
            let end = quoted.find('\'')?;
            text.push_str(if end == 0 { "'" } else { quoted.get(..end)? });
            rest = quoted.get(end + 1..)?;
            continue;
        }
        let width = rest.chars().take_while(|other| *other == letter).count();
        let run = width * letter.len_utf8();
        let number = match letter {
            'y' if width == 2 => year.rem_euclid(100),
            'y' => year,
            'M' if width <= 2 => month,
            'd' => day,
            'H' => of_day / 3_600_000,
            'm' => of_day / 60_000 % 60,
            's' => of_day / 1000 % 60,
            'S' => of_day % 1000,
            letter if letter.is_ascii_alphabetic() => return None,
            _ => {
                text.push_str(rest.get(..run)?);
                rest = rest.get(run..)?;
                continue;
            }
        };
        text.push_str(&format!("{number:0width$}"));
        rest = rest.get(run..)?;
    }
    Some(text)
}

/// The date that lies so many days after 1970 began.
fn date(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, and 400 of them are always as long.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_by_its_pattern() {
        let at = 951_825_600_001; // 2000-02-29 12:00
        assert_eq!(format("yyyy-MM-dd HH:mm:ss:SSS", at).as_deref(), Some("2000-02-29 12:00:00:001"));
        assert_eq!(format("HH:mm", 0).as_deref(), Some("00:00"));
        assert_eq!(format("yyyy-MM-dd'T'HH''", -1).as_deref(), Some("1969-12-31T23'"));
        assert_eq!(format("EEE", 0), None);
        assert_eq!(format("'", 0), None);
    }
}
