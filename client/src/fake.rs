//! Libraries for tests: an ordered list of records behind each topic, and a hand on what happens to them.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::backend::{
    BoxFuture, Commit, ConsumerBackend, OffsetSpec, OnUndelivered, Position, ProducerBackend,
    RebalanceListener, RecordToSend, Refused, Report, SeekTo,
};
use crate::embedded::EmbeddedBroker;
use crate::error::{ClientError, ErrorKind};
use crate::factory::{Backends, ConsumerSetup, ProducerSetup};
use crate::options::Bootstrap;
use crate::record::{Delivered, Record, TopicPartition, Undelivered};
use crate::signal::Signal;

/// A world of one partition a topic.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) world: Arc<World>,
    /// What producers and consumers were made of.
    pub(crate) producers: Mutex<Vec<ProducerSetup>>,
    pub(crate) consumers: Mutex<Vec<ConsumerSetup>>,
    pub(crate) last_producer: Mutex<Option<Arc<FakeProducer>>>,
    pub(crate) last_consumer: Mutex<Option<Arc<FakeConsumer>>>,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    topics: Mutex<HashMap<Arc<str>, Vec<Record>>>,
    changed: Signal,
    /// Topics whose records are accepted and stay unacknowledged.
    pub(crate) held: Mutex<BTreeSet<String>>,
    pub(crate) commits: Mutex<Vec<(TopicPartition, i64)>>,
}

impl World {
    pub(crate) fn records(&self, topic: &str) -> Vec<Record> {
        self.topics.lock().get(topic).cloned().unwrap_or_default()
    }

    pub(crate) fn values(&self, topic: &str) -> Vec<String> {
        let text = |record: &Record| {
            String::from_utf8(record.value.as_deref().unwrap_or_default().to_vec()).unwrap()
        };
        self.records(topic).iter().map(text).collect()
    }

    pub(crate) fn append(&self, topic: &str, value: &str) {
        let topic: Arc<str> = topic.into();
        let to_send = Waiting {
            topic,
            key: None,
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: Vec::new(),
            timestamp: 1,
            report: None,
        };
        self.write(&to_send);
    }

    fn write(&self, sent: &Waiting) -> Delivered {
        let mut topics = self.topics.lock();
        let log = topics.entry(Arc::clone(&sent.topic)).or_default();
        let offset = i64::try_from(log.len()).unwrap();
        log.push(Record {
            topic: Arc::clone(&sent.topic),
            partition: 0,
            offset,
            leader_epoch: -1,
            timestamp: sent.timestamp,
            key: sent.key.clone(),
            value: sent.value.clone(),
            headers: sent.headers.clone(),
        });
        drop(topics);
        self.changed.raise();
        Delivered { topic: Arc::clone(&sent.topic), partition: 0, offset, timestamp: sent.timestamp }
    }

    pub(crate) fn committed(&self, topic: &str) -> Option<i64> {
        self.commits.lock().iter().rev().find(|(place, _)| &*place.topic == topic).map(|(_, offset)| *offset)
    }
}

impl Backends for Fake {
    fn broker(&self, _: &Bootstrap) -> Result<Option<EmbeddedBroker>, ClientError> {
        Ok(None)
    }

    fn producer(
        &self,
        setup: &ProducerSetup,
        undelivered: Arc<dyn OnUndelivered>,
    ) -> Result<Arc<dyn ProducerBackend>, ClientError> {
        self.producers.lock().push(setup.clone());
        let producer = Arc::new(FakeProducer {
            world: Arc::clone(&self.world),
            waiting: Mutex::default(),
            capacity: Mutex::new(usize::MAX),
            room: Signal::default(),
            settled: Signal::default(),
            undelivered,
            closed: Mutex::new(false),
        });
        *self.last_producer.lock() = Some(Arc::clone(&producer));
        Ok(producer)
    }

    fn consumer(&self, setup: &ConsumerSetup) -> Result<Arc<dyn ConsumerBackend>, ClientError> {
        self.consumers.lock().push(setup.clone());
        let consumer = Arc::new(FakeConsumer {
            world: Arc::clone(&self.world),
            topic: Arc::clone(&setup.topic),
            next: Mutex::new(self.world.committed(&setup.topic).unwrap_or(0)),
            errors: Mutex::default(),
            listener: setup.listener.clone(),
            assigned: Signal::default(),
        });
        *self.last_consumer.lock() = Some(Arc::clone(&consumer));
        Ok(consumer)
    }
}

#[derive(Default)]
struct Waiting {
    topic: Arc<str>,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: crate::record::Headers,
    timestamp: i64,
    report: Option<Report>,
}

pub(crate) struct FakeProducer {
    world: Arc<World>,
    waiting: Mutex<VecDeque<Waiting>>,
    pub(crate) capacity: Mutex<usize>,
    room: Signal,
    settled: Signal,
    undelivered: Arc<dyn OnUndelivered>,
    closed: Mutex<bool>,
}

impl std::fmt::Debug for FakeProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeProducer")
    }
}

impl FakeProducer {
    /// Acknowledges what waits.
    pub(crate) fn acknowledge(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for mut sent in waiting {
            let delivered = self.world.write(&sent);
            if let Some(report) = sent.report.take() {
                report(Ok(delivered));
            }
        }
        self.room.raise();
        self.settled.raise();
    }

