//! A cluster on demand: three nodes in one process, whose leaders move and which are stopped and brought back on command.
//!
//! Notice that the publisher does not: what it sends after each move is acknowledged by whoever leads by then. A consumer
//! that was told of the old leader's epoch learns of the new one by it. With two of three nodes gone, acks of all are
//! refused until one is back (`min.insync.replicas`), and the publisher waits for that.
//!
//! `cargo run --example testing_cluster`

use klamm::{Broker, create_publisher, embed_broker};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let three = Broker::builder()
        .brokers(3)
        .racks(["vienna", "graz", "linz"])
        .config("min.insync.replicas", "2")
        .topic("orders", 1);
    let broker = embed_broker("testing-cluster", three)?;
    let cluster = broker.cluster();
    let publisher = create_publisher(
        "orders",
        json!({
            "destination": "kafka://topic/orders",
            "bootstrap_servers": "embedded://testing-cluster",
            "producer_config": { "acks": "all", "enable_idempotence": true },
        }),
    )?;
    let show = |what: &str| {
        let view = cluster.view();
        let orders = view.partitions.iter().find(|partition| partition.topic == "orders");
        if let Some(orders) = orders {
            let led = orders.leader.map_or("led by nobody".to_owned(), |_| "led".to_owned());
            println!("{what}: {led} in epoch {}, {} in sync", orders.leader_epoch, orders.isr.len());
        }
    };

    publisher.publish_acknowledged("before")?;
    show("at the start");

    let first = cluster.leader("orders", 0)?.ok_or("nobody leads")?;
    let other =
        cluster.nodes().iter().map(|node| node.id).find(|id| *id != first).ok_or("there is one node")?;
    cluster.move_leader("orders", 0, other)?;
    publisher.publish_acknowledged("after a move")?;
    show("after a move");

    cluster.stop_node(other)?;
    publisher.publish_acknowledged("after the leader has gone")?;
    show("without the leader");

    let refused = cluster.move_leader("orders", 0, other).err().ok_or("a stopped node leads")?;
    println!("{}", refused.to_string().replace(&format!("node {other}"), "the node"));

    // Too few are in sync now. Somebody brings a node back while the publisher waits.
    let second = cluster.leader("orders", 0)?.ok_or("nobody leads")?;
    let third = cluster.nodes().iter().map(|node| node.id).find(|id| ![other, second].contains(id));
    cluster.stop_node(third.ok_or("there are two nodes")?)?;
    show("with one node");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| publisher.publish_acknowledged("when one is back"));
        cluster.bring_back(other)?;
        waits.join().map_err(|_| "publishing panicked")??;
        Ok::<(), Box<dyn std::error::Error>>(())
    })?;
    show("with one back");

    let records = broker.records("orders")?;
    println!("{} records, each once and in order", records.len());
    publisher.stop()?;
    Ok(())
}
