//! Requests about partitions whose answers have an error for each: offsets of a log, epochs, records to delete.

use kafka_protocol::messages::delete_records_response::DeleteRecordsPartitionResult;
use kafka_protocol::messages::describe_producers_response::PartitionResponse;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::offset_for_leader_epoch_response::EpochEndOffset;
use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, DescribeProducersRequest, DescribeProducersResponse,
    ElectLeadersRequest, ElectLeadersResponse, ListOffsetsRequest, ListOffsetsResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::parted::{self, Parted};
use super::{Faulty, Refused, all_partitions, refused};
use crate::context::RequestContext;
use crate::faults::verdict::{Subject, Verdict};

impl Faulty for ListOffsetsRequest {
    type Reply = ListOffsetsResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        parted::subjects(&self.topics, |partition| partition.partition_index)
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<ListOffsetsResponse> {
        parted::refuse(
            &mut self.topics,
            |reply: &mut ListOffsetsResponse| &mut reply.topics,
            |topic, partition| {
                let index = partition.partition_index;
                let code = verdict.of_partition(topic, index)?;
                let failed = ListOffsetsPartitionResponse::default().with_partition_index(index);
                Some(failed.with_error_code(code).with_timestamp(-1).with_offset(-1).with_leader_epoch(-1))
            },
        )
    }
}

impl Faulty for DeleteRecordsRequest {
    type Reply = DeleteRecordsResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        parted::subjects(&self.topics, |partition| partition.partition_index)
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<DeleteRecordsResponse> {
        parted::refuse(
            &mut self.topics,
            |reply: &mut DeleteRecordsResponse| &mut reply.topics,
            |topic, partition| {
                let index = partition.partition_index;
                let code = verdict.of_partition(topic, index)?;
                let failed = DeleteRecordsPartitionResult::default().with_partition_index(index);
                Some(failed.with_error_code(code).with_low_watermark(-1))
            },
        )
    }
}

impl Faulty for OffsetForLeaderEpochRequest {
    type Reply = OffsetForLeaderEpochResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        parted::subjects(&self.topics, |partition| partition.partition)
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<OffsetForLeaderEpochResponse> {
        parted::refuse(
            &mut self.topics,
            |reply: &mut OffsetForLeaderEpochResponse| &mut reply.topics,
            |topic, partition| {
                let code = verdict.of_partition(topic, partition.partition)?;
                let failed = EpochEndOffset::default().with_partition(partition.partition);
                Some(failed.with_error_code(code).with_leader_epoch(-1).with_end_offset(-1))
            },
        )
    }
}

impl Faulty for DescribeProducersRequest {
    type Reply = DescribeProducersResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        parted::subjects(&self.topics, |index| *index)
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<DescribeProducersResponse> {
        parted::refuse(
            &mut self.topics,
            |reply: &mut DescribeProducersResponse| &mut reply.topics,
            |topic, index| {
                let code = verdict.of_partition(topic, *index)?;
                Some(PartitionResponse::default().with_partition_index(*index).with_error_code(code))
            },
        )
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
        parted::subjects(topics, |index| *index)
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
                let topic = TopicName(StrBytes::from_string(name));
                Some(ReplicaElectionResult::new(topic, vec![failed(index, code)]))
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
        parted::refuse(
            topics,
            |reply: &mut ElectLeadersResponse| &mut reply.replica_election_results,
            |topic, index| Some(failed(*index, verdict.of_partition(topic, *index)?)),
        )
    }
}
