//! A partition: a log, the leader's epoch, and those who wait for records.
//!
//! Knows storage, and nothing of requests or of other partitions.

mod offsets;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use bytes::Bytes;
use klamm_storage::{AppendContext, AppendError, Appended, DiskFault, Log, Origin};

pub(crate) use offsets::{FoundOffset, OffsetSpec};
pub(crate) use wait::Waiting;

use wait::{Waiter, Waiters};

/// One partition of a topic.
pub(crate) struct Partition {
    index: i32,
    log: Arc<Log>,
    leader_epoch: AtomicI32,
    waiters: Waiters,
}

impl Partition {
    pub(crate) fn new(index: i32, log: Arc<Log>) -> Self {
        Partition { index, log, leader_epoch: AtomicI32::new(0), waiters: Waiters::default() }
    }

    pub(crate) fn index(&self) -> i32 {
        self.index
    }

    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// The epoch of the leader: 0 as long as leadership never moves.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.leader_epoch.load(Ordering::Acquire)
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
