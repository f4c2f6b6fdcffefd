//! Reading by offset and by time.

use klamm_storage::batch::{self, BuildOptions, Codec};
use klamm_storage::{LogOptions, ReadError, ReadUpTo, TimestampType};

use crate::harness::*;

#[test]
fn reads_are_cut_as_kafka_cuts_them() {
    for house in House::both() {
        let log = house.open(LogOptions::default());
        for value in ["one", "two", "three"] {
            append(&log, &[value, "more"]);
        }
        let read = |offset, max, one| log.read(offset, max, one, ReadUpTo::HighWatermark).unwrap().records;
        let all = read(0, 10_000, true);
        let size = batch_of(&["one", "more"]).len();
        assert_eq!(read(1, 10_000, true), all);
        assert_eq!(read(2, 10_000, true), all.slice(size..));
        assert_eq!(read(0, 0, true), all.slice(..size));
        assert_eq!(read(0, 1, true), all.slice(..size));
        assert_eq!(read(0, 1, false).len(), 0);
        assert_eq!(read(0, size + 5, true), all.slice(..size + 5));
        assert_eq!(read(0, size + 5, false), all.slice(..size + 5));
        assert_eq!(read(6, 100, true).len(), 0);
        for offset in [-1, 7] {
            let error = log.read(offset, 100, true, ReadUpTo::LogEnd).unwrap_err();
            assert!(matches!(error, ReadError::OffsetOutOfRange { start: 0, end: 6, .. }));
        }
    }
}

#[test]
fn every_offset_is_found_across_segments() {
    for house in House::both() {
        let log = house.open(small());
        for n in 0..200 {
            append(&log, &[&format!("{n} a"), &format!("{n} b")]);
        }
        assert!(log.segment_count() > 10);
        for offset in 0..400 {
            let read = log.read(offset, 1, true, ReadUpTo::HighWatermark).unwrap();
            let batch = batch::batches(&read.records).next().unwrap();
            assert_eq!(batch.header.base_offset, offset / 2 * 2);
        }
        assert_eq!(contents(&log).len(), 400);
    }
}

#[test]
fn what_was_read_outlives_the_log() {
    for house in House::both() {
        let log = house.open(small());
        for n in 0..50 {
            append(&log, &[&n.to_string()]);
        }
        let read = log.read(0, 10_000, true, ReadUpTo::HighWatermark).unwrap().records;
        let before = read.to_vec();
        log.delete_records(50).unwrap();
        house.manager.delete_log(&log).unwrap();
        assert!(matches!(log.read(0, 1, true, ReadUpTo::LogEnd), Err(ReadError::Deleted)));
        drop(log);
        drop(house);
        assert_eq!(read, before);
    }
}

#[test]
fn records_are_found_by_time() {
    for house in House::both() {
        let log = house.open(small());
        for n in 0..100_i64 {
            log.append(&batch_at(&[n * 10, n * 10 + 5]), &client()).unwrap();
        }
        for timestamp in 0..=995 {
            let found = log.offset_for_timestamp(timestamp).unwrap().unwrap();
            assert_eq!(
                (found.offset, found.timestamp),
                ((timestamp + 4) / 5, (timestamp + 4) / 5 * 5),
                "{timestamp}"
            );
        }
        assert_eq!(log.offset_for_timestamp(996).unwrap(), None);
        let latest = log.max_timestamp().unwrap().unwrap();
        assert_eq!((latest.offset, latest.timestamp, latest.leader_epoch), (199, 995, 0));
        log.delete_records(101).unwrap();
        assert_eq!(log.offset_for_timestamp(0).unwrap().unwrap().offset, 101);
    }
}

#[test]
fn records_out_of_order_in_time_are_found_too() {
    for codec in [Codec::None, Codec::Lz4] {
        let house = House::on_disk();
        let log = house.open(small());
        let times = [50, 20, 90, 10, 70, 90, 30];
        for chunk in times.repeat(20).chunks(3) {
            let records = chunk.iter().map(|time| record(time.to_string(), *time));
            let batch = batch::build(records, &BuildOptions { codec, ..Default::default() });
            log.append(&batch, &client()).unwrap();
        }
        let found = |timestamp| {
            log.offset_for_timestamp(timestamp).unwrap().map(|found| (found.offset, found.timestamp))
        };
        assert_eq!(found(0), Some((0, 50)));
        assert_eq!(found(51), Some((2, 90)));
        assert_eq!(found(91), None);
        assert_eq!(log.max_timestamp().unwrap().unwrap().offset, 2);
    }
}

#[test]
fn a_log_with_its_own_time_is_searched_by_that() {
    let house = House::in_memory();
    let log =
        house.open(LogOptions { timestamp_type: TimestampType::LogAppendTime, ..LogOptions::default() });
    append(&log, &["a", "b"]);
    let found = log.offset_for_timestamp(NOW_MS).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (0, NOW_MS));
    assert_eq!(log.offset_for_timestamp(NOW_MS + 1).unwrap(), None);
}

#[test]
fn an_empty_log_has_no_times() {
    let house = House::on_disk();
    let log = house.open(LogOptions::default());
    assert_eq!(log.offset_for_timestamp(0).unwrap(), None);
    assert_eq!(log.max_timestamp().unwrap(), None);
    assert_eq!(log.read(0, 100, true, ReadUpTo::LogEnd).unwrap().records.len(), 0);
    assert_eq!(log.end_offset_for_epoch(0), (0, 0));
    assert_eq!(log.end_offset_for_epoch(1), (-1, -1));
}
