//! Waiting for the broker to come to a state: woken by what changes it, with a deadline of real time, and with an error
//! that says what was seen instead.
//!
//! Whoever waits enters with the partitions, the groups and the bell that it depends on, looks, and sleeps until one of
//! them moves. Nothing is looked at on a timer, and a broker on which nobody waits pays an atomic read.

mod condition;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::faults::RuleId;
use crate::hand::Hand;
use crate::lives::Current;
use crate::partition::Waiting;
use crate::server::Broker;

use condition::Condition;

/// Rung when something has changed that somebody may wait for and that has no bell of its own: topics, connections,
/// requests that end, faults that strike.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    listening: AtomicUsize,
    rung: Notify,
}

impl Bell {
    /// Wakes whoever listens.
    pub(crate) fn ring(&self) {
        // Sequentially consistent, as is the entry in `listen`: a change and one who looks cannot both miss the other.
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.listening.load(Ordering::SeqCst) > 0 {
            self.rung.notify_waiters();
        }
    }

    fn listen(&self) -> Listening<'_> {
        self.listening.fetch_add(1, Ordering::SeqCst);
        std::sync::atomic::fence(Ordering::SeqCst);
        Listening(self)
    }
}

/// One who listens to a bell, until it is dropped.
struct Listening<'a>(&'a Bell);

