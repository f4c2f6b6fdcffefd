//! Building batches: for the broker's own journals, for recompression, and for tests.

use bytes::Bytes;

use super::compression::{self, Codec, Levels};
use super::header::{self, BatchHeader, HEADER_BYTES, LENGTH_END, MAGIC};
use super::{TimestampType, records};

/// A record to be put into a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordToWrite {
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; none makes it a tombstone.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Its timestamp in milliseconds since 1970.
    pub timestamp: i64,
}

/// What else a batch says. By default nothing: not compressed, not of an idempotent producer.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// How the records are compressed.
    pub codec: Codec,
    /// The offset of the first record. A log that appends the batch puts its own.
    pub base_offset: i64,
    /// The leader's epoch. A log that appends the batch puts its own.
    pub leader_epoch: i32,
    /// The idempotent producer's id, or -1.
    pub producer_id: i64,
    /// The idempotent producer's epoch, or -1.
    pub producer_epoch: i16,
    /// The sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// Whether it is part of a transaction.
    pub transactional: bool,
    /// Whether its records are for brokers.
    pub control: bool,
}

impl Default for BuildOptions {
    fn default() -> Self {
        BuildOptions {
            codec: Codec::None,
            base_offset: 0,
            leader_epoch: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            transactional: false,
            control: false,
        }
    }
}

/// Makes a batch of `records`. Of none at all it makes no bytes.
///
/// The records are the caller's own: together they have to stay below 2 GiB, which is what a batch can hold.
pub fn build(records: impl IntoIterator<Item = RecordToWrite>, options: &BuildOptions) -> Bytes {
    let mut encoded = Vec::new();
    let (mut base, mut largest, mut count) = (0, i64::MIN, 0_i32);
    for record in records {
        if count == 0 {
            base = record.timestamp;
        }
        largest = largest.max(record.timestamp);
        let delta = record.timestamp.wrapping_sub(base);
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        records::write(&mut encoded, delta, count, key, value, &record.headers);
        count = count.saturating_add(1);
    }
    if count == 0 {
        return Bytes::new();
    }
    let mut header = BatchHeader {
        base_offset: options.base_offset,
        batch_length: 0,
        leader_epoch: options.leader_epoch,
        magic: MAGIC,
        crc: 0,
        attributes: i16::from(options.codec.number()),
        last_offset_delta: count - 1,
        base_timestamp: base,
        max_timestamp: largest,
        producer_id: options.producer_id,
        producer_epoch: options.producer_epoch,
        base_sequence: options.base_sequence,
        record_count: count,
    };
    header.set_flags(options.transactional, options.control);
    header.set_timestamp_type(TimestampType::CreateTime);
    let packed = match options.codec {
        Codec::None => encoded,
        codec => compression::compress(codec, &encoded, &Levels::default()),
    };
    assemble(header, &packed)
}

/// Puts head and records together; fills in the length and the checksum.
pub fn assemble(mut header: BatchHeader, records: &[u8]) -> Bytes {
    header.batch_length = length_of(records.len());
    header.crc = header::checksum(&header.to_bytes(), records);
    let mut batch = Vec::with_capacity(HEADER_BYTES + records.len());
    batch.extend_from_slice(&header.to_bytes());
    batch.extend_from_slice(records);
    Bytes::from(batch)
}

/// What a head says of a batch with so many bytes of records.
pub fn length_of(records: usize) -> i32 {
    i32::try_from(HEADER_BYTES - LENGTH_END + records).unwrap_or(i32::MAX)
}
