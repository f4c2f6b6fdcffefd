//! The assigned partitions and the records that wait to be handed out: what the fetcher fills, the group changes, and the
//! subscriber takes from. One lock, held for a few instructions, never across an await.
//!
//! Knows nothing of requests and groups. What comes back from a broker is taken in only if it was asked for after the
//! last seek and the last assignment: keys carry a version that both change.

mod chunk;
mod cursor;
mod entry;
mod fetching;
mod lookups;
mod positions;
#[cfg(test)]
pub(super) mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use parking_lot::Mutex;

pub(super) use chunk::Chunk;
use entry::{Entry, Phase, Taken};
pub(super) use entry::{Leader, NO_EPOCH, unreadable};
pub(super) use fetching::{Fetched, Plan, ToFetch, rest_until};
use lookups::nowhere_to_begin;
pub(super) use lookups::{Lookup, Question};
pub(super) use positions::ToCommit;

use crate::backend::{OffsetSpec, SeekTo};
use crate::error::ClientError;
use crate::options::{ConsumerOptions, IsolationLevel, OffsetReset};
use crate::record::{Record, TopicPartition};
use crate::signal::Signal;

/// A partition as it was at a time: a seek or another assignment makes it another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    slot: usize,
    version: u64,
}

/// Where a new partition's position comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// From what the group has committed.
    Committed,
    /// From `auto_offset_reset`.
    Reset,
    /// From there.
    At(SeekTo),
}

/// Errors that may wait to be told. Beyond that the oldest make room: the log has them all.
const MOST_ERRORS: usize = 1000;

/// The partitions of a consumer.
#[derive(Debug)]
pub(super) struct Shelf {
    inner: Mutex<Inner>,
    /// Raised when there is something to hand out.
    pub(super) arrived: Signal,
    /// Raised when the assignment has changed.
    pub(super) assigned: Signal,
    /// Raised when there may be something to ask brokers for.
    pub(super) work: Signal,
    /// Raised when a position has become known.
    pub(super) placed: Signal,
}

#[derive(Debug)]
struct Inner {
    slots: Vec<Option<Entry>>,
    by_name: HashMap<TopicPartition, usize>,
    /// Where there may be something to hand out, in turn.
    ready: VecDeque<usize>,
    errors: VecDeque<ClientError>,
    /// The last version that was given.
    versions: u64,
    /// How often something was taken.
    taken: u64,
    /// Whether new partitions begin paused.
    paused: bool,
    /// Whether it has been told that nothing can be read.
    in_trouble: bool,
    /// Whether the next who takes something is waited for.
    asleep: bool,
    /// Whether partitions have come whose leaders have not been looked up.
    newcomers: bool,
    /// Whether a fetch was held back for want of room.
    wants_room: bool,
    max_records: usize,
    max_bytes: usize,
    max_partition_bytes: usize,
    reset: OffsetReset,
    read_committed: bool,
}

impl Shelf {
    pub(super) fn new(options: &ConsumerOptions) -> Self {
        let inner = Inner {
            slots: Vec::new(),
            by_name: HashMap::new(),
            ready: VecDeque::new(),
            errors: VecDeque::new(),
            versions: 0,
            taken: 0,
            paused: false,
            in_trouble: false,
            asleep: false,
            newcomers: false,
            wants_room: false,
            max_records: options.max_depth.max(1),
            max_bytes: options.max_fetched_bytes.max(1),
            max_partition_bytes: usize::try_from(options.max_partition_fetch_bytes).unwrap_or(0).max(1),
            reset: options.auto_offset_reset,
            read_committed: options.isolation_level == IsolationLevel::ReadCommitted,
        };
        Shelf {
            inner: Mutex::new(inner),
            arrived: Signal::default(),
            assigned: Signal::default(),
            work: Signal::default(),
            placed: Signal::default(),
        }
    }

    /// The next record or error, if there is one.
    #[inline]
    pub(super) fn try_next(&self) -> Option<Result<Record, ClientError>> {
        // Freed behind the lock: it may be the last that holds an answer's memory.
        let mut done = None;
        let mut inner = self.inner.lock();
        let next = inner.next(&mut done);
        let wanted = std::mem::take(&mut inner.asleep) || (done.is_some() && inner.room_has_come());
        drop(inner);
        if wanted {
            self.work.raise();
        }
        next
    }

    /// Nobody takes what waits: from now on the next attempt to is noted.
    pub(super) fn fall_asleep(&self) {
        self.inner.lock().asleep = true;
    }

