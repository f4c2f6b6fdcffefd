//! The publisher's own logic, over a library that does as it is told.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::config::{Config, Kind};
use crate::error::ErrorKind;
use crate::fake::Fake;
use crate::runtime;

fn publisher(fake: &Fake, more: Value) -> Publisher {
    let mut map = Config::from_value(json!({ "destination": "kafka://topic/t" })).unwrap().into_map();
    map.extend(Config::from_value(more).unwrap().into_map());
    Publisher::new(&PublisherConfig::read("p", map, Kind::Plain).unwrap(), fake).unwrap()
}

fn hold(fake: &Fake) {
    fake.world.held.lock().insert("t".to_owned());
}

#[test]
fn values_and_all_that_goes_along_arrive() {
    let fake = Fake::default();
    let publisher = publisher(&fake, json!({}));
    publisher.publish(&json!({ "id": 1 })).unwrap();
    publisher.publish("text").unwrap();
    publisher.publish_bytes([1, 2]).unwrap();
    let delivered =
        publisher.send_acknowledged(Message::new("v").key("k").header("h", "x").timestamp(77)).unwrap();
    publisher.send(Message::tombstone("k")).unwrap();
    assert_eq!((delivered.offset, delivered.timestamp), (3, 77));
    let records = fake.world.records("t");
    assert_eq!(records[0].value.as_deref(), Some(&br#"{"id":1}"#[..]));
    assert_eq!(records[2].value.as_deref(), Some(&[1, 2][..]));
    assert_eq!(records[3].key.as_deref(), Some(&b"k"[..]));
    assert_eq!(records[3].headers, vec![("h".to_owned(), Some(bytes::Bytes::from("x")))]);
    assert_eq!(records[4].value, None);
    let details = publisher.details();
    assert_eq!((details.publish_count, details.failed_count, details.queue_depth), (5, 0, 0));
    assert!(details.last_publish.is_some());
}

#[test]
fn what_cannot_be_sent_is_refused_and_not_counted() {
    let fake = Fake::default();
    let publisher = publisher(&fake, json!({ "producer_config": { "max_request_size": 1000 } }));
    let kind = |outcome: Result<(), ClientError>| outcome.unwrap_err().kind();
    assert_eq!(kind(publisher.publish_bytes(vec![0; 1001])), ErrorKind::TooLarge);
    assert_eq!(kind(publisher.publish(&vec!["x"; 500])), ErrorKind::TooLarge);
    assert_eq!(
        kind(publisher.publish(&std::collections::BTreeMap::from([(vec![1], 1)]))),
        ErrorKind::Serialize
    );
    assert_eq!(kind(publisher.send(Message::new("x").partition(-1))), ErrorKind::InvalidArgument);
    assert_eq!(kind(publisher.send(Message::new("x").timestamp(-1))), ErrorKind::InvalidArgument);
    assert_eq!(publisher.details().publish_count, 0);
}

#[test]
fn a_full_buffer_is_waited_for_and_then_an_error() {
    let fake = Fake::default();
    hold(&fake);
    let publisher = publisher(&fake, json!({ "producer_config": { "max_block_ms": 30 } }));
    let library = fake.last_producer.lock().clone().unwrap();
    *library.capacity.lock() = 1;
    publisher.publish("a").unwrap();
    assert_eq!(publisher.publish("b").unwrap_err().kind(), ErrorKind::BufferFull);
    let outcome = runtime::block_on(publisher.publish_async("b")).unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::BufferFull);
    // Room comes while somebody waits.
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| publisher.publish_acknowledged("c"));
        while !waits.is_finished() {
            library.acknowledge();
            std::thread::yield_now();
        }
        assert_eq!(waits.join().unwrap().unwrap().offset, 1);
    });
    assert_eq!(fake.world.values("t"), ["a", "c"]);
}

#[test]
fn a_bound_by_count_is_kept() {
    let fake = Fake::default();
    hold(&fake);
    let config = json!({ "producer_config": { "max_block_ms": 20 }, "confluent_config": { "queue.buffering.max.messages": 2 } });
    let publisher = publisher(&fake, config);
    publisher.publish("a").unwrap();
    publisher.publish("b").unwrap();
    assert_eq!(publisher.publish("c").unwrap_err().kind(), ErrorKind::BufferFull);
    fake.last_producer.lock().clone().unwrap().acknowledge();
    publisher.publish("c").unwrap();
}

#[test]
fn after_the_stop_nothing_is_taken_and_the_report_stays() {
    let fake = Fake::default();
    hold(&fake);
    let publisher = publisher(&fake, json!({}));
    publisher.publish("lost").unwrap();
    let report = publisher.stop_within(Duration::from_millis(10)).unwrap();
    assert_eq!(report.failed_count, 1);
    assert_eq!(report.undelivered[0].value.as_deref(), Some(&b"lost"[..]));
    assert_eq!(report.undelivered[0].reason.kind(), ErrorKind::TimedOut);
    assert_eq!(publisher.publish("x").unwrap_err().kind(), ErrorKind::NotRunning);
    assert_eq!(publisher.clone().stop().unwrap().failed_count, 1);
    assert_eq!(runtime::block_on(publisher.stop_async()).unwrap().unwrap().undelivered.len(), 1);
}

