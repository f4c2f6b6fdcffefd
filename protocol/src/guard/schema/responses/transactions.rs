//! The responses of idempotent and transactional producers.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last. What the decoder reads as null
//! may be null in any version.

use super::super::{Message, array, int16, int32, int64, string};

pub(super) static INIT_PRODUCER_ID: Message = Message::new("InitProducerId", 0..=6, 2, &[
    int32("throttle_time_ms"),
    int16("error_code"),
    int64("producer_id"),
    int16("producer_epoch"),
    int64("ongoing_txn_producer_id").from(6),
    int16("ongoing_txn_producer_epoch").from(6),
]);

pub(super) static ADD_PARTITIONS_TO_TXN: Message = Message::new("AddPartitionsToTxn", 0..=5, 3, &[
    int32("throttle_time_ms"),
    int16("error_code").from(4),
    array("results_by_transaction", &[
        string("transactional_id"),
        array("topic_results", &[
            string("name"),
            array("results_by_partition", &[
                int32("partition_index"),
                int16("partition_error_code"),
            ]),
        ]),
    ]).from(4),
    array("results_by_topic_v3_and_below", &[
        string("name"),
        array("results_by_partition", &[
            int32("partition_index"),
            int16("partition_error_code"),
        ]),
    ]).until(3),
]);

pub(super) static ADD_OFFSETS_TO_TXN: Message = Message::new("AddOffsetsToTxn", 0..=4, 3, &[
    int32("throttle_time_ms"),
    int16("error_code"),
]);

pub(super) static END_TXN: Message = Message::new("EndTxn", 0..=5, 3, &[
    int32("throttle_time_ms"),
    int16("error_code"),
    int64("producer_id").from(5),
    int16("producer_epoch").from(5),
]);

pub(super) static TXN_OFFSET_COMMIT: Message = Message::new("TxnOffsetCommit", 0..=5, 3, &[
    int32("throttle_time_ms"),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int16("error_code"),
        ]),
    ]),
]);
