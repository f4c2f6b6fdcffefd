//! Where reading stands, and what of it is to be committed.

use super::Shelf;
use super::entry::Entry;
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
            Some(ToCommit { partition: entry.partition.clone(), offset, epoch: entry.next_epoch })
        };
        inner.entries().filter(wanted).filter_map(to_commit).collect()
    }

    /// Remembers what has been committed.
    pub(in crate::native::consumer) fn set_committed(&self, partition: &TopicPartition, offset: i64) {
        if let Some(entry) = self.inner.lock().entry(partition) {
            entry.committed = Some(offset);
        }
    }
}
