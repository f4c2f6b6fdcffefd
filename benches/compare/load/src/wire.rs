//! The raw client: requests encoded beforehand, one TCP connection, as little work as possible for each answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId, CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, ListOffsetsRequest,
    ProduceRequest, RequestHeader, TopicName,
};
use kafka_protocol::protocol::{
    Decodable, HeaderVersion, Request, StrBytes, encode_request_header_into_buffer,
};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Record, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};

/// The versions that are spoken: all three servers have them.
const PRODUCE: i16 = 9;
const FETCH: i16 = 12;
const CREATE_TOPICS: i16 = 5;

/// What one fetch asks for.
pub const FETCH_BYTES: i32 = 1024 * 1024;

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// A request as it goes over the wire, its length first.
pub fn frame<R: Request + HeaderVersion>(version: i16, request: &R) -> Result<Vec<u8>> {
    let mut out = BytesMut::zeroed(4);
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("compare")));
    encode_request_header_into_buffer(&mut out, &header)?;
    request.encode(&mut out, version)?;
    let length = u32::try_from(out.len() - 4)?;
    out[..4].copy_from_slice(&length.to_be_bytes());
    Ok(out.to_vec())
}

/// A batch of `count` records with values of `bytes` bytes.
pub fn batch(count: usize, bytes: usize) -> Result<Bytes> {
    let record = |offset: i64| Record {
        transactional: false,
        control: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset,
        // All records of a batch have the same distance between the two; the first one's is the batch's.
        sequence: offset as i32 - 1,
        timestamp: now_ms(),
        key: None,
        value: Some((0..bytes).map(|i| b'a' + ((i + offset as usize) % 26) as u8).collect()),
        headers: IndexMap::new(),
        delete_horizon: false,
    };
    let records: Vec<Record> = (0..count as i64).map(record).collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &records, &options)?;
    Ok(out.freeze())
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as i64)
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// A produce request of one batch to one partition, acknowledged by all replicas.
pub fn produce(topic: &str, partition: i32, records: Bytes) -> Result<Vec<u8>> {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic]);
    frame(PRODUCE, &request)
}

/// A produce answer's error code. `body` begins with the correlation id.
pub fn produce_error(body: &[u8], topic: &str) -> Result<i16> {
    // Correlation id, no tags, one topic, its name, one partition, its index: then the error code.
    let at = 4 + 1 + 1 + 1 + topic.len() + 1 + 4;
    let code = body.get(at..at + 2).context("a short produce answer")?;
    Ok(i16::from_be_bytes([code[0], code[1]]))
}

/// A fetch of partition 0 without a session, and where its fetch offset lies.
pub fn fetch(topic: &str) -> Result<(Vec<u8>, usize)> {
    let marker = 0x0123_4567_89ab_cdef_i64;
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_fetch_offset(marker)
        .with_log_start_offset(-1)
        .with_partition_max_bytes(FETCH_BYTES);
    let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(FETCH_BYTES)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    let frame = frame(FETCH, &request)?;
    let at = frame.windows(8).position(|bytes| bytes == marker.to_be_bytes()).context("no fetch offset")?;
    Ok((frame, at))
}

/// The whole batches of a fetch answer: the first one's base offset and the offset after the last.
pub fn fetched(body: &[u8], topic: &str) -> Result<(i64, i64)> {
    // Correlation id, no tags, throttle time, error, session id, one topic, its name, one partition, its index.
    let at = 4 + 1 + 4 + 2 + 4 + 1 + 1 + topic.len() + 1 + 4;
    let code = body.get(at..at + 2).context("a short fetch answer")?;
    ensure!(code == [0, 0], "the fetch failed with error {}", i16::from_be_bytes([code[0], code[1]]));
    // Error, high watermark, last stable offset, log start offset, no aborted transactions, preferred replica.
    let mut rest = body.get(at + 2 + 8 + 8 + 8 + 1 + 4..).context("a short fetch answer")?;
    let (mut length, mut shift) = (0usize, 0);
    loop {
        let (byte, more) = rest.split_first().context("a short fetch answer")?;
        rest = more;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut records = rest.get(..length.saturating_sub(1)).context("a short fetch answer")?;
    let (mut first, mut next) = (None, -1);
    while let (Some(head), Some(delta)) = (records.first_chunk::<12>(), records.get(23..27)) {
        let base = i64::from_be_bytes([head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]]);
        let size = 12 + u32::from_be_bytes([head[8], head[9], head[10], head[11]]) as usize;
        if records.len() < size {
            break;
        }
        first.get_or_insert(base);
        next = base + i64::from(i32::from_be_bytes([delta[0], delta[1], delta[2], delta[3]])) + 1;
        records = &records[size..];
    }
    Ok((first.context("a fetch answer without a whole batch")?, next))
}

