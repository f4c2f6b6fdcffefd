//! The requests of producer ids and transactions.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last.

use super::{Message, array, boolean, int16, int32, int32s, int64, int64s, string, strings};

pub(super) static INIT_PRODUCER_ID: Message = Message::new("InitProducerId", 0..=5, 2, &[
    string("transactional_id").nullable(),
    int32("transaction_timeout_ms"),
    int64("producer_id").from(3),
    int16("producer_epoch").from(3),
]);

pub(super) static ADD_PARTITIONS_TO_TXN: Message = Message::new("AddPartitionsToTxn", 0..=5, 3, &[
    array("transactions", &[
        string("transactional_id"),
        int64("producer_id"),
        int16("producer_epoch"),
        boolean("verify_only"),
        array("topics", &[
            string("name"),
            int32s("partitions"),
        ]),
    ]).from(4),
    string("v3_and_below_transactional_id").until(3),
    int64("v3_and_below_producer_id").until(3),
    int16("v3_and_below_producer_epoch").until(3),
    array("v3_and_below_topics", &[
        string("name"),
        int32s("partitions"),
    ]).until(3),
]);

pub(super) static ADD_OFFSETS_TO_TXN: Message = Message::new("AddOffsetsToTxn", 0..=4, 3, &[
    string("transactional_id"),
    int64("producer_id"),
    int16("producer_epoch"),
    string("group_id"),
]);

pub(super) static END_TXN: Message = Message::new("EndTxn", 0..=5, 3, &[
    string("transactional_id"),
    int64("producer_id"),
    int16("producer_epoch"),
    boolean("committed"),
]);

pub(super) static WRITE_TXN_MARKERS: Message = Message::new("WriteTxnMarkers", 1..=1, 1, &[
    array("markers", &[
        int64("producer_id"),
        int16("producer_epoch"),
        boolean("transaction_result"),
        array("topics", &[
            string("name"),
            int32s("partition_indexes"),
        ]),
        int32("coordinator_epoch"),
    ]),
]);

pub(super) static TXN_OFFSET_COMMIT: Message = Message::new("TxnOffsetCommit", 0..=5, 3, &[
    string("transactional_id"),
    string("group_id"),
    int64("producer_id"),
    int16("producer_epoch"),
    int32("generation_id").from(3),
    string("member_id").from(3),
    string("group_instance_id").from(3).nullable(),
    array("topics", &[
        string("name"),
        array("partitions", &[
            int32("partition_index"),
            int64("committed_offset"),
            int32("committed_leader_epoch").from(2),
            string("committed_metadata").nullable(),
        ]),
    ]),
]);

pub(super) static DESCRIBE_TRANSACTIONS: Message = Message::new("DescribeTransactions", 0..=0, 0, &[
    strings("transactional_ids"),
]);

pub(super) static LIST_TRANSACTIONS: Message = Message::new("ListTransactions", 0..=2, 0, &[
    strings("state_filters"),
    int64s("producer_id_filters"),
    int64("duration_filter").from(1),
    string("transactional_id_pattern").from(2).nullable(),
]);
