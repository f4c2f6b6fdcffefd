//! What a crash leaves behind: torn tails, damage in the middle, indexes that are gone or garbage.

use std::fs;
use std::path::Path;

use klamm_storage::{LogOptions, ReadUpTo};

use crate::harness::*;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else if entry.file_name() != ".lock" {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Opens a copy of the folder of `house`, as if the process had died at this moment, with `damage` done to the log's.
fn after_crash(
    house: &House,
    options: &LogOptions,
    damage: impl FnOnce(&Path),
) -> (House, std::sync::Arc<klamm_storage::Log>) {
    let other = House::on_disk_prepared(|folder| {
        copy(house.path(), folder);
        damage(&folder.join("t-0"));
    });
    let log = other.open(options.clone());
    (other, log)
}

const FIRST: &str = "00000000000000000000.log";

#[test]
fn a_tail_torn_anywhere_loses_only_what_was_torn() {
    let house = House::on_disk();
    let options = LogOptions::default();
    let log = house.open(options.clone());
    let mut ends = vec![0];
    for n in 0..4 {
        append(&log, &[&"x".repeat(n), "y"]);
        ends.push(log.size_bytes());
    }
    for torn in 0..=ends[4] {
        let (_house, log) = after_crash(&house, &options, |folder| {
            let file = fs::OpenOptions::new().write(true).open(folder.join(FIRST)).unwrap();
            file.set_len(torn).unwrap();
        });
        let whole = ends.iter().filter(|end| **end <= torn).count() as i64 - 1;
        assert_eq!(log.log_end_offset(), whole * 2, "torn at {torn}");
        assert_eq!(contents(&log).len() as i64, whole * 2);
        assert_eq!(append(&log, &["next"]).base_offset, whole * 2);
        assert_eq!(contents(&log).last().unwrap().1, "next");
    }
}

#[test]
fn a_batch_with_a_flipped_bit_ends_the_log() {
    let house = House::on_disk();
    let options = LogOptions::default();
    let log = house.open(options.clone());
    append_numbers(&log, 0..5);
    let size = log.size_bytes() / 5;
    // The offset and the leader's epoch are not covered by the checksum.
    for at in (8..size).filter(|at| !(12..16).contains(at)) {
        let (_house, log) = after_crash(&house, &options, |folder| {
            let path = folder.join(FIRST);
            let mut bytes = fs::read(&path).unwrap();
            bytes[(2 * size + at) as usize] ^= 0x41;
            fs::write(&path, bytes).unwrap();
        });
        assert!(log.log_end_offset() <= 3, "flipped at {at}");
        assert_eq!(contents(&log)[..2], [(0, "0".to_owned()), (1, "1".to_owned())]);
        append(&log, &["next"]);
    }
}

#[test]
fn damage_in_an_early_segment_takes_the_later_ones_along() {
    let house = House::on_disk();
    let log = house.open(small());
    append_numbers(&log, 0..60);
    let second = files(&house.log_folder(), ".log")[1].clone();
    let base: i64 = second[..20].parse().unwrap();
    let (house, log) = after_crash(&house, &small(), |folder| {
        let path = folder.join(&second);
        let mut bytes = fs::read(&path).unwrap();
        bytes[150] ^= 1;
        fs::write(&path, bytes).unwrap();
    });
    assert_eq!(log.log_end_offset(), base + 2 - i64::from(150 < log.size_bytes() / 60));
    assert_eq!(files(&house.log_folder(), ".log").len(), 2);
    append_numbers(&log, 0..60);
    let end = log.log_end_offset();
    drop(log);
    let house = house.restart();
    let log = house.open(small());
    assert_eq!((log.log_end_offset(), contents(&log).len() as i64), (end, end));
}

#[test]
fn indexes_that_are_missing_or_garbage_are_built_anew() {
    type Damage = fn(&Path);
    let damages: [Damage; 4] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, [0xff; 37]).unwrap(),
        |path| fs::write(path, [0xff; 48]).unwrap(),
        |path| fs::write(path, []).unwrap(),
    ];
    for clean in [false, true] {
        for kind in [".index", ".timeindex"] {
            for (number, damage) in damages.iter().enumerate() {
                let mut house = House::on_disk();
                let log = house.open(small());
                for n in 0..60 {
                    log.append(&batch_at(&[n * 10]), &client()).unwrap();
                }
                drop(log);
                if clean {
                    house.manager.close().unwrap();
                }
                for name in files(&house.log_folder(), kind) {
                    damage(&house.log_folder().join(name));
                }
                house = house.crash();
                let log = house.open(small());
                assert_eq!(contents(&log).len(), 60, "{kind} {number} {clean}");
                for time in 0..=59 {
                    assert_eq!(log.offset_for_timestamp(time * 10).unwrap().unwrap().offset, time);
                    let read = log.read(time, 1, true, ReadUpTo::LogEnd).unwrap();
                    assert!(!read.records.is_empty());
                }
                assert_eq!(append(&log, &["next"]).base_offset, 60);
            }
        }
    }
}

