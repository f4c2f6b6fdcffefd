//! SIGKILL in the middle of a load: whatever was acknowledged is there after the restart, in its place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};

use crate::harness::{Process, Wire, produce_request, wait_for};

const TOPIC: &str = "load";
const PARTITIONS: i32 = 3;

/// Requests that a writer has under way.
const PIPELINE: usize = 5;

/// What was acknowledged: the value at each offset of each partition.
type Acknowledged = BTreeMap<(i32, i64), String>;

#[test]
fn crash_in_the_middle_of_a_load_loses_nothing_acknowledged() {
    let rounds = std::env::var("KLAMM_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    let folder = tempfile::tempdir().unwrap();
    // Segments of 1 MiB, so that a crash meets rolls as well as appends.
    let options = ["--topic", "load:3", "--config", "log.segment.bytes=1048576"];
    let mut all = Acknowledged::new();
    for round in 0..rounds {
        let mut process = Process::start(folder.path(), "127.0.0.1:0", &options);
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let writers: Vec<_> = (0..PARTITIONS)
            .map(|partition| {
                let (address, count) = (process.address.clone(), Arc::clone(&acknowledged));
                std::thread::spawn(move || write_until_killed(&address, round, partition, &count))
            })
            .collect();
        let enough = 2000 + 700 * round;
        wait_for("enough to be acknowledged", || {
            (acknowledged.load(Ordering::Relaxed) >= enough).then_some(())
        });
        process.kill();
        for writer in writers {
            all.extend(writer.join().expect("a writer ends with its connection"));
        }
        let process = Process::start(folder.path(), "127.0.0.1:0", &options);
        check(&process.address, &all);
        // Every other round the broker is stopped cleanly before the next.
        if round % 2 == 0 {
            assert_eq!(process.terminate(), Some(0));
        }
    }
}

/// Writes batches of ten records, five requests ahead of their answers, until the connection breaks.
fn write_until_killed(address: &str, round: usize, partition: i32, count: &AtomicUsize) -> Acknowledged {
    let mut wire = Wire::connect(address);
    let mut acknowledged = Acknowledged::new();
    let mut waiting = std::collections::VecDeque::new();
    for number in 0.. {
        let values: Vec<_> =
            (0..10).map(|i| format!("round {round} partition {partition} record {number}.{i}")).collect();
        if wire.send(&produce(partition, &values), 9).is_err() {
            break;
        }
        waiting.push_back(values);
        if waiting.len() < PIPELINE {
            continue;
        }
        let Ok(response) = wire.receive::<ProduceRequest>(9) else { break };
        let answer = &response.responses[0].partition_responses[0];
        assert_eq!(answer.error_code, 0, "{answer:?}");
        let values = waiting.pop_front().expect("an answer belongs to a request");
        count.fetch_add(values.len(), Ordering::Relaxed);
        acknowledged
            .extend((answer.base_offset..).zip(values).map(|(offset, value)| ((partition, offset), value)));
    }
    acknowledged
}

fn produce(partition: i32, values: &[String]) -> ProduceRequest {
    let record = |value: &String| RecordToWrite {
        key: None,
        value: Some(Bytes::from(value.clone())),
        headers: Vec::new(),
        timestamp: 1_700_000_000_000,
    };
    let records = batch::build(values.iter().map(record), &BuildOptions::default());
    produce_request(TOPIC, partition, records)
}

fn check(address: &str, acknowledged: &Acknowledged) {
    let mut wire = Wire::connect(address);
    for partition in 0..PARTITIONS {
        let found = read_all(&mut wire, partition);
        for ((_, offset), value) in acknowledged.range((partition, 0)..(partition + 1, 0)) {
            assert_eq!(found.get(offset), Some(value), "partition {partition} offset {offset}");
        }
        let offsets: Vec<_> = found.keys().copied().collect();
        let expected: Vec<_> = (0..i64::try_from(found.len()).unwrap()).collect();
        assert_eq!(offsets, expected, "partition {partition} has holes");
    }
}

fn read_all(wire: &mut Wire, partition: i32) -> BTreeMap<i64, String> {
    let mut found = BTreeMap::new();
    loop {
        let offset = found.last_key_value().map_or(0, |(offset, _)| offset + 1);
        let asked = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default()
            .with_topic(TopicName(StrBytes::from_static_str(TOPIC)))
            .with_partitions(vec![asked]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_bytes(1 << 20)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let response = wire.call(&request, 11);
        let answer = &response.responses[0].partitions[0];
        assert_eq!(answer.error_code, 0, "{answer:?}");
        let records = answer.records.clone().unwrap_or_default();
        for batch in batch::batches(&records) {
            for record in batch::records(&batch).expect("a batch of the log can be read") {
                let value = record.value.expect("every record has a value");
                found.insert(record.offset, String::from_utf8(value.to_vec()).expect("values are text"));
            }
        }
        if offset >= answer.high_watermark {
            return found;
        }
    }
}
