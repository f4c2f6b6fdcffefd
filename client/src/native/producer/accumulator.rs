//! Where records wait: taken in by any thread, encoded at once into the batch of their partition, taken out by the sender.
//!
//! A record costs a read lock on the table of topics, one short lock on its partition and no allocation. The sender is told
//! of a partition when it has the first record and when a batch is full, and of nothing in between.
//!
//! Lock order: the table, then a topic's waiting records, then a partition, then the inbox or the buffers (both leaves).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use klamm_protocol::batch::RecordParts;
use parking_lot::RwLock;

use super::budget::Budget;
use super::inbox::Inbox;
use super::partition::{Offer, Partition, Put, REPORT_OVERHEAD};
use super::partitioner::{self, Choice, Dice};
use super::settings::Settings;
use super::table::{Table, Topic, Waiting};
use crate::backend::{RecordToSend, Refused, Report};
use crate::error::{ClientError, ErrorKind};
use crate::signal::Signal;

/// Topics that a producer may send to.
const MAX_TOPICS: usize = 100_000;

/// What a record that waits for its topic costs beside its bytes.
const WAITING_OVERHEAD: usize = 200;

/// All that the threads that send and the sender share.
#[derive(Debug)]
pub(super) struct Accumulator {
    pub(super) settings: Settings,
    pub(super) budget: Budget,
    pub(super) inbox: Inbox,
    /// Raised when a partition, or what waits for a topic, has been settled.
    pub(super) settled: Signal,
    table: RwLock<Table>,
    dice: Dice,
}

impl Accumulator {
    pub(super) fn new(settings: Settings) -> Self {
        Accumulator {
            budget: Budget::new(settings.buffer_memory),
            settings,
            inbox: Inbox::default(),
            settled: Signal::default(),
            table: RwLock::default(),
            dice: Dice::new(),
        }
    }

    /// Accepts a record, or says why not. `now` is asked for where a batch begins.
    #[inline]
    pub(super) fn send(
        &self,
        record: &RecordToSend<'_>,
        report: Option<Report>,
        number: Option<u64>,
        now: &dyn Fn() -> Instant,
    ) -> Result<(), Refused> {
        let mut offer = Offer { number, ..self.offer(self.parts(record)?, report, now) };
        loop {
            let table = self.table.read();
            if table.closed {
                return Err(Refused::Never(not_running(record.topic)));
            }
            let Some(topic) = table.find(record.topic) else {
                drop(table);
                self.meet(record.topic)?;
                continue;
            };
            let done = match self.place(topic, record.partition, record.key) {
                Some(Choice::Partition(number)) => self.put_at(topic, Some(number), &mut offer),
                Some(Choice::Any) => self.put_at(topic, topic.by_chance(&self.dice), &mut offer),
                Some(Choice::Sticky) => self.put_sticky(topic, &mut offer),
                None => None,
            };
            return match done {
                Some(Put::Done | Put::Tell) => Ok(()),
                Some(Put::Full | Put::Elsewhere(_)) => {
                    self.starve(offer.parts.size_alone() + REPORT_OVERHEAD);
                    Err(Refused::Full(offer.report))
                }
                None => self.wait(topic, table.index(&topic.name), record.partition, offer),
            };
        }
    }

