//! The requests that carry or locate records.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last.

use super::{Message, array, int8, int16, int32, int32s, int64, records, string, structure, uuid};

pub(super) static PRODUCE: Message = Message::new("Produce", 3..=13, 9, &[
    string("transactional_id").nullable(),
    int16("acks"),
    int32("timeout_ms"),
    array("topic_data", &[
        string("name").until(12),
        uuid("topic_id").from(13),
        array("partition_data", &[
            int32("index"),
            records("records").nullable(),
        ]),
    ]),
]);

pub(super) static FETCH: Message = Message::new("Fetch", 4..=18, 12, &[
    int32("replica_id").until(14),
    int32("max_wait_ms"),
    int32("min_bytes"),
    int32("max_bytes"),
    int8("isolation_level"),
    int32("session_id").from(7),
    int32("session_epoch").from(7),
    array("topics", &[
        string("topic").until(12),
        uuid("topic_id").from(13),
        array("partitions", &[
            int32("partition"),
            int32("current_leader_epoch").from(9),
            int64("fetch_offset"),
            int32("last_fetched_epoch").from(12),
            int64("log_start_offset").from(5),
            int32("partition_max_bytes"),
            uuid("replica_directory_id").from(17).tag(0),
            int64("high_watermark").from(18).tag(1),
        ]),
    ]),
    array("forgotten_topics_data", &[
        string("topic").until(12),
        uuid("topic_id").from(13),
        int32s("partitions"),
    ]).from(7),
    string("rack_id").from(11),
    string("cluster_id").from(12).nullable().tag(0),
    structure("replica_state", &[
        int32("replica_id"),
        int64("replica_epoch"),
    ]).from(15).tag(1),
]);

pub(super) static LIST_OFFSETS: Message = Message::new("ListOffsets", 1..=10, 6, &[
    int32("replica_id"),
    int8("isolation_level").from(2),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int32("current_leader_epoch").from(4),
            int64("timestamp"),
        ]),
    ]),
    int32("timeout_ms").from(10),
]);

pub(super) static DELETE_RECORDS: Message = Message::new("DeleteRecords", 0..=2, 2, &[
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int64("offset"),
        ]),
    ]),
    int32("timeout_ms"),
]);

pub(super) static OFFSET_FOR_LEADER_EPOCH: Message = Message::new("OffsetForLeaderEpoch", 2..=4, 4, &[
    int32("replica_id").from(3),
    array("topics", &[
        string("topic"),
        array("partitions", &[
            int32("partition"),
            int32("current_leader_epoch"),
            int32("leader_epoch"),
        ]),
    ]),
]);

pub(super) static DESCRIBE_PRODUCERS: Message = Message::new("DescribeProducers", 0..=0, 0, &[
    array("topics", &[
        string("name"),
        int32s("partition_indexes"),
    ]),
]);
