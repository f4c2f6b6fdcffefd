//! Metadata, versions 0 to 13: the brokers of the cluster and who leads which partition.
//!
//! Version 0 asks for all topics with an empty list, later ones with null. Topics go by id from version 10 (KIP-516).
//! A topic that does not exist is created where the request and `auto.create.topics.enable` allow it; as in Kafka the
//! answer is UNKNOWN_TOPIC_OR_PARTITION that one time, and the client asks again. Of several nodes those are listed that
//! are there; a partition that nobody leads has LEADER_NOT_AVAILABLE and the leader -1.

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
    if let Some(error) = wrong_ids(cx, &request) {
        return Ok(refused(cx, request, error));
    }
    let response = response(cx, request.include_cluster_authorized_operations);
    let asked = request.topics.filter(|topics| cx.version() > 0 || !topics.is_empty());
    let mut topics = match asked {
        None => cx.broker.topics.all().iter().map(|topic| describe(cx, topic)).collect(),
        Some(asked) if asked.iter().any(|topic| !topic.topic_id.is_nil()) => find_by_id(cx, asked),
        Some(asked) => find_by_name(cx, asked, request.allow_auto_topic_creation || cx.version() < 4),
    };
    if request.include_topic_authorized_operations {
        let named = topics.iter_mut().filter(|topic| topic.name.is_some());
        named.for_each(|topic| topic.topic_authorized_operations = TOPIC_OPERATIONS);
    }
    Ok(response.with_topics(topics))
}

/// Why the topics of a request cannot be meant as they are given, if so.
fn wrong_ids(cx: &RequestContext, request: &MetadataRequest) -> Option<ResponseError> {
    let mut asked = request.topics.iter().flatten();
    match cx.version() {
        // Version 10 and 11 have a place for ids that the broker does not read (KAFKA-12701).
        10..12 if asked.any(|topic| !topic.topic_id.is_nil() || topic.name.is_none()) => {
            Some(ResponseError::InvalidRequest)
        }
        12.. if asked.any(|topic| topic.topic_id.is_nil() && topic.name.is_none()) => {
            Some(ResponseError::UnknownServerError)
        }
        _ => None,
    }
}

fn response(cx: &RequestContext, with_operations: bool) -> MetadataResponse {
    let broker = &cx.broker;
    let node = |node: i32| {
        let (host, port) = cx.endpoint(node);
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(node))
            .with_host(StrBytes::from_string(host))
            .with_port(port.into())
            .with_rack(broker.cluster.layout.rack(node).map(|rack| StrBytes::from_string(rack.to_owned())))
    };
    let operations = if with_operations { CLUSTER_OPERATIONS } else { NOT_ASKED };
    MetadataResponse::default()
        .with_brokers(broker.alive_nodes().into_iter().map(node).collect())
        .with_cluster_id(Some(StrBytes::from_string(broker.cluster_id.clone())))
        .with_controller_id(BrokerId(broker.controller().unwrap_or(NOBODY)))
        .with_cluster_authorized_operations(operations)
}

/// An answer to the whole request, which tells nothing of the cluster.
fn refused(cx: &RequestContext, request: MetadataRequest, error: ResponseError) -> MetadataResponse {
    let topic = |topic: MetadataRequestTopic| {
        MetadataResponseTopic::default()
            .with_error_code(error.code())
            .with_name(Some(topic.name.unwrap_or_default()))
            .with_topic_id(topic.topic_id)
            .with_topic_authorized_operations(NOT_ASKED)
    };
    MetadataResponse::default()
        .with_controller_id(BrokerId(-1))
        .with_error_code(if cx.version() >= 13 { error.code() } else { 0 })
        .with_topics(request.topics.into_iter().flatten().map(topic).collect())
}

/// The topics of these ids, each once, the unknown ones first. Where a request has any id, its names do not count.
fn find_by_id(cx: &RequestContext, asked: Vec<MetadataRequestTopic>) -> Vec<MetadataResponseTopic> {
    let mut seen = HashSet::new();
    let ids = asked.iter().map(|topic| topic.topic_id).filter(|id| !id.is_nil() && seen.insert(*id));
    let (mut unknown, mut found) = (Vec::new(), Vec::new());
    for id in ids {
        match cx.broker.topics.by_id(id) {
            Some(topic) => found.push(describe(cx, &topic)),
            None => unknown.push(missing(ResponseError::UnknownTopicId, None, id)),
        }
    }
    unknown.append(&mut found);
    unknown
}

/// The topics of these names, each once, those that there are not last: a short request must not make a huge answer.
fn find_by_name(
    cx: &RequestContext,
    asked: Vec<MetadataRequestTopic>,
    create: bool,
) -> Vec<MetadataResponseTopic> {
    let mut seen = HashSet::new();
    let names = asked.into_iter().filter_map(|topic| topic.name).filter(|name| seen.insert(name.clone()));
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    for name in names {
        match cx.broker.topics.get(&name) {
            Some(topic) => found.push(describe(cx, &topic)),
            None => absent.push(missing(try_to_create(cx, &name, create), Some(name), Uuid::nil())),
        }
    }
    found.append(&mut absent);
    found
}

/// Creates a topic that is not there, if it may be, and says what the client is told of it this time.
fn try_to_create(cx: &RequestContext, name: &str, create: bool) -> ResponseError {
    if topics::check_name(name).is_err() {
        return ResponseError::InvalidTopicException;
    }
    if create && cx.broker.config.settings().auto_create_topics_enable {
        match tokio::task::block_in_place(|| cx.broker.create_automatically(name)) {
            // Kafka creates it behind the client's back, so that one that collides with another stays unknown.
            Ok(()) | Err(ResponseError::InvalidTopicException) => {}
            Err(error) => return error,
        }
    }
    ResponseError::UnknownTopicOrPartition
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
    let (leadership, placement) = (partition.leadership(), partition.placement());
    // A leader that is about to be replaced is no leader to send anybody to.
    let leader = leadership.leader.filter(|leader| cx.broker.is_alive(*leader));
    let error = leader.is_none().then_some(ResponseError::LeaderNotAvailable);
    MetadataResponsePartition::default()
        .with_error_code(code(error))
        .with_partition_index(partition.index())
        .with_leader_id(BrokerId(leader.unwrap_or(NOBODY)))
        .with_leader_epoch(leadership.epoch)
        .with_replica_nodes(ids(&placement.replicas))
        .with_isr_nodes(ids(&placement.isr))
        .with_offline_replicas(ids(&cx.broker.offline(&placement)))
}

/// Stands for no node.
const NOBODY: i32 = -1;

fn ids(nodes: &[i32]) -> Vec<BrokerId> {
    nodes.iter().copied().map(BrokerId).collect()
}
