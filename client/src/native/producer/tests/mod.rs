//! The whole producer, against brokers of this process: within it, and over TCP.

mod measure;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{FetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use klamm_broker::Broker;
use klamm_protocol::batch::{self, Record};
use parking_lot::Mutex;

use super::*;
use crate::error::ErrorKind;
use crate::native::{Lane, Node};
use crate::options::{Acks, Bootstrap, Compression};
use crate::record::{Delivered, Undelivered};

/// Nothing here takes as long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Lost(Mutex<Vec<Undelivered>>);

impl OnUndelivered for Lost {
    fn undelivered(&self, records: Vec<Undelivered>) {
        self.0.lock().extend(records);
    }
}

type Fates = Arc<Mutex<Vec<Result<Delivered, ClientError>>>>;

struct Bench {
    client: ClientOptions,
    producer: NativeProducer,
    topic: Arc<str>,
    fates: Fates,
    lost: Arc<Lost>,
}

impl Bench {
    fn new(bootstrap: Bootstrap, change: impl FnOnce(&mut ProducerOptions)) -> Self {
        let client = ClientOptions { bootstrap, ..ClientOptions::default() };
        let mut options = ProducerOptions::default();
        change(&mut options);
        let lost = Arc::new(Lost::default());
        let producer = NativeProducer::new(&client, &options, Arc::clone(&lost) as _).unwrap();
        Bench { client, producer, topic: Arc::from("t"), fates: Fates::default(), lost }
    }

    fn within(name: &str, change: impl FnOnce(&mut ProducerOptions)) -> Self {
        Bench::new(Bootstrap::Embedded { name: name.to_owned(), data_dir: None }, change)
    }

    fn record<'a>(&'a self, key: Option<&'a str>, value: &'a str) -> RecordToSend<'a> {
        RecordToSend {
            topic: &self.topic,
            partition: None,
            key: key.map(str::as_bytes),
            value: Some(value.as_bytes()),
            headers: &[],
            timestamp: None,
        }
    }

    fn report(&self) -> Report {
        let fates = Arc::clone(&self.fates);
        Box::new(move |fate| fates.lock().push(fate))
    }

    /// Sends with a report, waiting for room.
    fn send(&self, record: &RecordToSend<'_>) {
        let mut report = Some(self.report());
        let sent = self.producer.room().wait(Some(Instant::now() + PATIENCE), || {
            match self.producer.send(record, report.take()) {
                Ok(()) => Some(Ok(())),
                Err(Refused::Full(back)) => {
                    report = back;
                    None
                }
                Err(Refused::Never(error)) => Some(Err(error)),
            }
        });
        sent.expect("there is room in time").unwrap();
    }

    fn flush(&self) {
        self.producer.hurry();
        let settled = || (self.producer.unacknowledged() == 0).then_some(());
        let done = self.producer.settled().wait(Some(Instant::now() + PATIENCE), settled);
        assert!(done.is_some(), "{} records are not settled", self.producer.unacknowledged());
    }

    fn read(&self, partition: i32) -> Vec<Record> {
        read(&self.client, &self.topic, partition)
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    crate::runtime::handle().unwrap().block_on(future)
}

/// All records of a partition.
fn read(client: &ClientOptions, topic: &str, partition: i32) -> Vec<Record> {
    let cluster = Cluster::new(client.clone(), false).unwrap();
    let mut all: Vec<Record> = Vec::new();
    loop {
        let next = all.last().map_or(0, |record| record.offset + 1);
        let part = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(next)
            .with_partition_max_bytes(1 << 20);
        let name = TopicName(StrBytes::from_string(topic.to_owned()));
        let request = FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_topics(vec![FetchTopic::default().with_topic(name).with_partitions(vec![part])]);
        let deadline = Instant::now() + PATIENCE;
        let answer = wait(cluster.call(Node::Any, Lane::Fetch, &request, 12, deadline)).unwrap();
        let part = &answer.responses[0].partitions[0];
        assert_eq!(part.error_code, 0);
        let bytes = part.records.clone().unwrap_or_default();
        let before = all.len();
        for batch in batch::batches(&bytes) {
            all.extend(batch::records(&batch).unwrap().into_iter().filter(|record| record.offset >= next));
        }
        if all.len() == before {
            return all;
        }
    }
}

fn text(bytes: &Option<Bytes>) -> String {
    String::from_utf8_lossy(bytes.as_deref().unwrap_or(b"null")).into_owned()
}

