//! DescribeProducers, version 0 (KIP-664): the idempotent producers whose state a partition keeps.
//!
//! Gap: transactions are not served, so none is ever open, and no producer has a coordinator's epoch.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};
use kafka_protocol::protocol::StrBytes;

use crate::context::{Answer, RequestContext};
use crate::error_code::Told;
use crate::topics::check_name;

/// No offset, and no epoch.
const NONE: i32 = -1;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: DescribeProducersRequest,
) -> Answer<DescribeProducersResponse> {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| describe(cx, topic, *index));
        TopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    Ok(DescribeProducersResponse::default().with_topics(topics.collect()))
}

fn describe(cx: &RequestContext, topic: &TopicRequest, index: i32) -> PartitionResponse {
    let response = PartitionResponse::default().with_partition_index(index);
    match producers(cx, &topic.name, index) {
        Ok(producers) => response.with_active_producers(producers),
        Err(told) => response
            .with_error_code(told.error.code())
            .with_error_message(told.message.map(StrBytes::from_string)),
    }
}

fn producers(cx: &RequestContext, name: &str, index: i32) -> Result<Vec<ProducerState>, Told> {
    check_name(name)?;
    let unknown = ResponseError::UnknownTopicOrPartition;
    let Some(topic) = cx.broker.topics.get(name) else {
        return Err(Told::new(unknown, "This server does not host this topic-partition."));
    };
    // Kafka has no sentence for a partition that its topic does not have.
    let partition = topic.partition(index).ok_or(Told { error: unknown, message: None })?;
    let active = partition.log().active_producers();
    let described = active.into_iter().map(|producer| {
        ProducerState::default()
            .with_producer_id(ProducerId(producer.producer_id))
            .with_producer_epoch(producer.producer_epoch.into())
            .with_last_sequence(producer.last_sequence)
            .with_last_timestamp(producer.last_timestamp)
            .with_coordinator_epoch(NONE)
            .with_current_txn_start_offset(NONE.into())
    });
    Ok(described.collect())
}
