//! DescribeTopicPartitions, version 0 (KIP-966): topics and their partitions, a page at a time.
//!
//! Topics come in the order of their names, whatever order they were asked for in, each once. A page has as many
//! partitions as the request asks for, at least one, at most `max.request.partition.size.limit`; the cursor in the
//! answer names the partition with which the next one begins. Operations are always filled in.
//!
//! Replicas that may lead without being in sync are those that went when too few were left (`min.insync.replicas`). None is
//! ever lost without that being known, so that the list of those last known stays empty.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_topic_partitions_request;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use crate::context::{Answer, RequestContext, code};
use crate::operations::{NOT_ASKED, TOPIC_OPERATIONS};
use crate::partition::Partition;
use crate::topics::{Topic, check_name, is_internal};

/// What an answer takes for each topic that is named.
const ANSWER_BYTES: usize = 256;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: DescribeTopicPartitionsRequest,
) -> Answer<DescribeTopicPartitionsResponse> {
    cx.spend(request.topics.len().saturating_mul(ANSWER_BYTES))?;
    let names = match names(cx, &request) {
        Ok(names) => names,
        Err(error) => return Ok(all_refused(&request, error)),
    };
    let most = cx.broker.config.settings().max_request_partition_size_limit;
    let mut room = usize::try_from(request.response_partition_limit.min(most)).unwrap_or(0).max(1);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names {
        if room == 0 {
            response.next_cursor = Some(cursor(&name, 0));
            break;
        }
        let Some(topic) = cx.broker.topics.get(&name) else {
            response.topics.push(missing(name));
            continue;
        };
        let from = request.cursor.as_ref().filter(|cursor| *cursor.topic_name == *name);
        let from = from.map_or(0, |cursor| usize::try_from(cursor.partition_index).unwrap_or(0));
        let partitions = topic.partitions();
        let page: Vec<_> = partitions.iter().skip(from).take(room).collect();
        response.topics.push(describe(cx, &topic, &page));
        let next = from.saturating_add(page.len());
        if next < partitions.len() {
            response.next_cursor = Some(cursor(&name, i32::try_from(next).unwrap_or(i32::MAX)));
            break;
        }
        room -= page.len();
    }
    Ok(response)
}

/// The names of the topics to describe, those before the cursor left out.
fn names(
    cx: &RequestContext,
    request: &DescribeTopicPartitionsRequest,
) -> Result<BTreeSet<String>, ResponseError> {
    let first = request.cursor.as_ref().map(|cursor| cursor.topic_name.as_str()).unwrap_or_default();
    let names: BTreeSet<String> = if request.topics.is_empty() {
        cx.broker.topics.all().iter().map(|topic| topic.name().to_string()).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.to_string()).collect()
    };
    check_cursor(request.cursor.as_ref(), &names, !request.topics.is_empty())?;
    if names.contains("") {
        // Kafka's authorizer takes no empty name, and the whole request fails with that.
        return Err(ResponseError::UnknownServerError);
    }
    Ok(names.into_iter().filter(|name| name.as_str() >= first).collect())
}

/// A cursor must name a partition, and one of the topics where these are named: all topics may have changed meanwhile.
fn check_cursor(
    cursor: Option<&describe_topic_partitions_request::Cursor>,
    names: &BTreeSet<String>,
    are_named: bool,
) -> Result<(), ResponseError> {
    let Some(cursor) = cursor else { return Ok(()) };
    let is_named = !are_named || names.contains(cursor.topic_name.as_str());
    if is_named && cursor.partition_index >= 0 { Ok(()) } else { Err(ResponseError::InvalidRequest) }
}

fn describe(
    cx: &RequestContext,
    topic: &Topic,
    page: &[&std::sync::Arc<Partition>],
) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic.name().to_string()))))
        .with_topic_id(topic.id())
        .with_is_internal(topic.is_internal())
        .with_partitions(page.iter().map(|partition| describe_partition(cx, partition)).collect())
        .with_topic_authorized_operations(TOPIC_OPERATIONS)
}

fn describe_partition(cx: &RequestContext, partition: &Partition) -> DescribeTopicPartitionsResponsePartition {
    let (leadership, placement) = (partition.leadership(), partition.placement());
    let leader = leadership.leader.filter(|leader| cx.broker.is_alive(*leader));
    let error = leader.is_none().then_some(ResponseError::LeaderNotAvailable);
    let ids = |nodes: &[i32]| nodes.iter().copied().map(BrokerId).collect();
    DescribeTopicPartitionsResponsePartition::default()
        .with_error_code(code(error))
        .with_partition_index(partition.index())
        .with_leader_id(BrokerId(leader.unwrap_or(-1)))
        .with_leader_epoch(leadership.epoch)
        .with_replica_nodes(ids(&placement.replicas))
        .with_isr_nodes(ids(&placement.isr))
        .with_offline_replicas(ids(&cx.broker.offline(&placement)))
        .with_eligible_leader_replicas(Some(ids(&placement.elr)))
        .with_last_known_elr(Some(Vec::new()))
}

fn missing(name: String) -> DescribeTopicPartitionsResponseTopic {
    let error = match check_name(&name) {
        Ok(()) => ResponseError::UnknownTopicOrPartition,
        Err(_) => ResponseError::InvalidTopicException,
    };
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(error.code())
        .with_is_internal(is_internal(&name))
        .with_name(Some(TopicName(StrBytes::from_string(name))))
        .with_topic_authorized_operations(TOPIC_OPERATIONS)
}

fn cursor(name: &str, partition: i32) -> Cursor {
    Cursor::default()
        .with_topic_name(TopicName(StrBytes::from_string(name.to_owned())))
        .with_partition_index(partition)
}

fn all_refused(
    request: &DescribeTopicPartitionsRequest,
    error: ResponseError,
) -> DescribeTopicPartitionsResponse {
    let refused = request.topics.iter().map(|topic| {
        DescribeTopicPartitionsResponseTopic::default()
            .with_error_code(error.code())
            .with_name(Some(topic.name.clone()))
            .with_topic_authorized_operations(NOT_ASKED)
    });
    DescribeTopicPartitionsResponse::default().with_topics(refused.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &'static str, partition: i32, are_named: bool) -> bool {
        let cursor = describe_topic_partitions_request::Cursor::default()
            .with_topic_name(TopicName(StrBytes::from_static_str(name)))
            .with_partition_index(partition);
        let names = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        check_cursor(Some(&cursor), &names, are_named).is_ok()
    }

    #[test]
    fn a_cursor_points_at_a_topic_of_the_list() {
        assert!(checked("a", 0, true) && checked("b", 99, true));
        assert!(!checked("a", -1, true) && !checked("c", 0, true));
        assert!(checked("c", 0, false) && !checked("c", -1, false));
    }
}
