//! Keyed ordering: records of one key land on one partition, and so stay in order; records without a key spread.
//!
//! Notice that each customer's events come in order, all from one partition (the one that Java's murmur2 would choose), and
//! that the records without a key do not all go to one.
//!
//! `cargo run --example keyed_ordering [BOOTSTRAP]`

mod shared;

use std::collections::{BTreeMap, BTreeSet};

use klamm::{Message, create_publisher, create_subscriber};
use serde_json::{Value, json};
use shared::{SOON, Stage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut stage = Stage::new()?;
    let topic = stage.topic("events", 4, &[])?;

    let publisher = create_publisher(
        "events",
        json!({ "destination": format!("kafka://topic/{topic}"), "bootstrap_servers": stage.broker }),
    )?;
    let customers = ["anna", "bert", "carl", "dora"];
    for number in 1..=5 {
        for customer in customers {
            publisher.send(Message::new(&json!({ "number": number })).key(customer))?;
        }
    }
    // Records without a key go to one partition until a batch of it is full, so it takes some to see them spread.
    let keyless = 400;
    let padding = "x".repeat(200);
    for number in 1..=keyless {
        publisher.publish(&json!({ "number": number, "padding": padding }))?;
    }
    publisher.stop()?;

    let subscriber = create_subscriber(
        "events",
        json!({
            "source": format!("kafka://topic/{topic}"),
            "bootstrap_servers": stage.broker,
            "group_id": stage.name("events"),
            "consumer_config": { "auto_offset_reset": "earliest" },
        }),
    )?;
    subscriber.start()?;
    let mut seen: BTreeMap<String, (BTreeSet<i32>, Vec<i64>)> = BTreeMap::new();
    let mut spread = BTreeSet::new();
    for _ in 0..customers.len() * 5 + keyless {
        let record = subscriber.get_record(SOON)?.ok_or("a record is missing")?;
        let Some(key) = &record.key else {
            spread.insert(record.partition);
            continue;
        };
        let (partitions, numbers) = seen.entry(String::from_utf8_lossy(key).into_owned()).or_default();
        partitions.insert(record.partition);
        numbers.push(subscriber.decode::<Value>(&record)?["number"].as_i64().unwrap_or(0));
    }
    for (customer, (partitions, numbers)) in seen {
        println!("{customer}: partition {partitions:?}, in the order {numbers:?}");
    }
    println!("without a key: {} partitions", spread.len());
    subscriber.stop()?;
    Ok(())
}
