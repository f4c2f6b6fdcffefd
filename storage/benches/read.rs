//! What a read costs, in memory and in a folder.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};
use klamm_storage::{AppendContext, Home, LogManager, LogOptions, ManagerSettings, Origin, ReadUpTo};
use uuid::Uuid;

const BATCHES: i64 = 1000;
const BATCH_RECORDS: i64 = 1000;

fn reads(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let record = RecordToWrite {
        key: None,
        value: Some(Bytes::from_static(&[b'v'; 100])),
        headers: Vec::new(),
        timestamp: 1_700_000_000_000,
    };
    let records = batch::build(vec![record; BATCH_RECORDS as usize], &BuildOptions::default());
    let cx =
        AppendContext { now_ms: 1_700_000_000_000, leader_epoch: 0, origin: Origin::Client, fault: None };
    let homes = [("memory", Home::Memory), ("folder", Home::Folder(folder.path().to_owned()))];
    for (place, home) in homes {
        let manager = LogManager::open(&home, ManagerSettings::default()).expect("the data can be opened");
        let log = manager
            .open_log("bench", 0, Uuid::from_u128(1), Arc::new(LogOptions::default()), cx.now_ms)
            .expect("a log can be opened");
        for _ in 0..BATCHES {
            log.append(&records, &cx).expect("a batch is appended");
        }
        let mut group = criterion.benchmark_group(format!("read, {place}"));
        for (name, bytes) in [("one batch", 1), ("1 MiB", 1024 * 1024)] {
            group.throughput(Throughput::Elements(1));
            let mut offset = 0;
            group.bench_function(name, |bench| {
                bench.iter(|| {
                    // A step that is no multiple of a batch: every read has to search.
                    offset = (offset + 7919) % (BATCHES * BATCH_RECORDS);
                    let read = log.read(black_box(offset), bytes, true, ReadUpTo::HighWatermark);
                    read.expect("a batch is read").records.len()
                });
            });
        }
        group.finish();
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
}

criterion_group! { name = benches; config = short(); targets = reads }
criterion_main!(benches);
