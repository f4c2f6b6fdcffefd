//! A raw client: sends whatever bytes it is told to, and sees what becomes of them. And a good client, to prove
//! that a broker still serves. It knows nothing of what a test is after.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{
    FetchRequest, ProduceRequest, RequestHeader, ResponseHeader, TopicName, produce_response,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

use crate::harness::{DEADLINE, produce_request};

/// The topic of the good client. A broker under test has it, with one partition, and nobody else writes to it.
pub(crate) const GOOD_TOPIC: &str = "good";

/// What came back.
#[derive(Debug, PartialEq)]
pub(crate) enum Got {
    /// A frame, without its length.
    Frame(Bytes),
    /// The broker has closed the connection.
    Closed,
    /// Nothing in the time that was given.
    Nothing,
}

/// A connection that can be misused.
pub(crate) struct Raw {
    stream: TcpStream,
    received: BytesMut,
}

impl Raw {
    pub(crate) fn connect(address: &str) -> Raw {
        let stream = TcpStream::connect(address).expect("the broker accepts connections");
        stream.set_nodelay(true).unwrap();
        Raw { stream, received: BytesMut::new() }
    }

    /// Writes bytes as they are. An error: the broker has closed the connection, or `patience` was not enough.
    pub(crate) fn write(&mut self, bytes: &[u8], patience: Duration) -> std::io::Result<usize> {
        self.stream.set_write_timeout(Some(patience))?;
        self.stream.write(bytes)
    }

    /// Writes all of `bytes` as they are. That the broker has closed the connection is no error here: reading will
    /// tell.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.stream.set_write_timeout(Some(DEADLINE)).unwrap();
        if let Err(error) = self.stream.write_all(bytes) {
            let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted];
            assert!(gone.contains(&error.kind()), "{error}");
        }
    }

    /// Writes a frame, with its length in front.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        self.put(&framed(frame));
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish_writing(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    pub(crate) fn receive(&mut self, patience: Duration) -> Got {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(head) = self.received.first_chunk::<4>() {
                let length = usize::try_from(i32::from_be_bytes(*head)).expect("answers have a length");
                if self.received.len() >= 4 + length {
                    self.received.advance(4);
                    return Got::Frame(self.received.split_to(length).freeze());
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Got::Nothing;
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Got::Closed,
                Ok(count) => self.received.extend_from_slice(&chunk[..count]),
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Got::Closed,
            }
        }
    }

    #[track_caller]
    pub(crate) fn expect_frame(&mut self) -> Bytes {
        match self.receive(DEADLINE) {
            Got::Frame(frame) => frame,
            other => panic!("an answer was expected: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        assert_eq!(self.receive(DEADLINE), Got::Closed);
    }

    /// Sends a request and decodes the answer, to its last byte.
    #[track_caller]
    pub(crate) fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(&request_frame(request, version, 1));
        let mut answer = self.expect_frame();
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version)).unwrap();
        assert_eq!(header.correlation_id, 1);
        let response = R::Response::decode(&mut answer, version).unwrap();
        assert!(answer.is_empty(), "{} bytes are left of an answer", answer.len());
        response
    }
}

/// `frame` with its length in front.
pub(crate) fn framed(frame: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + frame.len());
    bytes.put_i32(i32::try_from(frame.len()).unwrap());
    bytes.put_slice(frame);
    bytes
}

/// Header and body of a request, without the length in front.
pub(crate) fn request_frame<R: Request>(request: &R, version: i16, correlation_id: i32) -> Vec<u8> {
    let mut frame = raw_frame(R::KEY, version, correlation_id, R::header_version(version) >= 2, &[]);
    request.encode(&mut frame, version).unwrap();
    frame
}

/// A header as it should be, and any body.
pub(crate) fn raw_frame(key: i16, version: i16, correlation_id: i32, flexible: bool, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let header = RequestHeader::default()
        .with_request_api_key(key)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str("wire")));
    header.encode(&mut frame, if flexible { 2 } else { 1 }).unwrap();
    frame.extend_from_slice(body);
    frame
}

