//! ListOffsets, versions 1 to 10: offsets by timestamp, and by what stands for one.
//!
//! -2 is the earliest offset, -1 the latest; -3 the record with the greatest timestamp (from version 7, KIP-734); -4 the
//! earliest in the local log, which is the earliest of all (from 8, KIP-405); -5 the latest in tiered storage, which
//! there is none of (from 9, KIP-1005). In an older version, and for any other negative number, the partition gets
//! UNSUPPORTED_VERSION. Isolation counts from version 2, leader epochs from 4.
//!
//! A partition that is named twice gets one answer, INVALID_REQUEST. Gap: the time-out of version 10 is for reading
//! tiered storage, and is not waited for.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use indexmap::IndexMap;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse, TopicName};

use crate::context::{Answer, RequestContext};
use crate::partition::{FoundOffset, OffsetSpec};

/// The isolation levels: 0 reads everything, 1 what is committed.
const ISOLATION_LEVELS: RangeInclusive<i8> = 0..=1;
const READ_COMMITTED: i8 = 1;

/// From this version on answers tell the epoch of the leader that appended what was found.
const LEADER_EPOCHS: i16 = 4;

/// What an answer takes for each partition that is named.
const ANSWER_BYTES: usize = 256;

pub(crate) async fn handle(cx: &RequestContext, request: ListOffsetsRequest) -> Answer<ListOffsetsResponse> {
    let named: usize = request.topics.iter().map(|topic| 1 + topic.partitions.len()).sum();
    cx.spend(named.saturating_mul(ANSWER_BYTES))?;
    let topics = if ISOLATION_LEVELS.contains(&request.isolation_level) {
        let read_committed = request.isolation_level == READ_COMMITTED;
        // Timestamps may have to be looked for in parts of the log that are not in memory.
        tokio::task::block_in_place(|| find_all(cx, &request.topics, read_committed))
    } else {
        all_refused(cx.version(), &request.topics, ResponseError::UnknownServerError)
    };
    Ok(ListOffsetsResponse::default().with_topics(topics))
}

fn find_all(
    cx: &RequestContext,
    asked: &[ListOffsetsTopic],
    read_committed: bool,
) -> Vec<ListOffsetsTopicResponse> {
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    let named = || asked.iter().flat_map(|t| t.partitions.iter().map(move |p| (&t.name, p)));
    for (name, partition) in named() {
        if !seen.insert((name, partition.partition_index)) {
            repeated.insert((name, partition.partition_index));
        }
    }
    let mut answered = HashSet::new();
    let mut topics: IndexMap<&TopicName, Vec<ListOffsetsPartitionResponse>> = IndexMap::new();
    for (name, partition) in named() {
        let index = partition.partition_index;
        if answered.insert((name, index)) {
            let found = if repeated.contains(&(name, index)) {
                Err(ResponseError::InvalidRequest)
            } else {
                find(cx, name, partition, read_committed)
            };
            topics.entry(name).or_default().push(response(cx.version(), index, found));
        }
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        ListOffsetsTopicResponse::default().with_name(name.clone()).with_partitions(partitions)
    });
    topics.collect()
}

fn find(
    cx: &RequestContext,
    name: &TopicName,
    asked: &ListOffsetsPartition,
    read_committed: bool,
) -> Result<FoundOffset, ResponseError> {
    let spec = spec(asked.timestamp, cx.version()).ok_or(ResponseError::UnsupportedVersion)?;
    let topic = cx.broker.topics.get(name);
    let partition = topic.and_then(|topic| topic.partition(asked.partition_index));
    let partition = partition.ok_or(ResponseError::UnknownTopicOrPartition)?;
    cx.check_leads(&partition, asked.current_leader_epoch)?;
    partition.find_offset(spec, read_committed)
}

/// What a timestamp stands for in a version of the API; nothing if the version does not know it.
fn spec(timestamp: i64, version: i16) -> Option<OffsetSpec> {
    let (spec, since) = match timestamp {
        -1 => (OffsetSpec::Latest, 1),
        -2 | -4 => (OffsetSpec::Earliest, if timestamp == -4 { 8 } else { 1 }),
        -3 => (OffsetSpec::MaxTimestamp, 7),
        -5 => (OffsetSpec::LatestTiered, 9),
        0.. => (OffsetSpec::AtOrAfter(timestamp), 1),
        _ => return None,
    };
    (version >= since).then_some(spec)
}

fn response(version: i16, index: i32, found: Result<FoundOffset, ResponseError>) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(index);
    match found {
        Ok(found) => response
            .with_offset(found.offset)
            .with_timestamp(found.timestamp)
            .with_leader_epoch(if version >= LEADER_EPOCHS { found.leader_epoch } else { -1 }),
        Err(error) => response.with_error_code(error.code()),
    }
}

fn all_refused(version: i16, asked: &[ListOffsetsTopic], error: ResponseError) -> Vec<ListOffsetsTopicResponse> {
    let topics = asked.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| response(version, asked.partition_index, Err(error)));
        ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    topics.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_timestamp_depends_on_the_version() {
        for (timestamp, since) in [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (0, 1), (i64::MAX, 1)] {
            assert_eq!(spec(timestamp, since - 1), None, "{timestamp}");
            assert!(spec(timestamp, since).is_some(), "{timestamp}");
        }
        for timestamp in [-6, -7, i64::MIN] {
            assert_eq!(spec(timestamp, 10), None, "{timestamp}");
        }
    }
}
