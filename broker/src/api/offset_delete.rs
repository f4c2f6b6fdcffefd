//! OffsetDelete, version 0 (KIP-496): forgetting a group's offsets in topics that nobody in it subscribes to.
//!
//! Partitions that do not exist are answered first, as Kafka does; an error of the whole group has no partitions.

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
    let mut topics: Vec<OffsetDeleteResponseTopic> = Vec::new();
    let mut wanted: Vec<(String, i32)> = Vec::new();
    for topic in &request.topics {
        let known = cx.broker.topics.get(&topic.name);
        for partition in &topic.partitions {
            let index = partition.partition_index;
            if known.as_ref().is_some_and(|known| known.partition(index).is_some()) {
                wanted.push((topic.name.to_string(), index));
            } else {
                add(&mut topics, &topic.name, index, Some(ResponseError::UnknownTopicOrPartition));
            }
        }
    }
    match cx.broker.groups.delete_offsets(&request.group_id, &wanted) {
        Ok(results) => {
            for ((topic, partition), error) in wanted.iter().zip(results) {
                add(&mut topics, topic, *partition, error);
            }
            Ok(OffsetDeleteResponse::default().with_topics(topics))
        }
        Err(error) => Ok(OffsetDeleteResponse::default().with_error_code(error.code())),
    }
}

fn add(
    topics: &mut Vec<OffsetDeleteResponseTopic>,
    name: &str,
    partition: i32,
    error: Option<ResponseError>,
) {
    let answered =
        OffsetDeleteResponsePartition::default().with_partition_index(partition).with_error_code(code(error));
    // Most often it is the last one again.
    match topics.iter_mut().rfind(|topic| &*topic.name.0 == name) {
        Some(topic) => topic.partitions.push(answered),
        None => topics.push(
            OffsetDeleteResponseTopic::default()
                .with_name(TopicName(name.to_owned().into()))
                .with_partitions(vec![answered]),
        ),
    }
}
