//! Nodes that are stopped, cut off, slow, and back.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use kafka_protocol::messages::{ApiVersionsRequest, DescribeClusterRequest, MetadataRequest};
use klamm_broker::{Broker, ClusterError, NodeState};

use super::{ids, metadata, others, partition, three};
use crate::harness::{START, Wire, errors, produce};

fn produced(broker: &Broker, node: i32, acks: i16) -> i16 {
    let request = produce(&[("b", 0)], START).with_acks(acks);
    errors(&Wire::to_node(broker, node).call(&request, 9))[0].2
}

#[test]
fn each_node_listens_and_names_all() {
    let broker = three().racks(["x", "y", "z"]).start().unwrap();
    assert_eq!(broker.addresses().len(), 3);
    assert_eq!(broker.bootstrap_servers().split(',').count(), 3);
    for node in broker.cluster().nodes() {
        let answer = metadata(&mut Wire::to_node(&broker, node.id), "b");
        let named: Vec<_> = answer
            .brokers
            .iter()
            .map(|one| (one.node_id.0, one.port, one.rack.clone().unwrap().to_string()))
            .collect();
        let expected: Vec<_> = broker
            .cluster()
            .nodes()
            .into_iter()
            .map(|one| (one.id, i32::from(one.port), one.rack.unwrap()))
            .collect();
        assert_eq!(named, expected);
        assert_eq!(answer.controller_id.0, 1);
    }
}

#[test]
fn a_stopped_node_refuses_connections_and_others_lead_what_it_led() {
    let broker = three().start().unwrap();
    let cluster = broker.cluster();
    let leader = cluster.leader("b", 0).unwrap().unwrap();
    let address = cluster.node(leader).unwrap().bootstrap_server();
    let mut connected = Wire::to_node(&broker, leader);
    connected.call(&ApiVersionsRequest::default(), 0);
    cluster.stop_node(leader).unwrap();
    assert_eq!(connected.rest(), b"");
    assert!(TcpStream::connect(&address).is_err());
    assert!(matches!(broker.connect_to(leader), Err(ClusterError::Away { .. })));
    assert!(matches!(cluster.stop_node(leader), Err(ClusterError::Away { .. })));
    assert!(matches!(cluster.cut_off(leader), Err(ClusterError::Away { .. })));
    assert_eq!(cluster.node(leader).unwrap().state, NodeState::Stopped);
    let next = cluster.leader("b", 0).unwrap().unwrap();
    assert_ne!(next, leader);
    assert_eq!(produced(&broker, next, -1), 0);
    let seen = partition(&mut Wire::to_node(&broker, next), "b", 0);
    assert_eq!((seen.leader_id.0, seen.leader_epoch, seen.error_code), (next, 1, 0));
    assert_eq!(ids(&seen.offline_replicas), [leader]);
    assert_eq!((seen.replica_nodes.len(), seen.isr_nodes.len()), (3, 2));
    let answer = metadata(&mut Wire::to_node(&broker, next), "b");
    assert_eq!(answer.brokers.len(), 2);
    let all = DescribeClusterRequest::default().with_endpoint_type(1).with_include_fenced_brokers(true);
    let all = Wire::to_node(&broker, next).call(&all, 2).brokers;
    let fenced: Vec<i32> = all.iter().filter(|one| one.is_fenced).map(|one| one.broker_id.0).collect();
    assert_eq!((all.len(), fenced), (3, vec![leader]));

    cluster.bring_back(leader).unwrap();
    assert_eq!(cluster.node(leader).unwrap().bootstrap_server(), address);
    let seen = partition(&mut Wire::to_node(&broker, leader), "b", 0);
    assert_eq!((seen.leader_id.0, seen.isr_nodes.len(), seen.offline_replicas.len()), (next, 3, 0));
    assert_eq!(broker.records("b").unwrap().len(), 1);
}

#[test]
fn acks_of_all_need_enough_replicas_in_sync() {
    let broker = three().config("min.insync.replicas", "2").start().unwrap();
    let cluster = broker.cluster();
    let leader = cluster.leader("b", 0).unwrap().unwrap();
    let [one, two] = others(&[leader])[..] else { panic!("two are left") };
    cluster.stop_node(one).unwrap();
    assert_eq!(produced(&broker, leader, -1), 0);
    cluster.stop_node(two).unwrap();
    assert_eq!([produced(&broker, leader, -1), produced(&broker, leader, 1)], [19, 0]);
    // The one that left last may lead all the same: it had all that was acknowledged by all.
    cluster.stop_node(leader).unwrap();
    assert_eq!(cluster.leader("b", 0).unwrap(), None);
    cluster.bring_back(one).unwrap();
    assert_eq!(cluster.leader("b", 0).unwrap(), None);
    cluster.bring_back(two).unwrap();
    assert_eq!(cluster.leader("b", 0).unwrap(), Some(two));
    assert_eq!(produced(&broker, two, -1), 0);
}