#[test]
fn what_was_flushed_is_not_read_again() {
    let house = House::on_disk();
    let log = house.open(small());
    append_numbers(&log, 0..60);
    log.flush_if_due(NOW_MS).unwrap();
    house.manager.checkpoint().unwrap();
    assert!(log.recovery_point() > 40);
    // Damage below the recovery point is not looked for.
    let (_house, log) = after_crash(&house, &small(), |folder| {
        let path = folder.join(FIRST);
        let mut bytes = fs::read(&path).unwrap();
        bytes[70] ^= 1;
        fs::write(&path, bytes).unwrap();
    });
    assert_eq!(log.log_end_offset(), 60);
}

#[test]
fn damage_to_what_was_closed_cleanly_destroys_nothing_else() {
    for damaged in 0..3 {
        let house = House::on_disk();
        let log = house.open(small());
        append_numbers(&log, 0..20);
        drop(log);
        house.manager.close().unwrap();
        let names = files(&house.log_folder(), ".log");
        let name = &names[damaged.min(names.len() - 1)];
        let base: i64 = name[..20].parse().unwrap();
        let path = house.log_folder().join(name);
        let mut bytes = fs::read(&path).unwrap();
        let len = bytes.len();
        bytes[0] = 4;
        fs::write(&path, bytes).unwrap();
        fs::remove_file(path.with_extension("index")).unwrap();
        let house = house.crash();
        let log = house.open(small());
        assert_eq!(log.log_end_offset(), 20);
        assert_eq!(append(&log, &["next"]).base_offset, 20);
        for offset in 0..20 {
            let behind =
                names.iter().filter_map(|name| name[..20].parse().ok()).find(|next: &i64| *next > base);
            let lies_there = offset >= base && behind.is_none_or(|behind| offset < behind);
            assert_eq!(log.read(offset, 1, true, ReadUpTo::LogEnd).is_err(), lies_there, "{offset}");
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), len as u64);
        assert_eq!(batches_from(&log, 20).len(), 1);
    }
}

#[test]
fn a_crash_in_the_middle_of_deleting_is_finished() {
    let house = House::on_disk();
    let log = house.open(small());
    append(&log, &["a"]);
    drop(log);
    let doomed = house.path().join("t-0.0123456789abcdef-delete");
    fs::rename(house.log_folder(), &doomed).unwrap();
    fs::create_dir(house.log_folder()).unwrap();
    fs::write(house.log_folder().join("00000000000000000000.index.tmp"), "x").unwrap();
    let house = house.crash();
    assert!(!doomed.exists());
    let log = house.open(small());
    assert_eq!(log.log_end_offset(), 0);
    assert_eq!(files(&house.log_folder(), ".tmp").len(), 0);
}

#[test]
fn leader_epochs_survive() {
    let mut house = House::on_disk();
    let log = house.open(small());
    for epoch in [0, 0, 2, 5] {
        log.append(&batch_of(&["a"]), &klamm_storage::AppendContext { leader_epoch: epoch, ..client() })
            .unwrap();
    }
    drop(log);
    assert_eq!(
        fs::read_to_string(house.log_folder().join("leader-epoch-checkpoint")).unwrap(),
        "0\n3\n0 0\n2 2\n5 3\n"
    );
    house = house.crash();
    let log = house.open(small());
    assert_eq!(log.latest_epoch(), Some(5));
    assert_eq!(
        [0, 1, 2, 5, 6].map(|epoch| log.end_offset_for_epoch(epoch)),
        [(0, 2), (0, 2), (2, 3), (5, 4), (-1, -1)]
    );
}

#[test]
fn a_log_does_not_inherit_the_start_of_a_deleted_one_of_its_name() {
    for appended in [5, 700] {
        let house = House::on_disk();
        let old = house.open(LogOptions::default());
        append_numbers(&old, 0..600);
        old.delete_records(500).unwrap();
        house.manager.checkpoint().unwrap();
        house.manager.delete_log(&old).unwrap();
        let log = house.open(LogOptions::default());
        append_numbers(&log, 0..appended);
        let (_house, log) = after_crash(&house, &LogOptions::default(), |_| ());
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (0, appended));
        assert_eq!(contents(&log).len() as i64, appended);
    }
}

#[test]
fn a_remembered_start_or_recovery_point_above_the_end_is_not_believed() {
    let house = House::on_disk();
    let log = house.open(LogOptions::default());
    append_numbers(&log, 0..5);
    for name in ["log-start-offset-checkpoint", "recovery-point-offset-checkpoint"] {
        fs::write(house.path().join(name), "0\n1\nt 0 500\n").unwrap();
    }
    let (_house, log) = after_crash(&house, &LogOptions::default(), |_| ());
    assert_eq!((log.log_start_offset(), log.recovery_point()), (0, 0));
    assert_eq!(contents(&log).len(), 5);
}
