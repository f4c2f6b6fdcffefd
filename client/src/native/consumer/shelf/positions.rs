//! Where reading stands, and what of it is to be committed.

use super::Shelf;
use super::entry::{Entry, NO_EPOCH};
use crate::backend::Position;
use crate::record::TopicPartition;

/// An offset that is to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::native::consumer) struct ToCommit {
    pub(in crate::native::consumer) partition: TopicPartition,
    /// That of the record to go on with.
    pub(in crate::native::consumer) offset: i64,
    /// The epoch of what was handed out last.
    pub(in crate::native::consumer) epoch: i32,
    /// Which assignment it belongs to; none of a partition that is not assigned.
    pub(in crate::native::consumer) assignment: Option<u64>,
}

impl Shelf {
    /// Where reading stands, for each partition where that is known.
    pub(in crate::native::consumer) fn positions(&self) -> Vec<(TopicPartition, Position)> {
        let inner = self.inner.lock();
        let of = |entry: &Entry| {
            let next = entry.position()?;
            let lag = entry.end.map(|end| end.saturating_sub(next).max(0));
            Some((entry.partition.clone(), Position { next, lag }))
        };
        let mut positions: Vec<_> = inner.entries().filter_map(of).collect();
        drop(inner);
        positions.sort_by(|one, other| one.0.cmp(&other.0));
        positions
    }

    /// What was handed out and is not committed yet, of these partitions or of all.
    pub(in crate::native::consumer) fn to_commit(&self, of: Option<&[TopicPartition]>) -> Vec<ToCommit> {
        let inner = self.inner.lock();
        let wanted = |entry: &&Entry| of.is_none_or(|named| named.contains(&entry.partition));
        let to_commit = |entry: &Entry| {
            let offset = entry.position().filter(|offset| entry.committed != Some(*offset))?;
            Some(ToCommit {
                partition: entry.partition.clone(),
                offset,
                epoch: entry.next_epoch,
                assignment: Some(entry.assignment),
            })
        };
        inner.entries().filter(wanted).filter_map(to_commit).collect()
    }

    /// These offsets, to be committed.
    pub(in crate::native::consumer) fn commit_of(&self, offsets: &[(TopicPartition, i64)]) -> Vec<ToCommit> {
        let mut inner = self.inner.lock();
        let mut of = |(partition, offset): &(TopicPartition, i64)| {
            let entry = inner.entry(partition);
            // The epoch is that of the record before; only of the last that was handed out is it known.
            let epoch = entry
                .as_ref()
                .filter(|entry| entry.next == *offset)
                .map_or(NO_EPOCH, |entry| entry.next_epoch);
            let assignment = entry.map(|entry| entry.assignment);
            ToCommit { partition: partition.clone(), offset: *offset, epoch, assignment }
        };
        offsets.iter().map(&mut of).collect()
    }

    /// Whether all of these are assigned as they were; what never was does not count.
    pub(in crate::native::consumer) fn still_here(&self, commits: &[ToCommit]) -> bool {
        let mut inner = self.inner.lock();
        commits.iter().all(|commit| {
            let assignment = inner.entry(&commit.partition).map(|entry| entry.assignment);
            commit.assignment.is_none() || assignment == commit.assignment
        })
    }

    /// Remembers what has been committed.
    pub(in crate::native::consumer) fn set_committed(&self, partition: &TopicPartition, offset: i64) {
        if let Some(entry) = self.inner.lock().entry(partition) {
            entry.committed = Some(offset);
        }
    }
}
