//! Asking for offsets: what a group has committed, where logs begin and end, which offset a time has, and where an epoch
//! ends. Each function is one attempt; [`committed`] and [`find`] try again until a deadline.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    BrokerId, GroupId, ListOffsetsRequest, OffsetFetchRequest, OffsetFetchResponse,
    OffsetForLeaderEpochRequest,
};

use super::context::Context;
use super::shelf::NO_EPOCH;
use super::wire;
use crate::backend::{OffsetSpec, Offsets};
use crate::error::ClientError;
use crate::native::cluster::{Lane, Leader};
use crate::native::retry::{Remedy, remedy};
use crate::options::IsolationLevel;
use crate::record::TopicPartition;

/// A committed offset, with the epoch of the record before it, or -1.
pub(super) type Committed = (i64, i32);

/// What each partition's question came to.
pub(super) type Answers<T> = Vec<(TopicPartition, Result<T, ResponseError>)>;

const OFFSET_FETCH_MOST: i16 = 9;
const OFFSET_FETCH_GROUPS: i16 = 8;
const OFFSET_FETCH_STABLE: i16 = 7;
const LIST_OFFSETS_MOST: i16 = 9;
const END_OF_EPOCH_MOST: i16 = 4;

/// Numbers of partitions, by their topics, each with what is asked of it.
type ByTopic<T> = BTreeMap<Arc<str>, Vec<(i32, T)>>;

fn by_topic<T>(partitions: impl IntoIterator<Item = (TopicPartition, T)>) -> ByTopic<T> {
    let mut by_topic = ByTopic::new();
    for (partition, what) in partitions {
        by_topic.entry(partition.topic).or_default().push((partition.partition, what));
    }
    by_topic
}

/// An epoch that is asked about, and that of the present leader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epochs {
    pub(super) current: i32,
    pub(super) asked: i32,
}

/// What the group has committed. Partitions of which the coordinator says nothing count as without a committed offset.
pub(super) async fn committed_once(
    context: &Context,
    partitions: &[TopicPartition],
) -> Result<Answers<Option<Committed>>, ClientError> {
    let group = &context.options.group_id;
    let asked = || format!("asking what the group '{group}' has committed");
    let topics = by_topic(partitions.iter().cloned().map(|partition| (partition, ())));
    let mut used = 0;
    let build = |version| {
        used = version;
        offset_fetch(group, &topics, version)
    };
    let patience = context.cluster.options().request_timeout;
    let answer = wire::call_coordinator::<OffsetFetchRequest>(
        &context.cluster,
        group,
        wire::COORDINATOR,
        OFFSET_FETCH_MOST,
        patience,
        build,
    )
    .await?;
    let (code, offsets) = read_offset_fetch(&answer, used);
    if let Some(error) = ResponseError::try_from_code(code) {
        if remedy(error) == Remedy::FindCoordinator {
            wire::forget_coordinator(&context.cluster, group);
        }
        return Err(ClientError::from_code(error, asked(), None));
    }
    let of = |partition: &TopicPartition| {
        let found = offsets.get(partition).copied().unwrap_or(Ok(None));
        (partition.clone(), found)
    };
    Ok(partitions.iter().map(of).collect())
}

fn offset_fetch(group: &str, topics: &ByTopic<()>, version: i16) -> OffsetFetchRequest {
    let numbers =
        |partitions: &[(i32, ())]| partitions.iter().map(|(number, ())| *number).collect::<Vec<_>>();
    let group = GroupId(wire::text(group));
    let request = OffsetFetchRequest::default().with_require_stable(version >= OFFSET_FETCH_STABLE);
    if version >= OFFSET_FETCH_GROUPS {
        let of = |(topic, partitions): (&Arc<str>, &Vec<(i32, ())>)| {
            OffsetFetchRequestTopics::default()
                .with_name(wire::topic_name(topic))
                .with_partition_indexes(numbers(partitions))
        };
        let topics = Some(topics.iter().map(of).collect());
        return request.with_groups(vec![
            OffsetFetchRequestGroup::default().with_group_id(group).with_topics(topics).with_member_epoch(-1),
        ]);
    }
    let of = |(topic, partitions): (&Arc<str>, &Vec<(i32, ())>)| {
        OffsetFetchRequestTopic::default()
            .with_name(wire::topic_name(topic))
            .with_partition_indexes(numbers(partitions))
    };
    request.with_group_id(group).with_topics(Some(topics.iter().map(of).collect()))
}

