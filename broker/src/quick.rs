//! Looking out for the next request of a client that is quick, before going to sleep.
//!
//! A client that sends on as soon as it is answered is back within some tens of microseconds. Where a thread's sleep
//! puts the processor to sleep, as it does on an idle machine, the wake-up takes about as long, and more so on a virtual
//! one: most of the time would go into waking. So a connection whose client was quick the last time looks for the next
//! request for a moment, and only then goes the usual way, by which the runtime serves all that is ready.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a connection looks. It keeps its thread from other connections for as long, and may look in vain.
const LOOK: Duration = Duration::from_micros(50);

/// A client that is back within this time is quick: within a look, once the wake-up is saved.
const QUICK: Duration = Duration::from_micros(100);

/// Connections that look at the moment, of all brokers of the process.
static LOOKERS: Lookers = Lookers(AtomicUsize::new(0));

/// How many may look at once: half of the processors are left to the clients. A single one always is.
static MOST_LOOKERS: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(0, |processors| processors.get() / 2));

/// Whether a connection's client is quick, by how it has been.
#[derive(Debug, Default)]
pub(crate) struct Quickness {
    quick: bool,
}

impl Quickness {
    /// Whether the client was quick the last time.
    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// Waits for a moment, without sleeping, until `arrived` says that there is something to be read, if that is likely.
    pub(crate) fn look(&self, arrived: impl Fn() -> bool) {
        let looker = if self.quick { LOOKERS.enter(*MOST_LOOKERS) } else { None };
        if looker.is_some() {
            let began = Instant::now();
            while !arrived() && began.elapsed() < LOOK {
                std::hint::spin_loop();
            }
        }
    }

    /// Takes note of how long the client took.
    pub(crate) fn learn(&mut self, took: Duration) {
        self.quick = took < QUICK;
    }
}

/// How many look.
struct Lookers(AtomicUsize);

impl Lookers {
    /// None: `most` look already.
    fn enter(&self, most: usize) -> Option<Looker<'_>> {
        let more = |lookers| if lookers < most { Some(lookers + 1) } else { None };
        // One that is refused must not come to be: it would be counted out when dropped.
        self.0.fetch_update(Relaxed, Relaxed, more).is_ok().then(|| Looker(self))
    }
}

/// One of those that look; no longer when dropped.
struct Looker<'a>(&'a Lookers);

impl Drop for Looker<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_no_look(quickness: &Quickness) {
        quickness.look(|| panic!("it looked"));
    }

    #[test]
    fn only_a_client_that_was_quick_the_last_time_is_looked_out_for() {
        let mut quickness = Quickness::default();
        assert_no_look(&quickness);
        quickness.learn(Duration::ZERO);
        quickness.look(|| true);
        quickness.learn(QUICK);
        assert_no_look(&quickness);
    }

    #[test]
    fn a_look_in_vain_ends() {
        let mut quickness = Quickness::default();
        quickness.learn(Duration::ZERO);
        quickness.look(|| false);
    }

    #[test]
    fn no_more_than_may_look_at_once() {
        let lookers = Lookers(AtomicUsize::new(0));
        let only = lookers.enter(1);
        assert!(only.is_some());
        assert!(lookers.enter(1).is_none());
        assert!(lookers.enter(1).is_none(), "a refusal has made room");
        drop(only);
        assert!(lookers.enter(1).is_some());
        assert!(lookers.enter(0).is_none());
    }
}
