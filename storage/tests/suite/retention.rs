//! Retention by time and size, and deletion on request.

use klamm_storage::{LogOptions, ReadError, ReadUpTo, StorageError};

use crate::harness::*;

#[test]
fn old_segments_go() {
    for house in House::both() {
        let log = house.open(LogOptions { retention_ms: 1000, ..small() });
        for n in 0..100 {
            log.append(&batch_at(&[NOW_MS + n * 100]), &client()).unwrap();
        }
        let segments = log.segment_count();
        assert_eq!(log.apply_retention(NOW_MS).unwrap().segments, 0);
        let done = log.apply_retention(NOW_MS + 6000).unwrap();
        assert_eq!(done.segments, segments - log.segment_count());
        let first_time: i64 = contents(&log)[0].1.parse().unwrap();
        assert!(first_time <= NOW_MS + 5000 && first_time > NOW_MS + 3500, "{}", first_time - NOW_MS);
        // All of them: the end offset stays.
        log.apply_retention(NOW_MS + 1_000_000).unwrap();
        assert_eq!((log.log_start_offset(), log.log_end_offset(), log.size_bytes()), (100, 100, 0));
        assert_eq!(append(&log, &["next"]).base_offset, 100);
        assert_eq!(contents(&log), [(100, "next".to_owned())]);
    }
}

#[test]
fn a_log_that_was_emptied_keeps_its_end_after_a_restart() {
    for clean in [true, false] {
        let mut house = House::on_disk();
        let options = LogOptions { retention_ms: 1000, ..small() };
        let log = house.open(options.clone());
        append_numbers(&log, 0..30);
        log.apply_retention(NOW_MS + 10_000).unwrap();
        drop(log);
        house = if clean { house.restart() } else { house.crash() };
        let log = house.open(options);
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (30, 30));
        assert_eq!(append(&log, &["next"]).base_offset, 30);
    }
}

#[test]
fn a_log_stays_within_its_size() {
    for house in House::both() {
        let log = house.open(LogOptions { retention_bytes: 3000, ..small() });
        append_numbers(&log, 0..200);
        let done = log.apply_retention(NOW_MS).unwrap();
        assert!(done.bytes > 0);
        assert!((3000..4000).contains(&log.size_bytes()), "{}", log.size_bytes());
        assert_eq!(log.apply_retention(NOW_MS).unwrap().segments, 0);
        let (first, start) = (contents(&log)[0].0, log.log_start_offset());
        assert_eq!(first, start);
        let error = log.read(start - 1, 1, true, ReadUpTo::LogEnd).unwrap_err();
        assert!(matches!(error, ReadError::OffsetOutOfRange { .. }));
    }
}

#[test]
fn nothing_goes_where_nothing_may() {
    let house = House::in_memory();
    let log = house.open(LogOptions { retention_ms: -1, retention_bytes: -1, ..small() });
    append_numbers(&log, 0..50);
    assert_eq!(log.apply_retention(i64::MAX).unwrap().segments, 0);
    log.set_options(LogOptions { retention_ms: 0, delete: false, compact: true, ..small() }.into());
    assert_eq!(log.apply_retention(i64::MAX).unwrap().segments, 0);
}

#[test]
fn records_are_deleted_on_request() {
    let mut house = House::on_disk();
    let log = house.open(small());
    append_numbers(&log, 0..100);
    assert_eq!(log.delete_records(37).unwrap(), 37);
    assert_eq!(log.delete_records(5).unwrap(), 37);
    assert_eq!(contents(&log)[0], (37, "37".to_owned()));
    for offset in [101, -2] {
        let error = log.delete_records(offset).unwrap_err();
        assert!(matches!(error, StorageError::OffsetOutOfRange { start: 37, end: 100, .. }));
    }
    house.manager.checkpoint().unwrap();
    drop(log);
    house = house.crash();
    let log = house.open(small());
    assert_eq!(log.log_start_offset(), 37);
    assert_eq!(log.delete_records(-1).unwrap(), 100);
    assert_eq!((log.segment_count(), contents(&log).len()), (1, 0));
    drop(log);
    house = house.restart();
    let log = house.open(small());
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (100, 100));
}

#[test]
fn segments_are_rolled_by_time() {
    let house = House::on_disk();
    let log = house.open(LogOptions { segment_ms: 1000, ..LogOptions::default() });
    log.append(&batch_at(&[NOW_MS]), &client()).unwrap();
    log.append(&batch_at(&[NOW_MS + 1000]), &client()).unwrap();
    assert_eq!(log.segment_count(), 1);
    log.append(&batch_at(&[NOW_MS + 1001]), &client()).unwrap();
    assert_eq!(log.segment_count(), 2);
    assert!(!log.roll_if_due(NOW_MS + 2000).unwrap());
    assert!(log.roll_if_due(NOW_MS + 2002).unwrap());
    assert!(!log.roll_if_due(NOW_MS + 9000).unwrap());
    assert_eq!(contents(&log).len(), 3);
}

#[test]
fn a_log_deleted_and_created_again_is_another() {
    for house in House::both() {
        let log = house.open(small());
        append_numbers(&log, 0..100);
        house.manager.delete_log(&log).unwrap();
        let again = house.open(small());
        assert_eq!((again.log_start_offset(), again.log_end_offset()), (0, 0));
        assert_eq!(append(&again, &["x"]).base_offset, 0);
        assert!(try_append(&log, &batch_of(&["y"])).is_err());
        house.manager.delete_log(&log).unwrap();
        assert_eq!(contents(&again), [(0, "x".to_owned())]);
    }
}

/// A segment that was begun when it was time, and has nothing in it yet, is all that is left: it tells where the log ends.
#[test]
fn offsets_are_not_given_twice_where_all_that_was_rolled_away_is_deleted() {
    let roll = |log: &klamm_storage::Log| assert!(log.roll_if_due(i64::MAX).unwrap());
    let delete = |log: &klamm_storage::Log| assert_eq!(log.delete_records(2).unwrap(), 2);
    let expire = |log: &klamm_storage::Log| assert_eq!(log.apply_retention(i64::MAX).unwrap().segments, 1);
    for empty in [delete as fn(&_), expire] {
        for end in [House::restart as fn(_) -> _, House::crash] {
            let house = House::on_disk();
            let options = LogOptions { retention_ms: 1000, ..small() };
            let log = house.open(options.clone());
            log.append(&batch_of(&["a", "b"]), &client()).unwrap();
            roll(&log);
            empty(&log);
            drop(log);
            let house = end(house);
            let log = house.open(options);
            assert_eq!((log.log_start_offset(), log.log_end_offset()), (2, 2));
            assert_eq!(log.append(&batch_of(&["c"]), &client()).unwrap().base_offset, 2);
        }
    }
}
