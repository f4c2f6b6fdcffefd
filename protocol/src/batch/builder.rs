//! Filling a batch record by record: for producers, where a record is encoded once, straight to where it is sent from.
//!
//! A record costs no allocation, and the size of the batch is known exactly at every moment. Producer id, epoch and
//! sequence are put in when the batch is sent, and can be put in anew.

use bytes::Bytes;

use super::TimestampType;
use super::compression::{self, Codec, Levels};
use super::header::{self, BatchHeader, CRC_FROM, HEADER_BYTES, MAGIC};
use super::{build, varint};

/// The parts of a record that is put into a batch.
#[derive(Debug, Clone, Copy)]
pub struct RecordParts<'a> {
    /// Its timestamp in milliseconds since 1970.
    pub timestamp: i64,
    /// Its key, where it has one.
    pub key: Option<&'a [u8]>,
    /// Its value; none makes it a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers, in order.
    pub headers: &'a [(String, Option<Bytes>)],
}

impl RecordParts<'_> {
    /// The size of the batch that has this record and no other, before compression.
    pub fn size_alone(&self) -> usize {
        HEADER_BYTES.saturating_add(encoded_size(body_size(self, 0, 0)))
    }
}

/// What a record comes to in the batch that it was measured for, as long as nothing else is put into that.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    timestamp_delta: i64,
    body: usize,
    /// The bytes by which the batch grows.
    pub size: usize,
}

/// A batch that is being filled.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    /// Room for the head, and the records.
    buffer: Vec<u8>,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
}

impl BatchBuilder {
    /// An empty batch in `buffer`, whose content is dropped and whose capacity is used.
    pub fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.resize(HEADER_BYTES, 0);
        BatchBuilder { buffer, base_timestamp: 0, max_timestamp: i64::MIN, count: 0 }
    }

    /// The bytes of the batch so far, with its head, before compression.
    #[inline]
    pub fn size(&self) -> usize {
        self.buffer.len()
    }

    /// How many records it has.
    #[inline]
    pub fn count(&self) -> i32 {
        self.count
    }

    /// What `record` would come to as the next record.
    #[inline]
    pub fn measure(&self, record: &RecordParts<'_>) -> Measured {
        let timestamp_delta =
            if self.count == 0 { 0 } else { record.timestamp.wrapping_sub(self.base_timestamp) };
        let body = body_size(record, timestamp_delta, self.count);
        Measured { timestamp_delta, body, size: encoded_size(body) }
    }

    /// Puts `record` in, which was `measured` for just this place.
    ///
    /// The caller sees to it that the batch stays below 2 GiB.
    #[inline]
    pub fn push(&mut self, record: &RecordParts<'_>, measured: Measured) {
        if self.count == 0 {
            self.base_timestamp = record.timestamp;
        }
        let out = &mut self.buffer;
        let expected = out.len() + measured.size;
        out.reserve(measured.size);
        varint::write_i32(out, size_as_i32(measured.body));
        out.push(0);
        varint::write_i64(out, measured.timestamp_delta);
        varint::write_i32(out, self.count);
        write_nullable(out, record.key);
        write_nullable(out, record.value);
        varint::write_i32(out, size_as_i32(record.headers.len()));
        for (name, value) in record.headers {
            write_nullable(out, Some(name.as_bytes()));
            write_nullable(out, value.as_deref());
        }
        debug_assert_eq!(out.len(), expected, "the record was measured for another place");
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.count = self.count.saturating_add(1);
    }

    /// Ends the batch and compresses it. Where that leaves the buffer unused, it comes back.
    pub fn close(self, codec: Codec, levels: &Levels) -> (ClosedBatch, Option<Vec<u8>>) {
        let mut header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            leader_epoch: -1,
            magic: MAGIC,
            crc: 0,
            attributes: i16::from(codec.number()),
            last_offset_delta: self.count.saturating_sub(1),
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: self.count,
        };
        header.set_timestamp_type(TimestampType::CreateTime);
        let (buffer, unused) = match codec {
            Codec::None => (self.buffer, None),
            codec => {
                let records = self.buffer.get(HEADER_BYTES..).unwrap_or_default();
                let packed = compression::compress(codec, records, levels);
                let mut buffer = Vec::with_capacity(HEADER_BYTES + packed.len());
                buffer.resize(HEADER_BYTES, 0);
                buffer.extend_from_slice(&packed);
                (buffer, Some(self.buffer))
            }
        };
        header.batch_length = build::length_of(buffer.len().saturating_sub(HEADER_BYTES));
        (ClosedBatch { buffer, header }, unused)
    }
}

/// A batch that takes no more records. Its head is written when it is turned into bytes.
#[derive(Debug, Clone)]
pub struct ClosedBatch {
    buffer: Vec<u8>,
    header: BatchHeader,
}

impl ClosedBatch {
    /// A batch that was made before, to be given another producer id, epoch or sequence. None if it is not one.
    pub fn again(bytes: Bytes) -> Option<Self> {
        let header = BatchHeader::read(&bytes).filter(|header| header.size() == bytes.len())?;
        Some(ClosedBatch { buffer: Vec::from(bytes), header })
    }

    /// Says which idempotent producer sends it, and the sequence number of its first record.
    pub fn set_producer(&mut self, producer_id: i64, epoch: i16, base_sequence: i32) {
        self.header.producer_id = producer_id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
    }

    /// Says whether it is part of a transaction.
    pub fn set_transactional(&mut self) {
        self.header.set_flags(true, false);
    }

