//! A client's own time: how long it is willing to wait. It is real, whatever clock the broker follows.
//!
//! Where a run is journaled it is noted when patience has run out, and where a journal is replayed it runs out
//! when it did then. Knows nothing of what is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// How a client's own time passes for one request.
#[derive(Clone, Default)]
pub(crate) enum Patience {
    /// As it does.
    #[default]
    Real,
    /// As it does, and it is counted how often it has run out.
    Noted(Arc<AtomicU32>),
    /// As it did when it was noted.
    Replayed(Arc<Replayed>),
}

/// Time that is over when it is said to be.
#[derive(Default)]
pub(crate) struct Replayed(Mutex<Waits>);

#[derive(Default)]
struct Waits {
    under_way: Option<Arc<Notify>>,
    /// So many waits that are yet to begin are over as they do: a busy machine can take longer to begin one than it lasts.
    to_end: u32,
}

impl Replayed {
    /// Ends the next `count` waits, the one under way first; none that was to end before this.
    pub(crate) fn runs_out(&self, count: u32) {
        let mut waits = self.0.lock();
        waits.to_end = count;
        if count > 0
            && let Some(under_way) = waits.under_way.take()
        {
            waits.to_end -= 1;
            under_way.notify_one();
        }
    }

    /// Begins a wait; none if it is over already.
    fn begin(&self) -> Option<Arc<Notify>> {
        let mut waits = self.0.lock();
        if waits.to_end > 0 {
            waits.to_end -= 1;
            return None;
        }
        Some(Arc::clone(waits.under_way.insert(Arc::new(Notify::new()))))
    }
}

impl Patience {
    /// Returns when `time` has passed.
    pub(crate) async fn pass(&self, time: Duration) {
        if time.is_zero() {
            return;
        }
        match self {
            Patience::Real => tokio::time::sleep(time).await,
            Patience::Noted(over) => {
                tokio::time::sleep(time).await;
                over.fetch_add(1, Ordering::Relaxed);
            }
            Patience::Replayed(replayed) => {
                if let Some(over) = replayed.begin() {
                    over.notified().await;
                }
            }
        }
    }
}