    /// Whether nobody has tried to take anything since.
    pub(super) fn is_asleep(&self) -> bool {
        self.inner.lock().asleep
    }

    /// Hands nothing more out.
    pub(super) fn end(&self) {
        let all = self.assignment();
        self.remove(&all);
        self.arrived.raise();
        self.placed.raise();
    }

    /// Tells an error that keeps everything from being read, unless one has been told since the last time that all was
    /// well.
    pub(super) fn tell_trouble(&self, error: ClientError) {
        if !std::mem::replace(&mut self.inner.lock().in_trouble, true) {
            self.tell(error);
        }
    }

    /// The cluster can be asked again.
    pub(super) fn trouble_is_over(&self) {
        self.inner.lock().in_trouble = false;
    }

    /// Whether something is known to keep records from coming.
    pub(super) fn is_in_trouble(&self) -> bool {
        let inner = self.inner.lock();
        inner.in_trouble || inner.entries().any(|entry| entry.told)
    }

    /// Tells an error, once.
    pub(super) fn tell(&self, error: ClientError) {
        self.inner.lock().tell(error);
        self.arrived.raise();
    }

    /// Records that wait, of partitions that are not paused and others.
    pub(super) fn depth(&self) -> usize {
        let inner = self.inner.lock();
        inner.entries().fold(0, |sum, entry| sum.saturating_add(entry.records))
    }

    /// How often something was taken, and whether something waits to be.
    pub(super) fn taken(&self) -> (u64, bool) {
        let inner = self.inner.lock();
        let waits = inner.entries().any(Entry::may_be_handed_out);
        (inner.taken, waits)
    }

    /// The partitions that are read, or will be once their positions are known.
    pub(super) fn assignment(&self) -> Vec<TopicPartition> {
        let inner = self.inner.lock();
        let mut all: Vec<_> = inner.by_name.keys().cloned().collect();
        drop(inner);
        all.sort();
        all
    }

    /// Adds partitions. Those that are `held` are not read from before they are released.
    pub(super) fn add(&self, partitions: &[TopicPartition], begin: Begin, held: bool) {
        let mut inner = self.inner.lock();
        for partition in partitions {
            inner.add(partition, begin, held);
        }
        drop(inner);
        self.assigned.raise();
        self.work.raise();
    }

    /// Lets held partitions be read from.
    pub(super) fn release(&self) {
        let mut inner = self.inner.lock();
        for slot in 0..inner.slots.len() {
            if let Some(entry) = inner.entry_at(slot) {
                entry.held = false;
            }
            inner.stand_in_line(slot);
        }
        drop(inner);
        self.work.raise();
        self.arrived.raise();
    }

    /// Hands nothing more out of these; their positions stay until they are removed.
    pub(super) fn stop(&self, partitions: &[TopicPartition]) {
        let mut inner = self.inner.lock();
        for partition in partitions {
            if let Some(entry) = inner.entry(partition) {
                entry.leaving = true;
            }
        }
    }

    /// Forgets these partitions and what was fetched of them.
    pub(super) fn remove(&self, partitions: &[TopicPartition]) {
        let mut inner = self.inner.lock();
        let gone: Vec<Option<Entry>> = partitions.iter().map(|partition| inner.remove(partition)).collect();
        drop(inner);
        drop(gone);
        self.assigned.raise();
        self.work.raise();
    }

    /// Stops handing out, of all that are and will be assigned where none are named.
    pub(super) fn pause(&self, partitions: Option<&[TopicPartition]>) {
        self.inner.lock().set_paused(partitions, true);
    }

    /// Goes on handing out.
    pub(super) fn resume(&self, partitions: Option<&[TopicPartition]>) {
        self.inner.lock().set_paused(partitions, false);
        self.work.raise();
        self.arrived.raise();
    }
}

impl Inner {
    #[inline]
    fn next(&mut self, done: &mut Option<Chunk>) -> Option<Result<Record, ClientError>> {
        self.taken = self.taken.wrapping_add(1);
        if let Some(error) = self.errors.pop_front() {
            return Some(Err(error));
        }
        while let Some(slot) = self.ready.front().copied() {
            let Some(Some(entry)) = self.slots.get_mut(slot) else {
                self.ready.pop_front();
                continue;
            };
            if !entry.may_be_handed_out() {
                entry.ready = false;
                self.ready.pop_front();
                continue;
            }
            match entry.take(done) {
                Taken::Record(record) => {
                    // After each batch it is another partition's turn.
                    if done.is_some() && self.ready.len() > 1 {
                        self.ready.rotate_left(1);
                    }
                    return Some(Ok(record));
                }
                Taken::Nothing => {}
                Taken::Fault(error) => return Some(Err(error)),
            }
        }
        None
    }

