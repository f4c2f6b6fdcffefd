//! Broadcast: one topic, three groups, and each of them sees everything.
//!
//! Notice that all three print the same five orders: groups do not take records away from each other.
//!
//! `cargo run --example broadcast [BOOTSTRAP]`

mod shared;

use klamm::{create_publisher, create_subscriber};
use serde_json::{Value, json};
use shared::{SOON, Stage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut stage = Stage::new()?;
    let topic = stage.topic("broadcast", 3, &[])?;

    let publisher = create_publisher(
        "shop",
        json!({ "destination": format!("kafka://topic/{topic}"), "bootstrap_servers": stage.broker }),
    )?;
    for id in 1..=5 {
        publisher.publish(&json!({ "id": id }))?;
    }
    publisher.flush()?;

    for name in ["billing", "shipping", "statistics"] {
        let subscriber = create_subscriber(
            name,
            json!({
                "source": format!("kafka://topic/{topic}"),
                "bootstrap_servers": stage.broker,
                "group_id": stage.name(name),
                "consumer_config": { "auto_offset_reset": "earliest" },
            }),
        )?;
        subscriber.start()?;
        let mut ids = Vec::new();
        while ids.len() < 5 {
            let order: Value = subscriber.get_data(SOON)?.ok_or("an order is missing")?;
            ids.push(order["id"].as_i64().ok_or("an order has no id")?);
        }
        ids.sort();
        println!("{name} has seen the orders {ids:?}");
        subscriber.stop()?;
    }
    publisher.stop()?;
    Ok(())
}
