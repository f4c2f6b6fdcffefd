//! Configs over the wire: they are set, they act at once, and they survive a restart on a data folder.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    AlterConfigsRequest, BrokerId, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    ListConfigResourcesRequest, ListOffsetsRequest, MetadataRequest, TopicName, alter_configs_request,
};
use kafka_protocol::protocol::StrBytes;

use klamm::{Broker, Clock};
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};

use crate::harness::{Process, Wire, produce_request};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

const FROM_TOPIC: i8 = 1;
const FROM_CLUSTER: i8 = 3;
const FROM_FILE: i8 = 4;
const FROM_GROUP: i8 = 8;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Sets configs, each by its name, value and operation, and gives the error code.
fn alter(wire: &mut Wire, kind: i8, name: &str, configs: &[(&str, Option<&str>, i8)]) -> i16 {
    let configs = configs.iter().map(|(name, value, operation)| {
        AlterableConfig::default()
            .with_name(text(name))
            .with_value(value.map(text))
            .with_config_operation(*operation)
    });
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs.collect());
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    wire.call(&request, 1).responses[0].error_code
}

fn set(wire: &mut Wire, kind: i8, name: &str, config: &str, value: &str) -> i16 {
    alter(wire, kind, name, &[(config, Some(value), 0)])
}

fn describe(wire: &mut Wire, kind: i8, name: &str, config: &str) -> DescribeConfigsResourceResult {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(Some(vec![text(config)]));
    let request =
        DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
    let result = wire.call(&request, 4).results.remove(0);
    assert_eq!((result.error_code, result.configs.len()), (0, 1), "{:?}", result.error_message);
    result.configs.into_iter().next().expect("one was counted")
}

fn value_and_source(wire: &mut Wire, kind: i8, name: &str, config: &str) -> (String, i8) {
    let found = describe(wire, kind, name, config);
    (found.value.map(|value| value.to_string()).unwrap_or_default(), found.config_source)
}

fn resources(wire: &mut Wire, kind: i8) -> Vec<ConfigResource> {
    wire.call(&ListConfigResourcesRequest::default().with_resource_types(vec![kind]), 1).config_resources
}

#[test]
fn dynamic_configs_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--topic", "t:2", "--config", "log.retention.hours=1"];
    let mut broker = Process::start(folder.path(), "127.0.0.1:0", &options);
    let mut wire = Wire::connect(&broker.address);
    assert_eq!(set(&mut wire, TOPIC, "t", "retention.ms", "1000"), 0);
    assert_eq!(
        alter(&mut wire, TOPIC, "t", &[("cleanup.policy", Some("compact"), 2), ("flush.ms", None, 1)]),
        0
    );
    assert_eq!(set(&mut wire, BROKER, "", "message.max.bytes", "2000000"), 0);
    assert_eq!(set(&mut wire, BROKER, "1", "log.roll.ms", "5000"), 0);
    assert_eq!(set(&mut wire, BROKER, "1", "log.roll.jitter.ms", "10"), 0);
    assert_eq!(alter(&mut wire, BROKER, "1", &[("log.roll.jitter.ms", None, 1)]), 0);
    assert_eq!(set(&mut wire, GROUP, "g", "consumer.session.timeout.ms", "50000"), 0);
    assert_eq!(set(&mut wire, CLIENT_METRICS, "m", "interval.ms", "1000"), 0);
    // Bad ones change nothing.
    assert_eq!(set(&mut wire, TOPIC, "t", "retention.ms", "long"), 40);
    assert_eq!(set(&mut wire, BROKER, "1", "num.partitions", "7"), 42);
    assert_eq!(set(&mut wire, TOPIC, "nowhere", "retention.ms", "1"), 3);

    broker.kill();
    let broker = Process::start(folder.path(), "127.0.0.1:0", &options);
    let mut wire = Wire::connect(&broker.address);
    let wire = &mut wire;
    assert_eq!(value_and_source(wire, TOPIC, "t", "retention.ms"), ("1000".to_owned(), FROM_TOPIC));
    assert_eq!(
        value_and_source(wire, TOPIC, "t", "cleanup.policy"),
        ("delete,compact".to_owned(), FROM_TOPIC)
    );
    assert_eq!(value_and_source(wire, TOPIC, "t", "max.message.bytes"), ("2000000".to_owned(), FROM_CLUSTER));
    assert_eq!(value_and_source(wire, TOPIC, "t", "segment.ms").0, "5000");
    assert_eq!(value_and_source(wire, BROKER, "1", "log.roll.jitter.ms").0, "");
    assert_eq!(value_and_source(wire, BROKER, "1", "log.retention.hours"), ("1".to_owned(), FROM_FILE));
    let log_dirs = value_and_source(wire, BROKER, "1", "log.dirs");
    assert_eq!(log_dirs, (folder.path().display().to_string(), FROM_FILE));
    let listeners = value_and_source(wire, BROKER, "1", "listeners");
    assert_eq!(listeners, (format!("PLAINTEXT://{}", broker.address), FROM_FILE));
    assert_eq!(
        value_and_source(wire, GROUP, "g", "consumer.session.timeout.ms"),
        ("50000".to_owned(), FROM_GROUP)
    );
    assert_eq!(value_and_source(wire, CLIENT_METRICS, "m", "interval.ms").0, "1000");
    assert_eq!(resources(wire, GROUP)[0].resource_name.as_str(), "g");
    assert_eq!(resources(wire, CLIENT_METRICS)[0].resource_name.as_str(), "m");
    assert_eq!(broker.terminate(), Some(0));
}

