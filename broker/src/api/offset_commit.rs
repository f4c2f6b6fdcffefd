//! OffsetCommit, versions 2 to 9: how far a group has come.
//!
//! A generation below 0 comes from a consumer that assigns partitions to itself, or from an administrator. Versions 2
//! to 4 say how long to keep the offsets; from 6 the leader's epoch is kept (KIP-320); from 7 members can be static
//! (KIP-345). A member of a group that is not there gets GROUP_ID_NOT_FOUND from version 9 on and ILLEGAL_GENERATION
//! before. Partitions that do not exist are answered first, as Kafka does.
//!
//! Gap: version 10 (topic ids) is not known to the protocol library.

use std::sync::Arc;

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
    let mut unknown = IndexMap::new();
    let mut topics = Vec::new();
    for topic in &request.topics {
        topics.extend(sort_out(cx, topic, &mut unknown));
    }
    if topics.is_empty() {
        return Ok(response(unknown, Vec::new()));
    }
    let by = Committer {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.as_deref().map(str::to_owned),
        generation: request.generation_id_or_member_epoch,
        retention_ms: request.retention_time_ms,
    };
    let commits = topics.iter().flat_map(|(topic, partitions)| partitions.iter().map(|p| commit(topic, p)));
    let groups = cx.check_remembers(&request.group_id).and_then(|()| cx.broker.group_coordinator());
    let committed = groups.and_then(|groups| groups.commit(&request.group_id, &by, commits.collect()));
    let mut outcomes = match committed {
        Ok(commits) => Outcomes::Each(commits.into_iter()),
        Err(ResponseError::GroupIdNotFound) if cx.version() < GROUP_ID_NOT_FOUND => {
            Outcomes::All(ResponseError::IllegalGeneration)
        }
        Err(error) => Outcomes::All(error),
    };
    let answer = |(topic, partitions): (Arc<Topic>, Vec<&OffsetCommitRequestPartition>)| {
        let partitions = partitions.iter().map(|p| answered(p.partition_index, outcomes.next())).collect();
        (TopicName(StrBytes::from_string(topic.name().to_string())), partitions)
    };
    let known = topics.into_iter().map(answer).collect();
    Ok(response(unknown, known))
}

/// What became of the partitions, one after the other.
enum Outcomes {
    All(ResponseError),
    Each(std::vec::IntoIter<Commit>),
}

impl Outcomes {
    fn next(&mut self) -> Option<ResponseError> {
        match self {
            Outcomes::All(error) => Some(*error),
            Outcomes::Each(commits) => commits.next().and_then(|commit| commit.error),
        }
    }
}

type Answered = IndexMap<TopicName, Vec<OffsetCommitResponsePartition>>;

/// Answers the partitions that do not exist; the rest is to be committed, if there is any.
fn sort_out<'a>(
    cx: &RequestContext,
    topic: &'a OffsetCommitRequestTopic,
    unknown: &mut Answered,
) -> Option<(Arc<Topic>, Vec<&'a OffsetCommitRequestPartition>)> {
    let error = Some(ResponseError::UnknownTopicOrPartition);
    let Some(known) = cx.broker.topics.get(&topic.name) else {
        let all = topic.partitions.iter().map(|p| answered(p.partition_index, error));
        unknown.entry(topic.name.clone()).or_default().extend(all);
        return None;
    };
    let mut partitions = Vec::with_capacity(topic.partitions.len());
    for partition in &topic.partitions {
        if known.partition(partition.partition_index).is_some() {
            partitions.push(partition);
        } else {
            let missing = answered(partition.partition_index, error);
            unknown.entry(topic.name.clone()).or_default().push(missing);
        }
    }
    (!partitions.is_empty()).then_some((known, partitions))
}

fn answered(partition: i32, error: Option<ResponseError>) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition::default().with_partition_index(partition).with_error_code(code(error))
}

/// The answer: as Kafka puts it together, a topic that is named twice has one entry only if something of the request
/// does not exist.
fn response(
    mut unknown: Answered,
    known: Vec<(TopicName, Vec<OffsetCommitResponsePartition>)>,
) -> OffsetCommitResponse {
    let topic =
        |(name, partitions)| OffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions);
    if unknown.is_empty() {
        return OffsetCommitResponse::default().with_topics(known.into_iter().map(topic).collect());
    }
    for (name, partitions) in known {
        unknown.entry(name).or_default().extend(partitions);
    }
    OffsetCommitResponse::default().with_topics(unknown.into_iter().map(topic).collect())
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
