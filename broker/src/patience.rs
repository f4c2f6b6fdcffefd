//! A client's own time: how long it is willing to wait. It is real, whatever clock the broker follows.
//!
//! Where a run is journaled it is noted when patience has run out, and where a journal is replayed it runs out
//! when it did then. Knows nothing of what is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// How a client's own time passes for one request.
#[derive(Clone, Default)]
pub(crate) enum Patience {
    /// As it does.
    #[default]
    Real,
    /// As it does, and it is noted that it is over.
    Noted(Arc<AtomicBool>),
    /// As it did when it was noted.
    Replayed(Arc<Replayed>),
}

/// Time that is over when it is said to be.
#[derive(Default)]
pub(crate) struct Replayed {
    waiting: Mutex<Option<Arc<Notify>>>,
}

impl Replayed {
    /// Ends the wait under way, if there is one.
    pub(crate) fn is_over(&self) {
        if let Some(waiting) = self.waiting.lock().take() {
            waiting.notify_one();
        }
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
                over.store(true, Ordering::Relaxed);
            }
            Patience::Replayed(replayed) => {
                let over = Arc::new(Notify::new());
                *replayed.waiting.lock() = Some(Arc::clone(&over));
                over.notified().await;
            }
        }
    }
}