fn all_kinds_of_records_arrive(bench: &Bench) {
    let headers = [("h".to_owned(), Some(Bytes::from_static(b"v"))), ("none".to_owned(), None)];
    let with_headers =
        RecordToSend { headers: &headers, timestamp: Some(1234), ..bench.record(Some("key"), "with") };
    bench.send(&with_headers);
    bench.send(&RecordToSend { value: None, ..bench.record(Some(""), "") });
    let long = "long ".repeat(4000);
    bench.send(&RecordToSend { partition: Some(0), ..bench.record(None, &long) });
    for number in 0..200 {
        bench.send(&bench.record(None, &format!("{number}")));
    }
    bench.flush();
    let fates = std::mem::take(&mut *bench.fates.lock());
    assert_eq!(fates.len(), 203);
    let there = bench.read(0);
    assert_eq!(there.len(), 203);
    for fate in &fates {
        let delivered = fate.as_ref().unwrap();
        let record = &there[usize::try_from(delivered.offset).unwrap()];
        assert_eq!((record.timestamp, delivered.partition), (delivered.timestamp, 0));
    }
    assert_eq!((text(&there[0].key), there[0].timestamp), ("key".to_owned(), 1234));
    assert_eq!(there[0].headers, headers);
    assert_eq!((text(&there[1].key), there[1].value.clone()), (String::new(), None));
    assert_eq!(text(&there[2].value), long);
    assert!(there[3..].iter().zip(0..).all(|(record, number)| text(&record.value) == number.to_string()));
    wait(bench.producer.close(Instant::now() + PATIENCE));
    assert!(matches!(
        bench.producer.send(&bench.record(None, "late"), None),
        Err(Refused::Never(error)) if error.kind() == ErrorKind::NotRunning
    ));
}

#[test]
fn all_kinds_of_records_arrive_within_the_process() {
    let codecs =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    for (number, codec) in codecs.into_iter().enumerate() {
        for acks in [Acks::Leader, Acks::All] {
            let name = format!("producer kinds {number} {acks:?}");
            let _broker = crate::embedded::embedded_broker(&name, None).unwrap();
            let bench = Bench::within(&name, |options| (options.compression, options.acks) = (codec, acks));
            all_kinds_of_records_arrive(&bench);
        }
    }
}

#[test]
fn all_kinds_of_records_arrive_over_tcp() {
    let broker = Broker::builder().start().unwrap();
    let bench = Bench::new(Bootstrap::Servers(vec![broker.bootstrap_servers()]), |options| {
        options.acks = Acks::All;
    });
    all_kinds_of_records_arrive(&bench);
}

#[test]
fn a_batch_that_has_as_many_records_as_it_may_lingers_no_longer() {
    let bench = Bench::within("batch records", |options| {
        options.linger = Duration::from_secs(3600);
        options.batch_records = Some(3);
    });
    for number in 0..7 {
        bench.send(&bench.record(None, &number.to_string()));
    }
    let one_lingers = || (bench.producer.unacknowledged() == 1).then_some(());
    let deadline = Instant::now() + PATIENCE;
    while one_lingers().is_none() {
        assert!(Instant::now() < deadline, "{} records are not settled", bench.producer.unacknowledged());
        std::thread::yield_now();
    }
    bench.flush();
    assert!(bench.fates.lock().iter().all(Result::is_ok));
}

#[test]
fn without_acks_records_arrive_too() {
    let broker = Broker::builder().start().unwrap();
    let bench = Bench::new(Bootstrap::Servers(vec![broker.bootstrap_servers()]), |options| {
        options.acks = Acks::None;
    });
    for number in 0..100 {
        bench.send(&bench.record(None, &number.to_string()));
    }
    bench.flush();
    assert!(bench.fates.lock().iter().all(|fate| fate.as_ref().unwrap().offset == -1));
    let deadline = Instant::now() + PATIENCE;
    while bench.read(0).len() < 100 {
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn threads_share_a_producer_and_keep_their_order() {
    let broker = Broker::builder().topic("t", 4).start().unwrap();
    let bench = Bench::new(Bootstrap::Servers(vec![broker.bootstrap_servers()]), |options| {
        (options.acks, options.buffer_memory) = (Acks::All, 200_000);
    });
    const EACH: usize = 20_000;
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let bench = &bench;
            scope.spawn(move || {
                let key = format!("thread {thread}");
                for number in 0..EACH {
                    bench.send(&bench.record(Some(&key), &format!("{number}")));
                }
            });
        }
    });
    bench.flush();
    assert_eq!(bench.fates.lock().iter().filter(|fate| fate.is_ok()).count(), 3 * EACH);
    let mut next = std::collections::HashMap::<String, usize>::new();
    for partition in 0..4 {
        for record in bench.read(partition) {
            let expected = next.entry(text(&record.key)).or_default();
            assert_eq!(text(&record.value), expected.to_string());
            *expected += 1;
        }
    }
    assert!(next.len() == 3 && next.values().all(|count| *count == EACH), "{next:?}");
    // All memory is given back, and a flood of records without reports is counted too.
    for _ in 0..EACH {
        let record = bench.record(None, "x");
        let sent = || bench.producer.send(&record, None).ok();
        bench.producer.room().wait(Some(Instant::now() + PATIENCE), sent).unwrap();
    }
    bench.flush();
    assert!(bench.lost.0.lock().is_empty());
    assert_eq!(bench.producer.accumulator.budget.used(), 0);
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn start(address: &str, folder: &Path) -> Broker {
    let builder = || Broker::builder().listen(address).data_dir(folder);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match builder().start() {
            Ok(broker) => return broker,
            // The address may be in use for another moment.
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

#[test]
fn a_broker_that_is_restarted_loses_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_port();
    let mut broker = Some(start(&address, folder.path()));
    let bench = Bench::new(Bootstrap::Servers(vec![address.clone()]), |options| options.acks = Acks::All);
    let total = 40_000;
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            for number in 0..total {
                bench.send(&bench.record(Some("key"), &format!("{number}")));
            }
        });
        let seen = |many: usize| {
            let deadline = Instant::now() + PATIENCE;
            while bench.fates.lock().len() < many && Instant::now() < deadline {
                std::thread::yield_now();
            }
        };
        for round in 1..4 {
            seen(round * total / 5);
            drop(broker.take());
            broker = Some(start(&address, folder.path()));
        }
        sending.join().unwrap();
    });
    bench.flush();
    let failed: Vec<_> = bench.fates.lock().iter().filter_map(|fate| fate.clone().err()).collect();
    assert!(failed.is_empty(), "{} of {total}, the first: {}", failed.len(), failed[0]);
    let there: Vec<_> = bench.read(0).iter().map(|record| text(&record.value)).collect();
    assert_eq!(there.len(), total);
    assert!(there.iter().zip(0..).all(|(value, number)| *value == number.to_string()));
}

