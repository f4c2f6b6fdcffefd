//! What is asked of a group's coordinator about its offsets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    GroupId, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse, TopicName,
};

use super::CommittedOffset;
use crate::admin::fan_out::{Charge, Errand, Outcomes};
use crate::admin::{by_topic, call, outcome, text};
use crate::error::{ClientError, ErrorKind};
use crate::native::connection::{Connection, RequestError};
use crate::record::TopicPartition;

/// The version of OffsetFetch from which on one request can be for several groups.
const FETCHES_GROUPS: i16 = 8;

/// The newest version of OffsetFetch and OffsetCommit that has topics by name.
const BY_NAME: i16 = 9;

/// What stands for a member and its generation where there is none.
const NOBODY: i32 = -1;

/// What a group has committed: in these partitions, or wherever it has.
pub(super) struct CommittedOffsets {
    pub(super) partitions: Option<Vec<TopicPartition>>,
}

impl Errand for CommittedOffsets {
    type Item = Arc<str>;
    type Answer = Vec<CommittedOffset>;

    fn asked(&self, group: &Arc<str>) -> String {
        format!("looking for the offsets of the group '{group}'")
    }

    fn charge(&self, group: &Arc<str>) -> Charge {
        Charge::Coordinator(Arc::clone(group))
    }

    async fn ask(
        &self,
        connection: Connection,
        groups: Vec<Arc<str>>,
        deadline: Instant,
    ) -> Result<Outcomes<Arc<str>, Vec<CommittedOffset>>, RequestError> {
        let mut outcomes = Vec::with_capacity(groups.len());
        for group in groups {
            let version = connection.version::<OffsetFetchRequest>(BY_NAME)?;
            let request = self.request(&group, version);
            let patience = deadline.saturating_duration_since(Instant::now());
            let answer = connection.call(&request, version, patience).await?;
            let found = if version >= FETCHES_GROUPS { of_group(&answer) } else { of_topics(&answer) };
            let found = found.map_or_else(
                || Err(ClientError::new(ErrorKind::MalformedAnswer, self.asked(&group), "it names no group")),
                |(code, offsets)| self.read(&group, code, offsets),
            );
            outcomes.push((group, found));
        }
        Ok(outcomes)
    }
}

/// A committed offset as it is answered, with its error code.
type Answered = (CommittedOffset, i16);

impl CommittedOffsets {
    fn request(&self, group: &str, version: i16) -> OffsetFetchRequest {
        let topics =
            self.partitions.as_ref().map(|partitions| by_topic(partitions.iter(), |partition| *partition));
        let id = GroupId(text(group));
        if version < FETCHES_GROUPS {
            let topics = topics.map(|topics| {
                let topic = |(name, partitions): (Arc<str>, Vec<&TopicPartition>)| {
                    OffsetFetchRequestTopic::default()
                        .with_name(TopicName(text(&name)))
                        .with_partition_indexes(
                            partitions.iter().map(|partition| partition.partition).collect(),
                        )
                };
                topics.into_iter().map(topic).collect()
            });
            return OffsetFetchRequest::default().with_group_id(id).with_topics(topics);
        }
        let topics = topics.map(|topics| {
            let topic = |(name, partitions): (Arc<str>, Vec<&TopicPartition>)| {
                OffsetFetchRequestTopics::default()
                    .with_name(TopicName(text(&name)))
                    .with_partition_indexes(partitions.iter().map(|partition| partition.partition).collect())
            };
            topics.into_iter().map(topic).collect()
        });
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(id)
            .with_member_id(None)
            .with_member_epoch(NOBODY)
            .with_topics(topics);
        OffsetFetchRequest::default().with_groups(vec![group])
    }

    fn read(
        &self,
        group: &Arc<str>,
        code: i16,
        answered: Vec<Answered>,
    ) -> Result<Vec<CommittedOffset>, ClientError> {
        outcome(code, || self.asked(group), None, ())?;
        let mut offsets = Vec::with_capacity(answered.len());
        for (offset, code) in answered {
            let asked = || format!("looking for the offset of the group '{group}' in {}", offset.partition);
            outcome(code, asked, None, ())?;
            offsets.push(offset);
        }
        offsets.sort_unstable_by(|a, b| a.partition.cmp(&b.partition));
        Ok(offsets)
    }
}

fn answered(
    topic: &TopicName,
    partition: i32,
    offset: i64,
    epoch: i32,
    metadata: Option<&str>,
) -> CommittedOffset {
    CommittedOffset {
        partition: TopicPartition::new(topic.as_str(), partition),
        offset: Some(offset).filter(|offset| *offset >= 0),
        leader_epoch: epoch,
        metadata: metadata.unwrap_or_default().to_owned(),
        log_start: None,
        log_end: None,
    }
}

