//! The shelf as the fetcher sees it: what is to be fetched from a broker, and taking in what came.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use super::entry::{Entry, Leader, NO_EPOCH, Phase};
use super::{Chunk, Inner, Key, Shelf};
use crate::backend::OffsetSpec;
use crate::error::{ClientError, ErrorKind};
use crate::options::OffsetReset;
use crate::record::TopicPartition;

/// A partition that is to be fetched.
#[derive(Debug, Clone)]
pub(in crate::native::consumer) struct ToFetch {
    pub(in crate::native::consumer) key: Key,
    pub(in crate::native::consumer) partition: TopicPartition,
    pub(in crate::native::consumer) leader: Leader,
    pub(in crate::native::consumer) offset: i64,
    pub(in crate::native::consumer) max_bytes: i32,
}

/// What is to be fetched from a broker.
#[derive(Debug, Default)]
pub(in crate::native::consumer) struct Plan {
    pub(in crate::native::consumer) parts: Vec<ToFetch>,
    /// The most bytes of the answer.
    pub(in crate::native::consumer) max_bytes: usize,
    /// Partitions of this broker that were left out for a while.
    pub(in crate::native::consumer) left_out: Vec<Key>,
    /// Whether any was for want of room.
    pub(in crate::native::consumer) held_back: bool,
    /// When to look again, where nothing but time is waited for.
    pub(in crate::native::consumer) again_at: Option<Instant>,
}

/// What came of a partition.
#[derive(Debug)]
pub(in crate::native::consumer) struct Fetched {
    /// The offset that was asked for.
    pub(in crate::native::consumer) from: i64,
    pub(in crate::native::consumer) high_watermark: i64,
    pub(in crate::native::consumer) last_stable_offset: i64,
    pub(in crate::native::consumer) chunks: Vec<Chunk>,
}

impl Shelf {
    /// The brokers that partitions are to be fetched from.
    pub(in crate::native::consumer) fn nodes(&self, now: Instant) -> BTreeSet<i32> {
        self.inner.lock().entries().filter_map(|entry| node_of(entry, now)).collect()
    }

    /// What is to be fetched from a broker now.
    pub(in crate::native::consumer) fn plan(&self, node: i32, now: Instant) -> Plan {
        let mut inner = self.inner.lock();
        let (most_records, most_bytes) = inner.share();
        let waiting = inner.entries().fold(0_usize, |sum, entry| sum.saturating_add(entry.bytes));
        let records = inner.entries().fold(0_usize, |sum, entry| sum.saturating_add(entry.records));
        let full = waiting >= inner.max_bytes || records >= inner.max_records;
        let mut plan = Plan { max_bytes: inner.max_bytes.saturating_sub(waiting), ..Plan::default() };
        for (slot, entry) in inner.slots.iter().enumerate() {
            let Some(entry) = entry else { continue };
            if !entry.may_be_fetched() || node_of(entry, now) != Some(node) {
                continue;
            }
            let key = Key { slot, version: entry.version };
            if let Some(then) = Inner::later(entry.not_before, now) {
                plan.left_out.push(key);
                plan.again_at = Some(plan.again_at.map_or(then, |earliest| earliest.min(then)));
                continue;
            }
            // What has nothing waiting is always fetched, so that those that are full hold up nobody else.
            let room = entry.records < most_records && entry.bytes < most_bytes && !full;
            if !room && !entry.queue.is_empty() {
                plan.left_out.push(key);
                plan.held_back = true;
                continue;
            }
            let Some(leader) = entry.leader else { continue };
            let max_bytes = inner.bytes_to_fetch(entry, most_records, most_bytes);
            plan.parts.push(ToFetch {
                key,
                partition: entry.partition.clone(),
                leader,
                offset: entry.fetch_at,
                max_bytes,
            });
        }
        inner.wants_room |= plan.held_back;
        plan
    }

    /// Whether there is something to be fetched from a broker besides `known`: somebody has sought, or partitions have
    /// come or are resumed.
    pub(in crate::native::consumer) fn has_others(&self, node: i32, known: &HashSet<Key>) -> bool {
        let now = Instant::now();
        let inner = self.inner.lock();
        inner.slots.iter().enumerate().any(|(slot, entry)| {
            entry.as_ref().is_some_and(|entry| {
                entry.may_be_fetched()
                    && node_of(entry, now) == Some(node)
                    && Inner::later(entry.not_before, now).is_none()
                    && !known.contains(&Key { slot, version: entry.version })
            })
        })
    }

