//! How commands say what they found: tables for people, a JSON object a line for programs, on a pipe that may close.

use std::io::{self, BufWriter, StdoutLock, Write};

use comfy_table::{CellAlignment, Table};
use serde::Serialize;

/// In which form a command gives its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub(crate) struct Form {
    /// Give one JSON object a line, with stable field names, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Standard output. What is written is seen when it is dropped or flushed.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(crate) fn new() -> Self {
        Output(BufWriter::with_capacity(64 * 1024, io::stdout().lock()))
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.0, "{line}")
    }

    /// Writes `row` as a line of JSON.
    pub(crate) fn json(&mut self, row: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, row)?;
        self.0.write_all(b"\n")
    }

    /// Writes a table: a head, and rows below it. Columns named in `numbers` are set to the right.
    pub(crate) fn table(
        &mut self,
        head: &[&str],
        numbers: &[usize],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> io::Result<()> {
        let mut table = Table::new();
        table.load_preset(comfy_table::presets::NOTHING).set_header(head);
        for row in rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
            if numbers.contains(&column.index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for line in table.lines() {
            writeln!(self.0, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Makes everything seen that was written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
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
    fn numbers_are_easy_to_read() {
        let seen: Vec<_> = [0, 999, 1000, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(seen, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((count(1, "record"), count(2, "record")), ("1 record".to_owned(), "2 records".to_owned()));
        let seen: Vec<_> = [0, 999, 1000, 12_345, 123_456_789, u64::MAX].into_iter().map(bytes).collect();
        assert_eq!(seen, ["0 B", "999 B", "1.00 kB", "12.3 kB", "123 MB", "18447 PB"]);
    }
}
