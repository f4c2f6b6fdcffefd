//! Requests about partitions whose answers have an error for each: offsets of a log, epochs, records to delete.

use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, TopicResponse};
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, DescribeProducersRequest, DescribeProducersResponse,
    ElectLeadersRequest, ElectLeadersResponse, ListOffsetsRequest, ListOffsetsResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::merge::Nested;
use super::{Faulty, Refused, all_partitions, refused};
use crate::context::RequestContext;
use crate::faults::verdict::{Subject, Verdict};

impl Faulty for ListOffsetsRequest {
    type Reply = ListOffsetsResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        let of = |name: &TopicName, index| Subject::partition(name.as_str(), index);
        let topics = self.topics.iter();
        topics.flat_map(|t| t.partitions.iter().map(|p| of(&t.name, p.partition_index))).collect()
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<ListOffsetsResponse> {
        let taken = Nested::take(
            &mut self.topics,
            |topic| topic.name.to_string(),
            |topic| &mut topic.partitions,
            |topic, partition| {
                let code = verdict.of_partition(topic, partition.partition_index)?;
                let answer =
                    ListOffsetsPartitionResponse::default().with_partition_index(partition.partition_index);
                Some(answer.with_error_code(code).with_timestamp(-1).with_offset(-1).with_leader_epoch(-1))
            },
            |topic, answers| {
                ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(answers)
            },
        );
        if taken.is_empty() {
            return Refused::Nothing;
        }
        refused(!self.topics.is_empty(), move |reply: &mut ListOffsetsResponse| {
            taken.put_back(&mut reply.topics, |topic| topic.name.to_string(), |topic| &mut topic.partitions);
        })
    }
}

impl Faulty for DeleteRecordsRequest {
    type Reply = DeleteRecordsResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        let of = |name: &TopicName, index| Subject::partition(name.as_str(), index);
        let topics = self.topics.iter();
        topics.flat_map(|t| t.partitions.iter().map(|p| of(&t.name, p.partition_index))).collect()
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<DeleteRecordsResponse> {
        let taken = Nested::take(
            &mut self.topics,
            |topic| topic.name.to_string(),
            |topic| &mut topic.partitions,
            |topic, partition| {
                let code = verdict.of_partition(topic, partition.partition_index)?;
                let answer =
                    DeleteRecordsPartitionResult::default().with_partition_index(partition.partition_index);
                Some(answer.with_error_code(code).with_low_watermark(-1))
            },
            |topic, answers| {
                DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(answers)
            },
        );
        if taken.is_empty() {
            return Refused::Nothing;
        }
        refused(!self.topics.is_empty(), move |reply: &mut DeleteRecordsResponse| {
            taken.put_back(&mut reply.topics, |topic| topic.name.to_string(), |topic| &mut topic.partitions);
        })
    }
}

impl Faulty for OffsetForLeaderEpochRequest {
    type Reply = OffsetForLeaderEpochResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        let of = |name: &TopicName, index| Subject::partition(name.as_str(), index);
        let topics = self.topics.iter();
        topics.flat_map(|t| t.partitions.iter().map(|p| of(&t.topic, p.partition))).collect()
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<OffsetForLeaderEpochResponse> {
        let taken = Nested::take(
            &mut self.topics,
            |topic| topic.topic.to_string(),
            |topic| &mut topic.partitions,
            |topic, partition| {
                let code = verdict.of_partition(topic, partition.partition)?;
                let answer =
                    EpochEndOffset::default().with_partition(partition.partition).with_error_code(code);
                Some(answer.with_leader_epoch(-1).with_end_offset(-1))
            },
            |topic, answers| {
                OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(answers)
            },
        );
        if taken.is_empty() {
            return Refused::Nothing;
        }
        refused(!self.topics.is_empty(), move |reply: &mut OffsetForLeaderEpochResponse| {
            taken.put_back(&mut reply.topics, |topic| topic.topic.to_string(), |topic| &mut topic.partitions);
        })
    }
}

impl Faulty for DescribeProducersRequest {
    type Reply = DescribeProducersResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        let of = |name: &TopicName, index: &i32| Subject::partition(name.as_str(), *index);
        self.topics.iter().flat_map(|t| t.partition_indexes.iter().map(|index| of(&t.name, index))).collect()
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<DescribeProducersResponse> {
        let taken = Nested::take(
            &mut self.topics,
            |topic| topic.name.to_string(),
            |topic| &mut topic.partition_indexes,
            |topic, index| {
                let code = verdict.of_partition(topic, *index)?;
                Some(PartitionResponse::default().with_partition_index(*index).with_error_code(code))
            },
            |topic, answers| TopicResponse::default().with_name(topic.name.clone()).with_partitions(answers),
        );
        if taken.is_empty() {
            return Refused::Nothing;
        }
        refused(!self.topics.is_empty(), move |reply: &mut DescribeProducersResponse| {
            taken.put_back(&mut reply.topics, |topic| topic.name.to_string(), |topic| &mut topic.partitions);
        })
    }
}

impl Faulty for ElectLeadersRequest {
    type Reply = ElectLeadersResponse;

    fn subjects(&self, cx: &RequestContext) -> Vec<Subject> {
        let Some(topics) = &self.topic_partitions else {
            return all_partitions(cx)
                .into_iter()
                .map(|(name, index)| Subject::partition(name, index))
                .collect();
        };
        let of = |name: &TopicName, index: &i32| Subject::partition(name.as_str(), *index);
        topics.iter().flat_map(|t| t.partitions.iter().map(|index| of(&t.topic, index))).collect()
    }

    /// From version 1 on the answer has an error of its own. Version 0 has one for each partition alone.
    fn refuse(&mut self, cx: &RequestContext, verdict: &Verdict) -> Refused<ElectLeadersResponse> {
        if let Some(code) = verdict.of_request(None).filter(|_| cx.version() >= 1) {
            return Refused::Whole(ElectLeadersResponse::default().with_error_code(code));
        }
        let failed =
            |index: i32, code| PartitionResult::default().with_partition_id(index).with_error_code(code);
        let Some(topics) = &mut self.topic_partitions else {
            // Asked for all: those that are refused are named besides.
            let failed = all_partitions(cx).into_iter().filter_map(|(name, index)| {
                let code = verdict.of_partition(&name, index)?;
                let topic =
                    ReplicaElectionResult::default().with_topic(TopicName(StrBytes::from_string(name)));
                Some(topic.with_partition_result(vec![failed(index, code)]))
            });
            let failed: Vec<_> = failed.collect();
            return refused(true, move |reply: &mut ElectLeadersResponse| {
                for one in failed {
                    match reply.replica_election_results.iter_mut().find(|result| result.topic == one.topic) {
                        Some(result) => result.partition_result.extend(one.partition_result),
                        None => reply.replica_election_results.push(one),
                    }
                }
            });
        };
        let taken = Nested::take(
            topics,
            |topic| topic.topic.to_string(),
            |topic| &mut topic.partitions,
            |topic, index| Some(failed(*index, verdict.of_partition(topic, *index)?)),
            |topic, answers| {
                ReplicaElectionResult::default()
                    .with_topic(topic.topic.clone())
                    .with_partition_result(answers)
            },
        );
        if taken.is_empty() {
            return Refused::Nothing;
        }
        refused(!topics.is_empty(), move |reply: &mut ElectLeadersResponse| {
            let results = &mut reply.replica_election_results;
            taken.put_back(results, |result| result.topic.to_string(), |result| &mut result.partition_result);
        })
    }
}
