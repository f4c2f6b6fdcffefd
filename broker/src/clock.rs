//! The broker's time: the system's, or one that moves only when it is told to.
//!
//! Which time is whose is decided by what it is for:
//!
//! | what | whose time | why |
//! |---|---|---|
//! | timestamps that are written down: log append time, commits, age for retention and expiry | [`Clock::now_ms`] | they are compared with other timestamps, also after a restart |
//! | deadlines of state: sessions, rebalances, the ids handed out before a join, housekeeping (retention, rolling, expiry), unused fetch sessions, delays of faults that ask for it | [`Clock::steady_ms`] | they are times to wait, and a system clock that is set by hand or by NTP must not end or prolong them. Kafka counts them by a monotonic clock as well |
//! | a client's own patience: a fetch's max wait, a connection's idle time, how long one waits for memory, a throttle, a closing broker, other delays of faults | real time | a client that waits for an answer, or a thread that waits to stop, must not hang on a clock that stands still |
//! | deadlines of a test's own waiting ([`Broker::wait_for_records`](crate::Broker::wait_for_records) and the like) | real time | the test's patience is real |
//!
//! A manual clock gives both of the first two, and moves them together: whatever state has fallen due is done, in the
//! order of its deadlines, before the call that moves it returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

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
    /// The system's; from where it stood when the clock was made, steady time goes on by itself.
    System {
        began: Instant,
        began_ms: i64,
    },
    Manual(Arc<AtomicI64>),
    /// The system's while a journal is kept, or the journal's own when it is replayed: it stands still during a step.
    Stepped(Arc<Stepped>),
}

#[derive(Debug)]
struct Stepped {
    /// From where steady time goes on by itself; none in a replay.
    began: Option<(Instant, i64)>,
    now_ms: AtomicI64,
    steady_ms: AtomicI64,
}

/// Why a clock cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The broker follows the system's clock.
    #[error("the broker follows the system's clock; start it with Clock::manual to move its time")]
    NotManual,
    /// Time does not run backwards: what has happened has happened.
    #[error("the clock stands at {now_ms} and cannot go back to {wanted_ms}")]
    Backwards {
        /// Where it stands.
        now_ms: i64,
        /// Where it was to go.
        wanted_ms: i64,
    },
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Clock(Source::System { began: Instant::now(), began_ms: system_ms() })
    }

    /// A clock that stands at `start_ms` until [`Broker::advance`](crate::Broker::advance) or
    /// [`Broker::set_time`](crate::Broker::set_time) moves it.
    pub fn manual(start_ms: i64) -> Self {
        Clock(Source::Manual(Arc::new(AtomicI64::new(start_ms))))
    }

    /// The time now, in milliseconds since 1970-01-01 UTC.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System { .. } => system_ms(),
            Source::Manual(now) => now.load(Ordering::Acquire),
            Source::Stepped(stepped) => stepped.now_ms.load(Ordering::Acquire),
        }
    }

    /// The time that deadlines are counted by: it never jumps, whatever becomes of the system's clock. With a manual clock
    /// it is the same as [`now_ms`](Clock::now_ms).
    pub fn steady_ms(&self) -> i64 {
        match &self.0 {
            Source::System { began, began_ms } => steady(*began, *began_ms),
            Source::Manual(now) => now.load(Ordering::Acquire),
            Source::Stepped(stepped) => stepped.steady_ms.load(Ordering::Acquire),
        }
    }

    /// The steady time of `now_ms`: of a manual clock the same, also where it is yet to be put there.
    pub(crate) fn steady_at(&self, now_ms: i64) -> i64 {
        if self.is_manual() { now_ms } else { self.steady_ms() }
    }

    /// A clock for another broker: its own system clock where this one goes in steps.
    pub(crate) fn for_fork(&self, now_ms: i64) -> Self {
        match &self.0 {
            Source::System { .. } => self.clone(),
            Source::Manual(_) => Clock::manual(now_ms),
            Source::Stepped(_) => Clock::system(),
        }
    }

    /// Whether this clock moves only when it is told to.
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// Whether nothing but a step moves it: what is done in a step can be had again.
    pub(crate) fn stands_still(&self) -> bool {
        !matches!(self.0, Source::System { .. })
    }

    /// This clock as a journal needs it: the system's stands still between steps.
    pub(crate) fn for_journal(self) -> Self {
        match self.0 {
            Source::System { began, began_ms } => Clock(Source::Stepped(Arc::new(Stepped {
                began: Some((began, began_ms)),
                now_ms: AtomicI64::new(system_ms()),
                steady_ms: AtomicI64::new(steady(began, began_ms)),
            }))),
            other => Clock(other),
        }
    }

    /// A clock that is put where a journal's stood.
    pub(crate) fn replayed(now_ms: i64, steady_ms: i64) -> Self {
        let (now_ms, steady_ms) = (AtomicI64::new(now_ms), AtomicI64::new(steady_ms));
        Clock(Source::Stepped(Arc::new(Stepped { began: None, now_ms, steady_ms })))
    }

    /// Moves a clock that follows the system's in steps up to now.
    pub(crate) fn step(&self) {
        if let Source::Stepped(stepped) = &self.0
            && let Some((began, began_ms)) = stepped.began
        {
            self.place(system_ms(), steady(began, began_ms));
        }
    }

    /// Puts a clock that goes in steps where it is told to; moves a manual one forward.
    pub(crate) fn place(&self, now_ms: i64, steady_ms: i64) {
        match &self.0 {
            Source::System { .. } => {}
            Source::Manual(_) => self.move_to(now_ms),
            Source::Stepped(stepped) => {
                stepped.now_ms.store(now_ms, Ordering::Release);
                stepped.steady_ms.store(steady_ms, Ordering::Release);
            }
        }
    }

    /// Steady time as it goes on by itself, also between steps.
    pub(crate) fn live_steady_ms(&self) -> i64 {
        match &self.0 {
            Source::Stepped(stepped) => match stepped.began {
                Some((began, began_ms)) => steady(began, began_ms),
                None => self.steady_ms(),
            },
            _ => self.steady_ms(),
        }
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

    /// Whether the clock could be moved to `wanted_ms`.
    pub(crate) fn check_move(&self, wanted_ms: i64) -> Result<(), TimeError> {
        let now_ms = self.now_ms();
        match &self.0 {
            Source::System { .. } | Source::Stepped(_) => Err(TimeError::NotManual),
            Source::Manual(_) if wanted_ms < now_ms => Err(TimeError::Backwards { now_ms, wanted_ms }),
            Source::Manual(_) => Ok(()),
        }
    }
}

fn steady(began: Instant, began_ms: i64) -> i64 {
    began_ms.saturating_add(i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX))
}

fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
