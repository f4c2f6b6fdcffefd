//! Reads a batch's records one after the other, as they are handed out.

use bytes::Bytes;
use klamm_protocol::batch::compression::decompress;
use klamm_protocol::batch::records::{self, Bases};
use klamm_protocol::batch::{
    Batch, BatchError, Codec, HEADER_BYTES, MAX_DECOMPRESSED_BYTES, TimestampType, header,
};

/// The least that a record takes: its length, attributes, two deltas, two lengths, and the number of headers.
const LEAST_RECORD_BYTES: usize = 7;

/// Where reading stands in a batch whose records are decompressed.
#[derive(Debug)]
pub(super) struct Cursor {
    bytes: Bytes,
    at: usize,
    bases: Bases,
    /// Records that are still to come, as the head says.
    left: i32,
}

impl Cursor {
    /// Before the first record. Decompresses the records, in no more than [`MAX_DECOMPRESSED_BYTES`].
    pub(super) fn open(batch: &Batch) -> Result<Self, BatchError> {
        let head = &batch.header;
        if head.magic != header::MAGIC {
            return Err(BatchError::NotABatch(format!("its format is {}", head.magic)));
        }
        if batch.bytes.get(HEADER_BYTES..head.size()).is_none() {
            return Err(BatchError::NotABatch("it is cut off".to_owned()));
        }
        let packed = batch.bytes.slice(HEADER_BYTES..head.size());
        let bytes = match Codec::from_number(head.codec()) {
            Some(Codec::None) => packed,
            Some(codec) => decompress(codec, &packed, MAX_DECOMPRESSED_BYTES)
                .map(Bytes::from)
                .map_err(BatchError::Compression)?,
            None => return Err(BatchError::Compression(format!("there is no codec {}", head.codec()))),
        };
        let log_append_time =
            (head.timestamp_type() == TimestampType::LogAppendTime).then_some(head.max_timestamp);
        let bases = Bases { offset: head.base_offset, timestamp: head.base_timestamp, log_append_time };
        Ok(Cursor { bytes, at: 0, bases, left: head.record_count })
    }

    /// The bytes of the records.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left <= 0
    }

    /// How many records are still to come; no more than the bytes can hold, whatever the head says.
    pub(super) fn count(&self) -> usize {
        let most = self.bytes.len().saturating_sub(self.at) / LEAST_RECORD_BYTES;
        usize::try_from(self.left).unwrap_or(0).min(most)
    }

    /// Moves behind the records whose offsets are lower.
    pub(super) fn skip_before(&mut self, offset: i64) -> Result<(), BatchError> {
        while self.left > 0 {
            let mut after = self.at;
            let shape = records::walk(&self.bytes, &mut after)?;
            if self.bases.offset_of(shape.offset_delta) >= offset {
                break;
            }
            self.at = after;
            self.left -= 1;
        }
        Ok(())
    }

    /// The next record. Not to be called when none is left.
    #[inline]
    pub(super) fn read(&mut self) -> Result<records::Record, BatchError> {
        let record = records::read(&self.bytes, &mut self.at, &self.bases)?;
        self.left -= 1;
        Ok(record)
    }
}