    /// Its bytes, head and checksum included.
    pub fn size(&self) -> usize {
        self.buffer.len()
    }

    /// The batch as it is sent.
    pub fn into_bytes(mut self) -> Bytes {
        self.header.crc = 0;
        let mut head = self.header.to_bytes();
        let records = self.buffer.get(HEADER_BYTES..).unwrap_or_default();
        let crc = header::checksum(&head, records);
        head[CRC_FROM - 4..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
        if let Some(place) = self.buffer.first_chunk_mut::<HEADER_BYTES>() {
            *place = head;
        }
        Bytes::from(self.buffer)
    }
}

#[inline]
fn body_size(record: &RecordParts<'_>, timestamp_delta: i64, offset_delta: i32) -> usize {
    let mut size = 1 + varint::size_i64(timestamp_delta) + varint::size_i32(offset_delta);
    size += nullable_size(record.key) + nullable_size(record.value);
    size += varint::size_i32(size_as_i32(record.headers.len()));
    for (name, value) in record.headers {
        size += nullable_size(Some(name.as_bytes())) + nullable_size(value.as_deref());
    }
    size
}

#[inline]
fn encoded_size(body: usize) -> usize {
    varint::size_i32(size_as_i32(body)).saturating_add(body)
}

#[inline]
fn nullable_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint::size_i32(size_as_i32(bytes.len())) + bytes.len())
}

#[inline]
fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            varint::write_i32(out, size_as_i32(bytes.len()));
            out.extend_from_slice(bytes);
        }
        None => varint::write_i32(out, -1),
    }
}

/// A batch cannot hold more than `i32::MAX` bytes; whoever fills it keeps well below.
#[inline]
fn size_as_i32(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{BuildOptions, RecordToWrite, batches, records};
    use super::*;

    fn nullable(most: usize) -> impl Strategy<Value = Option<Bytes>> {
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from))
    }

    fn a_record() -> impl Strategy<Value = RecordToWrite> {
        let headers = proptest::collection::vec(("[a-zäé]{0,9}", nullable(20)), 0..4);
        let timestamp = prop_oneof![any::<i64>(), 1_700_000_000_000..1_700_000_100_000_i64];
        (nullable(90), nullable(300), headers, timestamp)
            .prop_map(|(key, value, headers, timestamp)| RecordToWrite { key, value, headers, timestamp })
    }

    fn parts(record: &RecordToWrite) -> RecordParts<'_> {
        RecordParts {
            timestamp: record.timestamp,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &record.headers,
        }
    }

    fn filled(all: &[RecordToWrite]) -> BatchBuilder {
        let mut builder = BatchBuilder::new(vec![7; 5]);
        for record in all {
            let measured = builder.measure(&parts(record));
            let before = builder.size();
            builder.push(&parts(record), measured);
            assert_eq!(builder.size(), before + measured.size);
        }
        builder
    }

    const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_put_in_is_read(all in proptest::collection::vec(a_record(), 1..40), codec in 0..5_usize) {
            let (mut closed, unused) = filled(&all).close(CODECS[codec], &Levels::default());
            prop_assert_eq!(unused.is_some(), codec > 0);
            closed.set_producer(77, 3, i32::MAX - 1);
            let size = closed.size();
            let bytes = closed.into_bytes();
            prop_assert_eq!(bytes.len(), size);
            prop_assert_eq!(header::checksum_of(&bytes), BatchHeader::read(&bytes).map(|header| header.crc));
            let batch = batches(&bytes).next().expect("a whole batch");
            prop_assert_eq!(batch.header.size(), bytes.len());
            prop_assert_eq!((batch.header.producer_id, batch.header.producer_epoch), (77, 3));
            let read = records(&batch).expect("records");
            prop_assert_eq!(read.len(), all.len());
            for (index, (read, put)) in read.iter().zip(&all).enumerate() {
                prop_assert_eq!(read.offset, index as i64);
                prop_assert_eq!((&read.key, &read.value), (&put.key, &put.value));
                prop_assert_eq!((&read.headers, read.timestamp), (&put.headers, put.timestamp));
            }
        }

        #[test]
        fn it_makes_what_building_at_once_makes(all in proptest::collection::vec(a_record(), 1..20)) {
            let (closed, _) = filled(&all).close(Codec::None, &Levels::default());
            prop_assert_eq!(closed.into_bytes(), build::build(all, &BuildOptions::default()));
        }

        #[test]
        fn a_record_alone_has_the_size_that_was_said(record in a_record()) {
            prop_assert_eq!(filled(std::slice::from_ref(&record)).size(), parts(&record).size_alone());
        }
    }

    #[test]
    fn the_producer_can_be_set_again() {
        let record = RecordToWrite { value: Some(Bytes::from_static(b"v")), ..RecordToWrite::default() };
        let (mut closed, _) = filled(&[record]).close(Codec::None, &Levels::default());
        closed.set_producer(1, 0, 5);
        let first = closed.into_bytes();
        let mut closed = ClosedBatch::again(first.clone()).expect("a batch");
        closed.set_producer(1, 1, 0);
        let again = closed.into_bytes();
        let header = BatchHeader::read(&again).expect("a head");
        assert_eq!((header.producer_epoch, header.base_sequence), (1, 0));
        assert_eq!(header::checksum_of(&again), Some(header.crc));
        assert_eq!(first[HEADER_BYTES..], again[HEADER_BYTES..]);
        assert!(ClosedBatch::again(first.slice(..first.len() - 1)).is_none());
    }
}
