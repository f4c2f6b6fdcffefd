//! ElectLeaders, versions 0 to 2: elections of leaders (KIP-183, KIP-460).
//!
//! With one node, which leads every partition, no election is ever needed: ELECTION_NOT_NEEDED for each partition that is
//! named. With several the preferred leader is elected, or, where nobody leads, any replica that is there; as all of them
//! have the same log, nothing is lost even then. Where all are asked for, those that need none are left out, as Kafka does
//! it. A time-out of 0 or below refuses all of them, as in Kafka.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::cluster::Elected;
use crate::context::{Answer, RequestContext};
use crate::error_code::Told;
use crate::partition::Partition;
use crate::topics::Topic;

/// The types of elections: of the preferred leader (0), and of any replica there is (1).
const ELECTION_TYPES: std::ops::RangeInclusive<i8> = 0..=1;

const PREFERRED: i8 = 0;

/// What an answer takes for each partition that is named.
const ANSWER_BYTES: usize = 256;

pub(crate) async fn handle(cx: &RequestContext, request: ElectLeadersRequest) -> Answer<ElectLeadersResponse> {
    let topics = request.topic_partitions.iter().flatten();
    let named: usize = topics.map(|topic| 1 + topic.partitions.len()).sum();
    cx.spend(named.saturating_mul(ANSWER_BYTES))?;
    let named = request.topic_partitions.as_deref();
    if let Some(told) = refusal(&request) {
        let refused = named.unwrap_or_default().iter().map(|topic| results(topic, |_, _| Err(told.clone())));
        return Ok(ElectLeadersResponse::default()
            .with_error_code(if cx.version() > 0 { told.error.code() } else { 0 })
            .with_replica_election_results(refused.collect()));
    }
    // Who leads is written to the metadata journal.
    let results = tokio::task::block_in_place(|| match named {
        None => elect_all(cx, request.election_type),
        Some(named) => {
            let elect = |name: &TopicName, index| elect(cx, request.election_type, name, index);
            cx.broker.while_changing(|| named.iter().map(|topic| results(topic, elect)).collect())
        }
    });
    Ok(ElectLeadersResponse::default().with_replica_election_results(results))
}

/// Why there are no elections at all, if so. An empty list is not looked at further.
fn refusal(request: &ElectLeadersRequest) -> Option<Told> {
    if request.topic_partitions.as_ref().is_some_and(Vec::is_empty) {
        return None;
    }
    if request.timeout_ms <= 0 {
        return Some(Told { error: ResponseError::RequestTimedOut, message: None });
    }
    let kind = request.election_type;
    let unknown = || Told::new(ResponseError::InvalidRequest, format!("Unknown election type {kind}"));
    (!ELECTION_TYPES.contains(&kind)).then(unknown)
}

/// Runs elections wherever one is needed. Partitions that need none are left out.
fn elect_all(cx: &RequestContext, kind: i8) -> Vec<ReplicaElectionResult> {
    let of_topic = |topic: &Arc<Topic>| {
        let elected = topic.partitions().into_iter().filter_map(|partition| {
            let elected = elect_one(cx, kind, topic, &partition);
            let needed = !matches!(&elected, Err(told) if told.error == ResponseError::ElectionNotNeeded);
            needed.then(|| result(partition.index(), elected))
        });
        ReplicaElectionResult::default()
            .with_topic(TopicName(StrBytes::from_string(topic.name().to_string())))
            .with_partition_result(elected.collect())
    };
    cx.broker.while_changing(|| cx.broker.topics.all().iter().map(of_topic).collect())
}

/// What comes of the election of a leader of this partition.
fn elect_one(cx: &RequestContext, kind: i8, topic: &Arc<Topic>, partition: &Arc<Partition>) -> Result<(), Told> {
    let elected = match kind {
        PREFERRED => cx.broker.elect_preferred(topic, partition),
        _ => cx.broker.elect_uncleanly(topic, partition),
    };
    match elected {
        Ok(Elected::Leader) => Ok(()),
        Ok(Elected::NotNeeded) => Err(Told::new(
            ResponseError::ElectionNotNeeded,
            "Leader election not needed for topic partition.",
        )),
        Ok(Elected::Nobody) if kind == PREFERRED => Err(Told::new(
            ResponseError::PreferredLeaderNotAvailable,
            "The preferred leader was not available.",
        )),
        Ok(Elected::Nobody) => Err(Told::new(
            ResponseError::EligibleLeadersNotAvailable,
            "Eligible topic partition leaders are not available.",
        )),
        Err(error) => Err(error.into()),
    }
}

/// As [`elect_one`], for a partition that may not be there.
fn elect(cx: &RequestContext, kind: i8, name: &TopicName, index: i32) -> Result<(), Told> {
    let missing = |sentence| Err(Told::new(ResponseError::UnknownTopicOrPartition, sentence));
    let name = name.as_str();
    let Some(topic) = cx.broker.topics.get(name) else { return missing(format!("No such topic as {name}")) };
    match topic.partition(index) {
        Some(partition) => elect_one(cx, kind, &topic, &partition),
        None => missing(format!("No such partition as {name}-{index}")),
    }
}

fn results(topic: &TopicPartitions, why: impl Fn(&TopicName, i32) -> Result<(), Told>) -> ReplicaElectionResult {
    let one = |index: &i32| result(*index, why(&topic.topic, *index));
    ReplicaElectionResult::default()
        .with_topic(topic.topic.clone())
        .with_partition_result(topic.partitions.iter().map(one).collect())
}

fn result(index: i32, elected: Result<(), Told>) -> PartitionResult {
    let result = PartitionResult::default().with_partition_id(index);
    match elected {
        Ok(()) => result,
        Err(told) => result
            .with_error_code(told.error.code())
            .with_error_message(told.message.map(StrBytes::from_string)),
    }
}
