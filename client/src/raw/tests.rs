use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::{
    Bootstrap, ClientError, ClientOptions, ConsumerOptions, OffsetReset, ProducerOptions, TopicPartition,
};

const SOON: Duration = Duration::from_secs(20);

fn embedded(name: &str) -> ClientOptions {
    let bootstrap = Bootstrap::Embedded { name: name.to_owned(), data_dir: None };
    ClientOptions { bootstrap, ..ClientOptions::default() }
}

fn producer(name: &str) -> Producer {
    Producer::new(&embedded(name), &ProducerOptions::default(), |_, why| panic!("{why}")).unwrap()
}

fn of_group() -> ConsumerOptions {
    ConsumerOptions {
        group_id: "g".to_owned(),
        enable_auto_commit: false,
        auto_offset_reset: OffsetReset::Earliest,
        ..ConsumerOptions::default()
    }
}

fn record<'a>(topic: &'a Arc<str>, partition: i32, value: &'a [u8]) -> RecordToSend<'a> {
    let (key, headers, timestamp) = (None, &[] as &[_], None);
    RecordToSend { topic, partition: Some(partition), key, value: Some(value), headers, timestamp }
}

#[test]
fn what_is_lost_is_told_by_its_numbers() {
    let broker = crate::embedded_broker("raw lost", None).unwrap();
    let client = embedded("raw lost");
    // Together they are larger than the topic takes; of the parts only one is.
    let options = ProducerOptions { linger: Duration::from_millis(200), ..ProducerOptions::default() };
    let told: Arc<Mutex<Vec<(Vec<u64>, String)>>> = Arc::default();
    let producer = Producer::new(&client, &options, {
        let told = Arc::clone(&told);
        move |numbers, why| told.lock().unwrap().push((numbers.to_vec(), why.to_string()))
    })
    .unwrap();
    let admin = crate::Admin::new(client.clone()).unwrap();
    let topic = crate::NewTopic::new("small").partitions(1).config("max.message.bytes", "200");
    admin.create_topics([topic]).wait().unwrap().all().unwrap();
    let topic: Arc<str> = "small".into();
    let large = vec![b'x'; 500];
    for (line, value) in [(7, &b"a"[..]), (8, &large), (9, b"c")] {
        producer.send(&record(&topic, 0, value), line).unwrap();
    }
    assert!(producer.settle(SOON));
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, [8]);
    assert_eq!(producer.unacknowledged(), 0);
    producer.close(SOON).unwrap();
    drop(broker);
}

#[test]
fn a_report_says_where_a_record_is() {
    let _broker = crate::embedded_broker("raw reports", None).unwrap();
    let producer = producer("raw reports");
    let topic: Arc<str> = "t".into();
    let (sender, receiver) = std::sync::mpsc::channel();
    for value in [b"a", b"b"] {
        let sender = sender.clone();
        let report = move |done: Result<crate::Delivered, ClientError>| sender.send(done).unwrap();
        producer.send_reported(&record(&topic, 0, value), report).unwrap();
    }
    let offsets: Vec<_> = (0..2).map(|_| receiver.recv_timeout(SOON).unwrap().unwrap().offset).collect();
    assert_eq!(offsets, [0, 1]);
}

#[test]
fn partitions_are_read_by_hand_and_committed_to_a_group() {
    let _broker = crate::embedded_broker("raw assign", None).unwrap();
    let producer = producer("raw assign");
    let topic: Arc<str> = "t".into();
    for line in 0..10 {
        producer.send(&record(&topic, 0, line.to_string().as_bytes()), line).unwrap();
    }
    producer.close(SOON).unwrap();
    for expected in [0, 4] {
        let partition = (TopicPartition::new("t", 0), Begin::Committed);
        let consumer = Consumer::assign(embedded("raw assign"), of_group(), &[partition]).unwrap();
        for offset in expected..4.max(expected + 1) {
            assert_eq!(consumer.next(SOON).unwrap().unwrap().offset, offset);
        }
        let next = 4.max(expected + 1);
        assert_eq!(consumer.positions()[0].1, Position { next, lag: Some(10 - next) });
        consumer.commit().unwrap();
        consumer.close(SOON).unwrap();
    }
}

#[test]
fn a_member_reads_what_matches() {
    let _broker = crate::embedded_broker("raw pattern", None).unwrap();
    let producer = producer("raw pattern");
    for name in ["orders-1", "orders-2", "else"] {
        let topic: Arc<str> = name.into();
        producer.send(&record(&topic, 0, name.as_bytes()), 0).unwrap();
    }
    producer.close(SOON).unwrap();
    let topics = Topics::Matching("orders-.*".to_owned());
    let consumer = Consumer::subscribe(embedded("raw pattern"), of_group(), &topics).unwrap();
    let mut read: Vec<_> = (0..2).map(|_| consumer.next(SOON).unwrap().unwrap().topic.to_string()).collect();
    read.sort();
    assert_eq!(read, ["orders-1", "orders-2"]);
    assert_eq!(consumer.assignment().len(), 2);
    consumer.close(SOON).unwrap();
}
