//! Publishing: what goes in comes out, where it should, and its publisher is told.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use klamm_client::{ErrorKind, Message};
use serde_json::{Value, json};

use super::place::{Place, number, numbers, read, text, unique};
use crate::harness::DEADLINE;

super::everywhere! {
    values_come_back_as_they_were_published
    every_compression_comes_back
    keys_headers_nulls_and_timestamps_come_back
    keys_land_where_javas_client_puts_them
    records_without_a_key_spread
    acknowledgements_tell_the_place
    order_is_kept
    every_level_of_acknowledgement_delivers
    what_is_too_large_is_refused_and_the_rest_delivered
    a_stopped_publisher_takes_nothing
    an_interval_collects_and_a_batch_ends_it
}

fn values_come_back_as_they_were_published(place: &Place) {
    let topic = place.topic(1);
    let publisher = place.publisher(&topic, json!({}));
    let order = json!({ "id": 7, "lines": [1, 2.5, null, "é"], "to": { "street": "Gasse" } });
    publisher.publish(&order).unwrap();
    publisher.publish("a text goes as it is").unwrap();
    publisher.publish_bytes([0_u8, 255, 10]).unwrap();
    publisher.flush().unwrap();
    let details = publisher.details();
    assert_eq!((details.publish_count, details.queue_depth, details.failed_count), (3, 0, 0));
    assert!(details.last_publish.is_some());
    assert_eq!(details.destination, format!("kafka://topic/{topic}"));
    assert_eq!(details.library.name(), place.library);

    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    assert_eq!(subscriber.get_data::<Value>(DEADLINE).unwrap(), Some(order));
    let records = read(&subscriber, 2);
    assert_eq!(text(&records[0]), "a text goes as it is");
    assert_eq!(records[1].value.as_deref(), Some(&[0_u8, 255, 10][..]));
    assert_eq!(subscriber.details().receive_count, 3);
    subscriber.stop().unwrap();
    publisher.stop().unwrap();
}

fn every_compression_comes_back(place: &Place) {
    let topic = place.topic(1);
    for (round, codec) in (0_u64..).zip(["none", "gzip", "snappy", "lz4", "zstd"]) {
        let more = json!({ "producer_config": { "compression_type": codec, "linger_ms": 20 } });
        let publisher = place.publisher(&topic, more);
        for n in round * 100..(round + 1) * 100 {
            publisher.publish(&n).unwrap();
        }
        assert_eq!(publisher.stop().unwrap().failed_count, 0, "{codec}");
    }
    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    assert_eq!(numbers(&subscriber, 500), (0..500).collect::<Vec<_>>());
}

fn keys_headers_nulls_and_timestamps_come_back(place: &Place) {
    let topic = place.topic(1);
    let publisher = place.publisher(&topic, json!({}));
    let time = 1_700_000_000_123;
    let headers = vec![
        ("twice".to_owned(), Some(Bytes::from_static(b"1"))),
        ("twice".to_owned(), None),
        ("empty".to_owned(), Some(Bytes::new())),
    ];
    let message = Message::bytes(b"value").key("key").headers(headers.clone()).timestamp(time);
    assert_eq!(publisher.send_acknowledged(message).unwrap().timestamp, time);
    publisher.send(Message::tombstone("gone")).unwrap();
    publisher.send(Message::bytes(b"").key("")).unwrap();
    publisher.stop().unwrap();
    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    let records = read(&subscriber, 3);
    let parts = |n: usize| (records[n].key.as_deref(), records[n].value.as_deref());
    assert_eq!(parts(0), (Some(&b"key"[..]), Some(&b"value"[..])));
    assert_eq!((records[0].timestamp, &records[0].headers), (time, &headers));
    assert_eq!(parts(1), (Some(&b"gone"[..]), None));
    assert_eq!(parts(2), (Some(&b""[..]), Some(&b""[..])));
    assert!(records[1].headers.is_empty() && records[1].timestamp > time);
    assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [0, 1, 2]);
}

/// Keys, and their hashes as Java's client has them.
const HASHES: [(&str, i32); 6] = [
    ("21", -973_932_308),
    ("foobar", -790_332_482),
    ("a-little-bit-long-string", -985_981_536),
    ("a-little-bit-longer-string", -1_486_304_829),
    ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
    ("abc", 479_470_107),
];

fn keys_land_where_javas_client_puts_them(place: &Place) {
    let topic = place.topic(7);
    let publisher = place.publisher(&topic, json!({}));
    for (key, hash) in HASHES {
        let delivered = publisher.send_acknowledged(Message::new(&1).key(key)).unwrap();
        assert_eq!(delivered.partition, (hash & 0x7fff_ffff) % 7, "{key}");
    }
    let chosen = publisher.send_acknowledged(Message::new(&1).key("21").partition(3)).unwrap();
    assert_eq!(chosen.partition, 3, "a partition that is given goes before the key");
}

