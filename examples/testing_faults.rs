//! Faults: what a production cluster does once a year, whenever the test wants it.
//!
//! Notice that the acknowledgement that is lost makes a plain producer write twice and an idempotent one once, that the rest of
//! the topic is served while one partition fails, and that each rule counts how often it struck.
//!
//! `cargo run --example testing_faults`

use std::error::Error;
use std::time::Duration;

use klamm::{ApiKey, Fault, Publisher, ResponseError, create_publisher};
use serde_json::json;

fn publisher(broker: &klamm::Broker, topic: &str, acks: &str) -> Result<Publisher, klamm::ClientError> {
    create_publisher(
        "shop",
        json!({
            "destination": format!("kafka://topic/{topic}"),
            "bootstrap_servers": broker.bootstrap_servers(),
            "producer_config": { "acks": acks, "retries": 10, "retry_backoff_ms": 10 },
        }),
    )
}

fn main() -> Result<(), Box<dyn Error>> {
    let broker = klamm::testing::broker().topic("plain", 1).topic("idempotent", 1).topic("orders", 2).start();

    // The work is done, and the connection closed instead of an answer: nobody can know whether it was.
    let lost = broker.fault(Fault::on(ApiKey::Produce).topic("plain").nth(1).close_before_answer());
    publisher(&broker, "plain", "1")?.publish_acknowledged("an order")?;
    println!(
        "acks=1, struck {} time: the order is there {} times",
        broker.hits(lost),
        broker.records("plain").len()
    );

    let lost = broker.fault(Fault::on(ApiKey::Produce).topic("idempotent").nth(1).close_before_answer());
    publisher(&broker, "idempotent", "all")?.publish_acknowledged("an order")?;
    let times = broker.records("idempotent").len();
    println!("acks=all, struck {} time: the order is there {times} time", broker.hits(lost));

    // One partition has no leader for three requests; the publisher tries again, and the other one is served.
    let moved = broker.fault(
        Fault::on(ApiKey::Produce)
            .topic("orders")
            .partition(1)
            .first(3)
            .error(ResponseError::NotLeaderOrFollower),
    );
    let orders = publisher(&broker, "orders", "all")?;
    for (partition, order) in [(0, "a lamp"), (1, "a chair")] {
        let delivered = orders.send_acknowledged(klamm::Message::new(order).partition(partition))?;
        println!("{order} is in {}-{} at offset {}", delivered.topic, delivered.partition, delivered.offset);
    }
    println!("the rule for orders-1 struck {} times", broker.hits(moved));

    // A disk that is full for one request of any kind: here for the creation of a topic, which is asked for again.
    let full = broker.fault(Fault::on(ApiKey::CreateTopics).topic("audit").nth(1).disk_full());
    let admin = klamm::create_admin("ops", json!({ "bootstrap_servers": broker.bootstrap_servers() }))?;
    admin.create_topics([klamm::NewTopic::new("audit")]).wait()?.all()?;
    println!("the topic is there, though the disk was full: the rule struck {} time", broker.hits(full));
    let created = broker.recent_requests(100).into_iter().filter(|request| request.api == "CreateTopics");
    println!(
        "its requests were {:?}",
        created.map(|request| request.outcome.to_string()).collect::<Vec<_>>()
    );

    // Rules that contradict themselves are refused, with a sentence.
    let nonsense = Fault::on(ApiKey::Heartbeat).topic("orders").delay(Duration::from_millis(5));
    if let Err(why) = broker.faults().add(nonsense) {
        println!("refused: {why}");
    }
    Ok(())
}
