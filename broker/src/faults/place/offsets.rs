//! Offsets that groups commit, fetch and delete: errors of a partition, or of the group above it.

use kafka_protocol::messages::offset_commit_response::OffsetCommitResponsePartition;
use kafka_protocol::messages::offset_delete_response::OffsetDeleteResponsePartition;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopics;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::parted;
use super::{Faulty, Refused, merge, refused};
use crate::context::RequestContext;
use crate::faults::verdict::{Subject, Verdict};

/// From this version on, OffsetFetch has an error for the whole group.
const GROUP_ERROR: i16 = 2;

/// From this version on, OffsetFetch asks for many groups.
const BATCHED: i16 = 8;

impl Faulty for OffsetCommitRequest {
    type Reply = OffsetCommitResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        in_group(&self.group_id, parted::subjects(&self.topics, |partition| partition.partition_index))
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<OffsetCommitResponse> {
        let group = self.group_id.as_str();
        parted::refuse(
            &mut self.topics,
            |reply: &mut OffsetCommitResponse| &mut reply.topics,
            |topic, partition| {
                let index = partition.partition_index;
                let code = verdict.of_partition_in(topic, index, Some(group))?;
                let failed = OffsetCommitResponsePartition::default().with_partition_index(index);
                Some(failed.with_error_code(code))
            },
        )
    }
}

impl Faulty for OffsetDeleteRequest {
    type Reply = OffsetDeleteResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        in_group(&self.group_id, parted::subjects(&self.topics, |partition| partition.partition_index))
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<OffsetDeleteResponse> {
        if let Some(code) = verdict.of_group(&self.group_id) {
            return Refused::Whole(OffsetDeleteResponse::default().with_error_code(code));
        }
        let group = self.group_id.as_str();
        parted::refuse(
            &mut self.topics,
            |reply: &mut OffsetDeleteResponse| &mut reply.topics,
            |topic, partition| {
                let index = partition.partition_index;
                let code = verdict.of_partition_in(topic, index, Some(group))?;
                let failed = OffsetDeleteResponsePartition::default().with_partition_index(index);
                Some(failed.with_error_code(code))
            },
        )
    }
}

/// A group, and these partitions of it.
fn in_group(group: &str, partitions: Vec<Subject>) -> Vec<Subject> {
    let partitions = partitions.into_iter().map(|partition| partition.in_group(group));
    std::iter::once(Subject::group(group)).chain(partitions).collect()
}

impl Faulty for OffsetFetchRequest {
    type Reply = OffsetFetchResponse;

    fn subjects(&self, cx: &RequestContext) -> Vec<Subject> {
        if cx.version() >= BATCHED {
            let of =
                |topic: &OffsetFetchRequestTopics| (topic.name.to_string(), topic.partition_indexes.clone());
            let groups = self.groups.iter().map(|group| {
                let named = group.topics.as_ref().map(|topics| topics.iter().map(of).collect());
                subjects_of_group(cx, &group.group_id, named)
            });
            return groups.flatten().collect();
        }
        let named = self.topics.as_ref().map(|topics| {
            topics.iter().map(|topic| (topic.name.to_string(), topic.partition_indexes.clone())).collect()
        });
        subjects_of_group(cx, &self.group_id, named)
    }

    fn refuse(&mut self, cx: &RequestContext, verdict: &Verdict) -> Refused<OffsetFetchResponse> {
        if !verdict.refuses() {
            return Refused::Nothing;
        }
        if cx.version() >= BATCHED { refuse_groups(self, verdict) } else { refuse_single(self, cx, verdict) }
    }
}

fn subjects_of_group(
    cx: &RequestContext,
    group: &str,
    named: Option<Vec<(String, Vec<i32>)>>,
) -> Vec<Subject> {
    let committed = || {
        let offsets = cx.broker.groups.look(group, |group| {
            let topics = group.offsets().by_topic().iter();
            topics.map(|(topic, all)| (topic.clone(), all.keys().copied().collect())).collect()
        });
        offsets.unwrap_or_default()
    };
    let mut subjects = vec![Subject::group(group)];
    for (topic, indexes) in named.unwrap_or_else(committed) {
        subjects.extend(
            indexes.into_iter().map(|index| Subject::partition(topic.clone(), index).in_group(group)),
        );
    }
    subjects
}