fn records_without_a_key_spread(place: &Place) {
    let topic = place.topic(4);
    let more = json!({ "producer_config": { "batch_size": 4096 } });
    let publisher = place.publisher(&topic, more);
    let big = "x".repeat(1000);
    for _ in 0..50 {
        for _ in 0..20 {
            publisher.publish(&big).unwrap();
        }
        publisher.flush().unwrap();
    }
    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    let partitions: BTreeSet<_> = read(&subscriber, 1000).iter().map(|record| record.partition).collect();
    assert_eq!(partitions.len(), 4);
}

fn acknowledgements_tell_the_place(place: &Place) {
    let topic = place.topic(2);
    let publisher = place.publisher(&topic, json!({ "producer_config": { "acks": "all" } }));
    for offset in 0..5 {
        let delivered = publisher.send_acknowledged(Message::new(&offset).partition(1)).unwrap();
        assert_eq!((&*delivered.topic, delivered.partition, delivered.offset), (&*topic, 1, offset));
    }
    let nowhere = publisher.send_acknowledged(Message::new(&0).partition(2)).unwrap_err();
    assert!(!matches!(nowhere.kind(), ErrorKind::BufferFull | ErrorKind::NotRunning), "{nowhere}");
}

fn order_is_kept(place: &Place) {
    let topic = place.topic(3);
    let more = json!({ "producer_config": { "acks": "all", "batch_size": 512, "linger_ms": 1 } });
    let publisher = place.publisher(&topic, more);
    for n in 0..3000_u64 {
        publisher.send(Message::new(&n).key(&(n % 10).to_string())).unwrap();
    }
    assert_eq!(publisher.stop().unwrap().failed_count, 0);
    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    let mut of_key: HashMap<u64, Vec<u64>> = HashMap::new();
    for record in read(&subscriber, 3000) {
        let n = number(&record);
        of_key.entry(n % 10).or_default().push(n);
    }
    for (key, values) in of_key {
        assert_eq!(values, (0..300).map(|n| n * 10 + key).collect::<Vec<_>>());
    }
}

fn every_level_of_acknowledgement_delivers(place: &Place) {
    let topic = place.topic(1);
    for (n, acks) in [json!(0), json!(1), json!("all")].into_iter().enumerate() {
        let publisher = place.publisher(&topic, json!({ "producer_config": { "acks": acks } }));
        let delivered = publisher.publish_acknowledged(&n).unwrap();
        let offset = if n == 0 { -1 } else { i64::try_from(n).unwrap() };
        assert_eq!(delivered.offset, offset, "acks={acks}");
        // Without acknowledgement the next publisher is not to overtake this one.
        let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
        assert_eq!(numbers(&subscriber, n + 1).last(), Some(&(n as u64)));
    }
}

fn what_is_too_large_is_refused_and_the_rest_delivered(place: &Place) {
    let topic = place.topic(1);
    let publisher = place.publisher(&topic, json!({ "producer_config": { "max_request_size": 10_000 } }));
    publisher.publish(&1).unwrap();
    let refused = publisher.publish(&"x".repeat(20_000)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge, "{refused}");
    publisher.publish(&2).unwrap();
    let report = publisher.stop().unwrap();
    assert_eq!(report.failed_count, 0, "what was refused was not accepted");
    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    assert_eq!(numbers(&subscriber, 2), [1, 2]);
}

fn a_stopped_publisher_takes_nothing(place: &Place) {
    let topic = place.topic(1);
    let publisher = place.publisher(&topic, json!({}));
    publisher.publish(&1).unwrap();
    publisher.stop().unwrap();
    assert_eq!(publisher.publish(&2).unwrap_err().kind(), ErrorKind::NotRunning);
    assert_eq!(publisher.publish_acknowledged(&2).unwrap_err().kind(), ErrorKind::NotRunning);
    assert_eq!(publisher.stop().unwrap().failed_count, 0);
    assert_eq!(publisher.details().publish_count, 1);
}

fn an_interval_collects_and_a_batch_ends_it(place: &Place) {
    let topic = place.topic(1);
    let publisher = place.publisher(&topic, json!({ "publish_interval": 3600, "batch_size": 10 }));
    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    for n in 0..10 {
        publisher.publish(&n).unwrap();
    }
    assert_eq!(numbers(&subscriber, 10), (0..10).collect::<Vec<_>>());
    publisher.publish(&10).unwrap();
    assert_eq!(publisher.details().queue_depth, 1);
    publisher.stop().unwrap();
    assert_eq!(numbers(&subscriber, 1), [10]);
}
