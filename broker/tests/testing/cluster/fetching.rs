//! Reading from replicas that do not lead, and being sent to one nearby (KIP-392).

use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_response::PartitionData;
use klamm_broker::{Broker, BrokerBuilder};

use super::{others, three};
use crate::harness::{START, Wire, fetch, produce, text};

const SELECTOR: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

fn racked() -> BrokerBuilder {
    three().racks(["x", "y", "z"]).config("replica.selector.class", SELECTOR)
}

fn rack_of(broker: &Broker, node: i32) -> String {
    broker.cluster().node(node).unwrap().rack.unwrap()
}

fn read(broker: &Broker, node: i32, rack: &str, offset: i64, version: i16) -> PartitionData {
    let mut request = fetch(&[("b", 0)], 0).with_rack_id(text(rack));
    request.topics[0].partitions[0].fetch_offset = offset;
    Wire::to_node(broker, node).call(&request, version).responses.remove(0).partitions.remove(0)
}

fn has_records(data: &PartitionData) -> bool {
    data.records.as_ref().is_some_and(|records| !records.is_empty())
}

/// A broker with a record in `b`, its leader and another node.
fn with_a_record(builder: BrokerBuilder) -> (Broker, i32, i32) {
    let broker = builder.start().unwrap();
    let leader = broker.cluster().leader("b", 0).unwrap().unwrap();
    Wire::to_node(&broker, leader).call(&produce(&[("b", 0)], START), 9);
    (broker, leader, others(&[leader])[0])
}

#[test]
fn a_replica_that_does_not_lead_serves_who_knows_of_that() {
    let (broker, leader, other) = with_a_record(three());
    for version in [11, 12] {
        let data = read(&broker, other, "", 0, version);
        assert!(data.error_code == 0 && has_records(&data) && data.high_watermark == 1, "{version}");
    }
    assert_eq!(read(&broker, other, "", 0, 10).error_code, 6);
    assert_eq!(read(&broker, other, "", 7, 12).error_code, 1);
    broker.cluster().stop_node(leader).unwrap();
    let next = broker.cluster().leader("b", 0).unwrap().unwrap();
    assert!(has_records(&read(&broker, others(&[leader, next])[0], "", 0, 12)));
}

#[test]
fn a_node_without_a_replica_serves_nobody_and_says_who_leads() {
    let (broker, leader, other) = with_a_record(three().config("default.replication.factor", "1"));
    assert_eq!(read(&broker, other, "", 0, 12).error_code, 6);
    let topic_id = broker.topics().iter().find(|topic| topic.name == "b").unwrap().id;
    let mut request = fetch(&[("b", 0)], 0);
    request.topics[0].topic = kafka_protocol::messages::TopicName::default();
    request.topics[0].topic_id = topic_id;
    let answer = Wire::to_node(&broker, other).call(&request, 16);
    let told = &answer.responses[0].partitions[0];
    assert_eq!((told.error_code, told.current_leader.leader_id.0), (6, leader));
    let endpoint = &answer.node_endpoints[0];
    let place = broker.cluster().node(leader).unwrap();
    assert_eq!((endpoint.node_id.0, endpoint.port), (leader, i32::from(place.port)));
}

#[test]
fn the_leader_sends_a_reader_to_the_replica_in_its_rack() {
    let (broker, leader, other) = with_a_record(racked());
    let sent = read(&broker, leader, &rack_of(&broker, other), 0, 11);
    assert_eq!((sent.error_code, sent.preferred_read_replica.0), (0, other));
    assert!(!has_records(&sent) && sent.high_watermark == 1);
    assert!(has_records(&read(&broker, other, &rack_of(&broker, other), 0, 11)));
    for rack in ["", "elsewhere", &rack_of(&broker, leader)] {
        let kept = read(&broker, leader, rack, 0, 11);
        assert!(has_records(&kept) && kept.preferred_read_replica.0 == -1, "{rack}");
    }
    // What no replica has, none is asked for.
    assert_eq!(read(&broker, leader, &rack_of(&broker, other), 7, 11).error_code, 1);
    let rack = rack_of(&broker, other);
    broker.cluster().stop_node(other).unwrap();
    assert!(has_records(&read(&broker, leader, &rack, 0, 11)));
}

#[test]
fn nobody_is_sent_anywhere_without_a_selector() {
    let (broker, leader, other) = with_a_record(three().racks(["x", "y", "z"]));
    let data = read(&broker, leader, &rack_of(&broker, other), 0, 11);
    assert!(has_records(&data) && data.preferred_read_replica.0 == -1);
}

#[test]
fn a_reader_is_sent_on_within_a_session_too() {
    let (broker, leader, other) = with_a_record(racked());
    let mut wire = Wire::to_node(&broker, leader);
    let mut request = fetch(&[("b", 0)], 0).with_session_epoch(0);
    let id = wire.call(&request, 11).session_id;
    request.topics[0].partitions[0].fetch_offset = 1;
    let request: FetchRequest =
        request.with_session_id(id).with_session_epoch(1).with_rack_id(text(&rack_of(&broker, other)));
    let answer = wire.call(&request, 11);
    assert_eq!(answer.responses[0].partitions[0].preferred_read_replica.0, other);
}
