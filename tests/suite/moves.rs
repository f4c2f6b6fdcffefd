//! Real clients going on while leaders and coordinators move, and nodes are stopped, cut off and back: everything that they
//! send is in the log once and in order, and everything is read.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use klamm::{Broker, create_publisher, create_subscriber, embed_broker};
use serde_json::{Value, json};

use crate::interop::{have, peers};

const TOPIC: &str = "moves";
const GROUP: &str = "movers";
const PARTITIONS: i32 = 3;

/// How long a client may take to go on after a move. Long, because the machine may be busy; never slept through.
const PATIENCE: Duration = Duration::from_secs(60);

fn three() -> klamm::BrokerBuilder {
    Broker::builder().brokers(3).topic(TOPIC, PARTITIONS)
}

/// Where the log of each partition ends.
fn ends(broker: &Broker) -> Vec<i64> {
    let topics = broker.topics();
    let topic = topics.iter().find(|topic| topic.name == TOPIC).unwrap();
    topic.partitions.iter().map(|partition| partition.log_end_offset).collect()
}

/// Waits until there is more in every partition, and the group has read and committed more of each.
fn goes_on(broker: &Broker, after: &str) {
    let ends = ends(broker);
    for (partition, end) in (0..).zip(&ends) {
        let waited = broker.wait_for_commit(GROUP, TOPIC, partition, end + 10, PATIENCE);
        assert!(waited.is_ok(), "after {after}: {}", waited.unwrap_err());
    }
}

/// Another node than these.
fn other(but: &[Option<i32>]) -> i32 {
    [1, 2, 3].into_iter().find(|node| !but.contains(&Some(*node))).unwrap()
}

/// Everything that can happen to a cluster, one thing after the other, each once clients have got over the last.
fn move_everything(broker: &Broker) {
    let cluster = broker.cluster();
    goes_on(broker, "the start");
    for partition in 0..PARTITIONS {
        let leader = cluster.leader(TOPIC, partition).unwrap();
        cluster.move_leader(TOPIC, partition, other(&[leader])).unwrap();
    }
    goes_on(broker, "moves of all leaders");
    let coordinator = cluster.coordinator(GROUP);
    cluster.move_coordinator(GROUP, other(&[coordinator])).unwrap();
    goes_on(broker, "a move of the coordinator");
    let stopped = cluster.coordinator(GROUP).unwrap();
    cluster.move_leader(TOPIC, 0, stopped).unwrap();
    cluster.stop_node(stopped).unwrap();
    goes_on(broker, "the end of the coordinator, which led as well");
    cluster.bring_back(stopped).unwrap();
    cluster.elect_preferred_leaders().unwrap();
    goes_on(broker, "its return, and an election of preferred leaders");
    let cut_off = other(&[cluster.coordinator(GROUP)]);
    cluster.move_leader(TOPIC, 1, cut_off).unwrap();
    cluster.cut_off(cut_off).unwrap();
    goes_on(broker, "a leader's being cut off");
    cluster.bring_back(cut_off).unwrap();
    goes_on(broker, "its return");
}

/// The numbers in each partition, in the order of the log.
fn numbers(broker: &Broker) -> Vec<Vec<u64>> {
    let mut partitions = vec![Vec::new(); usize::try_from(PARTITIONS).unwrap()];
    for record in broker.records(TOPIC).unwrap() {
        let value = String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap();
        partitions[usize::try_from(record.partition).unwrap()].push(value.parse().unwrap());
    }
    partitions
}

fn client(name: &str, needed: &[&str]) {
    if !have(needed) {
        return;
    }
    let broker = three().start().unwrap();
    let mut client = Command::new(peers().join("moves/run"))
        .arg(name)
        .env("BOOTSTRAP_SERVERS", broker.bootstrap_servers())
        .envs([("TOPIC", TOPIC), ("GROUP", GROUP)])
        .env("PARTITIONS", PARTITIONS.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let moved = std::thread::scope(|scope| scope.spawn(|| move_everything(&broker)).join());
    drop(client.stdin.take());
    let ended = client.wait_with_output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    assert!(moved.is_ok() && ended.status.success(), "{name}: {}", String::from_utf8_lossy(&said));
    for (partition, numbers) in numbers(&broker).into_iter().enumerate() {
        let each_once: Vec<u64> = (0..numbers.len() as u64).collect();
        assert!(!numbers.is_empty() && numbers == each_once, "{name}: partition {partition} has {numbers:?}");
    }
}

#[test]
fn confluent_kafka_goes_on_through_moves() {
    client("confluent-kafka", &["python"]);
}

#[test]
fn the_jvm_client_goes_on_through_moves() {
    client("java", &["kafka"]);
}

#[test]
fn franz_goes_on_through_moves() {
    client("franz-go", &["go"]);
}

/// The client of this project, over sockets or within the process.
fn own_client(broker: &Broker, servers: &str) {
    let publisher = create_publisher(
        "moves",
        json!({
            "destination": format!("kafka://topic/{TOPIC}"),
            "bootstrap_servers": servers,
            "producer_config": { "acks": "all", "enable_idempotence": true, "request_timeout_ms": 3_000 },
        }),
    )
    .unwrap();
    let subscriber = create_subscriber(
        "moves",
        json!({
            "source": format!("kafka://topic/{TOPIC}"),
            "bootstrap_servers": servers,
            "consumer_config": {
                "group_id": GROUP,
                "auto_offset_reset": "earliest",
                "auto_commit_interval_ms": 200,
                "session_timeout_ms": 6_000,
                "heartbeat_interval_ms": 500,
                "request_timeout_ms": 3_000,
            },
        }),
    )
    .unwrap();
    subscriber.start().unwrap();
    let (sending, reading) = (AtomicBool::new(true), AtomicBool::new(true));
    let (sent, read, moved) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = 0_u64;
            while sending.load(Ordering::Relaxed) {
                publisher.publish(&sent).unwrap();
                sent += 1;
                if sent.is_multiple_of(5) {
                    publisher.flush().unwrap();
                }
            }
            let report = publisher.stop().unwrap();
            assert_eq!(report.failed_count, 0);
            sent
        });
        let reader = scope.spawn(|| {
            let mut read = std::collections::HashSet::new();
            while reading.load(Ordering::Relaxed) {
                if let Some(Value::Number(number)) = subscriber.get_data(Duration::from_millis(100)).unwrap()
                {
                    read.insert(number.as_u64().unwrap());
                }
            }
            read
        });
        let moved = scope.spawn(|| move_everything(broker)).join();
        sending.store(false, Ordering::Relaxed);
        let sent = sender.join().unwrap();
        let all_read = broker.wait_for_lag(GROUP, 0, PATIENCE);
        reading.store(false, Ordering::Relaxed);
        (sent, reader.join().unwrap(), moved.is_ok() && all_read.is_ok())
    });
    subscriber.stop().unwrap();
    assert!(moved, "{read} of {sent} were read", read = read.len());
    let partitions = numbers(broker);
    assert!(partitions.iter().all(|numbers| numbers.is_sorted()), "the order is lost");
    let mut all: Vec<u64> = partitions.concat();
    all.sort_unstable();
    assert_eq!(all, (0..sent).collect::<Vec<_>>());
    assert_eq!(read.len(), all.len());
}

#[test]
fn the_native_client_goes_on_through_moves() {
    let broker = three().start().unwrap();
    own_client(&broker, &broker.bootstrap_servers());
}

#[test]
fn the_native_client_within_the_process_goes_on_through_moves() {
    let broker = embed_broker("suite-moves", three()).unwrap();
    own_client(&broker, "embedded://suite-moves");
}