/// A request that creates `topics` with `partitions` partitions each.
pub fn create_topics(topics: &[String], partitions: i32) -> CreateTopicsRequest {
    let topic = |topic: &String| {
        CreatableTopic::default().with_name(name(topic)).with_num_partitions(partitions).with_replication_factor(1)
    };
    CreateTopicsRequest::default().with_timeout_ms(120_000).with_topics(topics.iter().map(topic).collect())
}

/// The same as a frame.
pub fn create_topic_frame(topic: &str) -> Result<Vec<u8>> {
    frame(CREATE_TOPICS, &create_topics(&[topic.to_owned()], 1))
}

/// One connection to a server.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Connection {
    pub fn open(port: u16) -> Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { stream, buffer: Vec::new(), start: 0, end: 0 })
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Whether a whole answer is here already.
    pub fn has_answer(&self) -> bool {
        self.answer_length().is_some_and(|length| self.end - self.start >= 4 + length)
    }

    /// The next answer, from its correlation id on.
    pub fn receive(&mut self) -> Result<&[u8]> {
        while !self.has_answer() {
            self.read_more()?;
        }
        let length = self.answer_length().context("an answer without a length")?;
        let body = self.start + 4..self.start + 4 + length;
        self.start = body.end;
        Ok(&self.buffer[body])
    }

    fn answer_length(&self) -> Option<usize> {
        let head = self.buffer[self.start..self.end].first_chunk::<4>()?;
        Some(u32::from_be_bytes(*head) as usize)
    }

    fn read_more(&mut self) -> Result<()> {
        let wanted = 4 + self.answer_length().unwrap_or(0).max(4096);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.buffer.len() - self.start < wanted {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted * 2, 0);
            }
        }
        let read = self.stream.read(&mut self.buffer[self.end..])?;
        ensure!(read > 0, "the server closed the connection");
        self.end += read;
        Ok(())
    }

    /// Sends a request, waits for its answer and decodes it.
    pub fn call<R: Request + HeaderVersion>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        let frame = frame(version, request)?;
        self.send(&frame)?;
        let mut body = Bytes::copy_from_slice(self.receive()?);
        let header = R::Response::header_version(version);
        kafka_protocol::messages::ResponseHeader::decode(&mut body, header)?;
        R::Response::decode(&mut body, version)
    }

    pub fn api_versions(&mut self) -> Result<()> {
        let answer = self.call(0, &ApiVersionsRequest::default())?;
        ensure!(answer.error_code == 0, "ApiVersions failed with error {}", answer.error_code);
        Ok(())
    }

    /// Creates topics and returns once the last partition of the last one can be used.
    pub fn create(&mut self, topics: &[String], partitions: i32) -> Result<()> {
        let answer = self.call(CREATE_TOPICS, &create_topics(topics, partitions))?;
        if let Some(failed) = answer.topics.iter().find(|topic| topic.error_code != 0) {
            bail!("creating {:?} failed with error {}: {:?}", failed.name, failed.error_code, failed.error_message);
        }
        let last = topics.last().context("no topic to create")?;
        while !self.serves(last, partitions - 1)? {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Whether the server has the log of a partition.
    fn serves(&mut self, topic: &str, partition: i32) -> Result<bool> {
        let partition = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(-1);
        let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let answer = self.call(5, &request)?;
        Ok(answer.topics.iter().flat_map(|topic| &topic.partitions).all(|partition| partition.error_code == 0))
    }

    pub fn delete(&mut self, topic: &str) -> Result<()> {
        let request = DeleteTopicsRequest::default().with_timeout_ms(30_000).with_topic_names(vec![name(topic)]);
        let answer = self.call(3, &request)?;
        let failed = answer.responses.iter().find(|topic| topic.error_code != 0);
        ensure!(failed.is_none(), "deleting {topic} failed: {failed:?}");
        Ok(())
    }
}