    /// Takes in what came of a partition, up to where it is full. The rest is fetched again later.
    pub(in crate::native::consumer) fn deliver(&self, key: Key, fetched: Fetched) {
        let mut inner = self.inner.lock();
        let (most_records, most_bytes) = inner.share();
        let read_committed = inner.read_committed;
        let Some(entry) = inner.entry_of(key) else { return };
        let end = if read_committed { fetched.last_stable_offset } else { fetched.high_watermark };
        if end >= 0 {
            entry.end = Some(end);
        }
        if entry.fetch_at != fetched.from {
            return;
        }
        (entry.not_before, entry.told, entry.refusals) = (None, false, 0);
        let came = !fetched.chunks.is_empty();
        for chunk in fetched.chunks {
            let full = entry.records >= most_records || entry.bytes >= most_bytes;
            if full && !entry.queue.is_empty() && !chunk.is_nothing() {
                break;
            }
            entry.push(chunk);
        }
        inner.stand_in_line(key.slot);
        drop(inner);
        if came {
            self.arrived.raise();
        }
    }

    /// How many bytes may be decompressed ahead.
    pub(in crate::native::consumer) fn bytes_left(&self) -> usize {
        let inner = self.inner.lock();
        let waiting = inner.entries().fold(0_usize, |sum, entry| sum.saturating_add(entry.bytes));
        inner.max_bytes.saturating_sub(waiting)
    }

    /// Has it be fetched from a replica until then.
    pub(in crate::native::consumer) fn prefer(&self, key: Key, replica: i32, until: Instant) {
        if let Some(entry) = self.inner.lock().entry_of(key) {
            entry.preferred = Some((replica, until));
        }
        self.work.raise();
    }

    /// Leaves it alone until then, and goes back to its leader.
    pub(in crate::native::consumer) fn rest(&self, key: Key, until: Instant) {
        if let Some(entry) = self.inner.lock().entry_of(key) {
            entry.preferred = None;
            entry.not_before = Some(until);
        }
    }

    /// Leaves it alone for a while, which gets longer as it goes on being refused.
    pub(in crate::native::consumer) fn rest_longer(
        &self,
        key: Key,
        now: Instant,
        pauses: (Duration, Duration),
    ) {
        let (first, most) = pauses;
        if let Some(entry) = self.inner.lock().entry_of(key) {
            let pause = first.saturating_mul(2_u32.saturating_pow(entry.refusals)).min(most.max(first));
            entry.refusals = entry.refusals.saturating_add(1);
            entry.preferred = None;
            entry.not_before = Some(rest_until(now, pause));
        }
    }

    /// Tells an error that may pass, unless it has been told already.
    pub(in crate::native::consumer) fn tell_of(&self, key: Key, error: ClientError) {
        let mut inner = self.inner.lock();
        let Some(entry) = inner.entry_of(key) else { return };
        if !std::mem::replace(&mut entry.told, true) {
            inner.tell(error);
            drop(inner);
            self.arrived.raise();
        }
    }

    /// What lies at `offset` cannot be read: fetching stops there until a seek, and why is told.
    pub(in crate::native::consumer) fn give_up(&self, key: Key, offset: i64, error: ClientError) {
        let mut inner = self.inner.lock();
        let Some(entry) = inner.entry_of(key) else { return };
        // Where what came before was not all taken in, it is fetched again, and the fault is come upon once more.
        if entry.phase != Phase::Reading || entry.fetch_at < offset {
            return;
        }
        entry.phase = Phase::Stuck;
        inner.tell(error);
        drop(inner);
        self.arrived.raise();
    }

