//! Kafka's checkpoint files: a version, the number of entries, and a line for each.
//!
//! `recovery-point-offset-checkpoint` and `log-start-offset-checkpoint` have `topic partition offset` in a line.

use std::collections::HashMap;

/// The offsets up to which logs are known to be on the disk.
pub(crate) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// The log start offsets that lie within a segment.
pub(crate) const LOG_STARTS: &str = "log-start-offset-checkpoint";

const VERSION: &str = "0";

/// A checkpoint that cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a checkpoint file")]
pub(crate) struct Malformed;

/// The file's text with these entries.
pub(crate) fn to_text(entries: impl Iterator<Item = String>) -> String {
    let entries: Vec<_> = entries.collect();
    let mut text = format!("{VERSION}\n{}\n", entries.len());
    for entry in entries {
        text.push_str(&entry);
        text.push('\n');
    }
    text
}

/// The entries of the file's text: as many as it says.
pub(crate) fn entries(text: &str) -> Result<impl Iterator<Item = &str>, Malformed> {
    let mut lines = text.lines();
    let version = lines.next().ok_or(Malformed)?;
    let count: usize = lines.next().and_then(|line| line.parse().ok()).ok_or(Malformed)?;
    if version != VERSION || lines.clone().count() != count {
        return Err(Malformed);
    }
    Ok(lines)
}

/// Offsets by topic and partition.
pub(crate) type Offsets = HashMap<(String, i32), i64>;

/// The text of a checkpoint of offsets, in order of topic and partition.
pub(crate) fn offsets_to_text(offsets: &Offsets) -> String {
    let mut sorted: Vec<_> = offsets.iter().collect();
    sorted.sort();
    to_text(sorted.into_iter().map(|((topic, partition), offset)| format!("{topic} {partition} {offset}")))
}

/// The offsets in a checkpoint's text.
pub(crate) fn offsets_from_text(text: &str) -> Result<Offsets, Malformed> {
    let mut offsets = Offsets::new();
    for line in entries(text)? {
        let mut parts = line.split(' ');
        let topic = parts.next().ok_or(Malformed)?;
        let partition = parts.next().and_then(|part| part.parse().ok()).ok_or(Malformed)?;
        let offset = parts.next().and_then(|part| part.parse().ok()).ok_or(Malformed)?;
        offsets.insert((topic.to_owned(), partition), offset);
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_kafkas() {
        let offsets = Offsets::from([(("b".to_owned(), 0), 5), (("a".to_owned(), 12), 77)]);
        let text = "0\n2\na 12 77\nb 0 5\n";
        assert_eq!(offsets_to_text(&offsets), text);
        assert_eq!(offsets_from_text(text), Ok(offsets));
        for bad in ["", "1\n0\n", "0\n1\n", "0\n1\na b c\n", "0\n1\na 1\n", "0\nx\n"] {
            assert_eq!(offsets_from_text(bad), Err(Malformed), "{bad:?}");
        }
    }
}
