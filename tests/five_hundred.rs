//! Five hundred tests, each with a broker of its own that it publishes to and reads from: what a large suite of somebody who
//! uses Klamm looks like to the machine. Ten kinds of tests, each with fifty numbers that make it another.
//!
//! `cargo test --release --test five_hundred` says how long all of them took.

// All of it is tests, helpers included: what cannot be unwrapped fails one.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use klamm::testing::{Builder, TestBroker};
use klamm::{ApiKey, Fault, Message, ResponseError, Subscriber};

/// How long a test waits for what must happen. Long, because the machine may be busy; never slept through.
const DEADLINE: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(60 * 60);

fn broker() -> Builder {
    klamm::testing::broker().patience(DEADLINE)
}

/// Reads these values, in this order.
#[track_caller]
fn reads(subscriber: &Subscriber, wanted: impl IntoIterator<Item = u64>) {
    for wanted in wanted {
        let read: Option<u64> = subscriber.get_data(DEADLINE).unwrap();
        assert_eq!(read, Some(wanted));
    }
}

fn publish(broker: &TestBroker, topic: &str, values: std::ops::Range<u64>) {
    let publisher = broker.publisher(topic);
    values.for_each(|value| publisher.publish(&value).unwrap());
    assert_eq!(publisher.stop().unwrap().failed_count, 0);
}

/// What is published is read, in its order.
fn read_in_order(n: u64) {
    let broker = broker().topic("orders", 1).start();
    publish(&broker, "orders", 0..10 + n);
    reads(&broker.subscriber("orders"), 0..10 + n);
}

/// Records of a key stay in their partition, and in their order.
fn ordered_by_key(n: u64) {
    let partitions = 1 + i32::try_from(n % 8).unwrap();
    let broker = broker().topic("orders", partitions).start();
    let publisher = broker.publisher("orders");
    for value in 0..40_u64 {
        publisher.send(Message::new(&value).key(&format!("{}", value % (1 + n)))).unwrap();
    }
    assert_eq!(publisher.stop().unwrap().failed_count, 0);
    let records = broker.records("orders");
    for key in 0..1 + n {
        let of_key: Vec<_> =
            records.iter().filter(|record| record.key_text() == Some(&key.to_string())).collect();
        let values: Vec<u64> =
            of_key.iter().map(|record| record.value_text().unwrap().parse().unwrap()).collect();
        assert_eq!(values, (key..40).step_by(usize::try_from(1 + n).unwrap()).collect::<Vec<_>>());
        assert!(of_key.windows(2).all(|pair| pair[0].partition == pair[1].partition));
    }
}

/// A group goes on from what it has committed.
fn committed(n: u64) {
    let broker = broker().topic("orders", 1).start();
    publish(&broker, "orders", 0..2 + n);
    let first = broker.subscriber_in("billing", "orders");
    reads(&first, 0..1 + n / 2);
    first.stop().unwrap();
    let offset = i64::try_from(1 + n / 2).unwrap();
    broker.wait_for_commit("billing", "orders", 0, offset);
    let second = broker.subscriber_in("billing", "orders");
    reads(&second, 1 + n / 2..2 + n);
    second.stop().unwrap();
    broker.wait_for_lag("billing", 0);
}

/// Records are there as long as they are to be kept, and then gone.
fn retained(n: u64) {
    let hours = 1 + n;
    let broker = broker()
        .topic("orders", 1)
        .config("log.retention.ms", format!("{}", hours * 3_600_000))
        .config("log.roll.ms", "600000")
        .start();
    publish(&broker, "orders", 0..n % 7 + 1);
    broker.advance(HOUR * u32::try_from(hours - 1).unwrap() + HOUR / 2);
    assert_eq!(broker.values::<u64>("orders"), (0..n % 7 + 1).collect::<Vec<_>>());
    broker.advance(HOUR);
    assert_eq!(broker.records("orders"), []);
}

/// A member whose session runs out is out.
fn timed_out(n: u64) {
    let broker = broker().topic("orders", 1 + i32::try_from(n % 3).unwrap()).start();
    let subscriber = broker.subscriber("orders");
    broker.wait_for_group("test", 1);
    broker.publish("orders", &n);
    reads(&subscriber, [n]);
    let before = broker.group("test").unwrap().members;
    broker.advance(Duration::from_secs(5 * 60 + n));
    let after = broker.group("test").unwrap().members;
    assert!(after.iter().all(|member| member.id != before[0].id), "{after:?}");
}

