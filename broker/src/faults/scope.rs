//! What the requests of an API name, and so what a rule for them can be about.

use kafka_protocol::messages::ApiKey;

/// What requests of an API name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) topics: bool,
    pub(super) partitions: bool,
    pub(super) groups: bool,
}

const fn scope(topics: bool, partitions: bool, groups: bool) -> Scope {
    Scope { topics, partitions, groups }
}

impl Scope {
    /// What requests of `key` name.
    pub(super) fn of(key: ApiKey) -> Scope {
        match key {
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
        }
    }
}
