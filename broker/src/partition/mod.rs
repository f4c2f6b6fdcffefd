//! A partition: a log, who leads and in which epoch, its replicas, and those who wait for records.
//!
//! Knows storage, and nothing of requests or of other partitions.

mod offsets;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use klamm_storage::{AppendContext, AppendError, Appended, DiskFault, Log, Origin, StorageError};
use parking_lot::RwLock;

pub(crate) use offsets::{FoundOffset, OffsetSpec};
pub(crate) use wait::Waiting;

use crate::cluster::Placement;
use wait::{Waiter, Waiters};

/// One partition of a topic.
pub(crate) struct Partition {
    index: i32,
    log: Arc<Log>,
    /// The leader and its epoch, which are read together; see [`Leadership::pack`].
    leadership: AtomicU64,
    placement: RwLock<Arc<Placement>>,
    waiters: Waiters,
}

/// Who leads a partition, and in which epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leadership {
    /// None where all who may lead are away.
    pub(crate) leader: Option<i32>,
    pub(crate) epoch: i32,
}

impl Leadership {
    /// Ids of nodes are not negative, so that -1 can stand for none.
    fn pack(self) -> u64 {
        let leader = self.leader.unwrap_or(-1).cast_unsigned();
        (u64::from(leader) << 32) | u64::from(self.epoch.cast_unsigned())
    }

    fn unpack(packed: u64) -> Self {
        let [l0, l1, l2, l3, e0, e1, e2, e3] = packed.to_be_bytes();
        let leader = i32::from_be_bytes([l0, l1, l2, l3]);
        Leadership { leader: (leader >= 0).then_some(leader), epoch: i32::from_be_bytes([e0, e1, e2, e3]) }
    }
}

impl Partition {
    /// A partition in the latest epoch that its log knows of.
    pub(crate) fn new(index: i32, log: Arc<Log>, placement: Arc<Placement>) -> Self {
        let epoch = log.latest_epoch().unwrap_or(0).max(0);
        let leadership = AtomicU64::new(Leadership { leader: placement.leader, epoch }.pack());
        Partition { index, log, leadership, placement: RwLock::new(placement), waiters: Waiters::default() }
    }

    pub(crate) fn index(&self) -> i32 {
        self.index
    }

    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// The leader and its epoch.
    pub(crate) fn leadership(&self) -> Leadership {
        Leadership::unpack(self.leadership.load(Ordering::Acquire))
    }

    /// The epoch of the leader: 0 as long as leadership never moves.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.leadership().epoch
    }

    /// Where its replicas are.
    pub(crate) fn placement(&self) -> Arc<Placement> {
        Arc::clone(&self.placement.read())
    }

    /// Puts its replicas elsewhere. With another leader, or none, another epoch begins, and whoever waits is woken to learn
    /// of it. One change of a partition at a time.
    ///
    /// # Errors
    /// If the epoch cannot be written down: then everything is as it was.
    pub(crate) fn place(&self, placement: Arc<Placement>) -> Result<(), StorageError> {
        let now = self.leadership();
        let mut next = Leadership { leader: placement.leader, ..now };
        if next != now {
            next.epoch = now.epoch.saturating_add(1);
            self.log.assign_epoch(next.epoch)?;
        }
        *self.placement.write() = placement;
        self.leadership.store(next.pack(), Ordering::Release);
        self.wake_all();
        Ok(())
    }

    /// Appends what a client sent, and wakes the fetches that wait for it.
    ///
    /// Success guarantees what the log's flush policy guarantees: the records survive the death of the process.
    /// With `fault` it meets that trouble of the disk on purpose.
    pub(crate) fn append(
        &self,
        records: &Bytes,
        now_ms: i64,
        fault: Option<DiskFault>,
    ) -> Result<Appended, AppendError> {
        let append = || self.append_from(records, now_ms, Origin::Client, fault);
        if self.log.options().flush_messages == i64::MAX {
            return append();
        }
        // The append may wait for the disk: other tasks of this thread move elsewhere meanwhile.
        tokio::task::block_in_place(append)
    }

    /// Appends what one of the broker's own coordinators has to remember. With `fault` it meets that trouble of the disk on
    /// purpose.
    pub(crate) fn append_as_coordinator(
        &self,
        records: &Bytes,
        now_ms: i64,
        fault: Option<DiskFault>,
    ) -> Result<Appended, AppendError> {
        self.append_from(records, now_ms, Origin::Coordinator, fault)
    }

    fn append_from(
        &self,
        records: &Bytes,
        now_ms: i64,
        origin: Origin,
        fault: Option<DiskFault>,
    ) -> Result<Appended, AppendError> {
        let cx = AppendContext { now_ms, leader_epoch: self.leader_epoch(), origin, fault };
        let appended = self.log.append(records, &cx)?;
        self.waiters.wake();
        Ok(appended)
    }

    /// Enters `waiter` to be woken by the next append; it may be woken for nothing.
    fn wait(&self, waiter: &Arc<Waiter>) {
        self.waiters.add(waiter);
    }

    /// Takes `waiter` out again.
    fn stop_waiting(&self, waiter: &Arc<Waiter>) {
        self.waiters.remove(waiter);
    }

    /// Whether anybody waits for records.
    #[cfg(test)]
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiters.any()
    }

    /// Wakes whoever waits, because what they wait for will not come: the topic is deleted, or leadership has moved.
    pub(crate) fn wake_all(&self) {
        self.waiters.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leader_and_epoch_fit_together() {
        for (leader, epoch) in [(None, 0), (Some(0), 7), (Some(i32::MAX), i32::MAX), (None, 3)] {
            let leadership = Leadership { leader, epoch };
            assert_eq!(Leadership::unpack(leadership.pack()), leadership);
        }
    }
}