#[test]
fn a_topic_named_twice_in_alter_configs_gets_no_answer_and_the_connection_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Process::start(folder.path(), "127.0.0.1:0", &["--topic", "t"]);
    let mut wire = Wire::connect(&broker.address);
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("t"));
    let twice = AlterConfigsRequest::default().with_resources(vec![resource.clone(), resource.clone()]);
    wire.send(&twice, 2).unwrap();
    // The next answer belongs to the next request.
    let once = AlterConfigsRequest::default().with_resources(vec![resource]);
    assert_eq!(wire.call(&once, 2).responses.len(), 1);
}

/// A time in 2033, where a manual clock stands.
const NOW_MS: i64 = 2_000_000_000_000;

/// Produces a record with this key and a value of `bytes` bytes to the only partition of `topic`.
fn produce(
    wire: &mut Wire,
    topic: &str,
    key: Option<&str>,
    timestamp: i64,
    bytes: usize,
) -> PartitionProduceResponse {
    let record = RecordToWrite {
        key: key.map(|key| bytes::Bytes::copy_from_slice(key.as_bytes())),
        value: Some(vec![b'x'; bytes].into()),
        headers: Vec::new(),
        timestamp,
    };
    let records = batch::build([record], &BuildOptions::default());
    wire.call(&produce_request(topic, 0, records), 9).responses.remove(0).partition_responses.remove(0)
}

/// The offset at which the only partition of `topic` starts.
fn start_of(wire: &mut Wire, topic: &str) -> i64 {
    let partition = ListOffsetsPartition::default().with_partition_index(0).with_timestamp(-2);
    let topic =
        ListOffsetsTopic::default().with_name(TopicName(text(topic))).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    wire.call(&request, 5).topics[0].partitions[0].offset
}

