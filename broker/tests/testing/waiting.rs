//! Waiting for a broker to come to a state: woken when it does, and told what there was when it does not.

use std::time::{Duration, Instant};

use kafka_protocol::protocol::StrBytes;
use klamm_broker::{ApiKey, Broker, Fault, WaitFor};

use crate::harness::{DEADLINE, START, Wire, broker, commit, fetch, join, produce, stable};

const SHORT: Duration = Duration::from_millis(5);

/// Has `act` happen while another thread waits.
fn while_waiting(broker: &Broker, wanted: WaitFor, act: impl FnOnce()) {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| broker.wait_for(wanted, DEADLINE));
        act();
        waiting.join().unwrap().unwrap();
    });
}

fn seen(broker: &Broker, wanted: WaitFor) -> String {
    broker.wait_for(wanted, SHORT).unwrap_err().seen
}

#[test]
fn for_records() {
    let broker = broker().start().unwrap();
    let wanted = |count| WaitFor::Records { topic: "a".to_owned(), count };
    while_waiting(&broker, wanted(3), || {
        let mut wire = Wire::connect(&broker);
        wire.call(&produce(&[("a", 0), ("a", 1)], START), 9);
        wire.call(&produce(&[("a", 0)], START), 9);
    });
    let error = broker.wait_for_records("a", 4, SHORT).unwrap_err();
    assert_eq!(
        error.to_string(),
        "waited 5 ms for 4 records in 'a'; seen instead: 3 records in 2 partitions of 'a'"
    );
    assert_eq!(
        seen(&broker, WaitFor::Records { topic: "new".to_owned(), count: 1 }),
        "there is no topic 'new'"
    );
}

#[test]
fn for_records_of_a_topic_that_is_yet_to_come() {
    let broker = Broker::builder().start().unwrap();
    while_waiting(&broker, WaitFor::Records { topic: "new".to_owned(), count: 1 }, || {
        let mut wire = Wire::connect(&broker);
        use kafka_protocol::messages::CreateTopicsRequest;
        use kafka_protocol::messages::create_topics_request::CreatableTopic;
        let new = CreatableTopic::default().with_name(crate::harness::topic("new")).with_num_partitions(1);
        let new = new.with_replication_factor(1);
        wire.call(&CreateTopicsRequest::default().with_timeout_ms(1_000).with_topics(vec![new]), 5);
        wire.call(&produce(&[("new", 0)], START), 9);
    });
}

#[test]
fn for_groups_commits_and_lag() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    let group = |members| WaitFor::Group { group: "g".to_owned(), members };
    assert_eq!(seen(&broker, group(1)), "there is no group 'g'");
    while_waiting(&broker, group(1), || drop(stable(&mut wire, "g")));
    let mut other = Wire::connect(&broker);
    other.send(&join("g", &StrBytes::default()), 3);
    while_waiting(&broker, WaitFor::Group { group: "h".to_owned(), members: 1 }, || {
        drop(stable(&mut wire, "h"))
    });
    let error = broker.wait_for_group("g", 2, SHORT).unwrap_err();
    assert!(error.seen.starts_with("it is PreparingRebalance with"), "{error}");
    wire.call(&produce(&[("a", 0), ("a", 1)], START), 9);
    wire.call(&commit("i", "a", 0, 0), 8);
    assert_eq!(broker.wait_for_lag("i", 0, SHORT).unwrap_err().seen, "it is 1 behind: 1 in a-0");
    let wanted = WaitFor::Commit { group: "i".to_owned(), topic: "a".to_owned(), partition: 0, offset: 1 };
    assert_eq!(seen(&broker, wanted.clone()), "it has committed 0");
    while_waiting(&broker, wanted, || drop(wire.call(&commit("i", "a", 0, 1), 8)));
    broker.wait_for_lag("i", 0, DEADLINE).unwrap();
    broker.wait_for_commit("i", "a", 0, 1, DEADLINE).unwrap();
}

#[test]
fn for_connections_and_hits() {
    let broker = broker().start().unwrap();
    let rule = broker.faults().add(Fault::on(ApiKey::Produce).delay(Duration::from_micros(10))).unwrap();
    assert_eq!(seen(&broker, WaitFor::Connections { count: 2 }), "0 connections");
    let mut wires = Vec::new();
    while_waiting(&broker, WaitFor::Connections { count: 2 }, || {
        wires = (0..2).map(|_| Wire::connect(&broker)).collect();
    });
    assert_eq!(seen(&broker, WaitFor::Hits { rule, count: 1 }), "0 hits");
    while_waiting(&broker, WaitFor::Hits { rule, count: 1 }, || {
        wires[0].call(&produce(&[("a", 0)], START), 9);
    });
    while_waiting(&broker, WaitFor::Connections { count: 0 }, || wires.clear());
}

#[test]
fn until_nothing_is_under_way() {
    let broker = broker().start().unwrap();
    broker.wait_idle(DEADLINE).unwrap();
    let rule =
        broker.faults().add(Fault::on(ApiKey::Produce).delay_on_clock(Duration::from_secs(9))).unwrap();
    let mut wire = Wire::connect(&broker);
    wire.send(&produce(&[("a", 0)], START), 9);
    broker.wait_for_hits(rule, 1, DEADLINE).unwrap();
    let error = broker.wait_idle(SHORT).unwrap_err();
    assert_eq!(error.seen, "a Produce request of connection 1 is under way");
    while_waiting(&broker, WaitFor::Idle, || broker.advance(Duration::from_secs(9)));
    let mut reader = Wire::connect(&broker);
    reader.send(&fetch(&[("b", 0)], 60_000), 12);
    broker.wait_idle(DEADLINE).unwrap();
    let mut member = Wire::connect(&broker);
    let joined = member.call(&join("g", &StrBytes::default()), 3);
    assert_eq!(joined.error_code, 0);
    assert_eq!(broker.wait_idle(SHORT).unwrap_err().seen, "the group 'g' is CompletingRebalance");
}

#[test]
fn in_a_task_of_any_runtime() {
    let broker = broker().start().unwrap();
    // Without timers, without I/O: the broker's own runtime does the waiting.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let waiting = broker.wait_for_async(WaitFor::Records { topic: "a".to_owned(), count: 1 }, DEADLINE);
    Wire::connect(&broker).call(&produce(&[("a", 0)], START), 9);
    runtime.block_on(waiting).unwrap();
    let began = Instant::now();
    drop(broker.wait_for_async(WaitFor::Connections { count: 99 }, DEADLINE));
    drop(broker);
    assert!(began.elapsed() < DEADLINE, "a wait that was given up holds nobody back");
}
