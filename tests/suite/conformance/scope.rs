//! Which APIs are compared: those that Klamm serves. Kafka serves more; what Klamm does not support it does not
//! advertise.

use super::tree::Tree;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Message;

/// The APIs that Klamm serves, and the newest version that the protocol crate knows of each.
macro_rules! served {
    ($($api:ident $request:ident,)+) => {
        const SERVED: &[(ApiKey, i16)] = &[$((ApiKey::$api, <$request as Message>::VERSIONS.max)),+];
    };
}

served! {
    Produce ProduceRequest,
    Fetch FetchRequest,
    ListOffsets ListOffsetsRequest,
    Metadata MetadataRequest,
    OffsetCommit OffsetCommitRequest,
    OffsetFetch OffsetFetchRequest,
    FindCoordinator FindCoordinatorRequest,
    JoinGroup JoinGroupRequest,
    Heartbeat HeartbeatRequest,
    LeaveGroup LeaveGroupRequest,
    SyncGroup SyncGroupRequest,
    DescribeGroups DescribeGroupsRequest,
    ListGroups ListGroupsRequest,
    ApiVersions ApiVersionsRequest,
    CreateTopics CreateTopicsRequest,
    DeleteTopics DeleteTopicsRequest,
    DeleteRecords DeleteRecordsRequest,
    InitProducerId InitProducerIdRequest,
    OffsetForLeaderEpoch OffsetForLeaderEpochRequest,
    DescribeConfigs DescribeConfigsRequest,
    AlterConfigs AlterConfigsRequest,
    DescribeLogDirs DescribeLogDirsRequest,
    CreatePartitions CreatePartitionsRequest,
    DeleteGroups DeleteGroupsRequest,
    ElectLeaders ElectLeadersRequest,
    IncrementalAlterConfigs IncrementalAlterConfigsRequest,
    ListPartitionReassignments ListPartitionReassignmentsRequest,
    OffsetDelete OffsetDeleteRequest,
    DescribeCluster DescribeClusterRequest,
    DescribeProducers DescribeProducersRequest,
    ListConfigResources ListConfigResourcesRequest,
    DescribeTopicPartitions DescribeTopicPartitionsRequest,
}

/// Whether an entry of an ApiVersions answer is compared. The highest version is cut to what the protocol crate
/// knows: Klamm cannot serve what it cannot decode.
pub(crate) fn in_scope(entry: &mut Tree) -> bool {
    let Some(Tree::Word(key)) = entry.field("api_key") else { return true };
    let Some(&(_, known)) = SERVED.iter().find(|(api, _)| (*api as i16).to_string() == *key) else {
        return false;
    };
    if let Tree::Struct(fields) = entry {
        for (name, value) in fields {
            if let (true, Tree::Word(max)) = (name == "max_version", &mut *value) {
                let version = max.parse::<i16>().unwrap_or(i16::MAX).min(known);
                *max = version.to_string();
            }
        }
    }
    true
}
