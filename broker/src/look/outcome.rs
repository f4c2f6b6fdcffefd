//! What became of a request: how it ended, and the first error that its answer has.
//!
//! Knows where errors stand in each answer, and nothing of why they are there.

use std::fmt;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages;
use serde::{Deserialize, Serialize};

use crate::dispatch::{Outcome, Then};
use crate::faults::names::error_name;
use crate::fetch::FetchAnswer;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum RequestOutcome {
    /// It is being worked on, or waits.
    UnderWay,
    /// It was answered, and nothing in the answer is an error.
    Answered,
    /// It was answered with an error: this is the first one in the answer.
    Refused {
        /// Kafka's name for it, for instance `NOT_LEADER_OR_FOLLOWER`.
        error: String,
    },
    /// It asked for no answer.
    Unanswered,
    /// The connection was closed instead of an answer.
    Closed {
        /// Why, in a sentence.
        why: String,
    },
    /// Its client left before the answer was there, or the broker began a new life.
    Abandoned,
}

impl fmt::Display for RequestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestOutcome::UnderWay => f.write_str("under way"),
            RequestOutcome::Answered => f.write_str("answered"),
            RequestOutcome::Refused { error } => f.write_str(error),
            RequestOutcome::Unanswered => f.write_str("done, and asked for no answer"),
            RequestOutcome::Closed { why } => write!(f, "connection closed: {why}"),
            RequestOutcome::Abandoned => f.write_str("abandoned"),
        }
    }
}

/// The same, as it is noted with every request: without text but where a connection is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Fate {
    #[default]
    UnderWay,
    Answered,
    Refused(i16),
    Unanswered,
    Closed(Box<str>),
    Abandoned,
}

impl Fate {
    /// How a request ended, of whose answer `error` is the first error, or 0.
    pub(super) fn of(outcome: &Outcome, error: i16) -> Self {
        match outcome {
            Outcome::Respond(_) | Outcome::Faulty(Some(_), Then::Mute(_)) if error != 0 => {
                Fate::Refused(error)
            }
            Outcome::Respond(_) | Outcome::Faulty(Some(_), Then::Mute(_)) => Fate::Answered,
            Outcome::Nothing | Outcome::Faulty(None, Then::Mute(_)) => Fate::Unanswered,
            Outcome::Close(why) => Fate::Closed(why.as_str().into()),
            Outcome::Ended => Fate::Abandoned,
            Outcome::Faulty(Some(_), Then::Close) => Fate::Closed("a fault cut the answer off".into()),
            Outcome::Faulty(None, Then::Close) => Fate::Closed("a fault closed it".into()),
        }
    }

    pub(super) fn told(&self) -> RequestOutcome {
        match self {
            Fate::UnderWay => RequestOutcome::UnderWay,
            Fate::Answered => RequestOutcome::Answered,
            Fate::Refused(code) => RequestOutcome::Refused { error: name_of(*code) },
            Fate::Unanswered => RequestOutcome::Unanswered,
            Fate::Closed(why) => RequestOutcome::Closed { why: why.to_string() },
            Fate::Abandoned => RequestOutcome::Abandoned,
        }
    }
}

fn name_of(code: i16) -> String {
    match ResponseError::try_from_code(code) {
        Some(ResponseError::Unknown(_)) | None => format!("error {code}"),
        Some(error) => error_name(error),
    }
}

/// An answer that says whether it has errors.
pub(crate) trait Errors {
    /// The code of the first error in it, from the outside in; 0 if it has none.
    fn first_error(&self) -> i16;
}

/// The first code that is an error, or 0.
fn first(codes: impl IntoIterator<Item = i16>) -> i16 {
    codes.into_iter().find(|code| *code != 0).unwrap_or(0)
}

macro_rules! errors {
    (@ $of:tt []) => { $of.error_code };
    (@ $of:tt [$field:ident $($rest:ident)*]) => {
        first($of.$field.iter().map(|inner| errors!(@ inner [$($rest)*])))
    };
    ($($reply:ident: $([$($path:ident)*])*;)*) => {
        $(impl Errors for messages::$reply {
            fn first_error(&self) -> i16 {
                first([$(errors!(@ self [$($path)*])),*])
            }
        })*
    };
}

// The ways from an answer to its errors, through the lists that they stand in. An empty way is the answer's own error.
errors! {
    ProduceResponse: [responses partition_responses];
    ListOffsetsResponse: [topics partitions];
    MetadataResponse: [] [topics] [topics partitions];
    OffsetCommitResponse: [topics partitions];
    OffsetFetchResponse: [] [topics partitions] [groups] [groups topics partitions];
    FindCoordinatorResponse: [] [coordinators];
    JoinGroupResponse: [];
    HeartbeatResponse: [];
    LeaveGroupResponse: [] [members];
    SyncGroupResponse: [];
    DescribeGroupsResponse: [groups];
    ListGroupsResponse: [];
    ApiVersionsResponse: [];
    CreateTopicsResponse: [topics];
    DeleteTopicsResponse: [responses];
    DeleteRecordsResponse: [topics partitions];
    InitProducerIdResponse: [];
    OffsetForLeaderEpochResponse: [topics partitions];
    DescribeConfigsResponse: [results];
    AlterConfigsResponse: [responses];
    DescribeLogDirsResponse: [] [results];
    CreatePartitionsResponse: [results];
    DeleteGroupsResponse: [results];
    ElectLeadersResponse: [] [replica_election_results partition_result];
    IncrementalAlterConfigsResponse: [responses];
    ListPartitionReassignmentsResponse: [];
    OffsetDeleteResponse: [] [topics partitions];
    DescribeClusterResponse: [];
    DescribeProducersResponse: [topics partitions];
    ListConfigResourcesResponse: [];
    DescribeTopicPartitionsResponse: [topics] [topics partitions];
}

impl Errors for FetchAnswer {
    fn first_error(&self) -> i16 {
        let partitions = self.topics.iter().flat_map(|topic| &topic.partitions);
        first(std::iter::once(self.error_code).chain(partitions.map(|partition| partition.error_code)))
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};

    use super::*;

    #[test]
    fn the_first_error_is_found_wherever_it_stands() {
        let partitions = |codes: &[i16]| {
            codes.iter().map(|code| PartitionProduceResponse::default().with_error_code(*code)).collect()
        };
        let answer = |codes: &[&[i16]]| {
            let topics = codes.iter();
            let topics = topics
                .map(|codes| TopicProduceResponse::default().with_partition_responses(partitions(codes)));
            messages::ProduceResponse::default().with_responses(topics.collect())
        };
        assert_eq!(answer(&[]).first_error(), 0);
        assert_eq!(answer(&[&[0, 0], &[0]]).first_error(), 0);
        assert_eq!(answer(&[&[0, 0], &[0, 6, 7]]).first_error(), 6);
        let whole = messages::OffsetFetchResponse::default().with_error_code(16);
        assert_eq!(whole.first_error(), 16);
    }

    #[test]
    fn an_error_has_kafkas_name_and_one_that_nobody_knows_its_number() {
        assert_eq!(name_of(6), "NOT_LEADER_OR_FOLLOWER");
        assert_eq!(name_of(30_000), "error 30000");
    }
}