    /// Gives up what waits.
    pub(crate) fn fail(&self, kind: ErrorKind) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for mut sent in waiting {
            let reason = ClientError::new(kind, "sending", "the test says so");
            match sent.report.take() {
                Some(report) => report(Err(reason)),
                None => self.undelivered.undelivered(vec![Undelivered {
                    topic: sent.topic,
                    partition: None,
                    key: sent.key,
                    value: sent.value,
                    headers: sent.headers,
                    timestamp: sent.timestamp,
                    reason,
                }]),
            }
        }
        self.room.raise();
        self.settled.raise();
    }
}

impl ProducerBackend for FakeProducer {
    fn send(&self, record: &RecordToSend<'_>, report: Option<Report>) -> Result<(), Refused> {
        if *self.closed.lock() {
            return Err(Refused::Never(ClientError::new(ErrorKind::NotRunning, "sending", "it is closed")));
        }
        let mut waiting = self.waiting.lock();
        if waiting.len() >= *self.capacity.lock() {
            return Err(Refused::Full(report));
        }
        let copy = |part: Option<&[u8]>| part.map(Bytes::copy_from_slice);
        waiting.push_back(Waiting {
            topic: Arc::clone(record.topic),
            key: copy(record.key),
            value: copy(record.value),
            headers: record.headers.to_vec(),
            timestamp: record.timestamp.unwrap(),
            report,
        });
        drop(waiting);
        if !self.world.held.lock().contains(&**record.topic) {
            self.acknowledge();
        }
        Ok(())
    }

    fn room(&self) -> &Signal {
        &self.room
    }

    fn hurry(&self) {}

    fn unacknowledged(&self) -> usize {
        self.waiting.lock().len()
    }

    fn settled(&self) -> &Signal {
        &self.settled
    }

    fn close(&self, deadline: Instant) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.settled.wait_async(Some(deadline), || self.waiting.lock().is_empty().then_some(())).await;
            *self.closed.lock() = true;
            self.fail(ErrorKind::TimedOut);
        })
    }
}

#[derive(Debug)]
pub(crate) struct FakeConsumer {
    world: Arc<World>,
    topic: Arc<str>,
    next: Mutex<i64>,
    pub(crate) errors: Mutex<VecDeque<ClientError>>,
    pub(crate) listener: Option<Arc<dyn RebalanceListener>>,
    assigned: Signal,
}

impl FakeConsumer {
    fn place(&self) -> TopicPartition {
        TopicPartition { topic: Arc::clone(&self.topic), partition: 0 }
    }

    fn end(&self) -> i64 {
        i64::try_from(self.world.records(&self.topic).len()).unwrap()
    }
}

impl ConsumerBackend for FakeConsumer {
    fn try_next(&self) -> Option<Result<Record, ClientError>> {
        if let Some(error) = self.errors.lock().pop_front() {
            return Some(Err(error));
        }
        let mut next = self.next.lock();
        let record = self.world.records(&self.topic).get(usize::try_from(*next).unwrap()).cloned()?;
        *next += 1;
        Some(Ok(record))
    }

    fn arrived(&self) -> &Signal {
        &self.world.changed
    }

    fn depth(&self) -> usize {
        usize::try_from(self.end() - *self.next.lock()).unwrap()
    }

    fn commit(&self, what: Commit) -> BoxFuture<'_, Result<(), ClientError>> {
        let offsets = match what {
            Commit::HandedOut => vec![(self.place(), *self.next.lock())],
            Commit::Offsets(offsets) => offsets,
        };
        self.world.commits.lock().extend(offsets);
        Box::pin(std::future::ready(Ok(())))
    }

    fn assignment(&self) -> Vec<TopicPartition> {
        vec![self.place()]
    }

    fn assigned(&self) -> &Signal {
        &self.assigned
    }

    fn positions(&self) -> Vec<(TopicPartition, Position)> {
        let next = *self.next.lock();
        vec![(self.place(), Position { next, lag: Some(self.end() - next) })]
    }

    fn seek(&self, _: Option<Vec<TopicPartition>>, to: SeekTo) -> BoxFuture<'_, Result<(), ClientError>> {
        *self.next.lock() = match to {
            SeekTo::Offset(offset) => offset,
            SeekTo::Found(OffsetSpec::Latest) => self.end(),
            SeekTo::Found(_) => 0,
        };
        Box::pin(std::future::ready(Ok(())))
    }

    fn pause(&self, _: Option<&[TopicPartition]>) {}

    fn resume(&self, _: Option<&[TopicPartition]>) {}

    fn committed(
        &self,
        partitions: Vec<TopicPartition>,
    ) -> BoxFuture<'_, Result<Vec<(TopicPartition, Option<i64>)>, ClientError>> {
        let committed = self.world.committed(&self.topic);
        Box::pin(std::future::ready(Ok(partitions.into_iter().map(|place| (place, committed)).collect())))
    }

    fn offsets(
        &self,
        partitions: Vec<TopicPartition>,
        _: OffsetSpec,
    ) -> BoxFuture<'_, Result<Vec<(TopicPartition, Option<i64>)>, ClientError>> {
        Box::pin(std::future::ready(Ok(partitions.into_iter().map(|place| (place, Some(0))).collect())))
    }

    fn close(&self, _: Instant) -> BoxFuture<'_, Result<(), ClientError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
