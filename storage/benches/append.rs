//! What an append costs, in memory and in a folder.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};
use klamm_storage::{AppendContext, Home, LogManager, LogOptions, ManagerSettings, Origin};
use uuid::Uuid;

const RECORD_BYTES: usize = 100;

/// A log is thrown away once it holds as much, so that a bench fills neither memory nor disk.
const LOG_BYTES: usize = 256 * 1024 * 1024;

fn a_batch(records: usize) -> Bytes {
    let record = RecordToWrite {
        key: None,
        value: Some(Bytes::from_static(&[b'v'; RECORD_BYTES])),
        headers: Vec::new(),
        timestamp: 1_700_000_000_000,
    };
    batch::build(vec![record; records], &BuildOptions::default())
}

/// The time that `times` appends of `records` take.
fn append(home: &Home, records: &Bytes, times: u64) -> Duration {
    let manager = LogManager::open(home, ManagerSettings::default()).expect("the data can be opened");
    let cx =
        AppendContext { now_ms: 1_700_000_000_000, leader_epoch: 0, origin: Origin::Client, fault: None };
    let each = (LOG_BYTES / records.len()) as u64;
    let (mut left, mut took) = (times, Duration::ZERO);
    while left > 0 {
        let id = Uuid::from_u128(u128::from(left));
        let log = manager.open_log("bench", 0, id, Arc::new(LogOptions::default()), cx.now_ms);
        let log = log.expect("a log can be opened");
        let began = Instant::now();
        for _ in 0..left.min(each) {
            log.append(records, &cx).expect("a batch is appended");
        }
        took += began.elapsed();
        left -= left.min(each);
        manager.delete_log(&log).expect("a log can be deleted");
    }
    took
}

fn appends(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let homes = [("memory", Home::Memory), ("folder", Home::Folder(folder.path().to_owned()))];
    for (place, home) in homes {
        let mut group = criterion.benchmark_group(format!("append, {place}"));
        for records in [1, 1000] {
            let batch = a_batch(records);
            group.throughput(Throughput::Elements(records as u64));
            group.bench_function(format!("{records} records"), |bench| {
                bench.iter_custom(|times| append(&home, &batch, times));
            });
        }
        group.finish();
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
}

criterion_group! { name = benches; config = short(); targets = appends }
criterion_main!(benches);
