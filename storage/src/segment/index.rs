//! The two indexes of a segment, as they are while it is written and as they are in files.
//!
//! `.index` has an entry of 8 bytes for about every `index.interval.bytes`: the last offset of a batch less the segment's
//! base offset, u32, and the batch's position in the `.log`, u32. `.timeindex` has entries of 12 bytes: the largest
//! timestamp so far, i64, and the offset of the batch that has it less the base offset, u32. All big-endian, in
//! increasing order.

use std::sync::Arc;

use super::grow::Grow;
use crate::mmap::Map;

/// The bytes of an entry of the offset index.
pub(crate) const OFFSET_ENTRY: usize = 8;
/// The bytes of an entry of the time index.
pub(crate) const TIME_ENTRY: usize = 12;

/// An entry of the offset index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OffsetEntry {
    pub(crate) relative_offset: u32,
    pub(crate) position: u32,
}

/// An entry of the time index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: i64,
    pub(crate) relative_offset: u32,
}

/// The indexes of a segment that is written, or that lies in memory.
#[derive(Default)]
pub(crate) struct LiveIndexes {
    offsets: Grow,
    times: Grow,
}

impl LiveIndexes {
    pub(crate) fn offset_entries(&self) -> usize {
        self.offsets.len()
    }

    pub(crate) fn time_entries(&self) -> usize {
        self.times.len() / 2
    }

    fn offset_entry(&self, index: usize) -> Option<OffsetEntry> {
        let packed = self.offsets.get(index)?;
        Some(OffsetEntry { relative_offset: (packed >> 32) as u32, position: packed as u32 })
    }

    fn time_entry(&self, index: usize) -> Option<TimeEntry> {
        let timestamp = self.times.get(index * 2)?.cast_signed();
        Some(TimeEntry { timestamp, relative_offset: self.times.get(index * 2 + 1)? as u32 })
    }

    /// Adds an entry. Only the segment's writer does.
    pub(crate) fn push_offset(&self, entry: OffsetEntry) {
        self.offsets.push(&[(u64::from(entry.relative_offset) << 32) | u64::from(entry.position)]);
    }

    /// Adds an entry if it has a later timestamp than the last. Only the segment's writer does.
    pub(crate) fn push_time(&self, entry: TimeEntry) {
        let last = self.time_entries().checked_sub(1).and_then(|last| self.time_entry(last));
        if last.is_none_or(|last| entry.timestamp > last.timestamp) {
            self.times.push(&[entry.timestamp.cast_unsigned(), u64::from(entry.relative_offset)]);
        }
    }

    /// The entries that speak of offsets below `relative_end`, for a writer of its own.
    pub(crate) fn copy_below(&self, relative_end: u32) -> LiveIndexes {
        let copy = LiveIndexes::default();
        let offsets = (0..self.offset_entries()).filter_map(|index| self.offset_entry(index));
        let times = (0..self.time_entries()).filter_map(|index| self.time_entry(index));
        offsets.filter(|e| e.relative_offset < relative_end).for_each(|entry| copy.push_offset(entry));
        times.filter(|e| e.relative_offset < relative_end).for_each(|entry| copy.push_time(entry));
        copy
    }

    /// The offset index as it is in a file.
    pub(crate) fn offsets_to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.offset_entries() * OFFSET_ENTRY);
        for entry in (0..self.offset_entries()).filter_map(|index| self.offset_entry(index)) {
            bytes.extend_from_slice(&entry.relative_offset.to_be_bytes());
            bytes.extend_from_slice(&entry.position.to_be_bytes());
        }
        bytes
    }

    /// The time index as it is in a file.
    pub(crate) fn times_to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.time_entries() * TIME_ENTRY);
        for entry in (0..self.time_entries()).filter_map(|index| self.time_entry(index)) {
            bytes.extend_from_slice(&entry.timestamp.to_be_bytes());
            bytes.extend_from_slice(&entry.relative_offset.to_be_bytes());
        }
        bytes
    }
}

/// The contents of an index file.
pub(crate) enum FileBytes {
    /// Small: read.
    Read(Vec<u8>),
    /// Large: mapped.
    Mapped(Arc<Map>),
}

impl FileBytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            FileBytes::Read(bytes) => bytes,
            FileBytes::Mapped(map) => map.slice(0..map.readable()).unwrap_or_default(),
        }
    }
}

/// The indexes of a segment, wherever they are.
pub(crate) enum Indexes {
    Live(Arc<LiveIndexes>),
    Files { offsets: FileBytes, times: FileBytes },
}

impl Indexes {
    fn offset_entries(&self) -> usize {
        match self {
            Indexes::Live(live) => live.offset_entries(),
            Indexes::Files { offsets, .. } => offsets.as_slice().len() / OFFSET_ENTRY,
        }
    }

    fn offset_entry(&self, index: usize) -> Option<OffsetEntry> {
        match self {
            Indexes::Live(live) => live.offset_entry(index),
            Indexes::Files { offsets, .. } => read_offset_entry(offsets.as_slice(), index),
        }
    }

    fn time_entries(&self) -> usize {
        match self {
            Indexes::Live(live) => live.time_entries(),
            Indexes::Files { times, .. } => times.as_slice().len() / TIME_ENTRY,
        }
    }

    fn time_entry(&self, index: usize) -> Option<TimeEntry> {
        match self {
            Indexes::Live(live) => live.time_entry(index),
            Indexes::Files { times, .. } => read_time_entry(times.as_slice(), index),
        }
    }

    /// The last entry at or below `relative_offset`; the beginning of the segment where there is none.
    pub(crate) fn floor_offset(&self, relative_offset: u32) -> OffsetEntry {
        let below = partition_point(self.offset_entries(), |index| {
            self.offset_entry(index).is_some_and(|entry| entry.relative_offset <= relative_offset)
        });
        below.checked_sub(1).and_then(|last| self.offset_entry(last)).unwrap_or_default()
    }

    /// The last entry whose timestamp is not above `timestamp`.
    pub(crate) fn floor_time(&self, timestamp: i64) -> Option<TimeEntry> {
        let below = partition_point(self.time_entries(), |index| {
            self.time_entry(index).is_some_and(|entry| entry.timestamp <= timestamp)
        });
        below.checked_sub(1).and_then(|last| self.time_entry(last))
    }
}

/// The entry at `index` of an offset index's bytes.
pub(crate) fn read_offset_entry(bytes: &[u8], index: usize) -> Option<OffsetEntry> {
    let (relative_offset, position) = bytes.get(index.checked_mul(OFFSET_ENTRY)?..)?.split_first_chunk()?;
    let position = position.first_chunk()?;
    Some(OffsetEntry {
        relative_offset: u32::from_be_bytes(*relative_offset),
        position: u32::from_be_bytes(*position),
    })
}

/// The entry at `index` of a time index's bytes.
pub(crate) fn read_time_entry(bytes: &[u8], index: usize) -> Option<TimeEntry> {
    let (timestamp, relative_offset) = bytes.get(index.checked_mul(TIME_ENTRY)?..)?.split_first_chunk()?;
    let relative_offset = relative_offset.first_chunk()?;
    Some(TimeEntry {
        timestamp: i64::from_be_bytes(*timestamp),
        relative_offset: u32::from_be_bytes(*relative_offset),
    })
}

/// The first of `len` places for which `below` does not hold, given that it holds for all before.
fn partition_point(len: usize, below: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if below(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
