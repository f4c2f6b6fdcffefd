//! Seed and journal: the same run again, as often as you like, answer for answer.
//!
//! Notice that two brokers of one seed draw the same ids and meet the same faults by chance, and that the journal of a run gives
//! the same bytes a hundred times.
//!
//! `cargo run --example testing_seed`

use std::error::Error;

use klamm::{ApiKey, Fault, JournalOptions, ResponseError};

/// A run in which chance has a say: the topic's id, and which of twenty requests fail.
fn run(seed: u64) -> (String, Vec<u64>) {
    let broker = klamm::testing::broker().topic("orders", 1).seed(seed).start();
    let unlucky =
        broker.fault(Fault::on(ApiKey::Produce).probability(0.3).error(ResponseError::NotLeaderOrFollower));
    let mut struck = Vec::new();
    for order in 0..20 {
        let before = broker.hits(unlucky);
        // The publisher tries again by itself, until it is not struck.
        broker.publish("orders", &order);
        struck.push(broker.hits(unlucky) - before);
    }
    (broker.topics()[0].id.to_string(), struck)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (id, struck) = run(7);
    println!("with the seed 7 these had to be tried again: {struck:?}");
    println!("the same seed again, the same run: {}", (id, struck) == run(7));
    println!("another seed, another run: {}", run(7) != run(8));

    // A journal has every request in the order in which the broker took it, with the clock and the answer.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("run.journal");
    {
        let broker = klamm::Broker::builder()
            .topic("orders", 1)
            .seed(7)
            .journal(JournalOptions::file(&path))
            .start()?;
        let publisher = klamm::create_publisher(
            "shop",
            serde_json::json!({
                "destination": "kafka://topic/orders",
                "bootstrap_servers": broker.bootstrap_servers(),
            }),
        )?;
        for order in 0..20 {
            publisher.publish_acknowledged(&order)?;
        }
        publisher.stop()?;
    }
    // `klamm replay run.journal` does this too, and shows the first answer that differs.
    let journal = klamm::Journal::read(&path)?;
    let mut equal = 0;
    for _ in 0..100 {
        equal += u32::from(journal.replay()?.is_equal());
    }
    println!("replayed 100 times, equal to the byte {equal} times");
    Ok(())
}
