//! What the requests of an API name, and so what a rule for them can be about; and whether they write.

use kafka_protocol::messages::ApiKey;

/// What requests of an API name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) topics: bool,
    pub(super) partitions: bool,
    pub(super) groups: bool,
    /// Whether they append anything, and so can meet trouble with the disk.
    pub(super) writes: bool,
}

const fn scope(topics: bool, partitions: bool, groups: bool) -> Scope {
    Scope { topics, partitions, groups, writes: false }
}

/// The APIs that append: records, or what the broker has to remember. Metadata and FindCoordinator create topics on the way.
pub(super) const WRITERS: [ApiKey; 15] = [
    ApiKey::Produce,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::InitProducerId,
    ApiKey::AlterConfigs,
    ApiKey::CreatePartitions,
    ApiKey::DeleteGroups,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::OffsetDelete,
];

impl Scope {
    /// What requests of `key` name, and whether they write.
    pub(super) fn of(key: ApiKey) -> Scope {
        let writes = WRITERS.contains(&key);
        let named = match key {
            ApiKey::OffsetCommit | ApiKey::OffsetFetch | ApiKey::OffsetDelete => scope(true, true, true),
            ApiKey::Produce
            | ApiKey::Fetch
            | ApiKey::ListOffsets
            | ApiKey::Metadata
            | ApiKey::DeleteRecords
            | ApiKey::OffsetForLeaderEpoch
            | ApiKey::DescribeLogDirs
            | ApiKey::DescribeProducers
            | ApiKey::DescribeTopicPartitions
            | ApiKey::ElectLeaders
            | ApiKey::ListPartitionReassignments => scope(true, true, false),
            ApiKey::CreateTopics
            | ApiKey::DeleteTopics
            | ApiKey::CreatePartitions
            | ApiKey::DescribeConfigs
            | ApiKey::AlterConfigs
            | ApiKey::IncrementalAlterConfigs => scope(true, false, false),
            ApiKey::FindCoordinator
            | ApiKey::JoinGroup
            | ApiKey::SyncGroup
            | ApiKey::Heartbeat
            | ApiKey::LeaveGroup
            | ApiKey::DescribeGroups
            | ApiKey::DeleteGroups => scope(false, false, true),
            _ => scope(false, false, false),
        };
        Scope { writes, ..named }
    }
}
