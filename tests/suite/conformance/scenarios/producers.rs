//! InitProducerId, DescribeProducers, and what idempotent producers may do.

use crate::conformance::batch::Batch;
use crate::conformance::request::{Topic, create, produce, store, text, topic_name};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::*;

fn init(version: i16, id: i64, epoch: i16) -> InitProducerIdRequest {
    let request =
        InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
    if version >= 3 { request.with_producer_id(ProducerId(id)).with_producer_epoch(epoch) } else { request }
}

fn new_producer(s: &mut Session<'_>) -> i64 {
    s.quietly(4, init(4, -1, -1)).producer_id.0
}

pub(crate) fn ids(s: &mut Session<'_>) {
    s.each("a producer", |v| init(v, -1, -1));
    s.each("another", |v| init(v, -1, -1));
    for timeout in [0, -1, i32::MAX] {
        s.each(&format!("transaction timeout {timeout}"), |v| {
            init(v, -1, -1).with_transaction_timeout_ms(timeout)
        });
    }
    s.each("an empty transactional id", |v| {
        init(v, -1, -1).with_transactional_id(Some(TransactionalId(text(""))))
    });
    for v in 3..=*versions::<InitProducerIdRequest>().end() {
        let id = new_producer(s);
        s.call("its id and epoch", v, init(v, id, 0));
        s.call("its id, no epoch", v, init(v, id, -1));
        s.call("no id, an epoch", v, init(v, -1, 3));
        s.call("an unknown id", v, init(v, 999_999_999, 3));
        s.call("a negative id", v, init(v, -5, 0));
        s.call("a negative epoch", v, init(v, id, -5));
    }
}

pub(crate) fn sequences(s: &mut Session<'_>) {
    for v in versions::<ProduceRequest>() {
        let t = create(s, &format!("sequences-{v}"), 2, &[]);
        let id = new_producer(s);
        let send = |s: &mut Session<'_>, what: &str, epoch: i16, sequence: i32, count: usize| {
            let batch = Batch::counted(count).producer(id, epoch, sequence).bytes();
            s.call(what, v, produce(v, -1, &[(&t, 0, Some(batch))]));
        };
        send(s, "first", 0, 0, 3);
        send(s, "second", 0, 3, 2);
        send(s, "second again", 0, 3, 2);
        send(s, "first again", 0, 0, 3);
        send(s, "part of the first", 0, 0, 2);
        send(s, "part of the second", 0, 4, 1);
        send(s, "a gap", 0, 7, 1);
        for i in 0..5 {
            send(s, "one more", 0, 5 + i, 1);
        }
        send(s, "the second, six back", 0, 3, 2);
        send(s, "five back", 0, 5, 1);
        send(s, "the first, out of sight", 0, 0, 3);
        send(s, "a new epoch with a sequence", 1, 10, 1);
        send(s, "a new epoch", 1, 0, 1);
        send(s, "the old epoch", 0, 10, 1);
        send(s, "the old epoch from zero", 0, 0, 1);
        send(s, "the new epoch goes on", 1, 1, 1);
        send(s, "an epoch two further", 3, 0, 1);
        send(s, "its duplicate", 3, 0, 1);
        let batch = Batch::counted(1).producer(id, 3, 5).bytes();
        s.call("another partition from the middle", v, produce(v, -1, &[(&t, 1, Some(batch))]));
        let unknown = |sequence| Batch::counted(1).producer(4_000_000 + i64::from(v), 0, sequence).bytes();
        s.call("an unknown producer at sequence 7", v, produce(v, -1, &[(&t, 1, Some(unknown(7)))]));
        s.call("an unknown producer goes on", v, produce(v, -1, &[(&t, 1, Some(unknown(8)))]));
        s.call("acks 1, a gap", v, produce(v, 1, &[(&t, 1, Some(unknown(20)))]));
        producers(s, &t, &[0, 1]);
    }
}

pub(crate) fn wrapping(s: &mut Session<'_>) {
    let t = create(s, "sequences-wrap", 1, &[]);
    let id = new_producer(s);
    let send = |s: &mut Session<'_>, what: &str, sequence: i32, count: usize| {
        let batch = Batch::counted(count).producer(id, 0, sequence).bytes();
        s.call(what, 9, produce(9, -1, &[(&t, 0, Some(batch))]));
    };
    send(s, "near the end", i32::MAX - 1, 1);
    send(s, "over the end", i32::MAX, 3);
    send(s, "over the end again", i32::MAX, 3);
    send(s, "behind the end", 2, 1);
    send(s, "zero", 0, 1);
    producers(s, &t, &[0]);
}

fn producers(s: &mut Session<'_>, topic: &Topic, partitions: &[i32]) {
    s.sorted("active_producers", "producer_id").call(
        "its producers",
        0,
        describe(&[(&topic.name, partitions)]),
    );
}

fn describe(topics: &[(&str, &[i32])]) -> DescribeProducersRequest {
    let topics = topics.iter().map(|(name, partitions)| {
        TopicRequest::default().with_name(topic_name(name)).with_partition_indexes(partitions.to_vec())
    });
    DescribeProducersRequest::default().with_topics(topics.collect())
}

pub(crate) fn described(s: &mut Session<'_>) {
    let t = create(s, "producers-described", 2, &[]);
    s.call("none", 0, describe(&[(&t.name, &[0, 1])]));
    store(s, &t, 0, Batch::counted(1).bytes());
    s.call("none for a plain producer", 0, describe(&[(&t.name, &[0])]));
    s.call("no topic", 0, describe(&[]));
    s.call("no partition", 0, describe(&[(&t.name, &[])]));
    s.call("an unknown topic", 0, describe(&[("producers-unknown", &[0])]));
    s.call("unknown partitions", 0, describe(&[(&t.name, &[7, -1])]));
    s.call("an illegal name", 0, describe(&[("a b", &[0])]));
    s.call("an empty name", 0, describe(&[("", &[0])]));
    s.call("a partition twice", 0, describe(&[(&t.name, &[0, 0])]));
    s.call("a topic twice", 0, describe(&[(&t.name, &[0]), (&t.name, &[1])]));
}

pub(crate) fn deleted_topics(s: &mut Session<'_>) {
    for v in [3, 9, 12, 13] {
        let name = format!("gone-{v}");
        let t = create(s, &name, 1, &[]);
        store(s, &t, 0, Batch::counted(1).bytes());
        s.quietly(6, crate::conformance::request::delete_topics(6, &[&name]));
        s.settle();
        let batch = Batch::counted(1).bytes();
        s.call("to a topic that is gone", v, produce(v, -1, &[(&t, 0, Some(batch.clone()))]));
        let again = create(s, &name, 1, &[]);
        s.call("to its old id", v, produce(v, -1, &[(&t, 0, Some(batch.clone()))]));
        s.call("to its new id", v, produce(v, -1, &[(&again, 0, Some(batch))]));
    }
}
