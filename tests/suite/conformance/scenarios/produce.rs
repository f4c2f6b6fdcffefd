//! Produce: what is stored, what is refused and how.

use crate::conformance::batch::{Batch, CODECS, Record, T0};
use crate::conformance::request::{Topic, create, fetch, fetch_partition, produce, text};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::{ProduceRequest, TransactionalId};

/// The whole log, as the newest fetch shows it.
fn stored(s: &mut Session<'_>, topic: &Topic) {
    s.call("what is stored", 16, fetch(16, &[(topic, vec![fetch_partition(0, 0)])]));
}

pub(crate) fn accepted(s: &mut Session<'_>) {
    let t = create(s, "produce-accepted", 2, &[]);
    for acks in [-1, 1] {
        s.each(&format!("acks {acks}"), |v| produce(v, acks, &[(&t, 0, Some(Batch::counted(3).bytes()))]));
    }
    for (codec, number) in CODECS {
        let batch = Batch::counted(3).attributes(number).bytes();
        s.each(codec, |v| produce(v, -1, &[(&t, 0, Some(batch.clone()))]));
    }
    stored(s, &t);
    let one = Batch::values(&["one"]).bytes();
    let two = Batch::values(&["two"]).bytes();
    s.each("two partitions", |v| produce(v, -1, &[(&t, 0, Some(one.clone())), (&t, 1, Some(two.clone()))]));
    s.each("the same partition twice", |v| {
        produce(v, -1, &[(&t, 0, Some(one.clone())), (&t, 0, Some(two.clone()))])
    });
    s.each("no wait", |v| produce(v, -1, &[(&t, 0, Some(one.clone()))]).with_timeout_ms(0));
    s.each("negative wait", |v| produce(v, -1, &[(&t, 0, Some(one.clone()))]).with_timeout_ms(-1));
    s.call("what is stored", 16, fetch(16, &[(&t, vec![fetch_partition(0, 0), fetch_partition(1, 0)])]));
}

pub(crate) fn odd_but_accepted(s: &mut Session<'_>) {
    let t = create(s, "produce-odd", 1, &[]);
    let good = Batch::counted(2);
    let mut trailing = good.bytes().to_vec();
    trailing.extend_from_slice(b"trail");
    let mut wrong_deltas = good.clone();
    wrong_deltas.records[0].offset_delta = Some(5);
    let mut headers = good.clone();
    headers.records[0].headers = vec![
        ("a".to_string(), Some(b"1".to_vec())),
        (String::new(), None),
        ("a".to_string(), Some(Vec::new())),
    ];
    let mut nulls = good.clone();
    nulls.records[0].value = None;
    nulls.records[1].key = Some(Vec::new());
    let timed = Batch::of(vec![Record::value("late").at(5000), Record::value("early").at(-5000)]);
    let variants = [
        ("trailing bytes", trailing.into()),
        ("an unknown attribute bit", good.clone().attributes(0x40).bytes()),
        ("all unknown attribute bits", good.clone().attributes(0x7f80u16 as i16).bytes()),
        ("wrong offset deltas", wrong_deltas.bytes()),
        ("a leader epoch", Batch { leader_epoch: 7, ..good.clone() }.bytes()),
        ("the log-append-time bit", good.clone().attributes(8).bytes()),
        ("a wrong maximal timestamp", Batch { max_timestamp: Some(T0 + 99), ..good.clone() }.bytes()),
        ("the maximal timestamp -1", Batch { max_timestamp: Some(-1), ..good.clone() }.bytes()),
        ("headers", headers.bytes()),
        ("null value, empty key", nulls.bytes()),
        ("timestamps out of order", timed.bytes()),
        ("no timestamp", Batch { base_timestamp: -1, ..good.clone() }.bytes()),
        ("a time long ago", Batch { base_timestamp: 1, ..good.clone() }.bytes()),
        ("a sequence without a producer", Batch { base_sequence: 4, ..good.clone() }.bytes()),
    ];
    for (name, bytes) in variants {
        s.each(name, |v| produce(v, -1, &[(&t, 0, Some(bytes.clone()))]));
    }
    stored(s, &t);
}

