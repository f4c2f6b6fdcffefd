//! The library against an embedded broker, through the traits.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::backend::{
    Commit, ConsumerBackend, OffsetSpec, OnUndelivered, ProducerBackend, RebalanceListener, RecordToSend,
    Refused, SeekTo,
};
use crate::embedded::{EmbeddedBroker, embedded_broker};
use crate::error::{ClientError, ErrorKind};
use crate::options::{Acks, Bootstrap, ClientOptions, ConsumerOptions, OffsetReset, ProducerOptions};
use crate::record::{Delivered, Record, TopicPartition, Undelivered};
use crate::runtime;

const LIMIT: Duration = Duration::from_secs(30);

fn soon() -> Instant {
    Instant::now() + LIMIT
}

fn wait<F: Future>(future: F) -> F::Output {
    runtime::block_on(future).unwrap()
}

/// A broker of the test's own, to be kept as long as its records are needed.
fn embedded(name: &str) -> (ClientOptions, EmbeddedBroker) {
    let name = format!("rdkafka {name}");
    let broker = embedded_broker(&name, None).unwrap();
    let bootstrap = Bootstrap::Embedded { name, data_dir: None };
    (ClientOptions { bootstrap, ..ClientOptions::default() }, broker)
}

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Undelivered>>);

impl OnUndelivered for Kept {
    fn undelivered(&self, records: Vec<Undelivered>) {
        self.0.lock().extend(records);
    }
}

fn producer(
    options: &ClientOptions,
    more: ProducerOptions,
) -> (Arc<dyn ProducerBackend>, Arc<Kept>, Arc<str>) {
    let kept = Arc::new(Kept::default());
    (super::producer(options, &more, kept.clone()).unwrap(), kept, "topic".into())
}

fn record<'a>(topic: &'a Arc<str>, value: &'a [u8]) -> RecordToSend<'a> {
    RecordToSend { topic, partition: None, key: None, value: Some(value), headers: &[], timestamp: None }
}

fn send(to: &dyn ProducerBackend, record: &RecordToSend<'_>) {
    assert!(to.send(record, None).is_ok());
}

fn settled(producer: &dyn ProducerBackend) {
    let none_left = || (producer.unacknowledged() == 0).then_some(());
    assert!(producer.settled().wait(Some(soon()), none_left).is_some());
}

/// Sends numbers and waits for their acknowledgements.
fn fill(options: &ClientOptions, numbers: std::ops::Range<usize>) {
    let (producer, _, topic) = producer(options, ProducerOptions::default());
    for number in numbers {
        send(&*producer, &record(&topic, number.to_string().as_bytes()));
    }
    settled(&*producer);
    wait(producer.close(soon()));
}

fn from_the_beginning() -> ConsumerOptions {
    ConsumerOptions {
        group_id: "group".to_owned(),
        auto_offset_reset: OffsetReset::Earliest,
        enable_auto_commit: false,
        fetch_max_wait: Duration::from_millis(20),
        ..ConsumerOptions::default()
    }
}

fn consumer(options: &ClientOptions, more: &ConsumerOptions) -> Arc<dyn ConsumerBackend> {
    super::consumer(options, more, &["topic".into()], None).unwrap()
}

fn next(consumer: &dyn ConsumerBackend) -> Record {
    consumer.arrived().wait(Some(soon()), || consumer.try_next()).expect("a record in time").unwrap()
}

fn value(record: &Record) -> String {
    String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap()
}

