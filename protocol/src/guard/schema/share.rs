//! The requests of share groups and of the state of their partitions.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last.

use super::{Message, array, boolean, int8, int8s, int16, int32, int32s, int64, string, strings, uuid};

pub(super) static SHARE_GROUP_HEARTBEAT: Message = Message::new("ShareGroupHeartbeat", 1..=1, 0, &[
    string("group_id"),
    string("member_id"),
    int32("member_epoch"),
    string("rack_id").nullable(),
    strings("subscribed_topic_names").nullable(),
]);

pub(super) static SHARE_GROUP_DESCRIBE: Message = Message::new("ShareGroupDescribe", 1..=1, 0, &[
    strings("group_ids"),
    boolean("include_authorized_operations"),
]);

pub(super) static SHARE_FETCH: Message = Message::new("ShareFetch", 1..=1, 0, &[
    string("group_id").nullable(),
    string("member_id").nullable(),
    int32("share_session_epoch"),
    int32("max_wait_ms"),
    int32("min_bytes"),
    int32("max_bytes"),
    int32("max_records"),
    int32("batch_size"),
    array("topics", &[
        uuid("topic_id"),
        array("partitions", &[
            int32("partition_index"),
            array("acknowledgement_batches", &[
                int64("first_offset"),
                int64("last_offset"),
                int8s("acknowledge_types"),
            ]),
        ]),
    ]),
    array("forgotten_topics_data", &[
        uuid("topic_id"),
        int32s("partitions"),
    ]),
]);

pub(super) static SHARE_ACKNOWLEDGE: Message = Message::new("ShareAcknowledge", 1..=1, 0, &[
    string("group_id").nullable(),
    string("member_id").nullable(),
    int32("share_session_epoch"),
    array("topics", &[
        uuid("topic_id"),
        array("partitions", &[
            int32("partition_index"),
            array("acknowledgement_batches", &[
                int64("first_offset"),
                int64("last_offset"),
                int8s("acknowledge_types"),
            ]),
        ]),
    ]),
]);

pub(super) static INITIALIZE_SHARE_GROUP_STATE: Message = Message::new("InitializeShareGroupState", 0..=0, 0, &[
    string("group_id"),
    array("topics", &[
        uuid("topic_id"),
        array("partitions", &[
            int32("partition"),
            int32("state_epoch"),
            int64("start_offset"),
        ]),
    ]),
]);

pub(super) static READ_SHARE_GROUP_STATE: Message = Message::new("ReadShareGroupState", 0..=0, 0, &[
    string("group_id"),
    array("topics", &[
        uuid("topic_id"),
        array("partitions", &[
            int32("partition"),
            int32("leader_epoch"),
        ]),
    ]),
]);

pub(super) static WRITE_SHARE_GROUP_STATE: Message = Message::new("WriteShareGroupState", 0..=0, 0, &[
    string("group_id"),
    array("topics", &[
        uuid("topic_id"),
        array("partitions", &[
            int32("partition"),
            int32("state_epoch"),
            int32("leader_epoch"),
            int64("start_offset"),
            array("state_batches", &[
                int64("first_offset"),
                int64("last_offset"),
                int8("delivery_state"),
                int16("delivery_count"),
            ]),
        ]),
    ]),
]);

pub(super) static DELETE_SHARE_GROUP_STATE: Message = Message::new("DeleteShareGroupState", 0..=0, 0, &[
    string("group_id"),
    array("topics", &[
        uuid("topic_id"),
        array("partitions", &[
            int32("partition"),
        ]),
    ]),
]);

pub(super) static READ_SHARE_GROUP_STATE_SUMMARY: Message = Message::new("ReadShareGroupStateSummary", 0..=0, 0, &[
    string("group_id"),
    array("topics", &[
        uuid("topic_id"),
        array("partitions", &[
            int32("partition"),
            int32("leader_epoch"),
        ]),
    ]),
]);

pub(super) static DESCRIBE_SHARE_GROUP_OFFSETS: Message = Message::new("DescribeShareGroupOffsets", 0..=0, 0, &[
    array("groups", &[
        string("group_id"),
        array("topics", &[
            string("topic_name"),
            int32s("partitions"),
        ]).nullable(),
    ]),
]);

pub(super) static ALTER_SHARE_GROUP_OFFSETS: Message = Message::new("AlterShareGroupOffsets", 0..=0, 0, &[
    string("group_id"),
    array("topics", &[
        string("topic_name"),
        array("partitions", &[
            int32("partition_index"),
            int64("start_offset"),
        ]),
    ]),
]);

pub(super) static DELETE_SHARE_GROUP_OFFSETS: Message = Message::new("DeleteShareGroupOffsets", 0..=0, 0, &[
    string("group_id"),
    array("topics", &[
        string("topic_name"),
    ]),
]);
