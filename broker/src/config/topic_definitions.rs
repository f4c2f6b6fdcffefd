//! Every config of a topic, in the order in which Kafka checks them, and the broker configs that they fall back to.

use crate::config::definition::{
    ANY, COMPRESSION, Definition, GZIP_LEVEL, LONG_MAX, POLICIES, THROTTLED_REPLICAS, TIMESTAMP_TYPE,
    at_least, between, fraction, own,
};
use crate::config::value::Kind::{Bool, Double, Int, List, Long, Text};

/// The configs of a topic.
pub(crate) static TOPIC: [Definition; 34] = [
    own("segment.bytes", Int, Some("1073741824"), at_least(1048576)),
    own("segment.ms", Long, Some("604800000"), at_least(1)),
    own("segment.jitter.ms", Long, Some("0"), at_least(0)),
    own("segment.index.bytes", Int, Some("10485760"), at_least(4)),
    own("flush.messages", Long, Some(LONG_MAX), at_least(1)),
    own("flush.ms", Long, Some(LONG_MAX), at_least(0)),
    own("retention.bytes", Long, Some("-1"), ANY),
    own("retention.ms", Long, Some("604800000"), at_least(-1)),
    own("max.message.bytes", Int, Some("1048588"), at_least(0)),
    own("index.interval.bytes", Int, Some("4096"), at_least(0)),
    own("delete.retention.ms", Long, Some("86400000"), at_least(0)),
    own("min.compaction.lag.ms", Long, Some("0"), at_least(0)),
    own("max.compaction.lag.ms", Long, Some(LONG_MAX), at_least(1)),
    own("file.delete.delay.ms", Long, Some("60000"), at_least(0)),
    own("min.cleanable.dirty.ratio", Double, Some("0.5"), fraction(0.0, 1.0)),
    own("cleanup.policy", List, Some("delete"), POLICIES),
    own("unclean.leader.election.enable", Bool, Some("false"), ANY),
    own("min.insync.replicas", Int, Some("1"), at_least(1)),
    own("compression.type", Text, Some("producer"), COMPRESSION),
    own("compression.gzip.level", Int, Some("-1"), GZIP_LEVEL),
    own("compression.lz4.level", Int, Some("9"), between(1, 17)),
    own("compression.zstd.level", Int, Some("3"), between(-131072, 22)),
    own("preallocate", Bool, Some("false"), ANY),
    own("message.timestamp.type", Text, Some("CreateTime"), TIMESTAMP_TYPE),
    own("message.timestamp.before.max.ms", Long, Some(LONG_MAX), at_least(0)),
    own("message.timestamp.after.max.ms", Long, Some("3600000"), at_least(0)),
    own("leader.replication.throttled.replicas", List, Some(""), THROTTLED_REPLICAS),
    own("follower.replication.throttled.replicas", List, Some(""), THROTTLED_REPLICAS),
    own("remote.storage.enable", Bool, Some("false"), ANY),
    own("local.retention.ms", Long, Some("-2"), at_least(-2)),
    own("local.retention.bytes", Long, Some("-2"), at_least(-2)),
    own("remote.log.copy.disable", Bool, Some("false"), ANY),
    own("remote.log.delete.on.disable", Bool, Some("false"), ANY),
    own("internal.segment.bytes", Int, None, ANY).internal(),
];

/// Where a topic config's value comes from when the topic has none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fallback {
    /// The topic config.
    pub(crate) topic: &'static str,
    /// Broker configs, the first that is set wins, each with the factor that turns its unit into the topic config's.
    pub(crate) brokers: &'static [(&'static str, i64)],
}

const fn from(topic: &'static str, brokers: &'static [(&'static str, i64)]) -> Fallback {
    Fallback { topic, brokers }
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;

/// The topic configs that have a counterpart in the broker.
pub(crate) static FALLBACKS: [Fallback; 28] = [
    from("segment.bytes", &[("log.segment.bytes", 1)]),
    from("segment.ms", &[("log.roll.ms", 1), ("log.roll.hours", HOUR)]),
    from("segment.jitter.ms", &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR)]),
    from("segment.index.bytes", &[("log.index.size.max.bytes", 1)]),
    from("flush.messages", &[("log.flush.interval.messages", 1)]),
    from("flush.ms", &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)]),
    from("retention.bytes", &[("log.retention.bytes", 1)]),
    from(
        "retention.ms",
        &[("log.retention.ms", 1), ("log.retention.minutes", MINUTE), ("log.retention.hours", HOUR)],
    ),
    from("max.message.bytes", &[("message.max.bytes", 1)]),
    from("index.interval.bytes", &[("log.index.interval.bytes", 1)]),
    from("delete.retention.ms", &[("log.cleaner.delete.retention.ms", 1)]),
    from("min.compaction.lag.ms", &[("log.cleaner.min.compaction.lag.ms", 1)]),
    from("max.compaction.lag.ms", &[("log.cleaner.max.compaction.lag.ms", 1)]),
    from("file.delete.delay.ms", &[("log.segment.delete.delay.ms", 1)]),
    from("min.cleanable.dirty.ratio", &[("log.cleaner.min.cleanable.ratio", 1)]),
    from("cleanup.policy", &[("log.cleanup.policy", 1)]),
    from("unclean.leader.election.enable", &[("unclean.leader.election.enable", 1)]),
    from("min.insync.replicas", &[("min.insync.replicas", 1)]),
    from("compression.type", &[("compression.type", 1)]),
    from("compression.gzip.level", &[("compression.gzip.level", 1)]),
    from("compression.lz4.level", &[("compression.lz4.level", 1)]),
    from("compression.zstd.level", &[("compression.zstd.level", 1)]),
    from("preallocate", &[("log.preallocate", 1)]),
    from("message.timestamp.type", &[("log.message.timestamp.type", 1)]),
    from("message.timestamp.before.max.ms", &[("log.message.timestamp.before.max.ms", 1)]),
    from("message.timestamp.after.max.ms", &[("log.message.timestamp.after.max.ms", 1)]),
    from("local.retention.ms", &[("log.local.retention.ms", 1)]),
    from("local.retention.bytes", &[("log.local.retention.bytes", 1)]),
];