fn of_group(answer: &OffsetFetchResponse) -> Option<(i16, Vec<Answered>)> {
    let group = answer.groups.first()?;
    let offsets = group.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|p| {
            let (epoch, metadata) = (p.committed_leader_epoch, p.metadata.as_deref());
            (answered(&topic.name, p.partition_index, p.committed_offset, epoch, metadata), p.error_code)
        })
    });
    Some((group.error_code, offsets.collect()))
}

fn of_topics(answer: &OffsetFetchResponse) -> Option<(i16, Vec<Answered>)> {
    let offsets = answer.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|p| {
            let (epoch, metadata) = (p.committed_leader_epoch, p.metadata.as_deref());
            (answered(&topic.name, p.partition_index, p.committed_offset, epoch, metadata), p.error_code)
        })
    });
    Some((answer.error_code, offsets.collect()))
}

/// Commits for a group without members.
pub(super) struct CommitOffsets {
    pub(super) group: Arc<str>,
    pub(super) offsets: HashMap<TopicPartition, i64>,
}

impl Errand for CommitOffsets {
    type Item = TopicPartition;
    type Answer = ();

    fn asked(&self, partition: &TopicPartition) -> String {
        format!("moving the group '{}' in {partition}", self.group)
    }

    fn charge(&self, _: &TopicPartition) -> Charge {
        Charge::Coordinator(Arc::clone(&self.group))
    }

    async fn ask(
        &self,
        connection: Connection,
        items: Vec<TopicPartition>,
        deadline: Instant,
    ) -> Result<Outcomes<TopicPartition, ()>, RequestError> {
        let topics = by_topic(items.iter(), |partition| *partition).into_iter().map(|(name, partitions)| {
            let partitions = partitions.into_iter().map(|partition| {
                OffsetCommitRequestPartition::default()
                    .with_partition_index(partition.partition)
                    .with_committed_offset(self.offsets.get(partition).copied().unwrap_or_default())
                    .with_committed_metadata(Some(text("")))
            });
            OffsetCommitRequestTopic::default()
                .with_name(TopicName(text(&name)))
                .with_partitions(partitions.collect())
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(&self.group)))
            .with_generation_id_or_member_epoch(NOBODY)
            .with_topics(topics.collect());
        let version = connection.version::<OffsetCommitRequest>(BY_NAME)?;
        let patience = deadline.saturating_duration_since(Instant::now());
        let answer = connection.call(&request, version, patience).await?;
        let moved = answer.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|answered| {
                let partition = TopicPartition::new(topic.name.as_str(), answered.partition_index);
                let outcome = outcome(answered.error_code, || self.asked(&partition), None, ());
                let outcome = outcome.map_err(|error| match error.code() {
                    Some(kafka_protocol::error::ResponseError::UnknownMemberId) => {
                        error.remedy("the group has members: stop them first")
                    }
                    _ => error,
                });
                (partition, outcome)
            })
        });
        Ok(moved.collect())
    }
}

/// Deletes what a group has committed.
pub(super) struct DeleteOffsets {
    pub(super) group: Arc<str>,
}

impl Errand for DeleteOffsets {
    type Item = TopicPartition;
    type Answer = ();

    fn asked(&self, partition: &TopicPartition) -> String {
        format!("deleting the offset of the group '{}' in {partition}", self.group)
    }

    fn charge(&self, _: &TopicPartition) -> Charge {
        Charge::Coordinator(Arc::clone(&self.group))
    }

    async fn ask(
        &self,
        connection: Connection,
        items: Vec<TopicPartition>,
        deadline: Instant,
    ) -> Result<Outcomes<TopicPartition, ()>, RequestError> {
        let topics = by_topic(items.iter(), |partition| *partition).into_iter().map(|(name, partitions)| {
            let partitions = partitions.into_iter().map(|partition| {
                OffsetDeleteRequestPartition::default().with_partition_index(partition.partition)
            });
            OffsetDeleteRequestTopic::default()
                .with_name(TopicName(text(&name)))
                .with_partitions(partitions.collect())
        });
        let request = OffsetDeleteRequest::default()
            .with_group_id(GroupId(text(&self.group)))
            .with_topics(topics.collect());
        let answer = call(&connection, &request, deadline).await?;
        // An error of the group's is one of each of its partitions.
        let all = outcome(
            answer.error_code,
            || format!("deleting offsets of the group '{}'", self.group),
            None,
            (),
        );
        if let Err(error) = all {
            let failed = |partition| {
                let error = error.clone().asked(self.asked(&partition));
                (partition, Err(error))
            };
            return Ok(items.into_iter().map(failed).collect());
        }
        let deleted = answer.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|answered| {
                let partition = TopicPartition::new(topic.name.as_str(), answered.partition_index);
                let outcome = outcome(answered.error_code, || self.asked(&partition), None, ());
                (partition, outcome)
            })
        });
        Ok(deleted.collect())
    }
}
