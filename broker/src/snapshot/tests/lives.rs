//! What a broker is like after it was put back, and what clients see of that.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::*;
use klamm_storage::Home;

use super::client::*;
use super::{START, builder, contents, ids};
use crate::{Broker, Clock, SnapshotError, StartError};

const UNKNOWN_MEMBER_ID: i16 = 25;

#[test]
fn what_came_after_a_snapshot_is_gone_and_what_came_before_is_there() {
    let broker = builder().topic("t", 2).start().unwrap();
    let mut client = Client::new(&broker);
    client.produce("t", 0, &record("before", None));
    client.commit("g", "t", 0, 1);
    client.set(Some("t"), "retention.ms", "5000");
    let (snapshot, before, ids_before) = (broker.snapshot().unwrap(), contents(&broker), ids(&broker));
    client.produce("t", 0, &record("after", None));
    client.produce("t", 1, &record("after", None));
    client.commit("g", "t", 0, 2);
    client.commit("h", "t", 0, 1);
    client.create("u", 1);
    client.set(Some("t"), "retention.ms", "6000");
    assert_eq!(client.set(None, "message.max.bytes", "2000000"), 0);
    broker.advance(Duration::from_secs(1));
    for _ in 0..2 {
        broker.restore(&snapshot).unwrap();
        assert_eq!((contents(&broker), ids(&broker)), (before.clone(), ids_before.clone()));
        assert_eq!(broker.clock().now_ms(), START);
        let mut client = Client::new(&broker);
        assert_eq!(client.committed("g"), [("t".to_owned(), 0, 1)]);
        assert_eq!(client.committed("h"), []);
        let topic = broker.state().topics.get("t").unwrap();
        assert_eq!(topic.partition(0).unwrap().log().options().retention_ms, 5000);
        assert!(!broker.state().config.layers().cluster.contains_key("message.max.bytes"));
        // And it goes on from there.
        assert_eq!(client.produce("t", 0, &record("again", None)), (0, 1));
        assert_eq!(client.create("u", 1), 0);
    }
    client = Client::new(&broker);
    assert_eq!(client.delete("t"), 0);
    broker.restore(&snapshot).unwrap();
    assert_eq!(contents(&broker), before);
}

/// Requests of every kind that changes something, and the answers to them.
fn story(broker: &Broker) -> Vec<Bytes> {
    let mut client = Client::new(broker);
    let mut answers = vec![client.bytes(&create("new", 3), 7), client.bytes(&producer_id(), 4)];
    for number in 0..10 {
        answers.push(client.bytes(&produce("t", 0, &record(&"x".repeat(number * 40), None)), 9));
        answers.push(client.bytes(&produce("large", 0, &record(&"x".repeat(9_000), None)), 9));
    }
    answers.push(client.bytes(&fetch("t", 0, 0), 12));
    answers.push(client.bytes(&fetch("large", 0, 0), 12));
    answers.push(client.bytes(&join("g", "".into()), 5));
    broker.advance(Duration::from_secs(20));
    answers.push(client.bytes(&commit("g", "t", 0, 3, None), 8));
    answers.push(client.bytes(&join("k", "".into()), 5));
    answers.push(client.bytes(&MetadataRequest::default().with_topics(None), 12));
    answers.push(client.bytes(&ListGroupsRequest::default(), 4));
    // Where the broker listens is its own affair.
    let port = broker.addresses()[0].port().to_be_bytes();
    let plain = |answer: &Bytes| {
        let mut answer = answer.to_vec();
        while let Some(at) = answer.windows(2).position(|two| two == port) {
            answer[at..at + 2].fill(0);
        }
        Bytes::from(answer)
    };
    answers.iter().map(plain).collect()
}

#[test]
fn the_same_requests_after_the_same_snapshot_have_the_same_answers() {
    let broker = builder().topic("t", 1).topic("large", 1).start().unwrap();
    let mut client = Client::new(&broker);
    (0..9).for_each(|_| _ = client.produce("large", 0, &record(&"x".repeat(9_000), None)));
    client.produce("t", 0, &record("x", None));
    client.commit("g", "t", 0, 1);
    let snapshot = broker.snapshot().unwrap();
    let file = tempfile::tempdir().unwrap();
    snapshot.save(file.path().join("s")).unwrap();
    let loaded = crate::Snapshot::load(file.path().join("s")).unwrap();
    let fork = broker.fork().unwrap();
    // The one that goes on, two forks, one that is put back, and one from a file.
    let answers = story(&broker);
    let same = |other: &Broker| {
        for (number, (one, other)) in answers.iter().zip(story(other)).enumerate() {
            assert!(*one == other, "answer {number} is another");
        }
    };
    same(&fork);
    same(&builder().from_snapshot(&snapshot).start().unwrap());
    same(&builder().from_snapshot(&loaded).start().unwrap());
    broker.restore(&snapshot).unwrap();
    same(&broker);
    fork.reset().unwrap();
    same(&fork);
}

