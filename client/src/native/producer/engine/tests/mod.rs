//! The sender without sockets and clocks: everything that happens is told to it, and time is what the test says.

mod idempotence;
mod model;
mod order;
mod topics;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use klamm_protocol::batch::{self, Batch};
use parking_lot::Mutex;

use super::*;
use crate::backend::{RecordToSend, Refused, Report};
use crate::native::producer::settings::Settings;
use crate::options::{Acks, ClientOptions, ProducerOptions};
use crate::record::{Delivered, Undelivered};

/// What became of records, in the order in which it was told: their values, and where they are or what went wrong.
type Fates = Arc<Mutex<Vec<(String, Result<Delivered, ClientError>)>>>;

#[derive(Debug, Default)]
struct Lost(Mutex<Vec<Undelivered>>);

impl OnUndelivered for Lost {
    fn undelivered(&self, records: Vec<Undelivered>) {
        self.0.lock().extend(records);
    }
}

/// A request that the sender has asked for.
#[derive(Debug)]
struct Sent {
    broker: i32,
    request: u64,
    parts: Vec<Part>,
}

impl Sent {
    fn batch(&self, part: usize) -> Batch {
        batch::batches(&self.parts[part].bytes).next().expect("a batch")
    }

    /// The values of a part's records.
    fn values(&self, part: usize) -> Vec<String> {
        let text = |value: Option<Bytes>| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
        batch::records(&self.batch(part)).unwrap().into_iter().map(|record| text(record.value)).collect()
    }

    /// Producer id, epoch and sequence of a part.
    fn stamp(&self, part: usize) -> (i64, i16, i32) {
        let header = self.batch(part).header;
        (header.producer_id, header.producer_epoch, header.base_sequence)
    }
}

struct Bench {
    accumulator: Arc<Accumulator>,
    engine: Engine,
    now: Instant,
    topic: Arc<str>,
    fates: Fates,
    lost: Arc<Lost>,
    sent: VecDeque<Sent>,
    /// What else the sender has asked for.
    asked: Vec<Action>,
}

impl Bench {
    fn new(change: impl FnOnce(&mut ProducerOptions)) -> Self {
        let mut options = ProducerOptions::default();
        change(&mut options);
        let settings = Settings::new(&ClientOptions::default(), &options).unwrap();
        let accumulator = Arc::new(Accumulator::new(settings));
        let lost = Arc::new(Lost::default());
        let engine = Engine::new(Arc::clone(&accumulator), Arc::clone(&lost) as Arc<dyn OnUndelivered>);
        Bench {
            accumulator,
            engine,
            now: Instant::now(),
            topic: Arc::from("t"),
            fates: Fates::default(),
            lost,
            sent: VecDeque::new(),
            asked: Vec::new(),
        }
    }

    /// With a topic of one partition that broker 1 leads, and a producer id where one is needed.
    fn ready(change: impl FnOnce(&mut ProducerOptions)) -> Self {
        let mut bench = Bench::new(change);
        bench.know(&[Some((1, 0))]);
        bench
    }

    fn know(&mut self, leaders: &[Option<(i32, i32)>]) {
        // The topic is met first.
        let record = self.record("", None);
        if self.accumulator.with_table(|table| table.index("t")).is_none() {
            assert!(self.accumulator.send(&record, None, None, &|| self.now).is_ok());
            self.step();
            self.news(leaders);
            self.identify();
            self.accumulator.inbox.hurry();
            self.step();
            let first = self.take();
            self.accept(first, 0);
            self.fates.lock().clear();
        } else {
            self.news(leaders);
        }
    }

    fn identify(&mut self) {
        self.step();
        if self.asked.iter().any(|action| matches!(action, Action::Identify)) {
            self.engine.identified(Ok((7, 0)), self.now);
            self.asked.clear();
            self.step();
        }
    }

    fn news(&mut self, leaders: &[Option<(i32, i32)>]) {
        self.engine.news("t", &News::Partitions(leaders.to_vec()), self.now);
        self.step();
    }

