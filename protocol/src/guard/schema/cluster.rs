//! The requests about the cluster, its brokers, log folders, features, quorum and telemetry.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last.

use super::{Message, array, boolean, bytes, int8, int16, int32, int32s, string, uint16, uuid};

pub(super) static API_VERSIONS: Message = Message::new("ApiVersions", 0..=4, 3, &[
    string("client_software_name").from(3),
    string("client_software_version").from(3),
]);

pub(super) static ALTER_REPLICA_LOG_DIRS: Message = Message::new("AlterReplicaLogDirs", 1..=2, 2, &[
    array("dirs", &[
        string("path"),
        array("topics", &[
            string("name"),
            int32s("partitions"),
        ]),
    ]),
]);

pub(super) static DESCRIBE_LOG_DIRS: Message = Message::new("DescribeLogDirs", 1..=4, 2, &[
    array("topics", &[
        string("topic"),
        int32s("partitions"),
    ]).nullable(),
]);

pub(super) static DESCRIBE_QUORUM: Message = Message::new("DescribeQuorum", 0..=2, 0, &[
    array("topics", &[
        string("topic_name"),
        array("partitions", &[
            int32("partition_index"),
        ]),
    ]),
]);

pub(super) static UPDATE_FEATURES: Message = Message::new("UpdateFeatures", 0..=2, 0, &[
    int32("timeout_ms"),
    array("feature_updates", &[
        string("feature"),
        int16("max_version_level"),
        boolean("allow_downgrade").until(0),
        int8("upgrade_type").from(1),
    ]),
    boolean("validate_only").from(1),
]);

pub(super) static DESCRIBE_CLUSTER: Message = Message::new("DescribeCluster", 0..=2, 0, &[
    boolean("include_cluster_authorized_operations"),
    int8("endpoint_type").from(1),
    boolean("include_fenced_brokers").from(2),
]);

pub(super) static UNREGISTER_BROKER: Message = Message::new("UnregisterBroker", 0..=0, 0, &[
    int32("broker_id"),
]);

pub(super) static GET_TELEMETRY_SUBSCRIPTIONS: Message = Message::new("GetTelemetrySubscriptions", 0..=0, 0, &[
    uuid("client_instance_id"),
]);

pub(super) static PUSH_TELEMETRY: Message = Message::new("PushTelemetry", 0..=0, 0, &[
    uuid("client_instance_id"),
    int32("subscription_id"),
    boolean("terminating"),
    int8("compression_type"),
    bytes("metrics"),
]);

pub(super) static ADD_RAFT_VOTER: Message = Message::new("AddRaftVoter", 0..=0, 0, &[
    string("cluster_id").nullable(),
    int32("timeout_ms"),
    int32("voter_id"),
    uuid("voter_directory_id"),
    array("listeners", &[
        string("name"),
        string("host"),
        uint16("port"),
    ]),
]);

pub(super) static REMOVE_RAFT_VOTER: Message = Message::new("RemoveRaftVoter", 0..=0, 0, &[
    string("cluster_id").nullable(),
    int32("voter_id"),
    uuid("voter_directory_id"),
]);
