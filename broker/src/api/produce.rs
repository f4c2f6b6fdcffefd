//! Produce, versions 3 to 13: appends record batches to partitions.
//!
//! Topics go by name up to version 12 and by id from 13. With acks=0 nothing is answered, and an error closes the
//! connection, since that is the only way to tell of it. Acks of 1 and of all (-1) mean the same: there is one replica,
//! and its log has the records before the answer is written. `record_errors` and messages come with version 8.
//!
//! Gap: transactions are not served. A request with a transactional batch gets TRANSACTIONAL_ID_AUTHORIZATION_FAILED for
//! each partition, as it does from Kafka where it comes without a transactional id.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;
use klamm_storage::AppendError;
use klamm_storage::batch::BatchHeader;

use crate::context::{Answer, Refusal, RequestContext};
use crate::error_code;
use crate::topics::Topic;

/// From this version on topics are given by their ids.
const TOPIC_IDS: i16 = 13;

/// From this version on zstd is understood by whoever speaks it (KIP-110).
const ZSTD: i16 = 7;

/// The format of record batches that has transactions.
const MAGIC: u8 = 2;

pub(crate) async fn handle(cx: &RequestContext, request: ProduceRequest) -> Answer<ProduceResponse> {
    let partitions = || request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    if partitions().any(|partition| partition.records.is_none()) {
        return Err(Refusal::NoAnswer);
    }
    let refusal = if partitions().filter_map(|partition| partition.records.as_ref()).any(is_transactional) {
        Some(ResponseError::TransactionalIdAuthorizationFailed)
    } else if matches!(request.acks, -1..=1) {
        None
    } else {
        Some(ResponseError::InvalidRequiredAcks)
    };
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic in &request.topic_data {
        responses.push(produce_to_topic(cx, topic, refusal));
    }
    if request.acks == 0 {
        let failed = responses.iter().flat_map(|topic| &topic.partition_responses).find(|p| p.error_code != 0);
        return Err(failed.map_or(Refusal::NoAnswer, |partition| {
            Refusal::Close(format!("it produced with acks=0, which got error {}", partition.error_code))
        }));
    }
    Ok(ProduceResponse::default().with_responses(responses))
}

fn produce_to_topic(
    cx: &RequestContext,
    data: &TopicProduceData,
    refusal: Option<ResponseError>,
) -> TopicProduceResponse {
    let by_id = cx.version() >= TOPIC_IDS;
    let topic = if by_id { cx.broker.topics.by_id(data.topic_id) } else { cx.broker.topics.get(&data.name) };
    let missing = if by_id && topic.is_none() {
        ResponseError::UnknownTopicId
    } else {
        ResponseError::UnknownTopicOrPartition
    };
    // Where a partition is named twice the last batch counts, and there is one answer.
    let mut seen = HashSet::new();
    let mut last: Vec<_> = data.partition_data.iter().rev().filter(|p| seen.insert(p.index)).collect();
    last.reverse();
    let answers = last.into_iter().map(|partition| {
        let known = topic.as_ref().is_some_and(|topic| topic.partition(partition.index).is_some());
        match refusal {
            Some(ResponseError::InvalidRequiredAcks) if !known => refused(partition.index, missing),
            Some(error) => refused(partition.index, error),
            None => append(cx, topic.as_ref(), missing, partition),
        }
    });
    TopicProduceResponse::default()
        .with_name(data.name.clone())
        .with_topic_id(data.topic_id)
        .with_partition_responses(answers.collect())
}

fn append(
    cx: &RequestContext,
    topic: Option<&Arc<Topic>>,
    missing: ResponseError,
    data: &PartitionProduceData,
) -> PartitionProduceResponse {
    let found = topic.and_then(|topic| Some((topic, topic.partition(data.index)?)));
    let Some((topic, partition)) = found else { return refused(data.index, missing) };
    if topic.is_internal() {
        return refused(data.index, ResponseError::InvalidTopicException);
    }
    let Some(records) = &data.records else { return refused(data.index, missing) };
    if cx.version() < ZSTD && klamm_storage::batch::uses_zstd(records) {
        return refused(data.index, ResponseError::UnsupportedCompressionType);
    }
    let response = PartitionProduceResponse::default().with_index(data.index);
    match partition.append(records, cx.broker.clock.now_ms()) {
        Ok(appended) => response
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(appended.log_append_time)
            .with_log_start_offset(appended.log_start_offset),
        Err(error) => {
            let told = error_code::of_append(&error);
            let record_errors = told.record_errors.into_iter().map(|(index, message)| {
                BatchIndexAndErrorMessage::default()
                    .with_batch_index(index)
                    .with_batch_index_error_message(message.map(StrBytes::from_string))
            });
            // Before version 7 the codec is looked at early, for the sake of zstd.
            let in_validation = told.in_validation
                && !(cx.version() < ZSTD && matches!(error, AppendError::UnknownCompression(_)));
            let log_start_offset = if in_validation { partition.log().log_start_offset() } else { -1 };
            response
                .with_error_code(told.error.code())
                .with_base_offset(-1)
                .with_log_append_time_ms(-1)
                .with_log_start_offset(log_start_offset)
                .with_record_errors(if cx.version() >= 8 { record_errors.collect() } else { Vec::new() })
                .with_error_message(told.message.filter(|_| cx.version() >= 8).map(StrBytes::from_string))
        }
    }
}

/// Whether the first batch of `records` belongs to a transaction.
fn is_transactional(records: &Bytes) -> bool {
    let header = BatchHeader::read(records);
    header.is_some_and(|header| header.magic == MAGIC && header.is_transactional())
}

fn refused(index: i32, error: ResponseError) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(error.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
}
