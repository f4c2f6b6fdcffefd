//! Dead letters: records that cannot be used go to a topic of their own, with the reason in their headers, and their place in
//! the source is not committed before they have arrived there.
//!
//! Knows nothing of why a record cannot be used.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::backend::{ConsumerBackend, OnUndelivered, ProducerBackend, RecordToSend, Refused, Report};
use crate::config::SubscriberConfig;
use crate::details::now_millis;
use crate::error::ClientError;
use crate::factory::{Backends, ProducerSetup};
use crate::metrics::SubscriberMeters;
use crate::options::{Acks, ProducerOptions};
use crate::record::{Headers, Record, TopicPartition, Undelivered};
use crate::signal::Signal;

/// The headers that a dead letter has beside its own: where it was read, when it was written, and what is wrong with it. Their
/// values are texts. A record that was a dead letter before keeps the older ones; the last of a name is the newest.
pub const DEAD_LETTER_HEADERS: [&str; 5] = [
    "dead_letter.topic",
    "dead_letter.partition",
    "dead_letter.offset",
    "dead_letter.timestamp",
    "dead_letter.error",
];

/// The longest reason that goes into a header, in bytes: a broker bounds the whole record.
const LONGEST_REASON: usize = 4096;
/// Beyond what the record itself may have, its dead letter has these headers.
const MOST_REQUEST: usize = 64 * 1024 * 1024;

/// What was taken from the library, and what of it must not be committed yet.
#[derive(Debug, Default)]
struct Ledger {
    /// The offset behind the last record that was taken, by partition.
    taken: HashMap<TopicPartition, i64>,
    /// Records that were taken and are neither with the program nor in the dead-letter topic.
    open: HashMap<TopicPartition, BTreeSet<i64>>,
    /// What was committed last.
    committed: HashMap<TopicPartition, i64>,
}

impl Ledger {
    fn open(&mut self, record: &Record) {
        let place = place(record);
        self.taken.insert(place.clone(), record.offset.saturating_add(1));
        self.open.entry(place).or_default().insert(record.offset);
    }

    fn close(&mut self, place: &TopicPartition, offset: i64) {
        if let Some(open) = self.open.get_mut(place) {
            open.remove(&offset);
        }
    }

    /// Up to where a partition may be committed.
    fn safe(&self, place: &TopicPartition, wanted: i64) -> i64 {
        let open = self.open.get(place).and_then(BTreeSet::first).copied();
        open.map_or(wanted, |open| wanted.min(open))
    }

    fn safe_offsets(&self) -> Vec<(TopicPartition, i64)> {
        self.taken.iter().map(|(place, taken)| (place.clone(), self.safe(place, *taken))).collect()
    }

    fn forget(&mut self, place: &TopicPartition) {
        self.taken.remove(place);
        self.open.remove(place);
        self.committed.remove(place);
    }
}

fn place(record: &Record) -> TopicPartition {
    TopicPartition { topic: Arc::clone(&record.topic), partition: record.partition }
}

/// A record on its way to the dead-letter topic, with what is wrong with it.
#[derive(Debug)]
struct Letter {
    record: Record,
    error: ClientError,
}

/// A subscriber's dead letters.
#[derive(Debug)]
pub(crate) struct Letters {
    topic: Arc<str>,
    producer: Arc<dyn ProducerBackend>,
    consumer: Arc<dyn ConsumerBackend>,
    ledger: Mutex<Ledger>,
    /// Letters that the producer has no room for yet. While there are any, nothing more is taken.
    waiting: Mutex<VecDeque<Letter>>,
    /// Letters that could not be delivered: handed to the program as errors.
    failed: Mutex<VecDeque<Letter>>,
    /// Letters that are with the producer.
    travelling: AtomicU64,
    arrived: Signal,
    delivered: AtomicU64,
    meters: SubscriberMeters,
}

/// Letters have reports; nothing comes here.
#[derive(Debug)]
struct Nobody;

impl OnUndelivered for Nobody {
    fn undelivered(&self, _: Vec<Undelivered>) {}
}

impl Letters {
    pub(crate) fn start(
        topic: Arc<str>,
        config: &SubscriberConfig,
        backends: &dyn Backends,
        consumer: Arc<dyn ConsumerBackend>,
        meters: SubscriberMeters,
    ) -> Result<Arc<Self>, ClientError> {
        let producer = ProducerOptions {
            acks: Acks::All,
            retries: u32::try_from(i32::MAX).unwrap_or_default(),
            max_request_size: MOST_REQUEST,
            ..ProducerOptions::default()
        };
        let setup = ProducerSetup { library: config.library, client: config.client.clone(), producer };
        Ok(Arc::new(Letters {
            topic,
            producer: backends.producer(&setup, Arc::new(Nobody))?,
            consumer,
            ledger: Mutex::default(),
            waiting: Mutex::default(),
            failed: Mutex::default(),
            travelling: AtomicU64::new(0),
            arrived: Signal::default(),
            delivered: AtomicU64::new(0),
            meters,
        }))
    }

