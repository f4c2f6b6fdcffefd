//! Anything at all, given to an append and to a recovery: refused or taken, never a panic; and what is taken can be read.

use std::fs;

use klamm_storage::batch::{self, BuildOptions, Codec, RecordToWrite};
use klamm_storage::{CompressionType, LogOptions};
use proptest::prelude::*;

use crate::harness::*;

fn codecs() -> impl Strategy<Value = Codec> {
    prop_oneof![
        Just(Codec::None),
        Just(Codec::Gzip),
        Just(Codec::Snappy),
        Just(Codec::Lz4),
        Just(Codec::Zstd)
    ]
}

fn some_bytes() -> impl Strategy<Value = Option<bytes::Bytes>> {
    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40).prop_map(bytes::Bytes::from))
}

fn records() -> impl Strategy<Value = Vec<RecordToWrite>> {
    let headers = proptest::collection::vec(("[a-z]{0,5}", some_bytes()), 0..3);
    let record = (some_bytes(), some_bytes(), headers, 0..10_000_i64)
        .prop_map(|(key, value, headers, timestamp)| RecordToWrite { key, value, headers, timestamp });
    proptest::collection::vec(record, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_batch_that_was_tampered_with_does_no_harm(
        records in records(),
        codec in codecs(),
        changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<u16>()),
        right_checksum in proptest::bool::weighted(0.9),
        convert in any::<bool>(),
    ) {
        let mut bytes = batch::build(records, &BuildOptions { codec, ..Default::default() }).to_vec();
        for (at, value) in changes {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(usize::from(cut) % (bytes.len() + 1));
        }
        if right_checksum && bytes.len() >= 61 {
            let crc = crc32c::crc32c(&bytes[21..]);
            bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        }
        let house = House::in_memory();
        let compression = if convert { CompressionType::Lz4 } else { CompressionType::Producer };
        let log = house.open(LogOptions { compression, timestamp_after_max_ms: i64::MAX, ..LogOptions::default() });
        if let Ok(appended) = try_append(&log, &bytes.into()) {
            let stored = batches_from(&log, 0);
            prop_assert_eq!(stored.len(), 1);
            prop_assert_eq!(stored[0].header.crc, crc32c::crc32c(&stored[0].bytes[21..]));
            let records = batch::records(&stored[0]).unwrap();
            prop_assert_eq!(records.len() as i64, appended.last_offset + 1);
        } else {
            prop_assert_eq!(log.log_end_offset(), 0);
        }
    }

    #[test]
    fn what_is_built_is_read(records in records(), codec in codecs()) {
        let bytes = batch::build(records.clone(), &BuildOptions { codec, ..Default::default() });
        let batch = batch::batches(&bytes).next().unwrap();
        let read = batch::records(&batch).unwrap();
        for ((offset, written), read) in (0..).zip(&records).zip(&read) {
            prop_assert_eq!((&written.key, &written.value, &written.headers), (&read.key, &read.value, &read.headers));
            prop_assert_eq!((written.timestamp, offset), (read.timestamp, read.offset));
        }
        prop_assert_eq!(records.len(), read.len());
    }

    #[test]
    fn any_bytes_are_taken_for_batches(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for batch in batch::batches(&bytes.into()) {
            let _ = batch::records(&batch);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_folder_that_was_tampered_with_can_be_opened(
        changes in proptest::collection::vec((any::<u8>(), any::<u32>(), any::<u8>()), 1..10),
        clean in any::<bool>(),
    ) {
        let house = House::on_disk();
        let log = house.open(small());
        append_numbers(&log, 0..40);
        drop(log);
        if clean {
            house.manager.close().unwrap();
        }
        let mut names = files(&house.log_folder(), "");
        names.retain(|name| name != "partition.metadata");
        for (file, at, value) in changes {
            let path = house.log_folder().join(&names[usize::from(file) % names.len()]);
            let mut bytes = fs::read(&path).unwrap();
            if let Some(len) = u32::try_from(bytes.len()).ok().filter(|len| *len > 0) {
                bytes[(at % len) as usize] = value;
            }
            fs::write(&path, bytes).unwrap();
        }
        let house = house.crash();
        let log = house.open(small());
        // What a damaged index leads to is an error at the worst. A damaged offset can put the log's end far away.
        for offset in (log.log_start_offset()..log.log_end_offset()).take(500) {
            let _ = log.read(offset, 500, true, klamm_storage::ReadUpTo::LogEnd);
            let _ = log.offset_for_timestamp(offset);
        }
        let _ = try_append(&log, &batch_of(&["next"]));
    }
}
