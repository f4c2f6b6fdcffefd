//! The answer to a Fetch, and how it is written: by hand, so that record data goes out as slices of the log.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::FetchResponse;
use kafka_protocol::protocol::HeaderVersion;
use uuid::Uuid;

use crate::context::Answer;
use crate::dispatch::{Body, Reply};

/// What a Fetch is answered with.
#[derive(Debug, Default)]
pub(crate) struct FetchAnswer {
    pub(crate) throttle_time_ms: i32,
    pub(crate) error_code: i16,
    pub(crate) session_id: i32,
    pub(crate) topics: Vec<FetchedTopic>,
    /// Where the leaders are that partitions name.
    pub(crate) endpoints: Vec<Endpoint>,
}

/// Where a node is.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) node: i32,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) rack: Option<String>,
}

/// What was fetched of a topic: named up to version 12, by its id from then on.
#[derive(Debug)]
pub(crate) struct FetchedTopic {
    pub(crate) name: std::sync::Arc<str>,
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<FetchedPartition>,
}

/// What was fetched of a partition.
#[derive(Debug, Clone)]
pub(crate) struct FetchedPartition {
    pub(crate) index: i32,
    pub(crate) error_code: i16,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable_offset: i64,
    pub(crate) log_start_offset: i64,
    /// Where the reader's log parts from this one: the epoch, and that epoch's end.
    pub(crate) diverging_epoch: Option<(i32, i64)>,
    /// The node that leads, and its epoch: for a reader that came to the wrong one.
    pub(crate) current_leader: Option<(i32, i32)>,
    /// The replica that the reader is to ask instead (KIP-392).
    pub(crate) preferred_read_replica: Option<i32>,
    /// Null unless the reader asked for committed records alone.
    pub(crate) aborted_transactions: Option<Vec<AbortedTransaction>>,
    pub(crate) records: Bytes,
}

/// A transaction whose records a reader of committed records skips.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AbortedTransaction {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
}

impl FetchedPartition {
    /// A partition that could not be read.
    pub(crate) fn failed(index: i32, error_code: i16) -> Self {
        FetchedPartition {
            index,
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: None,
            current_leader: None,
            preferred_read_replica: None,
            aborted_transactions: None,
            records: Bytes::new(),
        }
    }
}

/// From this version on strings and arrays are compact and there are tagged fields.
const FLEXIBLE: i16 = 12;

/// From this version on the answer says who leads (KIP-951).
const LEADERS: i16 = 16;

/// From this version on topics are given by their ids.
const TOPIC_IDS: i16 = 13;

/// What a partition takes besides its records, at the most but for aborted transactions.
const PARTITION_BYTES: usize = 80;

impl Reply for FetchAnswer {
    fn into_body(self, version: i16) -> Answer<Body> {
        let partitions: usize = self.topics.iter().map(|topic| topic.partitions.len()).sum();
        let names: usize = self.topics.iter().map(|topic| 32 + topic.name.len()).sum();
        let header_version = FetchResponse::header_version(version);
        let mut body = Body::new(header_version, 32 + names + partitions * PARTITION_BYTES);
        let out = body.out();
        out.put_i32(self.throttle_time_ms);
        if version >= 7 {
            out.put_i16(self.error_code);
            out.put_i32(self.session_id);
        }
        put_length(out, version, self.topics.len());
        for topic in self.topics {
            put_topic(&mut body, version, topic);
        }
        if version >= LEADERS && !self.endpoints.is_empty() {
            put_endpoints(body.out(), version, &self.endpoints);
        } else {
            put_no_tags(body.out(), version);
        }
        Ok(body)
    }
}

