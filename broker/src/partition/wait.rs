//! Who waits for records of a partition, and how they are woken: by the append that brings them, never by a timer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Partition;

/// One fetch that waits, entered with every partition that it reads.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    woken: Notify,
}

impl Waiter {
    /// Returns once one of the partitions has woken it since the last call.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }
}

/// The waiters of one partition. Without any, an append pays for one atomic read.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    any: AtomicBool,
    waiting: Mutex<Vec<Arc<Waiter>>>,
}

impl Waiters {
    pub(crate) fn add(&self, waiter: &Arc<Waiter>) {
        let mut waiting = self.waiting.lock();
        waiting.push(Arc::clone(waiter));
        // Sequentially consistent, as is the read in `wake`: a waiter that reads the log after this, and an append
        // that reads this after its publication, cannot both miss the other.
        self.any.store(true, Ordering::SeqCst);
    }

    pub(crate) fn remove(&self, waiter: &Arc<Waiter>) {
        let mut waiting = self.waiting.lock();
        waiting.retain(|other| !Arc::ptr_eq(other, waiter));
        if waiting.is_empty() {
            *waiting = Vec::new();
            self.any.store(false, Ordering::SeqCst);
        }
    }

    #[cfg(test)]
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::SeqCst)
    }

    pub(crate) fn wake(&self) {
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.any.load(Ordering::SeqCst) {
            self.waiting.lock().iter().for_each(|waiter| waiter.woken.notify_one());
        }
    }
}

/// A waiter that is entered with its partitions, and taken out again when dropped: also where the request is abandoned.
pub(crate) struct Waiting {
    waiter: Arc<Waiter>,
    partitions: Vec<Arc<Partition>>,
}

impl Waiting {
    /// Enters a waiter with each of `partitions`.
    pub(crate) fn enter(partitions: Vec<Arc<Partition>>) -> Self {
        let waiter = Arc::new(Waiter::default());
        partitions.iter().for_each(|partition| partition.wait(&waiter));
        Waiting { waiter, partitions }
    }

    /// Returns once one of the partitions has got more, or has gone, since the last call.
    pub(crate) async fn woken(&self) {
        self.waiter.woken().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.partitions.iter().for_each(|partition| partition.stop_waiting(&self.waiter));
    }
}
