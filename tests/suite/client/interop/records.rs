//! Records of every kind, in every compression, from one make of client to another.

use std::collections::HashMap;

use bytes::Bytes;
use klamm_client::Message;
use serde_json::json;

use super::peer::{Line, makes, read, write};
use crate::client::place::{Place, unique};

crate::client::over_each_library! {
    what_is_written_here_is_read_there
    what_is_written_there_is_read_here
}

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const PARTITIONS: i32 = 7;

/// Records with all that they can have, and keys whose partitions are Java's to say.
fn records() -> Vec<Line> {
    let bytes = |text: &str| Some(Bytes::copy_from_slice(text.as_bytes()));
    let line = |n: i64, key: Option<Bytes>, value: Option<Bytes>, headers| Line {
        partition: -1,
        key,
        value,
        headers,
        timestamp: 1_700_000_000_000 + n,
    };
    let headers = vec![
        ("twice".to_owned(), bytes("1")),
        ("twice".to_owned(), bytes("2")),
        ("null".to_owned(), None),
        ("empty".to_owned(), bytes("")),
        ("ünïcode".to_owned(), Some(Bytes::from_static(&[0, 255]))),
    ];
    let mut records = vec![
        line(0, bytes("with headers"), bytes("value"), headers),
        line(1, bytes("tombstone"), None, Vec::new()),
        line(2, bytes("empty value"), bytes(""), Vec::new()),
        line(3, bytes("large"), bytes(&"0123456789".repeat(3000)), Vec::new()),
    ];
    for n in 4..40 {
        records.push(line(n, bytes(&format!("key {n}")), bytes(&format!("value {n}")), Vec::new()));
    }
    records
}

/// Without the partition, which is the writer's to choose: it is compared for itself.
fn by_key(lines: impl IntoIterator<Item = Line>) -> HashMap<Bytes, Vec<Line>> {
    let mut by_key: HashMap<Bytes, Vec<Line>> = HashMap::new();
    for line in lines {
        by_key.entry(line.key.clone().unwrap()).or_default().push(line);
    }
    by_key
}

/// Each record has come once for each codec, whole, and all of a key in one partition.
fn whole(lines: Vec<Line>) -> HashMap<Bytes, i32> {
    let came = by_key(lines);
    let mut partitions = HashMap::new();
    for record in records() {
        let key = record.key.clone().unwrap();
        let copies = &came[&key];
        assert_eq!(copies.len(), CODECS.len(), "{key:?}");
        for copy in copies {
            assert_eq!(copy, &Line { partition: copies[0].partition, ..record.clone() });
        }
        partitions.insert(key, copies[0].partition);
    }
    partitions
}

fn written_here(place: &Place) -> String {
    let topic = place.topic(PARTITIONS);
    for codec in CODECS {
        let more = json!({ "producer_config": { "compression_type": codec, "linger_ms": 20 } });
        let publisher = place.publisher(&topic, more);
        for record in records() {
            let key = record.key.clone().unwrap();
            let value = record.value.clone().unwrap_or_default();
            let message = match &record.value {
                Some(_) => Message::bytes(&value).key(&key),
                None => Message::tombstone(&key),
            };
            publisher.send(message.headers(record.headers).timestamp(record.timestamp)).unwrap();
        }
        assert_eq!(publisher.stop().unwrap().failed_count, 0);
    }
    topic
}

fn what_is_written_here_is_read_there(library: &'static str) {
    let place = Place::served(library);
    let topic = written_here(&place);
    for make in makes() {
        whole(read(make, &place.address, &topic, records().len() * CODECS.len()));
    }
}

fn what_is_written_there_is_read_here(library: &'static str) {
    let place = Place::served(library);
    let here = whole(read_here(&place, &written_here(&place)));
    for make in makes() {
        let topic = place.topic(PARTITIONS);
        let lines: Vec<_> =
            CODECS.iter().flat_map(|codec| records().into_iter().map(|one| one.told(codec))).collect();
        write(make, &place.address, &topic, &lines);
        let there = whole(read_here(&place, &topic));
        assert_eq!(there, here, "{make} and this client agree on where keys go");
    }
}

fn read_here(place: &Place, topic: &str) -> Vec<Line> {
    let subscriber = place.subscriber(topic, &unique("group"), json!({}));
    let records = crate::client::place::read(&subscriber, records().len() * CODECS.len());
    subscriber.stop().unwrap();
    let line = |record: klamm_client::Record| Line {
        partition: record.partition,
        key: record.key,
        value: record.value,
        headers: record.headers,
        timestamp: record.timestamp,
    };
    records.into_iter().map(line).collect()
}
