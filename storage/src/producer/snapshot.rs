//! A snapshot of the producers of a log, in Kafka's format, so that not all of the log has to be read when it is opened.
//!
//! Big-endian: version, i16, 1; CRC-32C of what follows, u32; the number of producers, i32; and for each its id, i64; epoch,
//! i16; last sequence, i32; last offset, i64; the last batch's offset delta, i32; timestamp, i64; coordinator epoch, i32;
//! the offset at which its open transaction begins or -1, i64. Only the last batch of a producer is in it.

use std::collections::VecDeque;

use super::{AppendedBatch, Producer, Producers};
use crate::inspect::ProducerEntry;

const VERSION: i16 = 1;
/// Version and checksum.
const HEAD_BYTES: usize = 6;
const PRODUCER_BYTES: usize = 46;

/// The snapshot's bytes.
pub(crate) fn write(producers: &Producers) -> Vec<u8> {
    let mut body = Vec::with_capacity(4 + producers.len() * PRODUCER_BYTES);
    body.extend((producers.len() as u32).to_be_bytes());
    for (id, producer) in producers.iter() {
        let none = AppendedBatch { last_sequence: -1, last_offset: -1, offset_delta: 0, timestamp: -1 };
        let last = producer.batches.back().unwrap_or(&none);
        body.extend(id.to_be_bytes());
        body.extend(producer.epoch.to_be_bytes());
        body.extend(last.last_sequence.to_be_bytes());
        body.extend(last.last_offset.to_be_bytes());
        body.extend(last.offset_delta.to_be_bytes());
        body.extend(producer.last_timestamp.to_be_bytes());
        body.extend(producer.coordinator_epoch.to_be_bytes());
        body.extend(producer.transaction_start.unwrap_or(-1).to_be_bytes());
    }
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend(crc32c::crc32c(&body).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// The producers in a snapshot; `None` if it is damaged.
pub(crate) fn read(bytes: &[u8]) -> Option<Producers> {
    let mut head = Reader(bytes);
    let version = i16::from_be_bytes(head.take()?);
    let crc = u32::from_be_bytes(head.take()?);
    if version != VERSION || crc32c::crc32c(head.0) != crc {
        return None;
    }
    let count = u32::from_be_bytes(head.take()?) as usize;
    if count.checked_mul(PRODUCER_BYTES)? != head.0.len() {
        return None;
    }
    let mut found = Vec::with_capacity(count);
    for _ in 0..count {
        let id = i64::from_be_bytes(head.take()?);
        let epoch = i16::from_be_bytes(head.take()?);
        let last_sequence = i32::from_be_bytes(head.take()?);
        let last_offset = i64::from_be_bytes(head.take()?);
        let offset_delta = i32::from_be_bytes(head.take()?);
        let timestamp = i64::from_be_bytes(head.take()?);
        let coordinator_epoch = i32::from_be_bytes(head.take()?);
        let transaction_start = Some(i64::from_be_bytes(head.take()?)).filter(|offset| *offset >= 0);
        let mut batches = VecDeque::new();
        if last_offset >= 0 {
            batches.push_back(AppendedBatch { last_sequence, last_offset, offset_delta, timestamp });
        }
        let producer =
            Producer { epoch, batches, last_timestamp: timestamp, coordinator_epoch, transaction_start };
        found.push((id, producer));
    }
    Some(found.into_iter().collect())
}

impl Producers {
    /// What a snapshot of these producers says, in the order of their ids.
    pub(crate) fn entries(&self) -> Vec<ProducerEntry> {
        let mut entries: Vec<_> = self.iter().map(|(id, producer)| entry(id, producer)).collect();
        entries.sort_by_key(|entry| entry.producer_id);
        entries
    }
}

fn entry(producer_id: i64, producer: &Producer) -> ProducerEntry {
    let last_batch = producer.batches.back();
    ProducerEntry {
        producer_id,
        producer_epoch: producer.epoch,
        coordinator_epoch: producer.coordinator_epoch,
        transaction_start: producer.transaction_start,
        last_timestamp: producer.last_timestamp,
        last_batch: last_batch.map(|batch| (batch.first_sequence(), batch.last_sequence, batch.last_offset)),
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchHeader, BuildOptions, RecordToWrite, build};

    #[test]
    fn what_is_written_is_read_and_damage_is_seen() {
        let mut producers = Producers::default();
        for id in 0..3 {
            let options =
                BuildOptions { producer_id: id, producer_epoch: 2, base_sequence: 7, ..Default::default() };
            let batch = build([RecordToWrite { timestamp: 5, ..Default::default() }], &options);
            producers.appended(&BatchHeader::read(&batch).unwrap());
        }
        let bytes = write(&producers);
        assert_eq!(bytes.len(), HEAD_BYTES + 4 + 3 * PRODUCER_BYTES);
        assert_eq!(read(&bytes), Some(producers));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(read(&damaged), None, "byte {at}");
            assert_eq!(read(&bytes[..at]), None, "cut at {at}");
        }
    }
}
