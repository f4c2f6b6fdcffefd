//! The 61 bytes at the head of a record batch of format 2, big-endian:
//!
//! | at | what | | at | what |
//! |---|---|---|---|---|
//! | 0 | base offset, i64 | | 27 | base timestamp, i64 |
//! | 8 | length of what follows, i32 | | 35 | largest timestamp, i64 |
//! | 12 | leader epoch, i32 | | 43 | producer id, i64 |
//! | 16 | format ("magic"), i8: 2 | | 51 | producer epoch, i16 |
//! | 17 | CRC-32C of all from 21 on, u32 | | 53 | base sequence, i32 |
//! | 21 | attributes, i16 | | 57 | number of records, i32 |
//! | 23 | last offset less base offset, i32 | | 61 | the records |

use super::TimestampType;

/// The length of the head.
pub const HEADER_BYTES: usize = 61;
/// Base offset and length: what comes before the bytes that the length counts.
pub const LENGTH_END: usize = 12;
/// Where the checksum's bytes begin.
pub const CRC_FROM: usize = 21;
/// The only format that is taken.
pub const MAGIC: u8 = 2;

const CODEC_BITS: i16 = 0x07;
const LOG_APPEND_TIME_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;

/// The head of a record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record.
    pub base_offset: i64,
    /// The number of bytes behind this field.
    pub batch_length: i32,
    /// The epoch of the leader that appended it.
    pub leader_epoch: i32,
    /// The format: 2.
    pub magic: u8,
    /// The CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec, kind of timestamp, transactional, control.
    pub attributes: i16,
    /// The offset of the last record less that of the first.
    pub last_offset_delta: i32,
    /// What the records' timestamps are relative to.
    pub base_timestamp: i64,
    /// The largest timestamp, or the time of the append.
    pub max_timestamp: i64,
    /// The idempotent producer's id, or -1.
    pub producer_id: i64,
    /// The idempotent producer's epoch, or -1.
    pub producer_epoch: i16,
    /// The sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// How many records there are.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the head at the beginning of `bytes`; `None` if they are too few. Nothing is checked.
    #[inline]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        Some(BatchHeader {
            base_offset: i64::from_be_bytes(part(bytes, 0)),
            batch_length: i32::from_be_bytes(part(bytes, 8)),
            leader_epoch: i32::from_be_bytes(part(bytes, 12)),
            magic: bytes[16],
            crc: u32::from_be_bytes(part(bytes, 17)),
            attributes: i16::from_be_bytes(part(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(part(bytes, 23)),
            base_timestamp: i64::from_be_bytes(part(bytes, 27)),
            max_timestamp: i64::from_be_bytes(part(bytes, 35)),
            producer_id: i64::from_be_bytes(part(bytes, 43)),
            producer_epoch: i16::from_be_bytes(part(bytes, 51)),
            base_sequence: i32::from_be_bytes(part(bytes, 53)),
            record_count: i32::from_be_bytes(part(bytes, 57)),
        })
    }

    /// The head as bytes.
    #[inline]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &self.base_offset.to_be_bytes());
        put(8, &self.batch_length.to_be_bytes());
        put(12, &self.leader_epoch.to_be_bytes());
        put(16, &[self.magic]);
        put(17, &self.crc.to_be_bytes());
        put(21, &self.attributes.to_be_bytes());
        put(23, &self.last_offset_delta.to_be_bytes());
        put(27, &self.base_timestamp.to_be_bytes());
        put(35, &self.max_timestamp.to_be_bytes());
        put(43, &self.producer_id.to_be_bytes());
        put(51, &self.producer_epoch.to_be_bytes());
        put(53, &self.base_sequence.to_be_bytes());
        put(57, &self.record_count.to_be_bytes());
        bytes
    }

    /// The bytes of the whole batch; 0 where the length makes no sense.
    #[inline]
    pub fn size(&self) -> usize {
        usize::try_from(self.batch_length).map_or(0, |length| length.saturating_add(LENGTH_END))
    }

    /// The offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// The sequence number of the last record. They go from `i32::MAX` on to 0.
    pub fn last_sequence(&self) -> i32 {
        later_sequence(self.base_sequence, self.last_offset_delta)
    }

    /// The number of the codec that the records are compressed with; 0 for none.
    pub fn codec(&self) -> u8 {
        (self.attributes & CODEC_BITS) as u8
    }

    /// Whose time the records carry.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Says whose time the records carry.
    pub fn set_timestamp_type(&mut self, timestamp_type: TimestampType) {
        match timestamp_type {
            TimestampType::CreateTime => self.attributes &= !LOG_APPEND_TIME_BIT,
            TimestampType::LogAppendTime => self.attributes |= LOG_APPEND_TIME_BIT,
        }
    }

    /// Whether it is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether its records are for brokers, not for consumers.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Whether an idempotent producer sent it.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id >= 0
    }

    /// Says what the records are compressed with. Attributes that nobody knows are dropped, as Kafka does where it
    /// builds a batch anew.
    pub fn set_codec(&mut self, codec: u8) {
        self.attributes &= LOG_APPEND_TIME_BIT | TRANSACTIONAL_BIT | CONTROL_BIT;
        self.attributes |= i16::from(codec);
    }

    /// Says whether it is part of a transaction, and whether its records are for brokers.
    pub fn set_flags(&mut self, transactional: bool, control: bool) {
        self.attributes |= if transactional { TRANSACTIONAL_BIT } else { 0 };
        self.attributes |= if control { CONTROL_BIT } else { 0 };
    }
}

/// `N` bytes from `at` on. All callers pass constants that lie within the head.
fn part<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

/// The sequence number that comes so many after another: they go from `i32::MAX` on to 0.
#[inline]
pub fn later_sequence(sequence: i32, by: i32) -> i32 {
    sequence
        .checked_add(by)
        .unwrap_or_else(|| by.wrapping_sub(i32::MAX.wrapping_sub(sequence)).wrapping_sub(1))
}

/// The checksum of a batch whose head is `header` and whose records are `records`.
pub fn checksum(header: &[u8; HEADER_BYTES], records: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[CRC_FROM..]), records)
}

/// The checksum of a whole batch as it lies in memory; `None` if it is not even a head long.
pub fn checksum_of(batch: &[u8]) -> Option<u32> {
    Some(crc32c::crc32c(batch.get(CRC_FROM..).filter(|_| batch.len() >= HEADER_BYTES)?))
}
