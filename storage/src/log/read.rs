//! Reading: by offset, and finding records by time.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::Log;
use crate::error::ReadError;
use crate::segment::read::TimestampOffset;

/// How far a reader may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadUpTo {
    /// As far as consumers may: to the high watermark.
    HighWatermark,
    /// As far as consumers may that want nothing of open transactions.
    LastStableOffset,
    /// To the end.
    LogEnd,
}

/// What was read, and how far the log reaches.
#[derive(Debug, Clone)]
pub struct Read {
    /// Batches, as they lie in the log and without a copy: from the one on that has the offset asked for. The last one may
    /// be cut off. They stay valid whatever becomes of the log.
    pub records: Bytes,
    /// The high watermark.
    pub high_watermark: i64,
    /// The last stable offset.
    pub last_stable_offset: i64,
    /// The log start offset.
    pub log_start_offset: i64,
    /// The log end offset.
    pub log_end_offset: i64,
}

impl Log {
    /// Reads from `offset` on, up to `max_bytes`. A batch at the end may be cut off, and what is read ends with a segment:
    /// there may be more behind it. If the first batch is larger than `max_bytes` there is nothing; or, with
    /// `at_least_one`, that batch.
    ///
    /// # Errors
    /// [`ReadError::OffsetOutOfRange`] below the log start offset and above the log end offset; others if the file cannot
    /// be mapped, or was damaged.
    pub fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
        upto: ReadUpTo,
    ) -> Result<Read, ReadError> {
        if self.deleted.load(Ordering::Acquire) {
            return Err(ReadError::Deleted);
        }
        let log_end_offset = self.log_end_offset();
        let high_watermark = log_end_offset;
        let last_stable_offset = self.first_unstable.load(Ordering::Acquire).min(high_watermark);
        let log_start_offset = self.log_start_offset();
        if offset < log_start_offset || offset > log_end_offset {
            return Err(ReadError::OffsetOutOfRange { offset, start: log_start_offset, end: log_end_offset });
        }
        let limit = match upto {
            ReadUpTo::HighWatermark => high_watermark,
            ReadUpTo::LastStableOffset => last_stable_offset,
            ReadUpTo::LogEnd => log_end_offset,
        };
        let records = self.read_records(offset, max_bytes, at_least_one, limit)?;
        Ok(Read { records, high_watermark, last_stable_offset, log_start_offset, log_end_offset })
    }

    fn read_records(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
        limit: i64,
    ) -> Result<Bytes, ReadError> {
        if offset >= limit {
            return Ok(Bytes::new());
        }
        let segments = self.segments();
        let behind = segments.partition_point(|segment| segment.base_offset() <= offset);
        for segment in segments.get(behind.saturating_sub(1)..).unwrap_or_default() {
            // What lies between two segments was deleted: what comes next is read.
            let read = segment.read(offset.max(segment.base_offset()), max_bytes, at_least_one, limit);
            match read {
                Ok(Some(records)) => return Ok(records),
                Ok(None) => {}
                Err(error) => return Err(self.read_error(error, offset)),
            }
        }
        Ok(Bytes::new())
    }

    /// A segment that was deleted between two looks at the log is out of range, not broken.
    fn read_error(&self, error: ReadError, offset: i64) -> ReadError {
        let (start, end) = (self.log_start_offset(), self.log_end_offset());
        if self.deleted.load(Ordering::Acquire) {
            ReadError::Deleted
        } else if offset < start {
            ReadError::OffsetOutOfRange { offset, start, end }
        } else {
            error
        }
    }

    /// The first record whose timestamp is at least `timestamp` (`ListOffsets` by time).
    ///
    /// # Errors
    /// If a segment cannot be read.
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, ReadError> {
        let start = self.log_start_offset();
        for segment in self.segments().iter().filter(|segment| segment.max_timestamp().0 >= timestamp) {
            if segment.end_offset() > start
                && let Some(found) =
                    segment.find_timestamp(timestamp, start).map_err(|e| self.read_error(e, start))?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first record that has the largest timestamp (`ListOffsets`, -3). As in Kafka it may lie before the log start
    /// offset, where the segment that holds it is still there.
    ///
    /// # Errors
    /// If a segment cannot be read.
    pub fn max_timestamp(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let start = self.log_start_offset();
        let segments = self.segments();
        // Of several with the same timestamp the first counts.
        let latest = segments.iter().rev().max_by_key(|segment| segment.max_timestamp().0);
        let found = latest.map(|latest| latest.find_max_timestamp());
        found.transpose().map(Option::flatten).map_err(|error| self.read_error(error, start))
    }
}
