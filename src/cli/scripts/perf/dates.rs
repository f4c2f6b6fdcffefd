//! Times of day as `SimpleDateFormat` writes them, in UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Writes a time, in milliseconds since 1970, by a pattern of `yyyy`, `MM`, `dd`, `HH`, `mm`, `ss`, `SSS` and what stands
/// between them; none where the pattern has other letters.
pub(super) fn format(pattern: &str, millis: i64) -> Option<String> {
    let at = Timestamp::from_millisecond(millis).ok()?.to_zoned(TimeZone::UTC).datetime();
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
            'y' if width == 2 => at.year().rem_euclid(100),
            'y' => at.year(),
            'M' if width <= 2 => at.month().into(),
            'd' => at.day().into(),
            'H' => at.hour().into(),
            'm' => at.minute().into(),
            's' => at.second().into(),
            'S' => at.millisecond(),
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