impl Listening<'_> {
    /// Becomes ready with the next ring from now on, also with one that comes before it is polled.
    fn next(&self) -> Notified<'_> {
        self.0.rung.notified()
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.listening.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What to wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WaitFor {
    /// So many records are in a topic, all partitions together, or have been since the wait began.
    Records {
        /// The topic's name; it may come to be meanwhile.
        topic: String,
        /// How many, at least.
        count: u64,
    },
    /// A group is stable: it has so many members, and each has its assignment.
    Group {
        /// The group's id.
        group: String,
        /// How many members, exactly.
        members: usize,
    },
    /// A group has committed so far that no more than so many records are left, in all partitions of which it has offsets
    /// or that its members are assigned.
    Lag {
        /// The group's id.
        group: String,
        /// How many records may be left, all partitions together.
        lag: u64,
    },
    /// A group has committed an offset, or a later one.
    Commit {
        /// The group's id.
        group: String,
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// So many connections are open, at least; of 0, none.
    Connections {
        /// How many.
        count: usize,
    },
    /// A fault has struck so often, at least.
    Hits {
        /// The rule.
        rule: RuleId,
        /// How often.
        count: u64,
    },
    /// Nothing is under way: no request is being worked on, except fetches that wait for records that nobody has sent, and
    /// no group is between two generations.
    Idle,
}

/// What was waited for did not come about in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("waited {waited_ms} ms for {wanted}; seen instead: {seen}")]
pub struct WaitError {
    /// What was waited for.
    pub wanted: String,
    /// How it stood when time was up.
    pub seen: String,
    /// How long was waited, in milliseconds of real time.
    pub waited_ms: u64,
}

/// Waits until `wanted` is the case, or for `timeout` of real time.
async fn wait(
    hand: Arc<Hand>,
    current: Arc<Current>,
    wanted: WaitFor,
    timeout: Duration,
) -> Result<(), WaitError> {
    let mut condition = Condition::new(&wanted);
    let deadline = tokio::time::sleep(timeout);
    tokio::pin!(deadline);
    let listening = hand.bell.listen();
    loop {
        // Enter first, look then: what happens in between is not missed.
        let rung = listening.next();
        // Asked for each time: a reset or a restore puts another life in the place of this one, and rings the bell.
        let state = current.get();
        let mut groups = state.groups.changes.subscribe();
        let partitions = Waiting::enter(condition.partitions(&state));
        let Err(seen) = condition.look(&state) else { return Ok(()) };
        tokio::select! {
            () = rung => {}
            () = partitions.woken() => {}
            // The sender lives in the state.
            _ = groups.changed() => {}
            () = &mut deadline => {
                let waited_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                return Err(WaitError { wanted: condition.wanted(), seen, waited_ms });
            }
        }
    }
}

/// Aborts a task when nobody waits for it any more.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs `work` on the broker's own runtime, so that neither the caller's runtime nor its timers matter.
fn on_runtime<W: Future<Output = Result<(), WaitError>> + Send + 'static>(
    runtime: &Handle,
    work: W,
) -> impl Future<Output = Result<(), WaitError>> + Send + 'static + use<W> {
    let task = runtime.spawn(work);
    let abort = AbortOnDrop(task.abort_handle());
    async move {
        let _abort = abort;
        let stopped =
            || WaitError { wanted: "the broker".to_owned(), seen: "it has stopped".to_owned(), waited_ms: 0 };
        task.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Broker {
    /// Waits until `wanted` is the case, for `timeout` of real time at the most. Blocks the calling thread: in a task use
    /// [`wait_for_async`](Broker::wait_for_async).
    ///
    /// ```
    /// use std::time::Duration;
    /// use klamm_broker::{Broker, WaitFor};
    ///
    /// let broker = Broker::builder().topic("orders", 1).start()?;
    /// let wanted = WaitFor::Records { topic: "orders".to_owned(), count: 1 };
    /// let error = broker.wait_for(wanted, Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(error.seen, "0 records in 1 partition of 'orders'");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If time is up, with what was seen instead.
    pub fn wait_for(&self, wanted: WaitFor, timeout: Duration) -> Result<(), WaitError> {
        let (to, done) = std::sync::mpsc::channel();
        let waiting = self.waiting(wanted, timeout);
        let task = self.runtime().spawn(async move { drop(to.send(waiting.await)) });
        let _abort = AbortOnDrop(task.abort_handle());
        let stopped =
            WaitError { wanted: "the broker".to_owned(), seen: "it has stopped".to_owned(), waited_ms: 0 };
        done.recv().unwrap_or(Err(stopped))
    }

    /// As [`wait_for`](Broker::wait_for), for tasks. Needs nothing of the runtime that it is awaited in, and gives up when it
    /// is dropped.
    pub fn wait_for_async(
        &self,
        wanted: WaitFor,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), WaitError>> + Send + 'static + use<> {
        on_runtime(self.runtime().handle(), self.waiting(wanted, timeout))
    }

    fn waiting(
        &self,
        wanted: WaitFor,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), WaitError>> + Send + 'static + use<> {
        wait(Arc::clone(&self.plan.hand), Arc::clone(self.current()), wanted, timeout)
    }

    /// Waits until `count` records are in a topic, all partitions together, or have been since the wait began.
    ///
    /// # Errors
    /// If time is up, with how many there were.
    pub fn wait_for_records(&self, topic: &str, count: u64, timeout: Duration) -> Result<(), WaitError> {
        self.wait_for(WaitFor::Records { topic: topic.to_owned(), count }, timeout)
    }

    /// Waits until a group has `members` members and each of them its assignment.
    ///
    /// # Errors
    /// If time is up, with how the group stood.
    pub fn wait_for_group(&self, group: &str, members: usize, timeout: Duration) -> Result<(), WaitError> {
        self.wait_for(WaitFor::Group { group: group.to_owned(), members }, timeout)
    }

    /// Waits until a group has committed so far that no more than `lag` records are left to it.
    ///
    /// # Errors
    /// If time is up, with what was left.
    pub fn wait_for_lag(&self, group: &str, lag: u64, timeout: Duration) -> Result<(), WaitError> {
        self.wait_for(WaitFor::Lag { group: group.to_owned(), lag }, timeout)
    }

    /// Waits until a group has committed `offset`, or a later one.
    ///
    /// # Errors
    /// If time is up, with what was committed.
    pub fn wait_for_commit(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
        timeout: Duration,
    ) -> Result<(), WaitError> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.wait_for(WaitFor::Commit { group, topic, partition, offset }, timeout)
    }

    /// Waits until `count` connections are open, at least; of 0, none.
    ///
    /// # Errors
    /// If time is up, with those that were.
    pub fn wait_for_connections(&self, count: usize, timeout: Duration) -> Result<(), WaitError> {
        self.wait_for(WaitFor::Connections { count }, timeout)
    }

    /// Waits until a fault has struck `count` times, at least.
    ///
    /// # Errors
    /// If time is up, with how often it had.
    pub fn wait_for_hits(&self, rule: RuleId, count: u64, timeout: Duration) -> Result<(), WaitError> {
        self.wait_for(WaitFor::Hits { rule, count }, timeout)
    }

    /// Waits until nothing is under way in the broker; see [`WaitFor::Idle`]. What clients are about to send cannot be seen.
    ///
    /// # Errors
    /// If time is up, with what was under way.
    pub fn wait_idle(&self, timeout: Duration) -> Result<(), WaitError> {
        self.wait_for(WaitFor::Idle, timeout)
    }
}
