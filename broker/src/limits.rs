//! The bounds that keep a broker from taking its host process down, each with its reason.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory that all requests together may hold while they are read, where `queued.max.request.bytes` sets none:
/// room for two of the longest frames that `socket.request.max.bytes` allows by default, and some.
pub(crate) const DEFAULT_REQUEST_MEMORY_BYTES: usize = 256 * 1024 * 1024;

/// What the answer to one request may take where its length is not bounded by the request's, record data left out:
/// enough for the offsets and metadata of two hundred thousand partitions. Its connection is closed instead.
pub(crate) const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// Connections that are served at once, where `max.connections` sets no less: below the system's usual hard limit of
/// open files, so that logs can still be opened.
pub(crate) const MAX_CONNECTIONS: usize = 16_384;

/// Topics that a broker holds; creating one more is refused with POLICY_VIOLATION.
pub(crate) const MAX_TOPICS: usize = 100_000;

/// Partitions that a broker holds, all topics together; creating one more is refused with POLICY_VIOLATION. At under
/// 2 KB for an empty one they fit into half a gigabyte.
pub(crate) const MAX_PARTITIONS: usize = 200_000;

/// Configs in one answer to DescribeConfigs, at some 300 bytes each; the resources that come after are refused with
/// INVALID_REQUEST. All configs of fifteen thousand topics fit.
pub(crate) const MAX_DESCRIBED_CONFIGS: usize = 500_000;

/// Bytes of the names and values that one topic's own configs may have; more are refused with INVALID_CONFIG. Room
/// for a list of thousands of throttled replicas.
pub(crate) const MAX_TOPIC_CONFIG_BYTES: usize = 64 * 1024;

/// Bytes of the names and values of all dynamic configs of brokers, groups and metrics subscriptions together; a change
/// that needs more is refused with POLICY_VIOLATION. Room for the configs of a hundred thousand groups.
pub(crate) const MAX_DYNAMIC_CONFIG_BYTES: usize = 16 * 1024 * 1024;

/// A request that finds no memory free waits for as long before its connection is closed.
const MEMORY_PATIENCE: Duration = Duration::from_secs(5);

/// A connection holds as much without asking, so that small requests always get through.
const FREE_BYTES: usize = 128 * 1024;

/// Memory is counted in units of this many bytes.
const UNIT_BYTES: usize = 4096;

/// The memory that requests may hold, shared by all connections of a broker.
#[derive(Clone)]
pub(crate) struct RequestMemoryPool {
    units: Arc<Semaphore>,
    /// How many there are, held or not.
    all: usize,
}

impl RequestMemoryPool {
    pub(crate) fn new(bytes: usize) -> Self {
        let all = bytes.div_ceil(UNIT_BYTES);
        RequestMemoryPool { units: Arc::new(Semaphore::new(all)), all }
    }

    /// An account for one connection, which holds nothing yet.
    pub(crate) fn account(&self) -> RequestMemory {
        RequestMemory { pool: self.clone(), held: None }
    }
}

/// What one connection holds of the pool; given back when dropped.
pub(crate) struct RequestMemory {
    pool: RequestMemoryPool,
    held: Option<OwnedSemaphorePermit>,
}

impl RequestMemory {
    /// Makes sure that `bytes` in all are held. False: none came free in time. Where the pool is smaller than that it is
    /// held whole, so that a frame that `socket.request.max.bytes` allows gets through whatever the pool's size.
    pub(crate) async fn hold(&mut self, bytes: usize) -> bool {
        let wanted = bytes.saturating_sub(FREE_BYTES).div_ceil(UNIT_BYTES).min(self.pool.all);
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more) = wanted.checked_sub(held).and_then(|more| u32::try_from(more).ok()) else {
            return true;
        };
        if more == 0 {
            return true;
        }
        let asked = Arc::clone(&self.pool.units).acquire_many_owned(more);
        let Ok(Ok(permit)) = tokio::time::timeout(MEMORY_PATIENCE, asked).await else { return false };
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
        true
    }

    /// Gives everything back.
    pub(crate) fn release(&mut self) {
        self.held = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_larger_than_the_pool_takes_all_of_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let pool = RequestMemoryPool::new(1024 * 1024);
            let (mut large, mut other) = (pool.account(), pool.account());
            assert!(large.hold(100 * 1024 * 1024).await);
            assert!(other.hold(FREE_BYTES).await, "small requests get through");
            assert_eq!(pool.units.available_permits(), 0);
            large.release();
            assert!(other.hold(1024 * 1024).await);
        });
    }
}
