//! Where partitions go: replication factors, assignments, racks, and what each node says that it keeps.

use std::collections::BTreeSet;

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DescribeConfigsRequest, DescribeLogDirsRequest,
    DescribeTopicPartitionsRequest,
};
use klamm_broker::{Broker, ClusterPartition};

use super::{ids, others, three};
use crate::harness::{Wire, text, topic};

fn create(broker: &Broker, asked: CreatableTopic) -> (i16, i16) {
    let request = CreateTopicsRequest::default().with_timeout_ms(1_000).with_topics(vec![asked]);
    let answer = Wire::to_node(broker, 3).call(&request, 7).topics.remove(0);
    (answer.error_code, answer.replication_factor)
}

fn counted(name: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(topic(name))
        .with_num_partitions(partitions)
        .with_replication_factor(replicas)
}

fn assigned(name: &str, replicas: &[&[i32]]) -> CreatableTopic {
    let one = |(index, nodes): (i32, &&[i32])| {
        let nodes = nodes.iter().map(|node| (*node).into()).collect();
        CreatableReplicaAssignment::default().with_partition_index(index).with_broker_ids(nodes)
    };
    counted(name, -1, -1).with_assignments((0..).zip(replicas).map(one).collect())
}

fn placed(broker: &Broker, name: &str) -> Vec<ClusterPartition> {
    broker.cluster().view().partitions.into_iter().filter(|one| one.topic == name).collect()
}

#[test]
fn leaders_are_spread_and_replicas_are_on_different_nodes() {
    let broker = three().start().unwrap();
    assert_eq!(create(&broker, counted("t", 6, 2)), (0, 2));
    let placed = placed(&broker, "t");
    for node in [1, 2, 3] {
        assert_eq!(placed.iter().filter(|one| one.leader == Some(node)).count(), 2);
    }
    for partition in &placed {
        assert_eq!(partition.replicas.iter().collect::<BTreeSet<_>>().len(), 2);
        assert_eq!((&partition.isr, partition.leader_epoch), (&partition.replicas, 0));
    }
    assert_eq!(create(&broker, counted("d", 1, -1)), (0, 3), "default.replication.factor");
    assert_eq!(create(&broker, counted("u", 1, 4)).0, 38);
}

#[test]
fn replicas_are_in_different_racks_as_far_as_there_are_several() {
    let broker = Broker::builder().brokers(4).racks(["x", "x", "y", "y"]).seed(7).start().unwrap();
    assert_eq!(create(&broker, counted("t", 8, 2)), (0, 2));
    for partition in placed(&broker, "t") {
        let rack = |node: &i32| broker.cluster().node(*node).unwrap().rack;
        let racks: BTreeSet<_> = partition.replicas.iter().map(rack).collect();
        assert_eq!(racks.len(), 2, "{partition:?}");
    }
}

#[test]
fn an_assignment_is_followed_if_it_can_be() {
    let broker = three().start().unwrap();
    assert_eq!(create(&broker, assigned("t", &[&[3, 1], &[2, 3]])), (0, 2));
    let replicas: Vec<_> = placed(&broker, "t").into_iter().map(|one| one.replicas).collect();
    assert_eq!(replicas, [[3, 1], [2, 3]]);
    for wrong in [&[&[4][..]][..], &[&[1, 1]], &[&[1, 2], &[1]]] {
        assert_eq!(create(&broker, assigned("u", wrong)).0, 39, "{wrong:?}");
    }
    broker.cluster().stop_node(2).unwrap();
    assert_eq!(create(&broker, assigned("u", &[&[2]])).0, 39, "nobody would lead");
    assert_eq!(create(&broker, assigned("u", &[&[2, 1]])), (0, 2));
    let one = &placed(&broker, "u")[0];
    assert_eq!((one.leader, &one.isr[..], &one.offline[..]), (Some(1), &[1][..], &[2][..]));
}

#[test]
fn more_partitions_have_as_many_replicas() {
    let broker = three().start().unwrap();
    assert_eq!(create(&broker, counted("t", 1, 2)).0, 0);
    let more = |count, assignments| {
        let asked = CreatePartitionsTopic::default()
            .with_name(topic("t"))
            .with_count(count)
            .with_assignments(assignments);
        let request = CreatePartitionsRequest::default().with_timeout_ms(1_000).with_topics(vec![asked]);
        Wire::to_node(&broker, 2).call(&request, 3).results[0].error_code
    };
    let to = |nodes: &[i32]| {
        let nodes = nodes.iter().map(|node| (*node).into()).collect();
        Some(vec![CreatePartitionsAssignment::default().with_broker_ids(nodes)])
    };
    assert_eq!([more(3, None), more(4, to(&[3])), more(4, to(&[3, 2]))], [0, 39, 0]);
    let placed = placed(&broker, "t");
    assert!(placed.iter().all(|one| one.replicas.len() == 2));
    assert_eq!(placed[3].replicas, [3, 2]);
}

#[test]
fn each_node_shows_what_it_keeps_and_its_own_configs() {
    let broker = three().racks(["x", "y", "z"]).start().unwrap();
    assert_eq!(create(&broker, assigned("t", &[&[3], &[2]])).0, 0);
    for node in [1, 2, 3] {
        let mut wire = Wire::to_node(&broker, node);
        let kept =
            wire.call(&DescribeLogDirsRequest::default().with_topics(None), 4).results.remove(0).topics;
        let of_t = kept.iter().find(|one| one.name.as_str() == "t").unwrap();
        let indexes: Vec<_> = of_t.partitions.iter().map(|one| one.partition_index).collect();
        assert_eq!(indexes, [&[][..], &[1], &[0]][usize::try_from(node - 1).unwrap()]);
        let named = |id: i32| {
            let keys = ["node.id", "broker.id", "broker.rack"].map(text).to_vec();
            let resource = DescribeConfigsResource::default()
                .with_resource_type(4)
                .with_resource_name(text(&id.to_string()))
                .with_configuration_keys(Some(keys));
            DescribeConfigsRequest::default().with_resources(vec![resource])
        };
        let own = wire.call(&named(node), 4).results.remove(0);
        let value = |name: &str| {
            own.configs
                .iter()
                .find(|one| one.name.as_str() == name)
                .unwrap()
                .value
                .clone()
                .unwrap()
                .to_string()
        };
        assert_eq!((value("node.id"), value("broker.id")), (node.to_string(), node.to_string()));
        assert_eq!(value("broker.rack"), ["x", "y", "z"][usize::try_from(node - 1).unwrap()]);
        assert_eq!(wire.call(&named(others(&[node])[0]), 4).results[0].error_code, 42);
    }
}

#[test]
fn pages_of_partitions_show_who_may_lead_without_being_in_sync() {
    let broker = three().config("min.insync.replicas", "2").start().unwrap();
    let cluster = broker.cluster();
    assert_eq!(create(&broker, assigned("t", &[&[1, 2]])).0, 0);
    cluster.stop_node(1).unwrap();
    let page = Wire::to_node(&broker, 3).call(
        &DescribeTopicPartitionsRequest::default().with_response_partition_limit(100).with_topics(vec![
            kafka_protocol::messages::describe_topic_partitions_request::TopicRequest::default()
                .with_name(topic("t")),
        ]),
        0,
    );
    let one = &page.topics[0].partitions[0];
    assert_eq!((one.leader_id.0, ids(&one.isr_nodes), ids(&one.offline_replicas)), (2, vec![2], vec![1]));
    assert_eq!(ids(one.eligible_leader_replicas.as_ref().unwrap()), [1]);
}
