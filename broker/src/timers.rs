//! Work that falls due at a time of the broker's clock, run in the order of its deadlines.
//!
//! Deadlines are counted in steady milliseconds: a system clock that somebody sets moves none of them. Knows nothing of
//! what the work is. One driver task sleeps until the next deadline of a system clock; a manual clock
//! has no driver: [`Timers::advance_to`] runs what falls due, on the caller's thread, before it returns.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::clock::Clock;
use crate::journal::Recorder;

/// A piece of work; it is given its own deadline, or the time at which it runs if that is later.
pub(crate) type Job = Box<dyn FnOnce(i64) + Send>;

/// Names one scheduled job: its deadline, and a number that tells jobs of one deadline apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerId {
    deadline_ms: i64,
    number: u64,
}

/// The longest sleep of the driver: nothing that goes wrong with one wake-up makes work later than that.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// All that is waiting for its time.
pub(crate) struct Timers {
    clock: Clock,
    queue: Mutex<Queue>,
    changed: Notify,
    /// Where it is journaled that time has done something.
    recorder: OnceLock<Arc<Recorder>>,
}

#[derive(Default)]
struct Queue {
    jobs: BTreeMap<TimerId, Job>,
    next_number: u64,
}

/// Cancels a job when whoever waits for it gives up.
struct Cancel {
    timers: Arc<Timers>,
    id: TimerId,
}

impl Drop for Cancel {
    fn drop(&mut self) {
        self.timers.cancel(self.id);
    }
}

impl Timers {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Timers { clock, queue: Mutex::default(), changed: Notify::new(), recorder: OnceLock::new() })
    }

    /// Runs `job` once the clock has reached `deadline_ms`.
    pub(crate) fn schedule(&self, deadline_ms: i64, job: Job) -> TimerId {
        let (id, first) = {
            let mut queue = self.queue.lock();
            let id = TimerId { deadline_ms, number: queue.next_number };
            queue.next_number += 1;
            queue.jobs.insert(id, job);
            (id, queue.jobs.first_key_value().is_some_and(|(first, _)| *first == id))
        };
        if first {
            self.changed.notify_one();
        }
        id
    }

    /// Returns once the clock has gone on by `time`.
    pub(crate) async fn wait(self: &Arc<Self>, time: Duration) {
        let (to, reached) = oneshot::channel();
        let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let deadline = self.clock.steady_ms().saturating_add(ms);
        let id = self.schedule(deadline, Box::new(move |_| _ = to.send(())));
        let _given_up = Cancel { timers: Arc::clone(self), id };
        // An error says that the job is gone without having run: there is nothing to wait for any more.
        let _ = reached.await;
    }

    /// Forgets a job. One that has run, or runs right now, is not undone.
    pub(crate) fn cancel(&self, id: TimerId) {
        // The job may own the last reference to something that schedules in its drop: let go of the lock first.
        let job = self.queue.lock().jobs.remove(&id);
        drop(job);
    }

    /// Moves a manual clock to `target_ms`, stopping at each deadline on the way to run what falls due there.
    pub(crate) fn advance_to(&self, target_ms: i64) {
        let mut turn = self.recorder.get().map(|recorder| recorder.turn());
        if let Some(turn) = &mut turn {
            turn.advance(target_ms);
        }
        while let Some((id, job)) = self.take_due(target_ms) {
            self.clock.move_to(id.deadline_ms);
            job(id.deadline_ms);
        }
        self.clock.move_to(target_ms);
    }

    /// Sleeps and runs what falls due, until it is dropped. Only for a system clock.
    pub(crate) async fn drive(self: Arc<Self>) {
        loop {
            let now = self.clock.live_steady_ms();
            if self.until_next(now).is_zero() {
                // Retention and expiry touch files: other tasks of this thread move elsewhere meanwhile.
                tokio::task::block_in_place(|| self.do_what_is_due());
            }
            let sleep = self.until_next(self.clock.live_steady_ms());
            let _ = tokio::time::timeout(sleep, self.changed.notified()).await;
        }
    }

    /// Does what is due by the system's clock, and journals it.
    fn do_what_is_due(&self) {
        let mut turn = self.recorder.get().map(|recorder| recorder.turn());
        if let Some(turn) = &mut turn {
            turn.due();
        }
        self.run_due(self.clock.steady_ms());
    }

    /// Does what is due at `now_ms`, wherever the clock stands.
    pub(crate) fn run_due(&self, now_ms: i64) {
        while let Some((id, job)) = self.take_due(now_ms) {
            job(id.deadline_ms.max(now_ms));
        }
    }

    /// Has it journaled from now on that time has done something.
    pub(crate) fn journal_to(&self, recorder: Arc<Recorder>) {
        // Set once, when the broker is put together.
        let _ = self.recorder.set(recorder);
    }

    fn take_due(&self, now_ms: i64) -> Option<(TimerId, Job)> {
        let mut queue = self.queue.lock();
        let entry = queue.jobs.first_entry()?;
        (entry.key().deadline_ms <= now_ms).then(|| entry.remove_entry())
    }

    fn until_next(&self, now_ms: i64) -> Duration {
        let first = self.queue.lock().jobs.first_key_value().map(|(id, _)| id.deadline_ms);
        let wait = first.map_or(i64::MAX, |deadline| deadline.saturating_sub(now_ms));
        Duration::from_millis(wait.max(0).unsigned_abs()).min(LONGEST_SLEEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(seen: &Arc<Mutex<Vec<(i64, &'static str)>>>, name: &'static str) -> Job {
        let seen = Arc::clone(seen);
        Box::new(move |at| seen.lock().push((at, name)))
    }

    #[test]
    fn jobs_run_in_the_order_of_their_deadlines() {
        let timers = Timers::new(Clock::manual(0));
        let seen = Arc::default();
        timers.schedule(20, note(&seen, "later"));
        timers.schedule(10, note(&seen, "first"));
        timers.schedule(10, note(&seen, "second"));
        timers.schedule(31, note(&seen, "not yet"));
        timers.advance_to(30);
        assert_eq!(*seen.lock(), [(10, "first"), (10, "second"), (20, "later")]);
        assert_eq!(timers.clock.now_ms(), 30);
    }

    #[test]
    fn a_job_scheduled_by_a_job_runs_in_the_same_advance_if_it_is_due() {
        let timers = Timers::new(Clock::manual(0));
        let seen = Arc::default();
        let (again, inner) = (Arc::clone(&timers), note(&seen, "inner"));
        timers.schedule(5, Box::new(move |at| _ = again.schedule(at + 5, inner)));
        timers.advance_to(10);
        assert_eq!(*seen.lock(), [(10, "inner")]);
    }

    #[test]
    fn a_cancelled_job_does_not_run() {
        let timers = Timers::new(Clock::manual(0));
        let seen = Arc::default();
        let id = timers.schedule(5, note(&seen, "cancelled"));
        timers.cancel(id);
        timers.advance_to(10);
        assert!(seen.lock().is_empty());
    }
}
