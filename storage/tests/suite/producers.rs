//! Idempotent producers: what is taken, what is a duplicate, what is refused; before and after a restart.

use std::sync::Arc;

use bytes::Bytes;
use klamm_storage::batch::{self, BuildOptions};
use klamm_storage::{AppendError, Appended, Log, LogOptions};

use crate::harness::*;

fn batch_from(producer_id: i64, producer_epoch: i16, base_sequence: i32, count: i64) -> Bytes {
    let options = BuildOptions { producer_id, producer_epoch, base_sequence, ..Default::default() };
    batch::build((0..count).map(|n| record(format!("{base_sequence}+{n}"), NOW_MS + n)), &options)
}

fn send(log: &Log, epoch: i16, sequence: i32, count: i64) -> Result<Appended, AppendError> {
    try_append(log, &batch_from(7, epoch, sequence, count))
}

fn is_out_of_order(result: &Result<Appended, AppendError>) -> bool {
    matches!(result, Err(error @ AppendError::OutOfOrderSequence(_)) if error.in_validation())
}

#[test]
fn the_last_five_batches_count_as_duplicates() {
    for house in House::both() {
        let log = house.open(LogOptions::default());
        for n in 0..6 {
            assert_eq!(send(&log, 0, n * 2, 2).unwrap().base_offset, i64::from(n) * 2);
        }
        for n in 1..6 {
            let again = send(&log, 0, n * 2, 2).unwrap();
            assert!(again.duplicate);
            assert_eq!((again.base_offset, again.last_offset), (i64::from(n) * 2, i64::from(n) * 2 + 1));
            assert_eq!(again.log_append_time, NOW_MS + 1);
        }
        assert!(is_out_of_order(&send(&log, 0, 0, 2)));
        assert!(is_out_of_order(&send(&log, 0, 10, 1)));
        assert!(is_out_of_order(&send(&log, 0, 13, 1)));
        assert_eq!(log.log_end_offset(), 12);
        assert_eq!(send(&log, 0, 12, 1).unwrap().base_offset, 12);
    }
}

#[test]
fn epochs_and_first_sequences_follow_kafkas_rules() {
    let house = House::in_memory();
    let log = house.open(LogOptions::default());
    // Unknown: any sequence will do.
    send(&log, 3, 7, 1).unwrap();
    assert!(is_out_of_order(&send(&log, 4, 8, 1)));
    send(&log, 4, 0, 1).unwrap();
    assert!(matches!(send(&log, 3, 8, 1), Err(AppendError::InvalidProducerEpoch(_))));
    let infos = log.active_producers();
    assert_eq!((infos.len(), infos[0].producer_id, infos[0].last_sequence), (1, 7, 0));
}

#[test]
fn sequences_go_round() {
    let house = House::in_memory();
    let log = house.open(LogOptions::default());
    send(&log, 0, i32::MAX - 1, 2).unwrap();
    send(&log, 0, 0, 3).unwrap();
    assert!(send(&log, 0, i32::MAX - 1, 2).unwrap().duplicate);
    send(&log, 0, 3, 1).unwrap();

    let other = batch_from(8, 0, i32::MAX, 2);
    try_append(&log, &other).unwrap();
    assert!(try_append(&log, &other).unwrap().duplicate);
    try_append(&log, &batch_from(8, 0, 1, 1)).unwrap();
}

#[test]
fn a_restart_remembers_the_last_batch_and_a_crash_all_five() {
    let mut house = House::on_disk();
    let log = house.open(LogOptions::default());
    for n in 0..6 {
        send(&log, 0, n, 1).unwrap();
    }
    drop(log);
    house = house.crash();
    let log = house.open(LogOptions::default());
    assert!(send(&log, 0, 1, 1).unwrap().duplicate);
    assert!(is_out_of_order(&send(&log, 0, 0, 1)));
    drop(log);
    house = house.restart();
    let log = house.open(LogOptions::default());
    assert!(send(&log, 0, 5, 1).unwrap().duplicate);
    assert!(is_out_of_order(&send(&log, 0, 8, 1)));
    assert_eq!(send(&log, 0, 6, 1).unwrap().base_offset, 6);
}

#[test]
fn a_roll_keeps_what_is_known() {
    let mut house = House::on_disk();
    let options = small();
    let log = house.open(options.clone());
    for n in 0..40 {
        send(&log, 1, n, 1).unwrap();
    }
    assert!(log.segment_count() > 3);
    assert!(files(&house.log_folder(), ".snapshot").len() <= 2);
    drop(log);
    house = house.crash();
    let log = house.open(options);
    assert!(send(&log, 1, 39, 1).unwrap().duplicate);
    assert_eq!(send(&log, 1, 40, 1).unwrap().base_offset, 40);
}

#[test]
fn idle_producers_are_forgotten() {
    let house = House::in_memory();
    let log = house.open(LogOptions::default());
    send(&log, 0, 0, 1).unwrap();
    log.expire_producers(NOW_MS + 24 * 60 * 60 * 1000 - 1);
    assert_eq!(log.active_producers().len(), 1);
    log.expire_producers(NOW_MS + 24 * 60 * 60 * 1000);
    assert_eq!(log.active_producers().len(), 0);
    send(&log, 0, 5, 1).unwrap();
}

#[test]
fn many_appenders_at_once_get_each_offset_once() {
    for house in House::both() {
        let log = house.open(small());
        let threads: Vec<_> = (0..4)
            .map(|id| {
                let log = Arc::clone(&log);
                std::thread::spawn(move || {
                    (0..200)
                        .map(|n| try_append(&log, &batch_from(id, 0, n, 1)).unwrap().base_offset)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let reader = {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                let mut seen = 0;
                while seen < 800 {
                    for batch in batches_from(&log, seen) {
                        assert_eq!(batch.header.base_offset, seen);
                        assert_eq!(batch.header.crc, crc32c::crc32c(&batch.bytes[21..]));
                        seen = batch.header.last_offset() + 1;
                    }
                }
            })
        };
        let mut offsets: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        reader.join().unwrap();
        offsets.sort_unstable();
        assert_eq!(offsets, (0..800).collect::<Vec<_>>());
        assert_eq!(contents(&log).len(), 800);
    }
}