#[test]
fn batches_that_are_too_large_for_the_broker_are_split() {
    let broker = Broker::builder().config("message.max.bytes", "2000").start().unwrap();
    let bench = Bench::new(Bootstrap::Servers(vec![broker.bootstrap_servers()]), |options| {
        (options.acks, options.linger) = (Acks::All, Duration::from_millis(50));
    });
    let value = |number: usize| format!("{number:100}");
    for number in 0..100 {
        bench.send(&bench.record(None, &value(number)));
    }
    bench.send(&bench.record(None, &"x".repeat(3000)));
    bench.flush();
    let fates = bench.fates.lock();
    let failed: Vec<_> = fates.iter().filter_map(|fate| fate.as_ref().err()).collect();
    assert_eq!(failed.iter().map(|error| error.kind()).collect::<Vec<_>>(), [ErrorKind::TooLarge]);
    let there = bench.read(0);
    assert_eq!(there.len(), 100);
    assert!(there.iter().zip(0..).all(|(record, number)| text(&record.value) == value(number)));
}

#[test]
fn without_a_broker_records_are_given_up_in_time() {
    let bench = Bench::new(Bootstrap::Servers(vec![free_port()]), |options| {
        options.max_block = Duration::from_millis(300);
    });
    bench.send(&bench.record(None, "with a report"));
    assert!(bench.producer.send(&bench.record(Some("k"), "without"), None).is_ok());
    bench.flush();
    let fates = bench.fates.lock();
    let error = fates[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let lost = bench.lost.0.lock();
    assert_eq!((lost.len(), text(&lost[0].value)), (1, "without".to_owned()));
    assert_eq!(text(&lost[0].key), "k");
}

#[test]
fn closing_ends_in_time_and_dropping_gives_up() {
    let bench = Bench::new(Bootstrap::Servers(vec![free_port()]), |_| {});
    bench.send(&bench.record(None, "a"));
    wait(bench.producer.close(Instant::now() + Duration::from_millis(50)));
    assert_eq!(bench.fates.lock()[0].as_ref().unwrap_err().kind(), ErrorKind::NotRunning);
    assert_eq!(bench.producer.unacknowledged(), 0);

    let Bench { producer, fates, topic, lost, .. } =
        Bench::new(Bootstrap::Servers(vec![free_port()]), |_| {});
    let record = RecordToSend {
        topic: &topic,
        partition: None,
        key: None,
        value: None,
        headers: &[],
        timestamp: None,
    };
    assert!(producer.send(&record, None).is_ok());
    let ended = Arc::clone(&producer.ended);
    drop(producer);
    let done = || ended.done.load(Ordering::SeqCst).then_some(());
    assert!(ended.signal.wait(Some(Instant::now() + PATIENCE), done).is_some());
    assert!(fates.lock().is_empty());
    assert_eq!(lost.0.lock().len(), 1);
}

#[test]
fn a_topic_that_cannot_be_is_an_error_at_once() {
    let mut bench = Bench::within("producer illegal", |_| {});
    bench.topic = Arc::from("not a topic!");
    bench.send(&bench.record(None, "a"));
    let before = Instant::now();
    bench.flush();
    assert!(before.elapsed() < Duration::from_secs(30));
    let fates = bench.fates.lock();
    let error = fates[0].as_ref().unwrap_err().to_string();
    assert!(error.contains("not a topic!") && error.contains("InvalidTopic"), "{error}");
}
