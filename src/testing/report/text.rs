//! Pieces of text: short enough for a line, whatever is in them.

use super::line;

/// The longest part of a text that is shown.
const LONGEST: usize = 120;

/// A line across, with a title in it.
pub(super) fn rule(title: &str, width: usize) -> String {
    let title = if title.is_empty() { String::new() } else { format!("-- {title} ") };
    format!("{title:-<width$}")
}

/// A number of things.
pub(super) fn count(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A text without line breaks, cut where it is long.
pub(super) fn short(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    let beyond = text.chars().count().saturating_sub(LONGEST);
    if beyond > 0 {
        short.push_str(&format!("… and {beyond} more"));
    }
    short
}

/// A text in quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", short(text))
}

/// Bytes: as text where they are text, and else their number.
pub(super) fn bytes(bytes: Option<&[u8]>) -> String {
    match bytes.map(|bytes| (bytes.len(), std::str::from_utf8(bytes))) {
        None => "null".to_owned(),
        Some((_, Ok(text))) => quoted(text),
        Some((length, Err(_))) => count(length, "byte"),
    }
}

/// Says how much is not shown, if anything is not.
pub(super) fn and_more(out: &mut String, all: usize, shown: usize, what: &str) {
    if all > shown {
        line(out, &format!("    … and {} more {what}", all - shown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_a_text_it_stays_on_a_line() {
        assert_eq!(quoted("a\nb\"\u{1b}[31m"), r#""a\nb\"\u{1b}[31m""#);
        assert_eq!(short(&"é".repeat(LONGEST + 3)), format!("{}… and 3 more", "é".repeat(LONGEST)));
        assert_eq!(bytes(Some(&[0xff, 0xfe])), "2 bytes");
        assert_eq!((bytes(None), bytes(Some(b""))), ("null".to_owned(), "\"\"".to_owned()));
        assert_eq!((count(1, "record"), count(0, "record")), ("1 record".to_owned(), "0 records".to_owned()));
        assert_eq!(rule("x", 8), "-- x ---");
    }
}