/// Batches that are wrong, by name.
fn wrong() -> Vec<(&'static str, bytes::Bytes)> {
    let good = Batch::counted(2);
    let bytes = good.bytes();
    let twice = [bytes.clone(), bytes.clone()].concat();
    let payload = |codec: i16, garbage: &[u8]| {
        Batch { attributes: codec, payload: Some(garbage.to_vec()), ..good.clone() }.bytes()
    };
    let count = |n: i32| Batch { count: Some(n), ..good.clone() }.bytes();
    let last = |n: i32| Batch { last_offset_delta: Some(n), ..good.clone() }.bytes();
    let length = |n: i32| Batch { length: Some(n), ..good.clone() }.bytes();
    let size = i32::try_from(bytes.len()).expect("small") - 12;
    vec![
        ("zero bytes", bytes::Bytes::new()),
        ("one byte", bytes.slice(..1)),
        ("half a header", bytes.slice(..30)),
        ("a header alone", bytes.slice(..61)),
        ("all but the last byte", bytes.slice(..bytes.len() - 1)),
        ("two batches", twice.into()),
        ("magic 0", crate::conformance::batch::old_message(0, "old")),
        ("magic 1", crate::conformance::batch::old_message(1, "old")),
        ("magic 0 in a batch", Batch { magic: 0, ..good.clone() }.bytes()),
        ("magic 1 in a batch", Batch { magic: 1, ..good.clone() }.bytes()),
        ("magic 3", Batch { magic: 3, ..good.clone() }.bytes()),
        ("magic 255", Batch { magic: 255, ..good.clone() }.bytes()),
        ("a bad checksum", Batch { crc: Some(1), ..good.clone() }.bytes()),
        ("length 0", length(0)),
        ("length -1", length(-1)),
        ("length 13", length(13)),
        ("length 48", length(48)),
        ("a length that is one short", length(size - 1)),
        ("a length that is one long", length(size + 1)),
        ("a huge length", length(i32::MAX)),
        ("one record too many announced", count(3)),
        ("one record too few announced", count(1)),
        ("no record announced", count(0)),
        ("-1 records announced", count(-1)),
        ("a huge count", count(i32::MAX)),
        ("a last offset delta too large", last(2)),
        ("a last offset delta too small", last(0)),
        ("a last offset delta of -1", last(-1)),
        ("count and last offset delta agree on too many", {
            Batch { count: Some(5), last_offset_delta: Some(4), ..good.clone() }.bytes()
        }),
        ("count and last offset delta agree on too few", {
            Batch { count: Some(1), last_offset_delta: Some(0), ..good.clone() }.bytes()
        }),
        ("an empty batch", Batch { last_offset_delta: Some(0), ..Batch::counted(0) }.bytes()),
        ("an empty batch of delta -1", Batch::counted(0).bytes()),
        ("a base offset", Batch { base_offset: 5, ..good.clone() }.bytes()),
        ("a negative base offset", Batch { base_offset: -1, ..good.clone() }.bytes()),
        ("a control batch", good.clone().attributes(0x20).bytes()),
        ("a transactional control batch", good.clone().attributes(0x30).producer(1, 0, 0).bytes()),
        ("a producer without a sequence", good.clone().producer(1, 0, -1).bytes()),
        ("a producer without an epoch", good.clone().producer(1, -1, 0).bytes()),
        ("a negative sequence", good.clone().producer(1, 0, -2).bytes()),
        ("codec 5", good.clone().attributes(5).bytes()),
        ("codec 6", good.clone().attributes(6).bytes()),
        ("codec 7", good.clone().attributes(7).bytes()),
        ("gzip of garbage", payload(1, b"this is no gzip")),
        ("snappy of garbage", payload(2, b"\xff\xff\xff\xff\xff\xff\xff")),
        ("lz4 of garbage", payload(3, b"this is no lz4 frame")),
        ("zstd of garbage", payload(4, b"this is no zstd frame")),
        ("gzip of nothing", payload(1, b"")),
        ("gzip of garbage records", payload(1, &crate::conformance::batch::compress(1, b"\xff\xff\xff\xff"))),
        ("garbage records", payload(0, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
        ("a record of negative length", payload(0, b"\x01\x01\0\0\0\0\0\0\0")),
        ("a record longer than the batch", payload(0, b"\x7e\0\0\0\x01\x01\0\x0c\0\0\x02\x01\x01\0")),
        ("a key length of -2", payload(0, b"\x0c\0\0\0\x03\x01\0\x0c\0\0\x02\x01\x01\0")),
        ("a negative header count", payload(0, b"\x0c\0\0\0\x01\x01\x01\x0c\0\0\x02\x01\x01\0")),
        ("a huge header count", payload(0, b"\x14\0\0\0\x01\x01\xff\xff\xff\x0f\0\x0c\0\0\x02\x01\x01\0")),
        ("a header with a null name", payload(0, b"\x10\0\0\0\x01\x01\x02\x01\x01\x0c\0\0\x02\x01\x01\0")),
        ("bytes behind the records", payload(0, b"\x0c\0\0\0\x01\x01\0\x0c\0\0\x02\x01\x01\0more")),
    ]
}

pub(crate) fn refused(s: &mut Session<'_>) {
    let t = create(s, "produce-refused", 1, &[]);
    crate::conformance::request::store(s, &t, 0, Batch::counted(1).bytes());
    for (name, bytes) in wrong() {
        s.each(name, |v| produce(v, -1, &[(&t, 0, Some(bytes.clone()))]));
    }
    stored(s, &t);
}

pub(crate) fn targets(s: &mut Session<'_>) {
    let t = create(s, "produce-targets", 2, &[]);
    let none = Topic::unknown();
    let good = Batch::counted(1).bytes();
    let data = || Some(good.clone());
    for acks in [2, -2, i16::MAX] {
        s.each(&format!("acks {acks}"), |v| produce(v, acks, &[(&t, 0, data()), (&none, 0, data())]));
    }
    s.each("no topic", |v| produce(v, -1, &[]));
    s.each("an unknown topic", |v| produce(v, -1, &[(&none, 0, data())]));
    s.each("an unknown partition", |v| produce(v, -1, &[(&t, 2, data())]));
    s.each("a negative partition", |v| produce(v, -1, &[(&t, -1, data())]));
    s.each("good and bad ones", |v| {
        produce(v, 1, &[(&t, 0, data()), (&none, 0, data()), (&t, 7, data()), (&t, 1, data())])
    });
    s.each("no partition", |v| {
        let mut request = produce(v, -1, &[(&t, 0, data())]);
        request.topic_data[0].partition_data.clear();
        request
    });
    for (what, name) in [
        ("an empty name", String::new()),
        ("a dot", ".".to_string()),
        ("an illegal name", "a b".to_string()),
        ("a long name", "x".repeat(250)),
        ("an internal topic", "__consumer_offsets".to_string()),
    ] {
        let topic = Topic::new(&name, uuid::Uuid::nil());
        s.each(what, |v| produce(v, -1, &[(&topic, 0, data())]));
    }
    s.each("a transactional id, a batch that is not", |v| {
        produce(v, -1, &[(&t, 0, data())]).with_transactional_id(Some(TransactionalId(text("txn"))))
    });
    s.each("a transactional batch without a transactional id", |v| {
        let batch = Batch::counted(1).attributes(0x10).producer(77, 0, 0).bytes();
        produce(v, -1, &[(&t, 0, Some(batch)), (&t, 1, data())])
    });
    s.call("what is stored", 16, fetch(16, &[(&t, vec![fetch_partition(0, 0), fetch_partition(1, 0)])]));
}

pub(crate) fn without_answers(s: &mut Session<'_>) {
    let t = create(s, "produce-silent", 1, &[]);
    let good = Batch::counted(1).bytes();
    for v in versions::<ProduceRequest>() {
        s.call_silent("acks 0", v, produce(v, 0, &[(&t, 0, Some(good.clone()))]));
        s.call_silent("acks 0, no topic", v, produce(v, 0, &[]));
        s.call_silent("acks 0, an unknown partition", v, produce(v, 0, &[(&t, 3, Some(good.clone()))]));
        s.call_silent("acks 0, a bad batch", v, produce(v, 0, &[(&t, 0, Some(good.slice(..40)))]));
        s.call_silent("acks 0, good and bad", v, {
            produce(v, 0, &[(&t, 0, Some(good.clone())), (&t, 1, Some(good.clone()))])
        });
    }
    stored(s, &t);
}

pub(crate) fn null_records(s: &mut Session<'_>) {
    let t = create(s, "produce-null", 2, &[]);
    let good = Batch::counted(1).bytes();
    for v in [3, 7, 9, 13] {
        s.call_silent("null records", v, produce(v, -1, &[(&t, 0, None)]));
        s.call_silent("null records behind good ones", v, {
            produce(v, -1, &[(&t, 0, Some(good.clone())), (&t, 1, None)])
        });
    }
    stored(s, &t);
}

pub(crate) fn topic_rules(s: &mut Session<'_>) {
    let compacted = create(s, "produce-compacted", 1, &[("cleanup.policy", "compact")]);
    let small = create(s, "produce-small", 1, &[("max.message.bytes", "100")]);
    let bounded = create(
        s,
        "produce-bounded",
        1,
        &[("message.timestamp.before.max.ms", "1000"), ("message.timestamp.after.max.ms", "1000")],
    );
    let append_time = create(s, "produce-append-time", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let two = create(s, "produce-two-replicas", 1, &[("min.insync.replicas", "2")]);
    let mixed = Batch::of(vec![Record::keyed("k", "v"), Record::value("a"), Record::value("b")]);
    let tombstone = Batch::of(vec![Record { value: None, ..Record::keyed("k", "") }]);
    for (codec, number) in CODECS {
        let batch = mixed.clone().attributes(number).bytes();
        s.each(&format!("null keys on a compacted topic, {codec}"), |v| {
            produce(v, -1, &[(&compacted, 0, Some(batch.clone()))])
        });
    }
    s.each("a tombstone", |v| produce(v, -1, &[(&compacted, 0, Some(tombstone.bytes()))]));
    let keyed = Batch::of(vec![Record::keyed("", "v")]);
    s.each("an empty key on a compacted topic", |v| produce(v, -1, &[(&compacted, 0, Some(keyed.bytes()))]));
    let large = Batch::values(&["x".repeat(100).as_str()]).bytes();
    s.each("a large batch", |v| produce(v, -1, &[(&small, 0, Some(large.clone()))]));
    s.each("a small batch", |v| produce(v, -1, &[(&small, 0, Some(Batch::values(&["x"]).bytes()))]));
    s.each("an old timestamp", |v| produce(v, -1, &[(&bounded, 0, Some(Batch::counted(2).bytes()))]));
    let future = Batch { base_timestamp: 4_000_000_000_000, ..Batch::counted(2) }.bytes();
    s.each("a timestamp to come", |v| produce(v, -1, &[(&bounded, 0, Some(future.clone()))]));
    s.each("log append time", |v| produce(v, -1, &[(&append_time, 0, Some(Batch::counted(2).bytes()))]));
    let gzip = Batch::counted(2).attributes(1).bytes();
    s.each("log append time, compressed", |v| produce(v, -1, &[(&append_time, 0, Some(gzip.clone()))]));
    for acks in [-1, 1] {
        s.each(&format!("two in sync wanted, acks {acks}"), |v| {
            produce(v, acks, &[(&two, 0, Some(Batch::counted(2).bytes()))])
        });
    }
    for topic in [&compacted, &small, &bounded, &append_time, &two] {
        stored(s, topic);
    }
}

pub(crate) fn compression_of_topics(s: &mut Session<'_>) {
    s.recompressed();
    for kind in ["uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"] {
        let t = create(s, &format!("produce-to-{kind}"), 1, &[("compression.type", kind)]);
        for (codec, number) in CODECS {
            let batch = Batch::counted(50).attributes(number).bytes();
            s.each(&format!("{codec} to {kind}"), |v| produce(v, -1, &[(&t, 0, Some(batch.clone()))]));
        }
        s.call("the beginning", 16, fetch(16, &[(&t, vec![fetch_partition(0, 0)])]));
    }
}