#[test]
fn members_are_sent_to_join_again_and_nobody_waits_for_them() {
    let broker = builder().topic("t", 1).start().unwrap();
    let mut client = Client::new(&broker);
    let (member, generation) = client.join_alone("g");
    let request = commit("g", "t", 0, 0, Some((member.clone(), generation)));
    assert_eq!(client.ask(&request, 8).topics[0].partitions[0].error_code, 0);
    let snapshot = broker.snapshot().unwrap();
    assert_eq!(client.heartbeat("g", &member, generation), 0);
    let fork = broker.fork().unwrap();
    broker.restore(&snapshot).unwrap();
    for broker in [&broker, &fork] {
        let mut client = Client::new(broker);
        assert_eq!(client.heartbeat("g", &member, generation), UNKNOWN_MEMBER_ID);
        assert_eq!(client.committed("g"), [("t".to_owned(), 0, 0)]);
        // Generations only ever grow, and the journal knows that the members are gone.
        let (_, next) = client.join_alone("g");
        assert!(next > generation + 1, "{next} after {generation}");
    }
    // A second life that is put back again.
    broker.restore(&broker.snapshot().unwrap()).unwrap();
    assert_eq!(Client::new(&broker).committed("g"), [("t".to_owned(), 0, 0)]);
}

#[test]
fn connections_are_closed_and_the_port_stays() {
    let broker = builder().topic("t", 1).start().unwrap();
    let snapshot = broker.snapshot().unwrap();
    let address = broker.bootstrap_servers();
    let acts: [&dyn Fn(); 2] = [&|| broker.restore(&snapshot).unwrap(), &|| broker.reset().unwrap()];
    for act in acts {
        let mut idle = TcpStream::connect(&address).unwrap();
        idle.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut in_process = Client::new(&broker);
        // So that it is known to be served.
        in_process.producer_id();
        act();
        assert!(in_process.try_ask(&producer_id(), 4).is_none());
        assert!(matches!(idle.read(&mut [0; 1]), Ok(0) | Err(_)));
        assert_eq!(broker.bootstrap_servers(), address);
        TcpStream::connect(&address).unwrap();
        Client::new(&broker).producer_id();
    }
}

#[test]
fn a_waiting_fetch_ends() {
    let broker = builder().topic("t", 1).start().unwrap();
    let snapshot = broker.snapshot().unwrap();
    let state = broker.state();
    let waits = || state.topics.get("t").unwrap().partition(0).unwrap().has_waiters();
    std::thread::scope(|scope| {
        let mut client = Client::new(&broker);
        let waiting = scope.spawn(move || client.try_ask(&fetch("t", 0, 600_000), 12));
        while !waits() {
            std::thread::yield_now();
        }
        broker.restore(&snapshot).unwrap();
        assert!(waiting.join().unwrap().is_none());
    });
}

#[test]
fn what_is_acknowledged_after_a_restore_is_there() {
    let broker = builder().topic("t", 1).start().unwrap();
    let snapshot = broker.snapshot().unwrap();
    let (lives, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // For each life the records that were sent in it, and acknowledged.
            let mut acknowledged: Vec<(u64, String)> = Vec::new();
            let (mut client, mut number) = (Client::new(&broker), 0);
            while !done.load(Ordering::SeqCst) {
                let (life, value) = (lives.load(Ordering::SeqCst), number.to_string());
                number += 1;
                match client.try_ask(&produce("t", 0, &record(&value, None)), 9) {
                    Some(_) => acknowledged.push((life, value)),
                    None => client = Client::new(&broker),
                }
            }
            acknowledged
        });
        for _ in 0..200 {
            broker.restore(&snapshot).unwrap();
            lives.fetch_add(1, Ordering::SeqCst);
            let log = Arc::clone(broker.state().topics.get("t").unwrap().partition(0).unwrap().log());
            // One may be on its way that was sent before the count went up.
            let enough = log.log_end_offset() + 3;
            while log.log_end_offset() < enough {
                std::thread::yield_now();
            }
        }
        done.store(true, Ordering::SeqCst);
        let last = lives.load(Ordering::SeqCst);
        let acknowledged = writer.join().unwrap();
        let written = format!("{:?}", contents(&broker));
        let of_last: Vec<_> = acknowledged.iter().filter(|(life, _)| *life == last).collect();
        assert!(!of_last.is_empty());
        for (_, value) in of_last {
            assert!(written.contains(value.as_str()), "{value} is lost");
        }
    });
}

