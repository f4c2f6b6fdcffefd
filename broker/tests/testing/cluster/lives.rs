//! Clusters over resets, snapshots, forks, data folders and journals.

use klamm_broker::{Broker, ClusterPartition, JournalOptions, NodeState, Snapshot};

use super::{metadata, others, three};
use crate::harness::{START, Wire, errors, produce};

fn produced(broker: &Broker, node: i32) -> i16 {
    errors(&Wire::to_node(broker, node).call(&produce(&[("b", 0)], START), 9))[0].2
}

fn of_b(broker: &Broker) -> ClusterPartition {
    broker.cluster().view().partitions.into_iter().find(|one| one.topic == "b").unwrap()
}

/// A broker whose `b` is led by another node than at first, in the second epoch, with a record of each.
fn moved() -> (Broker, i32, i32) {
    let broker = three().start().unwrap();
    let first = of_b(&broker).leader.unwrap();
    let next = others(&[first])[0];
    assert_eq!(produced(&broker, first), 0);
    broker.cluster().move_leader("b", 0, next).unwrap();
    assert_eq!(produced(&broker, next), 0);
    (broker, first, next)
}

#[test]
fn a_snapshot_has_leaders_and_epochs() {
    let (broker, first, next) = moved();
    let taken = broker.snapshot().unwrap();
    let before = of_b(&broker);
    assert_eq!((before.leader, before.leader_epoch), (Some(next), 1));
    broker.cluster().move_leader("b", 0, first).unwrap();
    let fork = broker.fork().unwrap();
    assert_eq!(of_b(&fork), of_b(&broker));
    assert_eq!(fork.addresses().len(), 3);
    broker.restore(&taken).unwrap();
    assert_eq!(of_b(&broker), before);
    assert_eq!([produced(&broker, first), produced(&broker, next)], [6, 0]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cluster.klamm");
    taken.save(&file).unwrap();
    let loaded = Snapshot::load(&file).unwrap();
    let again = Broker::builder().brokers(3).from_snapshot(&loaded).start().unwrap();
    assert_eq!(of_b(&again), before);
    // A cluster of another size leads what it finds.
    let single = Broker::builder().from_snapshot(&loaded).start().unwrap();
    let one = of_b(&single);
    assert_eq!((one.leader, &one.replicas[..], &one.isr[..]), (Some(1), &[1][..], &[1][..]));
    assert_eq!(produced(&single, 1), 0);
    let two = Broker::builder().brokers(2).from_snapshot(&loaded).start().unwrap();
    assert_eq!(of_b(&two).replicas.len(), 2);
    assert_eq!(produced(&two, of_b(&two).leader.unwrap()), 0);
}

#[test]
fn a_restore_leaves_nodes_away_and_a_reset_brings_them_back() {
    let (broker, _, next) = moved();
    let taken = broker.snapshot().unwrap();
    broker.cluster().stop_node(next).unwrap();
    broker.restore(&taken).unwrap();
    assert_eq!(broker.cluster().node(next).unwrap().state, NodeState::Stopped);
    let leader = of_b(&broker).leader.unwrap();
    assert_ne!(leader, next);
    assert_eq!(produced(&broker, leader), 0);
    broker.reset().unwrap();
    assert!(broker.cluster().nodes().iter().all(|node| node.state == NodeState::Running));
    let view = of_b(&broker);
    assert_eq!((view.leader_epoch, view.isr.len()), (0, 3));
    assert_eq!(metadata(&mut Wire::to_node(&broker, next), "b").brokers.len(), 3);
    assert_eq!(produced(&broker, view.leader.unwrap()), 0);
}

#[test]
fn a_data_folder_remembers_leaders_and_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let start =
        |brokers| Broker::builder().brokers(brokers).data_dir(folder.path()).topic("b", 1).start().unwrap();
    let broker = start(3);
    let first = of_b(&broker).leader.unwrap();
    let next = others(&[first])[0];
    assert_eq!(produced(&broker, first), 0);
    broker.cluster().move_leader("b", 0, next).unwrap();
    let before = of_b(&broker);
    broker.shutdown().unwrap();
    let broker = start(3);
    assert_eq!(of_b(&broker), before);
    assert_eq!(produced(&broker, next), 0);
    broker.cluster().stop_node(next).unwrap();
    let epoch = of_b(&broker).leader_epoch;
    broker.shutdown().unwrap();
    // Nobody is away at a start.
    let broker = start(3);
    assert_eq!(of_b(&broker).isr.len(), 3);
    assert!(of_b(&broker).leader_epoch >= epoch);
    broker.shutdown().unwrap();
    let single = start(1);
    assert_eq!((of_b(&single).leader, produced(&single, 1)), (Some(1), 0));
    assert_eq!(single.records("b").unwrap().len(), 3);
}

#[test]
fn moves_are_journaled_and_had_again() {
    let broker = three().journal(JournalOptions::memory()).start().unwrap();
    let cluster = broker.cluster();
    let first = of_b(&broker).leader.unwrap();
    let next = others(&[first])[0];
    let both = |broker: &Broker| [produced(broker, first), produced(broker, next)];
    assert_eq!(both(&broker), [0, 6]);
    cluster.move_leader("b", 0, next).unwrap();
    assert_eq!(both(&broker), [6, 0]);
    cluster.move_coordinator("g", 2).unwrap();
    cluster.move_controller(3).unwrap();
    metadata(&mut Wire::to_node(&broker, 3), "b");
    cluster.stop_node(next).unwrap();
    metadata(&mut Wire::to_node(&broker, first), "b");
    cluster.bring_back(next).unwrap();
    cluster.elect_preferred_leaders().unwrap();
    assert_eq!(both(&broker), [0, 6]);
    let journal = broker.journal().unwrap();
    let replay = journal.replay().unwrap();
    assert!(replay.is_equal(), "{}", replay.difference.unwrap());
    assert!(replay.requests >= 8 && replay.complete);
}
