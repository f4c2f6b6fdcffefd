//! Time with clients attached that know nothing of it: what falls due has happened when `advance` returns, and the clients go on.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use klamm::testing::TestBroker;
use klamm::{Publisher, Subscriber, create_publisher, create_subscriber};
use serde_json::{Value, json};

use crate::harness::DEADLINE;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A broker with a topic of one partition, whose waits are as patient as the suite's.
fn broker() -> klamm::testing::Builder {
    klamm::testing::broker().topic("orders", 1).patience(DEADLINE)
}

/// A member of a group that notices within a moment what has become of it.
fn member(broker: &TestBroker, group: &str, more: Value) -> Subscriber {
    let mut config = json!({
        "auto_offset_reset": "earliest",
        "session_timeout_ms": 45_000,
        "heartbeat_interval_ms": 50,
        "fetch_max_wait_ms": 50,
        "auto_commit_interval_ms": 50,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    let subscriber = create_subscriber(
        "member",
        json!({
            "source": "kafka://topic/orders",
            "bootstrap_servers": broker.bootstrap_servers(),
            "group_id": group,
            "consumer_config": config,
        }),
    );
    let subscriber = subscriber.unwrap();
    subscriber.start().unwrap();
    subscriber
}

fn publisher(broker: &TestBroker, acks: &str) -> Publisher {
    create_publisher(
        "shop",
        json!({
            "destination": "kafka://topic/orders",
            "bootstrap_servers": broker.bootstrap_servers(),
            "producer_config": { "acks": acks },
        }),
    )
    .unwrap()
}

#[track_caller]
fn reads(subscriber: &Subscriber, wanted: &str) {
    let read: Option<String> = subscriber.get_data(DEADLINE).unwrap();
    assert_eq!(read.as_deref(), Some(wanted));
}

#[test]
fn a_member_whose_session_runs_out_is_out_at_once_and_comes_back_by_itself() {
    let broker = broker().start();
    let subscriber = member(&broker, "g", json!({}));
    broker.wait_for_group("g", 1);
    broker.publish("orders", "before");
    reads(&subscriber, "before");
    broker.wait_for_lag("g", 0);
    let before = broker.group("g").unwrap();
    broker.advance(Duration::from_secs(45));
    // Without a wait: it has happened. But it may have come back by now.
    let after = broker.group("g").unwrap();
    assert!(after.members.iter().all(|member| member.id != before.members[0].id), "{after:?}");
    broker.wait_for_group("g", 1);
    assert!(broker.group("g").unwrap().generation > before.generation);
    broker.publish("orders", "after");
    reads(&subscriber, "after");
}

#[test]
fn members_that_stay_take_over_from_one_whose_session_runs_out() {
    let broker = klamm::testing::broker().topic("orders", 4).patience(DEADLINE).start();
    let (long, short) = (json!({ "session_timeout_ms": 1_800_000 }), json!({ "session_timeout_ms": 6_000 }));
    let stays = member(&broker, "g", long);
    let goes = member(&broker, "g", short);
    broker.wait_for_group("g", 2);
    let of_two = broker.group("g").unwrap();
    assert!(of_two.members.iter().all(|member| member.assignment[0].partitions.len() == 2), "{of_two:?}");
    // Its heartbeats come by its own real time, and so none between the two.
    broker.advance(Duration::from_secs(6));
    let left = broker.group("g").unwrap().members;
    let is_there = |member: &klamm::look::Member| left.iter().any(|other| other.id == member.id);
    assert_eq!(of_two.members.iter().filter(|member| is_there(member)).count(), 1, "{left:?}");
    goes.stop().unwrap();
    broker.wait_for_group("g", 1);
    let left = broker.group("g").unwrap();
    assert_eq!(left.members[0].assignment[0].partitions, [0, 1, 2, 3]);
    drop(stays);
}

#[test]
fn a_static_member_keeps_its_place_until_its_session_runs_out() {
    let broker = broker().start();
    let named = || json!({ "group_instance_id": "till-1" });
    let first = member(&broker, "g", named());
    broker.wait_for_group("g", 1);
    let before = broker.group("g").unwrap();
    first.stop().unwrap();
    // It has stopped, and its place is kept.
    broker.advance(Duration::from_secs(44));
    let kept = broker.group("g").unwrap();
    assert_eq!((kept.members.len(), kept.generation), (1, before.generation));
    assert_eq!(kept.members[0].instance_id.as_deref(), Some("till-1"));
    // Back in time, it goes on without a rebalance.
    let again = member(&broker, "g", named());
    broker.publish("orders", "a lamp");
    reads(&again, "a lamp");
    assert_eq!(broker.group("g").unwrap().generation, before.generation);
    again.stop().unwrap();
    broker.advance(Duration::from_secs(45));
    assert_eq!(broker.group("g").unwrap().members, []);
}

#[test]
fn retention_takes_what_was_read_and_what_was_not_and_readers_go_on() {
    let broker = broker().start();
    let (reader, sleeper) = (member(&broker, "reads", json!({})), member(&broker, "sleeps", json!({})));
    broker.publish("orders", "old");
    reads(&reader, "old");
    // Its session runs out on the way: what it has committed is not read again, whenever it is back.
    reader.commit().unwrap();
    sleeper.stop().unwrap();
    broker.advance(8 * DAY);
    assert_eq!(broker.texts("orders"), [] as [&str; 0]);
    assert_eq!(broker.topics()[1].partitions[0].log_start_offset, 1, "{:?}", broker.topics());
    broker.publish("orders", "new");
    reads(&reader, "new");
    // It had read nothing, and begins with what is left.
    sleeper.start().unwrap();
    reads(&sleeper, "new");
}

#[test]
fn a_group_that_was_away_for_too_long_begins_anew() {
    let broker = broker().config("log.retention.ms", "-1").start();
    broker.publish("orders", "a lamp");
    let read_once = || {
        let subscriber = member(&broker, "g", json!({}));
        reads(&subscriber, "a lamp");
        subscriber.stop().unwrap();
    };
    read_once();
    assert_eq!(broker.committed("g", "orders", 0), Some(1));
    broker.advance(7 * DAY - HOUR);
    assert_eq!(broker.committed("g", "orders", 0), Some(1), "offsets are kept for seven days");
    broker.advance(HOUR + Duration::from_secs(600));
    assert_eq!((broker.committed("g", "orders", 0), broker.group("g")), (None, None));
    read_once();
}

#[test]
fn offsets_of_a_group_with_members_do_not_expire() {
    let broker = broker().start();
    let subscriber = member(&broker, "g", json!({ "session_timeout_ms": 1_800_000 }));
    broker.publish("orders", "a lamp");
    reads(&subscriber, "a lamp");
    broker.wait_for_commit("g", "orders", 0, 1);
    let beats = || {
        let requests = broker.requests(klamm::ApiKey::Heartbeat);
        crate::harness::wait_for("a heartbeat", || {
            (broker.requests(klamm::ApiKey::Heartbeat) > requests + 1).then_some(())
        });
    };
    // A quarter of an hour and a heartbeat, for nine days and some: no session runs out.
    for _ in 0..16 {
        beats();
        broker.advance(Duration::from_secs(15 * 60));
    }
    assert_eq!(broker.group("g").unwrap().state, "Stable");
    assert_eq!(broker.committed("g", "orders", 0), Some(1));
}

#[test]
fn an_idempotent_publisher_that_was_forgotten_goes_on_without_a_loss_and_without_a_double() {
    let broker = broker().config("log.retention.ms", "-1").start();
    let publisher = publisher(&broker, "all");
    for order in 0..3_u32 {
        publisher.publish_acknowledged(&order).unwrap();
        // The ids of producers that are not heard of are forgotten after a day.
        broker.advance(2 * DAY);
    }
    assert_eq!(broker.values::<u32>("orders"), [0, 1, 2]);
    assert_eq!(publisher.stop().unwrap().failed_count, 0);
}

#[test]
fn records_that_the_broker_stamps_have_its_time() {
    let broker = broker().config("log.message.timestamp.type", "LogAppendTime").start();
    let began = broker.clock().now_ms();
    broker.publish("orders", "first");
    broker.advance(HOUR);
    broker.publish("orders", "second");
    let stamps: Vec<_> = broker.records("orders").iter().map(|record| record.timestamp_ms - began).collect();
    assert_eq!(stamps, [0, 3_600_000]);
    // And a time in between finds the second.
    let subscriber = member(&broker, "g", json!({}));
    reads(&subscriber, "first");
    subscriber.replay(klamm::StartAt::Time(began + 1)).unwrap();
    reads(&subscriber, "second");
}

/// A consumer of librdkafka, in a process of its own, that prints what it reads.
struct Follower {
    process: Child,
    values: Receiver<String>,
}

impl Follower {
    /// None where it is not installed, which CI does not accept.
    fn start(broker: &TestBroker) -> Option<Follower> {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        let python = peers.join(".cache/python/confluent/bin/python");
        if !python.exists() {
            assert!(std::env::var_os("CI").is_none(), "CI needs python: run tests/peers/setup python");
            println!("ignored: needs python (tests/peers/setup python)");
            return None;
        }
        let mut process = Command::new(python)
            .arg(peers.join("snapshots/follow.py"))
            .arg("confluent")
            .env("BOOTSTRAP_SERVERS", broker.bootstrap_servers())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, values) = channel();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).all(|line| to.send(line).is_ok()));
        Some(Follower { process, values })
    }

    #[track_caller]
    fn expect(&self, wanted: &str) {
        assert_eq!(self.values.recv_timeout(DEADLINE).as_deref(), Ok(wanted));
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn librdkafka_lives_through_a_session_that_ran_out_and_eight_days_of_retention() {
    let broker = klamm::testing::broker().topic("followed", 1).patience(DEADLINE).start();
    let Some(follower) = Follower::start(&broker) else { return };
    broker.publish("followed", "before");
    follower.expect("before");
    let before = broker.group("followers").unwrap();
    broker.advance(Duration::from_secs(6));
    let after = broker.group("followers").unwrap();
    assert!(after.members.iter().all(|member| member.id != before.members[0].id), "{after:?}");
    broker.wait_for_group("followers", 1);
    broker.publish("followed", "after the session");
    follower.expect("after the session");
    broker.advance(8 * DAY);
    assert_eq!(broker.records("followed"), []);
    broker.publish("followed", "after eight days");
    follower.expect("after eight days");
}
