//! The thread that polls librdkafka: it fetches while there is room, and does what has to be done between two fetches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ::rdkafka::Offset;
use ::rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use ::rdkafka::types::RDKafkaErrorCode;

use super::events::{Events, change};
use super::lists::{list, list_of_offsets, offsets_in};
use super::message::Copier;
use super::state::Patience;
use super::{Seek, Shared, found_by_librdkafka};
use crate::backend::{OffsetSpec, SeekTo};
use crate::embedded::EmbeddedBroker;
use crate::error::{ClientError, ErrorKind};
use crate::rdkafka::error;
use crate::record::TopicPartition;

/// How long the thread waits for a record before it looks whether something else is to be done.
const STEP: Duration = Duration::from_millis(20);

/// Records that are entered at a time.
const BATCH: usize = 256;

/// How long the queue may be full before librdkafka is told to fetch nothing. It has to be polled, so that the group does
/// not give this member up, and polling it gives records as long as it fetches.
const FULL: Duration = Duration::from_millis(100);

/// How much longer than asked for librdkafka may take to leave the group.
const LEAVING: Duration = Duration::from_secs(5);

pub(super) struct Poller {
    pub(super) consumer: Arc<BaseConsumer<Events>>,
    pub(super) shared: Arc<Shared>,
    /// librdkafka has been told to fetch nothing.
    pub(super) parked: bool,
    pub(super) copier: Copier,
    pub(super) most_records: usize,
    pub(super) most_bytes: usize,
    pub(super) commit_interval: Duration,
    pub(super) max_poll_interval: Duration,
    pub(super) request_timeout: Duration,
    pub(super) broker: Option<EmbeddedBroker>,
}

impl Poller {
    pub(super) fn run(mut self) {
        let mut patience = Patience::new(self.max_poll_interval);
        let mut last_commit = Instant::now();
        let mut full_since: Option<Instant> = None;
        let deadline = loop {
            if let Some(deadline) = *self.shared.closing.lock() {
                break deadline;
            }
            self.seek();
            self.leave_or_come_back(&mut patience);
            let parked = full_since.is_some_and(|since| since.elapsed() >= FULL);
            self.settle(parked);
            match (self.room(), parked) {
                // The queue is to be half empty before fetching begins again.
                (0, false) => {
                    full_since.get_or_insert_with(Instant::now);
                    self.shared.space.wait(Some(Instant::now() + STEP), || self.half_empty());
                }
                (room, true) if self.half_empty().is_none() => self.fetch(room.max(1)),
                (room, _) => {
                    full_since = None;
                    self.fetch(room.max(1));
                }
            }
            if self.shared.commits_by_itself && last_commit.elapsed() >= self.commit_interval {
                self.commit();
                last_commit = Instant::now();
            }
        };
        self.end(deadline);
    }

    /// How many more records may wait.
    fn room(&self) -> usize {
        let state = self.shared.state.lock();
        if state.bytes() >= self.most_bytes { 0 } else { self.most_records.saturating_sub(state.depth()) }
    }

    fn half_empty(&self) -> Option<()> {
        let state = self.shared.state.lock();
        (state.depth() <= self.most_records / 2 && state.bytes() <= self.most_bytes / 2).then_some(())
    }

    /// Takes what librdkafka has, up to a batch, and enters it.
    fn fetch(&mut self, room: usize) {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut timeout = STEP;
        while batch.len() < room.min(BATCH) && bytes < self.most_bytes {
            match self.consumer.poll(timeout) {
                Some(Ok(message)) => {
                    let record = self.copier.record(&message);
                    if let Ok(record) = &record {
                        bytes += record.value.as_ref().map_or(0, |value| value.len());
                    }
                    batch.push(record);
                }
                // Told of by itself.
                Some(Err(_)) => {}
                // Nothing, or a rebalance: what is in the batch came before it.
                None => break,
            }
            timeout = Duration::ZERO;
        }
        if batch.is_empty() {
            return;
        }
        let mut state = self.shared.state.lock();
        for record in batch {
            match record {
                Ok(record) => state.enter(record),
                Err(error) => state.tell(error),
            }
        }
        drop(state);
        self.shared.arrived.raise();
    }

    /// Has librdkafka fetch what is wanted: nothing while the queue is full, and no partition that is paused.
    fn settle(&mut self, full: bool) {
        let changes = {
            let mut state = self.shared.state.lock();
            if !state.unsettled && self.parked == full {
                return;
            }
            state.settle(full)
        };
        self.parked = full;
        if let Err(failed) = change(&self.consumer, &changes, self.request_timeout) {
            self.shared.state.lock().tell(error::of(&failed, "pausing or resuming partitions"));
            self.shared.arrived.raise();
        }
    }

    /// A member that takes nothing leaves its group, and joins it again once it does.
    fn leave_or_come_back(&self, patience: &mut Patience) {
        let shared = &self.shared;
        if shared.expelled.load(Ordering::SeqCst) {
            let (asked, left) = {
                let state = shared.state.lock();
                (state.asked, state.partitions().is_empty())
            };
            if asked && left {
                let topics: Vec<_> = shared.topics.iter().map(|topic| &**topic).collect();
                match self.consumer.subscribe(&topics) {
                    Ok(()) => shared.expelled.store(false, Ordering::SeqCst),
                    Err(failed) => shared.state.lock().tell(error::of(&failed, &shared.reading())),
                }
            }
        } else if patience.is_over(&mut shared.state.lock()) {
            shared.expelled.store(true, Ordering::SeqCst);
            self.consumer.unsubscribe();
            let why = format!("nothing was taken for max_poll_interval_ms ({:?})", self.max_poll_interval);
            let error = ClientError::new(ErrorKind::TimedOut, shared.reading(), why)
                .remedy("the group has given its partitions to others; taking records joins it again");
            shared.state.lock().tell(error);
            shared.arrived.raise();
        }
    }

