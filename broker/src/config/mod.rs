//! Every config of Kafka 4.3: those of the broker, of topics, of groups and of client metrics subscriptions.
//!
//! All of them are known by name, checked as Kafka checks them, shown with Kafka's default and source, and settable
//! where Kafka lets them be set. Those that Klamm acts on are in this table; the others are kept and shown, and change
//! nothing, because Klamm has nothing for them to change (replication, tiered storage, security, thread pools, …).
//!
//! | config of a topic | and its counterpart of the broker | what it does |
//! |---|---|---|
//! | `cleanup.policy` | `log.cleanup.policy` | with `compact`, records need a key; with `delete`, retention applies |
//! | `compression.type`, `compression.gzip.level` | `compression.type`, `compression.gzip.level` | batches are compressed anew unless it is `producer` |
//! | `flush.messages` | `log.flush.interval.messages` | a sync after as many records |
//! | `flush.ms` | `log.flush.interval.ms`, `log.flush.scheduler.interval.ms` | a sync after as much time |
//! | `index.interval.bytes` | `log.index.interval.bytes` | how far apart the entries of an index are |
//! | `max.message.bytes` | `message.max.bytes` | the largest batch that is accepted |
//! | `message.timestamp.after.max.ms` | `log.message.timestamp.after.max.ms` | how far ahead a timestamp may be |
//! | `message.timestamp.before.max.ms` | `log.message.timestamp.before.max.ms` | how far back a timestamp may be |
//! | `message.timestamp.type` | `log.message.timestamp.type` | whose clock stamps records |
//! | `preallocate` | `log.preallocate` | whether a segment's file has its full size from the start |
//! | `retention.bytes` | `log.retention.bytes` | how much of a partition is kept |
//! | `retention.ms` | `log.retention.ms`, `log.retention.minutes`, `log.retention.hours` | how long records are kept |
//! | `segment.bytes`, `internal.segment.bytes` | `log.segment.bytes` | how large a segment grows |
//! | `segment.index.bytes` | `log.index.size.max.bytes` | how large a segment's index grows |
//! | `segment.jitter.ms` | `log.roll.jitter.ms`, `log.roll.jitter.hours` | how far `segment.ms` is varied |
//! | `segment.ms` | `log.roll.ms`, `log.roll.hours` | how long a segment takes records |
//!
//! | config of the broker | what it does |
//! |---|---|
//! | `node.id`, `broker.rack` | what clients are told of the broker |
//! | `listeners`, `advertised.listeners`, `listener.security.protocol.map`, `controller.listener.names` | where it listens; plain text only |
//! | `log.dirs`, `log.dir` | the data folder, the first of them, if they are in a properties file |
//! | `num.partitions` | how many partitions a topic gets if nobody says |
//! | `auto.create.topics.enable` | whether asking for a topic creates it |
//! | `delete.topic.enable` | whether topics can be deleted |
//! | `fetch.max.bytes` | the most that an answer to a fetch holds |
//! | `max.incremental.fetch.session.cache.slots` | how many fetch sessions are kept |
//! | `socket.request.max.bytes`, `queued.max.request.bytes` | the longest frame, and the memory for all requests |
//! | `max.connections`, `max.connections.per.ip`, `max.connections.per.ip.overrides`, `connections.max.idle.ms` | how many connections, and how long idle ones stay |
//! | `log.retention.check.interval.ms` | how often retention is applied |
//! | `log.flush.scheduler.interval.ms` | how often it is looked whether `flush.ms` is over |
//! | `log.flush.offset.checkpoint.interval.ms` | how often it is written down from where recovery starts |
//! | `max.request.partition.size.limit` | the most partitions in an answer to DescribeTopicPartitions |
//! | `producer.id.expiration.ms` | how long an idle idempotent producer is remembered; read when the broker starts |
//! | `group.min.session.timeout.ms`, `group.max.session.timeout.ms`, `group.max.size` | what groups accept |
//! | `group.initial.rebalance.delay.ms` | how long a new group waits for more members; 0 unless it is set |
//! | `offset.metadata.max.bytes` | the longest text beside a committed offset |
//! | `offsets.retention.minutes`, `offsets.retention.check.interval.ms` | when the offsets of empty groups expire |
//! | `offsets.topic.num.partitions`, `offsets.topic.segment.bytes` | how `__consumer_offsets` is created |

mod broker_definitions;
mod broker_rules;
pub(crate) mod change;
mod definition;
pub(crate) mod describe;
#[cfg(test)]
mod describe_tests;
mod group_definitions;
mod layers;
mod log_options;
pub(crate) mod loggers;
pub(crate) mod resource_rules;
#[cfg(test)]
mod rules_tests;
mod settings;
mod store;
mod topic_definitions;
mod value;

pub(crate) use layers::{Layers, Source};
pub(crate) use settings::BrokerSettings;
pub(crate) use store::{ConfigStore, check_remembered};

/// Kafka's number of the config resource type "topic".
pub(crate) const TOPIC_RESOURCE: i8 = 2;
/// Kafka's number of the config resource type "broker".
pub(crate) const BROKER_RESOURCE: i8 = 4;
/// Kafka's number of the config resource type "broker logger".
pub(crate) const LOGGER_RESOURCE: i8 = 8;
/// Kafka's number of the config resource type "client metrics subscription".
pub(crate) const CLIENT_METRICS_RESOURCE: i8 = 16;
/// Kafka's number of the config resource type "group".
pub(crate) const GROUP_RESOURCE: i8 = 32;

/// All of them, in the order in which Kafka lists them.
pub(crate) const RESOURCE_TYPES: [i8; 5] =
    [GROUP_RESOURCE, CLIENT_METRICS_RESOURCE, LOGGER_RESOURCE, BROKER_RESOURCE, TOPIC_RESOURCE];

/// A config that cannot be taken: what is wrong with its name or its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(sentence: impl Into<String>) -> ConfigError {
        ConfigError(sentence.into())
    }
}

#[cfg(test)]
mod tests {
    use super::layers::{broker_definition, topic_definition};

    #[test]
    fn every_config_in_the_table_exists() {
        let rows = include_str!("mod.rs").lines().filter(|line| line.starts_with("//! | `"));
        let mut named = 0;
        for row in rows {
            let cells: Vec<&str> = row.trim_start_matches("//! |").trim_end_matches('|').split('|').collect();
            // The last says what the config does, and may name values.
            for name in cells[..cells.len() - 1].iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
                assert!(topic_definition(name).or(broker_definition(name)).is_some(), "{name}");
                named += 1;
            }
        }
        assert!(named > 50, "{named}");
    }
}
