//! OffsetDelete, version 0 (KIP-496): forgetting a group's offsets in topics that nobody in it subscribes to.
//!
//! Partitions that do not exist are answered first, as Kafka does; an error of the whole group has no partitions.

use indexmap::IndexMap;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse, TopicName};

use crate::context::{Answer, RequestContext, code};

pub(crate) async fn handle(
    cx: &RequestContext,
    request: OffsetDeleteRequest,
) -> Answer<OffsetDeleteResponse> {
    let mut unknown = Answered::new();
    let mut topics: Vec<(TopicName, Vec<i32>)> = Vec::new();
    for topic in request.topics {
        let asked = topic.partitions.iter().map(|partition| partition.partition_index);
        let known = cx.broker.topics.get(&topic.name);
        let exists = |index: &i32| known.as_ref().is_some_and(|known| known.partition(*index).is_some());
        let (wanted, missing): (Vec<i32>, Vec<i32>) = asked.partition(exists);
        if known.is_none() || !missing.is_empty() {
            let error = Some(ResponseError::UnknownTopicOrPartition);
            let missing = missing.into_iter().map(|index| answered(index, error));
            unknown.entry(topic.name.clone()).or_default().extend(missing);
        }
        if !wanted.is_empty() {
            topics.push((topic.name, wanted));
        }
    }
    let partitions: Vec<(&str, i32)> = topics
        .iter()
        .flat_map(|(name, wanted)| wanted.iter().map(|index| (name.0.as_str(), *index)))
        .collect();
    let coordinates = cx.check_remembers(&request.group_id);
    let deleted = coordinates.and_then(|()| cx.broker.groups.delete_offsets(&request.group_id, &partitions));
    let results = match deleted {
        Ok(results) => results,
        Err(error) => return Ok(OffsetDeleteResponse::default().with_error_code(error.code())),
    };
    let mut results = results.into_iter();
    let answer = |(name, wanted): (TopicName, Vec<i32>)| {
        (name, wanted.into_iter().map(|index| answered(index, results.next().flatten())).collect())
    };
    let known = topics.into_iter().map(answer).collect();
    Ok(response(unknown, known))
}

type Answered = IndexMap<TopicName, Vec<OffsetDeleteResponsePartition>>;

fn answered(partition: i32, error: Option<ResponseError>) -> OffsetDeleteResponsePartition {
    OffsetDeleteResponsePartition::default().with_partition_index(partition).with_error_code(code(error))
}

/// The answer: as Kafka puts it together, a topic that is named twice has one entry only if something of the request
/// does not exist.
fn response(
    mut unknown: Answered,
    known: Vec<(TopicName, Vec<OffsetDeleteResponsePartition>)>,
) -> OffsetDeleteResponse {
    let topic =
        |(name, partitions)| OffsetDeleteResponseTopic::default().with_name(name).with_partitions(partitions);
    if unknown.is_empty() {
        return OffsetDeleteResponse::default().with_topics(known.into_iter().map(topic).collect());
    }
    for (name, partitions) in known {
        unknown.entry(name).or_default().extend(partitions);
    }
    OffsetDeleteResponse::default().with_topics(unknown.into_iter().map(topic).collect())
}
