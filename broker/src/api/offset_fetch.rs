//! OffsetFetch, versions 1 to 9: how far groups have come.
//!
//! Up to version 7 one group is asked for, from 8 many (KIP-709). From version 2 a null list of topics asks for all
//! that the group has committed. A group or partition without an offset gets -1 and no error. From version 7 only
//! stable offsets can be asked for (KIP-447): all are, because transactions are not served. Member ids and epochs
//! (version 9) belong to groups of another type.
//!
//! Gap: version 10 (topic ids) is not known to the protocol library.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{GroupId, OffsetFetchRequest, OffsetFetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::context::{Answer, RequestContext};
use crate::coordinator::group::Offsets;

/// From this version on, many groups are asked for.
const BATCHED: i16 = 8;

pub(crate) async fn handle(cx: &RequestContext, request: OffsetFetchRequest) -> Answer<OffsetFetchResponse> {
    let response = OffsetFetchResponse::default();
    if cx.version() >= BATCHED {
        let groups = request.groups.into_iter().map(|group| fetch(cx, group)).collect::<Answer<_>>()?;
        return Ok(response.with_groups(groups));
    }
    let topic = |topic: OffsetFetchRequestTopic| {
        OffsetFetchRequestTopics::default()
            .with_name(topic.name)
            .with_partition_indexes(topic.partition_indexes)
    };
    let topics = request.topics.map(|topics| topics.into_iter().map(topic).collect());
    let group = OffsetFetchRequestGroup::default().with_group_id(request.group_id).with_topics(topics);
    let fetched = fetch(cx, group)?;
    // Version 1 has no place for an error of the group: it is with each partition.
    let error_code = if cx.version() > 1 { fetched.error_code } else { 0 };
    Ok(response.with_error_code(error_code).with_topics(fetched.topics.into_iter().map(single).collect()))
}

/// The offsets of one group.
fn fetch(cx: &RequestContext, asked: OffsetFetchRequestGroup) -> Answer<OffsetFetchResponseGroup> {
    let id: GroupId = asked.group_id;
    if let Err(error) = cx.check_coordinates(&id) {
        let topics = asked.topics.iter().flatten().map(|topic| of_nobody(topic, error)).collect();
        return Ok(OffsetFetchResponseGroup::default()
            .with_group_id(id)
            .with_error_code(error.code())
            // From version 8 on the group's error says it all.
            .with_topics(if cx.version() >= BATCHED { Vec::new() } else { topics }));
    }
    let topics = cx.broker.groups.look(&id, |group| match &asked.topics {
        Some(topics) => topics.iter().map(|topic| of_topic(cx, topic, Some(group.offsets()))).collect(),
        None => all(cx, group.offsets()),
    });
    let nothing = || asked.topics.iter().flatten().map(|topic| of_topic(cx, topic, None)).collect::<Answer<_>>();
    let topics = topics.unwrap_or_else(nothing)?;
    Ok(OffsetFetchResponseGroup::default().with_group_id(id).with_topics(topics))
}

fn of_topic(
    cx: &RequestContext,
    topic: &OffsetFetchRequestTopics,
    offsets: Option<&Offsets>,
) -> Answer<OffsetFetchResponseTopics> {
    let partition = |index: &i32| {
        let partition = OffsetFetchResponsePartitions::default().with_partition_index(*index);
        let value = offsets.and_then(|offsets| offsets.get(&topic.name, *index));
        cx.spend(128 + value.map_or(0, |value| 2 * value.metadata.len()))?;
        Ok(match value {
            Some(value) => partition
                .with_committed_offset(value.offset)
                .with_committed_leader_epoch(value.leader_epoch)
                .with_metadata(Some(StrBytes::from_string(value.metadata.clone()))),
            None => partition
                .with_committed_offset(-1)
                .with_committed_leader_epoch(-1)
                .with_metadata(Some(StrBytes::default())),
        })
    };
    Ok(OffsetFetchResponseTopics::default()
        .with_name(topic.name.clone())
        .with_partitions(topic.partition_indexes.iter().map(partition).collect::<Answer<_>>()?))
}

/// Partitions of a group that another node coordinates.
fn of_nobody(topic: &OffsetFetchRequestTopics, error: ResponseError) -> OffsetFetchResponseTopics {
    let partition = |index: &i32| {
        OffsetFetchResponsePartitions::default()
            .with_partition_index(*index)
            .with_committed_offset(-1)
            .with_committed_leader_epoch(-1)
            .with_metadata(Some(StrBytes::default()))
            .with_error_code(error.code())
    };
    OffsetFetchResponseTopics::default()
        .with_name(topic.name.clone())
        .with_partitions(topic.partition_indexes.iter().map(partition).collect())
}

fn all(cx: &RequestContext, offsets: &Offsets) -> Answer<Vec<OffsetFetchResponseTopics>> {
    let topics = offsets.by_topic().iter().map(|(name, partitions)| {
        OffsetFetchRequestTopics::default()
            .with_name(TopicName(StrBytes::from_string(name.clone())))
            .with_partition_indexes(partitions.keys().copied().collect())
    });
    topics.map(|topic| of_topic(cx, &topic, Some(offsets))).collect()
}

fn single(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partition = |partition: OffsetFetchResponsePartitions| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_metadata(partition.metadata)
            .with_error_code(partition.error_code)
    };
    OffsetFetchResponseTopic::default()
        .with_name(topic.name)
        .with_partitions(topic.partitions.into_iter().map(partition).collect())
}
