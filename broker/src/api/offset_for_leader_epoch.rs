//! OffsetForLeaderEpoch, versions 2 to 4 (KIP-101, KIP-320): where the records of a leader's epoch end.
//!
//! A reader finds out with it whether what it has read is still there after a change of leader. An epoch that nobody has
//! led in yet gives -1 and -1, without an error.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::context::{Answer, RequestContext};

/// What an answer takes for each partition that is named.
const ANSWER_BYTES: usize = 256;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: OffsetForLeaderEpochRequest,
) -> Answer<OffsetForLeaderEpochResponse> {
    let named: usize = request.topics.iter().map(|topic| 1 + topic.partitions.len()).sum();
    cx.spend(named.saturating_mul(ANSWER_BYTES))?;
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| answer(cx, topic, asked)).collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(partitions)
    });
    Ok(OffsetForLeaderEpochResponse::default().with_topics(topics.collect()))
}

fn answer(
    cx: &RequestContext,
    topic: &OffsetForLeaderTopic,
    asked: &OffsetForLeaderPartition,
) -> EpochEndOffset {
    let answer = EpochEndOffset::default().with_partition(asked.partition);
    match end_of_epoch(cx, topic, asked) {
        Ok((epoch, end)) => answer.with_leader_epoch(epoch).with_end_offset(end),
        Err(error) => answer.with_error_code(error.code()),
    }
}

fn end_of_epoch(
    cx: &RequestContext,
    topic: &OffsetForLeaderTopic,
    asked: &OffsetForLeaderPartition,
) -> Result<(i32, i64), ResponseError> {
    let found = cx.broker.topics.get(&topic.topic).and_then(|topic| topic.partition(asked.partition));
    let partition = found.ok_or(ResponseError::UnknownTopicOrPartition)?;
    cx.check_leads(&partition, asked.current_leader_epoch)?;
    Ok(partition.end_of_epoch(asked.leader_epoch))
}