/// Up to version 7: one group.
fn refuse_single(
    request: &mut OffsetFetchRequest,
    cx: &RequestContext,
    verdict: &Verdict,
) -> Refused<OffsetFetchResponse> {
    let group = request.group_id.to_string();
    if let Some(code) = verdict.of_group(&group).filter(|_| cx.version() >= GROUP_ERROR) {
        return Refused::Whole(OffsetFetchResponse::default().with_error_code(code));
    }
    let Some(topics) = &mut request.topics else {
        let verdict = verdict.clone();
        return refused(true, move |reply: &mut OffsetFetchResponse| {
            for topic in &mut reply.topics {
                for one in &mut topic.partitions {
                    if let Some(code) =
                        verdict.of_partition_in(&topic.name, one.partition_index, Some(&group))
                    {
                        *one = failed_single(one.partition_index, code);
                    }
                }
            }
        });
    };
    parted::refuse(
        topics,
        |reply: &mut OffsetFetchResponse| &mut reply.topics,
        |topic, index| Some(failed_single(*index, verdict.of_partition_in(topic, *index, Some(&group))?)),
    )
}

fn failed_single(index: i32, code: i16) -> OffsetFetchResponsePartition {
    let failed = OffsetFetchResponsePartition::default().with_partition_index(index).with_error_code(code);
    failed.with_committed_offset(-1).with_committed_leader_epoch(-1).with_metadata(Some(StrBytes::default()))
}

fn failed(index: i32, code: i16) -> OffsetFetchResponsePartitions {
    let failed = OffsetFetchResponsePartitions::default().with_partition_index(index).with_error_code(code);
    failed.with_committed_offset(-1).with_committed_leader_epoch(-1).with_metadata(Some(StrBytes::default()))
}

type TakenOffsets = parted::Taken<OffsetFetchResponseTopics>;

/// From version 8 on: many groups, each whole or in parts.
fn refuse_groups(request: &mut OffsetFetchRequest, verdict: &Verdict) -> Refused<OffsetFetchResponse> {
    let (mut whole, mut parts, mut place) = (Vec::new(), Vec::new(), 0);
    request.groups.retain_mut(|group| {
        let id = group.group_id.clone();
        let answer = OffsetFetchResponseGroup::default().with_group_id(id.clone());
        place += 1;
        if let Some(code) = verdict.of_group(&id) {
            whole.push((place - 1, answer.with_error_code(code)));
            return false;
        }
        let Some(topics) = &mut group.topics else { return true };
        let taken = take_of_group(topics, &id, verdict);
        if taken.is_empty() {
            return true;
        }
        if topics.is_empty() {
            let mut answer = answer;
            put_back(taken, &mut answer);
            whole.push((place - 1, answer));
            return false;
        }
        parts.push((id, taken));
        true
    });
    let verdict = verdict.clone();
    refused(!request.groups.is_empty(), move |reply: &mut OffsetFetchResponse| {
        for answer in &mut reply.groups {
            overlay(answer, &verdict);
        }
        for (id, taken) in parts {
            if let Some(answer) = reply.groups.iter_mut().find(|answer| answer.group_id == id) {
                put_back(taken, answer);
            }
        }
        merge::put_back(&mut reply.groups, whole);
    })
}

fn take_of_group(topics: &mut Vec<OffsetFetchRequestTopics>, group: &str, verdict: &Verdict) -> TakenOffsets {
    parted::take(topics, |topic, index| {
        Some(failed(*index, verdict.of_partition_in(topic, *index, Some(group))?))
    })
}

fn put_back(taken: TakenOffsets, answer: &mut OffsetFetchResponseGroup) {
    parted::put_back(taken, &mut answer.topics);
}

/// Of a group that was asked for all that it has, what is refused is not known before the answer is there.
fn overlay(answer: &mut OffsetFetchResponseGroup, verdict: &Verdict) {
    for topic in &mut answer.topics {
        for one in &mut topic.partitions {
            if let Some(code) =
                verdict.of_partition_in(&topic.name, one.partition_index, Some(&answer.group_id))
            {
                *one = failed(one.partition_index, code);
            }
        }
    }
}
