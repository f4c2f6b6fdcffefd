//! Reading the files of logs as they are, without opening a log: for tools that show and check them.
//!
//! Nothing is changed or mapped, so files of a running broker, Klamm's or Apache Kafka's, can be read; the newest batch
//! may then look cut off. Knows nothing of how findings are shown.

mod check;
mod segment;

use std::io;
use std::path::Path;

pub use check::{Checked, Finding, check_folder, check_partition};
pub use segment::{FoundBatch, Rest, SegmentReader};

use crate::segment::index::{
    OFFSET_ENTRY, OffsetEntry, TIME_ENTRY, TimeEntry, read_offset_entry, read_time_entry,
};
use crate::segment::name;

/// What a file of a segment holds, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// `.log`: record batches.
    Log,
    /// `.index`: positions of offsets.
    OffsetIndex,
    /// `.timeindex`: offsets of timestamps.
    TimeIndex,
    /// `.snapshot`: the state of producers.
    Snapshot,
    /// `.txnindex`: aborted transactions.
    TxnIndex,
}

/// The base offset and the kind that a file's name says; none if it is no file of a segment.
pub fn kind_of(path: &Path) -> Option<(i64, FileKind)> {
    let (base_offset, kind) = name::parse(path.file_name()?.to_str()?)?;
    let kind = match kind {
        name::LOG => FileKind::Log,
        name::OFFSET_INDEX => FileKind::OffsetIndex,
        name::TIME_INDEX => FileKind::TimeIndex,
        name::SNAPSHOT => FileKind::Snapshot,
        name::TXN_INDEX => FileKind::TxnIndex,
        _ => return None,
    };
    Some((base_offset, kind))
}

/// An entry of an offset index: the batch that ends with this offset is at this position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionOfOffset {
    /// The last offset of the batch.
    pub offset: i64,
    /// Where the batch begins in the `.log`, in bytes.
    pub position: u32,
}

/// An entry of a time index: up to the batch that ends with this offset no timestamp is larger than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetOfTime {
    /// The largest timestamp so far, in milliseconds since 1970.
    pub timestamp: i64,
    /// The last offset of the batch that has it.
    pub offset: i64,
}

/// The entries of an offset index. Zeros at its end, which a running Kafka has reserved and not written, are left out.
///
/// # Errors
/// If the file cannot be read, or does not consist of whole entries.
pub fn offset_index(path: &Path, base_offset: i64) -> io::Result<Vec<PositionOfOffset>> {
    let bytes = whole_entries(path, OFFSET_ENTRY)?;
    let entries = (0..bytes.len() / OFFSET_ENTRY).map_while(|at| read_offset_entry(&bytes, at));
    let written = entries
        .enumerate()
        .take_while(|(at, entry)| *at == 0 && entry.position == 0 || *entry != OffsetEntry::default());
    let offset = |entry: OffsetEntry| base_offset.saturating_add(i64::from(entry.relative_offset));
    let mut found: Vec<_> = written
        .map(|(_, entry)| PositionOfOffset { offset: offset(entry), position: entry.position })
        .collect();
    // A first entry of zeros alone is one that was reserved.
    if found.len() == 1 && found[0] == (PositionOfOffset { offset: base_offset, position: 0 }) {
        found.clear();
    }
    Ok(found)
}

/// The entries of a time index. Zeros at its end are left out.
///
/// # Errors
/// As [`offset_index`].
pub fn time_index(path: &Path, base_offset: i64) -> io::Result<Vec<OffsetOfTime>> {
    let bytes = whole_entries(path, TIME_ENTRY)?;
    let entries = (0..bytes.len() / TIME_ENTRY).map_while(|at| read_time_entry(&bytes, at));
    let written = entries.take_while(|entry| *entry != TimeEntry { timestamp: 0, relative_offset: 0 });
    let offset = |entry: TimeEntry| base_offset.saturating_add(i64::from(entry.relative_offset));
    Ok(written.map(|entry| OffsetOfTime { timestamp: entry.timestamp, offset: offset(entry) }).collect())
}

fn whole_entries(path: &Path, size: usize) -> io::Result<Vec<u8>> {
    let bytes = std::fs::read(path)?;
    if !bytes.len().is_multiple_of(size) {
        let why = format!("its {} bytes are no whole number of entries of {size} bytes", bytes.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(bytes)
}

/// An entry of a transaction index: a transaction that was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// The producer's id.
    pub producer_id: i64,
    /// The offset of its first record, and that of the marker that ends it.
    pub first_offset: i64,
    /// See `first_offset`.
    pub last_offset: i64,
    /// The last stable offset when it was aborted.
    pub last_stable_offset: i64,
}

/// The bytes of an entry: version, producer id, first, last and last stable offset.
const ABORTED_ENTRY: usize = 34;

/// The entries of a transaction index.
///
/// # Errors
/// If the file cannot be read, does not consist of whole entries, or is of a version that is not known.
pub fn aborted_transactions(path: &Path) -> io::Result<Vec<AbortedTransaction>> {
    let bytes = whole_entries(path, ABORTED_ENTRY)?;
    let entry = |bytes: &[u8]| {
        let number = |at: usize| Some(i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let known = bytes.starts_with(&[0, 0]);
        let read = known.then(|| {
            Some(AbortedTransaction {
                producer_id: number(2)?,
                first_offset: number(10)?,
                last_offset: number(18)?,
                last_stable_offset: number(26)?,
            })
        });
        let why = "an entry is of a version that is not known";
        read.flatten().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, why))
    };
    bytes.chunks_exact(ABORTED_ENTRY).map(entry).collect()
}

/// What a snapshot says of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerEntry {
    /// The producer's id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The epoch of its transaction coordinator, or -1.
    pub coordinator_epoch: i32,
    /// The offset at which its open transaction begins.
    pub transaction_start: Option<i64>,
    /// When it wrote last, in milliseconds since 1970.
    pub last_timestamp: i64,
    /// The first and the last sequence number of its last batch, and the batch's last offset.
    pub last_batch: Option<(i32, i32, i64)>,
}

/// The producers in a snapshot, in the order of their ids.
///
/// # Errors
/// If the file cannot be read, or is damaged.
pub fn producers(path: &Path) -> io::Result<Vec<ProducerEntry>> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "its checksum or its length is wrong");
    let producers = crate::producer::snapshot::read(&std::fs::read(path)?).ok_or_else(damaged)?;
    Ok(producers.entries())
}
