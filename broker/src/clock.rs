//! The broker's time. Every timestamp and every timer reads this clock; nothing else in the crate reads the system's.
//!
//! State follows this clock: sessions, rebalances, retention, expiry, the timestamps that a log assigns. What belongs
//! to a client's own patience (a fetch's max wait, a connection's idle time) follows real time instead, because a
//! clock that stands still must not hang a client that waits for an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a broker takes its time from, in milliseconds since 1970-01-01 UTC. Clones share one time.
///
/// ```
/// use klamm_broker::Clock;
///
/// let clock = Clock::manual(1_700_000_000_000);
/// assert_eq!(clock.now_ms(), 1_700_000_000_000);
/// assert!(Clock::system().now_ms() > clock.now_ms());
/// ```
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Clock(Source::System)
    }

    /// A clock that stands at `start_ms` until [`Broker::advance`](crate::Broker::advance) moves it.
    pub fn manual(start_ms: i64) -> Self {
        Clock(Source::Manual(Arc::new(AtomicI64::new(start_ms))))
    }

    /// The time now, in milliseconds since 1970-01-01 UTC.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
            Source::Manual(now) => now.load(Ordering::Acquire),
        }
    }

    /// Whether this clock moves only when it is told to.
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// Puts a manual clock to `now_ms`, be it forward or back, because the broker's contents are put there too; a system
    /// clock goes on.
    pub(crate) fn put_to(&self, now_ms: i64) {
        if let Source::Manual(now) = &self.0 {
            now.store(now_ms, Ordering::Release);
        }
    }

    /// Moves a manual clock forward to `now_ms`; a system clock and a time already past stay as they are.
    pub(crate) fn move_to(&self, now_ms: i64) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_max(now_ms, Ordering::AcqRel);
        }
    }
}
