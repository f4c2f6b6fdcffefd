//! The same program on a broker within the process and on a real cluster:
//!
//! ```sh
//! cargo run --example embedded_and_real
//! cargo run --example embedded_and_real localhost:9092
//! ```

use std::time::Duration;

use klamm::{create_publisher, create_subscriber};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    id: u32,
    item: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The only difference between a broker of one's own and a cluster.
    let broker = std::env::args().nth(1).unwrap_or("embedded://shop".to_owned());

    let publisher = create_publisher(
        "orders",
        json!({ "destination": "kafka://topic/orders", "bootstrap_servers": broker }),
    )?;
    let order = Order { id: 1, item: "lamp".to_owned() };
    let delivered = publisher.publish_acknowledged(&order)?;
    println!("published to {}-{} at offset {}", delivered.topic, delivered.partition, delivered.offset);

    let subscriber = create_subscriber(
        "billing",
        json!({
            "source": "kafka://topic/orders",
            "bootstrap_servers": broker,
            "consumer_config": { "auto_offset_reset": "earliest" },
        }),
    )?;
    subscriber.start()?;
    let order: Option<Order> = subscriber.get_data(Duration::from_secs(10))?;
    println!("received {order:?}");

    subscriber.stop()?;
    publisher.stop()?;
    Ok(())
}