    fn tell(&mut self, error: ClientError) {
        tracing::debug!(%error, "an error to be told");
        if self.errors.len() >= MOST_ERRORS {
            self.errors.pop_front();
        }
        self.errors.push_back(error);
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().flatten()
    }

    fn entry_at(&mut self, slot: usize) -> Option<&mut Entry> {
        self.slots.get_mut(slot)?.as_mut()
    }

    fn entry(&mut self, partition: &TopicPartition) -> Option<&mut Entry> {
        let slot = *self.by_name.get(partition)?;
        self.entry_at(slot)
    }

    /// The partition of a key, if it is still the same.
    fn entry_of(&mut self, key: Key) -> Option<&mut Entry> {
        self.entry_at(key.slot).filter(|entry| entry.version == key.version)
    }

    fn new_version(&mut self) -> u64 {
        self.versions += 1;
        self.versions
    }

    /// Says where a new partition is to be read from.
    fn begin(&mut self, entry: &mut Entry, begin: Begin) {
        match (begin, self.reset) {
            (Begin::Committed, _) => entry.phase = Phase::FindCommitted,
            (Begin::At(SeekTo::Offset(offset)), _) => entry.place(offset, NO_EPOCH),
            (Begin::At(SeekTo::Found(spec)), _) => entry.phase = Phase::Find(spec),
            (Begin::Reset, OffsetReset::Earliest) => entry.phase = Phase::Find(OffsetSpec::Earliest),
            (Begin::Reset, OffsetReset::Latest) => entry.phase = Phase::Find(OffsetSpec::Latest),
            (Begin::Reset, OffsetReset::None) => {
                entry.phase = Phase::Stuck;
                self.tell(nowhere_to_begin(&entry.partition));
            }
        }
    }

    fn add(&mut self, partition: &TopicPartition, begin: Begin, held: bool) {
        if self.by_name.contains_key(partition) {
            return;
        }
        let version = self.new_version();
        let mut entry = Entry::new(partition.clone(), version);
        self.begin(&mut entry, begin);
        entry.held = held;
        entry.paused = self.paused;
        let free = self.slots.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(entry);
            self.newcomers = true;
            self.by_name.insert(partition.clone(), slot);
        }
    }

    fn remove(&mut self, partition: &TopicPartition) -> Option<Entry> {
        let slot = self.by_name.remove(partition)?;
        self.ready.retain(|ready| *ready != slot);
        self.slots.get_mut(slot)?.take()
    }

    /// Has it stand among those that are ready, if there is something to hand out.
    fn stand_in_line(&mut self, slot: usize) {
        if let Some(Some(entry)) = self.slots.get_mut(slot)
            && entry.may_be_handed_out()
            && !entry.ready
        {
            entry.ready = true;
            self.ready.push_back(slot);
        }
    }

    fn set_paused(&mut self, partitions: Option<&[TopicPartition]>, paused: bool) {
        if partitions.is_none() {
            self.paused = paused;
        }
        for slot in 0..self.slots.len() {
            if let Some(entry) = self.entry_at(slot)
                && partitions.is_none_or(|named| named.contains(&entry.partition))
            {
                entry.paused = paused;
            }
            self.stand_in_line(slot);
        }
    }

    /// Whether a fetch that was held back for want of room is to be tried now. Says so once.
    fn room_has_come(&mut self) -> bool {
        if !self.wants_room {
            return false;
        }
        let (most_records, most_bytes) = self.share();
        let room = self.entries().any(|entry| {
            entry.may_be_fetched() && entry.records <= most_records / 2 && entry.bytes <= most_bytes / 2
        });
        self.wants_room &= !room;
        room
    }

    /// What each partition may have waiting, in records and bytes.
    fn share(&self) -> (usize, usize) {
        let partitions = self.by_name.len().max(1);
        ((self.max_records / partitions).max(1), (self.max_bytes / partitions).max(1))
    }

    /// The time until which nothing is asked about it, if that is later than `now`.
    fn later(not_before: Option<Instant>, now: Instant) -> Option<Instant> {
        not_before.filter(|then| *then > now)
    }
}