#[test]
fn what_fails_is_told_or_kept() {
    let fake = Fake::default();
    hold(&fake);
    let publisher = publisher(&fake, json!({}));
    let library = fake.last_producer.lock().clone().unwrap();
    publisher.publish("kept").unwrap();
    std::thread::scope(|scope| {
        let told = scope.spawn(|| publisher.publish_acknowledged("told"));
        while publisher.details().queue_depth < 2 {
            std::thread::yield_now();
        }
        library.fail(ErrorKind::Unreachable);
        let error = told.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert!(error.to_string().starts_with("publishing to 't' failed"), "{error}");
    });
    assert_eq!(publisher.details().failed_count, 2);
    assert_eq!(publisher.take_undelivered().len(), 1);
    assert!(publisher.take_undelivered().is_empty());
}

#[test]
fn an_interval_collects_until_enough_wait_or_a_flush() {
    let fake = Fake::default();
    let publisher = publisher(&fake, json!({ "publish_interval": 3600, "batch_size": 3 }));
    publisher.publish("a").unwrap();
    publisher.publish("b").unwrap();
    assert_eq!((fake.world.records("t").len(), publisher.details().queue_depth), (0, 2));
    publisher.flush().unwrap();
    assert_eq!(fake.world.values("t"), ["a", "b"]);
    publisher.publish("c").unwrap();
    publisher.publish("d").unwrap();
    publisher.publish_acknowledged("e").unwrap();
    assert_eq!(fake.world.values("t"), ["a", "b", "c", "d", "e"]);
    publisher.publish("f").unwrap();
    assert_eq!(publisher.stop().unwrap().failed_count, 0);
    assert_eq!(fake.world.values("t").len(), 6);
}

#[test]
fn a_short_interval_publishes_by_itself() {
    let fake = Fake::default();
    let publisher = publisher(&fake, json!({ "publish_interval": 0.005 }));
    assert_eq!(publisher.publish_acknowledged("a").unwrap().offset, 0);
}

#[test]
fn collecting_is_bounded_and_loses_nothing_at_the_stop() {
    let fake = Fake::default();
    hold(&fake);
    let config =
        json!({ "publish_interval": 3600, "producer_config": { "max_block_ms": 20, "buffer_memory": 4 } });
    let publisher = publisher(&fake, config);
    *fake.last_producer.lock().clone().unwrap().capacity.lock() = 1;
    // One goes to the library, one waits before it, and then there is room for one of two bytes more.
    for text in ["aa", "bb", "cc", "dd", "ee", "ff"] {
        if let Err(error) = publisher.publish(text) {
            assert_eq!(error.kind(), ErrorKind::BufferFull);
        }
    }
    let accepted = publisher.details().publish_count;
    assert!((2..6).contains(&accepted), "{accepted}");
    let report = publisher.stop_within(Duration::from_millis(50)).unwrap();
    assert_eq!(report.failed_count, accepted);
    assert_eq!(report.undelivered.len() as u64, accepted);
    let values: Vec<_> = report.undelivered.iter().map(|lost| lost.value.clone().unwrap()).collect();
    assert!(values.contains(&bytes::Bytes::from("aa")));
}

#[test]
fn traces_begin_where_they_are_asked_for() {
    let fake = Fake::default();
    let publisher = publisher(&fake, json!({ "trace_headers": true }));
    publisher.publish("a").unwrap();
    let context = crate::TraceContext::new();
    publisher.send(Message::new("b").trace(&context)).unwrap();
    let records = fake.world.records("t");
    assert!(records[0].trace().is_some());
    assert_eq!(records[1].trace(), Some(context));
}

#[test]
fn serialising_may_publish() {
    struct Chatty(Publisher);
    impl Serialize for Chatty {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.publish("within").map_err(serde::ser::Error::custom)?;
            serializer.serialize_u8(1)
        }
    }
    let fake = Fake::default();
    let publisher = publisher(&fake, json!({}));
    publisher.publish(&Chatty(publisher.clone())).unwrap();
    assert!(fake.world.values("t").contains(&"1".to_owned()));
}

#[test]
fn futures_can_be_sent_to_other_threads_and_need_no_runtime() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let fake = Fake::default();
    let publisher = Arc::new(publisher(&fake, json!({})));
    let delivered =
        runtime::block_on(is_send(publisher.publish_acknowledged_async(&json!([1])))).unwrap().unwrap();
    assert_eq!(delivered.offset, 0);
    runtime::block_on(is_send(publisher.flush_async())).unwrap().unwrap();
    runtime::block_on(is_send(publisher.stop_async())).unwrap().unwrap();
}
