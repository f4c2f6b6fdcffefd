//! One file per Kafka API, and the one table from which both the dispatch and the ApiVersions answer come.
//!
//! A handler decodes, authorises, delegates and encodes; what is decided, is decided below it.

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, ResponseHeader};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request, VersionRange};
use klamm_protocol::guard;

use crate::context::{Answer, Refusal, RequestContext};
use crate::dispatch::{Body, Reply};
use crate::faults::{self, Refused};
use crate::look::Errors;

/// An API that is served, and the versions of it.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    pub(crate) versions: VersionRange,
}

impl Api {
    /// Whether `version` of this API is served.
    pub(crate) fn serves(&self, version: i16) -> bool {
        (self.versions.min..=self.versions.max).contains(&version)
    }
}

/// The row of the table for an API key off the wire.
pub(crate) fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key as i16 == key)
}

/// Checks the bytes of a request, so that decoding them can neither fail badly nor allocate much, and decodes them.
fn decode<R: Decodable>(key: ApiKey, version: i16, body: &Bytes) -> Answer<R> {
    let malformed = |error: &dyn std::fmt::Display| {
        Refusal::Close(format!("its {key:?} request in version {version} is malformed: {error}"))
    };
    let mut body = guard::check(key as i16, version, body).map_err(|error| malformed(&error))?;
    R::decode(&mut body, version).map_err(|error| malformed(&error))
}

/// An answer as the protocol library prints it, one field a line; none if it cannot be read. Only for answers that this
/// process wrote, or that have come through a checksum: they are not guarded.
fn describe<R: Request>(version: i16, frame: &Bytes) -> Option<String>
where
    R::Response: std::fmt::Debug,
{
    let mut rest = frame.get(4..).map(|rest| frame.slice_ref(rest))?;
    ResponseHeader::decode(&mut rest, R::Response::header_version(version)).ok()?;
    Some(format!("{:#?}", R::Response::decode(&mut rest, version).ok()?))
}

/// Notes whether an answer has errors, and encodes it.
fn finish<R: Errors + Reply>(cx: &RequestContext, reply: R) -> Answer<Body> {
    let error = reply.first_error();
    if error != 0 {
        cx.peer.seen.refused(error);
    }
    reply.into_body(cx.version())
}

macro_rules! apis {
    ($($module:ident $key:ident $min:literal ..= $max:literal: $request:ident => $reply:ty;)*) => {
        $(pub(crate) mod $module;)*

        /// Every API that is served, by key.
        pub(crate) static APIS: &[Api] = &[
            $(Api { key: ApiKey::$key, versions: VersionRange { min: $min, max: $max } },)*
        ];

        /// An answer of an API of the table, with its length in front, in words.
        pub(crate) fn describe_answer(key: ApiKey, version: i16, frame: &Bytes) -> Option<String> {
            match key {
                $(ApiKey::$key => describe::<kafka_protocol::messages::$request>(version, frame),)*
                _ => None,
            }
        }

        /// Decodes a request of an API of the table, has it handled, and encodes the answer.
        pub(crate) async fn call(key: ApiKey, cx: &RequestContext, body: Bytes) -> Answer<Body> {
            match key {
                // In a box, so that an idle connection does not hold room for what the largest API needs.
                $(ApiKey::$key => Box::pin(async move {
                    let mut request: kafka_protocol::messages::$request = decode(key, cx.version(), &body)?;
                    drop(body);
                    let mut splice = None;
                    if cx.verdict.is_some() {
                        match Box::pin(faults::begin(cx, key, &mut request)).await? {
                            Refused::Nothing => {}
                            Refused::Part(part) => splice = Some(part),
                            Refused::Whole(reply) => {
                                let reply: $reply = Box::pin(faults::end(cx, None, Ok(reply))).await?;
                                return finish(cx, reply);
                            }
                            Refused::Close(reason) => return Err(Refusal::Close(reason)),
                        }
                    }
                    let mut reply: Answer<$reply> = match cx.verdict() {
                        None => $module::handle(cx, request).await,
                        met => Box::pin(faults::disk::met_by(key, met, $module::handle(cx, request))).await,
                    };
                    if cx.verdict().is_some() {
                        reply = Box::pin(faults::end(cx, splice, reply)).await;
                    }
                    finish(cx, reply?)
                }).await,)*
                other => Err(Refusal::Close(format!("it asked for {other:?}, which is not served"))),
            }
        }
    };
}

