//! What resilient producers and consumers add, over a library that does as it is told and a port that nobody listens at.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::config::{Config, Kind, PublisherConfig, SubscriberConfig};
use crate::error::{ClientError, ErrorKind};
use crate::fake::Fake;

const SOON: Duration = Duration::from_secs(20);

/// An address that nobody listens at any more.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn producer(fake: &Arc<Fake>, address: &str, more: Value) -> ResilientProducer {
    let mut map = Config::from_value(json!({
        "destination": "kafka://topic/t", "bootstrap_servers": address, "reconnect_interval_seconds": 0.02,
    }))
    .unwrap()
    .into_map();
    map.extend(Config::from_value(more).unwrap().into_map());
    let config = PublisherConfig::read("p", map, Kind::Resilient).unwrap();
    ResilientProducer::new(config, Arc::clone(fake) as _).unwrap()
}

fn until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::yield_now();
    }
}

#[test]
fn what_is_accepted_while_nobody_answers_is_kept_in_order_with_the_reason() {
    let fake = Arc::new(Fake::default());
    fake.world.held.lock().insert("t".to_owned());
    let producer = producer(&fake, &nobody(), json!({ "reconnect_tries": 2, "buffer_max_messages": 3 }));
    for text in ["a", "b", "c"] {
        producer.publish(text).unwrap();
    }
    // The fourth has it looked for the broker, and is an error once that is known to be away.
    let full = producer.publish("d").unwrap_err();
    assert_eq!(full.kind(), ErrorKind::BufferFull);
    until(|| producer.details().unsent == 3);
    let unsent = producer.unsent();
    let values: Vec<_> = unsent.iter().map(|lost| lost.value.clone().unwrap()).collect();
    assert_eq!(values, ["a", "b", "c"]);
    assert_eq!(unsent[0].reason.kind(), ErrorKind::Unreachable);
    assert!(unsent[0].reason.to_string().contains("2 tries"), "{}", unsent[0].reason);
    // Nothing is taken in while as many unsent ones are kept.
    assert_eq!(producer.publish("e").unwrap_err().kind(), ErrorKind::BufferFull);

    fake.world.held.lock().clear();
    assert_eq!(producer.resend().unwrap(), 3);
    producer.publish("e").unwrap();
    assert_eq!(fake.world.values("t"), ["a", "b", "c", "e"]);
    assert_eq!(producer.stop().unwrap().failed_count, 0);
}

#[test]
fn a_broker_that_comes_back_gets_everything() {
    let fake = Arc::new(Fake::default());
    fake.world.held.lock().insert("t".to_owned());
    let address = nobody();
    let producer = producer(&fake, &address, json!({ "reconnect_tries": 100_000 }));
    producer.publish("a").unwrap();
    until(|| !producer.details().connected);
    let _listener = TcpListener::bind(&address).unwrap();
    until(|| producer.details().connected);
    fake.last_producer.lock().clone().unwrap().acknowledge();
    producer.flush(SOON).unwrap();
    let details = producer.details();
    assert_eq!((details.sent, details.buffered, details.unsent), (1, 0, 0));
}

#[test]
fn a_library_is_told_to_try_on_and_to_keep_the_order() {
    let fake = Arc::new(Fake::default());
    let _producer = producer(&fake, &nobody(), json!({ "producer_config": { "acks": 1 } }));
    let setup = fake.producers.lock()[0].clone();
    assert_eq!((setup.producer.max_in_flight, setup.producer.retries), (1, i32::MAX as u32));
    assert!(setup.producer.delivery_timeout > Duration::from_secs(86_400));
}

#[test]
fn what_cannot_be_sent_at_all_is_unsent_and_a_stop_reports_it() {
    let fake = Arc::new(Fake::default());
    fake.world.held.lock().insert("t".to_owned());
    let producer = producer(&fake, &nobody(), json!({ "reconnect_tries": 1_000_000 }));
    producer.publish("refused").unwrap();
    fake.last_producer.lock().clone().unwrap().fail(ErrorKind::Authentication);
    assert_eq!(producer.unsent()[0].reason.kind(), ErrorKind::Authentication);
    producer.publish("late").unwrap();
    let report = producer.stop_within(Duration::from_millis(20)).unwrap();
    assert_eq!((report.undelivered.len(), report.failed_count), (2, 2));
    assert_eq!(report.undelivered[1].reason.kind(), ErrorKind::TimedOut);
    assert_eq!(producer.publish("x").unwrap_err().kind(), ErrorKind::NotRunning);
    assert_eq!(producer.stop().unwrap().failed_count, 2);
}

fn consumer(fake: &Arc<Fake>, address: &str, tries: u32) -> ResilientConsumer {
    let map = Config::from_value(json!({
        "source": "kafka://topic/t", "bootstrap_servers": address, "reconnect_interval_seconds": 0.01,
        "reconnect_tries": tries,
    }))
    .unwrap()
    .into_map();
    let config = SubscriberConfig::read("c", map, Kind::Resilient).unwrap();
    ResilientConsumer::new(config, Arc::clone(fake) as _).unwrap()
}

fn gone() -> ClientError {
    ClientError::new(ErrorKind::Disconnected, "fetching", "the test says so")
}

#[test]
fn errors_that_pass_are_waited_out() {
    let fake = Arc::new(Fake::default());
    let consumer = consumer(&fake, &nobody(), 100_000);
    consumer.start().unwrap();
    fake.last_consumer.lock().clone().unwrap().errors.lock().push_back(gone());
    assert_eq!(consumer.get_data::<u8>(Duration::from_millis(30)).unwrap(), None);
    assert!(!consumer.is_connected());
    fake.world.append("t", "1");
    assert_eq!(consumer.get_data::<u8>(SOON).unwrap(), Some(1));
    assert!(consumer.is_connected());
    consumer.stop().unwrap();
}

#[test]
fn after_the_last_try_it_is_an_error_once() {
    let fake = Arc::new(Fake::default());
    let consumer = consumer(&fake, &nobody(), 2);
    consumer.start().unwrap();
    fake.last_consumer.lock().clone().unwrap().errors.lock().push_back(gone());
    let error = consumer.get_data::<u8>(SOON).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("2 tries"), "{error}");
    assert_eq!(consumer.get_record(Duration::from_millis(5)).unwrap(), None);
}

#[test]
fn what_does_not_pass_is_told_at_once() {
    let fake = Arc::new(Fake::default());
    let consumer = consumer(&fake, &nobody(), 2);
    consumer.start().unwrap();
    let refused = ClientError::new(ErrorKind::Authentication, "connecting", "the test says so");
    fake.last_consumer.lock().clone().unwrap().errors.lock().push_back(refused);
    assert_eq!(consumer.get_data::<u8>(SOON).unwrap_err().kind(), ErrorKind::Authentication);
}