fn values(consumer: &dyn ConsumerBackend, count: usize) -> Vec<String> {
    (0..count).map(|_| value(&next(consumer))).collect()
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn records_come_back_as_they_were_sent() {
    let (options, _broker) = embedded("as sent");
    let (producer, kept, topic) =
        producer(&options, ProducerOptions { acks: Acks::All, ..ProducerOptions::default() });
    let headers = [
        ("a".to_owned(), Some(Bytes::from_static(b"1"))),
        ("a".to_owned(), None),
        (String::new(), Some(Bytes::new())),
    ];
    let full = RecordToSend {
        topic: &topic,
        partition: Some(0),
        key: Some(b"key"),
        value: Some(b"value"),
        headers: &headers,
        timestamp: Some(1_234_567_890_123),
    };
    let (told, hear) = std::sync::mpsc::channel::<Result<Delivered, ClientError>>();
    let report = Box::new(move |how| told.send(how).unwrap());
    assert!(producer.send(&full, Some(report)).is_ok());
    send(&*producer, &RecordToSend { key: Some(b""), value: None, headers: &[], ..full });
    send(&*producer, &RecordToSend { key: None, value: Some(b""), headers: &[], ..full });
    let delivered = hear.recv_timeout(LIMIT).unwrap().unwrap();
    assert_eq!((delivered.partition, delivered.offset, delivered.timestamp), (0, 0, 1_234_567_890_123));
    settled(&*producer);

    let consumer = consumer(&options, &from_the_beginning());
    let first = next(&*consumer);
    assert_eq!((first.key.as_deref(), first.value.as_deref()), (Some(&b"key"[..]), Some(&b"value"[..])));
    assert_eq!((first.timestamp, first.offset, &first.headers[..]), (1_234_567_890_123, 0, &headers[..]));
    let second = next(&*consumer);
    assert_eq!((second.key.as_deref(), second.value.as_deref()), (Some(&b""[..]), None));
    let third = next(&*consumer);
    assert_eq!((third.key.as_deref(), third.value.as_deref()), (None, Some(&b""[..])));
    wait(consumer.close(soon())).unwrap();
    wait(producer.close(soon()));
    assert!(kept.0.lock().is_empty());
}

#[test]
fn lingering_ends_when_there_is_a_hurry() {
    let (options, _broker) = embedded("hurry");
    let linger = Duration::from_secs(60);
    let (producer, _, topic) = producer(&options, ProducerOptions { linger, ..ProducerOptions::default() });
    let began = Instant::now();
    send(&*producer, &record(&topic, b"1"));
    producer.hurry();
    settled(&*producer);
    send(&*producer, &record(&topic, b"2"));
    wait(producer.close(soon()));
    assert!(began.elapsed() < LIMIT);
    assert_eq!(values(&*consumer(&options, &from_the_beginning()), 2), ["1", "2"]);
}

#[test]
fn a_full_buffer_refuses_and_tells_when_there_is_room() {
    let (options, _broker) = embedded("full");
    let linger = Duration::from_secs(60);
    let more = ProducerOptions { linger, buffer_memory: 4096, ..ProducerOptions::default() };
    let (producer, _, topic) = producer(&options, more);
    let big = [b'x'; 1500];
    let mut accepted = 0;
    loop {
        match producer.send(&record(&topic, &big), None) {
            Ok(()) => accepted += 1,
            Err(Refused::Full(_)) => break,
            Err(Refused::Never(error)) => panic!("{error}"),
        }
        assert!(accepted < 10);
    }
    producer.hurry();
    let again = || producer.send(&record(&topic, &big), None).is_ok().then_some(());
    assert!(producer.room().wait(Some(soon()), again).is_some());
    wait(producer.close(soon()));
    assert_eq!(values(&*consumer(&options, &from_the_beginning()), accepted + 1).len(), accepted + 1);
}

#[test]
fn what_is_not_delivered_comes_back_with_the_reason() {
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bootstrap = Bootstrap::Servers(vec![nowhere.to_string()]);
    let options = ClientOptions { bootstrap, ..ClientOptions::default() };
    let (producer, kept, topic) = producer(&options, ProducerOptions::default());
    let headers = [("h".to_owned(), Some(Bytes::from_static(b"v")))];
    send(&*producer, &RecordToSend { key: Some(b"k"), headers: &headers, ..record(&topic, b"1") });
    let (told, hear) = std::sync::mpsc::channel();
    let report = Box::new(move |how: Result<Delivered, ClientError>| told.send(how).unwrap());
    assert!(producer.send(&record(&topic, b"2"), Some(report)).is_ok());
    wait(producer.close(Instant::now()));
    let failed = hear.recv_timeout(LIMIT).unwrap().unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::NotRunning, "{failed}");
    let kept = kept.0.lock();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].key.as_deref(), kept[0].value.as_deref()), (Some(&b"k"[..]), Some(&b"1"[..])));
    assert_eq!(kept[0].headers, headers);
    assert_eq!(producer.unacknowledged(), 0);
    match producer.send(&record(&topic, b"3"), None) {
        Err(Refused::Never(error)) => assert_eq!(error.kind(), ErrorKind::NotRunning),
        _ => panic!("a producer that has been closed takes nothing"),
    }
}

