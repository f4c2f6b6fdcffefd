//! Every config of a group and of a client metrics subscription.

use crate::config::definition::{ANY, Check, Definition, OFFSET_RESET, at_least, one_of, own};
use crate::config::value::Kind::{Bool, Int, List, Text};

const ISOLATION: Check = one_of(&["read_committed", "read_uncommitted"]);

/// The configs of a group.
pub(crate) static GROUP: [Definition; 17] = [
    own("consumer.session.timeout.ms", Int, Some("45000"), at_least(1)),
    own("consumer.heartbeat.interval.ms", Int, Some("5000"), at_least(1)),
    own("consumer.assignment.interval.ms", Int, Some("1000"), at_least(0)),
    own("share.session.timeout.ms", Int, Some("45000"), at_least(1)),
    own("share.heartbeat.interval.ms", Int, Some("5000"), at_least(1)),
    own("share.record.lock.duration.ms", Int, Some("30000"), at_least(1000)),
    own("share.delivery.count.limit", Int, Some("5"), at_least(2)),
    own("share.partition.max.record.locks", Int, Some("2000"), at_least(100)),
    own("share.auto.offset.reset", Text, Some("latest"), OFFSET_RESET),
    own("share.isolation.level", Text, Some("read_uncommitted"), ISOLATION),
    own("share.renew.acknowledge.enable", Bool, Some("true"), ANY),
    own("share.assignment.interval.ms", Int, Some("1000"), at_least(0)),
    own("streams.session.timeout.ms", Int, Some("45000"), at_least(1)),
    own("streams.heartbeat.interval.ms", Int, Some("5000"), at_least(1)),
    own("streams.num.standby.replicas", Int, Some("0"), at_least(0)),
    own("streams.initial.rebalance.delay.ms", Int, Some("3000"), at_least(0)),
    own("streams.assignment.interval.ms", Int, Some("1000"), at_least(0)),
];

/// The configs of a client metrics subscription.
pub(crate) static CLIENT_METRICS: [Definition; 3] = [
    own("interval.ms", Int, Some("300000"), ANY),
    own("match", List, Some(""), ANY),
    own("metrics", List, Some(""), ANY),
];
