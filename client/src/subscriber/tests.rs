//! The subscriber's own logic, over a library that does as it is told.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use serde_json::{Value, json};

use super::*;
use crate::backend::RebalanceListener;
use crate::config::{Config, Kind};
use crate::fake::Fake;
use crate::record::TopicPartition;
use crate::runtime;

const SOON: Duration = Duration::from_secs(20);

fn subscriber(fake: &Arc<Fake>, more: Value) -> Subscriber {
    let mut map = Config::from_value(json!({ "source": "kafka://topic/t" })).unwrap().into_map();
    map.extend(Config::from_value(more).unwrap().into_map());
    let config = SubscriberConfig::read("s", map, Kind::Plain).unwrap();
    Subscriber::new(config, Arc::clone(fake) as _).unwrap()
}

#[test]
fn values_come_in_order_and_time_runs_out() {
    let fake = Arc::new(Fake::default());
    let subscriber = subscriber(&fake, json!({}));
    assert_eq!(subscriber.get_data::<Value>(SOON).unwrap_err().kind(), ErrorKind::NotRunning);
    subscriber.start().unwrap();
    assert_eq!(subscriber.start().unwrap_err().kind(), ErrorKind::AlreadyRunning);
    assert_eq!(subscriber.get_data::<Value>(Duration::from_millis(5)).unwrap(), None);
    fake.world.append("t", "1");
    fake.world.append("t", "\"two\"");
    assert_eq!(subscriber.get_data::<u8>(SOON).unwrap(), Some(1));
    let record = subscriber.get_record(SOON).unwrap().unwrap();
    assert_eq!((record.offset, subscriber.decode::<Value>(&record).unwrap()), (1, json!("two")));
    let details = subscriber.details();
    assert_eq!((details.receive_count, details.lag, details.assignment.len()), (2, Some(0), 1));
    assert_eq!(details.group, "s_group");
    subscriber.stop().unwrap();
    subscriber.stop().unwrap();
    assert_eq!(subscriber.get_data::<Value>(SOON).unwrap_err().kind(), ErrorKind::NotRunning);
    subscriber.start().unwrap();
    subscriber.stop().unwrap();
}

#[test]
fn what_does_not_decode_comes_with_its_record_and_stops_nothing() {
    let fake = Arc::new(Fake::default());
    let subscriber = subscriber(&fake, json!({}));
    subscriber.start().unwrap();
    fake.world.append("t", "garbage");
    fake.world.append("t", "2");
    let error = subscriber.get_data::<u8>(SOON).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(error.record().unwrap().value.as_deref(), Some(&b"garbage"[..]));
    assert_eq!(subscriber.get_data::<u8>(SOON).unwrap(), Some(2));
    assert_eq!(subscriber.details().undecodable_count, 1);
}

#[test]
fn dead_letters_arrive_before_their_place_is_committed() {
    let fake = Arc::new(Fake::default());
    let subscriber = subscriber(
        &fake,
        json!({ "dead_letter_topic": "dead", "consumer_config": { "enable_auto_commit": false, "request_timeout_ms": 600 } }),
    );
    fake.world.held.lock().insert("dead".to_owned());
    subscriber.start().unwrap();
    for text in ["1", "garbage", "3"] {
        fake.world.append("t", text);
    }
    assert_eq!(subscriber.get_data::<u8>(SOON).unwrap(), Some(1));
    assert_eq!(subscriber.get_data::<u8>(SOON).unwrap(), Some(3));
    // The letter is under way: nothing from it on is committed, whoever asks.
    subscriber.commit().unwrap();
    assert_eq!(fake.world.committed("t"), Some(1));
    fake.last_producer.lock().clone().unwrap().acknowledge();
    subscriber.commit().unwrap();
    assert_eq!(fake.world.committed("t"), Some(3));
    let letter = &fake.world.records("dead")[0];
    assert_eq!(letter.value.as_deref(), Some(&b"garbage"[..]));
    let header = |name: &str| {
        let (_, value) = letter.headers.iter().find(|(header, _)| header == name).unwrap();
        String::from_utf8(value.clone().unwrap().to_vec()).unwrap()
    };
    assert_eq!((header("dead_letter.topic"), header("dead_letter.offset")), ("t".to_owned(), "1".to_owned()));
    assert!(header("dead_letter.error").contains("decoding offset 1 of 't-0' failed"));
    assert_eq!(subscriber.details().dead_letter_count, 1);
    subscriber.stop().unwrap();
    assert_eq!(subscriber.details().dead_letter_count, 1);
}