    /// Commits what was handed out; the answer comes by an event.
    fn commit(&self) {
        let offsets = self.shared.state.lock().uncommitted(|_| true);
        if offsets.is_empty() {
            return;
        }
        let committed =
            list_of_offsets(&offsets).and_then(|list| self.consumer.commit(&list, CommitMode::Async));
        if let Err(error) = committed {
            tracing::warn!(target: "librdkafka", "offsets were not committed: {error}");
        }
    }

    /// Does what was asked for by [`Seek`]. A partition that librdkafka has not begun to read waits until it has.
    fn seek(&self) {
        let seeks = std::mem::take(&mut *self.shared.seeks.lock());
        for seek in seeks {
            match self.seek_to(&seek) {
                Err(Later) if Instant::now() < seek.deadline => self.shared.seeks.lock().push(seek),
                Err(Later) => {
                    let why = "the partitions are not being read from yet";
                    let error = ClientError::new(ErrorKind::TimedOut, seek.asked(), why);
                    seek.done(Err(error));
                }
                Ok(how) => seek.done(how),
            }
        }
    }

    fn seek_to(&self, seek: &Seek) -> Result<Result<(), ClientError>, Later> {
        let failed = |failed: &_| Ok(Err(error::of(failed, &seek.asked())));
        let assigned = self.shared.state.lock().partitions();
        let partitions = match &seek.partitions {
            Some(named) => named.clone(),
            None => assigned.clone(),
        };
        if let Some(foreign) = partitions.iter().find(|one| !assigned.contains(one)) {
            let why = format!("{foreign} is not assigned to this subscriber");
            return Ok(Err(ClientError::new(ErrorKind::InvalidArgument, seek.asked(), why)));
        }
        if partitions.is_empty() {
            return Ok(Ok(()));
        }
        let places = match self.places(partitions, seek.to) {
            Ok(places) => places,
            Err(error) => return failed(&error),
        };
        let mut wanted = list(&[]);
        for (partition, offset) in &places {
            if let Err(error) = wanted.add_partition_offset(&partition.topic, partition.partition, *offset) {
                return failed(&error);
            }
        }
        let answered = match self.consumer.seek_partitions(wanted, self.request_timeout) {
            Ok(answered) => answered,
            Err(error) => return failed(&error),
        };
        for element in answered.elements() {
            match element.error() {
                Ok(()) => {}
                Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::State) => {
                    return Err(Later);
                }
                Err(error) => return failed(&error),
            }
        }
        let mut state = self.shared.state.lock();
        for (partition, offset) in places {
            let number = if let Offset::Offset(offset) = offset { Some(offset) } else { None };
            state.sought(&partition, number);
        }
        Ok(Ok(()))
    }

    /// Where to go on in each partition.
    fn places(
        &self,
        partitions: Vec<TopicPartition>,
        to: SeekTo,
    ) -> ::rdkafka::error::KafkaResult<Vec<(TopicPartition, Offset)>> {
        if let Some(offset) = found_by_librdkafka(to) {
            return Ok(partitions.into_iter().map(|partition| (partition, offset)).collect());
        }
        let SeekTo::Found(OffsetSpec::AtTime(time)) = to else { return Ok(Vec::new()) };
        let asked: Vec<_> = partitions.iter().map(|partition| (partition.clone(), time)).collect();
        let found = self.consumer.offsets_for_times(list_of_offsets(&asked)?, self.request_timeout)?;
        let found = offsets_in(&found);
        let place = |partition: TopicPartition| {
            let there = found.iter().find(|(one, _)| *one == partition);
            let offset = there.map_or(Offset::End, |(_, offset)| Offset::Offset(*offset));
            (partition, offset)
        };
        Ok(partitions.into_iter().map(place).collect())
    }

    /// Commits, leaves the group, and lets librdkafka go.
    fn end(self, deadline: Instant) {
        let Poller { consumer, shared, broker, .. } = self;
        for seek in std::mem::take(&mut *shared.seeks.lock()) {
            seek.done(Err(super::has_ended()));
        }
        shared.state.lock().close();
        if shared.commits_at_the_end() {
            shared.commit_before(deadline, |_| true);
        }
        let closed = consumer.close_queue();
        while closed.is_ok() && !consumer.closed() && Instant::now() < deadline + LEAVING {
            // Records that come now are not handed out, and will be to others.
            drop(consumer.poll(Duration::from_millis(5)));
        }
        shared.state.lock().left();
        shared.has_left.store(consumer.closed(), Ordering::SeqCst);
        shared.has_ended.store(true, Ordering::SeqCst);
        shared.ended.raise();
        shared.arrived.raise();
        drop(consumer);
        drop(broker);
    }
}

/// It cannot be done yet.
struct Later;
