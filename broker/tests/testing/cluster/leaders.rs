//! Leaders and their epochs: who is asked for records, and what a node says that does not lead.

use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DescribeProducersRequest, ElectLeadersRequest, ListOffsetsRequest,
    OffsetForLeaderEpochRequest, ProduceRequest,
};
use klamm_broker::{Broker, ClusterError};
use klamm_storage::batch;

use super::{ids, others, partition, three};
use crate::harness::{START, Wire, errors, fetch, produce, topic};

const NOT_LEADER: i16 = 6;
const FENCED: i16 = 74;
const UNKNOWN_EPOCH: i16 = 75;

fn produced(broker: &Broker, node: i32, request: &ProduceRequest) -> i16 {
    errors(&Wire::to_node(broker, node).call(request, 9))[0].2
}

fn epoch_end(broker: &Broker, node: i32, current: i32, asked: i32) -> (i16, i32, i64) {
    let place = OffsetForLeaderPartition::default()
        .with_partition(0)
        .with_current_leader_epoch(current)
        .with_leader_epoch(asked);
    let topic = OffsetForLeaderTopic::default().with_topic(topic("b")).with_partitions(vec![place]);
    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
    let answer = Wire::to_node(broker, node).call(&request, 4).topics.remove(0).partitions.remove(0);
    (answer.error_code, answer.leader_epoch, answer.end_offset)
}

#[test]
fn the_leader_alone_takes_records_and_the_others_say_who_it_is() {
    let broker = three().start().unwrap();
    let leader = broker.cluster().leader("b", 0).unwrap().unwrap();
    assert_eq!(produced(&broker, leader, &produce(&[("b", 0)], START)), 0);
    for other in others(&[leader]) {
        let answer = Wire::to_node(&broker, other).call(&produce(&[("b", 0)], START), 11);
        let told = &answer.responses[0].partition_responses[0];
        assert_eq!((told.error_code, told.current_leader.leader_id.0), (NOT_LEADER, leader));
        assert_eq!(told.current_leader.leader_epoch, 0);
        let place = broker.cluster().node(leader).unwrap();
        let endpoint = &answer.node_endpoints[0];
        assert_eq!((endpoint.node_id.0, endpoint.port), (leader, i32::from(place.port)));
    }
    let end = broker.topics().iter().find(|topic| topic.name == "b").unwrap().partitions[0].log_end_offset;
    assert_eq!(end, 1);
}

#[test]
fn what_only_a_leader_answers_is_refused_by_the_others() {
    let broker = three().start().unwrap();
    let leader = broker.cluster().leader("b", 0).unwrap().unwrap();
    let codes = |node| {
        let mut wire = Wire::to_node(&broker, node);
        let offsets = ListOffsetsTopic::default()
            .with_name(topic("b"))
            .with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-1)]);
        let offsets = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![offsets]);
        let offsets = wire.call(&offsets, 7).topics[0].partitions[0].error_code;
        let gone = DeleteRecordsTopic::default()
            .with_name(topic("b"))
            .with_partitions(vec![DeleteRecordsPartition::default().with_offset(-1)]);
        let gone = wire.call(&DeleteRecordsRequest::default().with_topics(vec![gone]), 2);
        let producers = TopicRequest::default().with_name(topic("b")).with_partition_indexes(vec![0]);
        let producers = wire.call(&DescribeProducersRequest::default().with_topics(vec![producers]), 0);
        let fetched = wire.call(&fetch(&[("b", 0)], 0), 10);
        [
            offsets,
            gone.topics[0].partitions[0].error_code,
            producers.topics[0].partitions[0].error_code,
            fetched.responses[0].partitions[0].error_code,
        ]
    };
    assert_eq!(codes(leader), [0; 4]);
    for other in others(&[leader]) {
        assert_eq!(codes(other), [NOT_LEADER; 4]);
    }
}

