//! The shape of every response that the client decodes, as data. Written as those of the requests are.

// One field a line, nested as on the wire: laid out by hand.
#[rustfmt::skip]
mod cluster;
#[rustfmt::skip]
mod data;
#[rustfmt::skip]
mod groups;
#[rustfmt::skip]
mod security;
#[rustfmt::skip]
mod topics;
#[rustfmt::skip]
mod transactions;

use super::Message;

/// The response of an API that the client calls.
pub(crate) fn response(api_key: i16) -> Option<&'static Message> {
    Some(match api_key {
        0 => &data::PRODUCE,
        1 => &data::FETCH,
        2 => &data::LIST_OFFSETS,
        3 => &topics::METADATA,
        8 => &groups::OFFSET_COMMIT,
        9 => &groups::OFFSET_FETCH,
        10 => &groups::FIND_COORDINATOR,
        11 => &groups::JOIN_GROUP,
        12 => &groups::HEARTBEAT,
        13 => &groups::LEAVE_GROUP,
        14 => &groups::SYNC_GROUP,
        15 => &groups::DESCRIBE_GROUPS,
        16 => &groups::LIST_GROUPS,
        17 => &security::SASL_HANDSHAKE,
        18 => &cluster::API_VERSIONS,
        19 => &topics::CREATE_TOPICS,
        20 => &topics::DELETE_TOPICS,
        21 => &data::DELETE_RECORDS,
        22 => &transactions::INIT_PRODUCER_ID,
        23 => &data::OFFSET_FOR_LEADER_EPOCH,
        24 => &transactions::ADD_PARTITIONS_TO_TXN,
        25 => &transactions::ADD_OFFSETS_TO_TXN,
        26 => &transactions::END_TXN,
        28 => &transactions::TXN_OFFSET_COMMIT,
        32 => &topics::DESCRIBE_CONFIGS,
        33 => &topics::ALTER_CONFIGS,
        35 => &cluster::DESCRIBE_LOG_DIRS,
        36 => &security::SASL_AUTHENTICATE,
        37 => &topics::CREATE_PARTITIONS,
        42 => &groups::DELETE_GROUPS,
        43 => &topics::ELECT_LEADERS,
        44 => &topics::INCREMENTAL_ALTER_CONFIGS,
        46 => &topics::LIST_PARTITION_REASSIGNMENTS,
        47 => &groups::OFFSET_DELETE,
        60 => &cluster::DESCRIBE_CLUSTER,
        61 => &data::DESCRIBE_PRODUCERS,
        68 => &groups::CONSUMER_GROUP_HEARTBEAT,
        69 => &groups::CONSUMER_GROUP_DESCRIBE,
        74 => &topics::LIST_CONFIG_RESOURCES,
        75 => &topics::DESCRIBE_TOPIC_PARTITIONS,
        _ => return None,
    })
}
