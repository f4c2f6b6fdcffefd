//! Topics over the wire, as far as recordings of another broker cannot tell: restarts, deletion under a waiting reader,
//! two who want the same name.

use bytes::Bytes;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
    FetchRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use klamm::Broker;
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};

use crate::harness::{Process, Wire, produce_request};

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

fn name(text: &str) -> TopicName {
    TopicName(StrBytes::from_string(text.to_owned()))
}

fn create(wire: &mut Wire, topic: &str, partitions: i32) -> i16 {
    let topic = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000);
    wire.call(&request, 7).topics[0].error_code
}

fn delete(wire: &mut Wire, topic: &str, version: i16) -> i16 {
    let request = DeleteTopicsRequest::default().with_topic_names(vec![name(topic)]).with_timeout_ms(5000);
    wire.call(&request, version).responses[0].error_code
}

fn produce(wire: &mut Wire, topic: &str, records: usize) -> i16 {
    let record = RecordToWrite { value: Some(Bytes::from_static(b"v")), ..RecordToWrite::default() };
    let records = batch::build(vec![record; records], &BuildOptions::default());
    wire.call(&produce_request(topic, 0, records), 9).responses[0].partition_responses[0].error_code
}

fn offset(wire: &mut Wire, topic: &str, timestamp: i64) -> i64 {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    wire.call(&request, 7).topics[0].partitions[0].offset
}

/// How many partitions a topic has; the error code where it is not there.
fn partitions(wire: &mut Wire, topic: &str) -> Result<usize, i16> {
    let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
    let request =
        MetadataRequest::default().with_topics(Some(vec![asked])).with_allow_auto_topic_creation(false);
    let topic = wire.call(&request, 9).topics.remove(0);
    if topic.error_code == 0 { Ok(topic.partitions.len()) } else { Err(topic.error_code) }
}

fn producer_id(wire: &mut Wire) -> i64 {
    let answer = wire.call(&InitProducerIdRequest::default().with_transactional_id(None), 4);
    assert_eq!(answer.error_code, 0);
    answer.producer_id.0
}

#[test]
fn what_was_changed_of_topics_survives_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path(), "127.0.0.1:0", &[]);
    let mut wire = Wire::connect(&process.address);
    assert_eq!((create(&mut wire, "kept", 2), create(&mut wire, "gone", 1)), (0, 0));
    assert_eq!(produce(&mut wire, "kept", 5), 0);
    let more = CreatePartitionsTopic::default().with_name(name("kept")).with_count(4).with_assignments(None);
    let request = CreatePartitionsRequest::default().with_topics(vec![more]).with_timeout_ms(5000);
    assert_eq!(wire.call(&request, 3).results[0].error_code, 0);
    let below = DeleteRecordsPartition::default().with_offset(3);
    let below = DeleteRecordsTopic::default().with_name(name("kept")).with_partitions(vec![below]);
    let request = DeleteRecordsRequest::default().with_topics(vec![below]).with_timeout_ms(5000);
    assert_eq!(wire.call(&request, 2).topics[0].partitions[0].low_watermark, 3);
    assert_eq!(delete(&mut wire, "gone", 5), 0);
    let id = producer_id(&mut wire);
    process.kill();

    let process = Process::start(folder.path(), "127.0.0.1:0", &[]);
    let mut wire = Wire::connect(&process.address);
    assert_eq!(partitions(&mut wire, "kept"), Ok(4));
    assert_eq!(partitions(&mut wire, "gone"), Err(3));
    assert_eq!((offset(&mut wire, "kept", EARLIEST), offset(&mut wire, "kept", LATEST)), (3, 5));
    assert!(producer_id(&mut wire) > id, "a producer id is given out once");
    assert_eq!((create(&mut wire, "gone", 1), produce(&mut wire, "gone", 1)), (0, 0));
    assert_eq!((offset(&mut wire, "gone", EARLIEST), offset(&mut wire, "gone", LATEST)), (0, 1));
}

#[test]
fn a_fetch_that_waits_ends_when_its_topic_is_deleted() {
    let broker = Broker::builder().topic("t", 1).start().unwrap();
    let address = broker.bootstrap_servers();
    let (mut waiting, mut wire) = (Wire::connect(&address), Wire::connect(&address));
    let partition = FetchPartition::default().with_partition_max_bytes(1000);
    let topic = FetchTopic::default().with_topic(name("t")).with_partitions(vec![partition]);
    // It would wait for longer than the connection does for its answer.
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_min_bytes(1)
        .with_max_bytes(1000)
        .with_max_wait_ms(600_000)
        .with_topics(vec![topic]);
    waiting.send(&request, 11).unwrap();
    assert_eq!(delete(&mut wire, "t", 5), 0);
    let answer = waiting.receive::<FetchRequest>(11).unwrap();
    assert_eq!(answer.responses[0].partitions[0].error_code, 3);
}

#[test]
fn of_two_who_create_the_same_topic_at_once_one_does() {
    let broker = Broker::builder().start().unwrap();
    let address = broker.bootstrap_servers();
    for round in 0..20 {
        let topic = format!("contested-{round}");
        let mut codes = std::thread::scope(|scope| {
            let both = [(), ()].map(|()| scope.spawn(|| create(&mut Wire::connect(&address), &topic, 3)));
            both.map(|one| one.join().unwrap())
        });
        codes.sort_unstable();
        assert_eq!(codes, [0, 36]);
    }
}

#[test]
fn topics_stay_where_deletion_is_off() {
    let broker = Broker::builder().topic("t", 1).config("delete.topic.enable", "false").start().unwrap();
    let mut wire = Wire::connect(&broker.bootstrap_servers());
    for (version, code) in [(1, 42), (2, 42), (3, 73), (4, 73), (5, 73)] {
        assert_eq!(delete(&mut wire, "t", version), code, "version {version}");
    }
    assert_eq!(partitions(&mut wire, "t"), Ok(1));
}

#[test]
fn the_topic_of_offsets_keeps_its_partitions() {
    let broker = Broker::builder().config("offsets.topic.num.partitions", "3").start().unwrap();
    let mut wire = Wire::connect(&broker.bootstrap_servers());
    let asked = MetadataRequestTopic::default().with_name(Some(name("__consumer_offsets")));
    let request =
        MetadataRequest::default().with_topics(Some(vec![asked])).with_allow_auto_topic_creation(true);
    wire.call(&request, 9);
    assert_eq!(partitions(&mut wire, "__consumer_offsets"), Ok(3));
    let more = CreatePartitionsTopic::default()
        .with_name(name("__consumer_offsets"))
        .with_count(4)
        .with_assignments(None);
    let request = CreatePartitionsRequest::default().with_topics(vec![more]).with_timeout_ms(5000);
    assert_eq!(wire.call(&request, 3).results[0].error_code, 42);
    assert_eq!(partitions(&mut wire, "__consumer_offsets"), Ok(3));
}
