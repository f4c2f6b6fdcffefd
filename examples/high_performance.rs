//! Many messages: how fast they go in, and how fast they come out.
//!
//! Notice the rates, and run it with `--release`: without, they say nothing.
//!
//! `cargo run --release --example high_performance [BOOTSTRAP [MESSAGES]]`

mod shared;

use std::time::Instant;

use klamm::{create_publisher, create_subscriber};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{SOON, Stage};

#[derive(Serialize, Deserialize)]
struct Reading {
    id: usize,
    sensor: u32,
    celsius: f64,
    note: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let messages = std::env::args().nth(2).map_or(Ok(100_000), |text| text.parse())?;
    let mut stage = Stage::new()?;
    let topic = stage.topic("readings", 1, &[])?;

    let publisher = create_publisher(
        "readings",
        json!({
            "destination": format!("kafka://topic/{topic}"),
            "bootstrap_servers": stage.broker,
            "producer_config": { "batch_size": 262_144, "linger_ms": 5 },
        }),
    )?;
    let subscriber = create_subscriber(
        "readings",
        json!({
            "source": format!("kafka://topic/{topic}"),
            "bootstrap_servers": stage.broker,
            "group_id": stage.name("readings"),
            "consumer_config": { "auto_offset_reset": "earliest" },
        }),
    )?;
    subscriber.start()?;
    subscriber.wait_for_assignment(SOON)?;

    let began = Instant::now();
    let publishing = std::thread::spawn(move || {
        let note = "x".repeat(40);
        let mut reading = Reading { id: 0, sensor: 7, celsius: 21.5, note };
        for id in 0..messages {
            reading.id = id;
            publisher.publish(&reading)?;
        }
        publisher.flush()?;
        let took = began.elapsed();
        publisher.stop().map(|report| (took, report.failed_count))
    });
    let mut in_order = true;
    for id in 0..messages {
        let reading: Reading = subscriber.get_data(SOON)?.ok_or("a message is missing")?;
        in_order &= reading.id == id;
    }
    let received_in = began.elapsed();
    let (published_in, failed) = publishing.join().expect("publishing panics only on a bug")?;
    subscriber.stop()?;

    let rate = |took: std::time::Duration| messages as f64 / took.as_secs_f64();
    println!(
        "published and acknowledged: {messages} messages, {failed} failed, {:.0} a second",
        rate(published_in)
    );
    println!(
        "received and decoded: {messages} messages, in order: {in_order}, {:.0} a second",
        rate(received_in)
    );
    Ok(())
}
