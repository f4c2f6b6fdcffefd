//! Reading a segment: by offset, by time, header by header. No lock is held while bytes are looked at.

use std::io;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::{Extent, Loaded, Segment};
use crate::batch::header::MAGIC;
use crate::batch::{self, Batch, BatchHeader, HEADER_BYTES};
use crate::error::ReadError;

/// A record found by its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's offset.
    pub offset: i64,
    /// The record's timestamp.
    pub timestamp: i64,
    /// The epoch of the leader that appended it.
    pub leader_epoch: i32,
}

/// A batch in its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) position: usize,
    pub(crate) header: BatchHeader,
}

impl Segment {
    /// The bytes from the batch on that has `offset`, or the first after it: up to `max_bytes` of them, and up to the
    /// first batch that begins at `upto`. A batch may be cut off at the end; the first one is not. If the first one is
    /// larger than `max_bytes` there is nothing, or with `at_least_one` that batch alone.
    ///
    /// `None` if there is no such batch in this segment.
    pub(crate) fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
        upto: i64,
    ) -> Result<Option<Bytes>, ReadError> {
        // Before the bytes are looked for: see `make_room_in_memory`.
        let extent = self.extent();
        if offset >= extent.end_offset || offset >= upto {
            return Ok(None);
        }
        let loaded = self.load()?;
        let found = self.find(&loaded, offset, extent, |header| header.last_offset() >= offset)?;
        let Some(first) = found.filter(|first| first.header.base_offset < upto) else { return Ok(None) };
        let end = if upto >= extent.end_offset {
            extent.len
        } else {
            let end = self.find(&loaded, upto, extent, |header| header.base_offset >= upto)?;
            end.map_or(extent.len, |end| end.position)
        };
        let first_size = first.header.size();
        let size = match end.saturating_sub(first.position).min(max_bytes) {
            size if size >= first_size => size,
            _ if at_least_one => first_size,
            _ => 0,
        };
        let bytes = loaded.map.bytes(first.position..first.position + size);
        bytes.map(Some).ok_or_else(|| corrupt(first.position, "it ends behind the segment"))
    }

    /// The first batch for which `wanted` holds, from the index's entry for `offset` on.
    fn find(
        &self,
        loaded: &Loaded,
        offset: i64,
        extent: Extent,
        wanted: impl Fn(&BatchHeader) -> bool,
    ) -> Result<Option<Placed>, ReadError> {
        let mut found = None;
        let from = self.position_before(loaded, offset);
        self.walk(loaded, from, extent, |placed| {
            if wanted(&placed.header) {
                found = Some(placed);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// A position at or before the batch that has `offset`. An index entry that does not lead to the batch it names is
    /// damaged, and the segment is read from its beginning instead.
    fn position_before(&self, loaded: &Loaded, offset: i64) -> usize {
        let relative = offset.saturating_sub(self.base_offset).max(0);
        let entry = loaded.indexes.floor_offset(u32::try_from(relative).unwrap_or(u32::MAX));
        let position = entry.position as usize;
        let named = self.base_offset + i64::from(entry.relative_offset);
        match header_at(loaded, position, usize::MAX) {
            Ok(header) if position > 0 && header.last_offset() == named => position,
            _ => 0,
        }
    }

    /// Hands the batches from `offset` on to `visit`.
    pub(crate) fn for_each_batch(
        &self,
        offset: i64,
        mut visit: impl FnMut(&BatchHeader, &Loaded, usize) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let extent = self.extent();
        if extent.len == 0 {
            return Ok(());
        }
        let loaded = self.load()?;
        let from = self.position_before(&loaded, offset);
        self.walk(&loaded, from, extent, |placed| {
            if placed.header.last_offset() < offset {
                return ControlFlow::Continue(());
            }
            visit(&placed.header, &loaded, placed.position)
        })
    }

    /// The first record at or behind `from` whose timestamp is at least `timestamp`.
    pub(crate) fn find_timestamp(
        &self,
        timestamp: i64,
        from: i64,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        if self.len() == 0 {
            return Ok(None);
        }
        let loaded = self.load()?;
        let before = self.offset_before(&loaded, timestamp)?;
        self.find_record(before.max(from), from, timestamp)
    }

    /// An offset at or before the first record that is as late as `timestamp`. An entry of the time index that does not
    /// lead to a batch with the timestamp it names is damaged, and not used.
    fn offset_before(&self, loaded: &Loaded, timestamp: i64) -> Result<i64, ReadError> {
        let Some(entry) = loaded.indexes.floor_time(timestamp) else { return Ok(self.base_offset) };
        let offset = self.base_offset + i64::from(entry.relative_offset);
        let batch = self.find(loaded, offset, self.extent(), |header| header.last_offset() >= offset)?;
        let is_right = batch.is_some_and(|batch| {
            batch.header.last_offset() == offset && batch.header.max_timestamp == entry.timestamp
        });
        Ok(if is_right { offset } else { self.base_offset })
    }

    /// The first record that has the largest timestamp.
    pub(crate) fn find_max_timestamp(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let (timestamp, offset) = self.max_timestamp();
        if self.len() == 0 || timestamp < 0 {
            return Ok(None);
        }
        self.find_record(offset, self.base_offset, timestamp)
    }

    /// The first record in the batches from that with the offset `start` on that is not before `from`, nor older than
    /// `timestamp`.
    fn find_record(
        &self,
        start: i64,
        from: i64,
        timestamp: i64,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let mut found = None;
        let mut failed = None;
        self.for_each_batch(start, |header, loaded, position| {
            if header.max_timestamp < timestamp {
                return ControlFlow::Continue(());
            }
            let Some(bytes) = loaded.map.bytes(position..position + header.size()) else {
                return ControlFlow::Break(());
            };
            let read = batch::for_each_record(&Batch { header: *header, bytes }, |record| {
                if record.timestamp < timestamp || record.offset < from {
                    return ControlFlow::Continue(());
                }
                let (offset, timestamp) = (record.offset, record.timestamp);
                found = Some(TimestampOffset { offset, timestamp, leader_epoch: header.leader_epoch });
                ControlFlow::Break(())
            });
            failed = read.err();
            if found.is_some() || failed.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        match failed {
            Some(error) => Err(ReadError::Corrupt(error.to_string())),
            None => Ok(found),
        }
    }

    /// Goes over the batches from a position on.
    fn walk(
        &self,
        loaded: &Loaded,
        from: usize,
        extent: Extent,
        mut visit: impl FnMut(Placed) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut position = from;
        while position < extent.len {
            let header = header_at(loaded, position, extent.len)?;
            if header.base_offset < self.base_offset || header.last_offset() >= extent.end_offset {
                return Err(corrupt(position, "its offset lies outside of the segment"));
            }
            if visit(Placed { position, header }).is_break() {
                return Ok(());
            }
            position += header.size();
        }
        Ok(())
    }
}

/// The head of the batch at `position`, which ends before `len`.
fn header_at(loaded: &Loaded, position: usize, len: usize) -> Result<BatchHeader, ReadError> {
    let len = len.min(loaded.map.readable());
    let head = loaded.map.slice(position..position.saturating_add(HEADER_BYTES).min(len));
    let header = head.and_then(BatchHeader::read).ok_or_else(|| corrupt(position, "it is cut off"))?;
    let size = header.size();
    if header.magic != MAGIC || size < HEADER_BYTES || size > len - position {
        return Err(corrupt(position, "its length or format cannot be"));
    }
    Ok(header)
}

fn corrupt(position: usize, why: &str) -> ReadError {
    ReadError::Corrupt(format!("the batch at position {position} of a segment is no batch: {why}"))
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            error => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
        }
    }
}
