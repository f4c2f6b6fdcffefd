//! Requests about the broker as a whole, whose answers have one error.

use kafka_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeLogDirsRequest, DescribeLogDirsResponse, InitProducerIdRequest, InitProducerIdResponse,
    ListConfigResourcesRequest, ListConfigResourcesResponse, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse, ProducerId, TopicName,
};

use super::{Faulty, Refused, all_partitions};
use crate::context::RequestContext;
use crate::faults::verdict::{Subject, Verdict};

/// From this version on, DescribeLogDirs has an error above the folders.
const LOG_DIRS_ERROR: i16 = 3;

/// The first error of all: of a request whose answer has one place for it, whatever it names.
fn any(verdict: &Verdict) -> Option<i16> {
    verdict.errors.first().map(|(_, code)| *code)
}

macro_rules! one_error {
    ($($request:ident => $reply:ident)*) => {
        $(impl Faulty for $request {
            type Reply = $reply;

            fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
                Vec::new()
            }

            fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<$reply> {
                let refused = |code| Refused::Whole($reply::default().with_error_code(code));
                any(verdict).map_or(Refused::Nothing, refused)
            }
        })*
    };
}

one_error! {
    ApiVersionsRequest => ApiVersionsResponse
    DescribeClusterRequest => DescribeClusterResponse
    ListConfigResourcesRequest => ListConfigResourcesResponse
}

impl Faulty for InitProducerIdRequest {
    type Reply = InitProducerIdResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        Vec::new()
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<InitProducerIdResponse> {
        let refused = |code| {
            let reply = InitProducerIdResponse::default().with_error_code(code);
            Refused::Whole(reply.with_producer_id(ProducerId(-1)).with_producer_epoch(-1))
        };
        any(verdict).map_or(Refused::Nothing, refused)
    }
}

fn subjects<'a>(
    cx: &RequestContext,
    named: Option<impl Iterator<Item = (&'a TopicName, &'a Vec<i32>)>>,
) -> Vec<Subject> {
    match named {
        None => all_partitions(cx).into_iter().map(|(name, index)| Subject::partition(name, index)).collect(),
        Some(topics) => topics
            .flat_map(|(name, indexes)| indexes.iter().map(|index| Subject::partition(name.as_str(), *index)))
            .collect(),
    }
}

impl Faulty for DescribeLogDirsRequest {
    type Reply = DescribeLogDirsResponse;

    fn subjects(&self, cx: &RequestContext) -> Vec<Subject> {
        subjects(cx, self.topics.as_ref().map(|topics| topics.iter().map(|t| (&t.topic, &t.partitions))))
    }

    /// Before version 3 only a folder can have an error.
    fn refuse(&mut self, cx: &RequestContext, verdict: &Verdict) -> Refused<DescribeLogDirsResponse> {
        let Some(code) = any(verdict) else { return Refused::Nothing };
        let reply = DescribeLogDirsResponse::default();
        if cx.version() >= LOG_DIRS_ERROR {
            return Refused::Whole(reply.with_error_code(code));
        }
        let folder = DescribeLogDirsResult::default().with_error_code(code);
        Refused::Whole(reply.with_results(vec![folder.with_total_bytes(-1).with_usable_bytes(-1)]))
    }
}

impl Faulty for ListPartitionReassignmentsRequest {
    type Reply = ListPartitionReassignmentsResponse;

    fn subjects(&self, cx: &RequestContext) -> Vec<Subject> {
        subjects(
            cx,
            self.topics.as_ref().map(|topics| topics.iter().map(|t| (&t.name, &t.partition_indexes))),
        )
    }

    fn refuse(
        &mut self,
        _cx: &RequestContext,
        verdict: &Verdict,
    ) -> Refused<ListPartitionReassignmentsResponse> {
        let refused =
            |code| Refused::Whole(ListPartitionReassignmentsResponse::default().with_error_code(code));
        any(verdict).map_or(Refused::Nothing, refused)
    }
}