    /// The offset that was fetched does not exist. What came before it is handed out first; then reading goes on where
    /// `auto_offset_reset` says.
    pub(in crate::native::consumer) fn out_of_range(&self, key: Key, offset: i64, again_at: Instant) {
        let mut inner = self.inner.lock();
        let reset = inner.reset;
        let version = inner.new_version();
        let Some(entry) = inner.entry_of(key) else { return };
        if entry.fetch_at != offset || entry.phase != Phase::Reading {
            return;
        }
        if entry.preferred.take().is_some() {
            // A follower may be behind, or have less than the leader.
            drop(inner);
            self.work.raise();
            return;
        }
        if !entry.queue.is_empty() {
            entry.not_before = Some(again_at);
            return;
        }
        entry.version = version;
        let told = match reset {
            OffsetReset::Earliest => {
                entry.phase = Phase::Find(OffsetSpec::Earliest);
                None
            }
            OffsetReset::Latest => {
                entry.phase = Phase::Find(OffsetSpec::Latest);
                None
            }
            OffsetReset::None => {
                entry.phase = Phase::Stuck;
                Some(no_such_offset(&entry.partition, offset))
            }
        };
        entry.asking = false;
        if let Some(error) = told {
            inner.tell(error);
        }
        drop(inner);
        self.arrived.raise();
        self.work.raise();
    }

    /// Has the leader asked whether its log still holds what was read: it says that the logs have parted.
    pub(in crate::native::consumer) fn check(&self, key: Key) {
        if let Some(entry) = self.inner.lock().entry_of(key)
            && entry.phase == Phase::Reading
        {
            entry.phase = if entry.fetch_epoch == NO_EPOCH { Phase::Reading } else { Phase::Check };
        }
        self.work.raise();
    }

    /// Takes in who leads. Where a leader has changed, what was read is checked against its log first.
    pub(in crate::native::consumer) fn set_leaders(
        &self,
        leader_of: impl Fn(&TopicPartition) -> Option<Leader>,
    ) {
        let mut inner = self.inner.lock();
        let mut any = false;
        inner.newcomers = false;
        for entry in inner.slots.iter_mut().flatten() {
            let Some(leader) = leader_of(&entry.partition) else { continue };
            let before = entry.leader.replace(leader);
            if before == Some(leader) {
                continue;
            }
            any = true;
            let Some(before) = before else { continue };
            let later = leader.epoch > before.epoch && before.topic_id == leader.topic_id;
            if later && entry.fetch_epoch != NO_EPOCH && entry.phase == Phase::Reading {
                entry.phase = Phase::Check;
            }
            (entry.not_before, entry.preferred) = (None, None);
        }
        drop(inner);
        if any {
            self.work.raise();
        }
    }

    /// Whether partitions have come whose leaders have not been looked up.
    pub(in crate::native::consumer) fn has_newcomers(&self) -> bool {
        self.inner.lock().newcomers
    }

    /// Whether somebody's leader is not known.
    pub(in crate::native::consumer) fn lacks_leaders(&self) -> bool {
        self.inner.lock().entries().any(|entry| entry.leader.is_none())
    }
}

impl Inner {
    /// How much to ask for: no more than is likely to fit.
    fn bytes_to_fetch(&self, entry: &Entry, most_records: usize, most_bytes: usize) -> i32 {
        let records_left = most_records.saturating_sub(entry.records);
        let by_records = match entry.record_bytes {
            0 => usize::MAX,
            // A batch is fetched as a whole, so a little more than fits is asked for.
            bytes => records_left.saturating_mul(bytes).saturating_add(BATCH_HEAD_BYTES),
        };
        let by_bytes = most_bytes.saturating_sub(entry.bytes);
        let bytes = self.max_partition_bytes.min(by_records).min(by_bytes).max(1);
        i32::try_from(bytes).unwrap_or(i32::MAX)
    }
}

/// For the head of a batch.
const BATCH_HEAD_BYTES: usize = 100;

/// How long a partition rests that could not be read from: as long as a client is to pause between attempts.
pub(in crate::native::consumer) fn rest_until(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause).unwrap_or(now)
}

fn node_of(entry: &Entry, now: Instant) -> Option<i32> {
    let preferred = entry.preferred.filter(|(_, until)| *until > now).map(|(replica, _)| replica);
    preferred.or(entry.leader.map(|leader| leader.node))
}

/// Says that there is nowhere to go on from.
pub(super) fn no_such_offset(partition: &TopicPartition, offset: i64) -> ClientError {
    ClientError::new(
        ErrorKind::OffsetOutOfRange,
        format!("reading {partition} at offset {offset}"),
        "the log does not hold that offset, and auto_offset_reset is none",
    )
    .remedy("seek to an offset that it holds, or set auto_offset_reset to earliest or latest")
}
