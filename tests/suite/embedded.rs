//! Brokers inside the test's own process: many at once, from synchronous and asynchronous code, across restarts.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, CreateTopicsRequest, MetadataRequest, MetadataResponse, RequestHeader,
    TopicName,
};
use kafka_protocol::protocol::{Encodable, StrBytes};
use klamm::{Broker, Clock};

use crate::harness::Wire;

fn name(text: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(text))
}

fn metadata(broker: &Broker) -> MetadataResponse {
    let request = MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(false);
    Wire::connect(first(broker)).call(&request, 12)
}

/// The broker's first listener.
fn first(broker: &Broker) -> &'static str {
    let servers = broker.bootstrap_servers();
    servers.split(',').next().unwrap_or_default().to_owned().leak()
}

fn topic_names(response: &MetadataResponse) -> Vec<String> {
    response
        .topics
        .iter()
        .map(|topic| topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default())
        .collect()
}

#[test]
fn fifty_brokers_in_one_process_share_nothing() {
    let brokers: Vec<_> =
        (0..50).map(|i| Broker::builder().topic(format!("only-{i}"), 1).start().unwrap()).collect();
    for (i, broker) in brokers.iter().enumerate() {
        assert_eq!(topic_names(&metadata(broker)), [format!("only-{i}")]);
    }
}

#[test]
fn topics_are_there_after_a_restart_with_their_ids_and_configs() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Broker::builder().data_dir(folder.path()).start().unwrap();
    let broker = start();
    let topic =
        CreatableTopic::default().with_name(name("kept")).with_num_partitions(7).with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000);
    let created = Wire::connect(first(&broker)).call(&request, 7);
    assert_eq!(created.topics[0].error_code, 0, "{created:?}");
    let before = metadata(&broker);
    broker.shutdown().unwrap();
    let broker = start();
    let after = metadata(&broker);
    assert_eq!(before.topics, after.topics);
    assert_eq!(before.cluster_id, after.cluster_id);
    assert_eq!(after.topics[0].partitions.len(), 7);
}

#[test]
fn listeners_tell_clients_the_address_they_were_given() {
    let broker = Broker::builder()
        .listen("127.0.0.1:0")
        .listen_advertised("127.0.0.1:0", "kafka.example:19092")
        .start()
        .unwrap();
    let servers = broker.bootstrap_servers();
    assert!(servers.starts_with("127.0.0.1:") && servers.ends_with(",kafka.example:19092"), "{servers}");
    let node = &metadata(&broker).brokers[0];
    assert_eq!(format!("{}:{}", &*node.host, node.port), first(&broker));
}

#[test]
fn a_broker_can_be_started_and_dropped_within_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let broker = Broker::builder().start().unwrap();
        let mut connection = broker.connect();
        connection.send(request_frame(5)).await.unwrap();
        let answer = connection.receive().await.unwrap().to_bytes();
        assert_eq!(&answer[4..8], &5_i32.to_be_bytes());
        drop(broker);
        assert!(connection.receive().await.is_none());
    });
}

/// An ApiVersions request, as the in-process transport takes it.
fn request_frame(correlation_id: i32) -> Bytes {
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::ApiVersions as i16)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str("suite")));
    let mut frame = BytesMut::new();
    header.encode(&mut frame, 1).unwrap();
    ApiVersionsRequest::default().encode(&mut frame, 0).unwrap();
    frame.freeze()
}

#[test]
fn answers_within_the_process_come_in_the_order_of_their_requests() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let broker = Broker::builder().start().unwrap();
    let mut connection = broker.connect();
    runtime.block_on(async {
        for id in 0..20 {
            connection.send(request_frame(id)).await.unwrap();
        }
        for id in 0..20_i32 {
            let answer = connection.receive().await.unwrap().to_bytes();
            assert_eq!(&answer[4..8], &id.to_be_bytes());
        }
        let mut garbage = BytesMut::new();
        garbage.put_bytes(0xff, 9);
        connection.send(garbage.freeze()).await.unwrap();
        assert!(connection.receive().await.is_none(), "a request that means nothing closes the connection");
    });
}

#[test]
fn a_manual_clock_moves_only_when_it_is_told_to() {
    let broker = Broker::builder().clock(Clock::manual(1_000)).start().unwrap();
    assert_eq!(broker.clock().now_ms(), 1_000);
    let began = Instant::now();
    broker.advance(Duration::from_secs(86_400));
    assert_eq!(broker.clock().now_ms(), 86_401_000);
    assert!(began.elapsed() < crate::harness::DEADLINE);
}

#[test]
fn equal_seeds_give_equal_ids() {
    let ids = || {
        let broker = Broker::builder().seed(7).topic("t", 1).start().unwrap();
        let response = metadata(&broker);
        (response.cluster_id.clone(), response.topics[0].topic_id)
    };
    assert_eq!(ids(), ids());
}

#[test]
fn a_topic_deleted_and_created_again_is_another() {
    let broker = Broker::builder().topic("again", 1).start().unwrap();
    let mut wire = Wire::connect(first(&broker));
    let before = metadata(&broker).topics[0].topic_id;
    let delete = kafka_protocol::messages::DeleteTopicsRequest::default()
        .with_topic_names(vec![name("again")])
        .with_timeout_ms(1000);
    assert_eq!(wire.call(&delete, 5).responses[0].error_code, 0);
    assert!(metadata(&broker).topics.is_empty(), "deletion is complete when it is acknowledged");
    let auto = MetadataRequest::default()
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(name("again")))]))
        .with_allow_auto_topic_creation(true);
    wire.call(&auto, 12);
    let after = wire.call(&auto, 12);
    assert_eq!(after.topics[0].error_code, 0);
    assert_ne!(after.topics[0].topic_id, before);
}