    fn record<'a>(&self, value: &'a str, partition: Option<i32>) -> RecordToSend<'a>
    where
        Self: 'a,
    {
        // One topic for the whole test: leaked, as a record borrows it.
        let topic = Box::leak(Box::new(Arc::clone(&self.topic)));
        RecordToSend {
            topic,
            partition,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
            timestamp: Some(1_700_000_000_000),
        }
    }

    fn report(&self, value: &str) -> Report {
        let (fates, value) = (Arc::clone(&self.fates), value.to_owned());
        Box::new(move |fate| fates.lock().push((value, fate)))
    }

    /// Publishes to partition 0, with a report.
    fn publish(&mut self, value: &str) {
        self.publish_to(0, value);
        self.step();
    }

    fn publish_to(&mut self, partition: i32, value: &str) {
        assert!(self.try_publish(partition, value).is_ok(), "{value} is refused");
    }

    fn try_publish(&mut self, partition: i32, value: &str) -> Result<(), Refused> {
        let (now, record) = (self.now, self.record(value, Some(partition)));
        self.accumulator.send(&record, Some(self.report(value)), None, &|| now)
    }

    /// Has the sender look at what has happened.
    fn step(&mut self) {
        let mail = self.accumulator.inbox.take(Mail::default());
        self.engine.deliver(&mail, self.now);
        for action in self.engine.run(self.now) {
            match action {
                Action::Produce { broker, request, parts } => {
                    self.sent.push_back(Sent { broker, request, parts });
                }
                other => self.asked.push(other),
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.step();
    }

    /// The oldest request that has not been answered.
    fn take(&mut self) -> Sent {
        self.sent.pop_front().expect("a request")
    }

    fn answer(&mut self, sent: Sent, codes: &[Option<ResponseError>], offset: i64) {
        let response = response(&sent, codes, offset);
        self.engine.answered(sent.request, Ok(Some(response)), self.now);
        drop(sent);
        self.step();
    }

    fn accept(&mut self, sent: Sent, offset: i64) {
        let codes = vec![None; sent.parts.len()];
        self.answer(sent, &codes, offset);
    }

    fn refuse(&mut self, sent: Sent, code: ResponseError) {
        let codes = vec![Some(code); sent.parts.len()];
        self.answer(sent, &codes, -1);
    }

    fn lose(&mut self, sent: Sent, was_sent: bool) {
        let kind = if was_sent { ErrorKind::Disconnected } else { ErrorKind::Unreachable };
        let error = ClientError::new(kind, "sending", "the test says so");
        self.engine.answered(sent.request, Err(super::Lost { error, sent: was_sent }), self.now);
        self.step();
    }

    /// The fates told so far, as `value@offset` or `value!kind`.
    fn told(&self) -> Vec<String> {
        let text = |(value, fate): &(String, Result<Delivered, ClientError>)| match fate {
            Ok(there) => format!("{value}@{}", there.offset),
            Err(error) => format!("{value}!{:?}", error.kind()),
        };
        self.fates.lock().iter().map(text).collect()
    }

    /// Everything is settled, and all memory has been given back.
    fn assert_settled(&self) {
        assert_eq!(self.accumulator.outstanding(), 0);
        assert_eq!(self.accumulator.budget.used(), 0);
    }
}

fn response(sent: &Sent, codes: &[Option<ResponseError>], offset: i64) -> ProduceResponse {
    let answers = sent.parts.iter().zip(codes).map(|(part, code)| {
        let answer = PartitionProduceResponse::default()
            .with_index(part.partition)
            .with_error_code(code.map_or(0, |code| code.code()))
            .with_base_offset(if code.is_some() { -1 } else { offset })
            .with_log_append_time_ms(-1);
        let name = TopicName(StrBytes::from_string(part.topic.to_string()));
        TopicProduceResponse::default().with_name(name).with_partition_responses(vec![answer])
    });
    ProduceResponse::default().with_responses(answers.collect())
}

fn idempotent(options: &mut ProducerOptions) {
    options.acks = Acks::All;
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
