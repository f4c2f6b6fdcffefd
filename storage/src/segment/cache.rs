//! Bounds how many segments of files are mapped at once: the ones not used for longest are unmapped.
//!
//! Each mapped segment stands in a queue. To make room the first is looked at: if it was used since it was last looked
//! at it goes to the end, otherwise it is unmapped.

use std::collections::VecDeque;
use std::sync::Weak;

use parking_lot::Mutex;

use super::Segment;

/// The segments that are mapped.
pub(crate) struct MapCache {
    limit: usize,
    queue: Mutex<VecDeque<Weak<Segment>>>,
}

impl MapCache {
    /// At most `limit` segments are mapped, unless all of them are being appended to at the same moment.
    pub(crate) fn new(limit: usize) -> Self {
        MapCache { limit: limit.max(1), queue: Mutex::default() }
    }

    /// Enters a segment that was mapped, and unmaps others where there are too many. The caller may hold the
    /// segment's own locks: it is not touched.
    pub(crate) fn admit(&self, segment: &Weak<Segment>) {
        let mut queue = self.queue.lock();
        let mut looks = 2 * queue.len();
        while queue.len() >= self.limit && looks > 0 {
            looks -= 1;
            let Some(first) = queue.pop_front() else { break };
            let Some(candidate) = first.upgrade() else { continue };
            if candidate.take_used() || !candidate.unload() {
                queue.push_back(first);
            }
        }
        queue.push_back(segment.clone());
    }

    /// How many segments are mapped.
    pub(crate) fn len(&self) -> usize {
        self.queue.lock().iter().filter(|segment| segment.strong_count() > 0).count()
    }
}
