//! Event sourcing: what happens is kept, and the state is what comes of it.
//!
//! Notice that replaying from the beginning rebuilds the same state, and that an event from the middle gives the state at that
//! time.
//!
//! `cargo run --example event_sourcing [BOOTSTRAP]`

mod shared;

use std::collections::BTreeMap;

use klamm::{ClientError, Message, StartAt, Subscriber, create_publisher, create_subscriber};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{SOON, Stage};

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Opened { account: String },
    Deposited { account: String, cents: i64 },
    Withdrawn { account: String, cents: i64 },
}

type State = BTreeMap<String, i64>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut stage = Stage::new()?;
    // Events are never deleted.
    let topic = stage.topic("accounts", 1, &[("retention.ms", "-1")])?;

    let publisher = create_publisher(
        "bank",
        json!({
            "destination": format!("kafka://topic/{topic}"),
            "bootstrap_servers": stage.broker,
            "producer_config": { "acks": "all", "compression_type": "lz4" },
        }),
    )?;
    let (olga, frieda) = ("olga".to_owned(), "frieda".to_owned());
    let events = [
        Event::Opened { account: olga.clone() },
        Event::Deposited { account: olga.clone(), cents: 10_000 },
        Event::Opened { account: frieda.clone() },
        Event::Withdrawn { account: olga.clone(), cents: 2_500 },
        Event::Deposited { account: frieda.clone(), cents: 2_500 },
    ];
    for event in &events {
        // An event counts once every replica in sync has it.
        publisher.send_acknowledged(Message::new(event))?;
    }
    publisher.stop()?;

    let subscriber = create_subscriber(
        "ledger",
        json!({
            "source": format!("kafka://topic/{topic}"),
            "bootstrap_servers": stage.broker,
            "group_id": stage.name("ledger"),
            "consumer_config": { "auto_offset_reset": "earliest", "enable_auto_commit": false },
        }),
    )?;
    subscriber.start()?;
    let state = replay(&subscriber, events.len())?;
    println!("the state: {state:?}");

    subscriber.replay(StartAt::Earliest)?;
    let rebuilt = replay(&subscriber, events.len())?;
    println!("rebuilt from the beginning: {rebuilt:?}, the same: {}", rebuilt == state);

    subscriber.replay(StartAt::Earliest)?;
    println!("after two events it was: {:?}", replay(&subscriber, 2)?);
    subscriber.stop()?;
    Ok(())
}

/// The state after so many events.
fn replay(subscriber: &Subscriber, events: usize) -> Result<State, ClientError> {
    let mut state = State::new();
    for _ in 0..events {
        match subscriber.get_data::<Event>(SOON)? {
            Some(Event::Opened { account }) => drop(state.insert(account, 0)),
            Some(Event::Deposited { account, cents }) => *state.entry(account).or_default() += cents,
            Some(Event::Withdrawn { account, cents }) => *state.entry(account).or_default() -= cents,
            None => break,
        }
    }
    Ok(state)
}
