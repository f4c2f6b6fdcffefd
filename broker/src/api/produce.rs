//! Produce, versions 3 to 13: appends record batches to partitions.
//!
//! Topics go by name up to version 12 and by id from 13. With acks=0 nothing is answered, and an error closes the
//! connection, since that is the only way to tell of it. Acks of 1 and of all (-1) mean the same for a batch that is taken:
//! one log is behind all replicas, and has the records before the answer is written. Acks of all are refused where too few
//! replicas are in sync. `record_errors` and messages come with version 8; from 10 on (KIP-951) who comes to the wrong node
//! is told who leads.
//!
//! Gap: transactional batches are refused, because transactions are not served.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;
use klamm_storage::DiskFault;
use klamm_storage::batch::{BatchHeader, Codec};

use crate::context::{Answer, Refusal, RequestContext};
use crate::error_code;
use crate::partition::Partition;
use crate::topics::Topic;

/// The format of batches that tell of their codec and transaction.
const MAGIC: u8 = 2;

/// From this version on topics are given by their ids.
const TOPIC_IDS: i16 = 13;

/// From this version on zstd is understood by whoever speaks it (KIP-110).
const ZSTD: i16 = 7;

/// From this version on who comes to the wrong node is told who leads (KIP-951).
const LEADERS: i16 = 10;

/// Stands for no opinion on the leader's epoch.
const ANY_EPOCH: i32 = -1;

/// The acks that ask for all replicas in sync.
const ACKS_OF_ALL: i16 = -1;

/// From this version on a client knows that a transaction can only be aborted (KIP-890).
const TRANSACTION_ABORTABLE: i16 = 11;

pub(crate) async fn handle(cx: &RequestContext, request: ProduceRequest) -> Answer<ProduceResponse> {
    // Kafka's handler fails over them, before anything is stored.
    if lacks_records(cx, &request) {
        return Err(Refusal::NoAnswer);
    }
    let transactional = has_transactional_batch(&request);
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for data in request.topic_data.iter().filter(|data| !data.partition_data.is_empty()) {
        let answers = if transactional && request.transactional_id.is_none() {
            let error = ResponseError::TransactionalIdAuthorizationFailed;
            last_of_each(data).into_iter().map(|partition| refused(partition.index, error)).collect()
        } else {
            produce_to_topic(cx, data, request.acks)
        };
        responses.push(
            TopicProduceResponse::default()
                .with_name(data.name.clone())
                .with_topic_id(data.topic_id)
                .with_partition_responses(answers),
        );
    }
    if request.acks == 0 {
        let failed = responses.iter().flat_map(|topic| &topic.partition_responses).find(|p| p.error_code != 0);
        return Err(failed.map_or(Refusal::NoAnswer, |partition| {
            Refusal::Close(format!("it produced with acks=0, which got error {}", partition.error_code))
        }));
    }
    let endpoints = endpoints(cx, &responses);
    Ok(ProduceResponse::default().with_responses(responses).with_node_endpoints(endpoints))
}

/// Whether the first batch of any partition belongs to a transaction.
fn has_transactional_batch(request: &ProduceRequest) -> bool {
    let mut partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    partitions.any(|partition| partition.records.as_deref().and_then(BatchHeader::read).is_some_and(is_transactional))
}

fn is_transactional(header: BatchHeader) -> bool {
    header.magic == MAGIC && header.is_transactional()
}

/// The topic that is meant, or why there is none.
fn find(cx: &RequestContext, data: &TopicProduceData) -> Result<Arc<Topic>, ResponseError> {
    if cx.version() >= TOPIC_IDS {
        cx.broker.topics.by_id(data.topic_id).ok_or(ResponseError::UnknownTopicId)
    } else {
        cx.broker.topics.get(&data.name).ok_or(ResponseError::UnknownTopicOrPartition)
    }
}

/// Whether a partition that there is comes without records.
fn lacks_records(cx: &RequestContext, request: &ProduceRequest) -> bool {
    request.topic_data.iter().any(|data| {
        let mut without = data.partition_data.iter().filter(|partition| partition.records.is_none()).peekable();
        without.peek().is_some()
            && find(cx, data).is_ok_and(|topic| without.any(|partition| topic.partition(partition.index).is_some()))
    })
}

