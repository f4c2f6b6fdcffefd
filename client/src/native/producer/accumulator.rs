//! Where records wait: taken in by any thread, encoded at once into the batch of their partition, taken out by the sender.
//!
//! A record costs a read lock on the table of topics, one short lock on its partition and no allocation. The sender is told
//! of a partition when it has the first record and when a batch is full, and of nothing in between.
//!
//! Lock order: the table, then a topic's waiting records, then a partition, then the inbox or the buffers (both leaves).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use klamm_protocol::batch::{BatchBuilder, HEADER_BYTES, RecordParts};
use parking_lot::{Mutex, MutexGuard, RwLock};

use super::batch::Filling;
use super::budget::Budget;
use super::inbox::Inbox;
use super::partitioner::{self, Choice, Dice};
use super::settings::Settings;
use crate::backend::{RecordToSend, Refused, Report};
use crate::error::{ClientError, ErrorKind};
use crate::record::Headers;
use crate::signal::Signal;

/// Topics that a producer may send to.
const MAX_TOPICS: usize = 100_000;

/// Topics that are found by their address, before names are compared.
const FOUND_AT_ONCE: usize = 4;

/// What a record that waits for its topic costs beside its bytes.
const WAITING_OVERHEAD: usize = 200;

/// What a report costs: the box, what it holds, and its place.
const REPORT_OVERHEAD: usize = 96;

/// A batch's share of memory grows by so much.
const CHARGE_STEP: usize = 4096;

/// A partition's next batch gets this much room at least.
const LEAST_BUFFER: usize = 512;

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

/// Topics, in the order in which they were met. They are never removed.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) topics: Vec<Topic>,
    by_name: HashMap<Arc<str>, usize>,
    /// Nothing is accepted any more.
    pub(super) closed: bool,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    /// None at first: they are not known yet.
    pub(super) partitions: Vec<Arc<Partition>>,
    /// Those that have a leader.
    pub(super) available: Vec<usize>,
    /// Where records without a key go now.
    sticky: AtomicUsize,
    pub(super) waiting: Mutex<VecDeque<Waiting>>,
    /// How many records wait, or are being settled after having waited; written under the lock on them.
    waiting_count: AtomicUsize,
}

/// A record whose partition is not known yet.
pub(super) struct Waiting {
    pub(super) partition: Option<i32>,
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) headers: Headers,
    pub(super) timestamp: i64,
    pub(super) report: Option<Report>,
    pub(super) accepted: Instant,
    pub(super) charged: usize,
    /// News of the topic have come since that had no such partition.
    pub(super) looked_for: bool,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("partition", &self.partition).finish_non_exhaustive()
    }
}

/// A partition's records that the sender has not taken yet.
#[derive(Debug)]
pub(super) struct Partition {
    /// The sender's number for it.
    pub(super) track: usize,
    pub(super) number: i32,
    queue: Mutex<Queue>,
    /// Records accepted so far; written under the lock.
    accepted: AtomicU64,
    /// Records settled so far; written by the sender.
    settled: AtomicU64,
}

#[derive(Debug)]
struct Queue {
    /// Takes records.
    open: Option<Filling>,
    /// Take no more, oldest first.
    closed: VecDeque<Filling>,
    /// The sender knows that there is something.
    told: bool,
    /// The sender knows that there is something closed.
    told_closed: bool,
    /// Bytes of records without a key since the partition was chosen for them.
    sticky_bytes: usize,
    /// What the last batch came to: the next may be like it.
    usual: usize,
}

/// What the sender sees of a partition's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peek {
    Nothing,
    /// A batch that takes no more, of this size.
    Closed(usize),
    /// A batch that still takes records: its age, and its size.
    Open(Instant, usize),
}

/// A record that is to be taken in.
struct Offer<'a> {
    parts: RecordParts<'a>,
    report: Option<Report>,
    /// The time, where it is needed.
    now: &'a dyn Fn() -> Instant,
}

impl Offer<'_> {
    /// What it takes beside its bytes.
    #[inline]
    fn overhead(&self) -> usize {
        if self.report.is_some() { REPORT_OVERHEAD } else { 0 }
    }
}

/// What became of a record.
enum Put {
    Done,
    Full,
    /// A batch has ended: the next partition's turn.
    Elsewhere,
}

impl Partition {
    fn new(track: usize, number: i32) -> Self {
        let queue = Queue {
            open: None,
            closed: VecDeque::new(),
            told: false,
            told_closed: false,
            sticky_bytes: 0,
            usual: LEAST_BUFFER,
        };
        Partition {
            track,
            number,
            queue: Mutex::new(queue),
            accepted: AtomicU64::new(0),
            settled: AtomicU64::new(0),
        }
    }

