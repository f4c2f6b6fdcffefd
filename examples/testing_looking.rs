//! Looking: records, groups, offsets, connections and requests as values to assert on. No consumer is needed, and nothing
//! that is looked at notices.
//!
//! Notice that records come typed, and that what clients have asked is known, with what became of it.
//!
//! `cargo run --example testing_looking`

use std::error::Error;
use std::time::Duration;

use klamm::{ApiKey, Message};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    item: String,
    pieces: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let broker = klamm::testing::broker().topic("orders", 1).start();
    let publisher = broker.publisher("orders");
    for (item, pieces) in [("lamp", 1), ("chair", 4)] {
        let order = Order { item: item.to_owned(), pieces };
        publisher.send_acknowledged(Message::new(&order).key(item).header("shop", "prague"))?;
    }

    for order in broker.values::<Order>("orders") {
        println!("an order of {} {}", order.pieces, order.item);
    }
    let last = broker.records("orders").pop().ok_or("there is no record")?;
    println!("the last is at offset {}, with the key {:?}", last.offset, last.key_text().unwrap_or_default());
    println!("its headers: {:?}", last.headers);

    let subscriber = broker.subscriber_in("billing", "orders");
    let first: Option<Order> = subscriber.get_data(Duration::from_secs(10))?;
    println!("billing reads {}", first.ok_or("nothing was read")?.item);
    subscriber.stop()?;
    let group = broker.group("billing").ok_or("there is no group")?;
    println!("its group is {}, in generation {}", group.state, group.generation);
    println!("it has committed {:?}", broker.committed("billing", "orders", 0));
    println!("and is {} behind", broker.lag("billing").iter().map(|lag| lag.lag).sum::<u64>());

    println!("records were produced in {} requests", broker.requests(ApiKey::Produce));
    for request in broker.recent_requests(100).iter().filter(|request| request.api == "Produce") {
        println!("  {} of {}: {}", request.api, request.client_id, request.outcome);
    }
    println!("connections that are open: {}", broker.connections().len());
    Ok(())
}
