//! Coordinators: who is asked about a group, and what becomes of one that goes to another node.

use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;
use klamm_broker::Broker;

use super::{others, three};
use crate::harness::{Wire, commit, group, join, stable, sync, text, topic};

const NOT_COORDINATOR: i16 = 16;

/// The node that any node names for a group.
fn find(broker: &Broker, asked: i32, id: &str) -> (i16, i32, i32) {
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(id)]);
    let found = Wire::to_node(broker, asked).call(&request, 4).coordinators.remove(0);
    (found.error_code, found.node_id.0, found.port)
}

fn committed(broker: &Broker, node: i32, id: &str) -> (i16, i64) {
    let asked = OffsetFetchRequestTopics::default().with_name(topic("a")).with_partition_indexes(vec![0]);
    let asked = OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(Some(vec![asked]));
    let request = OffsetFetchRequest::default().with_groups(vec![asked]);
    let answer = Wire::to_node(broker, node).call(&request, 8).groups.remove(0);
    let offset = answer.topics.first().map_or(-1, |topic| topic.partitions[0].committed_offset);
    (answer.error_code, offset)
}

#[test]
fn the_coordinator_leads_the_groups_partition_and_alone_answers_for_it() {
    let broker = three().start().unwrap();
    let (code, node, port) = find(&broker, 1, "g");
    assert_eq!((code, broker.cluster().coordinator("g")), (0, Some(node)));
    assert_eq!(port, i32::from(broker.cluster().node(node).unwrap().port));
    assert_eq!(find(&broker, 2, "g"), (0, node, port));
    stable(&mut Wire::to_node(&broker, node), "g");
    let listed = |node| Wire::to_node(&broker, node).call(&ListGroupsRequest::default(), 4).groups.len();
    assert_eq!(listed(node), 1);
    for other in others(&[node]) {
        let mut wire = Wire::to_node(&broker, other);
        let joined = wire.call(&join("g", &StrBytes::default()), 3).error_code;
        let beat = HeartbeatRequest::default().with_group_id(group("g")).with_member_id(text("m"));
        let left = LeaveGroupRequest::default().with_group_id(group("g")).with_member_id(text("m"));
        let synced = SyncGroupRequest::default().with_group_id(group("g")).with_member_id(text("m"));
        let described = DescribeGroupsRequest::default().with_groups(vec![group("g")]);
        let deleted = DeleteGroupsRequest::default().with_groups_names(vec![group("g")]);
        let codes = [
            joined,
            wire.call(&beat, 3).error_code,
            wire.call(&left, 1).error_code,
            wire.call(&synced, 3).error_code,
            wire.call(&commit("g", "a", 0, 1), 8).topics[0].partitions[0].error_code,
            committed(&broker, other, "g").0,
            wire.call(&described, 4).groups[0].error_code,
            wire.call(&deleted, 2).results[0].error_code,
        ];
        assert_eq!(codes, [NOT_COORDINATOR; 8]);
        assert_eq!(listed(other), 0);
    }
}

#[test]
fn a_group_goes_on_with_its_members_under_another_coordinator() {
    let broker = three().start().unwrap();
    let (_, first, _) = find(&broker, 1, "g");
    let mut wire = Wire::to_node(&broker, first);
    let joined = stable(&mut wire, "g");
    let commit = commit("g", "a", 0, 5)
        .with_generation_id_or_member_epoch(joined.generation_id)
        .with_member_id(joined.member_id.clone());
    let beat = HeartbeatRequest::default()
        .with_group_id(group("g"))
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id);
    assert_eq!(wire.call(&commit, 8).topics[0].partitions[0].error_code, 0);
    let next = others(&[first])[0];
    broker.cluster().move_coordinator("g", next).unwrap();
    assert_eq!(wire.call(&beat, 3).error_code, NOT_COORDINATOR);
    assert_eq!(find(&broker, first, "g").1, next);
    let mut wire = Wire::to_node(&broker, next);
    assert_eq!(wire.call(&beat, 3).error_code, 0);
    assert_eq!(committed(&broker, next, "g"), (0, 5));
    assert_eq!(wire.call(&commit, 8).topics[0].partitions[0].error_code, 0);
    // Its session began when the new coordinator read it.
    broker.advance(std::time::Duration::from_secs(11));
    assert_eq!(wire.call(&beat, 3).error_code, 25);
    assert!(broker.group("g").unwrap().members.is_empty());
}

#[test]
fn who_waits_for_others_is_told_to_ask_elsewhere() {
    let broker = three().start().unwrap();
    let (_, first, _) = find(&broker, 1, "g");
    let joined = stable(&mut Wire::to_node(&broker, first), "g");
    let mut waiting = Wire::to_node(&broker, first);
    waiting.send(&join("g", &StrBytes::default()), 3);
    // Until its join has begun a rebalance.
    let beat = HeartbeatRequest::default()
        .with_group_id(group("g"))
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id);
    let mut wire = Wire::to_node(&broker, first);
    while wire.call(&beat, 3).error_code == 0 {}
    let next = others(&[first])[0];
    broker.cluster().move_coordinator("g", next).unwrap();
    assert_eq!(waiting.receive::<JoinGroupRequest>(3).error_code, NOT_COORDINATOR);
    // The rebalance that it began is forgotten: the last generation stands.
    let mut wire = Wire::to_node(&broker, next);
    assert_eq!(wire.call(&beat, 3).error_code, 0);
    wire.send(&join("g", &joined.member_id), 3);
    let again = wire.receive::<JoinGroupRequest>(3);
    assert_eq!(wire.call(&sync("g", &again), 3).error_code, 0);
}

#[test]
fn a_coordinator_that_is_stopped_is_followed_by_another_and_none_is_not_available() {
    let broker = three().config("offsets.topic.replication.factor", "2").start().unwrap();
    let (_, first, _) = find(&broker, 1, "g");
    let commit = commit("g", "a", 0, 5);
    let code = |node, request: &OffsetCommitRequest| {
        Wire::to_node(&broker, node).call(request, 8).topics[0].partitions[0].error_code
    };
    assert_eq!(code(first, &commit), 0);
    let cluster = broker.cluster();
    cluster.stop_node(first).unwrap();
    let next = cluster.coordinator("g").unwrap();
    assert_eq!(committed(&broker, next, "g"), (0, 5));
    cluster.stop_node(next).unwrap();
    let last = others(&[first, next])[0];
    assert_eq!(find(&broker, last, "g").0, 15);
    assert_eq!(code(last, &commit), NOT_COORDINATOR);
    cluster.bring_back(next).unwrap();
    assert_eq!(find(&broker, last, "g").1, next);
    assert_eq!(committed(&broker, next, "g"), (0, 5));
    let view = cluster.view();
    let seen = view.coordinators.iter().find(|one| one.group == "g").unwrap();
    assert_eq!(seen.node, Some(next));
}
