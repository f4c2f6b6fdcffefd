//! How much groups may hold. Each bound says which error a client gets at it.

/// Groups that a broker holds. Where there are as many, the JoinGroup or OffsetCommit that would make one more gets
/// GROUP_MAX_SIZE_REACHED (81): unlike a coordinator that is not available, it is not tried again for ever.
pub(crate) const MAX_GROUPS: usize = 100_000;

/// Members of a group, those included that were only given an id, where `group.max.size` sets no less. One more gets
/// GROUP_MAX_SIZE_REACHED (81).
pub(crate) const MAX_MEMBERS_PER_GROUP: usize = 10_000;

/// Bytes of protocol names and metadata that the members of a group hold together. A join beyond gets
/// GROUP_MAX_SIZE_REACHED (81). What is to be remembered has to fit into one batch besides, as with Kafka, or the
/// leader's SyncGroup fails.
pub(crate) const MAX_PROTOCOL_BYTES_PER_GROUP: usize = 16 * 1024 * 1024;

/// Partitions for which a group holds committed offsets. A commit that would add one more gets
/// INVALID_COMMIT_OFFSET_SIZE (28) for that partition.
pub(crate) const MAX_OFFSETS_PER_GROUP: usize = 200_000;

/// A new member that waits in its first join cannot send heartbeats: it is given up after this time, which is
/// Kafka's.
pub(crate) const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 5 * 60 * 1000;
