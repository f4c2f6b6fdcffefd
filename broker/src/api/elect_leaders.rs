//! ElectLeaders, versions 0 to 2: elections of leaders (KIP-183, KIP-460).
//!
//! The one broker leads every partition, so that no election is ever needed: ELECTION_NOT_NEEDED for each partition
//! that is named. Where all are asked for, those that need none are left out, as Kafka does it. A time-out of
//! 0 or below refuses all of them, as in Kafka.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::context::{Answer, RequestContext};
use crate::error_code::Told;

/// The types of elections: of the preferred leader (0), and of any replica there is (1).
const ELECTION_TYPES: std::ops::RangeInclusive<i8> = 0..=1;

/// What an answer takes for each partition that is named.
const ANSWER_BYTES: usize = 256;

pub(crate) async fn handle(cx: &RequestContext, request: ElectLeadersRequest) -> Answer<ElectLeadersResponse> {
    let topics = request.topic_partitions.iter().flatten();
    let named: usize = topics.map(|topic| 1 + topic.partitions.len()).sum();
    cx.spend(named.saturating_mul(ANSWER_BYTES))?;
    let named = request.topic_partitions.as_deref();
    if let Some(told) = refusal(&request) {
        let refused = named.unwrap_or_default().iter().map(|topic| results(topic, |_, _| told.clone()));
        return Ok(ElectLeadersResponse::default()
            .with_error_code(if cx.version() > 0 { told.error.code() } else { 0 })
            .with_replica_election_results(refused.collect()));
    }
    let results = match named {
        None => cx.broker.topics.all().iter().map(|topic| nothing_to_do(topic.name())).collect(),
        Some(named) => named.iter().map(|topic| results(topic, |name, index| elect(cx, name, index))).collect(),
    };
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

/// Why there is no election of a leader of this partition.
fn elect(cx: &RequestContext, name: &TopicName, index: i32) -> Told {
    let missing = |sentence| Told::new(ResponseError::UnknownTopicOrPartition, sentence);
    let name = name.as_str();
    let Some(topic) = cx.broker.topics.get(name) else { return missing(format!("No such topic as {name}")) };
    if topic.partition(index).is_none() {
        return missing(format!("No such partition as {name}-{index}"));
    }
    Told::new(ResponseError::ElectionNotNeeded, "Leader election not needed for topic partition.")
}

fn results(topic: &TopicPartitions, why: impl Fn(&TopicName, i32) -> Told) -> ReplicaElectionResult {
    let one = |index: &i32| {
        let told = why(&topic.topic, *index);
        PartitionResult::default()
            .with_partition_id(*index)
            .with_error_code(told.error.code())
            .with_error_message(told.message.map(StrBytes::from_string))
    };
    ReplicaElectionResult::default()
        .with_topic(topic.topic.clone())
        .with_partition_result(topic.partitions.iter().map(one).collect())
}

fn nothing_to_do(name: &str) -> ReplicaElectionResult {
    ReplicaElectionResult::default().with_topic(TopicName(StrBytes::from_string(name.to_owned())))
}
