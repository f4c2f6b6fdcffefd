//! How commands say what they found: tables for people, a JSON object a line for programs, on a pipe that may close.

use std::io::{self, BufWriter, StdoutLock, Write};

use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::terminal::{self, Style};

// In which form a command gives its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub(crate) struct Form {
    /// Give one JSON object a line, with stable field names, instead of a table.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Standard output. What is written is seen when it is dropped or flushed.
pub(crate) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    colours: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        let out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
        Output { out, colours: terminal::colours_out() }
    }

    /// Writes a text that ends no line.
    pub(crate) fn text(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        write!(self.out, "{text}")
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// Writes a line that looks like this where there are colours.
    pub(crate) fn styled(&mut self, style: Style, line: impl std::fmt::Display) -> io::Result<()> {
        let line = if self.colours { style.paint(line) } else { line.to_string() };
        self.line(line)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Writes `row` as a line of JSON.
    pub(crate) fn json(&mut self, row: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, row)?;
        self.out.write_all(b"\n")
    }

    /// Writes a table: a head, and rows below it. Columns named in `numbers` are set to the right.
    pub(crate) fn table(
        &mut self,
        head: &[&str],
        numbers: &[usize],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> io::Result<()> {
        self.styled_table(head, numbers, rows.into_iter().map(|row| (Style::Plain, row)))
    }

    /// Writes a table whose rows look like this where there are colours, each as a whole.
    pub(crate) fn styled_table(
        &mut self,
        head: &[&str],
        numbers: &[usize],
        rows: impl IntoIterator<Item = (Style, Vec<String>)>,
    ) -> io::Result<()> {
        let mut table = Table::new();
        table.load_preset(comfy_table::presets::NOTHING).set_header(head);
        let mut styles = vec![Style::Strong];
        for (style, row) in rows {
            styles.push(style);
            table.add_row(row.iter().map(|cell| printable(cell)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
            if numbers.contains(&column.index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        // No cell has a line's end in it, so that lines and rows are the same.
        for (line, style) in table.lines().zip(styles) {
            self.styled(style, line.trim_end())?;
        }
        Ok(())
    }

    /// Makes everything seen that was written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A text that does nothing to a terminal: what came from elsewhere may hold sequences that move its cursor or worse.
pub(crate) fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    if text.chars().any(char::is_control) {
        let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        return text.chars().map(escaped).collect::<String>().into();
    }
    text.into()
}

/// Whether `error` says that nobody reads on, as behind `| head`: a reason to stop, and none to complain.
pub(crate) fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        let in_json = error.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        if kind.or(in_json) == Some(io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// So many of what `one` names, in words: `1 record`, `2,000 records`.
pub(crate) fn count(number: u64, one: &str) -> String {
    let number = grouped(number);
    if number == "1" { format!("{number} {one}") } else { format!("{number} {one}s") }
}

/// A number of bytes in the unit that suits it, three digits at the least.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1000.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_elsewhere_does_nothing_to_a_terminal() {
        assert_eq!(printable("gr\u{fc}n \x1b[2J\n"), "gr\u{fc}n \\u{1b}[2J\\n");
        assert_eq!(printable("orders"), "orders");
    }

    #[test]
    fn numbers_are_easy_to_read() {
        let seen: Vec<_> = [0, 999, 1000, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(seen, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((count(1, "record"), count(2, "record")), ("1 record".to_owned(), "2 records".to_owned()));
        let seen: Vec<_> = [0, 999, 1000, 12_345, 123_456_789, u64::MAX].into_iter().map(bytes).collect();
        assert_eq!(seen, ["0 B", "999 B", "1.00 kB", "12.3 kB", "123 MB", "18447 PB"]);
    }
}