/// A record batch around `payload`, which is said to hold `count` records, with everything else as it should be.
pub(crate) fn batch(attributes: i16, count: i32, payload: &[u8]) -> Bytes {
    let mut checked = BytesMut::new();
    checked.put_i16(attributes);
    checked.put_i32(count - 1);
    checked.put_i64(1_700_000_000_000);
    checked.put_i64(1_700_000_000_000);
    checked.put_i64(-1);
    checked.put_i16(-1);
    checked.put_i32(-1);
    checked.put_i32(count);
    checked.put_slice(payload);
    let mut batch = BytesMut::new();
    batch.put_i64(0);
    batch.put_i32(i32::try_from(checked.len()).unwrap() + 9);
    batch.put_i32(-1);
    batch.put_u8(2);
    batch.put_u32(crc32c::crc32c(&checked));
    batch.put_slice(&checked);
    batch.freeze()
}

/// A record without a key, the `index`th of its batch, as it lies in a batch.
pub(crate) fn record(index: i64, value: &[u8]) -> Vec<u8> {
    let mut record = record_head(index, value.len());
    record.extend_from_slice(value);
    record.push(0);
    record
}

/// The beginning of a record, up to its value. Behind the value comes one byte, the number of headers.
pub(crate) fn record_head(index: i64, value_length: usize) -> Vec<u8> {
    let mut body = vec![0, 0];
    put_varint(&mut body, index);
    put_varint(&mut body, -1);
    put_varint(&mut body, i64::try_from(value_length).unwrap());
    let mut record = Vec::new();
    put_varint(&mut record, i64::try_from(body.len() + value_length + 1).unwrap());
    record.extend_from_slice(&body);
    record
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while zigzag >= 0x80 {
        out.push(zigzag.to_le_bytes()[0] | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag.to_le_bytes()[0]);
}

/// What became of the only partition of a [`produce`] request.
#[track_caller]
pub(crate) fn produced(
    client: &mut Raw,
    request: &ProduceRequest,
) -> produce_response::PartitionProduceResponse {
    let mut answer = client.ask(request, 9);
    answer.responses.remove(0).partition_responses.remove(0)
}

/// A request that reads partition 0 of a topic.
pub(crate) fn fetch(topic: &'static str, offset: i64, max_bytes: i32) -> FetchRequest {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(max_bytes);
    let topic = FetchTopic::default()
        .with_topic(TopicName(StrBytes::from_static_str(topic)))
        .with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(10_000)
        .with_min_bytes(1)
        .with_max_bytes(max_bytes)
        .with_topics(vec![topic])
}

/// Proves that the broker serves: what is produced on a new connection is read back.
#[track_caller]
pub(crate) fn assert_serves(address: &str) {
    let mut client = Raw::connect(address);
    let sent = batch(0, 1, &record(0, b"still there"));
    let answer = produced(&mut client, &produce_request(GOOD_TOPIC, 0, sent.clone()));
    assert_eq!(answer.error_code, 0);
    let mut answer = client.ask(&fetch(GOOD_TOPIC, answer.base_offset, 1 << 20), 11);
    let partition = answer.responses.remove(0).partitions.remove(0);
    let mut records = partition.records.expect("the records are read back");
    assert_eq!((partition.error_code, records.len()), (0, sent.len()));
    // All but base offset and leader epoch, which are the broker's.
    assert_eq!(records.split_off(16), sent.slice(16..));
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts from now on the panics of all brokers of this process. A broker outlives a panic, so that nothing else
/// would tell of one.
pub(crate) fn watch_for_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name().is_some_and(|name| name.starts_with("klamm")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            usual(info);
        }));
    });
}

#[track_caller]
pub(crate) fn assert_no_panics() {
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "a broker has panicked; the message is above");
}
