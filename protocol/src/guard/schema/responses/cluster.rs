//! The responses about the cluster.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last. What the decoder reads as null
//! may be null in any version.

use super::super::{Message, array, boolean, int16, int32, int64, int8, string};

pub(super) static API_VERSIONS: Message = Message::new("ApiVersions", 0..=4, 3, &[
    int16("error_code"),
    array("api_keys", &[
        int16("api_key"),
        int16("min_version"),
        int16("max_version"),
    ]),
    int32("throttle_time_ms").from(1),
    array("supported_features", &[
        string("name"),
        int16("min_version"),
        int16("max_version"),
    ]).tag(0),
    int64("finalized_features_epoch").tag(1),
    array("finalized_features", &[
        string("name"),
        int16("max_version_level"),
        int16("min_version_level"),
    ]).tag(2),
    boolean("zk_migration_ready").tag(3),
]);

pub(super) static DESCRIBE_CLUSTER: Message = Message::new("DescribeCluster", 0..=2, 0, &[
    int32("throttle_time_ms"),
    int16("error_code"),
    string("error_message").nullable(),
    int8("endpoint_type").from(1),
    string("cluster_id"),
    int32("controller_id"),
    array("brokers", &[
        int32("broker_id"),
        string("host"),
        int32("port"),
        string("rack").nullable(),
        boolean("is_fenced").from(2),
    ]),
    int32("cluster_authorized_operations"),
]);

pub(super) static DESCRIBE_LOG_DIRS: Message = Message::new("DescribeLogDirs", 1..=4, 2, &[
    int32("throttle_time_ms"),
    int16("error_code").from(3),
    array("results", &[
        int16("error_code"),
        string("log_dir"),
        array("topics", &[
            string("name"),
            array("partitions", &[
                int32("partition_index"),
                int64("partition_size"),
                int64("offset_lag"),
                boolean("is_future_key"),
            ]),
        ]),
        int64("total_bytes").from(4),
        int64("usable_bytes").from(4),
    ]),
]);
