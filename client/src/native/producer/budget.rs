//! The memory that records may take between acceptance and settlement (`buffer_memory`), and the buffers themselves.
//!
//! Counts in steps, not by the record: a batch takes its share ahead and gives all of it back when it is settled.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::signal::Signal;

/// Of the whole, what must be free before somebody who found no room is woken: one eighth. So a flood is woken for many
/// records, not for each batch.
const WAKE_AT: usize = 8;

/// Of the whole, what may lie idle in buffers for later batches: one eighth.
const IDLE: usize = 8;

/// Bytes that may be taken, and who waits for them.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
    /// Somebody found no room since the last time that room was raised.
    starved: AtomicBool,
    room: Signal,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Budget {
            limit,
            used: AtomicUsize::new(0),
            starved: AtomicBool::new(false),
            room: Signal::default(),
            idle: Mutex::default(),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn room(&self) -> &Signal {
        &self.room
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::SeqCst)
    }

    /// Takes so many bytes, if they are there.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::SeqCst);
        if before.saturating_add(bytes) <= self.limit {
            return true;
        }
        self.used.fetch_sub(bytes, Ordering::SeqCst);
        false
    }

    /// Notes that somebody finds no room for so many bytes.
    pub(super) fn starve(&self, bytes: usize) {
        self.starved.store(true, Ordering::SeqCst);
        // What was given back just before this was noted has raised nothing.
        if self.used.load(Ordering::SeqCst).saturating_add(bytes) <= self.limit {
            self.starved.store(false, Ordering::SeqCst);
            self.room.raise();
        }
    }

    /// Gives bytes back.
    pub(super) fn give(&self, bytes: usize) {
        let left = self.used.fetch_sub(bytes, Ordering::SeqCst).saturating_sub(bytes);
        if left <= self.limit - self.limit / WAKE_AT && self.starved.load(Ordering::SeqCst) {
            self.starved.store(false, Ordering::SeqCst);
            self.room.raise();
        }
    }

    /// A buffer for a batch: a used one, or a new one with so much room.
    pub(super) fn buffer(&self, capacity: usize) -> Vec<u8> {
        let mut idle = self.idle.lock();
        match idle.buffers.pop() {
            Some(buffer) => {
                idle.bytes = idle.bytes.saturating_sub(buffer.capacity());
                buffer
            }
            None => {
                drop(idle);
                Vec::with_capacity(capacity)
            }
        }
    }

    /// Keeps a buffer for later, unless there is enough. `usual` is the most that a batch usually takes.
    pub(super) fn recycle(&self, mut buffer: Vec<u8>, usual: usize) {
        let capacity = buffer.capacity();
        if capacity < usual / 2 || capacity > usual.saturating_mul(2) {
            return;
        }
        buffer.clear();
        let mut idle = self.idle.lock();
        if idle.bytes + capacity <= self.limit / IDLE {
            idle.bytes += capacity;
            idle.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is() {
        let budget = Budget::new(100);
        assert!(budget.take(60));
        assert!(!budget.take(41));
        assert!(budget.take(40));
        budget.starve(1);
        budget.give(5);
        assert!(budget.starved.load(Ordering::SeqCst), "an eighth is not free yet");
        budget.give(20);
        assert!(!budget.starved.load(Ordering::SeqCst), "room was raised");
        assert_eq!(budget.used(), 75);
    }

    #[test]
    fn buffers_come_back() {
        let budget = Budget::new(1600);
        let mut buffer = budget.buffer(100);
        buffer.push(1);
        let place = buffer.as_ptr();
        budget.recycle(buffer, 100);
        budget.recycle(Vec::with_capacity(10), 100);
        budget.recycle(Vec::with_capacity(1000), 100);
        budget.recycle(Vec::with_capacity(150), 100);
        let again = budget.buffer(1);
        assert!(again.is_empty());
        assert_eq!(again.as_ptr(), place);
        assert_eq!(budget.buffer(1).capacity(), 1);
    }
}
