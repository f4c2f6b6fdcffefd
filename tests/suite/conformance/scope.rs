//! Which APIs are compared: those that Klamm serves. Kafka serves more; what Klamm does not support it does not
//! advertise.

use super::tree::Tree;
use kafka_protocol::messages::ApiKey;

/// The APIs that Klamm serves.
pub(crate) const SERVED: [ApiKey; 32] = [
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::InitProducerId,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::DescribeLogDirs,
    ApiKey::CreatePartitions,
    ApiKey::DeleteGroups,
    ApiKey::ElectLeaders,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::ListPartitionReassignments,
    ApiKey::OffsetDelete,
    ApiKey::DescribeCluster,
    ApiKey::DescribeProducers,
    ApiKey::ListConfigResources,
    ApiKey::DescribeTopicPartitions,
];

/// Whether an entry of an ApiVersions answer is compared. The highest version is cut to what the protocol crate
/// knows: Klamm cannot serve what it cannot decode.
pub(crate) fn in_scope(entry: &mut Tree) -> bool {
    let Some(Tree::Word(key)) = entry.field("api_key") else { return true };
    let Some(api) = SERVED.iter().find(|api| (**api as i16).to_string() == *key) else { return false };
    let known = api.valid_versions().max;
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
