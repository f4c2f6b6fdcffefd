//! What it costs to take a snapshot, to go back to it, to begin anew and to fork: of brokers that hold little and much, and
//! where little and much has changed.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, RequestHeader, TopicName};
use kafka_protocol::protocol::{Encodable, Request, StrBytes, encode_request_header_into_buffer};
use klamm_broker::{Broker, InProcessConnection};
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};
use tokio::runtime::Runtime;

fn topic(index: usize) -> String {
    format!("topic-{index}")
}

fn records(count: usize) -> Bytes {
    let value = Some(Bytes::from_static(&[b'v'; 100]));
    let record = RecordToWrite { key: None, value, headers: Vec::new(), timestamp: 1_700_000_000_000 };
    batch::build(vec![record; count], &BuildOptions::default())
}

/// A frame without its length.
fn produce(topic: String, records: Bytes) -> Bytes {
    let mut out = BytesMut::new();
    let header =
        RequestHeader::default().with_request_api_key(ProduceRequest::KEY).with_request_api_version(9);
    let data = PartitionProduceData::default().with_records(Some(records));
    let name = TopicName(StrBytes::from_string(topic));
    let topic = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]);
    encode_request_header_into_buffer(&mut out, &header).expect("a header can be written");
    request.encode(&mut out, 9).expect("a request can be written");
    out.freeze()
}

struct Client {
    connection: InProcessConnection,
    runtime: Runtime,
}

impl Client {
    fn new(broker: &Broker) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
        Client { connection: broker.connect(), runtime }
    }

    fn produce(&mut self, topic: String, count: usize) {
        let request = produce(topic, records(count));
        self.runtime.block_on(async {
            self.connection.send(request).await.expect("the broker takes a request");
            self.connection.receive().await.expect("the broker answers");
        });
    }

    /// One record for each of so many topics.
    fn change(&mut self, topics: usize) {
        (0..topics).for_each(|index| self.produce(topic(index), 1));
    }
}

/// A broker with so many topics, and as many records in each.
fn broker(topics: usize, each: usize) -> Broker {
    let builder = (0..topics).fold(Broker::builder(), |builder, index| builder.topic(topic(index), 1));
    let broker = builder.start().expect("a broker starts");
    let mut client = Client::new(&broker);
    for index in 0..topics {
        for _ in 0..each.div_ceil(100) {
            client.produce(topic(index), each.min(100));
        }
    }
    broker
}

/// The time that `act` takes, after `before` each time.
fn timed<T>(times: u64, mut before: impl FnMut(), mut act: impl FnMut() -> T) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..times {
        before();
        let began = Instant::now();
        let made = act();
        took += began.elapsed();
        drop(made);
    }
    took
}

fn all(criterion: &mut Criterion, what: &str, topics: usize, each: usize, changed: &[usize]) {
    let mut group = criterion.benchmark_group(what);
    let broker = broker(topics, each);
    let first = broker.snapshot().expect("a snapshot is taken");
    for count in changed {
        group.bench_function(BenchmarkId::new("snapshot, topics changed", count), |bench| {
            bench.iter_custom(|times| {
                let mut client = Client::new(&broker);
                timed(times, || client.change(*count), || broker.snapshot().expect("a snapshot is taken"))
            });
        });
        group.bench_function(BenchmarkId::new("restore, topics changed", count), |bench| {
            bench.iter_custom(|times| {
                let change = || Client::new(&broker).change(*count);
                timed(times, change, || broker.restore(&first).expect("a broker is put back"))
            });
        });
        group.bench_function(BenchmarkId::new("fork, topics changed", count), |bench| {
            bench.iter_custom(|times| {
                let mut client = Client::new(&broker);
                timed(times, || client.change(*count), || broker.fork().expect("a broker is forked"))
            });
        });
    }
    group.bench_function("fork, and one record to it and back", |bench| {
        bench.iter_custom(|times| {
            timed(
                times,
                || (),
                || {
                    let fork = broker.fork().expect("a broker is forked");
                    Client::new(&fork).change(1);
                    fork
                },
            )
        });
    });
    group.bench_function("reset", |bench| {
        bench.iter_custom(|times| timed(times, || (), || broker.reset().expect("a broker begins anew")));
    });
    group.finish();
}

fn snapshots(criterion: &mut Criterion) {
    criterion.bench_function("start", |bench| {
        bench.iter_with_large_drop(|| Broker::builder().topic("t", 1).start().expect("a broker starts"));
    });
    all(criterion, "100 topics, 10,000 records", 100, 100, &[0, 1, 10, 100]);
    all(criterion, "100 topics, 1,000,000 records", 100, 10_000, &[0, 1, 10, 100]);
    all(criterion, "10,000 topics, no records", 10_000, 0, &[0, 1, 10, 100]);
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(400))
}

criterion_group! { name = benches; config = short(); targets = snapshots }
criterion_main!(benches);