#[test]
fn topic_configs_act_as_soon_as_they_are_set() {
    let broker = Broker::builder().clock(Clock::manual(NOW_MS)).topic("t", 1).topic("u", 1).start().unwrap();
    let mut wire = Wire::connect(&broker.bootstrap_servers());
    let wire = &mut wire;
    assert_eq!(produce(wire, "t", None, NOW_MS, 1000).error_code, 0);

    assert_eq!(set(wire, TOPIC, "t", "max.message.bytes", "500"), 0);
    assert_eq!(produce(wire, "t", None, NOW_MS, 1000).error_code, 10);
    assert_eq!(produce(wire, "u", None, NOW_MS, 1000).error_code, 0, "another topic is not meant");
    assert_eq!(alter(wire, TOPIC, "t", &[("max.message.bytes", None, 1)]), 0);

    assert_eq!(produce(wire, "t", None, NOW_MS + 7_200_000, 1).error_code, 32, "two hours ahead");
    assert_eq!(set(wire, TOPIC, "t", "message.timestamp.after.max.ms", "10000000"), 0);
    assert_eq!(produce(wire, "t", None, NOW_MS + 7_200_000, 1).error_code, 0);
    assert_eq!(set(wire, TOPIC, "t", "message.timestamp.before.max.ms", "10"), 0);
    assert_eq!(produce(wire, "t", None, NOW_MS - 11, 1).error_code, 32);

    assert_eq!(produce(wire, "t", None, NOW_MS, 1).log_append_time_ms, -1);
    assert_eq!(set(wire, TOPIC, "t", "message.timestamp.type", "LogAppendTime"), 0);
    assert_eq!(produce(wire, "t", None, NOW_MS, 1).log_append_time_ms, NOW_MS);

    assert_eq!(alter(wire, TOPIC, "t", &[("cleanup.policy", Some("compact"), 2)]), 0);
    assert_eq!(produce(wire, "t", None, NOW_MS, 1).error_code, 87);
    assert_eq!(produce(wire, "t", Some("key"), NOW_MS, 1).error_code, 0);
}

#[test]
fn retention_follows_the_configs_of_topics_and_brokers() {
    let broker = Broker::builder().clock(Clock::manual(NOW_MS)).topic("t", 1).topic("u", 1).start().unwrap();
    let mut wire = Wire::connect(&broker.bootstrap_servers());
    let wire = &mut wire;
    // Small segments, so that there are some that nobody writes to.
    for topic in ["t", "u"] {
        assert_eq!(set(wire, TOPIC, topic, "internal.segment.bytes", "2000"), 0);
        (0..10).for_each(|_| assert_eq!(produce(wire, topic, None, NOW_MS, 1000).error_code, 0));
    }
    broker.run_retention();
    assert_eq!((start_of(wire, "t"), start_of(wire, "u")), (0, 0));
    assert_eq!(set(wire, TOPIC, "t", "retention.bytes", "5000"), 0);
    broker.run_retention();
    let start = start_of(wire, "t");
    assert!((3..10).contains(&start), "{start}");
    assert_eq!(set(wire, BROKER, "", "log.retention.ms", "60000"), 0);
    broker.advance(std::time::Duration::from_secs(59));
    broker.run_retention();
    assert_eq!(start_of(wire, "u"), 0);
    broker.advance(std::time::Duration::from_secs(2));
    broker.run_retention();
    assert!(start_of(wire, "u") > 0);
}

#[test]
fn broker_configs_act_as_soon_as_they_are_set() {
    let broker = Broker::builder()
        .config("num.partitions", "3")
        .config("max.connections.per.ip", "2")
        .topic("t", 1)
        .start()
        .unwrap();
    let mut wire = Wire::connect(&broker.bootstrap_servers());
    assert_eq!(set(&mut wire, BROKER, "", "message.max.bytes", "500"), 0);
    assert_eq!(produce(&mut wire, "t", None, 0, 1000).error_code, 10);
    assert_eq!(set(&mut wire, BROKER, "1", "message.max.bytes", "5000"), 0);
    assert_eq!(produce(&mut wire, "t", None, 0, 1000).error_code, 0, "the nearer one counts");
    let metadata = MetadataRequest::default().with_topics(None);
    let _second = Wire::connect(&broker.bootstrap_servers());
    let mut third = Wire::connect(&broker.bootstrap_servers());
    assert!(third.send(&metadata, 12).and_then(|()| third.receive::<MetadataRequest>(12)).is_err());
    assert_eq!(set(&mut wire, BROKER, "1", "max.connections.per.ip.overrides", "127.0.0.1:3"), 0);
    let mut third = Wire::connect(&broker.bootstrap_servers());
    assert_eq!(third.call(&metadata, 12).brokers.len(), 1);
}
