//! What the files of a segment are called: its base offset in twenty digits, and what they hold.

use std::path::{Path, PathBuf};

/// Records.
pub(crate) const LOG: &str = "log";
/// Offsets to positions.
pub(crate) const OFFSET_INDEX: &str = "index";
/// Timestamps to offsets.
pub(crate) const TIME_INDEX: &str = "timeindex";
/// Aborted transactions.
pub(crate) const TXN_INDEX: &str = "txnindex";
/// The state of producers before the offset in the name.
pub(crate) const SNAPSHOT: &str = "snapshot";

/// The path of a segment's file.
pub(crate) fn path(folder: &Path, base_offset: i64, kind: &str) -> PathBuf {
    folder.join(format!("{base_offset:020}.{kind}"))
}

/// The base offset and the kind that a file's name says.
pub(crate) fn parse(name: &str) -> Option<(i64, &str)> {
    let (digits, kind) = name.split_once('.')?;
    let well_formed = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| digits.parse().ok()).flatten().map(|base_offset| (base_offset, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        assert_eq!(path(Path::new("t-0"), 1234, LOG), Path::new("t-0/00000000000000001234.log"));
        assert_eq!(parse("00000000000000001234.timeindex"), Some((1234, "timeindex")));
        for name in ["1234.log", "0000000000000000123x.log", "99999999999999999999.log", "partition.metadata"]
        {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
