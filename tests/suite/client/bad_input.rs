//! What cannot be: each is an error of its kind, says what to do, and loses nothing that was accepted.

use std::collections::HashMap;
use std::time::Duration;

use klamm_client::{ClientError, ErrorKind, create_publisher, create_subscriber};
use serde_json::{Value, json};

use super::place::{Place, merged, unique};
use crate::harness::DEADLINE;

super::over_each_library! {
    configs_that_cannot_be
    a_broker_that_is_not_there
    a_full_buffer
    values_that_do_not_serialise
}

fn nowhere() -> String {
    // Nobody listens there any more.
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn says(error: &ClientError, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    let said = error.to_string();
    for word in words {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
}

fn configs_that_cannot_be(library: &'static str) {
    let place = Place::at(library, "localhost:1");
    let publishing = |more: Value| create_publisher("bad", place.publishing("orders", more)).map(drop);
    let subscribing = |more: Value| {
        let config = place.subscribing("orders", "group", more);
        create_subscriber("bad", config).and_then(|subscriber| subscriber.start())
    };
    let error = publishing(json!({ "publish_intervall": 1 })).unwrap_err();
    says(&error, ErrorKind::Config, &["publish_intervall", "publish_interval"]);
    let error = publishing(json!({ "producer_config": { "linger": 5 } })).unwrap_err();
    says(&error, ErrorKind::Config, &["linger", "linger_ms"]);
    let error = publishing(json!({ "producer_config": { "acks": "most" } })).unwrap_err();
    says(&error, ErrorKind::Config, &["acks", "most"]);
    let error = publishing(json!({ "producer_config": { "linger_ms": "soon" } })).unwrap_err();
    says(&error, ErrorKind::Config, &["linger_ms", "soon"]);
    let error = publishing(json!({ "kafka_library": "carrier pigeon" })).unwrap_err();
    says(&error, ErrorKind::Config, &["carrier pigeon", "native"]);
    for (destination, words) in [
        ("kafka://queue/x", "kafka://topic/"),
        ("kafka://topic/", "the topic's name is empty"),
        ("kafka://topic/a b", "a b"),
        ("amqp://topic/x", "kafka://topic/"),
        ("", "kafka://topic/"),
    ] {
        let error = publishing(json!({ "destination": destination })).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::InvalidArgument), "{error}");
        says(&error, error.kind(), &[words]);
    }
    let error = subscribing(json!({ "consumer_config": { "session_timeout_ms": -1 } })).unwrap_err();
    says(&error, ErrorKind::Config, &["session_timeout_ms"]);
    let error = subscribing(json!({ "consumer_config": { "auto_offset_reset": "middle" } })).unwrap_err();
    says(&error, ErrorKind::Config, &["auto_offset_reset", "middle"]);
    let error = subscribing(json!({ "max_depth": "many" })).unwrap_err();
    says(&error, ErrorKind::Config, &["max_depth"]);
    if library == "rdkafka" {
        let sticky = json!({ "consumer_config": { "partition_assignment_strategy": ["sticky"] } });
        let error = subscribing(sticky).unwrap_err();
        says(&error, ErrorKind::Unsupported, &["partition_assignment_strategy", "native"]);
    }
}

fn a_broker_that_is_not_there(library: &'static str) {
    let place = Place::at(library, &nowhere());
    let short = json!({ "producer_config": {
        "max_block_ms": 200, "delivery_timeout_ms": 400, "request_timeout_ms": 200,
    } });
    let publisher = place.publisher("orders", short);
    let error = publisher.publish_acknowledged(&1).unwrap_err();
    assert!(error.is_retriable(), "{error}");
    let report = publisher.stop().unwrap();
    assert!(report.undelivered.is_empty(), "its publisher was told");
    let subscriber = place.subscriber("orders", "group", json!({}));
    let error = subscriber.get_record(DEADLINE).expect_err("it is told that there is no broker");
    says(&error, ErrorKind::Unreachable, &["bootstrap_servers"]);
    drop(subscriber);
}

fn a_full_buffer(library: &'static str) {
    let place = Place::at(library, &nowhere());
    let small =
        json!({ "producer_config": { "buffer_memory": 20_000, "batch_size": 1000, "max_block_ms": 50 } });
    let publisher = place.publisher("orders", small);
    let value = "x".repeat(1000);
    let mut accepted = 0;
    let error = loop {
        match publisher.publish(&format!("{accepted} {value}")) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 100);
    };
    says(&error, ErrorKind::BufferFull, &[]);
    assert!(error.is_retriable() && accepted > 5);
    let report = publisher.stop_within(Duration::from_millis(10)).unwrap();
    assert_eq!(report.failed_count, accepted);
    assert_eq!(report.undelivered.len() as u64, accepted, "what was accepted comes back");
    for (n, one) in report.undelivered.iter().enumerate() {
        assert!(one.value.as_ref().unwrap().starts_with(format!("{n} ").as_bytes()), "in order");
    }
}

fn values_that_do_not_serialise(library: &'static str) {
    let place = Place::embedded(library);
    let topic = place.topic(1);
    let publisher = place.publisher(&topic, merged(json!({}), Value::Null));
    // JSON has no keys that are lists.
    let error = publisher.publish(&HashMap::from([(vec![1], 1)])).unwrap_err();
    says(&error, ErrorKind::Serialize, &[]);
    publisher.publish(&1).unwrap();
    assert_eq!(publisher.stop().unwrap().failed_count, 0);
    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    assert_eq!(super::place::numbers(&subscriber, 1), [1]);
}
