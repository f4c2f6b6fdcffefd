//! Requests as scenarios say them: short, and right for each version.

use super::session::Session;
use bytes::Bytes;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// A text of the protocol.
pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

/// A topic's name.
pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A group's id.
pub(crate) fn group_id(name: &str) -> GroupId {
    GroupId(text(name))
}

/// A topic by both of its names: newer versions use the id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
}

impl Topic {
    pub(crate) fn new(name: &str, id: Uuid) -> Topic {
        Topic { name: name.to_string(), id }
    }

    /// One that does not exist.
    pub(crate) fn unknown() -> Topic {
        Topic::new("unknown-topic", Uuid::from_u128(0x1234_5678_9abc_4def_8123_4567_89ab_cdef))
    }
}

/// Creates a topic as preparation.
pub(crate) fn create(s: &mut Session<'_>, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Topic {
    let topic = creatable(name, partitions, 1).with_configs(
        configs
            .iter()
            .map(|(name, value)| {
                create_topics_request::CreatableTopicConfig::default()
                    .with_name(text(name))
                    .with_value(Some(text(value)))
            })
            .collect(),
    );
    let answer = s.quietly(7, create_topics(vec![topic]));
    let created = &answer.topics[0];
    assert_eq!(created.error_code, 0, "the topic {name} is created: {created:?}");
    s.settle();
    Topic::new(name, created.topic_id)
}

/// A topic to create.
pub(crate) fn creatable(name: &str, partitions: i32, replicas: i16) -> create_topics_request::CreatableTopic {
    create_topics_request::CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(replicas)
}

pub(crate) fn create_topics(topics: Vec<create_topics_request::CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(20_000)
}

/// Deletes by name, at any version.
pub(crate) fn delete_topics(version: i16, names: &[&str]) -> DeleteTopicsRequest {
    let request = DeleteTopicsRequest::default().with_timeout_ms(20_000);
    if version >= 6 {
        let state = |name: &&str| {
            delete_topics_request::DeleteTopicState::default().with_name(Some(topic_name(name)))
        };
        request.with_topics(names.iter().map(state).collect())
    } else {
        request.with_topic_names(names.iter().map(|n| topic_name(n)).collect())
    }
}

/// Produces batches, each to a topic and a partition.
pub(crate) fn produce(version: i16, acks: i16, data: &[(&Topic, i32, Option<Bytes>)]) -> ProduceRequest {
    let mut topics: Vec<produce_request::TopicProduceData> = Vec::new();
    for (topic, partition, records) in data {
        let partition = produce_request::PartitionProduceData::default()
            .with_index(*partition)
            .with_records(records.clone());
        let same = |t: &&mut produce_request::TopicProduceData| {
            if version >= 13 { t.topic_id == topic.id } else { *t.name == *topic.name }
        };
        match topics.iter_mut().find(same) {
            Some(t) => t.partition_data.push(partition),
            None => {
                let t = produce_request::TopicProduceData::default().with_partition_data(vec![partition]);
                topics.push(match version {
                    13.. => t.with_topic_id(topic.id),
                    _ => t.with_name(topic_name(&topic.name)),
                });
            }
        }
    }
    ProduceRequest::default().with_acks(acks).with_timeout_ms(10_000).with_topic_data(topics)
}

/// Produces as preparation; it must succeed.
pub(crate) fn store(s: &mut Session<'_>, topic: &Topic, partition: i32, batch: Bytes) {
    let answer = s.quietly(9, produce(9, -1, &[(topic, partition, Some(batch))]));
    let error = answer.responses[0].partition_responses[0].error_code;
    assert_eq!(error, 0, "records are stored in {}: {answer:?}", topic.name);
}

/// A partition to fetch.
pub(crate) fn fetch_partition(partition: i32, offset: i64) -> fetch_request::FetchPartition {
    fetch_request::FetchPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1_048_576)
}

/// Fetches at once: no waiting.
pub(crate) fn fetch(version: i16, topics: &[(&Topic, Vec<fetch_request::FetchPartition>)]) -> FetchRequest {
    let topics = topics.iter().map(|(topic, partitions)| {
        let t = fetch_request::FetchTopic::default().with_partitions(partitions.clone());
        if version >= 13 { t.with_topic_id(topic.id) } else { t.with_topic(topic_name(&topic.name)) }
    });
    FetchRequest::default().with_max_bytes(10_000_000).with_topics(topics.collect())
}

/// Topics to forget in a session.
pub(crate) fn forgotten(version: i16, topic: &Topic, partitions: &[i32]) -> fetch_request::ForgottenTopic {
    let t = fetch_request::ForgottenTopic::default().with_partitions(partitions.to_vec());
    if version >= 13 { t.with_topic_id(topic.id) } else { t.with_topic(topic_name(&topic.name)) }
}

/// Lists offsets of partitions for timestamps.
pub(crate) fn list_offsets(topics: &[(&str, &[(i32, i64)])]) -> ListOffsetsRequest {
    use list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let topics = topics.iter().map(|(name, partitions)| {
        let partitions = partitions.iter().map(|(index, timestamp)| {
            ListOffsetsPartition::default()
                .with_partition_index(*index)
                .with_current_leader_epoch(-1)
                .with_timestamp(*timestamp)
        });
        ListOffsetsTopic::default().with_name(topic_name(name)).with_partitions(partitions.collect())
    });
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics.collect())
}

/// A topic of a Metadata request, by name.
pub(crate) fn metadata_topic(name: &str) -> metadata_request::MetadataRequestTopic {
    metadata_request::MetadataRequestTopic::default().with_name(Some(topic_name(name)))
}

/// Metadata of topics by name; None is all of them. Without creation where that can be said.
pub(crate) fn metadata(version: i16, names: Option<&[&str]>) -> MetadataRequest {
    MetadataRequest::default()
        .with_allow_auto_topic_creation(version < 4)
        .with_topics(names.map(|names| names.iter().map(|n| metadata_topic(n)).collect()))
}