/// Errors that pass are survived, and nothing comes twice.
fn refused_for_a_while(n: u64) {
    const PASSING: [ResponseError; 5] = [
        ResponseError::NotLeaderOrFollower,
        ResponseError::LeaderNotAvailable,
        ResponseError::NotEnoughReplicas,
        ResponseError::UnknownTopicOrPartition,
        ResponseError::KafkaStorageError,
    ];
    let error = PASSING[usize::try_from(n % 5).unwrap()];
    let broker = broker().topic("orders", 1).start();
    let rule = broker.fault(Fault::on(ApiKey::Produce).nth(1 + n % 3).error(error));
    for value in 0..4 {
        broker.publish("orders", &value);
    }
    assert_eq!(broker.hits(rule), 1);
    assert_eq!(broker.values::<u64>("orders"), [0, 1, 2, 3]);
    reads(&broker.subscriber("orders"), 0..4);
}

/// An acknowledgement that is lost, or cut in the middle, has nothing come twice.
fn acknowledgement_lost(n: u64) {
    let broker = broker().topic("orders", 1).seed(n).start();
    let fault = Fault::on(ApiKey::Produce).nth(1 + n % 4);
    let fault = if n.is_multiple_of(2) {
        fault.close_before_answer()
    } else {
        fault.truncate(4 + usize::try_from(n).unwrap() % 30)
    };
    let rule = broker.fault(fault);
    for value in 0..5 {
        broker.publish("orders", &value);
    }
    assert_eq!(broker.hits(rule), 1);
    reads(&broker.subscriber("orders"), 0..5);
    assert_eq!(broker.records("orders").len(), 5);
}

/// Back to a snapshot, and forth in a fork.
fn taken_back(n: u64) {
    let broker = broker().topic("orders", 1).start();
    publish(&broker, "orders", 0..1 + n);
    let before = broker.snapshot();
    let fork = broker.fork();
    broker.publish("orders", "too much");
    fork.publish("orders", &(1 + n));
    broker.restore(&before);
    assert_eq!(broker.values::<u64>("orders"), (0..1 + n).collect::<Vec<_>>());
    reads(&fork.subscriber("orders"), 0..2 + n);
    broker.reset();
    assert_eq!(broker.records("orders"), []);
}

/// The same seed gives the same ids; another one gives others.
fn seeded(n: u64) {
    let run = |seed| {
        let broker = broker().topic("orders", 1).seed(seed).start();
        let subscriber = broker.subscriber("orders");
        broker.publish("orders", &n);
        reads(&subscriber, [n]);
        let member = broker.group("test").unwrap().members[0].id.clone();
        (broker.topics().into_iter().map(|topic| topic.id).collect::<Vec<_>>(), member)
    };
    let first = run(n);
    assert_eq!(first, run(n));
    assert_ne!(first, run(n + 1));
}

/// In a task, on a runtime of one thread.
fn in_a_task(n: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let broker = broker().topic("orders", 1).start_async().await;
        let subscriber = broker.subscriber("orders");
        for value in 0..1 + n % 5 {
            broker.publish("orders", &value).await;
        }
        for value in 0..1 + n % 5 {
            let read: Option<u64> = subscriber.get_data_async(DEADLINE).await.unwrap();
            assert_eq!(read, Some(value));
        }
        subscriber.stop_async().await.unwrap();
        broker.wait_for_lag("test", 0).await;
    });
}

macro_rules! tests {
    ($($kind:ident)*) => {
        $(tests! { @ $kind
            n00 0 n01 1 n02 2 n03 3 n04 4 n05 5 n06 6 n07 7 n08 8 n09 9 n10 10 n11 11 n12 12 n13 13 n14 14 n15 15
            n16 16 n17 17 n18 18 n19 19 n20 20 n21 21 n22 22 n23 23 n24 24 n25 25 n26 26 n27 27 n28 28 n29 29 n30 30
            n31 31 n32 32 n33 33 n34 34 n35 35 n36 36 n37 37 n38 38 n39 39 n40 40 n41 41 n42 42 n43 43 n44 44 n45 45
            n46 46 n47 47 n48 48 n49 49
        })*
    };
    (@ $kind:ident $($name:ident $n:literal)*) => {
        mod $kind {
            $(#[test]
            fn $name() {
                super::$kind($n);
            })*
        }
    };
}

tests! {
    read_in_order ordered_by_key committed retained timed_out refused_for_a_while acknowledgement_lost taken_back seeded
    in_a_task
}
