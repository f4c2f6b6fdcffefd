//! Options of subscribers.

use super::{I32, Meaning, Role, Row, Verdict};
use crate::options::{Assignor, IsolationLevel, OffsetReset};

const fn row(python: &'static [&'static str], librdkafka: &'static [&'static str], meaning: Meaning) -> Row {
    Row { python, librdkafka, role: Role::Consumer, meaning }
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The table's bounds keep numbers within 32 bits.
fn bytes(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(super) static ROWS: &[Row] = &[
    row(&["group_id"], &["group.id"], Meaning::Text(|d, text| d.group_id = Some(text))),
    row(
        &["group_instance_id"],
        &["group.instance.id"],
        Meaning::Text(|d, text| d.consumer.group_instance_id = Some(text)),
    ),
    row(
        &["auto_offset_reset"],
        &["auto.offset.reset"],
        Meaning::Word("earliest, latest or none", |d, word| {
            d.consumer.auto_offset_reset = match word {
                "earliest" | "smallest" | "beginning" => OffsetReset::Earliest,
                "latest" | "largest" | "end" => OffsetReset::Latest,
                "none" | "error" => OffsetReset::None,
                _ => return Verdict::Wrong,
            };
            Verdict::Set
        }),
    ),
    row(
        &["enable_auto_commit"],
        &["enable.auto.commit", "auto.commit.enable"],
        Meaning::Flag(|d, flag| d.consumer.enable_auto_commit = flag),
    ),
    row(
        &["auto_commit_interval_ms"],
        &["auto.commit.interval.ms"],
        Meaning::Millis(1, 86_400_000, |d, time| d.consumer.auto_commit_interval = time),
    ),
    row(&["max_poll_records"], &[], Meaning::Number(1, I32, |d, n| d.consumer.max_poll_records = size(n))),
    row(
        &["session_timeout_ms"],
        &["session.timeout.ms"],
        Meaning::Millis(1, 3_600_000, |d, time| d.consumer.session_timeout = time),
    ),
    row(
        &["heartbeat_interval_ms"],
        &["heartbeat.interval.ms"],
        Meaning::Millis(1, 3_600_000, |d, time| d.consumer.heartbeat_interval = time),
    ),
    row(
        &["max_poll_interval_ms"],
        &["max.poll.interval.ms"],
        Meaning::Millis(1, 86_400_000, |d, time| d.consumer.max_poll_interval = time),
    ),
    row(
        &["fetch_min_bytes"],
        &["fetch.min.bytes"],
        Meaning::Number(0, 100_000_000, |d, n| d.consumer.fetch_min_bytes = bytes(n)),
    ),
    row(
        &["fetch_max_wait_ms"],
        &["fetch.wait.max.ms"],
        Meaning::Millis(0, 300_000, |d, time| d.consumer.fetch_max_wait = time),
    ),
    row(
        &["fetch_max_bytes"],
        &["fetch.max.bytes"],
        Meaning::Number(0, I32, |d, n| d.consumer.fetch_max_bytes = bytes(n)),
    ),
    row(
        &["max_partition_fetch_bytes"],
        &["max.partition.fetch.bytes", "fetch.message.max.bytes"],
        Meaning::Number(1, 1_000_000_000, |d, n| d.consumer.max_partition_fetch_bytes = bytes(n)),
    ),
    row(
        &[],
        &["queued.max.messages.kbytes"],
        Meaning::Number(1, 2_097_151, |d, n| d.consumer.max_fetched_bytes = size(n.saturating_mul(1024))),
    ),
    row(
        &["isolation_level"],
        &["isolation.level"],
        Meaning::Word("read_uncommitted or read_committed", |d, word| {
            d.consumer.isolation_level = match word {
                "read_uncommitted" => IsolationLevel::ReadUncommitted,
                "read_committed" => IsolationLevel::ReadCommitted,
                _ => return Verdict::Wrong,
            };
            Verdict::Set
        }),
    ),
    row(
        &["partition_assignment_strategy"],
        &["partition.assignment.strategy"],
        Meaning::Words(
            "range, roundrobin, sticky and cooperative-sticky, with commas or as a list",
            |d, names| {
                let assignors: Option<Vec<_>> = names.iter().map(|name| assignor(name)).collect();
                match assignors {
                    Some(assignors) if !assignors.is_empty() => {
                        d.consumer.assignors = assignors;
                        Verdict::Set
                    }
                    _ => Verdict::Wrong,
                }
            },
        ),
    ),
    row(&["check_crcs"], &["check.crcs"], Meaning::Flag(|d, flag| d.consumer.check_crcs = flag)),
    row(&["client_rack"], &["client.rack"], Meaning::Text(|d, text| d.consumer.client_rack = Some(text))),
    row(
        &["allow_auto_create_topics"],
        &["allow.auto.create.topics"],
        Meaning::Flag(|d, flag| d.consumer.allow_auto_create_topics = flag),
    ),
    row(
        &["exclude_internal_topics"],
        &[],
        Meaning::Flag(|d, flag| d.consumer.exclude_internal_topics = flag),
    ),
    row(&["consumer_timeout_ms"], &[], Meaning::Millis(0, I32, |d, time| d.iteration_timeout = Some(time))),
    row(
        &[],
        &["group.protocol"],
        Meaning::Word("classic", |_, word| match word {
            "classic" => Verdict::Set,
            "consumer" => Verdict::Librdkafka,
            _ => Verdict::Wrong,
        }),
    ),
    row(
        &["enable_incremental_fetch_sessions"],
        &[],
        Meaning::Nothing("fetch sessions are used wherever the broker has them"),
    ),
    row(
        &["max_in_flight_requests_per_connection"],
        &["max.in.flight.requests.per.connection", "max.in.flight"],
        Meaning::Nothing("a subscriber has one fetch under way to each broker"),
    ),
    row(&[], &["queued.min.messages"], Meaning::Nothing("fetching goes on until max_depth records wait")),
    row(
        &[],
        &["enable.auto.offset.store", "enable.partition.eof"],
        Meaning::Refused("what was handed out is what is committed, in either library; take it out"),
    ),
    row(
        &["default_offset_commit_callback"],
        &["consume_cb", "rebalance_cb", "offset_commit_cb"],
        Meaning::Refused(
            "set a listener with `with_rebalance_listener`; `commit` returns what became of a commit",
        ),
    ),
];

/// By the name that members of a group tell each other, or by that of Kafka's class.
fn assignor(name: &str) -> Option<Assignor> {
    let name = name.rsplit('.').next().unwrap_or(name);
    Some(match name {
        "range" | "RangeAssignor" => Assignor::Range,
        "roundrobin" | "RoundRobinAssignor" => Assignor::RoundRobin,
        "sticky" | "StickyAssignor" => Assignor::Sticky,
        "cooperative-sticky" | "CooperativeStickyAssignor" => Assignor::CooperativeSticky,
        _ => return None,
    })
}
