//! The topics that a producer sends to: their partitions, which of them can be sent to, and records that wait for them.
//!
//! Knows nothing of batches.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;

use super::partition::Partition;
use super::partitioner::Dice;
use crate::backend::Report;
use crate::record::Headers;

/// Topics that are found by their address, before names are compared.
const FOUND_AT_ONCE: usize = 4;

/// Topics, in the order in which they were met. They are never removed.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) topics: Vec<Topic>,
    pub(super) by_name: HashMap<Arc<str>, usize>,
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
    pub(super) sticky: AtomicUsize,
    pub(super) waiting: Mutex<VecDeque<Waiting>>,
    /// How many records wait, or are being settled after having waited; written under the lock on them.
    pub(super) waiting_count: AtomicUsize,
}

/// A record whose partition is not known yet.
pub(super) struct Waiting {
    pub(super) partition: Option<i32>,
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) headers: Headers,
    pub(super) timestamp: i64,
    pub(super) report: Option<Report>,
    pub(super) number: Option<u64>,
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

impl Table {
    #[inline]
    pub(super) fn find(&self, name: &Arc<str>) -> Option<&Topic> {
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
    pub(super) fn new(name: Arc<str>) -> Self {
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

    pub(super) fn by_chance(&self, dice: &Dice) -> Option<usize> {
        self.choice(dice.below(self.choices()))
    }

    /// By chance, but not the present one where there is another.
    pub(super) fn next_sticky(&self, present: usize, dice: &Dice) -> usize {
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
