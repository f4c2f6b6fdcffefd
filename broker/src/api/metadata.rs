//! Metadata, versions 0 to 13: the brokers of the cluster and who leads which partition.
//!
//! Version 0 asks for all topics with an empty list, later ones with null. Topics go by id from version 10 (KIP-516).
//! A topic that does not exist is created where the request and `auto.create.topics.enable` allow it; as in Kafka the
//! answer is UNKNOWN_TOPIC_OR_PARTITION that one time, and the client asks again.

use std::collections::HashSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::context::{Answer, RequestContext, code};
use crate::operations::{CLUSTER_OPERATIONS, NOT_ASKED, TOPIC_OPERATIONS};
use crate::partition::Partition;
use crate::topics::{self, Topic};

pub(crate) async fn handle(cx: &RequestContext, request: MetadataRequest) -> Answer<MetadataResponse> {
    let broker = &cx.broker;
    let with_ids = cx.version() >= 10 && cx.version() < 12;
    let by_id = |topic: &MetadataRequestTopic| !topic.topic_id.is_nil();
    let response = response(cx, request.include_cluster_authorized_operations);
    if with_ids && request.topics.iter().flatten().any(|topic| by_id(topic) || topic.name.is_none()) {
        // Version 10 and 11 have a place for ids that the broker does not read (KAFKA-12701).
        return Ok(invalid_ids(request));
    }
    let asked = request.topics.filter(|topics| cx.version() > 0 || !topics.is_empty());
    let topics: Vec<_> = match &asked {
        None => broker.topics.all().iter().map(|topic| describe(cx, topic)).collect(),
        Some(asked) => {
            let create = request.allow_auto_topic_creation || cx.version() < 4;
            // One answer for a topic, however often it is named: a short request must not make a huge answer.
            let mut seen = HashSet::new();
            let distinct = asked.iter().filter(|topic| seen.insert((topic.topic_id, &topic.name)));
            distinct.map(|topic| find(cx, topic, create)).collect()
        }
    };
    let operations = if request.include_topic_authorized_operations { TOPIC_OPERATIONS } else { NOT_ASKED };
    let topics = topics.into_iter().map(|topic| match topic.error_code {
        0 => topic.with_topic_authorized_operations(operations),
        _ => topic,
    });
    Ok(response.with_topics(topics.collect()))
}

fn response(cx: &RequestContext, with_operations: bool) -> MetadataResponse {
    let broker = &cx.broker;
    let (host, port) = broker.advertised(cx.peer.listener);
    let node = MetadataResponseBroker::default()
        .with_node_id(BrokerId(broker.node_id))
        .with_host(StrBytes::from_string(host))
        .with_port(port.into())
        .with_rack(broker.rack.clone().map(StrBytes::from_string));
    let operations = if with_operations { CLUSTER_OPERATIONS } else { NOT_ASKED };
    MetadataResponse::default()
        .with_brokers(vec![node])
        .with_cluster_id(Some(StrBytes::from_string(broker.cluster_id.clone())))
        .with_controller_id(BrokerId(broker.node_id))
        .with_cluster_authorized_operations(operations)
}

fn invalid_ids(request: MetadataRequest) -> MetadataResponse {
    let topic = |topic: MetadataRequestTopic| {
        MetadataResponseTopic::default()
            .with_error_code(ResponseError::InvalidRequest.code())
            .with_name(Some(topic.name.unwrap_or_default()))
            .with_topic_id(topic.topic_id)
            .with_topic_authorized_operations(NOT_ASKED)
    };
    MetadataResponse::default()
        .with_controller_id(BrokerId(-1))
        .with_topics(request.topics.into_iter().flatten().map(topic).collect())
}

/// The topic that was asked for, or why there is none.
fn find(cx: &RequestContext, asked: &MetadataRequestTopic, create: bool) -> MetadataResponseTopic {
    let broker = &cx.broker;
    if !asked.topic_id.is_nil() {
        return match broker.topics.by_id(asked.topic_id) {
            Some(topic) => describe(cx, &topic),
            None => missing(ResponseError::UnknownTopicId, None, asked.topic_id),
        };
    }
    let name = asked.name.clone().unwrap_or_default();
    if let Some(topic) = broker.topics.get(&name) {
        return describe(cx, &topic);
    }
    let error = if topics::check_name(&name).is_err() {
        ResponseError::InvalidTopicException
    } else if create && broker.config.settings().auto_create_topics_enable {
        match broker.create_automatically(&name) {
            Ok(()) => ResponseError::UnknownTopicOrPartition,
            Err(error) => error,
        }
    } else {
        ResponseError::UnknownTopicOrPartition
    };
    missing(error, Some(name), Uuid::nil())
}

fn missing(error: ResponseError, name: Option<TopicName>, id: Uuid) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_error_code(code(Some(error)))
        .with_is_internal(name.as_ref().is_some_and(|name| topics::is_internal(name)))
        .with_name(name)
        .with_topic_id(id)
        .with_topic_authorized_operations(NOT_ASKED)
}

fn describe(cx: &RequestContext, topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions();
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic.name().to_string()))))
        .with_topic_id(topic.id())
        .with_is_internal(topic.is_internal())
        .with_partitions(partitions.iter().map(|partition| describe_partition(cx, partition)).collect())
}

fn describe_partition(cx: &RequestContext, partition: &Partition) -> MetadataResponsePartition {
    let node = BrokerId(cx.broker.node_id);
    MetadataResponsePartition::default()
        .with_partition_index(partition.index())
        .with_leader_id(node)
        .with_leader_epoch(partition.leader_epoch())
        .with_replica_nodes(vec![node])
        .with_isr_nodes(vec![node])
}