    /// Checks what can be checked of a record by itself.
    #[inline]
    fn parts<'a>(&self, record: &RecordToSend<'a>) -> Result<RecordParts<'a>, Refused> {
        let timestamp = record.timestamp.unwrap_or_else(wall_clock);
        let never = |kind, why: String, remedy: &str| {
            let error = ClientError::new(kind, format!("publishing to '{}'", record.topic), why);
            Err(Refused::Never(error.remedy(remedy)))
        };
        if timestamp < 0 {
            let why = format!("its timestamp is {timestamp}");
            return never(ErrorKind::InvalidArgument, why, "give milliseconds since 1970, or none");
        }
        if let Some(partition) = record.partition.filter(|partition| *partition < 0) {
            let why = format!("there is no partition {partition}");
            return never(ErrorKind::InvalidArgument, why, "give a number from 0 on, or none");
        }
        let parts = RecordParts { timestamp, key: record.key, value: record.value, headers: record.headers };
        let size = parts.size_alone();
        if size > self.settings.max_request_size {
            let why =
                format!("it has {size} bytes, and max_request_size is {}", self.settings.max_request_size);
            return never(ErrorKind::TooLarge, why, "send less at a time, or raise max_request_size");
        }
        if size.saturating_add(REPORT_OVERHEAD) > self.budget.limit() {
            let why = format!("it has {size} bytes, and buffer_memory is {}", self.budget.limit());
            return never(ErrorKind::TooLarge, why, "send less at a time, or raise buffer_memory");
        }
        Ok(parts)
    }

    /// Where a record goes; none while that is not known.
    #[inline]
    fn place(&self, topic: &Topic, partition: Option<i32>, key: Option<&[u8]>) -> Option<Choice> {
        let count = topic.partitions.len();
        if count == 0 {
            return None;
        }
        match partition {
            Some(partition) => {
                let number = usize::try_from(partition).ok().filter(|number| *number < count)?;
                Some(Choice::Partition(number))
            }
            None => Some(partitioner::choose(self.settings.partitioner, key, count)),
        }
    }

    #[inline]
    fn offer<'a>(
        &'a self,
        parts: RecordParts<'a>,
        report: Option<Report>,
        now: &'a dyn Fn() -> Instant,
    ) -> Offer<'a> {
        Offer { parts, report, number: None, now, settings: &self.settings, budget: &self.budget }
    }

    #[inline]
    fn put_at(&self, topic: &Topic, number: Option<usize>, offer: &mut Offer<'_>) -> Option<Put> {
        Some(self.put(topic.partitions.get(number?)?, offer, false))
    }

    /// Puts a record without a key where those before it went, or elsewhere once a batch has ended there.
    #[inline]
    fn put_sticky(&self, topic: &Topic, offer: &mut Offer<'_>) -> Option<Put> {
        let present = topic.sticky.load(Ordering::Relaxed);
        match self.put(topic.partitions.get(present)?, offer, true) {
            Put::Elsewhere(_) => {
                let next = topic.next_sticky(present, &self.dice);
                topic.sticky.store(next, Ordering::Relaxed);
                self.put_at(topic, Some(next), offer)
            }
            done => Some(done),
        }
    }

    /// Puts a record into a partition, and tells the sender where that is needed, once nothing is locked that it waits for.
    #[inline]
    fn put(&self, partition: &Partition, offer: &mut Offer<'_>, sticky: bool) -> Put {
        let put = partition.put(offer, sticky);
        if matches!(put, Put::Tell | Put::Elsewhere(true)) {
            self.inbox.partition(partition.track);
        }
        put
    }

    /// Has a topic that is new looked for.
    fn meet(&self, name: &Arc<str>) -> Result<(), Refused> {
        let mut table = self.table.write();
        if table.closed {
            return Err(Refused::Never(not_running(name)));
        }
        if table.by_name.contains_key(name) {
            return Ok(());
        }
        let at = table.topics.len();
        if at >= MAX_TOPICS {
            let asked = format!("publishing to '{name}'");
            let why = format!("this producer sends to {MAX_TOPICS} topics already");
            return Err(Refused::Never(
                ClientError::new(ErrorKind::InvalidArgument, asked, why).remedy("use another producer"),
            ));
        }
        table.topics.push(Topic::new(Arc::clone(name)));
        table.by_name.insert(Arc::clone(name), at);
        drop(table);
        self.inbox.topic(at);
        Ok(())
    }

    /// Keeps a record until its partition is known.
    fn wait(
        &self,
        topic: &Topic,
        at: Option<usize>,
        partition: Option<i32>,
        offer: Offer<'_>,
    ) -> Result<(), Refused> {
        let parts = &offer.parts;
        // A single one always finds room, even if it has the size of the whole buffer.
        let charged = (parts.size_alone() + WAITING_OVERHEAD + REPORT_OVERHEAD).min(self.budget.limit());
        if !self.budget.take(charged) {
            self.starve(charged);
            return Err(Refused::Full(offer.report));
        }
        let mut waiting = topic.waiting.lock();
        waiting.push_back(Waiting {
            partition,
            key: parts.key.map(Bytes::copy_from_slice),
            value: parts.value.map(Bytes::copy_from_slice),
            headers: parts.headers.to_vec(),
            timestamp: parts.timestamp,
            report: offer.report,
            number: offer.number,
            accepted: (offer.now)(),
            charged,
            looked_for: false,
        });
        topic.waiting_count.fetch_add(1, Ordering::SeqCst);
        let first = waiting.len() == 1;
        drop(waiting);
        if let Some(at) = at.filter(|_| first) {
            self.inbox.topic(at);
        }
        Ok(())
    }

    /// Puts a record that has waited into its partition, or gives it back where that is not there. To be called with the
    /// table held, so that nobody else takes the room that it gives up for a moment.
    pub(super) fn put_waited(&self, topic: &Topic, mut waited: Waiting) -> Option<Waiting> {
        let Some(place) = self.place(topic, waited.partition, waited.key.as_deref()) else {
            return Some(waited);
        };
        self.budget.give(std::mem::take(&mut waited.charged));
        let (report, accepted) = (waited.report.take(), waited.accepted);
        let now = || accepted;
        let parts = RecordParts {
            timestamp: waited.timestamp,
            key: waited.key.as_deref(),
            value: waited.value.as_deref(),
            headers: &waited.headers,
        };
        let mut offer = Offer { number: waited.number, ..self.offer(parts, report, &now) };
        let done = match place {
            Choice::Partition(number) => self.put_at(topic, Some(number), &mut offer),
            Choice::Any => self.put_at(topic, topic.by_chance(&self.dice), &mut offer),
            Choice::Sticky => self.put_sticky(topic, &mut offer),
        };
        match done {
            Some(Put::Done | Put::Tell) => None,
            _ => {
                let report = offer.report;
                Some(Waiting { report, ..waited })
            }
        }
    }

    /// Says that somebody finds no room, so that nothing lingers.
    ///
    /// `bytes` is no less than what would have been taken: if there is so much now, the next attempt succeeds.
    fn starve(&self, bytes: usize) {
        self.budget.starve(bytes);
        self.inbox.starved();
    }

    /// Records that were accepted and are not settled.
    pub(super) fn outstanding(&self) -> usize {
        let table = self.table.read();
        let of_topic = |topic: &Topic| {
            // First those that wait: a record that moves on meanwhile is counted twice, and never not at all.
            let waiting = topic.waiting_count.load(Ordering::SeqCst);
            waiting + topic.partitions.iter().map(|partition| partition.outstanding()).sum::<usize>()
        };
        table.topics.iter().map(of_topic).sum()
    }

    /// Counts records of a partition as settled.
    pub(super) fn settle(&self, partition: &Partition, records: u64) {
        if partition.settle(records) {
            self.settled.raise();
        }
    }

    /// Counts the records that wait for a topic anew, after some have been settled or have found their partitions.
    pub(super) fn count_waiting(&self, at: usize) {
        let table = self.table.read();
        let Some(topic) = table.topics.get(at) else { return };
        let waiting = topic.waiting.lock();
        topic.waiting_count.store(waiting.len(), Ordering::SeqCst);
        if waiting.is_empty() {
            drop(waiting);
            self.settled.raise();
        }
    }

    /// Accepts nothing from now on; who is about to send has been waited for.
    pub(super) fn shut(&self) {
        self.table.write().closed = true;
    }

    /// Runs with the table, while nobody sends.
    pub(super) fn with_table<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        change(&mut self.table.write())
    }
}

/// That the producer has been closed.
pub(super) fn not_running(topic: &str) -> ClientError {
    ClientError::new(
        ErrorKind::NotRunning,
        format!("publishing to '{topic}'"),
        "the publisher has been stopped",
    )
    .remedy("start another")
}

fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Faster than by way of 128 bits, and no clock is set to a time that does not fit.
    since.as_secs() as i64 * 1000 + i64::from(since.subsec_millis())
}
