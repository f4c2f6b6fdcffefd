//! Where a test runs: a library, and a broker of some kind. And what tests do there over and over.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use kafka_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use kafka_protocol::protocol::StrBytes;
use klamm_client::{EmbeddedBroker, Publisher, Record, Subscriber, embedded_broker};
use serde_json::{Value, json};

use crate::harness::{DEADLINE, Process, Wire, wait_for};
use crate::interop::{have, peers};

/// A library, and a broker.
pub(crate) struct Place {
    pub(crate) library: &'static str,
    /// What goes into `bootstrap_servers`.
    pub(crate) bootstrap: String,
    /// Where the broker listens.
    pub(crate) address: String,
    /// The broker, while it is the test's own.
    _broker: Option<Broker>,
}

enum Broker {
    Embedded(#[allow(dead_code, reason = "kept so that it runs")] EmbeddedBroker),
    Served(#[allow(dead_code, reason = "kept so that it runs")] Process),
}

/// A name that no other test or run uses.
pub(crate) fn unique(stem: &str) -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("{stem}-{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed))
}

impl Place {
    pub(crate) fn embedded(library: &'static str) -> Place {
        let name = unique("suite");
        let broker = embedded_broker(&name, None).unwrap();
        let address = broker.bootstrap_servers();
        let bootstrap = format!("embedded://{name}");
        Place { library, bootstrap, address, _broker: Some(Broker::Embedded(broker)) }
    }

    pub(crate) fn served(library: &'static str) -> Place {
        let process = Process::start_in_memory("127.0.0.1:0", &[]);
        let address = process.address.clone();
        Place { library, bootstrap: address.clone(), address, _broker: Some(Broker::Served(process)) }
    }

    /// At a real Kafka that all tests share; none where there is none.
    pub(crate) fn kafka(library: &'static str) -> Option<Place> {
        let kafka = Kafka::get()?;
        Some(Place::at(library, kafka.address("PLAINTEXT")))
    }

    /// At a broker that somebody else keeps.
    pub(crate) fn at(library: &'static str, address: &str) -> Place {
        let address = address.to_owned();
        Place { library, bootstrap: address.clone(), address, _broker: None }
    }

    /// A new topic.
    pub(crate) fn topic(&self, partitions: i32) -> String {
        let name = unique("topic");
        create_topic(&self.address, &name, partitions);
        name
    }

    /// A publisher's config; an object in `more` is added to, anything else taken in place of what is there.
    pub(crate) fn publishing(&self, topic: &str, more: Value) -> Value {
        let config = json!({
            "destination": format!("kafka://topic/{topic}"),
            "bootstrap_servers": self.bootstrap,
            "kafka_library": self.library,
        });
        merged(config, more)
    }

    /// A subscriber's config: from the beginning, with short waits, and commits by hand.
    pub(crate) fn subscribing(&self, topic: &str, group: &str, more: Value) -> Value {
        let config = json!({
            "source": format!("kafka://topic/{topic}"),
            "bootstrap_servers": self.bootstrap,
            "kafka_library": self.library,
            "group_id": group,
            "consumer_config": {
                "auto_offset_reset": "earliest",
                "enable_auto_commit": false,
                "session_timeout_ms": 6000,
                "heartbeat_interval_ms": 100,
                "fetch_max_wait_ms": 50,
            },
        });
        merged(config, more)
    }

    pub(crate) fn publisher(&self, topic: &str, more: Value) -> Publisher {
        klamm_client::create_publisher("suite", self.publishing(topic, more)).unwrap()
    }

    /// A subscriber that has been started.
    pub(crate) fn subscriber(&self, topic: &str, group: &str, more: Value) -> Subscriber {
        let subscriber =
            klamm_client::create_subscriber("suite", self.subscribing(topic, group, more)).unwrap();
        subscriber.start().unwrap();
        subscriber
    }

    /// Publishes numbers, all acknowledged.
    pub(crate) fn fill(&self, topic: &str, numbers: std::ops::Range<u64>) {
        let publisher = self.publisher(topic, json!({ "producer_config": { "acks": "all" } }));
        for number in numbers {
            publisher.publish(&number).unwrap();
        }
        let report = publisher.stop().unwrap();
        assert_eq!(report.failed_count, 0, "{report:?}");
    }
}

pub(crate) fn create_topic(address: &str, name: &str, partitions: i32) {
    // Tests write records with timestamps of long ago: they are not to be deleted for their age.
    let kept = CreatableTopicConfig::default()
        .with_name(StrBytes::from_static_str("retention.ms"))
        .with_value(Some(StrBytes::from_static_str("-1")));
    let topic = CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_string(name.to_owned())))
        .with_configs(vec![kept])
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(20_000);
    let mut wire = Wire::connect(address);
    let response = wire.call(&request, 4);
    assert_eq!(response.topics[0].error_code, 0, "{response:?}");
    // Kafka answers before leaders lead, and a publisher that is not to retry would be told so.
    let latest = |index| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(-1);
    let topic = ListOffsetsTopic::default()
        .with_name(TopicName(StrBytes::from_string(name.to_owned())))
        .with_partitions((0..partitions).map(latest).collect());
    let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
    wait_for("leaders", || {
        let response = wire.call(&request, 1);
        response.topics[0].partitions.iter().all(|one| one.error_code == 0).then_some(())
    });
}