/// The one tagged field of an answer, number 0.
fn put_endpoints(out: &mut BytesMut, version: i16, endpoints: &[Endpoint]) {
    let mut list = BytesMut::new();
    put_length(&mut list, version, endpoints.len());
    for endpoint in endpoints {
        list.put_i32(endpoint.node);
        put_string(&mut list, version, &endpoint.host);
        list.put_i32(endpoint.port.into());
        match &endpoint.rack {
            Some(rack) => put_string(&mut list, version, rack),
            None => list.put_u8(0),
        }
        put_no_tags(&mut list, version);
    }
    out.put_slice(&[1, 0]);
    put_unsigned_varint(out, list.len() as u64);
    out.put_slice(&list);
}

fn put_topic(body: &mut Body, version: i16, topic: FetchedTopic) {
    let out = body.out();
    if version >= TOPIC_IDS {
        out.put_slice(topic.id.as_bytes());
    } else {
        put_string(out, version, &topic.name);
    }
    put_length(out, version, topic.partitions.len());
    for partition in topic.partitions {
        put_partition(body, version, partition);
    }
    put_no_tags(body.out(), version);
}

fn put_partition(body: &mut Body, version: i16, partition: FetchedPartition) {
    let out = body.out();
    out.put_i32(partition.index);
    out.put_i16(partition.error_code);
    out.put_i64(partition.high_watermark);
    out.put_i64(partition.last_stable_offset);
    if version >= 5 {
        out.put_i64(partition.log_start_offset);
    }
    put_aborted(out, version, partition.aborted_transactions.as_deref());
    if version >= 11 {
        out.put_i32(partition.preferred_read_replica.unwrap_or(-1));
    }
    if version >= FLEXIBLE {
        put_unsigned_varint(out, partition.records.len() as u64 + 1);
    } else {
        out.put_i32(i32::try_from(partition.records.len()).unwrap_or(i32::MAX));
    }
    if !partition.records.is_empty() {
        body.put_slice(partition.records);
    }
    if version >= FLEXIBLE {
        let leader = partition.current_leader.filter(|_| version >= LEADERS);
        put_partition_tags(body.out(), partition.diverging_epoch, leader);
    }
}

fn put_partition_tags(out: &mut BytesMut, diverging: Option<(i32, i64)>, leader: Option<(i32, i32)>) {
    out.put_u8(u8::from(diverging.is_some()) + u8::from(leader.is_some()));
    if let Some((epoch, end_offset)) = diverging {
        // Number 0, of 13 bytes, without tagged fields of its own.
        out.put_slice(&[0, 13]);
        out.put_i32(epoch);
        out.put_i64(end_offset);
        out.put_u8(0);
    }
    if let Some((node, epoch)) = leader {
        // Number 1, of 9 bytes, without tagged fields of its own.
        out.put_slice(&[1, 9]);
        out.put_i32(node);
        out.put_i32(epoch);
        out.put_u8(0);
    }
}

fn put_aborted(out: &mut BytesMut, version: i16, aborted: Option<&[AbortedTransaction]>) {
    let Some(aborted) = aborted else {
        if version >= FLEXIBLE {
            out.put_u8(0)
        } else {
            out.put_i32(-1)
        }
        return;
    };
    put_length(out, version, aborted.len());
    for transaction in aborted {
        out.put_i64(transaction.producer_id);
        out.put_i64(transaction.first_offset);
        put_no_tags(out, version);
    }
}

fn put_length(out: &mut BytesMut, version: i16, length: usize) {
    if version >= FLEXIBLE {
        put_unsigned_varint(out, length as u64 + 1);
    } else {
        out.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
    }
}

fn put_string(out: &mut BytesMut, version: i16, text: &str) {
    if version >= FLEXIBLE {
        put_unsigned_varint(out, text.len() as u64 + 1);
    } else {
        out.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
    }
    out.put_slice(text.as_bytes());
}

fn put_no_tags(out: &mut BytesMut, version: i16) {
    if version >= FLEXIBLE {
        out.put_u8(0);
    }
}

