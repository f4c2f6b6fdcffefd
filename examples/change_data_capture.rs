//! Change data capture: a compacted changelog, keyed by what changes.
//!
//! Notice that a reader who comes late has the last value of each key, and nothing of a key that was deleted. Compaction lets the
//! broker forget the older values; a reader must not care whether it already has.
//!
//! `cargo run --example change_data_capture [BOOTSTRAP]`

mod shared;

use std::collections::BTreeMap;

use klamm::{Message, create_publisher, create_subscriber};
use serde_json::{Value, json};
use shared::{SOON, Stage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut stage = Stage::new()?;
    let topic = stage.topic("customers", 1, &[("cleanup.policy", "compact")])?;

    let publisher = create_publisher(
        "database",
        json!({
            "destination": format!("kafka://topic/{topic}"),
            "bootstrap_servers": stage.broker,
            "producer_config": { "acks": "all" },
        }),
    )?;
    for (id, city) in
        [("1", "Prague"), ("2", "Vienna"), ("1", "Berlin"), ("3", "Meran"), ("1", "Prague again")]
    {
        publisher.send(Message::new(&json!({ "id": id, "city": city })).key(id))?;
    }
    // The row is deleted: a record with its key and no value.
    publisher.send(Message::tombstone("2"))?;
    let last =
        publisher.send_acknowledged(Message::new(&json!({ "id": "3", "city": "Kierling" })).key("3"))?;
    publisher.stop()?;
    println!("published {} changes", last.offset + 1);

    let late = create_subscriber(
        "late",
        json!({
            "source": format!("kafka://topic/{topic}"),
            "bootstrap_servers": stage.broker,
            "group_id": stage.name("late"),
            "consumer_config": { "auto_offset_reset": "earliest" },
        }),
    )?;
    late.start()?;
    let mut table = BTreeMap::new();
    loop {
        let change = late.get_record(SOON)?.ok_or("a change is missing")?;
        let key = String::from_utf8_lossy(change.key.as_deref().unwrap_or_default()).into_owned();
        match late.decode::<Option<Value>>(&change)? {
            Some(row) => drop(table.insert(key, row)),
            None => drop(table.remove(&key)),
        }
        if change.offset == last.offset {
            break;
        }
    }
    for (key, row) in table {
        println!("customer {key} lives in {}", row["city"].as_str().unwrap_or("?"));
    }
    late.stop()?;
    Ok(())
}