apis! {
    produce Produce 3..=13: ProduceRequest => kafka_protocol::messages::ProduceResponse;
    fetch Fetch 4..=18: FetchRequest => crate::fetch::FetchAnswer;
    list_offsets ListOffsets 1..=10: ListOffsetsRequest => kafka_protocol::messages::ListOffsetsResponse;
    metadata Metadata 0..=13: MetadataRequest => kafka_protocol::messages::MetadataResponse;
    offset_commit OffsetCommit 2..=9: OffsetCommitRequest => kafka_protocol::messages::OffsetCommitResponse;
    offset_fetch OffsetFetch 1..=9: OffsetFetchRequest => kafka_protocol::messages::OffsetFetchResponse;
    find_coordinator FindCoordinator 0..=6: FindCoordinatorRequest => kafka_protocol::messages::FindCoordinatorResponse;
    join_group JoinGroup 0..=9: JoinGroupRequest => kafka_protocol::messages::JoinGroupResponse;
    heartbeat Heartbeat 0..=4: HeartbeatRequest => kafka_protocol::messages::HeartbeatResponse;
    leave_group LeaveGroup 0..=5: LeaveGroupRequest => kafka_protocol::messages::LeaveGroupResponse;
    sync_group SyncGroup 0..=5: SyncGroupRequest => kafka_protocol::messages::SyncGroupResponse;
    describe_groups DescribeGroups 0..=6: DescribeGroupsRequest => kafka_protocol::messages::DescribeGroupsResponse;
    list_groups ListGroups 0..=5: ListGroupsRequest => kafka_protocol::messages::ListGroupsResponse;
    api_versions ApiVersions 0..=4: ApiVersionsRequest => kafka_protocol::messages::ApiVersionsResponse;
    create_topics CreateTopics 2..=7: CreateTopicsRequest => kafka_protocol::messages::CreateTopicsResponse;
    delete_topics DeleteTopics 1..=6: DeleteTopicsRequest => kafka_protocol::messages::DeleteTopicsResponse;
    delete_records DeleteRecords 0..=2: DeleteRecordsRequest => kafka_protocol::messages::DeleteRecordsResponse;
    init_producer_id InitProducerId 0..=5: InitProducerIdRequest => kafka_protocol::messages::InitProducerIdResponse;
    offset_for_leader_epoch OffsetForLeaderEpoch 2..=4: OffsetForLeaderEpochRequest => kafka_protocol::messages::OffsetForLeaderEpochResponse;
    describe_configs DescribeConfigs 1..=4: DescribeConfigsRequest => kafka_protocol::messages::DescribeConfigsResponse;
    alter_configs AlterConfigs 0..=2: AlterConfigsRequest => kafka_protocol::messages::AlterConfigsResponse;
    describe_log_dirs DescribeLogDirs 1..=4: DescribeLogDirsRequest => kafka_protocol::messages::DescribeLogDirsResponse;
    create_partitions CreatePartitions 0..=3: CreatePartitionsRequest => kafka_protocol::messages::CreatePartitionsResponse;
    delete_groups DeleteGroups 0..=2: DeleteGroupsRequest => kafka_protocol::messages::DeleteGroupsResponse;
    elect_leaders ElectLeaders 0..=2: ElectLeadersRequest => kafka_protocol::messages::ElectLeadersResponse;
    incremental_alter_configs IncrementalAlterConfigs 0..=1: IncrementalAlterConfigsRequest => kafka_protocol::messages::IncrementalAlterConfigsResponse;
    list_partition_reassignments ListPartitionReassignments 0..=0: ListPartitionReassignmentsRequest => kafka_protocol::messages::ListPartitionReassignmentsResponse;
    offset_delete OffsetDelete 0..=0: OffsetDeleteRequest => kafka_protocol::messages::OffsetDeleteResponse;
    describe_cluster DescribeCluster 0..=2: DescribeClusterRequest => kafka_protocol::messages::DescribeClusterResponse;
    describe_producers DescribeProducers 0..=0: DescribeProducersRequest => kafka_protocol::messages::DescribeProducersResponse;
    list_config_resources ListConfigResources 0..=1: ListConfigResourcesRequest => kafka_protocol::messages::ListConfigResourcesResponse;
    describe_topic_partitions DescribeTopicPartitions 0..=0: DescribeTopicPartitionsRequest => kafka_protocol::messages::DescribeTopicPartitionsResponse;
}
