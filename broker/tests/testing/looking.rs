//! Looking at a broker: what is there, as values.

use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest};
use klamm_broker::look::{LookError, TopicPartitions, TransportKind};
use klamm_broker::{ApiKey, Broker};

use crate::harness::{DEADLINE, START, Wire, broker, commit, produce, stable};

#[test]
fn records_are_there_decoded() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    wire.call(&produce(&[("a", 1), ("a", 0)], START - 5), 9);
    wire.call(&produce(&[("a", 1)], START), 9);
    let records = broker.records("a").unwrap();
    let places: Vec<_> = records.iter().map(|record| (record.partition, record.offset)).collect();
    assert_eq!(places, [(0, 0), (1, 0), (1, 1)]);
    assert_eq!((records[1].key_text(), records[1].value_text()), (Some("key of value"), Some("value")));
    assert_eq!(records[1].timestamp_ms, START - 5);
    assert_eq!(records[1].headers, [("source".to_owned(), Some("suite".into()))]);
    let one = broker.records_from("a", 1, 1, 10).unwrap();
    assert_eq!(one.iter().map(|record| record.offset).collect::<Vec<_>>(), [1]);
    assert_eq!(broker.records_from("a", 1, 0, 1).unwrap()[0].offset, 0);
    assert_eq!(broker.records("no"), Err(LookError::NoTopic("no".to_owned())));
    assert_eq!(broker.records_from("a", 9, 0, 1), Err(LookError::NoPartition("a".to_owned(), 9)));
    let topic = broker.topics().remove(0);
    assert_eq!((topic.name.as_str(), topic.partitions[1].log_end_offset), ("a", 2));
}

#[test]
fn groups_are_there_with_members_assignments_and_offsets() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect_as(&broker, "worker");
    let joined = stable(&mut wire, "g");
    wire.call(&produce(&[("a", 0)], START), 9);
    wire.call(&commit("other", "a", 0, 1), 8);
    let group = broker.group("g").unwrap();
    assert_eq!((group.state.as_str(), group.generation, group.protocol.as_str()), ("Stable", 1, "range"));
    assert_eq!(group.leader.as_deref(), Some(&*joined.member_id));
    let member = &group.members[0];
    assert_eq!((member.client_id.as_str(), member.client_host.as_str()), ("worker", "/127.0.0.1"));
    assert_eq!(member.topics, ["a"]);
    assert_eq!(member.assignment, [TopicPartitions { topic: "a".to_owned(), partitions: vec![0, 1] }]);
    assert_eq!(broker.groups().len(), 2);
    assert_eq!(broker.committed("other", "a", 0), Some(1));
    assert_eq!(broker.group("other").unwrap().offsets[0].committed_ms, START);
    let lag: Vec<_> = broker.lag("g").iter().map(|lag| (lag.partition, lag.committed, lag.lag)).collect();
    assert_eq!(lag, [(0, None, 1), (1, None, 0)]);
    assert_eq!(broker.lag("other")[0].lag, 0);
    let json = serde_json::to_string(&group).unwrap();
    assert_eq!(serde_json::from_str::<klamm_broker::look::Group>(&json).unwrap(), group);
}

fn counts(broker: &Broker) -> Vec<(String, String, u64)> {
    broker.request_counts().into_iter().map(|count| (count.api, count.client_id, count.requests)).collect()
}

#[test]
fn connections_and_requests_are_counted() {
    let broker = broker().start().unwrap();
    let mut one = Wire::connect_as(&broker, "one");
    let mut two = Wire::connect_as(&broker, "two");
    one.call(&MetadataRequest::default().with_topics(None), 9);
    two.call(&ApiVersionsRequest::default(), 0);
    two.call(&MetadataRequest::default().with_topics(None), 9);
    one.call(&MetadataRequest::default().with_topics(None), 12);
    let expected = [("ApiVersions", "two", 1), ("Metadata", "one", 2), ("Metadata", "two", 1)];
    let mut seen = counts(&broker);
    seen.sort();
    let expected: Vec<_> = expected.iter().map(|(a, c, n)| ((*a).to_owned(), (*c).to_owned(), *n)).collect();
    assert_eq!(seen, expected);
    assert_eq!(broker.requests(ApiKey::Metadata), 3);
    let connections = broker.connections();
    assert_eq!(connections.len(), 2);
    assert_eq!((connections[0].transport, connections[0].requests), (TransportKind::Tcp, 2));
    let last = broker.recent_requests(2);
    let last: Vec<_> =
        last.iter().map(|request| (request.number, request.client_id.as_str(), request.version)).collect();
    assert_eq!(last, [(3, "two", 9), (4, "one", 12)]);
    drop(one);
    drop(two);
    broker.wait_for_connections(0, DEADLINE).unwrap();
    let mut seen = counts(&broker);
    seen.sort();
    assert_eq!(seen, expected, "what has ended still counts");
    assert_eq!(broker.recent_requests(10).len(), 4);
    let _within = broker.connect();
    assert_eq!(broker.connections()[0].transport, TransportKind::InProcess);
}