type CommittedByPartition = HashMap<TopicPartition, Result<Option<Committed>, ResponseError>>;

fn read_offset_fetch(answer: &OffsetFetchResponse, version: i16) -> (i16, CommittedByPartition) {
    let found = |code: i16, offset: i64, epoch: i32| match ResponseError::try_from_code(code) {
        Some(error) => Err(error),
        None => Ok((offset >= 0).then_some((offset, epoch))),
    };
    let mut all = HashMap::new();
    if version >= OFFSET_FETCH_GROUPS {
        let Some(group) = answer.groups.first() else { return (0, all) };
        for topic in &group.topics {
            let name: Arc<str> = Arc::from(topic.name.as_str());
            for p in &topic.partitions {
                let partition = TopicPartition { topic: Arc::clone(&name), partition: p.partition_index };
                all.insert(partition, found(p.error_code, p.committed_offset, p.committed_leader_epoch));
            }
        }
        return (group.error_code, all);
    }
    for topic in &answer.topics {
        let name: Arc<str> = Arc::from(topic.name.as_str());
        for p in &topic.partitions {
            let partition = TopicPartition { topic: Arc::clone(&name), partition: p.partition_index };
            all.insert(partition, found(p.error_code, p.committed_offset, p.committed_leader_epoch));
        }
    }
    (answer.error_code, all)
}

/// Offsets in a broker's logs; none where there is no record at or after the time.
pub(super) async fn find_once(
    context: &Context,
    node: i32,
    partitions: &[(TopicPartition, i32)],
    spec: OffsetSpec,
) -> Result<Answers<Option<i64>>, ClientError> {
    let time = match spec {
        OffsetSpec::Earliest => -2,
        OffsetSpec::Latest => -1,
        OffsetSpec::AtTime(time) => time.max(0),
    };
    let isolation = i8::from(context.options.isolation_level == IsolationLevel::ReadCommitted);
    let topics = by_topic(partitions.iter().cloned());
    let build = |version: i16| {
        let partition = |(number, epoch): &(i32, i32)| {
            let partition =
                ListOffsetsPartition::default().with_partition_index(*number).with_timestamp(time);
            if version >= 4 { partition.with_current_leader_epoch(*epoch) } else { partition }
        };
        let of = |(topic, numbers): (&Arc<str>, &Vec<(i32, i32)>)| {
            ListOffsetsTopic::default()
                .with_name(wire::topic_name(topic))
                .with_partitions(numbers.iter().map(partition).collect())
        };
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(topics.iter().map(of).collect());
        if version >= 2 { request.with_isolation_level(isolation) } else { request }
    };
    let patience = context.cluster.options().request_timeout;
    let answer = wire::call::<ListOffsetsRequest>(
        &context.cluster,
        node,
        Lane::Control,
        LIST_OFFSETS_MOST,
        patience,
        build,
    )
    .await?;
    let mut answers = Vec::new();
    for topic in &answer.topics {
        let name: Arc<str> = Arc::from(topic.name.as_str());
        for p in &topic.partitions {
            let partition = TopicPartition { topic: Arc::clone(&name), partition: p.partition_index };
            let found = match ResponseError::try_from_code(p.error_code) {
                Some(error) => Err(error),
                None => Ok((p.offset >= 0).then_some(p.offset)),
            };
            answers.push((partition, found));
        }
    }
    Ok(answers)
}

/// Where epochs end in a broker's logs; none where it knows nothing of one. Each partition with the epochs that
/// the question is about.
pub(super) async fn ends_of_epochs_once(
    context: &Context,
    node: i32,
    partitions: &[(TopicPartition, Epochs)],
) -> Result<Answers<Option<i64>>, ClientError> {
    let topics = by_topic(partitions.iter().cloned());
    let build = |version: i16| {
        let partition = |(number, Epochs { current, asked }): &(i32, Epochs)| {
            let partition =
                OffsetForLeaderPartition::default().with_partition(*number).with_leader_epoch(*asked);
            if version >= 2 { partition.with_current_leader_epoch(*current) } else { partition }
        };
        let of = |(topic, numbers): (&Arc<str>, &Vec<(i32, Epochs)>)| {
            OffsetForLeaderTopic::default()
                .with_topic(wire::topic_name(topic))
                .with_partitions(numbers.iter().map(partition).collect())
        };
        OffsetForLeaderEpochRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(topics.iter().map(of).collect())
    };
    let patience = context.cluster.options().request_timeout;
    let answer = wire::call::<OffsetForLeaderEpochRequest>(
        &context.cluster,
        node,
        Lane::Control,
        END_OF_EPOCH_MOST,
        patience,
        build,
    )
    .await?;
    let mut answers = Vec::new();
    for topic in &answer.topics {
        let name: Arc<str> = Arc::from(topic.topic.as_str());
        for p in &topic.partitions {
            let partition = TopicPartition { topic: Arc::clone(&name), partition: p.partition };
            let found = match ResponseError::try_from_code(p.error_code) {
                Some(error) => Err(error),
                None => Ok((p.end_offset >= 0 && p.leader_epoch != NO_EPOCH).then_some(p.end_offset)),
            };
            answers.push((partition, found));
        }
    }
    Ok(answers)
}

