//! Several nodes with one log behind them, as raw clients see them: who answers what, which errors, which epochs.

mod commands;
mod fetching;
mod groups;
mod leaders;
mod lives;
mod placement;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponsePartition;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use klamm_broker::{Broker, BrokerBuilder, Clock};

use crate::harness::{START, Wire, topic};

/// Three nodes, each with a replica of everything.
fn three() -> BrokerBuilder {
    Broker::builder().brokers(3).clock(Clock::manual(START)).seed(7).topic("a", 3).topic("b", 1)
}

/// The nodes but these, in order.
fn others(but: &[i32]) -> Vec<i32> {
    [1, 2, 3].into_iter().filter(|node| !but.contains(node)).collect()
}

fn metadata(wire: &mut Wire, name: &str) -> MetadataResponse {
    let asked = MetadataRequestTopic::default().with_name(Some(topic(name)));
    wire.call(&MetadataRequest::default().with_topics(Some(vec![asked])), 12)
}

/// What a node says of a partition.
fn partition(wire: &mut Wire, name: &str, index: i32) -> MetadataResponsePartition {
    let mut found = metadata(wire, name).topics.remove(0).partitions;
    found.retain(|partition| partition.partition_index == index);
    found.remove(0)
}

fn ids(nodes: &[kafka_protocol::messages::BrokerId]) -> Vec<i32> {
    nodes.iter().map(|node| node.0).collect()
}
