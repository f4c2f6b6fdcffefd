//! Going back, going on twice, files; and what clients see of it.

mod client;
mod files;
mod lives;
mod model;

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_storage::ReadUpTo;
use klamm_storage::batch;

use crate::Clock;
use crate::server::{Broker, BrokerBuilder};

pub(super) const START: i64 = 1_700_000_000_000;

/// A broker whose time and chance are the test's.
pub(super) fn builder() -> BrokerBuilder {
    Broker::builder().clock(Clock::manual(START)).seed(7).config("offsets.topic.num.partitions", "4")
}

/// The batches of each partition with their offsets, byte by byte, and where its log starts.
pub(super) type Contents = BTreeMap<(String, i32), (i64, Vec<(i64, Bytes)>)>;

/// What a broker has in the topics that clients made.
pub(super) fn contents(broker: &Broker) -> Contents {
    let mut all = Contents::new();
    for topic in broker.state().topics.all().iter().filter(|topic| !topic.is_internal()) {
        for partition in topic.partitions() {
            let log = partition.log();
            let (start, mut batches) = (log.log_start_offset(), Vec::new());
            let mut offset = start;
            while offset < log.log_end_offset() {
                let read = log.read(offset, 1 << 20, true, ReadUpTo::LogEnd).unwrap();
                for batch in batch::batches(&read.records) {
                    offset = batch.header.last_offset() + 1;
                    batches.push((batch.header.base_offset, batch.bytes));
                }
            }
            all.insert((topic.name().to_string(), partition.index()), (start, batches));
        }
    }
    all
}

/// The ids of all topics.
pub(super) fn ids(broker: &Broker) -> BTreeMap<String, uuid::Uuid> {
    broker.state().topics.all().iter().map(|topic| (topic.name().to_string(), topic.id())).collect()
}