fn produce_to_topic(cx: &RequestContext, data: &TopicProduceData, acks: i16) -> Vec<PartitionProduceResponse> {
    let found = find(cx, data);
    let answer = |data: &PartitionProduceData| {
        let topic = match &found {
            Ok(topic) => topic,
            Err(error) => return refused(data.index, *error),
        };
        let (Some(partition), Some(records)) = (topic.partition(data.index), &data.records) else {
            return refused(data.index, ResponseError::UnknownTopicOrPartition);
        };
        if !matches!(acks, -1..=1) {
            return refused(data.index, ResponseError::InvalidRequiredAcks);
        }
        append(cx, topic, &partition, records, acks)
    };
    last_of_each(data).into_iter().map(answer).collect()
}

/// The partitions in order. Where one is named twice the last batch counts, and there is one answer.
fn last_of_each(data: &TopicProduceData) -> Vec<&PartitionProduceData> {
    let mut seen = HashSet::new();
    let mut last: Vec<_> = data.partition_data.iter().rev().filter(|p| seen.insert(p.index)).collect();
    last.reverse();
    last
}

/// What cannot be appended whatever the log says, by the head of the batch.
fn refusal_of_head(cx: &RequestContext, header: BatchHeader) -> Option<ResponseError> {
    let codec = Codec::from_number(header.codec());
    if header.magic == MAGIC && cx.version() < ZSTD && codec.is_none_or(|codec| codec == Codec::Zstd) {
        return Some(match codec {
            Some(_) => ResponseError::UnsupportedCompressionType,
            None => ResponseError::UnknownServerError,
        });
    }
    // No partition has been added to a transaction.
    is_transactional(header).then_some(if cx.version() >= TRANSACTION_ABORTABLE {
        ResponseError::TransactionAbortable
    } else {
        ResponseError::InvalidTxnState
    })
}

fn append(
    cx: &RequestContext,
    topic: &Topic,
    partition: &Partition,
    records: &Bytes,
    acks: i16,
) -> PartitionProduceResponse {
    let index = partition.index();
    if topic.is_internal() {
        return refused(index, ResponseError::InvalidTopicException);
    }
    if let Some(error) = BatchHeader::read(records).and_then(|header| refusal_of_head(cx, header)) {
        return refused(index, error);
    }
    if let Err(error) = cx.check_leads(partition, ANY_EPOCH) {
        return of_another_leader(cx, partition, refused(index, error));
    }
    if acks == ACKS_OF_ALL && !cx.broker.has_enough_replicas(topic, partition) {
        return refused(index, ResponseError::NotEnoughReplicas);
    }
    let response = PartitionProduceResponse::default().with_index(index);
    let fault = cx.verdict().and_then(|verdict| verdict.disk(topic.name(), index)).map(DiskFault::from);
    match partition.append(records, cx.broker.clock.now_ms(), fault) {
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
            let log_start_offset = if told.in_validation { partition.log().log_start_offset() } else { -1 };
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

/// The answer to a client that takes the wrong node for the leader: it says which one is, if any.
fn of_another_leader(
    cx: &RequestContext,
    partition: &Partition,
    response: PartitionProduceResponse,
) -> PartitionProduceResponse {
    let leadership = partition.leadership();
    match leadership.leader {
        Some(leader) if cx.version() >= LEADERS => response.with_current_leader(
            LeaderIdAndEpoch::default().with_leader_id(BrokerId(leader)).with_leader_epoch(leadership.epoch),
        ),
        _ => response,
    }
}

/// Where the leaders are that an answer names.
fn endpoints(cx: &RequestContext, responses: &[TopicProduceResponse]) -> Vec<NodeEndpoint> {
    let partitions = responses.iter().flat_map(|topic| &topic.partition_responses);
    let leaders: BTreeSet<i32> = partitions.map(|one| one.current_leader.leader_id.0).filter(|id| *id >= 0).collect();
    let endpoint = |node: i32| {
        let (host, port) = cx.endpoint(node);
        NodeEndpoint::default()
            .with_node_id(BrokerId(node))
            .with_host(StrBytes::from_string(host))
            .with_port(port.into())
            .with_rack(cx.broker.cluster.layout.rack(node).map(|rack| StrBytes::from_string(rack.to_owned())))
    };
    leaders.into_iter().map(endpoint).collect()
}

fn refused(index: i32, error: ResponseError) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(error.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
}
