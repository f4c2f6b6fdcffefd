//! A fetched batch that waits to be handed out.

use klamm_protocol::batch::{Batch, BatchError, Codec};

use super::cursor::Cursor;

/// Records of one batch, and where reading goes on behind them.
#[derive(Debug)]
pub(in crate::native::consumer) struct Chunk {
    content: Content,
    /// The offset behind the batch: also behind batches that follow and have nothing for a reader.
    pub(super) end: i64,
    /// The epoch of the leader that took the batch.
    pub(super) epoch: i32,
    /// What it counts for, in records and bytes.
    pub(super) records: usize,
    pub(super) bytes: usize,
}

#[derive(Debug)]
enum Content {
    /// Nothing for a reader: records for brokers, of an aborted transaction, or none at all.
    Nothing,
    /// As it came.
    Packed(Batch),
    Open(Cursor),
}

impl Chunk {
    /// Nothing for a reader up to behind `batch`.
    pub(in crate::native::consumer) fn nothing(batch: &Batch) -> Self {
        let (end, epoch) = (end_of(batch), batch.header.leader_epoch);
        Chunk { content: Content::Nothing, end, epoch, records: 0, bytes: 0 }
    }

    /// The records of a batch. They are decompressed now if they are to be and can be; where they cannot, that is found
    /// when they are handed out.
    pub(in crate::native::consumer) fn of(batch: Batch, decompress: bool) -> Self {
        let (end, epoch) = (end_of(&batch), batch.header.leader_epoch);
        let plain = batch.header.codec() == Codec::None.number();
        let opened = if plain || decompress { Cursor::open(&batch).ok() } else { None };
        match opened {
            Some(cursor) => {
                let (records, bytes) = (cursor.count(), cursor.size());
                Chunk { content: Content::Open(cursor), end, epoch, records, bytes }
            }
            None => {
                let records =
                    usize::try_from(batch.header.record_count).unwrap_or(0).min(MOST_PACKED_RECORDS);
                let bytes = batch.bytes.len();
                Chunk { content: Content::Packed(batch), end, epoch, records, bytes }
            }
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self.content, Content::Nothing)
    }

    /// The bytes that it holds in memory for its records.
    pub(in crate::native::consumer) fn size(&self) -> usize {
        self.bytes
    }

    /// Where to read the records from, decompressed.
    #[inline]
    pub(super) fn open(&mut self) -> Result<Option<&mut Cursor>, BatchError> {
        if let Content::Packed(batch) = &self.content {
            self.content = Content::Open(Cursor::open(batch)?);
        }
        match &mut self.content {
            Content::Open(cursor) => Ok(Some(cursor)),
            Content::Nothing | Content::Packed(_) => Ok(None),
        }
    }
}

/// What a batch counts for at the most before it is decompressed: its head may say anything.
const MOST_PACKED_RECORDS: usize = 1_000_000;

fn end_of(batch: &Batch) -> i64 {
    batch.header.last_offset().saturating_add(1)
}