#[test]
fn a_letter_that_cannot_be_delivered_is_handed_out() {
    let fake = Arc::new(Fake::default());
    let subscriber = subscriber(&fake, json!({ "dead_letter_topic": "dead" }));
    fake.world.held.lock().insert("dead".to_owned());
    subscriber.start().unwrap();
    fake.world.append("t", "garbage");
    assert_eq!(subscriber.get_data::<u8>(Duration::ZERO).unwrap(), None);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| subscriber.get_data::<u8>(SOON));
        fake.last_producer.lock().clone().unwrap().fail(ErrorKind::Unreachable);
        let error = waits.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.record().is_some() && error.to_string().contains("'dead'"), "{error}");
    });
    // Handed out, it may be committed.
    subscriber.stop().unwrap();
    assert_eq!(fake.world.committed("t"), Some(1));
}

#[test]
fn with_dead_letters_commits_are_automatic_all_the_same() {
    #[derive(Debug, Default)]
    struct Heard(parking_lot::Mutex<Vec<&'static str>>);
    impl RebalanceListener for Heard {
        fn assigned(&self, _: &[TopicPartition]) {
            self.0.lock().push("assigned");
        }
        fn revoked(&self, _: &[TopicPartition]) {
            self.0.lock().push("revoked");
        }
        fn lost(&self, _: &[TopicPartition]) {
            self.0.lock().push("lost");
        }
    }
    let (fake, heard) = (Arc::new(Fake::default()), Arc::new(Heard::default()));
    let subscriber = subscriber(&fake, json!({ "dead_letter_topic": "kafka://topic/dead" }))
        .with_rebalance_listener(Arc::clone(&heard) as _);
    subscriber.start().unwrap();
    assert!(!fake.consumers.lock()[0].consumer.enable_auto_commit);
    fake.world.append("t", "1");
    assert_eq!(subscriber.get_data::<u8>(SOON).unwrap(), Some(1));
    let library = fake.last_consumer.lock().clone().unwrap();
    library.listener.as_ref().unwrap().revoked(&[TopicPartition::new("t", 0)]);
    assert_eq!(fake.world.committed("t"), Some(1));
    assert_eq!(*heard.0.lock(), ["revoked"]);
    fake.world.append("t", "2");
    subscriber.get_data::<u8>(SOON).unwrap();
    subscriber.stop().unwrap();
    assert_eq!(fake.world.committed("t"), Some(2));
}

#[test]
fn letters_that_find_no_room_hold_reading_up_and_go_on() {
    let fake = Arc::new(Fake::default());
    let subscriber = subscriber(&fake, json!({ "dead_letter_topic": "dead" }));
    fake.world.held.lock().insert("dead".to_owned());
    subscriber.start().unwrap();
    let library = fake.last_producer.lock().clone().unwrap();
    *library.capacity.lock() = 1;
    for text in ["bad1", "bad2", "3"] {
        fake.world.append("t", text);
    }
    assert_eq!(subscriber.get_data::<u8>(Duration::from_millis(5)).unwrap(), None);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| subscriber.get_data::<u8>(SOON));
        while !waits.is_finished() {
            library.acknowledge();
            std::thread::yield_now();
        }
        assert_eq!(waits.join().unwrap().unwrap(), Some(3));
    });
    library.acknowledge();
    subscriber.stop().unwrap();
    assert_eq!(fake.world.values("dead"), ["bad1", "bad2"]);
}

