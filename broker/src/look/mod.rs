//! Looking at a broker: records, groups, connections and requests as plain values, to assert on.
//!
//! No consumer is needed, and nothing that is looked at notices. Every value can be written as JSON. Looking costs the one
//! who looks: a request pays for one lock that nobody else wants, and for its number.

mod groups;
mod outcome;
mod records;
mod traffic;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::server::Broker;
use crate::state::BrokerState;

pub use groups::{CommittedOffset, Group, Lag, Member, TopicPartitions};
pub(crate) use groups::{group, lags};
pub(crate) use outcome::Errors;
pub use outcome::RequestOutcome;
pub use records::{LookError, MAX_LOOKED_BYTES, Record};
pub use traffic::{Connection, RECENT_REQUESTS, RequestCount, SeenRequest, TransportKind};
pub(crate) use traffic::{Incoming, Opened, Seen, Traffic};

/// A topic as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// Whether the broker itself keeps state in it.
    pub internal: bool,
    /// Its partitions, in order.
    pub partitions: Vec<Partition>,
}

/// A partition as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Partition {
    /// Its number.
    pub index: i32,
    /// The first offset that can be read.
    pub log_start_offset: i64,
    /// The offset that the next record gets.
    pub log_end_offset: i64,
    /// The epoch of its leader.
    pub leader_epoch: i32,
    /// The bytes of its segments.
    pub bytes: u64,
}

fn topics(state: &BrokerState) -> Vec<Topic> {
    let partition = |partition: &std::sync::Arc<crate::partition::Partition>| Partition {
        index: partition.index(),
        log_start_offset: partition.log().log_start_offset(),
        log_end_offset: partition.log().log_end_offset(),
        leader_epoch: partition.leader_epoch(),
        bytes: partition.log().size_bytes(),
    };
    let topic = |topic: &std::sync::Arc<crate::topics::Topic>| Topic {
        name: topic.name().to_string(),
        id: topic.id(),
        internal: topic.is_internal(),
        partitions: topic.partitions().iter().map(partition).collect(),
    };
    state.topics.all().iter().map(topic).collect()
}

impl Broker {
    /// All topics, by name.
    pub fn topics(&self) -> Vec<Topic> {
        topics(&self.state())
    }

    /// All records of a topic, decoded, by partition and offset. Those of transactions that are open or were aborted are
    /// among them; markers of transactions are not.
    ///
    /// ```
    /// let broker = klamm_broker::Broker::builder().topic("orders", 1).start()?;
    /// assert_eq!(broker.records("orders")?, []);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such topic, its log cannot be read, or its records take more than [`MAX_LOOKED_BYTES`].
    pub fn records(&self, topic: &str) -> Result<Vec<Record>, LookError> {
        records::all(&self.state(), topic)
    }

    /// At most `count` records of a partition, from `offset` on or from the first that is left.
    ///
    /// # Errors
    /// If there is no such partition, its log cannot be read, or the records take more than [`MAX_LOOKED_BYTES`].
    pub fn records_from(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        count: usize,
    ) -> Result<Vec<Record>, LookError> {
        records::from(&self.state(), topic, partition, offset, count)
    }

    /// All groups, by id.
    pub fn groups(&self) -> Vec<Group> {
        groups::all(&self.state())
    }

    /// A group with its members, their assignments and its offsets; none if there is no such group.
    pub fn group(&self, id: &str) -> Option<Group> {
        groups::group(&self.state(), id)
    }

    /// The offset that a group has committed of a partition, if it has.
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let at = |group: &crate::coordinator::group::ClassicGroup| {
            group.offsets().get(topic, partition).map(|value| value.offset)
        };
        self.state().groups.look(group, at).flatten()
    }

    /// What a group has yet to read, in each partition of which it has offsets or that its members are assigned.
    pub fn lag(&self, group: &str) -> Vec<Lag> {
        groups::group(&self.state(), group)
            .map(|group| groups::lags(&self.state(), &group))
            .unwrap_or_default()
    }

    /// The connections that are open, in the order in which they were opened.
    pub fn connections(&self) -> Vec<Connection> {
        self.state().hand.traffic.connections()
    }

    /// How many requests of each API came from each client, also over connections that have ended.
    pub fn request_counts(&self) -> Vec<RequestCount> {
        self.state().hand.traffic.counts()
    }

    /// How many requests of an API came, from all clients together.
    pub fn requests(&self, api: kafka_protocol::messages::ApiKey) -> u64 {
        let name = format!("{api:?}");
        self.request_counts().iter().filter(|count| count.api == name).map(|count| count.requests).sum()
    }

    /// The last requests, the newest last: at most `count`, and of each connection at most [`RECENT_REQUESTS`].
    pub fn recent_requests(&self, count: usize) -> Vec<SeenRequest> {
        self.state().hand.traffic.recent(count)
    }
}