#[test]
fn a_group_goes_on_behind_what_was_handed_out_and_committed() {
    let (options, _broker) = embedded("goes on");
    fill(&options, 0..10);
    let first = consumer(&options, &from_the_beginning());
    assert_eq!(values(&*first, 4), numbers(0..4));
    wait(first.commit(Commit::HandedOut)).unwrap();
    assert_eq!(values(&*first, 2), numbers(4..6));
    let partition = TopicPartition::new("topic", 0);
    let committed = wait(first.committed(vec![partition.clone()])).unwrap();
    assert_eq!(committed, [(partition.clone(), Some(4))]);
    wait(first.close(soon())).unwrap();
    let by_itself = ConsumerOptions { enable_auto_commit: true, ..from_the_beginning() };
    let second = consumer(&options, &by_itself);
    assert_eq!(values(&*second, 3), numbers(4..7));
    wait(second.close(soon())).unwrap();
    let third = consumer(&options, &from_the_beginning());
    assert_eq!(values(&*third, 3), numbers(7..10));
    wait(third.commit(Commit::Offsets(vec![(partition, 2)]))).unwrap();
    wait(third.close(soon())).unwrap();
    assert_eq!(values(&*consumer(&options, &from_the_beginning()), 1), numbers(2..3));
}

#[test]
fn seeking_drops_what_waits_and_goes_on_elsewhere() {
    let (options, _broker) = embedded("seeking");
    fill(&options, 0..10);
    let consumer = consumer(&options, &from_the_beginning());
    assert_eq!(values(&*consumer, 5), numbers(0..5));
    wait(consumer.seek(None, SeekTo::Offset(2))).unwrap();
    assert_eq!(values(&*consumer, 2), numbers(2..4));
    wait(consumer.seek(None, SeekTo::Found(OffsetSpec::Earliest))).unwrap();
    assert_eq!(values(&*consumer, 10), numbers(0..10));
    let partition = TopicPartition::new("topic", 0);
    let foreign = vec![TopicPartition::new("topic", 7)];
    let refused = wait(consumer.seek(Some(foreign), SeekTo::Offset(0))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    wait(consumer.seek(Some(vec![partition.clone()]), SeekTo::Found(OffsetSpec::AtTime(0)))).unwrap();
    assert_eq!(values(&*consumer, 1), numbers(0..1));
    wait(consumer.seek(None, SeekTo::Found(OffsetSpec::Latest))).unwrap();
    let ends = wait(consumer.offsets(vec![partition.clone()], OffsetSpec::Latest)).unwrap();
    assert_eq!(ends, [(partition.clone(), Some(10))]);
    let none = wait(consumer.offsets(vec![partition.clone()], OffsetSpec::AtTime(i64::MAX / 2))).unwrap();
    assert_eq!(none, [(partition, None)]);
    fill(&options, 10..11);
    assert_eq!(values(&*consumer, 1), numbers(10..11));
}

#[test]
fn a_pause_holds_back_and_loses_nothing() {
    let (options, _broker) = embedded("pause");
    fill(&options, 0..100);
    let consumer = consumer(&options, &from_the_beginning());
    assert_eq!(values(&*consumer, 3), numbers(0..3));
    for round in 0..5 {
        consumer.pause(None);
        assert!(consumer.try_next().is_none());
        fill(&options, 100 + round..101 + round);
        assert!(consumer.try_next().is_none());
        consumer.resume(None);
        assert_eq!(values(&*consumer, 3), numbers(3 + 3 * round..6 + 3 * round));
    }
    assert_eq!(values(&*consumer, 105 - 18), numbers(18..105));
}

#[test]
fn a_full_queue_stops_fetching_and_keeps_order() {
    let (options, _broker) = embedded("full queue");
    fill(&options, 0..5000);
    let more = ConsumerOptions { max_depth: 10, ..from_the_beginning() };
    let consumer = consumer(&options, &more);
    consumer.arrived().wait(Some(soon()), || (consumer.depth() >= 10).then_some(())).unwrap();
    assert_eq!(values(&*consumer, 1000), numbers(0..1000));
    assert!(consumer.depth() <= 10 + 256);
    assert_eq!(values(&*consumer, 4000), numbers(1000..5000));
}

#[test]
fn what_was_not_closed_commits_nothing() {
    let (options, _broker) = embedded("not closed");
    fill(&options, 0..3);
    let by_itself = ConsumerOptions { enable_auto_commit: true, ..from_the_beginning() };
    let crashed = consumer(&options, &by_itself);
    assert_eq!(values(&*crashed, 3), numbers(0..3));
    drop(crashed);
    assert_eq!(values(&*consumer(&options, &by_itself), 3), numbers(0..3));
}

#[test]
fn positions_tell_the_lag() {
    let (options, _broker) = embedded("lag");
    fill(&options, 0..10);
    let consumer = consumer(&options, &from_the_beginning());
    values(&*consumer, 4);
    let lag = || {
        let positions = consumer.positions();
        let [(_, position)] = &positions[..] else { return None };
        (position.next == 4 && position.lag == Some(6)).then_some(())
    };
    let limit = soon();
    while lag().is_none() {
        assert!(Instant::now() < limit, "{:?}", consumer.positions());
        std::thread::park_timeout(Duration::from_millis(10));
    }
    assert_eq!(consumer.assignment(), [TopicPartition::new("topic", 0)]);
}

/// Writes down what it is told.
#[derive(Debug, Default)]
struct Notes(Mutex<BTreeMap<&'static str, Vec<TopicPartition>>>);

impl RebalanceListener for Notes {
    fn assigned(&self, partitions: &[TopicPartition]) {
        self.0.lock().entry("assigned").or_default().extend_from_slice(partitions);
    }
    fn revoked(&self, partitions: &[TopicPartition]) {
        self.0.lock().entry("revoked").or_default().extend_from_slice(partitions);
    }
    fn lost(&self, partitions: &[TopicPartition]) {
        self.0.lock().entry("lost").or_default().extend_from_slice(partitions);
    }
}

#[test]
fn a_member_that_takes_nothing_leaves_and_comes_back() {
    let (options, _broker) = embedded("takes nothing");
    fill(&options, 0..3);
    let more = ConsumerOptions {
        // The least that a broker takes.
        session_timeout: Duration::from_secs(6),
        heartbeat_interval: Duration::from_millis(100),
        max_poll_interval: Duration::from_secs(6),
        ..from_the_beginning()
    };
    let notes = Arc::new(Notes::default());
    let consumer = super::consumer(&options, &more, &["topic".into()], Some(notes.clone())).unwrap();
    let lost = || notes.0.lock().contains_key("lost").then_some(());
    consumer.assigned().wait(Some(soon()), lost).expect("the partition is lost");
    let error = consumer.arrived().wait(Some(soon()), || consumer.try_next()).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert_eq!(values(&*consumer, 3), numbers(0..3));
    wait(consumer.close(soon())).unwrap();
    assert_eq!(notes.0.lock()["assigned"].len(), 2);
    assert_eq!(notes.0.lock()["revoked"].len(), 1);
}