fn put_unsigned_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kafka_protocol::messages::fetch_response::{EpochEndOffset, FetchableTopicResponse, PartitionData};
    use kafka_protocol::messages::{ProducerId, TopicName, fetch_response};
    use kafka_protocol::protocol::{Encodable, StrBytes};

    use super::*;

    fn ours() -> FetchAnswer {
        let mut good = FetchedPartition::failed(3, 0);
        good.high_watermark = 77;
        good.records = Bytes::from(vec![5; 300]);
        good.aborted_transactions = Some(vec![AbortedTransaction { producer_id: 8, first_offset: 9 }]);
        let mut diverging = FetchedPartition::failed(4, 0);
        diverging.diverging_epoch = Some((2, 99));
        diverging.preferred_read_replica = Some(3);
        let partitions = vec![good, FetchedPartition::failed(1, 3), diverging];
        let topic = FetchedTopic { name: Arc::from("t"), id: Uuid::from_u128(7), partitions };
        let endpoint = |node, rack: Option<&str>| {
            let (host, rack) = ("h".repeat(130), rack.map(str::to_owned));
            Endpoint { node, host, port: 9092, rack }
        };
        let endpoints = vec![endpoint(1, None), endpoint(2, Some("r"))];
        FetchAnswer { throttle_time_ms: 0, error_code: 0, session_id: 12, topics: vec![topic], endpoints }
    }

    /// The same answer in kafka-protocol's types.
    fn theirs(version: i16) -> FetchResponse {
        let partition = |p: &FetchedPartition| {
            let mut data = PartitionData::default()
                .with_partition_index(p.index)
                .with_error_code(p.error_code)
                .with_high_watermark(p.high_watermark)
                .with_last_stable_offset(p.last_stable_offset)
                .with_log_start_offset(p.log_start_offset)
                .with_records(Some(p.records.clone()))
                .with_aborted_transactions(p.aborted_transactions.as_ref().map(|list| {
                    let one = |t: &AbortedTransaction| {
                        fetch_response::AbortedTransaction::default()
                            .with_producer_id(ProducerId(t.producer_id))
                            .with_first_offset(t.first_offset)
                    };
                    list.iter().map(one).collect()
                }));
            if let Some(replica) = p.preferred_read_replica.filter(|_| version >= 11) {
                data.preferred_read_replica = kafka_protocol::messages::BrokerId(replica);
            }
            if let Some((epoch, end)) = p.diverging_epoch.filter(|_| version >= FLEXIBLE) {
                data.diverging_epoch = EpochEndOffset::default().with_epoch(epoch).with_end_offset(end);
            }
            data
        };
        let topics = ours().topics.into_iter().map(|t| {
            FetchableTopicResponse::default()
                .with_topic(if version < TOPIC_IDS {
                    TopicName(StrBytes::from_static_str("t"))
                } else {
                    TopicName::default()
                })
                .with_topic_id(if version < TOPIC_IDS { Uuid::nil() } else { t.id })
                .with_partitions(t.partitions.iter().map(partition).collect())
        });
        let session_id = if version >= 7 { 12 } else { 0 };
        let endpoint = |endpoint: Endpoint| {
            fetch_response::NodeEndpoint::default()
                .with_node_id(kafka_protocol::messages::BrokerId(endpoint.node))
                .with_host(StrBytes::from_string(endpoint.host))
                .with_port(endpoint.port.into())
                .with_rack(endpoint.rack.map(StrBytes::from_string))
        };
        let endpoints = ours().endpoints.into_iter().filter(|_| version >= LEADERS).map(endpoint);
        FetchResponse::default()
            .with_session_id(session_id)
            .with_responses(topics.collect())
            .with_node_endpoints(endpoints.collect())
    }

    #[test]
    fn every_version_is_written_as_the_protocol_library_writes_it() {
        for version in 4..=18 {
            let mut expected = BytesMut::new();
            theirs(version).encode(&mut expected, version).unwrap();
            let frame = ours().into_body(version).unwrap().into_frame(5).to_bytes();
            let header = if version >= FLEXIBLE { 9 } else { 8 };
            assert_eq!(frame.slice(header..), expected.freeze(), "version {version}");
        }
    }
}
