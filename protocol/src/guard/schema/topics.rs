//! The requests about topics, their partitions and configs.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last.

use super::{Message, array, boolean, int8, int8s, int16, int32, int32s, string, strings, structure, uuid};

pub(super) static METADATA: Message = Message::new("Metadata", 0..=13, 9, &[
    array("topics", &[
        uuid("topic_id").from(10),
        string("name").nullable_from(10),
    ]).nullable_from(1),
    boolean("allow_auto_topic_creation").from(4),
    boolean("include_cluster_authorized_operations").from(8).until(10),
    boolean("include_topic_authorized_operations").from(8),
]);

pub(super) static CREATE_TOPICS: Message = Message::new("CreateTopics", 2..=7, 5, &[
    array("topics", &[
        string("name"),
        int32("num_partitions"),
        int16("replication_factor"),
        array("assignments", &[
            int32("partition_index"),
            int32s("broker_ids"),
        ]),
        array("configs", &[
            string("name"),
            string("value").nullable(),
        ]),
    ]),
    int32("timeout_ms"),
    boolean("validate_only"),
]);

pub(super) static DELETE_TOPICS: Message = Message::new("DeleteTopics", 1..=6, 4, &[
    array("topics", &[
        string("name").nullable(),
        uuid("topic_id"),
    ]).from(6),
    strings("topic_names").until(5),
    int32("timeout_ms"),
]);

pub(super) static DESCRIBE_CONFIGS: Message = Message::new("DescribeConfigs", 1..=4, 4, &[
    array("resources", &[
        int8("resource_type"),
        string("resource_name"),
        strings("configuration_keys").nullable(),
    ]),
    boolean("include_synonyms"),
    boolean("include_documentation").from(3),
]);

pub(super) static ALTER_CONFIGS: Message = Message::new("AlterConfigs", 0..=2, 2, &[
    array("resources", &[
        int8("resource_type"),
        string("resource_name"),
        array("configs", &[
            string("name"),
            string("value").nullable(),
        ]),
    ]),
    boolean("validate_only"),
]);

pub(super) static CREATE_PARTITIONS: Message = Message::new("CreatePartitions", 0..=3, 2, &[
    array("topics", &[
        string("name"),
        int32("count"),
        array("assignments", &[
            int32s("broker_ids"),
        ]).nullable(),
    ]),
    int32("timeout_ms"),
    boolean("validate_only"),
]);

pub(super) static ELECT_LEADERS: Message = Message::new("ElectLeaders", 0..=2, 2, &[
    int8("election_type").from(1),
    array("topic_partitions", &[
        string("topic"),
        int32s("partitions"),
    ]).nullable(),
    int32("timeout_ms"),
]);

pub(super) static INCREMENTAL_ALTER_CONFIGS: Message = Message::new("IncrementalAlterConfigs", 0..=1, 1, &[
    array("resources", &[
        int8("resource_type"),
        string("resource_name"),
        array("configs", &[
            string("name"),
            int8("config_operation"),
            string("value").nullable(),
        ]),
    ]),
    boolean("validate_only"),
]);

pub(super) static ALTER_PARTITION_REASSIGNMENTS: Message = Message::new("AlterPartitionReassignments", 0..=1, 0, &[
    int32("timeout_ms"),
    boolean("allow_replication_factor_change").from(1),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int32s("replicas").nullable(),
        ]),
    ]),
]);

pub(super) static LIST_PARTITION_REASSIGNMENTS: Message = Message::new("ListPartitionReassignments", 0..=0, 0, &[
    int32("timeout_ms"),
    array("topics", &[
        string("name"),
        int32s("partition_indexes"),
    ]).nullable(),
]);

pub(super) static LIST_CONFIG_RESOURCES: Message = Message::new("ListConfigResources", 0..=1, 0, &[
    int8s("resource_types").from(1),
]);

pub(super) static DESCRIBE_TOPIC_PARTITIONS: Message = Message::new("DescribeTopicPartitions", 0..=0, 0, &[
    array("topics", &[
        string("name"),
    ]),
    int32("response_partition_limit"),
    structure("cursor", &[
        string("topic_name"),
        int32("partition_index"),
    ]).nullable(),
]);
