//! Fetch requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest};
use uuid::Uuid;

use super::session::Delta;
use crate::native::consumer::shelf::{NO_EPOCH, ToFetch};
use crate::native::consumer::wire;
use crate::options::{ConsumerOptions, IsolationLevel};

/// The newest version that is understood.
pub(super) const MOST: i16 = 17;
/// Topics are given by their ids from the next version on.
pub(super) const MOST_BY_NAME: i16 = 12;
/// From this version on there are sessions.
pub(super) const SESSIONS: i16 = 7;
const RACKS: i16 = 11;

/// Whether topics are given by their ids.
pub(super) fn is_by_id(version: i16) -> bool {
    version > MOST_BY_NAME
}

/// A request for what has changed in the session.
pub(super) fn build(
    options: &ConsumerOptions,
    version: i16,
    parts: &[ToFetch],
    delta: &Delta,
    (max_wait_ms, max_bytes): (i32, i32),
) -> FetchRequest {
    let mut topics: BTreeMap<(&Arc<str>, Uuid), Vec<FetchPartition>> = BTreeMap::new();
    for part in delta.changed.iter().filter_map(|at| parts.get(*at)) {
        let partition = FetchPartition::default()
            .with_partition(part.partition.partition)
            .with_current_leader_epoch(part.leader.epoch)
            .with_fetch_offset(part.offset)
            .with_last_fetched_epoch(NO_EPOCH)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(part.max_bytes);
        topics.entry((&part.partition.topic, part.leader.topic_id)).or_default().push(partition);
    }
    let topic = |((topic, id), partitions): ((&Arc<str>, Uuid), Vec<FetchPartition>)| {
        let fetched = FetchTopic::default().with_partitions(partitions);
        if is_by_id(version) {
            fetched.with_topic_id(id)
        } else {
            fetched.with_topic(wire::topic_name(topic))
        }
    };
    let isolation = i8::from(options.isolation_level == IsolationLevel::ReadCommitted);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(options.fetch_min_bytes)
        .with_max_bytes(max_bytes)
        .with_isolation_level(isolation)
        .with_topics(topics.into_iter().map(topic).collect());
    let request = match &options.client_rack {
        Some(rack) if version >= RACKS => request.with_rack_id(wire::text(rack)),
        _ => request,
    };
    if version < SESSIONS {
        return request;
    }
    request
        .with_session_id(delta.session_id)
        .with_session_epoch(delta.session_epoch)
        .with_forgotten_topics_data(forgotten(delta, version))
}

fn forgotten(delta: &Delta, version: i16) -> Vec<ForgottenTopic> {
    let mut topics: BTreeMap<(&Arc<str>, Uuid), Vec<i32>> = BTreeMap::new();
    for (partition, id) in &delta.forgotten {
        topics.entry((&partition.topic, *id)).or_default().push(partition.partition);
    }
    let topic = |((topic, id), partitions): ((&Arc<str>, Uuid), Vec<i32>)| {
        let forgotten = ForgottenTopic::default().with_partitions(partitions);
        if is_by_id(version) {
            forgotten.with_topic_id(id)
        } else {
            forgotten.with_topic(wire::topic_name(topic))
        }
    };
    topics.into_iter().map(topic).collect()
}
