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
    let mut topics = Answered::new();
    let mut wanted: Vec<(TopicName, i32)> = Vec::new();
    for topic in &request.topics {
        let known = cx.broker.topics.get(&topic.name);
        for partition in &topic.partitions {
            let index = partition.partition_index;
            if known.as_ref().is_some_and(|known| known.partition(index).is_some()) {
                wanted.push((topic.name.clone(), index));
            } else {
                add(&mut topics, &topic.name, index, Some(ResponseError::UnknownTopicOrPartition));
            }
        }
    }
    let names: Vec<(&str, i32)> = wanted.iter().map(|(topic, partition)| (topic.0.as_str(), *partition)).collect();
    match cx.broker.groups.delete_offsets(&request.group_id, &names) {
        Ok(results) => {
            for ((topic, partition), error) in wanted.iter().zip(results) {
                add(&mut topics, topic, *partition, error);
            }
            let topic = |(name, partitions)| {
                OffsetDeleteResponseTopic::default().with_name(name).with_partitions(partitions)
            };
            Ok(OffsetDeleteResponse::default().with_topics(topics.into_iter().map(topic).collect()))
        }
        Err(error) => Ok(OffsetDeleteResponse::default().with_error_code(error.code())),
    }
}

type Answered = IndexMap<TopicName, Vec<OffsetDeleteResponsePartition>>;

fn add(topics: &mut Answered, name: &TopicName, partition: i32, error: Option<ResponseError>) {
    let answered =
        OffsetDeleteResponsePartition::default().with_partition_index(partition).with_error_code(code(error));
    topics.entry(name.clone()).or_default().push(answered);
}
