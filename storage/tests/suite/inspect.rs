//! Looking at files without opening the log: everything in order is not complained of, and damage is found where it is.

use std::fs;
use std::path::{Path, PathBuf};

use klamm_storage::inspect::{self, Checked, FileKind, Rest, SegmentReader};

use crate::harness::*;

/// A log of several segments, ended cleanly.
fn written() -> (House, PathBuf) {
    let house = House::on_disk();
    let log = house.open(small());
    append_numbers(&log, 0..100);
    house.manager.close().unwrap();
    let folder = house.log_folder();
    (house, folder)
}

fn files(folder: &Path, kind: FileKind) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        paths.filter(|path| inspect::kind_of(path).is_some_and(|(_, k)| k == kind)).collect();
    found.sort();
    found
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

/// The only finding after `damage` has been done to the file of a kind in the first segment that has one.
fn finding(kind: FileKind, damage: impl FnOnce(&mut Vec<u8>)) -> (bool, String) {
    let (_house, folder) = written();
    change(&files(&folder, kind)[0], damage);
    let checked = inspect::check_partition(&folder).unwrap();
    assert_eq!(checked.findings.len(), 1, "{:?}", checked.findings);
    (checked.findings[0].repairable, checked.findings[0].what.clone())
}

#[test]
fn a_log_that_was_written_here_is_in_order() {
    let (house, folder) = written();
    let checked = inspect::check_partition(&folder).unwrap();
    assert!(checked.segments > 3);
    let wanted = Checked {
        batches: 100,
        records: 100,
        first_offset: Some(0),
        end_offset: Some(100),
        segments: checked.segments,
        bytes: checked.bytes,
        findings: Vec::new(),
    };
    assert_eq!(checked, wanted);
    let mut seen = Vec::new();
    inspect::check_folder(house.path(), |path, checked| seen.push((path.to_owned(), checked.findings.len())))
        .unwrap();
    assert_eq!(seen, [(folder, 0), (house.path().to_owned(), 0)]);
}

#[test]
fn the_batches_of_a_segment_are_read_in_order() {
    let (_house, folder) = written();
    let mut next = 0;
    for file in files(&folder, FileKind::Log) {
        let mut reader = SegmentReader::open(&file).unwrap();
        for found in &mut reader {
            let found = found.unwrap();
            assert_eq!(found.batch.header.base_offset, next);
            assert!(found.checksum_is_right);
            next += 1;
        }
        assert_eq!(reader.rest(), Some(Rest::Nothing));
    }
    assert_eq!(next, 100);
}

#[test]
fn a_log_that_is_open_has_reserved_blocks_and_nothing_wrong() {
    let house = House::on_disk();
    let log = house.open(klamm_storage::LogOptions::default());
    append_numbers(&log, 0..3);
    let mut reader = SegmentReader::open(&files(&house.log_folder(), FileKind::Log)[0]).unwrap();
    assert_eq!(reader.by_ref().count(), 3);
    assert!(matches!(reader.rest(), Some(Rest::Reserved(_) | Rest::Nothing)), "{:?}", reader.rest());
}

#[test]
fn damage_is_found() {
    let (repairable, what) = finding(FileKind::Log, |bytes| bytes[65] ^= 1);
    assert!(!repairable && what.contains("offset 0") && what.contains("checksum"), "{what}");
    let (repairable, what) = finding(FileKind::OffsetIndex, |bytes| bytes[7] ^= 1);
    assert!(repairable && what.contains("where it is not"), "{what}");
    let (repairable, what) = finding(FileKind::OffsetIndex, |bytes| bytes.truncate(bytes.len() - 3));
    assert!(repairable && what.contains("whole number of entries"), "{what}");
    let (repairable, what) = finding(FileKind::TimeIndex, |bytes| bytes[7] ^= 1);
    assert!(repairable && what.contains("which it is not"), "{what}");
}

#[test]
fn an_end_that_is_cut_off_is_repairable_only_in_the_last_segment() {
    for (last, repairable) in [(false, false), (true, true)] {
        let (_house, folder) = written();
        let logs = files(&folder, FileKind::Log);
        let file = if last { logs.last() } else { logs.first() }.unwrap();
        change(file, |bytes| bytes.extend_from_slice(&[1, 2, 3]));
        let checked = inspect::check_partition(&folder).unwrap();
        assert_eq!(checked.findings.len(), 1, "{:?}", checked.findings);
        assert_eq!(checked.findings[0].repairable, repairable);
        assert!(checked.findings[0].what.contains("3 bytes"), "{:?}", checked.findings);
    }
}
