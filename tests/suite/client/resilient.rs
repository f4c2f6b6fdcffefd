//! Producers and consumers that outlast their broker: it is killed and started again underneath them.

use std::time::{Duration, Instant};

use klamm_client::ErrorKind;
use serde_json::json;

use super::place::{Place, create_topic, number, unique};
use crate::harness::{DEADLINE, Process};

super::over_each_library! {
    order_is_kept_and_nothing_lost_over_kills
    what_is_too_much_while_the_broker_is_away_is_refused
}

fn order_is_kept_and_nothing_lost_over_kills(library: &'static str) {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Process::start(folder.path(), "127.0.0.1:0", &[]);
    let address = broker.address.clone();
    let (topic, place) = (unique("topic"), Place::at(library, &address));
    create_topic(&address, &topic, 1);
    let again = json!({ "reconnect_tries": 1000, "reconnect_interval_seconds": 0.05 });
    let config = place.publishing(&topic, again.clone());
    let producer = klamm_client::create_resilient_producer("suite", config).unwrap();
    let config = place.subscribing(&topic, &unique("group"), again);
    let consumer = klamm_client::create_resilient_consumer(&topic, config).unwrap();
    consumer.start().unwrap();

    let (mut published, mut seen) = (0_u64, Vec::new());
    for round in 0..4_u64 {
        for _ in 0..200 {
            producer.publish(&published).unwrap();
            published += 1;
        }
        // Some before the broker goes, the rest over what comes after.
        read_up_to(&consumer, &mut seen, round * 300 + 50);
        consumer.commit().or_else(|error| if error.is_retriable() { Ok(()) } else { Err(error) }).unwrap();
        broker.kill();
        for _ in 0..100 {
            producer.publish(&published).unwrap();
            published += 1;
        }
        broker = Process::start(folder.path(), &address, &[]);
    }
    producer.flush(DEADLINE).unwrap();
    read_up_to(&consumer, &mut seen, published);
    assert!(producer.unsent().is_empty());
    let mut first_times = Vec::new();
    for number in seen {
        if first_times.last().is_none_or(|last| number > *last) {
            first_times.push(number);
        }
    }
    assert_eq!(first_times, (0..published).collect::<Vec<_>>(), "in order, and none is missing");
    assert!(consumer.is_connected());
    consumer.stop().unwrap();
    assert_eq!(producer.stop().unwrap().failed_count, 0);

    // What is in the log, each number once: an idempotent producer's retries leave no second copy.
    let place = Place::at(library, &broker.address);
    let log = super::place::numbers(&place.subscriber(&topic, &unique("group"), json!({})), 1200);
    let mut once = log.clone();
    once.dedup();
    assert_eq!(once, (0..published).collect::<Vec<_>>());
}

/// Reads until this many different numbers have come.
fn read_up_to(consumer: &klamm_client::ResilientConsumer, seen: &mut Vec<u64>, count: u64) {
    let deadline = Instant::now() + DEADLINE;
    while seen.iter().max().is_none_or(|last| last + 1 < count) {
        assert!(
            Instant::now() < deadline,
            "{count} are to come, and the last that came was {:?}",
            seen.last()
        );
        if let Some(record) = consumer.get_record(Duration::from_millis(200)).unwrap() {
            seen.push(number(&record));
        }
    }
}

fn what_is_too_much_while_the_broker_is_away_is_refused(library: &'static str) {
    let mut broker = Process::start_in_memory("127.0.0.1:0", &[]);
    let place = Place::at(library, &broker.address);
    broker.kill();
    let more = json!({
        "buffer_max_messages": 5,
        "reconnect_tries": 2,
        "reconnect_interval_seconds": 0.05,
        "producer_config": { "max_block_ms": 50 },
    });
    let config = place.publishing("topic", more);
    let producer = klamm_client::create_resilient_producer("suite", config).unwrap();
    let mut accepted = Vec::new();
    let refused = (0..100).find_map(|n| match producer.publish(&n) {
        Ok(()) => {
            accepted.push(n.to_string());
            None
        }
        Err(error) => Some(error),
    });
    let refused = refused.expect("the buffer is bounded");
    assert_eq!(refused.kind(), ErrorKind::BufferFull, "{refused}");
    assert!((5..=10).contains(&accepted.len()), "{}", accepted.len());
    let report = producer.stop_within(Duration::from_secs(2)).unwrap();
    let kept: Vec<_> = report.undelivered.iter().map(|one| one.value.clone().unwrap()).collect();
    assert_eq!(kept, accepted, "what was accepted and not sent is kept, in order, with the reason");
    assert!(report.undelivered.iter().all(|one| !one.reason.to_string().is_empty()));
}
