//! Record batches: right ones, and ones with random damage, with a checksum that fits or not. Whatever the broker
//! takes must be a batch that every consumer can read.

use std::io::Write as _;

use bytes::{Buf, Bytes};
use klamm::Broker;

use super::rng::Rng;
use crate::harness::produce_request;
use crate::wire::client::*;

const TOPIC: &str = "fed";

/// Where the checksum of a batch lies, and where what it covers begins.
const CRC: usize = 17;
const COVERED: usize = 21;

/// The length of the header of a batch.
const HEADER: usize = 61;

/// A batch that may or may not be one.
pub(crate) fn any(rng: &mut Rng) -> Vec<u8> {
    let count = 1 + rng.below(4);
    let mut payload = Vec::new();
    for index in 0..count {
        let length = rng.below(60);
        payload.extend(record(i64::try_from(index).unwrap(), &rng.bytes(length)));
    }
    if rng.percent(15) {
        rng.mutate(&mut payload);
    }
    let mut attributes = 0;
    if rng.percent(25) {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&payload).unwrap();
        payload = gzip.finish().unwrap();
        // Said to be gzip, or any other codec that it is not.
        attributes = if rng.percent(70) { 1 } else { i16::try_from(rng.below(8)).unwrap() };
    }
    let mut batch = batch(attributes, i32::try_from(count).unwrap(), &payload).to_vec();
    if rng.percent(40) {
        rng.mutate(&mut batch);
        if rng.percent(70) && batch.len() > COVERED {
            let crc = crc32c::crc32c(&batch[COVERED..]);
            batch[CRC..COVERED].copy_from_slice(&crc.to_be_bytes());
        }
    }
    if rng.percent(5) {
        batch.extend(any(rng));
    }
    batch
}

/// Sees that what lies in a partition from `offset` on is batches without gaps, and nothing that a consumer would
/// choke on. Returns the offset behind the last record.
#[track_caller]
pub(crate) fn assert_readable(address: &str, topic: &'static str, mut offset: i64) -> i64 {
    let mut client = Raw::connect(address);
    loop {
        let mut request = fetch(topic, offset, 1 << 20);
        request.max_wait_ms = 0;
        let mut answer = client.ask(&request, 11);
        let partition = answer.responses.remove(0).partitions.remove(0);
        assert_eq!(partition.error_code, 0, "at offset {offset}");
        let mut records = partition.records.unwrap_or_default();
        if records.is_empty() {
            assert_eq!(partition.high_watermark, offset);
            return offset;
        }
        let before = offset;
        while let Some(batch) = next_batch(&mut records) {
            offset = assert_batch(&batch, offset);
        }
        assert!(offset > before, "a whole batch is read at offset {offset}");
    }
}

/// Cuts the first batch off. None: what is left is not a whole one.
pub(crate) fn next_batch(records: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(records.get(8..12)?.get_i32()).ok()?.checked_add(12)?;
    (length >= HEADER && records.len() >= length).then(|| records.split_to(length))
}

pub(crate) fn has_right_checksum(batch: &Bytes) -> bool {
    (&batch[CRC..]).get_u32() == crc32c::crc32c(&batch[COVERED..])
}

#[track_caller]
fn assert_batch(batch: &Bytes, offset: i64) -> i64 {
    assert_eq!(batch[16], 2, "magic");
    assert!(has_right_checksum(batch), "checksum at offset {offset}");
    let base = (&batch[..]).get_i64();
    assert_eq!(base, offset, "offsets are without gaps");
    let attributes = (&batch[COVERED..]).get_i16();
    let last_delta = (&batch[23..]).get_i32();
    let count = (&batch[57..]).get_i32();
    assert_eq!(count, last_delta + 1, "as many records as offsets at offset {offset}");
    if attributes & 7 == 0 {
        let mut rest = &batch[HEADER..];
        for _ in 0..count {
            rest = assert_record(rest, offset);
        }
        assert!(rest.is_empty(), "{} bytes behind the records at offset {offset}", rest.len());
    }
    base + i64::from(last_delta) + 1
}

/// Reads a record as a strict consumer does, and returns what is behind it.
#[track_caller]
fn assert_record(bytes: &[u8], offset: i64) -> &[u8] {
    let what = format!("in the batch at offset {offset}");
    let (length, bytes) = varint(bytes);
    let (body, rest) = bytes.split_at_checked(usize::try_from(length).expect(&what)).expect(&what);
    let (_, body) = varint(&body[1..]);
    let (_, body) = varint(body);
    let body = field(field(body));
    let (headers, mut body) = varint(body);
    for _ in 0..headers {
        body = field(field(body));
    }
    assert!(body.is_empty(), "{what}");
    rest
}

/// Steps over a length and as many bytes.
fn field(bytes: &[u8]) -> &[u8] {
    let (length, bytes) = varint(bytes);
    &bytes[usize::try_from(length).unwrap_or(0)..]
}

fn varint(bytes: &[u8]) -> (i64, &[u8]) {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return ((value >> 1).cast_signed() ^ -((value & 1).cast_signed()), &bytes[index + 1..]);
        }
    }
    panic!("a number without an end");
}

#[test]
fn fuzz_batches() {
    watch_for_panics();
    let broker = Broker::builder().topic(GOOD_TOPIC, 1).topic(TOPIC, 1).start().unwrap();
    let address = broker.bootstrap_servers();
    let (mut taken, mut refused, mut read) = (0, 0, 0);
    super::for_a_while(|rng| {
        let mut client = Raw::connect(&address);
        for _ in 0..200 {
            let answer = produced(&mut client, &produce_request(TOPIC, 0, any(rng).into()));
            *(if answer.error_code == 0 { &mut taken } else { &mut refused }) += 1;
        }
        read = assert_readable(&address, TOPIC, read);
        assert_serves(&address);
        assert_no_panics();
    });
    assert!(taken > 20 && refused > 20, "{taken} batches were taken and {refused} refused");
    broker.shutdown().unwrap();
}
