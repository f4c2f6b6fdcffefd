//! Consumers at brokers of this process.

mod groups;
mod positions;
mod reading;
mod restarts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm_broker::{Broker, BrokerBuilder};
use klamm_protocol::batch::{BuildOptions, Codec, RecordToWrite, build};
use parking_lot::Mutex;

use super::{NativeConsumer, Subscription, wire};
use crate::backend::{ConsumerBackend, RebalanceListener};
use crate::error::ClientError;
use crate::native::cluster::{Cluster, Lane, Node};
use crate::options::{Bootstrap, ClientOptions, ConsumerOptions, OffsetReset};
use crate::record::{Record, TopicPartition};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    crate::runtime::handle().unwrap().block_on(work)
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// A broker for a test.
struct Bed {
    broker: Option<Broker>,
    client: ClientOptions,
    cluster: Arc<Cluster>,
}

/// A broker whose groups do not wait for more members, and take short sessions.
fn builder(topics: &[(&str, i32)]) -> BrokerBuilder {
    let builder = Broker::builder()
        .config("group.initial.rebalance.delay.ms", "0")
        .config("group.min.session.timeout.ms", "100")
        .config("offsets.topic.num.partitions", "4");
    topics.iter().fold(builder, |builder, (topic, partitions)| builder.topic(*topic, *partitions))
}

impl Bed {
    fn new(topics: &[(&str, i32)]) -> Bed {
        Bed::of(builder(topics).start().unwrap())
    }

    fn of(broker: Broker) -> Bed {
        let client = ClientOptions {
            bootstrap: Bootstrap::Servers(vec![broker.bootstrap_servers()]),
            ..ClientOptions::default()
        };
        let cluster = Cluster::new(client.clone(), true).unwrap();
        Bed { broker: Some(broker), client, cluster }
    }

    /// A member of a group.
    fn member(
        &self,
        options: ConsumerOptions,
        topics: &[&str],
        listener: Option<&Arc<Notes>>,
    ) -> NativeConsumer {
        let topics = topics.iter().map(|topic| Arc::from(*topic)).collect();
        let listener = listener.map(|notes| Arc::clone(notes) as Arc<dyn RebalanceListener>);
        NativeConsumer::subscribe(self.client.clone(), options, Subscription::Topics(topics), listener)
            .unwrap()
    }

    /// Appends a batch that says these values.
    fn produce(&self, topic: &str, partition: i32, values: &[String]) {
        self.produce_packed(topic, partition, values, Codec::None);
    }

    fn produce_packed(&self, topic: &str, partition: i32, values: &[String], codec: Codec) {
        let record = |value: &String| RecordToWrite {
            key: None,
            value: Some(Bytes::from(value.clone())),
            headers: vec![("name".to_owned(), Some(Bytes::from_static(b"value"))), ("null".to_owned(), None)],
            timestamp: 1000,
        };
        let batch = build(values.iter().map(record), &BuildOptions { codec, ..BuildOptions::default() });
        block_on(self.append(topic, partition, batch));
    }

    async fn append(&self, topic: &str, partition: i32, batch: Bytes) {
        let leader = self.cluster.partition_leader(&Arc::from(topic), partition, None, soon()).await.unwrap();
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
        let topic =
            TopicProduceData::default().with_name(wire::topic_name(topic)).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic]);
        let answer =
            self.cluster.call(Node::Id(leader.node), Lane::Produce, &request, 12, soon()).await.unwrap();
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
}

fn options(group: &str) -> ConsumerOptions {
    ConsumerOptions {
        group_id: group.to_owned(),
        auto_offset_reset: OffsetReset::Earliest,
        session_timeout: Duration::from_secs(2),
        heartbeat_interval: Duration::from_millis(50),
        auto_commit_interval: Duration::from_millis(50),
        ..ConsumerOptions::default()
    }
}

fn manual(group: &str) -> ConsumerOptions {
    ConsumerOptions { enable_auto_commit: false, ..options(group) }
}

/// The next record or error.
fn next(consumer: &NativeConsumer) -> Result<Record, ClientError> {
    consumer.arrived().wait(Some(soon()), || consumer.try_next()).expect("nothing came")
}

fn take(consumer: &NativeConsumer, count: usize) -> Vec<Record> {
    (0..count).map(|_| next(consumer).unwrap()).collect()
}

fn value(record: &Record) -> String {
    String::from_utf8(record.value.as_ref().unwrap().to_vec()).unwrap()
}

fn values(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("value {number}")).collect()
}

/// Waits until each has what is wanted of its assignment.
fn wait_assigned(
    consumer: &NativeConsumer,
    wanted: impl Fn(&[TopicPartition]) -> bool,
) -> Vec<TopicPartition> {
    let look = || Some(consumer.assignment()).filter(|assignment| wanted(assignment));
    consumer
        .assigned()
        .wait(Some(soon()), look)
        .unwrap_or_else(|| panic!("it has {:?}", consumer.assignment()))
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = soon();
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        // It is looked at again soon, without keeping a processor busy.
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn close(consumer: &NativeConsumer) {
    block_on(consumer.close(soon())).unwrap();
}

/// What a listener was told.
#[derive(Debug, Default)]
struct Notes {
    told: Mutex<Vec<(&'static str, Vec<TopicPartition>)>>,
    count: AtomicUsize,
}

impl Notes {
    fn note(&self, what: &'static str, partitions: &[TopicPartition]) {
        let mut partitions = partitions.to_vec();
        partitions.sort();
        self.told.lock().push((what, partitions));
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    fn told(&self) -> Vec<(&'static str, Vec<TopicPartition>)> {
        self.told.lock().clone()
    }

    fn of(&self, what: &str) -> Vec<Vec<TopicPartition>> {
        self.told().into_iter().filter(|(told, _)| *told == what).map(|(_, partitions)| partitions).collect()
    }
}

impl RebalanceListener for Notes {
    fn assigned(&self, partitions: &[TopicPartition]) {
        self.note("assigned", partitions);
    }

    fn revoked(&self, partitions: &[TopicPartition]) {
        self.note("revoked", partitions);
    }

    fn lost(&self, partitions: &[TopicPartition]) {
        self.note("lost", partitions);
    }
}

/// How often each record was seen.
#[derive(Debug, Default)]
struct Seen(Mutex<BTreeMap<(i32, i64), usize>>);

impl Seen {
    /// Takes whatever there is.
    fn drain(&self, consumer: &NativeConsumer) {
        while let Some(record) = consumer.try_next() {
            let record = record.unwrap();
            *self.0.lock().entry((record.partition, record.offset)).or_default() += 1;
        }
    }

    fn distinct(&self) -> usize {
        self.0.lock().len()
    }

    fn repeated(&self) -> usize {
        self.0.lock().values().filter(|count| **count > 1).count()
    }
}
