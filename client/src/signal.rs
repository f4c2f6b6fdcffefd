//! Waiting for a condition, from a thread or from a task, without either blocking the other.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use crate::runtime;

/// Says that something may have changed. Whoever waits looks at the condition again.
///
/// Raising it costs next to nothing while nobody waits.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    /// Threads and tasks that wait, or are about to.
    waiting: AtomicUsize,
    /// How often it was raised for somebody.
    raised: Mutex<u64>,
    threads: Condvar,
    tasks: Notify,
}

/// Counts one who waits, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        // Pairs with the fence in `raise`: either the waiter sees the change, or it is seen waiting.
        fence(Ordering::SeqCst);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Signal {
    /// Has everybody who waits look again. To be called after the change.
    pub(crate) fn raise(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        *self.raised.lock() += 1;
        self.threads.notify_all();
        self.tasks.notify_waiters();
    }

    /// Blocks the thread until `condition` gives something. Gives none at the deadline; without one it waits on.
    pub(crate) fn wait<T>(
        &self,
        deadline: Option<Instant>,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        if let Some(found) = condition() {
            return Some(found);
        }
        let _waiting = Waiting::new(&self.waiting);
        loop {
            // The condition is looked at without the lock, as it may take locks under which others raise this.
            let seen = *self.raised.lock();
            if let Some(found) = condition() {
                return Some(found);
            }
            let mut raised = self.raised.lock();
            while *raised == seen {
                match deadline {
                    None => self.threads.wait(&mut raised),
                    Some(deadline) => {
                        if self.threads.wait_until(&mut raised, deadline).timed_out() {
                            drop(raised);
                            return condition();
                        }
                    }
                }
            }
        }
    }

    /// As [`wait`](Signal::wait), for a task of whatever runtime. May be dropped at any time.
    pub(crate) async fn wait_async<T>(
        &self,
        deadline: Option<Instant>,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        if let Some(found) = condition() {
            return Some(found);
        }
        let _waiting = Waiting::new(&self.waiting);
        loop {
            let notified = self.tasks.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if let Some(found) = condition() {
                return Some(found);
            }
            match deadline {
                None => notified.await,
                Some(deadline) => {
                    // The timer belongs to the client's own runtime: the task may run anywhere.
                    let timeout = {
                        let _timers = runtime::handle().ok()?.enter();
                        tokio::time::timeout_at(deadline.into(), notified)
                    };
                    if timeout.await.is_err() {
                        return condition();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thread_and_a_task_are_woken() {
        let (signal, there) = (Arc::new(Signal::default()), Arc::new(AtomicBool::new(false)));
        let look = |there: &AtomicBool| there.load(Ordering::SeqCst).then_some(());
        let thread = std::thread::spawn({
            let (signal, there) = (Arc::clone(&signal), Arc::clone(&there));
            move || signal.wait(None, || look(&there))
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let waits = {
            let (signal, there) = (Arc::clone(&signal), Arc::clone(&there));
            async move { signal.wait_async(None, || look(&there)).await }
        };
        let changer = std::thread::spawn({
            let (signal, there) = (Arc::clone(&signal), Arc::clone(&there));
            move || {
                while signal.waiting.load(Ordering::SeqCst) < 2 {
                    std::thread::yield_now();
                }
                there.store(true, Ordering::SeqCst);
                signal.raise();
            }
        });
        assert_eq!(runtime.block_on(waits), Some(()));
        assert_eq!(thread.join().unwrap(), Some(()));
        changer.join().unwrap();
    }

    #[test]
    fn waiting_ends_at_the_deadline() {
        let signal = Signal::default();
        let deadline = Instant::now() + Duration::from_millis(5);
        assert_eq!(signal.wait(Some(deadline), || None::<()>), None);
        assert!(Instant::now() >= deadline);
    }
}
