//! Record batches of Kafka's format 2: reading, checking and building them.
//!
//! Knows nothing of logs, files or offsets other than those written in a batch.

pub mod build;
pub mod builder;
pub mod compression;
pub mod header;
pub mod records;
pub mod varint;

use std::ops::ControlFlow;

use bytes::Bytes;

pub use build::{BuildOptions, RecordToWrite, build};
pub use builder::{BatchBuilder, ClosedBatch, RecordParts};
pub use compression::Codec;
pub use header::{BatchHeader, HEADER_BYTES};
pub use records::Record;

use records::{Bases, RecordFault};

/// Whose time a record carries (`message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The time at which the log got it.
    LogAppendTime,
}

/// The largest that the records of a batch may become when [`records()`] decompresses them. A batch as large as clients
/// send it by default, 1 MiB, would have to be compressed 256 times over.
pub const MAX_DECOMPRESSED_BYTES: usize = 256 * 1024 * 1024;

/// Why the records of a batch cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The bytes are no batch of format 2.
    #[error("not a record batch: {0}")]
    NotABatch(String),
    /// The records are not as they should be.
    #[error("the batch's records are malformed: {0}")]
    Malformed(String),
    /// The records do not decompress, or become larger than [`MAX_DECOMPRESSED_BYTES`].
    #[error("the batch's records do not decompress: {0}")]
    Compression(String),
}

impl From<RecordFault> for BatchError {
    fn from(fault: RecordFault) -> Self {
        match fault {
            RecordFault::CutOff => BatchError::Malformed("they end too early".to_owned()),
            RecordFault::LengthTooLong => BatchError::Malformed("a length is no number".to_owned()),
            RecordFault::Malformed(why) => BatchError::Malformed(why.to_owned()),
            RecordFault::Compression(why) => BatchError::Compression(why),
        }
    }
}

/// A whole batch: its head, and its bytes with the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The head.
    pub header: BatchHeader,
    /// All of its bytes.
    pub bytes: Bytes,
}

/// The whole batches in `bytes`, one after the other, each a slice of it. Ends where what follows is not a whole
/// batch: also where a fetch cut one off. Checksums are not looked at.
pub fn batches(bytes: &Bytes) -> impl Iterator<Item = Batch> + use<> {
    let mut rest = bytes.clone();
    std::iter::from_fn(move || {
        let header = BatchHeader::read(&rest)?;
        let size = header.size();
        if size < HEADER_BYTES || size > rest.len() {
            return None;
        }
        Some(Batch { header, bytes: rest.split_to(size) })
    })
}

/// The records of a batch, decompressed where they have to be, then in no more than [`MAX_DECOMPRESSED_BYTES`].
///
/// # Errors
/// If the batch is not one, or does not hold as many records as it says.
pub fn records(batch: &Batch) -> Result<Vec<Record>, BatchError> {
    let mut records = Vec::new();
    for_each_record(batch, |record| {
        records.push(record);
        ControlFlow::Continue(())
    })?;
    Ok(records)
}

/// Hands the records of a batch to `visit`, one after the other, until it has seen enough.
///
/// # Errors
/// As [`records()`].
pub fn for_each_record(
    batch: &Batch,
    mut visit: impl FnMut(Record) -> ControlFlow<()>,
) -> Result<(), BatchError> {
    let header = &batch.header;
    if header.magic != header::MAGIC {
        return Err(BatchError::NotABatch(format!("its format is {}", header.magic)));
    }
    let packed = batch.bytes.get(HEADER_BYTES..header.size());
    packed.ok_or_else(|| BatchError::NotABatch("it is cut off".to_owned()))?;
    let packed = batch.bytes.slice(HEADER_BYTES..header.size());
    let bytes = match Codec::from_number(header.codec()) {
        Some(Codec::None) => packed,
        Some(codec) => compression::decompress(codec, &packed, MAX_DECOMPRESSED_BYTES)
            .map(Bytes::from)
            .map_err(BatchError::Compression)?,
        None => return Err(BatchError::Compression(format!("there is no codec {}", header.codec()))),
    };
    let bases = bases(header);
    let mut at = 0;
    for _ in 0..header.record_count {
        if visit(records::read(&bytes, &mut at, &bases)?).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

fn bases(header: &BatchHeader) -> Bases {
    let log_append_time =
        (header.timestamp_type() == TimestampType::LogAppendTime).then_some(header.max_timestamp);
    Bases { offset: header.base_offset, timestamp: header.base_timestamp, log_append_time }
}

/// Whether the first batch in `bytes` is compressed with Zstandard.
pub fn uses_zstd(bytes: &Bytes) -> bool {
    BatchHeader::read(bytes).is_some_and(|header| header.codec() == Codec::Zstd.number())
}
