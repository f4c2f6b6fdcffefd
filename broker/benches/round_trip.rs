//! What a request costs from the client's side, in process and over TCP, and what a broker's start costs.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{BrokerId, FetchRequest, ProduceRequest, RequestHeader, TopicName};
use kafka_protocol::protocol::{Request, StrBytes, encode_request_header_into_buffer};
use klamm_broker::{Broker, InProcessConnection};
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};
use tokio::runtime::Runtime;

const TOPIC: &str = "bench";
const RECORD_BYTES: usize = 100;
const FETCH_BYTES: i32 = 1024 * 1024;

/// A frame without its length.
fn frame<R: Request>(version: i16, request: &R) -> Bytes {
    let mut out = BytesMut::new();
    let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    encode_request_header_into_buffer(&mut out, &header).expect("a header can be written");
    request.encode(&mut out, version).expect("a request can be written");
    out.freeze()
}

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str(TOPIC))
}

fn produce(records: usize) -> Bytes {
    let record = RecordToWrite {
        key: None,
        value: Some(Bytes::from_static(&[b'v'; RECORD_BYTES])),
        headers: Vec::new(),
        timestamp: 1_700_000_000_000,
    };
    let records = batch::build(vec![record; records], &BuildOptions::default());
    let data = PartitionProduceData::default().with_records(Some(records));
    let topic = TopicProduceData::default().with_name(name()).with_partition_data(vec![data]);
    frame(9, &ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]))
}

fn fetch() -> Bytes {
    let partition = FetchPartition::default().with_partition_max_bytes(FETCH_BYTES);
    let topic = FetchTopic::default().with_topic(name()).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_min_bytes(1)
        .with_max_bytes(FETCH_BYTES)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    frame(12, &request)
}

fn broker() -> Broker {
    Broker::builder().topic(TOPIC, 1).start().expect("a broker starts")
}

/// A client that waits for each answer.
trait Client {
    /// Sends a request and returns the length of the answer.
    fn call(&mut self, request: &Bytes) -> usize;
}

struct InProcess {
    connection: InProcessConnection,
    runtime: Runtime,
}

impl InProcess {
    fn connect(broker: &Broker) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
        InProcess { connection: broker.connect(), runtime }
    }
}

impl Client for InProcess {
    fn call(&mut self, request: &Bytes) -> usize {
        self.runtime.block_on(async {
            self.connection.send(request.clone()).await.expect("the broker takes a request");
            self.connection.receive().await.expect("the broker answers").len()
        })
    }
}

struct Tcp {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Tcp {
    fn connect(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.bootstrap_servers()).expect("the broker listens");
        stream.set_nodelay(true).expect("a socket takes its options");
        Tcp { stream, buffer: Vec::new() }
    }
}

impl Client for Tcp {
    fn call(&mut self, request: &Bytes) -> usize {
        self.buffer.clear();
        self.buffer.extend_from_slice(&u32::try_from(request.len()).expect("a short frame").to_be_bytes());
        self.buffer.extend_from_slice(request);
        self.stream.write_all(&self.buffer).expect("the broker takes a request");
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).expect("the broker answers");
        let length = u32::from_be_bytes(head) as usize;
        self.buffer.resize(length, 0);
        self.stream.read_exact(&mut self.buffer).expect("the broker answers");
        length
    }
}

/// Every measurement has a broker of its own, so that what one has stored burdens no other.
fn requests<C: Client>(group: &mut BenchmarkGroup<'_, WallTime>, connect: impl Fn(&Broker) -> C) {
    for (name, records) in [("produce one record", 1), ("produce 1,000 records", 1000)] {
        let request = produce(records);
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(name, |bench| {
            bench.iter_custom(|times| {
                let broker = broker();
                let mut client = connect(&broker);
                let began = Instant::now();
                for _ in 0..times {
                    black_box(client.call(black_box(&request)));
                }
                began.elapsed()
            });
        });
    }
    let broker = broker();
    let mut client = connect(&broker);
    let filling = produce(1000);
    for _ in 0..20 {
        client.call(&filling);
    }
    let request = fetch();
    let answer = client.call(&request);
    assert!(answer > FETCH_BYTES as usize / 2, "only {answer} bytes were fetched");
    group.throughput(Throughput::Bytes(answer as u64));
    group.bench_function("fetch 1 MiB", |bench| bench.iter(|| client.call(black_box(&request))));
}

fn round_trips(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("in process");
    requests(&mut group, InProcess::connect);
    group.finish();
    let mut group = criterion.benchmark_group("TCP");
    requests(&mut group, Tcp::connect);
    group.finish();
}

fn start(criterion: &mut Criterion) {
    let single = produce(1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    criterion.bench_function("start to first acknowledged record", |bench| {
        bench.iter_with_large_drop(|| {
            let broker = broker();
            let mut connection = broker.connect();
            let answer = runtime.block_on(async {
                connection.send(single.clone()).await.expect("the broker takes a request");
                connection.receive().await.expect("the broker answers").len()
            });
            (broker, connection, answer)
        });
    });
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1000))
}

criterion_group! { name = benches; config = short(); targets = start, round_trips }
criterion_main!(benches);
