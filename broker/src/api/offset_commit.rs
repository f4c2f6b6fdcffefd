//! OffsetCommit, versions 2 to 9: how far a group has come.
//!
//! A generation below 0 comes from a consumer that assigns partitions to itself, or from an administrator. Versions 2
//! to 4 say how long to keep the offsets; from 6 the leader's epoch is kept (KIP-320); from 7 members can be static
//! (KIP-345). A member of a group that is not there gets GROUP_ID_NOT_FOUND from version 9 on and ILLEGAL_GENERATION
//! before. Partitions that do not exist are answered first, as Kafka does.
//!
//! Gap: version 10 (topic ids) is not known to the protocol library.

use indexmap::IndexMap;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::context::{Answer, RequestContext, code};
use crate::coordinator::group::{Commit, Committer};
use crate::topics::Topic;

/// From this version on, a group can be said not to be there.
const GROUP_ID_NOT_FOUND: i16 = 9;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: OffsetCommitRequest,
) -> Answer<OffsetCommitResponse> {
    let mut answer = Answered::default();
    let mut commits = Vec::new();
    for topic in &request.topics {
        sort_out(cx, topic, &mut answer, &mut commits);
    }
    if commits.is_empty() {
        return Ok(answer.into_response());
    }
    let by = Committer {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.as_deref().map(str::to_owned),
        generation: request.generation_id_or_member_epoch,
        retention_ms: request.retention_time_ms,
    };
    let asked: Vec<(TopicName, i32)> = commits.iter().map(|commit| (name(commit), commit.partition)).collect();
    let committed =
        cx.broker.group_coordinator().and_then(|groups| groups.commit(&request.group_id, &by, commits));
    match committed {
        Ok(commits) => {
            for ((topic, partition), commit) in asked.iter().zip(commits) {
                answer.add(topic, *partition, commit.error);
            }
        }
        Err(error) => {
            let error = match error {
                ResponseError::GroupIdNotFound if cx.version() < GROUP_ID_NOT_FOUND => {
                    ResponseError::IllegalGeneration
                }
                other => other,
            };
            for (topic, partition) in asked {
                answer.add(&topic, partition, Some(error));
            }
        }
    }
    Ok(answer.into_response())
}

/// Answers the partitions that do not exist, and collects the rest.
fn sort_out(
    cx: &RequestContext,
    topic: &OffsetCommitRequestTopic,
    answer: &mut Answered,
    commits: &mut Vec<Commit>,
) {
    let known = cx.broker.topics.get(&topic.name);
    if known.is_none() {
        answer.topic(&topic.name);
    }
    for partition in &topic.partitions {
        let index = partition.partition_index;
        match known.as_ref().filter(|known| known.partition(index).is_some()) {
            Some(known) => commits.push(commit(known, partition)),
            None => answer.add(&topic.name, index, Some(ResponseError::UnknownTopicOrPartition)),
        }
    }
}

fn name(commit: &Commit) -> TopicName {
    TopicName(StrBytes::from_string(commit.topic.clone()))
}

fn commit(topic: &Topic, partition: &OffsetCommitRequestPartition) -> Commit {
    Commit {
        topic: topic.name().to_string(),
        topic_id: topic.id(),
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.as_deref().unwrap_or_default().to_owned(),
        error: None,
    }
}

/// The answer as it grows: a topic has one entry, in the order in which topics are first answered.
#[derive(Default)]
struct Answered(IndexMap<TopicName, Vec<OffsetCommitResponsePartition>>);

impl Answered {
    fn topic(&mut self, name: &TopicName) -> &mut Vec<OffsetCommitResponsePartition> {
        self.0.entry(name.clone()).or_default()
    }

    fn add(&mut self, topic: &TopicName, partition: i32, error: Option<ResponseError>) {
        let answered = OffsetCommitResponsePartition::default()
            .with_partition_index(partition)
            .with_error_code(code(error));
        self.topic(topic).push(answered);
    }

    fn into_response(self) -> OffsetCommitResponse {
        let topic = |(name, partitions)| {
            OffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions)
        };
        OffsetCommitResponse::default().with_topics(self.0.into_iter().map(topic).collect())
    }
}
