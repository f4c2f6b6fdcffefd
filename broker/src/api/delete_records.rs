//! DeleteRecords, versions 0 to 2 (KIP-107): moves the log start offset of partitions forward.
//!
//! -1 stands for the high watermark. An offset below the start changes nothing, and is answered with the start that
//! there is. A topic that is only compacted gets POLICY_VIOLATION, one of the broker's own INVALID_TOPIC_EXCEPTION. There
//! is no other replica to wait for, so the time-out plays no part. Where the logs start is written down before this
//! answers: records that were deleted do not come back after a crash.

use indexmap::IndexMap;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse, TopicName};

use crate::context::{Answer, RequestContext};

/// Stands for no opinion on the leader's epoch.
const ANY_EPOCH: i32 = -1;

/// The low watermark of a partition in error.
const NONE: i64 = -1;

/// What an answer takes for each partition that is named.
const ANSWER_BYTES: usize = 256;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: DeleteRecordsRequest,
) -> Answer<DeleteRecordsResponse> {
    let named: usize = request.topics.iter().map(|topic| 1 + topic.partitions.len()).sum();
    cx.spend(named.saturating_mul(ANSWER_BYTES))?;
    // Where a partition is named twice the last offset counts, and there is one answer.
    let mut asked: IndexMap<&TopicName, IndexMap<i32, i64>> = IndexMap::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            asked.entry(&topic.name).or_default().insert(partition.partition_index, partition.offset);
        }
    }
    let topics = tokio::task::block_in_place(|| delete_all(cx, asked));
    Ok(DeleteRecordsResponse::default().with_topics(topics))
}

fn delete_all(
    cx: &RequestContext,
    asked: IndexMap<&TopicName, IndexMap<i32, i64>>,
) -> Vec<DeleteRecordsTopicResult> {
    let of_topic = |(name, partitions): (&TopicName, IndexMap<i32, i64>)| {
        let results = partitions.into_iter().map(|(index, before)| delete(cx, name, index, before));
        DeleteRecordsTopicResult::default().with_name(name.clone()).with_partitions(results.collect())
    };
    let mut topics: Vec<_> = asked.into_iter().map(of_topic).collect();
    let deleted = topics.iter_mut().flat_map(|topic| &mut topic.partitions).filter(|p| p.error_code == 0);
    let deleted: Vec<_> = deleted.collect();
    if !deleted.is_empty()
        && let Err(error) = cx.broker.topics.logs().checkpoint()
    {
        tracing::warn!("where logs start cannot be written down: {error}");
        for partition in deleted {
            partition.low_watermark = NONE;
            partition.error_code = ResponseError::KafkaStorageError.code();
        }
    }
    topics
}

fn delete(cx: &RequestContext, name: &TopicName, index: i32, before: i64) -> DeleteRecordsPartitionResult {
    let result = DeleteRecordsPartitionResult::default().with_partition_index(index);
    match try_delete(cx, name, index, before) {
        Ok(low_watermark) => result.with_low_watermark(low_watermark),
        Err(error) => result.with_low_watermark(NONE).with_error_code(error.code()),
    }
}

fn try_delete(cx: &RequestContext, name: &TopicName, index: i32, before: i64) -> Result<i64, ResponseError> {
    let topic = cx.broker.topics.get(name).ok_or(ResponseError::UnknownTopicOrPartition)?;
    let partition = topic.partition(index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    if topic.is_internal() {
        return Err(ResponseError::InvalidTopicException);
    }
    cx.check_leads(&partition, ANY_EPOCH)?;
    partition.delete_records(before)
}
