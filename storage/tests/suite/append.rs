//! What is taken, what is refused, and what a batch looks like in the log.

use std::io::Write;

use klamm_storage::batch::{self, BuildOptions, Codec, HEADER_BYTES, RecordToWrite};
use klamm_storage::{AppendError, CompressionType, LogOptions, TimestampType};

use crate::harness::*;

/// Changes bytes behind the checksum's place and makes the checksum right again.
fn changed(batch: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> bytes::Bytes {
    let mut bytes = batch.to_vec();
    change(&mut bytes);
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

fn put(at: usize, value: &[u8]) -> impl FnOnce(&mut Vec<u8>) {
    let value = value.to_vec();
    move |bytes| bytes[at..at + value.len()].copy_from_slice(&value)
}

#[test]
fn records_come_back_with_offsets() {
    for house in House::both() {
        let log = house.open(LogOptions::default());
        assert_eq!(append(&log, &["a", "b"]).base_offset, 0);
        let appended = append(&log, &["c"]);
        assert_eq!((appended.base_offset, appended.last_offset, appended.log_append_time), (2, 2, -1));
        assert_eq!(contents(&log), [(0, "a".into()), (1, "b".into()), (2, "c".into())]);
        assert_eq!((log.log_start_offset(), log.high_watermark(), log.log_end_offset()), (0, 3, 3));
    }
}

#[test]
fn epochs_never_go_back() {
    for house in House::both() {
        let log = house.open(LogOptions::default());
        append(&log, &["a"]);
        log.assign_epoch(2).unwrap();
        // It was on its way when the leader moved.
        append(&log, &["b"]);
        let epochs: Vec<_> = batches_from(&log, 0).iter().map(|batch| batch.header.leader_epoch).collect();
        assert_eq!(epochs, [0, 2]);
        assert_eq!((log.latest_epoch(), log.end_offset_for_epoch(0)), (Some(2), (0, 1)));
    }
}

#[test]
fn each_fault_is_refused_as_kafka_refuses_it() {
    let house = House::in_memory();
    let log = house.open(LogOptions::default());
    let good = batch_of(&["a", "b"]);
    let twice = [&good[..], &good[..]].concat();
    let early = |bytes: Vec<u8>| match try_append(&log, &bytes.into()) {
        Err(AppendError::NotOneBatch(_)) => 87,
        Err(AppendError::MalformedFrame(_) | AppendError::BadChecksum(_)) => 2,
        Err(AppendError::LengthTooLarge(_)) => -1,
        other => panic!("{other:?}"),
    };
    let with = |at: usize, value: &[u8]| {
        let mut bytes = good.to_vec();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    assert_eq!(early(Vec::new()), 87);
    assert_eq!(early(twice), 87);
    assert_eq!(early(good[..good.len() - 1].to_vec()), 87);
    assert_eq!(early(with(16, &[1])), 87);
    assert_eq!(early(with(16, &[0])), 87);
    assert_eq!(early(with(16, &[3])), 2);
    assert_eq!(early(with(16, &[255])), 2);
    assert_eq!(early(with(17, &[1, 2, 3, 4])), 2);
    assert_eq!(early(with(8, &0_i32.to_be_bytes())), 2);
    assert_eq!(early(with(8, &(-1_i32).to_be_bytes())), 2);
    assert_eq!(early(with(8, &48_i32.to_be_bytes())), 2);
    assert_eq!(early(with(8, &i32::MAX.to_be_bytes())), -1);
    let late = |bytes: bytes::Bytes| match try_append(&log, &bytes) {
        Err(error @ (AppendError::InvalidBatch(_) | AppendError::InvalidRecords { .. }))
            if error.in_validation() =>
        {
            87
        }
        Err(
            AppendError::UnknownCompression(_)
            | AppendError::DoesNotDecompress(_)
            | AppendError::LengthTooLong,
        ) => -1,
        other => panic!("{other:?}"),
    };
    assert_eq!(late(changed(&good, put(0, &5_i64.to_be_bytes()))), 87);
    assert_eq!(late(changed(&good, put(57, &3_i32.to_be_bytes()))), 87);
    assert_eq!(late(changed(&good, put(57, &1_i32.to_be_bytes()))), 87);
    assert_eq!(late(changed(&good, put(57, &(-1_i32).to_be_bytes()))), 87);
    assert_eq!(late(changed(&good, put(23, &5_i32.to_be_bytes()))), 87);
    assert_eq!(late(changed(&good, put(21, &0x20_i16.to_be_bytes()))), 87);
    assert_eq!(late(changed(&good, put(43, &9_i64.to_be_bytes()))), 87);
    assert_eq!(late(changed(&good, put(HEADER_BYTES, &[0xff; 8]))), -1);
    assert_eq!(late(changed(&good, put(HEADER_BYTES, &[0x7e]))), 87);
    for codec in 1..=7_i16 {
        assert_eq!(late(changed(&good, put(21, &codec.to_be_bytes()))), -1, "codec {codec}");
    }
    assert_eq!(log.log_end_offset(), 0);
}

#[test]
fn what_kafka_lets_pass_passes() {
    let house = House::in_memory();
    let log = house.open(LogOptions::default());
    let good = batch_of(&["a", "b"]);
    let trailing = [&good[..], &good[..20]].concat();
    assert_eq!(try_append(&log, &trailing.into()).unwrap().last_offset, 1);
    try_append(&log, &changed(&good, put(21, &0x4f80_u16.to_be_bytes()))).unwrap();
    // The log-append-time bit is cleared, the largest timestamp computed, the epoch overwritten.
    try_append(&log, &changed(&good, put(21, &0x08_i16.to_be_bytes()))).unwrap();
    try_append(&log, &changed(&good, put(35, &7_i64.to_be_bytes()))).unwrap();
    let stored = batches_from(&log, 0);
    assert_eq!(stored.len(), 4);
    assert_eq!(stored[0].bytes.len(), good.len());
    assert_eq!(stored[1].header.attributes, 0x4f80);
    assert_eq!(stored[2].header.attributes, 0);
    assert_eq!(stored[3].header.max_timestamp, NOW_MS);
    for batch in &stored {
        assert_eq!(batch.header.leader_epoch, 0);
        assert_eq!(batch.header.crc, crc32c::crc32c(&batch.bytes[21..]));
    }
}

#[test]
fn sizes_are_bounded() {
    let house = House::in_memory();
    let log = house.open(LogOptions { max_message_bytes: 100, segment_bytes: 200, ..LogOptions::default() });
    let long = batch_of(&["x".repeat(50).as_str()]);
    let size = long.len();
    assert!(
        matches!(try_append(&log, &long), Err(AppendError::MessageTooLarge { max: 100, size: s }) if s == size)
    );
    log.set_options(
        LogOptions { max_message_bytes: 1000, segment_bytes: 100, ..LogOptions::default() }.into(),
    );
    assert!(matches!(try_append(&log, &long), Err(AppendError::LargerThanSegment { max: 100, .. })));
    log.set_options(LogOptions { max_message_bytes: 1000, ..LogOptions::default() }.into());
    try_append(&log, &long).unwrap();
}

#[test]
fn a_segment_that_was_begun_small_makes_way_for_a_larger_batch() {
    for house in House::both() {
        let log = house.open(LogOptions { segment_bytes: 100, retention_ms: 0, ..LogOptions::default() });
        append(&log, &["a"]);
        log.apply_retention(NOW_MS + 1).unwrap();
        log.set_options(LogOptions::default().into());
        append(&log, &["x".repeat(200).as_str()]);
        assert_eq!((log.segment_count(), contents(&log).len()), (1, 1));
    }
}

#[test]
fn a_compacted_topic_needs_keys() {
    let house = House::in_memory();
    let log = house.open(LogOptions { compact: true, ..LogOptions::default() });
    let keyless = RecordToWrite { value: Some("v".into()), timestamp: NOW_MS, ..Default::default() };
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let options = BuildOptions { codec, ..Default::default() };
        let batch = batch::build([record("a", NOW_MS), keyless.clone(), keyless.clone()], &options);
        let error = try_append(&log, &batch).unwrap_err();
        let why = "Compacted topic cannot accept message without key in topic partition t-0";
        assert_eq!(error.record_errors(), [(1, Some(why.to_owned())), (2, Some(why.to_owned()))]);
        assert_eq!(
            error.message().unwrap(),
            format!(
                "One or more records have been rejected due to 2 record errors in total, and only showing the first \
                 three errors at most: [RecordError(batchIndex=1, message='{why}'), RecordError(batchIndex=2, \
                 message='{why}')]"
            )
        );
        assert!(matches!(error, AppendError::InvalidRecords { .. }));
    }
}

#[test]
fn timestamps_have_bounds() {
    let house = House::in_memory();
    let log = house.open(LogOptions { timestamp_before_max_ms: 1000, ..LogOptions::default() });
    let hour = 60 * 60 * 1000;
    try_append(&log, &batch_at(&[NOW_MS - 1000, NOW_MS + hour, -1])).unwrap();
    let error = try_append(&log, &batch_at(&[NOW_MS, NOW_MS - 1001, NOW_MS + hour + 1])).unwrap_err();
    assert!(matches!(&error, AppendError::InvalidTimestamps { records, .. } if records.len() == 2));
    let why = error.record_errors()[0].1.clone().unwrap();
    assert_eq!(
        why,
        format!(
            "Timestamp {} of message with offset 1 is out of range. The timestamp should be within [{}, {}]",
            NOW_MS - 1001,
            NOW_MS - 1000,
            NOW_MS + hour
        )
    );
}

#[test]
fn a_log_can_use_its_own_time() {
    for house in House::both() {
        let log =
            house.open(LogOptions { timestamp_type: TimestampType::LogAppendTime, ..LogOptions::default() });
        let appended = try_append(&log, &batch_at(&[5, 6])).unwrap();
        assert_eq!(appended.log_append_time, NOW_MS);
        let stored = &batches_from(&log, 0)[0];
        assert_eq!((stored.header.base_timestamp, stored.header.max_timestamp), (5, NOW_MS));
        assert_eq!(stored.header.attributes, 0x08);
        assert_eq!(stored.header.crc, crc32c::crc32c(&stored.bytes[21..]));
        assert!(batch::records(stored).unwrap().iter().all(|record| record.timestamp == NOW_MS));
    }
}

#[test]
fn every_codec_is_taken_and_converted() {
    let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    let types = [
        (CompressionType::Producer, None),
        (CompressionType::Uncompressed, Some(Codec::None)),
        (CompressionType::Gzip, Some(Codec::Gzip)),
        (CompressionType::Snappy, Some(Codec::Snappy)),
        (CompressionType::Lz4, Some(Codec::Lz4)),
        (CompressionType::Zstd, Some(Codec::Zstd)),
    ];
    for (compression, wanted) in types {
        let house = House::in_memory();
        let log = house.open(LogOptions { compression, ..LogOptions::default() });
        for codec in codecs {
            let values: Vec<_> =
                (0..2000).map(|n| record(format!("value {n} {}", "x".repeat(100)), NOW_MS)).collect();
            let batch = batch::build(values, &BuildOptions { codec, ..Default::default() });
            let appended = try_append(&log, &batch).unwrap();
            let stored = &batches_from(&log, appended.base_offset)[0];
            assert_eq!(stored.header.codec(), wanted.unwrap_or(codec).number());
            assert_eq!(stored.header.crc, crc32c::crc32c(&stored.bytes[21..]));
            let records = batch::records(stored).unwrap();
            assert_eq!(records.len(), 2000);
            assert_eq!(records[1999].offset, appended.last_offset);
            assert!(records[7].value.as_ref().unwrap().starts_with(b"value 7 "));
        }
    }
}

#[test]
fn a_bomb_costs_time_but_no_memory() {
    const VALUE_BYTES: usize = 300 << 20;
    let house = House::in_memory();
    let log = house.open(LogOptions::default());
    let small =
        batch::build([RecordToWrite::default()], &BuildOptions { codec: Codec::Gzip, ..Default::default() });
    // A record without a key, and zeros for a value: lengths are zigzag numbers, seven bits a byte.
    let zigzag = |mut number: usize| {
        let mut bytes = Vec::new();
        number *= 2;
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let head = [vec![0, 0, 0, 1], zigzag(VALUE_BYTES)].concat();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&zigzag(head.len() + VALUE_BYTES + 1)).unwrap();
    packer.write_all(&head).unwrap();
    (0..VALUE_BYTES >> 20).for_each(|_| packer.write_all(&[0; 1 << 20]).unwrap());
    packer.write_all(&[0]).unwrap();
    let mut bomb = [&small[..HEADER_BYTES], &packer.finish().unwrap()].concat();
    let length = bomb.len() as i32 - 12;
    bomb[8..12].copy_from_slice(&length.to_be_bytes());
    let log_options = LogOptions { max_message_bytes: 4 << 20, ..LogOptions::default() };
    log.set_options(log_options.clone().into());
    try_append(&log, &changed(&bomb, |_| ())).unwrap();
    // To hold it all is refused.
    assert!(batch::records(&batches_from(&log, 0)[0]).is_err());
    log.set_options(LogOptions { compression: CompressionType::Uncompressed, ..log_options }.into());
    let error = try_append(&log, &changed(&bomb, |_| ())).unwrap_err();
    assert!(matches!(error, AppendError::DoesNotDecompress(_)));
}
