//! Options of publishers.

use super::{I32, Meaning, Role, Row, Verdict};
use crate::options::{Acks, Compression, Partitioner};

const fn row(python: &'static [&'static str], librdkafka: &'static [&'static str], meaning: Meaning) -> Row {
    Row { python, librdkafka, role: Role::Producer, meaning }
}

/// The table's bounds keep numbers within what a field holds.
fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

pub(super) static ROWS: &[Row] = &[
    row(
        &["acks"],
        &["request.required.acks"],
        Meaning::Word("0, 1 or \"all\"", |d, word| {
            d.producer.acks = match word {
                "0" => Acks::None,
                "1" => Acks::Leader,
                "all" | "-1" => Acks::All,
                _ => return Verdict::Wrong,
            };
            Verdict::Set
        }),
    ),
    row(
        &["retries"],
        &["message.send.max.retries"],
        Meaning::Number(0, I32, |d, n| d.producer.retries = u32::try_from(n).unwrap_or(u32::MAX)),
    ),
    row(&["batch_size"], &["batch.size"], Meaning::Number(0, I32, |d, n| d.producer.batch_size = size(n))),
    row(
        &[],
        &["batch.num.messages"],
        Meaning::Number(1, 1_000_000, |d, n| d.producer.batch_records = Some(size(n))),
    ),
    row(
        &["linger_ms"],
        &["linger.ms", "queue.buffering.max.ms"],
        Meaning::Millis(0, 900_000, |d, time| d.producer.linger = time),
    ),
    row(
        &["compression_type"],
        &["compression.type", "compression.codec"],
        Meaning::Word("none, gzip, snappy, lz4 or zstd", |d, word| {
            d.producer.compression = match word {
                "none" => Compression::None,
                "gzip" => Compression::Gzip,
                "snappy" => Compression::Snappy,
                "lz4" => Compression::Lz4,
                "zstd" => Compression::Zstd,
                _ => return Verdict::Wrong,
            };
            Verdict::Set
        }),
    ),
    row(
        &["max_in_flight_requests_per_connection"],
        &["max.in.flight.requests.per.connection", "max.in.flight"],
        Meaning::Number(1, 1_000_000, |d, n| d.producer.max_in_flight = size(n)),
    ),
    row(&["buffer_memory"], &[], Meaning::Number(1, i64::MAX, |d, n| d.producer.buffer_memory = size(n))),
    row(
        &[],
        &["queue.buffering.max.kbytes"],
        Meaning::Number(1, I32, |d, n| d.producer.buffer_memory = size(n.saturating_mul(1024))),
    ),
    row(
        &[],
        &["queue.buffering.max.messages"],
        // librdkafka's 0 means no bound.
        Meaning::Number(0, I32, |d, n| d.producer.max_queued_records = (n > 0).then(|| size(n))),
    ),
    row(
        &["enable_idempotence"],
        &["enable.idempotence"],
        Meaning::Flag(|d, flag| d.producer.enable_idempotence = Some(flag)),
    ),
    row(
        &["transactional_id"],
        &["transactional.id"],
        Meaning::Text(|d, text| d.producer.transactional_id = Some(text)),
    ),
    row(&["max_block_ms"], &[], Meaning::Millis(0, I32, |d, time| d.producer.max_block = time)),
    row(
        &["delivery_timeout_ms"],
        &["message.timeout.ms", "delivery.timeout.ms"],
        Meaning::Millis(1, I32, |d, time| d.producer.delivery_timeout = time),
    ),
    row(
        &["max_request_size"],
        &["message.max.bytes"],
        Meaning::Number(1000, 1_000_000_000, |d, n| d.producer.max_request_size = size(n)),
    ),
    row(
        &["partitioner"],
        &[],
        Meaning::Word("murmur2, murmur2_random, consistent, consistent_random or random", |d, word| {
            d.producer.partitioner = match word {
                "murmur2" | "murmur2_random" | "default" => Partitioner::Murmur2,
                "consistent" | "consistent_random" => Partitioner::Consistent,
                "random" => Partitioner::Random,
                "fnv1a" | "fnv1a_random" => return Verdict::Librdkafka,
                _ => return Verdict::Wrong,
            };
            Verdict::Set
        }),
    ),
    row(
        &["transaction_timeout_ms"],
        &["transaction.timeout.ms"],
        Meaning::Nothing("there are no transactions here"),
    ),
    row(
        &["allow_auto_create_topics"],
        &["allow.auto.create.topics"],
        Meaning::Nothing("whether publishing creates a topic is the broker's auto.create.topics.enable"),
    ),
    row(
        &[],
        &[
            "dr_cb",
            "dr_msg_cb",
            "partitioner_cb",
            "msg_order_cmp",
            "delivery.report.only.error",
            "produce.offset.report",
        ],
        Meaning::Refused(
            "delivery reports belong to the publisher; publish with `publish_acknowledged` to get them",
        ),
    ),
];