#[test]
fn a_reset_broker_has_just_started() {
    let broker = builder().topic("t", 2).topic("u", 1).start().unwrap();
    let before = ids(&broker);
    let mut client = Client::new(&broker);
    client.produce("t", 0, &record("x", None));
    client.commit("g", "t", 0, 1);
    client.create("other", 1);
    client.delete("u");
    client.set(None, "message.max.bytes", "1000");
    let first = client.producer_id();
    broker.advance(Duration::from_secs(9));
    for _ in 0..2 {
        broker.reset().unwrap();
        let after = ids(&broker);
        assert_eq!(after.keys().collect::<Vec<_>>(), ["t", "u"]);
        assert!(after.values().all(|id| !before.values().any(|other| other == id)), "ids are new");
        assert!(contents(&broker).values().all(|(start, batches)| *start == 0 && batches.is_empty()));
        assert_eq!(broker.clock().now_ms(), START);
        let mut client = Client::new(&broker);
        assert_eq!(client.committed("g"), []);
        assert_eq!(client.producer_id(), first);
        assert_eq!(client.produce("t", 0, &record(&"x".repeat(2000), None)), (0, 0));
    }
}

#[test]
fn idempotent_producers_go_on_where_they_were() {
    let broker = builder().topic("t", 1).start().unwrap();
    let mut client = Client::new(&broker);
    let id = client.producer_id();
    for sequence in 0..3 {
        client.produce("t", 0, &record("x", Some((id, sequence))));
    }
    let snapshot = broker.snapshot().unwrap();
    client.produce("t", 0, &record("x", Some((id, 3))));
    broker.restore(&snapshot).unwrap();
    let mut client = Client::new(&broker);
    assert_eq!(client.produce("t", 0, &record("x", Some((id, 1)))), (0, 1), "a duplicate");
    assert_eq!(client.produce("t", 0, &record("x", Some((id, 4)))).0, 45, "out of order");
    assert_eq!(client.produce("t", 0, &record("x", Some((id, 3)))), (0, 3));
    assert_eq!(client.producer_id(), id + 1);
}

#[test]
fn time_goes_on_from_where_it_was_put() {
    let broker = builder().topic("t", 1).start().unwrap();
    let mut client = Client::new(&broker);
    client.set(Some("t"), "retention.ms", "60000");
    client.produce("t", 0, &record("x", None));
    let snapshot = broker.snapshot().unwrap();
    for _ in 0..2 {
        broker.advance(Duration::from_secs(3600));
        assert_eq!(contents(&broker)[&("t".to_owned(), 0)].0, 1, "retention has let go of it");
        broker.restore(&snapshot).unwrap();
        assert_eq!(contents(&broker)[&("t".to_owned(), 0)].0, 0);
    }
    let later = builder().clock(Clock::manual(5)).from_snapshot(&snapshot).start().unwrap();
    assert_eq!(later.clock().now_ms(), START);
}

#[test]
fn a_fork_is_its_own() {
    let broker = builder().topic("t", 1).start().unwrap();
    let mut client = Client::new(&broker);
    client.produce("t", 0, &record("both", None));
    let fork = broker.fork().unwrap();
    let of_fork = Client::new(&fork).produce("t", 0, &record("fork", None));
    assert_eq!(of_fork, (0, 1));
    client.produce("t", 0, &record("broker", None));
    client.delete("t");
    fork.advance(Duration::from_secs(5));
    assert_eq!(broker.clock().now_ms(), START);
    let left = contents(&fork);
    drop(broker);
    assert_eq!(contents(&fork), left);
    assert_eq!(left[&("t".to_owned(), 0)].1.len(), 2);
    assert_ne!(fork.addresses(), []);
}

#[test]
fn a_folder_is_snapshotted_and_forked_but_not_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let broker = builder().topic("t", 1).data_dir(folder.path()).start().unwrap();
    let mut client = Client::new(&broker);
    client.produce("t", 0, &record("kept", None));
    client.commit("g", "t", 0, 1);
    let snapshot = broker.snapshot().unwrap();
    let fork = broker.fork().unwrap();
    client.produce("t", 0, &record("more", None));
    let mut of_fork = Client::new(&fork);
    assert_eq!(of_fork.produce("t", 0, &record("fork", None)), (0, 1));
    assert_eq!(of_fork.committed("g"), [("t".to_owned(), 0, 1)]);
    assert_eq!(contents(&broker)[&("t".to_owned(), 0)].1.len(), 2);
    for refused in [broker.restore(&snapshot), broker.reset()] {
        assert!(matches!(refused, Err(SnapshotError::Folder { .. })), "{refused:?}");
    }
    assert_eq!(client.produce("t", 0, &record("and more", None)), (0, 2), "it goes on as it was");
    let other = tempfile::tempdir().unwrap();
    let started = builder().from_snapshot(&snapshot).data_dir(other.path()).start();
    assert!(matches!(started, Err(StartError::Snapshot(SnapshotError::Folder { .. }))));
    // The files may go: the fork has their maps.
    client.delete("t");
    broker.shutdown().unwrap();
    drop(folder);
    assert_eq!(contents(&fork)[&("t".to_owned(), 0)].1.len(), 2);
    assert_eq!(fork.plan.builder.home, Home::Memory);
    fork.reset().unwrap();
    assert_eq!(contents(&fork)[&("t".to_owned(), 0)].1.len(), 1);
}
