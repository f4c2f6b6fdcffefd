//! Log aggregation: several writers, one topic, one reader.
//!
//! Notice that lines of different services are mixed, and that those of one service are in the order in which it wrote
//! them, because the service's name is their key.
//!
//! `cargo run --example log_aggregation [BOOTSTRAP]`

mod shared;

use std::collections::BTreeMap;

use klamm::{ClientError, Message, create_publisher, create_subscriber};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{SOON, Stage};

const LINES: u32 = 250;

#[derive(Serialize, Deserialize)]
struct Line {
    service: String,
    number: u32,
    level: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut stage = Stage::new()?;
    let topic = stage.topic("logs", 3, &[])?;

    let services = ["api", "auth", "billing", "search"];
    let config = json!({
        "destination": format!("kafka://topic/{topic}"),
        "bootstrap_servers": stage.broker,
        // A log may linger a little for the sake of larger batches.
        "producer_config": { "linger_ms": 5, "compression_type": "zstd" },
    });
    let writers: Vec<_> = services
        .map(|service| {
            let config = config.clone();
            std::thread::spawn(move || write(service, config))
        })
        .into_iter()
        .collect();

    let reader = create_subscriber(
        "reader",
        json!({
            "source": format!("kafka://topic/{topic}"),
            "bootstrap_servers": stage.broker,
            "group_id": stage.name("reader"),
            "consumer_config": { "auto_offset_reset": "earliest" },
        }),
    )?;
    reader.start()?;
    let mut last: BTreeMap<String, u32> = BTreeMap::new();
    let (mut errors, mut in_order) = (0, true);
    for _ in 0..services.len() as u32 * LINES {
        let line: Line = reader.get_data(SOON)?.ok_or("a line is missing")?;
        errors += u32::from(line.level == "error");
        let before = last.insert(line.service, line.number).unwrap_or(0);
        in_order &= line.number == before + 1;
    }
    for writer in writers {
        writer.join().expect("a writer panics only on a bug")?;
    }
    for (service, lines) in &last {
        println!("{service}: {lines} lines");
    }
    println!("each service in its order: {in_order}, errors among them: {errors}");
    reader.stop()?;
    Ok(())
}

fn write(service: &str, config: serde_json::Value) -> Result<(), ClientError> {
    let publisher = create_publisher(service, config)?;
    for number in 1..=LINES {
        let level = if number % 100 == 0 { "error" } else { "info" };
        let line = Line { service: service.to_owned(), number, level: level.to_owned() };
        publisher.send(Message::new(&line).key(service))?;
    }
    publisher.stop()?;
    Ok(())
}
