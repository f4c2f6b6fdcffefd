//! The requests of classic and consumer groups and their offsets.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last.

use super::{Message, NEVER, array, boolean, bytes, int8, int32, int32s, int64, string, strings, uuid};

pub(super) static OFFSET_COMMIT: Message = Message::new("OffsetCommit", 2..=9, 8, &[
    string("group_id"),
    int32("generation_id_or_member_epoch"),
    string("member_id"),
    string("group_instance_id").from(7).nullable(),
    int64("retention_time_ms").until(4),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int64("committed_offset"),
            int32("committed_leader_epoch").from(6),
            string("committed_metadata").nullable(),
        ]),
    ]),
]);

pub(super) static OFFSET_FETCH: Message = Message::new("OffsetFetch", 1..=9, 6, &[
    string("group_id").until(7),
    array("topics", &[
        string("name"),
        int32s("partition_indexes"),
    ]).until(7).nullable_from(2),
    array("groups", &[
        string("group_id"),
        string("member_id").from(9).nullable(),
        int32("member_epoch").from(9),
        array("topics", &[
            string("name"),
            int32s("partition_indexes"),
        ]).nullable(),
    ]).from(8),
    boolean("require_stable").from(7),
]);

pub(super) static FIND_COORDINATOR: Message = Message::new("FindCoordinator", 0..=6, 3, &[
    string("key").until(3),
    int8("key_type").from(1),
    strings("coordinator_keys").from(4),
]);

pub(super) static JOIN_GROUP: Message = Message::new("JoinGroup", 0..=9, 6, &[
    string("group_id"),
    int32("session_timeout_ms"),
    int32("rebalance_timeout_ms").from(1),
    string("member_id"),
    string("group_instance_id").from(5).nullable(),
    string("protocol_type"),
    array("protocols", &[
        string("name"),
        bytes("metadata"),
    ]),
    string("reason").from(8).nullable(),
]);

pub(super) static HEARTBEAT: Message = Message::new("Heartbeat", 0..=4, 4, &[
    string("group_id"),
    int32("generation_id"),
    string("member_id"),
    string("group_instance_id").from(3).nullable(),
]);

pub(super) static LEAVE_GROUP: Message = Message::new("LeaveGroup", 0..=5, 4, &[
    string("group_id"),
    string("member_id").until(2),
    array("members", &[
        string("member_id"),
        string("group_instance_id").nullable(),
        string("reason").from(5).nullable(),
    ]).from(3),
]);

pub(super) static SYNC_GROUP: Message = Message::new("SyncGroup", 0..=5, 4, &[
    string("group_id"),
    int32("generation_id"),
    string("member_id"),
    string("group_instance_id").from(3).nullable(),
    string("protocol_type").from(5).nullable(),
    string("protocol_name").from(5).nullable(),
    array("assignments", &[
        string("member_id"),
        bytes("assignment"),
    ]),
]);

pub(super) static DESCRIBE_GROUPS: Message = Message::new("DescribeGroups", 0..=6, 5, &[
    strings("groups"),
    boolean("include_authorized_operations").from(3),
]);

pub(super) static LIST_GROUPS: Message = Message::new("ListGroups", 0..=5, 3, &[
    strings("states_filter").from(4),
    strings("types_filter").from(5),
]);

pub(super) static DELETE_GROUPS: Message = Message::new("DeleteGroups", 0..=2, 2, &[
    strings("groups_names"),
]);

pub(super) static OFFSET_DELETE: Message = Message::new("OffsetDelete", 0..=0, NEVER, &[
    string("group_id"),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
        ]),
    ]),
]);

pub(super) static CONSUMER_GROUP_HEARTBEAT: Message = Message::new("ConsumerGroupHeartbeat", 0..=1, 0, &[
    string("group_id"),
    string("member_id"),
    int32("member_epoch"),
    string("instance_id").nullable(),
    string("rack_id").nullable(),
    int32("rebalance_timeout_ms"),
    strings("subscribed_topic_names").nullable(),
    string("subscribed_topic_regex").from(1).nullable(),
    string("server_assignor").nullable(),
    array("topic_partitions", &[
        uuid("topic_id"),
        int32s("partitions"),
    ]).nullable(),
]);

pub(super) static CONSUMER_GROUP_DESCRIBE: Message = Message::new("ConsumerGroupDescribe", 0..=1, 0, &[
    strings("group_ids"),
    boolean("include_authorized_operations"),
]);