/// The object with what another adds to it, or has instead.
pub(crate) fn merged(mut config: Value, more: Value) -> Value {
    match (&mut config, more) {
        (Value::Object(config), Value::Object(more)) => {
            for (key, value) in more {
                let old = config.remove(&key).unwrap_or(Value::Null);
                config.insert(key, merged(old, value));
            }
        }
        (_, Value::Null) => {}
        (config, other) => *config = other,
    }
    config
}

/// The next records, as many as are asked for.
///
/// # Panics
/// If they do not come in time, or an error comes that does not pass.
pub(crate) fn read(subscriber: &Subscriber, count: usize) -> Vec<Record> {
    let deadline = Instant::now() + DEADLINE;
    let mut records = Vec::new();
    while records.len() < count {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "{} of {count} records came: {:?}", records.len(), subscriber.details());
        match subscriber.get_record(left) {
            Ok(record) => records.extend(record),
            Err(error) => assert!(error.is_retriable(), "{error}"),
        }
    }
    records
}

/// What the payloads of the next records say, as numbers.
pub(crate) fn numbers(subscriber: &Subscriber, count: usize) -> Vec<u64> {
    read(subscriber, count).iter().map(number).collect()
}

pub(crate) fn number(record: &Record) -> u64 {
    text(record).parse().unwrap()
}

pub(crate) fn text(record: &Record) -> String {
    String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap()
}

/// How long a test waits to see that nothing comes.
pub(crate) const NOTHING: Duration = Duration::from_millis(200);

/// A real Apache Kafka, for as long as this process lives.
pub(crate) struct Kafka {
    said: HashMap<String, String>,
    _process: Child,
    /// Kafka ends with it.
    _stdin: ChildStdin,
}

impl Kafka {
    /// The Kafka that all tests share, started by the first; none where it is not installed. `KLAMM_KAFKA_RELEASE` names
    /// another release than the current one.
    pub(crate) fn get() -> Option<&'static Kafka> {
        static SHARED: OnceLock<Option<Kafka>> = OnceLock::new();
        SHARED.get_or_init(Kafka::start).as_ref()
    }

    fn start() -> Option<Kafka> {
        let release = std::env::var("KLAMM_KAFKA_RELEASE").ok();
        let peer = release.as_ref().map_or("kafka".to_owned(), |release| format!("kafka-{release}"));
        if !have(&[&peer]) {
            return None;
        }
        let mut command = Command::new(peers().join("kafka-for-tests"));
        if let Some(release) = release {
            command.env("KAFKA_RELEASE", release);
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let lines: Vec<_> = lines.map(Result::unwrap).take_while(|line| line != "ready").collect();
        let pairs = lines.iter().filter_map(|line| line.split_once('='));
        let said: HashMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert!(said.contains_key("PLAINTEXT"), "Kafka did not start: {lines:?}");
        let stdin = process.stdin.take().unwrap();
        Some(Kafka { said, _process: process, _stdin: stdin })
    }

    /// An address, or the path of a file.
    pub(crate) fn address(&self, name: &str) -> &str {
        &self.said[name]
    }
}
