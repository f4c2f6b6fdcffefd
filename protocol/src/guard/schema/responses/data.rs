//! The responses that carry or locate records.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last. What the decoder reads as null
//! may be null in any version.

use super::super::{Message, array, int16, int32, int64, records, string, structure, uuid};

pub(super) static PRODUCE: Message = Message::new("Produce", 3..=13, 9, &[
    array("responses", &[
        string("name").until(12),
        uuid("topic_id").from(13),
        array("partition_responses", &[
            int32("index"),
            int16("error_code"),
            int64("base_offset"),
            int64("log_append_time_ms"),
            int64("log_start_offset").from(5),
            array("record_errors", &[
                int32("batch_index"),
                string("batch_index_error_message").nullable(),
            ]).from(8),
            string("error_message").from(8).nullable(),
            structure("current_leader", &[
                int32("leader_id"),
                int32("leader_epoch"),
            ]).from(10).tag(0),
        ]),
    ]),
    int32("throttle_time_ms"),
    array("node_endpoints", &[
        int32("node_id"),
        string("host"),
        int32("port"),
        string("rack").nullable(),
    ]).from(10).tag(0),
]);

pub(super) static FETCH: Message = Message::new("Fetch", 4..=18, 12, &[
    int32("throttle_time_ms"),
    int16("error_code").from(7),
    int32("session_id").from(7),
    array("responses", &[
        string("topic").until(12),
        uuid("topic_id").from(13),
        array("partitions", &[
            int32("partition_index"),
            int16("error_code"),
            int64("high_watermark"),
            int64("last_stable_offset"),
            int64("log_start_offset").from(5),
            array("aborted_transactions", &[
                int64("producer_id"),
                int64("first_offset"),
            ]).nullable(),
            int32("preferred_read_replica").from(11),
            records("records").nullable(),
            structure("diverging_epoch", &[
                int32("epoch"),
                int64("end_offset"),
            ]).tag(0),
            structure("current_leader", &[
                int32("leader_id"),
                int32("leader_epoch"),
            ]).tag(1),
            structure("snapshot_id", &[
                int64("end_offset"),
                int32("epoch"),
            ]).tag(2),
        ]),
    ]),
    array("node_endpoints", &[
        int32("node_id"),
        string("host"),
        int32("port"),
        string("rack").nullable(),
    ]).from(16).tag(0),
]);

pub(super) static LIST_OFFSETS: Message = Message::new("ListOffsets", 1..=10, 6, &[
    int32("throttle_time_ms").from(2),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int16("error_code"),
            int64("timestamp"),
            int64("offset"),
            int32("leader_epoch").from(4),
        ]),
    ]),
]);

pub(super) static DELETE_RECORDS: Message = Message::new("DeleteRecords", 0..=2, 2, &[
    int32("throttle_time_ms"),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int64("low_watermark"),
            int16("error_code"),
        ]),
    ]),
]);

pub(super) static OFFSET_FOR_LEADER_EPOCH: Message = Message::new("OffsetForLeaderEpoch", 2..=4, 4, &[
    int32("throttle_time_ms"),
    array("topics", &[
        string("topic"),
        array("partitions", &[
            int16("error_code"),
            int32("partition"),
            int32("leader_epoch"),
            int64("end_offset"),
        ]),
    ]),
]);

pub(super) static DESCRIBE_PRODUCERS: Message = Message::new("DescribeProducers", 0..=0, 0, &[
    int32("throttle_time_ms"),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int16("error_code"),
            string("error_message").nullable(),
            array("active_producers", &[
                int64("producer_id"),
                int32("producer_epoch"),
                int32("last_sequence"),
                int64("last_timestamp"),
                int32("coordinator_epoch"),
                int64("current_txn_start_offset"),
            ]),
        ]),
    ]),
]);
