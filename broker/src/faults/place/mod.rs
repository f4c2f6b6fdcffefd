//! Where an error stands in an answer: for each API, what a request is about, and how what is refused is taken out of it
//! and answered for, so that the rest is really served.
//!
//! An error stands as far in as the rule says: with a partition or a topic if it names one, and as far out as the answer
//! goes if it does not. What was taken out comes back into the answer in the order of the request. Knows nothing of
//! counting rules, delays or connections.

mod cluster;
mod groups;
mod merge;
mod offsets;
mod parted;
mod partitions;
mod records;
mod topics;

use uuid::Uuid;

use super::verdict::{Subject, Verdict};
use crate::context::RequestContext;

/// What is to be done instead of serving all of a request.
pub(crate) enum Refused<R> {
    /// Nothing: the request is served as it stands.
    Nothing,
    /// What is left of the request is served, and this puts the rest into the answer.
    Part(Splice<R>),
    /// Nothing of the request is served: this is the answer.
    Whole(R),
    /// The connection is closed, because that is how this request is told of an error.
    Close(String),
}

/// Puts what was refused into the answer of the rest.
pub(crate) type Splice<R> = Box<dyn FnOnce(&mut R) + Send>;

/// A request that can be refused in parts.
pub(crate) trait Faulty: Send {
    /// The answer to it.
    type Reply: Throttled + Send;

    /// What it is about, for rules to match.
    fn subjects(&self, cx: &RequestContext) -> Vec<Subject>;

    /// Takes out what is refused.
    fn refuse(&mut self, cx: &RequestContext, verdict: &Verdict) -> Refused<Self::Reply>;
}

/// An answer that can say that its client was throttled. Versions without a place for it leave it out.
pub(crate) trait Throttled {
    /// Says so.
    fn set_throttle(&mut self, ms: i32);
}

/// What becomes of a request of which something was taken out by `splice`'s maker; `rest` says whether anything is left.
fn refused<R: Default>(rest: bool, splice: impl FnOnce(&mut R) + Send + 'static) -> Refused<R> {
    if rest {
        return Refused::Part(Box::new(splice));
    }
    let mut whole = R::default();
    splice(&mut whole);
    Refused::Whole(whole)
}

/// The name of a topic that a request gives by name or by id; empty if there is none.
fn topic_name(cx: &RequestContext, name: &str, id: Uuid) -> String {
    if !name.is_empty() || id.is_nil() {
        return name.to_owned();
    }
    cx.broker.topics.by_id(id).map(|topic| topic.name().to_string()).unwrap_or_default()
}

/// All partitions of all topics: what a request is about that names none.
fn all_partitions(cx: &RequestContext) -> Vec<(String, i32)> {
    let topics = cx.broker.topics.all();
    let of = |topic: &crate::topics::Topic| {
        let name = topic.name().to_string();
        (0..topic.partition_count()).map(move |index| (name.clone(), index)).collect::<Vec<_>>()
    };
    topics.iter().flat_map(|topic| of(topic)).collect()
}

macro_rules! throttled {
    ($($reply:ident)*) => {
        $(impl Throttled for kafka_protocol::messages::$reply {
            fn set_throttle(&mut self, ms: i32) {
                self.throttle_time_ms = ms;
            }
        })*
    };
}

throttled! {
    ProduceResponse ListOffsetsResponse MetadataResponse OffsetCommitResponse OffsetFetchResponse
    FindCoordinatorResponse JoinGroupResponse HeartbeatResponse LeaveGroupResponse SyncGroupResponse
    DescribeGroupsResponse ListGroupsResponse ApiVersionsResponse CreateTopicsResponse DeleteTopicsResponse
    DeleteRecordsResponse InitProducerIdResponse OffsetForLeaderEpochResponse DescribeConfigsResponse
    AlterConfigsResponse DescribeLogDirsResponse CreatePartitionsResponse DeleteGroupsResponse ElectLeadersResponse
    IncrementalAlterConfigsResponse ListPartitionReassignmentsResponse OffsetDeleteResponse DescribeClusterResponse
    DescribeProducersResponse ListConfigResourcesResponse DescribeTopicPartitionsResponse
}

impl Throttled for crate::fetch::FetchAnswer {
    fn set_throttle(&mut self, ms: i32) {
        self.throttle_time_ms = ms;
    }
}