#[test]
fn a_partition_whose_replicas_are_all_away_has_no_leader() {
    let broker = three().config("default.replication.factor", "1").start().unwrap();
    let cluster = broker.cluster();
    let leader = cluster.leader("b", 0).unwrap().unwrap();
    let other = others(&[leader])[0];
    cluster.stop_node(leader).unwrap();
    let seen = partition(&mut Wire::to_node(&broker, other), "b", 0);
    assert_eq!((seen.error_code, seen.leader_id.0, seen.leader_epoch), (5, -1, 1));
    assert_eq!(produced(&broker, other, 1), 6);
    cluster.bring_back(leader).unwrap();
    let seen = partition(&mut Wire::to_node(&broker, other), "b", 0);
    assert_eq!((seen.error_code, seen.leader_id.0, seen.leader_epoch), (0, leader, 2));
}

#[test]
fn what_is_sent_to_a_node_that_is_cut_off_arrives_when_it_is_back() {
    let broker = three().start().unwrap();
    let cluster = broker.cluster();
    let leader = cluster.leader("b", 0).unwrap().unwrap();
    let mut before = Wire::to_node(&broker, leader);
    before.call(&ApiVersionsRequest::default(), 0);
    cluster.cut_off(leader).unwrap();
    let mut after = Wire::to_node(&broker, leader);
    before.send(&produce(&[("b", 0)], START), 9);
    after.send(&MetadataRequest::default().with_topics(Some(Vec::new())), 9);
    let next = cluster.leader("b", 0).unwrap().unwrap();
    assert_ne!(next, leader);
    assert_eq!(produced(&broker, next, -1), 0);
    assert!(before.is_silent() && after.is_silent());
    cluster.bring_back(leader).unwrap();
    // It knows by now that it leads no more.
    let answer = before.receive::<kafka_protocol::messages::ProduceRequest>(9);
    assert_eq!(errors(&answer)[0].2, 6);
    assert_eq!(after.receive::<MetadataRequest>(9).brokers.len(), 3);
    assert_eq!(broker.records("b").unwrap().len(), 1);
}

#[test]
fn a_slow_node_answers_later_and_the_others_do_not() {
    let broker = three().start().unwrap();
    let cluster = broker.cluster();
    let delay = Duration::from_millis(50);
    cluster.slow(2, delay).unwrap();
    assert_eq!(cluster.node(2).unwrap().delay_ms, 50);
    let mut slow = Wire::to_node(&broker, 2);
    let asked = Instant::now();
    slow.call(&ApiVersionsRequest::default(), 0);
    assert!(asked.elapsed() >= delay);
    cluster.bring_back(2).unwrap();
    assert_eq!(cluster.node(2).unwrap().delay_ms, 0);
    assert!(matches!(cluster.slow(2, Duration::from_secs(4_000)), Err(ClusterError::TooSlow(_))));
}

#[test]
fn the_controller_moves_and_is_never_away() {
    let broker = three().start().unwrap();
    let cluster = broker.cluster();
    cluster.move_controller(3).unwrap();
    assert_eq!(metadata(&mut Wire::to_node(&broker, 1), "b").controller_id.0, 3);
    cluster.stop_node(3).unwrap();
    assert_eq!(metadata(&mut Wire::to_node(&broker, 1), "b").controller_id.0, 1);
    assert!(matches!(cluster.move_controller(3), Err(ClusterError::Away { .. })));
    for node in [1, 2] {
        cluster.stop_node(node).unwrap();
    }
    assert_eq!(cluster.controller(), None);
    cluster.bring_back(2).unwrap();
    assert_eq!(cluster.controller(), Some(2));
}

#[test]
fn one_node_can_be_stopped_as_well() {
    let broker = crate::harness::broker().start().unwrap();
    let cluster = broker.cluster();
    Wire::connect(&broker).call(&produce(&[("a", 0)], START), 9);
    cluster.stop_node(1).unwrap();
    assert!(TcpStream::connect(broker.addresses()[0]).is_err());
    cluster.bring_back(1).unwrap();
    assert_eq!(errors(&Wire::connect(&broker).call(&produce(&[("a", 0)], START), 9))[0].2, 0);
    assert_eq!(broker.records("a").unwrap().len(), 2);
}

#[test]
fn clusters_that_cannot_be_are_refused_in_a_sentence() {
    for (builder, part) in [
        (Broker::builder().brokers(0), "give 1 to 64"),
        (Broker::builder().brokers(65), "give 1 to 64"),
        (Broker::builder().brokers(2).racks(["a"]), "give one rack for each node"),
    ] {
        let error = builder.start().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