    /// Counts a record as accepted. To be called with the queue locked.
    #[inline]
    fn count_one(&self) {
        self.accepted.store(self.accepted.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Records that were accepted and are not settled.
    pub(super) fn outstanding(&self) -> usize {
        // In this order: what is settled has been accepted before.
        let settled = self.settled.load(Ordering::Acquire);
        let accepted = self.accepted.load(Ordering::Acquire);
        usize::try_from(accepted.saturating_sub(settled)).unwrap_or(usize::MAX)
    }

    pub(super) fn peek(&self) -> Peek {
        let queue = self.queue.lock();
        match (queue.closed.front(), &queue.open) {
            (Some(closed), _) => Peek::Closed(closed.builder.size()),
            (None, Some(open)) => Peek::Open(open.created, open.builder.size()),
            (None, None) => Peek::Nothing,
        }
    }

    /// The oldest batch, even if it could take more.
    pub(super) fn take(&self) -> Option<Filling> {
        let mut queue = self.queue.lock();
        let taken = queue.closed.pop_front().or_else(|| queue.open.take());
        if let Some(taken) = &taken {
            queue.usual = taken.builder.size().max(queue.usual / 2);
        }
        queue.told_closed = !queue.closed.is_empty();
        queue.told = queue.told_closed || queue.open.is_some();
        taken
    }

    /// When the oldest record was accepted.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let queue = self.queue.lock();
        queue.closed.front().or(queue.open.as_ref()).map(|filling| filling.created)
    }

    /// Has the batch that is being filled go out as it is.
    pub(super) fn cut(&self) {
        let mut queue = self.queue.lock();
        if let Some(open) = queue.open.take() {
            queue.closed.push_back(open);
            queue.told_closed = true;
        }
    }
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
        now: &dyn Fn() -> Instant,
    ) -> Result<(), Refused> {
        let mut offer = Offer { parts: self.parts(record)?, report, now };
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
                Some(Put::Done) => Ok(()),
                Some(Put::Full | Put::Elsewhere) => {
                    self.starve();
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
    fn put_at(&self, topic: &Topic, number: Option<usize>, offer: &mut Offer<'_>) -> Option<Put> {
        Some(self.put(topic.partitions.get(number?)?, offer, false))
    }

    /// Puts a record without a key where those before it went, or elsewhere once a batch has ended there.
    #[inline]
    fn put_sticky(&self, topic: &Topic, offer: &mut Offer<'_>) -> Option<Put> {
        let present = topic.sticky.load(Ordering::Relaxed);
        match self.put(topic.partitions.get(present)?, offer, true) {
            Put::Elsewhere => {
                let next = topic.next_sticky(present, &self.dice);
                topic.sticky.store(next, Ordering::Relaxed);
                self.put_at(topic, Some(next), offer)
            }
            done => Some(done),
        }
    }

    /// Encodes a record into its partition's batch. `sticky`: it may as well go elsewhere.
    #[inline]
    fn put(&self, partition: &Partition, offer: &mut Offer<'_>, sticky: bool) -> Put {
        let mut queue = partition.queue.lock();
        if let Some(open) = &mut queue.open {
            let measured = open.builder.measure(&offer.parts);
            if open.builder.size() + measured.size <= self.settings.batch_size {
                if !open.charge(measured.size + offer.overhead(), CHARGE_STEP, &self.budget) {
                    return Put::Full;
                }
                open.push(&offer.parts, measured, &mut offer.report);
                let full = open.builder.count() >= self.settings.batch_records;
                queue.sticky_bytes += measured.size;
                partition.count_one();
                if full {
                    self.end_full(queue, partition);
                }
                return Put::Done;
            }
        }
        self.put_first(queue, partition, offer, sticky)
    }

    /// Ends a batch that has as many records as it may have.
    #[cold]
    fn end_full(&self, mut queue: MutexGuard<'_, Queue>, partition: &Partition) {
        let mut tell = false;
        queue.end_open(&mut tell);
        drop(queue);
        if tell {
            self.inbox.partition(partition.track);
        }
    }

    /// Goes on with a new batch, or elsewhere.
    fn put_first(
        &self,
        mut queue: MutexGuard<'_, Queue>,
        partition: &Partition,
        offer: &mut Offer<'_>,
        sticky: bool,
    ) -> Put {
        let mut tell = false;
        let mut put = Put::Done;
        let ended = queue.end_open(&mut tell);
        if sticky && (ended || queue.sticky_bytes >= self.settings.batch_size) {
            put = Put::Elsewhere;
            queue.sticky_bytes = 0;
        } else if let Some(filling) = self.first(&queue, partition, offer) {
            let (size, count) = (filling.builder.size(), filling.builder.count());
            queue.sticky_bytes += size - HEADER_BYTES;
            queue.open = Some(filling);
            partition.count_one();
            tell |= !std::mem::replace(&mut queue.told, true);
            if size >= self.settings.batch_size || count >= self.settings.batch_records {
                queue.end_open(&mut tell);
            }
        } else {
            put = Put::Full;
        }
        drop(queue);
        if tell {
            self.inbox.partition(partition.track);
        }
        put
    }

    /// A batch with this record, if there is room for it.
    fn first(&self, queue: &Queue, partition: &Partition, offer: &mut Offer<'_>) -> Option<Filling> {
        let size = offer.parts.size_alone();
        let used = size + offer.overhead();
        let mut charged = used.max(CHARGE_STEP.min(self.settings.batch_size));
        if !self.budget.take(charged) {
            charged = used;
            if !self.budget.take(charged) {
                return None;
            }
        }
        let most = self.settings.batch_size.max(LEAST_BUFFER);
        let buffer = self.budget.buffer(queue.usual.clamp(LEAST_BUFFER, most).max(size));
        let number = partition.accepted.load(Ordering::Relaxed);
        let mut filling = Filling::new(BatchBuilder::new(buffer), number, (offer.now)(), charged, used);
        let measured = filling.builder.measure(&offer.parts);
        filling.push(&offer.parts, measured, &mut offer.report);
        Some(filling)
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
            self.starve();
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
    pub(super) fn put_waited(&self, topic: &Topic, mut waited: Waiting) -> Result<(), Waiting> {
        let Some(place) = self.place(topic, waited.partition, waited.key.as_deref()) else {
            return Err(waited);
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
        let mut offer = Offer { parts, report, now: &now };
        let done = match place {
            Choice::Partition(number) => self.put_at(topic, Some(number), &mut offer),
            Choice::Any => self.put_at(topic, topic.by_chance(&self.dice), &mut offer),
            Choice::Sticky => self.put_sticky(topic, &mut offer),
        };
        match done {
            Some(Put::Done) => Ok(()),
            _ => {
                let report = offer.report;
                Err(Waiting { report, ..waited })
            }
        }
    }

    /// Says that somebody found no room, so that nothing lingers.
    fn starve(&self) {
        if self.budget.starve() {
            self.inbox.starved();
        }
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
        partition.settled.fetch_add(records, Ordering::SeqCst);
        if partition.outstanding() == 0 {
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

impl Queue {
    /// Ends the batch that is being filled, if there is one. Sets `tell` if the sender has to be told.
    fn end_open(&mut self, tell: &mut bool) -> bool {
        let Some(open) = self.open.take() else { return false };
        self.closed.push_back(open);
        *tell |= !std::mem::replace(&mut self.told_closed, true);
        self.told = true;
        true
    }
}

impl Table {
    #[inline]
    fn find(&self, name: &Arc<str>) -> Option<&Topic> {
        let same = |topic: &&Topic| Arc::ptr_eq(&topic.name, name);
        self.topics
            .iter()
            .take(FOUND_AT_ONCE)
            .find(same)
            .or_else(|| self.topics.get(*self.by_name.get(name)?))
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

impl Topic {
    fn new(name: Arc<str>) -> Self {
        Topic {
            name,
            partitions: Vec::new(),
            available: Vec::new(),
            sticky: AtomicUsize::new(0),
            waiting: Mutex::default(),
            waiting_count: AtomicUsize::new(0),
        }
    }

    /// Adds a partition, the sender's number for which is `track`.
    pub(super) fn add_partition(&mut self, track: usize) -> Arc<Partition> {
        let number = i32::try_from(self.partitions.len()).unwrap_or(i32::MAX);
        let partition = Arc::new(Partition::new(track, number));
        self.partitions.push(Arc::clone(&partition));
        partition
    }

    /// Begins with any partition.
    pub(super) fn start_sticky(&self, chance: usize) {
        let at = self.choice(chance % self.choices().max(1)).unwrap_or(0);
        self.sticky.store(at, Ordering::Relaxed);
    }

    /// Moves records without a key away from a partition that has lost its leader.
    pub(super) fn mend_sticky(&self, chance: usize) {
        if !self.available.is_empty() && !self.available.contains(&self.sticky.load(Ordering::Relaxed)) {
            self.start_sticky(chance);
        }
    }

    /// Among how many partitions there is a choice: those with a leader, or all if none has one.
    fn choices(&self) -> usize {
        if self.available.is_empty() { self.partitions.len() } else { self.available.len() }
    }

    /// One of the choices by its place.
    fn choice(&self, place: usize) -> Option<usize> {
        if self.available.is_empty() { Some(place) } else { self.available.get(place).copied() }
    }

    fn by_chance(&self, dice: &Dice) -> Option<usize> {
        self.choice(dice.below(self.choices()))
    }

    /// By chance, but not the present one where there is another.
    fn next_sticky(&self, present: usize, dice: &Dice) -> usize {
        let count = self.choices();
        let place = dice.below(count);
        match self.choice(place) {
            Some(next) if next != present => next,
            // One of those behind it, each as likely as any.
            _ => self
                .choice((place + 1 + dice.below(count.saturating_sub(1))) % count.max(1))
                .unwrap_or(present),
        }
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
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