#[test]
fn with_each_leader_an_epoch_begins_that_old_ones_are_fenced_by() {
    let broker = three().start().unwrap();
    let cluster = broker.cluster();
    let first = cluster.leader("b", 0).unwrap().unwrap();
    for _ in 0..2 {
        assert_eq!(produced(&broker, first, &produce(&[("b", 0)], START)), 0);
    }
    let next = others(&[first])[0];
    cluster.move_leader("b", 0, next).unwrap();
    cluster.move_leader("b", 0, next).unwrap();
    assert_eq!(produced(&broker, first, &produce(&[("b", 0)], START)), NOT_LEADER);
    assert_eq!(produced(&broker, next, &produce(&[("b", 0)], START)), 0);
    let seen = partition(&mut Wire::to_node(&broker, first), "b", 0);
    assert_eq!((seen.leader_id.0, seen.leader_epoch), (next, 1));
    // The epoch before ended where this one began; nobody has led in the one after it.
    assert_eq!(epoch_end(&broker, next, 1, 0), (0, 0, 2));
    assert_eq!(epoch_end(&broker, next, 1, 1), (0, 1, 3));
    assert_eq!(epoch_end(&broker, next, -1, 2), (0, -1, -1));
    assert_eq!(epoch_end(&broker, next, 0, 0).0, FENCED);
    assert_eq!(epoch_end(&broker, next, 2, 0).0, UNKNOWN_EPOCH);
    assert_eq!(epoch_end(&broker, first, 1, 0).0, NOT_LEADER);
    let records = Wire::to_node(&broker, next).call(&fetch(&[("b", 0)], 0), 10).responses[0].partitions[0]
        .records
        .clone();
    let epochs = batch::batches(&records.unwrap()).map(|batch| batch.header.leader_epoch).collect::<Vec<_>>();
    assert_eq!(epochs, [0, 0, 1]);
    let fetched = |epoch| {
        let mut request = fetch(&[("b", 0)], 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let answer = Wire::to_node(&broker, next).call(&request, 12);
        answer.responses[0].partitions[0].error_code
    };
    assert_eq!([fetched(-1), fetched(1), fetched(0), fetched(2)], [0, 0, FENCED, UNKNOWN_EPOCH]);
}

#[test]
fn a_fetch_that_waits_learns_at_once_that_the_leader_has_moved() {
    let broker = three().start().unwrap();
    let leader = broker.cluster().leader("b", 0).unwrap().unwrap();
    let mut wire = Wire::to_node(&broker, leader);
    wire.send(&fetch(&[("b", 0)], 3_600_000), 10);
    broker.wait_idle(crate::harness::DEADLINE).unwrap();
    broker.cluster().move_leader("b", 0, others(&[leader])[0]).unwrap();
    let answer = wire.receive::<kafka_protocol::messages::FetchRequest>(10);
    assert_eq!(answer.responses[0].partitions[0].error_code, NOT_LEADER);
}

#[test]
fn leaders_that_cannot_be_are_refused_in_a_sentence() {
    let broker = three().config("default.replication.factor", "2").start().unwrap();
    let cluster = broker.cluster();
    let replicas = cluster.view().partitions[0].replicas.clone();
    let without = others(&replicas)[0];
    let error = cluster.move_leader("a", 0, without).unwrap_err();
    assert!(matches!(&error, ClusterError::NoReplica { node, .. } if *node == without), "{error}");
    assert!(error.to_string().contains("keeps no replica"), "{error}");
    assert!(matches!(cluster.move_leader("a", 9, 1), Err(ClusterError::UnknownPartition { count: 3, .. })));
    assert!(matches!(cluster.move_leader("x", 0, 1), Err(ClusterError::UnknownTopic(_))));
    let error = cluster.move_leader("a", 0, 9).unwrap_err().to_string();
    assert_eq!(error, "there is no node 9; the cluster has 1, 2 and 3");
    cluster.stop_node(replicas[1]).unwrap();
    let error = cluster.move_leader("a", 0, replicas[1]).unwrap_err().to_string();
    assert!(error.ends_with("it is stopped; bring it back first"), "{error}");
    let before = cluster.view();
    let _ = cluster.move_leader("a", 0, 9);
    assert_eq!(cluster.view(), before);
}

#[test]
fn elections_bring_the_preferred_leader_back() {
    let broker = three().start().unwrap();
    let cluster = broker.cluster();
    let preferred = cluster.leader("b", 0).unwrap().unwrap();
    let other = others(&[preferred])[0];
    let elect = |kind, all: bool| {
        let named = TopicPartitions::default().with_topic(topic("b")).with_partitions(vec![0]);
        let request = ElectLeadersRequest::default()
            .with_election_type(kind)
            .with_timeout_ms(1_000)
            .with_topic_partitions((!all).then(|| vec![named]));
        let answer = Wire::to_node(&broker, other).call(&request, 2);
        let results = answer.replica_election_results.into_iter().flat_map(|topic| topic.partition_result);
        results.map(|one| one.error_code).collect::<Vec<_>>()
    };
    assert_eq!(elect(0, false), [84]);
    cluster.move_leader("b", 0, other).unwrap();
    assert_eq!(elect(0, true), [0], "those that need none are left out");
    assert_eq!(cluster.leader("b", 0).unwrap(), Some(preferred));
    cluster.stop_node(preferred).unwrap();
    let other = cluster.leader("b", 0).unwrap().unwrap();
    let elect_at = |kind| {
        let named = TopicPartitions::default().with_topic(topic("b")).with_partitions(vec![0]);
        let request = ElectLeadersRequest::default()
            .with_election_type(kind)
            .with_timeout_ms(1_000)
            .with_topic_partitions(Some(vec![named]));
        let answer = Wire::to_node(&broker, other).call(&request, 2);
        answer.replica_election_results[0].partition_result[0].error_code
    };
    assert_eq!([elect_at(0), elect_at(1)], [80, 84]);
    cluster.bring_back(preferred).unwrap();
    assert_eq!(cluster.leader("b", 0).unwrap(), Some(other), "nobody asked for it to lead");
    cluster.elect_preferred_leaders().unwrap();
    assert_eq!(cluster.leader("b", 0).unwrap(), Some(preferred));
    assert_eq!(ids(&partition(&mut Wire::to_node(&broker, other), "b", 0).isr_nodes).len(), 3);
}
