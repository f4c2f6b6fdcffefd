//! Recovery: damage to the files of a log or of a data folder while nothing runs, and then they are opened again.
//!
//! What is not the log itself is rebuilt from the log: damage to it loses nothing. Damage to the log loses what was
//! damaged and perhaps what is behind it, but never what is before, and never the process.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use klamm::{Broker, StartError};
use klamm_storage::{AppendContext, Home, Log, LogManager, LogOptions, ManagerSettings, Origin, ReadUpTo};
use uuid::Uuid;

use super::batches::{self, assert_readable};
use super::rng::Rng;
use crate::harness::produce_request;
use crate::wire::client::*;

const NOW_MS: i64 = 1_700_000_000_000;
const TOPIC: &str = "worn";
const ID: Uuid = Uuid::from_u128(7);

/// What has been appended: offsets, and a checksum of all but base offset, length and leader epoch.
type Appended = Vec<(Range<i64>, u32)>;

fn open(folder: &Path, segment_bytes: u32) -> Option<(LogManager, Arc<Log>)> {
    let manager = LogManager::open(&Home::Folder(folder.to_owned()), ManagerSettings::default()).ok()?;
    let options = LogOptions { segment_bytes, index_interval_bytes: 200, ..LogOptions::default() };
    let log = manager.open_log(TOPIC, 0, ID, Arc::new(options), NOW_MS).ok()?;
    Some((manager, log))
}

fn append(log: &Log, rng: &mut Rng) -> (Range<i64>, u32) {
    let count = 1 + rng.below(4);
    let mut payload = Vec::new();
    for index in 0..count {
        let length = rng.below(120);
        payload.extend(record(i64::try_from(index).unwrap(), &rng.bytes(length)));
    }
    let batch = batch(0, i32::try_from(count).unwrap(), &payload);
    let cx = AppendContext { now_ms: NOW_MS, leader_epoch: 0, origin: Origin::Client, fault: None };
    let appended = log.append(&batch, &cx).unwrap();
    (appended.base_offset..appended.last_offset + 1, checksum(&batch))
}

fn checksum(batch: &Bytes) -> u32 {
    crc32c::crc32c(&batch[16..])
}

