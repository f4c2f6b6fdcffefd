//! The responses of classic and consumer groups and their offsets.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last. What the decoder reads as null
//! may be null in any version.

use super::super::{Message, NEVER, array, boolean, bytes, int16, int32, int32s, int64, int8, string, strings, structure, uuid};

pub(super) static OFFSET_COMMIT: Message = Message::new("OffsetCommit", 2..=10, 8, &[
    int32("throttle_time_ms").from(3),
    array("topics", &[
        string("name").until(9),
        uuid("topic_id").from(10),
        array("partitions", &[
            int32("partition_index"),
            int16("error_code"),
        ]),
    ]),
]);

pub(super) static OFFSET_FETCH: Message = Message::new("OffsetFetch", 1..=10, 6, &[
    int32("throttle_time_ms").from(3),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int64("committed_offset"),
            int32("committed_leader_epoch").from(5),
            string("metadata").nullable(),
            int16("error_code"),
        ]),
    ]).until(7),
    int16("error_code").from(2).until(7),
    array("groups", &[
        string("group_id"),
        array("topics", &[
            string("name").until(9),
            uuid("topic_id").from(10),
            array("partitions", &[
                int32("partition_index"),
                int64("committed_offset"),
                int32("committed_leader_epoch"),
                string("metadata").nullable(),
                int16("error_code"),
            ]),
        ]),
        int16("error_code"),
    ]).from(8),
]);

pub(super) static FIND_COORDINATOR: Message = Message::new("FindCoordinator", 0..=6, 3, &[
    int32("throttle_time_ms").from(1),
    int16("error_code").until(3),
    string("error_message").from(1).until(3).nullable(),
    int32("node_id").until(3),
    string("host").until(3),
    int32("port").until(3),
    array("coordinators", &[
        string("key"),
        int32("node_id"),
        string("host"),
        int32("port"),
        int16("error_code"),
        string("error_message").nullable(),
    ]).from(4),
]);

pub(super) static JOIN_GROUP: Message = Message::new("JoinGroup", 0..=9, 6, &[
    int32("throttle_time_ms").from(2),
    int16("error_code"),
    int32("generation_id"),
    string("protocol_type").from(7).nullable(),
    string("protocol_name").nullable(),
    string("leader"),
    boolean("skip_assignment").from(9),
    string("member_id"),
    array("members", &[
        string("member_id"),
        string("group_instance_id").from(5).nullable(),
        bytes("metadata"),
    ]),
]);

pub(super) static HEARTBEAT: Message = Message::new("Heartbeat", 0..=4, 4, &[
    int32("throttle_time_ms").from(1),
    int16("error_code"),
]);

pub(super) static LEAVE_GROUP: Message = Message::new("LeaveGroup", 0..=5, 4, &[
    int32("throttle_time_ms").from(1),
    int16("error_code"),
    array("members", &[
        string("member_id"),
        string("group_instance_id").nullable(),
        int16("error_code"),
    ]).from(3),
]);

pub(super) static SYNC_GROUP: Message = Message::new("SyncGroup", 0..=5, 4, &[
    int32("throttle_time_ms").from(1),
    int16("error_code"),
    string("protocol_type").from(5).nullable(),
    string("protocol_name").from(5).nullable(),
    bytes("assignment"),
]);

pub(super) static DESCRIBE_GROUPS: Message = Message::new("DescribeGroups", 0..=6, 5, &[
    int32("throttle_time_ms").from(1),
    array("groups", &[
        int16("error_code"),
        string("error_message").from(6).nullable(),
        string("group_id"),
        string("group_state"),
        string("protocol_type"),
        string("protocol_data"),
        array("members", &[
            string("member_id"),
            string("group_instance_id").from(4).nullable(),
            string("client_id"),
            string("client_host"),
            bytes("member_metadata"),
            bytes("member_assignment"),
        ]),
        int32("authorized_operations").from(3),
    ]),
]);

pub(super) static LIST_GROUPS: Message = Message::new("ListGroups", 0..=5, 3, &[
    int32("throttle_time_ms").from(1),
    int16("error_code"),
    array("groups", &[
        string("group_id"),
        string("protocol_type"),
        string("group_state").from(4),
        string("group_type").from(5),
    ]),
]);

pub(super) static DELETE_GROUPS: Message = Message::new("DeleteGroups", 0..=2, 2, &[
    int32("throttle_time_ms"),
    array("results", &[
        string("group_id"),
        int16("error_code"),
    ]),
]);

pub(super) static OFFSET_DELETE: Message = Message::new("OffsetDelete", 0..=0, NEVER, &[
    int16("error_code"),
    int32("throttle_time_ms"),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int16("error_code"),
        ]),
    ]),
]);

pub(super) static CONSUMER_GROUP_HEARTBEAT: Message = Message::new("ConsumerGroupHeartbeat", 0..=1, 0, &[
    int32("throttle_time_ms"),
    int16("error_code"),
    string("error_message").nullable(),
    string("member_id").nullable(),
    int32("member_epoch"),
    int32("heartbeat_interval_ms"),
    structure("assignment", &[
        array("topic_partitions", &[
            uuid("topic_id"),
            int32s("partitions"),
        ]),
    ]).nullable(),
]);

pub(super) static CONSUMER_GROUP_DESCRIBE: Message = Message::new("ConsumerGroupDescribe", 0..=1, 0, &[
    int32("throttle_time_ms"),
    array("groups", &[
        int16("error_code"),
        string("error_message").nullable(),
        string("group_id"),
        string("group_state"),
        int32("group_epoch"),
        int32("assignment_epoch"),
        string("assignor_name"),
        array("members", &[
            string("member_id"),
            string("instance_id").nullable(),
            string("rack_id").nullable(),
            int32("member_epoch"),
            string("client_id"),
            string("client_host"),
            strings("subscribed_topic_names"),
            string("subscribed_topic_regex").nullable(),
            structure("assignment", &[
                array("topic_partitions", &[
                    uuid("topic_id"),
                    string("topic_name"),
                    int32s("partitions"),
                ]),
            ]),
            structure("target_assignment", &[
                array("topic_partitions", &[
                    uuid("topic_id"),
                    string("topic_name"),
                    int32s("partitions"),
                ]),
            ]),
            int8("member_type").from(1),
        ]),
        int32("authorized_operations"),
    ]),
]);
