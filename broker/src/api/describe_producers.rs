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

/// Stands for no opinion on the leader's epoch.
const ANY_EPOCH: i32 = -1;

/// What an answer takes for each partition that is named, and for each of its producers.
const PARTITION_BYTES: usize = 256;
const PRODUCER_BYTES: usize = 64;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: DescribeProducersRequest,
) -> Answer<DescribeProducersResponse> {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let partitions = topic.partition_indexes.iter().map(|index| describe(cx, topic, *index));
        let partitions = partitions.collect::<Answer<_>>()?;
        topics.push(TopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions));
    }
    Ok(DescribeProducersResponse::default().with_topics(topics))
}

fn describe(cx: &RequestContext, topic: &TopicRequest, index: i32) -> Answer<PartitionResponse> {
    cx.spend(PARTITION_BYTES)?;
    let response = PartitionResponse::default().with_partition_index(index);
    match producers(cx, &topic.name, index) {
        Ok(producers) => {
            cx.spend(producers.len().saturating_mul(PRODUCER_BYTES))?;
            Ok(response.with_active_producers(producers))
        }
        Err(told) => Ok(response
            .with_error_code(told.error.code())
            .with_error_message(told.message.map(StrBytes::from_string))),
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
    cx.check_leads(&partition, ANY_EPOCH).map_err(|error| Told { error, message: None })?;
    let active = partition.log().active_producers();
    let described = active.into_iter().map(|producer| {
        ProducerState::default()
            .with_producer_id(ProducerId(producer.producer_id))
            .with_producer_epoch(producer.producer_epoch.into())
            .with_last_sequence(producer.last_sequence)
            .with_last_timestamp(producer.last_timestamp)
            .with_coordinator_epoch(producer.coordinator_epoch)
            .with_current_txn_start_offset(producer.current_transaction_start_offset)
    });
    Ok(described.collect())
}
