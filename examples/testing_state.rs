//! State: back to the beginning, back to a snapshot, or a second broker with the same contents, in less than a millisecond.
//!
//! Notice that the publisher lives through a reset as it would through a restart, that the fork and the original know nothing of
//! each other, and that a snapshot can be kept in a file: a fixture.
//!
//! `cargo run --example testing_state`

use std::error::Error;

use klamm::Snapshot;

fn main() -> Result<(), Box<dyn Error>> {
    let broker = klamm::testing::broker().topic("orders", 1).start();
    broker.publish("orders", "a lamp");
    let before = broker.snapshot();

    // What one test leaves behind …
    broker.publish("orders", "a chair");
    println!("the test leaves {:?}", broker.texts("orders"));
    // … the next one does not find.
    broker.restore(&before);
    println!("restored: {:?}", broker.texts("orders"));

    // A second broker with the same contents: what one of them does is nothing to the other.
    let fork = broker.fork();
    fork.publish("orders", "a table");
    println!("the fork has {:?}", fork.texts("orders"));
    println!("the original has {:?}", broker.texts("orders"));

    // The publisher has the connection to a broker that was reset under it.
    broker.reset();
    println!("reset: {:?}", broker.texts("orders"));
    broker.publish("orders", "a bed");
    println!("the same publisher goes on: {:?}", broker.texts("orders"));

    // A fixture: written once, loaded by any test, in any process.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.snapshot");
    fork.snapshot().save(&path)?;
    let fixture = Snapshot::load(&path)?;
    let tests: Vec<_> = (0..10).map(|_| klamm::testing::broker().from_snapshot(&fixture).start()).collect();
    let same = tests.iter().all(|broker| broker.texts("orders") == ["a lamp", "a table"]);
    println!("ten brokers begin with the fixture: {same}");
    Ok(())
}