/// What the group has committed, tried until the deadline.
pub(super) async fn committed(
    context: &Context,
    partitions: &[TopicPartition],
    deadline: Instant,
) -> Result<Offsets, ClientError> {
    let asked = || format!("asking what the group '{}' has committed", context.options.group_id);
    let mut backoff = context.cluster.retry_backoff();
    loop {
        let error = match committed_once(context, partitions).await {
            Ok(answers) => match all_or_first_error(answers) {
                Ok(all) => {
                    let offset =
                        |(partition, found): (_, Option<Committed>)| (partition, found.map(|(o, _)| o));
                    return Ok(all.into_iter().map(offset).collect());
                }
                Err(code) => ClientError::from_code(code, asked(), None),
            },
            Err(error) => error,
        };
        let pause = Instant::now() + backoff.next();
        if !passes(&error) || pause >= deadline {
            return Err(error);
        }
        tokio::time::sleep_until(pause.into()).await;
    }
}

/// Offsets at the leaders, tried until the deadline.
pub(super) async fn find(
    context: &Context,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
    deadline: Instant,
) -> Result<Offsets, ClientError> {
    let mut found: HashMap<TopicPartition, Option<i64>> = HashMap::new();
    let mut backoff = context.cluster.retry_backoff();
    loop {
        let missing: Vec<_> =
            partitions.iter().filter(|partition| !found.contains_key(partition)).cloned().collect();
        let mut failed = None;
        for (node, asked) in by_leader(context, &missing, deadline).await? {
            match find_once(context, node, &asked, spec).await {
                Ok(answers) => {
                    for (partition, answer) in answers {
                        match answer {
                            Ok(offset) => {
                                found.insert(partition, offset);
                            }
                            Err(code) => {
                                let asked = format!("asking for an offset in {partition}");
                                failed = Some(ClientError::from_code(code, asked, None));
                            }
                        }
                    }
                }
                Err(error) => failed = Some(error),
            }
        }
        if partitions.iter().all(|partition| found.contains_key(partition)) {
            let of =
                |partition: &TopicPartition| (partition.clone(), found.get(partition).copied().flatten());
            return Ok(partitions.iter().map(of).collect());
        }
        let pause = Instant::now() + backoff.next();
        let error = failed.unwrap_or_else(|| {
            let why = "the answer leaves partitions out";
            ClientError::new(crate::error::ErrorKind::MalformedAnswer, "asking for offsets", why)
        });
        if !passes(&error) || pause >= deadline {
            return Err(error);
        }
        context.cluster.refresh();
        tokio::time::sleep_until(pause.into()).await;
    }
}

/// Partitions by who leads them, each with the leader's epoch. Waits until that is known.
async fn by_leader(
    context: &Context,
    partitions: &[TopicPartition],
    deadline: Instant,
) -> Result<BTreeMap<i32, Vec<(TopicPartition, i32)>>, ClientError> {
    let mut by_leader: BTreeMap<i32, Vec<(TopicPartition, i32)>> = BTreeMap::new();
    for partition in partitions {
        let Leader { node, epoch } =
            context.cluster.partition_leader(&partition.topic, partition.partition, None, deadline).await?;
        by_leader.entry(node).or_default().push((partition.clone(), epoch));
    }
    Ok(by_leader)
}

fn all_or_first_error<T>(answers: Answers<T>) -> Result<Vec<(TopicPartition, T)>, ResponseError> {
    answers.into_iter().map(|(partition, answer)| Ok((partition, answer?))).collect()
}

/// Whether trying again may help.
pub(super) fn passes(error: &ClientError) -> bool {
    match error.code() {
        Some(code) => remedy(code) != Remedy::None,
        None => error.is_retriable(),
    }
}