#[test]
fn commits_go_up_to_a_record_and_seeks_go_back() {
    let fake = Arc::new(Fake::default());
    let subscriber = subscriber(&fake, json!({ "consumer_config": { "enable_auto_commit": false } }));
    subscriber.start().unwrap();
    for text in ["1", "2", "3"] {
        fake.world.append("t", text);
    }
    let records = subscriber.get_records(SOON).unwrap();
    assert_eq!(records.len(), 3);
    subscriber.commit_record(&records[1]).unwrap();
    assert_eq!(subscriber.committed().unwrap()[0].1, Some(2));
    subscriber.replay(StartAt::Earliest).unwrap();
    assert_eq!(subscriber.get_data::<u8>(SOON).unwrap(), Some(1));
    subscriber.seek(0, StartAt::Offset(2)).unwrap();
    assert_eq!(subscriber.get_data::<u8>(SOON).unwrap(), Some(3));
    assert_eq!(subscriber.seek(5, StartAt::Latest).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(subscriber.replay(StartAt::Offset(-1)).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn an_error_behind_records_is_told_next() {
    let fake = Arc::new(Fake::default());
    let subscriber = subscriber(&fake, json!({ "consumer_config": { "max_poll_records": 1 } }));
    subscriber.start().unwrap();
    fake.world.append("t", "1");
    assert_eq!(subscriber.get_records(SOON).unwrap().len(), 1);
    let errors = &fake.last_consumer.lock().clone().unwrap().errors;
    errors.lock().push_back(ClientError::new(ErrorKind::Disconnected, "reading", "the test says so"));
    assert!(subscriber.get_record(SOON).unwrap_err().is_retriable());
}

#[test]
fn iterators_and_streams_end_with_the_subscriber() {
    let fake = Arc::new(Fake::default());
    let subscriber = subscriber(&fake, json!({}));
    subscriber.start().unwrap();
    fake.world.append("t", "1");
    std::thread::scope(|scope| {
        let all = scope.spawn(|| subscriber.iter::<u8>().map(Result::unwrap).collect::<Vec<_>>());
        while subscriber.details().receive_count < 1 {
            std::thread::yield_now();
        }
        fake.world.append("t", "2");
        while subscriber.details().receive_count < 2 {
            std::thread::yield_now();
        }
        subscriber.stop().unwrap();
        assert_eq!(all.join().unwrap(), [1, 2]);
    });

    fake.world.append("t", "3");
    subscriber.start().unwrap();
    let mut stream = pin!(subscriber.stream::<u8>());
    let mut next =
        || runtime::block_on(std::future::poll_fn(|context| stream.as_mut().poll_next(context))).unwrap();
    let from_the_beginning = [next().unwrap().unwrap(), next().unwrap().unwrap(), next().unwrap().unwrap()];
    assert_eq!(from_the_beginning, [1, 2, 3]);
    let thread = std::thread::spawn({
        let subscriber = subscriber.clone();
        move || subscriber.stop()
    });
    assert!(next().is_none());
    thread.join().unwrap().unwrap();
}

#[test]
fn an_iterator_ends_after_a_silence_where_the_config_says_so() {
    let fake = Arc::new(Fake::default());
    let subscriber = subscriber(&fake, json!({ "consumer_config": { "consumer_timeout_ms": 10 } }));
    subscriber.start().unwrap();
    fake.world.append("t", "1");
    assert_eq!(subscriber.records().count(), 1);
}

#[test]
fn a_tombstone_is_null() {
    let fake = Arc::new(Fake::default());
    let subscriber = subscriber(&fake, json!({}));
    let mut record = {
        fake.world.append("t", "1");
        fake.world.records("t").remove(0)
    };
    record.value = None;
    assert_eq!(subscriber.decode::<Option<u8>>(&record).unwrap(), None);
    assert_eq!(subscriber.decode::<Value>(&record).unwrap(), Value::Null);
    assert_eq!(subscriber.decode::<u8>(&record).unwrap_err().kind(), ErrorKind::Decode);
}
