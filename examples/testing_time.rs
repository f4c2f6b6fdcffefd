//! Time in a test's hand: a session runs out, an offset expires and eight days of retention pass, each in a moment.
//!
//! Notice that nothing sleeps, that the subscriber is an ordinary one, and that what falls due has happened when `advance`
//! returns: there is nothing to wait for.
//!
//! `cargo run --example testing_time`

use std::error::Error;
use std::time::{Duration, Instant};

use klamm::create_subscriber;
use serde_json::json;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn main() -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    // Offsets of a group without members are kept for a day here; for a week where nobody says otherwise.
    let broker =
        klamm::testing::broker().topic("orders", 1).config("offsets.retention.minutes", "1440").start();
    broker.publish("orders", "a lamp");

    let subscriber = create_subscriber(
        "billing",
        json!({
            "source": "kafka://topic/orders",
            "bootstrap_servers": broker.bootstrap_servers(),
            "group_id": "billing",
            "consumer_config": {
                "auto_offset_reset": "earliest",
                "session_timeout_ms": 45_000,
                "heartbeat_interval_ms": 50,
            },
        }),
    )?;
    subscriber.start()?;
    let order: Option<String> = subscriber.get_data(Duration::from_secs(10))?;
    println!("read: {}", order.ok_or("the order is missing")?);

    // A member that is not heard of for its session's length is out.
    let members = || broker.group("billing").map_or(Vec::new(), |group| group.members);
    let before = members();
    broker.advance(Duration::from_secs(45));
    println!(
        "45 seconds later the member is out: {}",
        before.iter().all(|member| !members().contains(member))
    );

    // It lives, though: its next heartbeat tells it that it is out, and it joins again.
    broker.wait_for_group("billing", 1);
    println!("and then in again, under another id");
    // What it had not committed by then it is given again.
    let order: Option<String> = subscriber.get_data(Duration::from_secs(10))?;
    println!("read once more: {}", order.ok_or("the order is missing")?);

    // Having left, the group keeps its offsets for a day.
    subscriber.stop()?;
    println!("committed: {:?}", broker.committed("billing", "orders", 0));
    broker.advance(DAY + Duration::from_secs(10 * 60));
    println!("a day later: {:?}", broker.committed("billing", "orders", 0));

    // And the topic its records for a week: `log.retention.hours` is 168, as it is for Kafka.
    println!("records: {}", broker.records("orders").len());
    broker.advance(8 * DAY);
    println!("eight days later: {}", broker.records("orders").len());

    println!("all of it took less than ten seconds: {}", began.elapsed() < Duration::from_secs(10));
    Ok(())
}
