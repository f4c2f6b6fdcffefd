//! Records, as they are handed out and as they come back undelivered.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::ClientError;

/// A topic and the number of one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number, from 0 on.
    pub partition: i32,
}

impl TopicPartition {
    /// Of a topic's name and a partition's number.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        TopicPartition { topic: topic.into(), partition }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// The headers of a record, in their order. A name may stand more than once; a value may be null.
pub type Headers = Vec<(String, Option<Bytes>)>;

/// A record as a subscriber gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The topic that it was read from.
    pub topic: Arc<str>,
    /// The partition that it was read from.
    pub partition: i32,
    /// Its offset in the partition.
    pub offset: i64,
    /// The epoch of the leader that took it, or -1 where the broker does not say.
    pub leader_epoch: i32,
    /// Its timestamp in milliseconds since 1970, or -1 if it has none.
    pub timestamp: i64,
    /// Its key, where it has one.
    pub key: Option<Bytes>,
    /// Its value; none in a tombstone.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
}

/// Where an acknowledged record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition that it went to.
    pub partition: i32,
    /// Its offset; -1 with `acks=0`, where the broker does not say.
    pub offset: i64,
    /// Its timestamp in milliseconds since 1970: its own, or the log's where the topic takes the time of the append.
    pub timestamp: i64,
}

/// A record that was accepted for sending and could not be delivered, with the reason.
#[derive(Debug, Clone)]
pub struct Undelivered {
    /// The topic that it was meant for.
    pub topic: Arc<str>,
    /// The partition that it was meant for, where that was decided.
    pub partition: Option<i32>,
    /// Its key, where it has one.
    pub key: Option<Bytes>,
    /// Its value.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
    /// Its timestamp in milliseconds since 1970.
    pub timestamp: i64,
    /// Why it could not be delivered.
    pub reason: ClientError,
}
