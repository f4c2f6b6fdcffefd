//! The responses about topics and configs.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last. What the decoder reads as null
//! may be null in any version.

use super::super::{Message, array, boolean, int16, int32, int32s, int8, string, structure, uuid};

pub(super) static METADATA: Message = Message::new("Metadata", 0..=13, 9, &[
    int32("throttle_time_ms").from(3),
    array("brokers", &[
        int32("node_id"),
        string("host"),
        int32("port"),
        string("rack").from(1).nullable(),
    ]),
    string("cluster_id").from(2).nullable(),
    int32("controller_id").from(1),
    array("topics", &[
        int16("error_code"),
        string("name").nullable(),
        uuid("topic_id").from(10),
        boolean("is_internal").from(1),
        array("partitions", &[
            int16("error_code"),
            int32("partition_index"),
            int32("leader_id"),
            int32("leader_epoch").from(7),
            int32s("replica_nodes"),
            int32s("isr_nodes"),
            int32s("offline_replicas").from(5),
        ]),
        int32("topic_authorized_operations").from(8),
    ]),
    int32("cluster_authorized_operations").from(8).until(10),
    int16("error_code").from(13),
]);

pub(super) static CREATE_TOPICS: Message = Message::new("CreateTopics", 2..=7, 5, &[
    int32("throttle_time_ms"),
    array("topics", &[
        string("name"),
        uuid("topic_id").from(7),
        int16("error_code"),
        string("error_message").nullable(),
        int32("num_partitions").from(5),
        int16("replication_factor").from(5),
        array("configs", &[
            string("name"),
            string("value").nullable(),
            boolean("read_only"),
            int8("config_source"),
            boolean("is_sensitive"),
        ]).from(5).nullable(),
        int16("topic_config_error_code").tag(0),
    ]),
]);

pub(super) static DELETE_TOPICS: Message = Message::new("DeleteTopics", 1..=6, 4, &[
    int32("throttle_time_ms"),
    array("responses", &[
        string("name").nullable(),
        uuid("topic_id").from(6),
        int16("error_code"),
        string("error_message").from(5).nullable(),
    ]),
]);

pub(super) static CREATE_PARTITIONS: Message = Message::new("CreatePartitions", 0..=3, 2, &[
    int32("throttle_time_ms"),
    array("results", &[
        string("name"),
        int16("error_code"),
        string("error_message").nullable(),
    ]),
]);

pub(super) static DESCRIBE_CONFIGS: Message = Message::new("DescribeConfigs", 1..=4, 4, &[
    int32("throttle_time_ms"),
    array("results", &[
        int16("error_code"),
        string("error_message").nullable(),
        int8("resource_type"),
        string("resource_name"),
        array("configs", &[
            string("name"),
            string("value").nullable(),
            boolean("read_only"),
            int8("config_source"),
            boolean("is_sensitive"),
            array("synonyms", &[
                string("name"),
                string("value").nullable(),
                int8("source"),
            ]),
            int8("config_type").from(3),
            string("documentation").from(3).nullable(),
        ]),
    ]),
]);

pub(super) static ALTER_CONFIGS: Message = Message::new("AlterConfigs", 0..=2, 2, &[
    int32("throttle_time_ms"),
    array("responses", &[
        int16("error_code"),
        string("error_message").nullable(),
        int8("resource_type"),
        string("resource_name"),
    ]),
]);

pub(super) static INCREMENTAL_ALTER_CONFIGS: Message = Message::new("IncrementalAlterConfigs", 0..=1, 1, &[
    int32("throttle_time_ms"),
    array("responses", &[
        int16("error_code"),
        string("error_message").nullable(),
        int8("resource_type"),
        string("resource_name"),
    ]),
]);

pub(super) static ELECT_LEADERS: Message = Message::new("ElectLeaders", 0..=2, 2, &[
    int32("throttle_time_ms"),
    int16("error_code").from(1),
    array("replica_election_results", &[
        string("topic"),
        array("partition_result", &[
            int32("partition_id"),
            int16("error_code"),
            string("error_message").nullable(),
        ]),
    ]),
]);

pub(super) static LIST_PARTITION_REASSIGNMENTS: Message = Message::new("ListPartitionReassignments", 0..=0, 0, &[
    int32("throttle_time_ms"),
    int16("error_code"),
    string("error_message").nullable(),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int32s("replicas"),
            int32s("adding_replicas"),
            int32s("removing_replicas"),
        ]),
    ]),
]);

pub(super) static LIST_CONFIG_RESOURCES: Message = Message::new("ListConfigResources", 0..=1, 0, &[
    int32("throttle_time_ms"),
    int16("error_code"),
    array("config_resources", &[
        string("resource_name"),
        int8("resource_type").from(1),
    ]),
]);

pub(super) static DESCRIBE_TOPIC_PARTITIONS: Message = Message::new("DescribeTopicPartitions", 0..=0, 0, &[
    int32("throttle_time_ms"),
    array("topics", &[
        int16("error_code"),
        string("name").nullable(),
        uuid("topic_id"),
        boolean("is_internal"),
        array("partitions", &[
            int16("error_code"),
            int32("partition_index"),
            int32("leader_id"),
            int32("leader_epoch"),
            int32s("replica_nodes"),
            int32s("isr_nodes"),
            int32s("eligible_leader_replicas").nullable(),
            int32s("last_known_elr").nullable(),
            int32s("offline_replicas"),
        ]),
        int32("topic_authorized_operations"),
    ]),
    structure("next_cursor", &[
        string("topic_name"),
        int32("partition_index"),
    ]).nullable(),
]);