    /// How many have arrived.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Takes the next record from the library, remembering that it is nowhere yet. Ok(None) also while letters wait for room.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Option<Record>, ClientError> {
        if let Some(Letter { record, error }) = self.failed.lock().pop_front() {
            self.handed_out(&record);
            return Err(error.with_record(record));
        }
        if !self.pump() {
            return Ok(None);
        }
        // Taken and noted under one lock, so that no commit comes in between.
        let mut ledger = self.ledger.lock();
        let record = self.consumer.try_next().transpose()?;
        if let Some(record) = &record {
            ledger.open(record);
        }
        Ok(record)
    }

    /// The program has the record, or an error with it: it may be committed.
    pub(crate) fn handed_out(&self, record: &Record) {
        self.ledger.lock().close(&place(record), record.offset);
    }

    /// Sends a record to the dead-letter topic. Its place in the source is not committed before it has arrived.
    pub(crate) fn post(self: &Arc<Self>, record: Record, error: ClientError) {
        self.ledger.lock().open.entry(place(&record)).or_default().insert(record.offset);
        self.waiting.lock().push_back(Letter { record, error });
        self.pump();
    }

    /// Whether nothing waits for room.
    pub(crate) fn flows(&self) -> bool {
        self.waiting.lock().is_empty()
    }

    /// Raised when letters may find room.
    pub(crate) fn room(&self) -> &Signal {
        self.producer.room()
    }

    /// Hands letters to the producer as far as it has room. True if none wait any more.
    fn pump(self: &Arc<Self>) -> bool {
        let mut waiting = self.waiting.lock();
        while let Some(letter) = waiting.front() {
            match self.send(letter) {
                Ok(()) => drop(waiting.pop_front()),
                Err(Refused::Full(_)) => return false,
                Err(Refused::Never(reason)) => {
                    if let Some(letter) = waiting.pop_front() {
                        self.fail(letter.record, letter.error, &reason);
                    }
                }
            }
        }
        true
    }

    fn send(self: &Arc<Self>, letter: &Letter) -> Result<(), Refused> {
        let Letter { record, error } = letter;
        let headers = headers(record, error);
        let to_send = RecordToSend {
            topic: &self.topic,
            partition: None,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
            timestamp: Some(now_millis()),
        };
        let (letters, kept) = (Arc::downgrade(self), Letter { record: record.clone(), error: error.clone() });
        let report: Report = Box::new(move |outcome| {
            if let Some(letters) = Weak::upgrade(&letters) {
                letters.told(kept, outcome.err());
            }
        });
        self.travelling.fetch_add(1, Ordering::AcqRel);
        self.producer.send(&to_send, Some(report)).inspect_err(|_| {
            self.travelling.fetch_sub(1, Ordering::AcqRel);
        })
    }

    /// A letter has arrived, or will not.
    fn told(&self, letter: Letter, reason: Option<ClientError>) {
        match reason {
            None => {
                self.handed_out(&letter.record);
                self.delivered.fetch_add(1, Ordering::Relaxed);
                self.meters.dead_letters.increment(1);
            }
            Some(reason) => self.fail(letter.record, letter.error, &reason),
        }
        self.travelling.fetch_sub(1, Ordering::AcqRel);
        self.arrived.raise();
    }

    fn fail(&self, record: Record, error: ClientError, reason: &ClientError) {
        tracing::warn!(topic = %record.topic, partition = record.partition, offset = record.offset, %reason, "a dead letter was not delivered; the program gets it");
        let error = error.remedy(format!(
            "and the dead-letter topic '{}' did not take it: {}",
            self.topic,
            reason.why()
        ));
        self.failed.lock().push_back(Letter { record, error });
        // Whoever waits for a record gets this one.
        self.consumer.arrived().raise();
    }

    fn settled(self: &Arc<Self>) -> Option<()> {
        (self.pump() && self.travelling.load(Ordering::Acquire) == 0).then_some(())
    }

    /// Waits until every letter has arrived or failed.
    pub(crate) async fn settle(self: &Arc<Self>, deadline: Instant) {
        self.producer.hurry();
        loop {
            let stuck = !self.pump();
            let signal = if stuck { self.producer.room() } else { &self.arrived };
            let settled = signal.wait_async(Some(deadline), || {
                self.settled().map(|()| true).or_else(|| (stuck && self.flows()).then_some(false))
            });
            match settled.await {
                Some(false) => {}
                Some(true) | None => return,
            }
        }
    }

    /// What may be committed now.
    pub(crate) fn safe_offsets(&self) -> Vec<(TopicPartition, i64)> {
        self.ledger.lock().safe_offsets()
    }

    /// Up to where a partition may be committed, if that is what is wanted.
    pub(crate) fn safe(&self, place: &TopicPartition, wanted: i64) -> i64 {
        self.ledger.lock().safe(place, wanted)
    }

    /// What may be committed and has not been.
    pub(crate) fn uncommitted(&self) -> Vec<(TopicPartition, i64)> {
        let ledger = self.ledger.lock();
        let new = |(place, offset): &(TopicPartition, i64)| ledger.committed.get(place) != Some(offset);
        ledger.safe_offsets().into_iter().filter(new).collect()
    }

    pub(crate) fn committed(&self, offsets: &[(TopicPartition, i64)]) {
        self.ledger.lock().committed.extend(offsets.iter().cloned());
    }

    /// Reading goes on elsewhere in these partitions, or they are another member's.
    pub(crate) fn forget(&self, places: &[TopicPartition]) {
        let mut ledger = self.ledger.lock();
        for place in places {
            ledger.forget(place);
        }
    }

    /// Ends: what has not arrived by the deadline is failed.
    pub(crate) async fn close(self: &Arc<Self>, deadline: Instant) {
        self.settle(deadline).await;
        self.producer.close(deadline).await;
    }
}

/// The headers of a dead letter: the record's own, and what happened.
fn headers(record: &Record, error: &ClientError) -> Headers {
    let mut reason = error.to_string();
    if reason.len() > LONGEST_REASON {
        let end = (0..=LONGEST_REASON).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
        reason.truncate(end);
    }
    let texts = [
        record.topic.to_string(),
        record.partition.to_string(),
        record.offset.to_string(),
        record.timestamp.to_string(),
        reason,
    ];
    let mut headers = record.headers.clone();
    headers.extend(
        DEAD_LETTER_HEADERS
            .iter()
            .zip(texts)
            .map(|(name, text)| ((*name).to_owned(), Some(Bytes::from(text)))),
    );
    headers
}