/// The batches that can be read from `offset` on, up to the first that is not what it should be.
fn read(log: &Log, mut offset: i64) -> Appended {
    let mut found = Appended::new();
    while let Ok(read) = log.read(offset, 4096, true, ReadUpTo::LogEnd) {
        let mut records = read.records;
        let before = offset;
        while let Some(batch) = batches::next_batch(&mut records) {
            let base = (&batch[..]).get_i64();
            let behind = base.saturating_add(i64::from((&batch[23..]).get_i32())).saturating_add(1);
            if base != offset || behind <= base || !batches::has_right_checksum(&batch) {
                return found;
            }
            found.push((base..behind, checksum(&batch)));
            offset = behind;
        }
        if offset == before {
            break;
        }
    }
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Does something to a file that a disk, or somebody, could do to it, and says what.
fn damage(path: &Path, rng: &mut Rng) -> String {
    let before = std::fs::read(path).unwrap();
    let mut bytes = before.clone();
    match rng.below(12) {
        0 => {
            std::fs::remove_file(path).unwrap();
            return format!("{}: removed", path.display());
        }
        1 => bytes.clear(),
        2 => {
            let length = rng.below(4096);
            bytes = rng.bytes(length);
        }
        3 => bytes.resize(bytes.len() + rng.below(5000), 0),
        4 => {
            let more = 1 + rng.below(300);
            bytes.extend(rng.bytes(more));
        }
        5 if !bytes.is_empty() => {
            let at = rng.below(bytes.len());
            let end = bytes.len().min(at + 1 + rng.below(4096));
            bytes[at..end].fill(0);
        }
        _ => {
            // Where there is something, rather than in the zeros behind it.
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let rest = bytes.split_off(used);
            let whole = rng.percent(80);
            rng.mutate(&mut bytes);
            if whole {
                bytes.resize(used, 0);
            }
            bytes.extend(rest);
        }
    }
    std::fs::write(path, &bytes).unwrap();
    let first = before.iter().zip(&bytes).position(|(before, after)| before != after);
    format!("{}: {} bytes, now {}, other from {first:?} on", path.display(), before.len(), bytes.len())
}

/// Whether a file is derived from the log and can be rebuilt from it.
fn is_derived(path: &Path) -> bool {
    let derived = ["index", "timeindex", "txnindex", "snapshot"];
    path.extension().is_some_and(|extension| derived.iter().any(|name| extension == *name))
}

/// Where a segment begins; its file is named after it.
fn base_offset(log_file: &Path) -> i64 {
    log_file.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(0)
}

#[test]
fn fuzz_recovery_of_a_log() {
    super::for_a_while(|rng| {
        let folder = tempfile::tempdir().unwrap();
        let segment_bytes = rng.pick(&[700, 2000, 1 << 20]);
        let (manager, log) = open(folder.path(), segment_bytes).expect("an empty folder can be opened");
        let mut all: Appended = (0..5 + rng.below(40)).map(|_| append(&log, rng)).collect();
        assert_eq!(read(&log, 0), all);
        if rng.percent(50) {
            manager.close().unwrap();
        }
        drop((log, manager));

        let (mut safe, mut done) = (i64::MAX, Vec::new());
        let only_derived = rng.percent(50);
        let mut candidates = files(folder.path());
        candidates.retain(|path| !only_derived || is_derived(path));
        for _ in 0..=rng.below(3).min(candidates.len().saturating_sub(1)) {
            if candidates.is_empty() {
                break;
            }
            let path = candidates.swap_remove(rng.below(candidates.len()));
            if path.extension().is_some_and(|extension| extension == "log") {
                // Of a damaged segment, nothing is promised here; of those before it, everything.
                safe = safe.min(base_offset(&path));
            } else if !is_derived(&path) {
                safe = 0;
            }
            done.push(damage(&path, rng));
        }

        let opened = catch_unwind(AssertUnwindSafe(|| open(folder.path(), segment_bytes)));
        let Some((manager, log)) = opened.expect("opening does not panic") else {
            assert!(!only_derived, "what can be rebuilt must be rebuilt: {done:?}");
            return;
        };
        all.retain(|(offsets, _)| offsets.end <= safe);
        let found = read(&log, log.log_start_offset());
        assert_eq!(found.get(..all.len()), Some(&all[..]), "nothing before the damage is lost: {done:?}");
        // The log goes on: what is appended is there, now and after one more opening.
        let next = append(&log, rng);
        assert_eq!(read(&log, next.0.start), std::slice::from_ref(&next));
        manager.close().unwrap();
        drop((log, manager));
        let (_manager, log) = open(folder.path(), segment_bytes).expect("what was opened opens again");
        assert_eq!(read(&log, next.0.start), [next]);
    });
}

#[test]
fn fuzz_recovery_of_a_data_folder() {
    watch_for_panics();
    super::for_a_while(|rng| {
        let folder = tempfile::tempdir().unwrap();
        let builder = || Broker::builder().data_dir(folder.path());
        let broker = builder().topic(GOOD_TOPIC, 1).topic(TOPIC, 1).start().unwrap();
        for _ in 0..5 {
            assert_serves(&broker.bootstrap_servers());
            let mut client = Raw::connect(&broker.bootstrap_servers());
            produced(&mut client, &produce_request(TOPIC, 0, batches::any(rng).into()));
        }
        broker.shutdown().unwrap();

        let mut candidates = files(folder.path());
        let only_derived = rng.percent(30);
        candidates.retain(|path| !only_derived || is_derived(path));
        if candidates.is_empty() {
            return;
        }
        let done = damage(&candidates[rng.below(candidates.len())], rng);

        let started = catch_unwind(AssertUnwindSafe(|| builder().start())).expect("starting does not panic");
        match started {
            Ok(broker) => {
                let address = broker.bootstrap_servers();
                if only_derived {
                    assert_readable(&address, GOOD_TOPIC, 0);
                    assert_serves(&address);
                }
                // Whatever is left of it, asking for it does no harm.
                Raw::connect(&address).ask(&fetch(TOPIC, 0, 1 << 20).with_max_wait_ms(0), 11);
                broker.shutdown().unwrap();
            }
            Err(error) => assert!(!only_derived && !error.to_string().is_empty(), "{done}: {error}"),
        }
        assert_no_panics();
    });
}

#[test]
fn a_journal_whose_first_offset_is_damaged_is_told_of_and_not_read_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let builder = || Broker::builder().data_dir(folder.path());
    builder().topic(TOPIC, 1).start().unwrap().shutdown().unwrap();
    let is_journal = |path: &PathBuf| {
        path.parent().is_some_and(|folder| folder.ends_with("__klamm_metadata-0"))
            && path.extension().is_some_and(|extension| extension == "log")
    };
    let journal = files(folder.path()).into_iter().find(is_journal).expect("topics are kept in a journal");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[0] = 4;
    std::fs::write(&journal, bytes).unwrap();
    assert!(matches!(builder().start(), Err(StartError::Metadata { .. })));
}
