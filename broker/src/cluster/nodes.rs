//! What a test has done to the nodes: which run, which are stopped, cut off or slow, and how requests fare on each.
//!
//! It belongs to the broker and not to one of its lives. Without any trouble a request pays two atomic reads.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What a node is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It answers.
    Running,
    /// Its ports refuse connections.
    Stopped,
    /// Nothing that is sent to it arrives, and nothing of it.
    CutOff,
}

impl std::fmt::Display for NodeState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NodeState::Running => "running",
            NodeState::Stopped => "stopped",
            NodeState::CutOff => "cut off",
        })
    }
}

/// How the nodes are.
pub(crate) struct Nodes {
    /// Whether anything is to be looked at besides.
    troubled: AtomicBool,
    conditions: Vec<Condition>,
    /// Counts up with every change.
    changes: watch::Sender<u64>,
}

struct Condition {
    state: Mutex<NodeState>,
    cut_off: AtomicBool,
    delay_us: AtomicU64,
    served: Mutex<Served>,
}

/// Held by every connection of a node; the other end learns when all have gone.
struct Served {
    alive: mpsc::Sender<Infallible>,
    ended: mpsc::Receiver<Infallible>,
}

impl Served {
    fn new() -> Self {
        let (alive, ended) = mpsc::channel();
        Served { alive, ended }
    }
}

impl Nodes {
    pub(crate) fn new(count: usize) -> Self {
        let condition = || Condition {
            state: Mutex::new(NodeState::Running),
            cut_off: AtomicBool::new(false),
            delay_us: AtomicU64::new(0),
            served: Mutex::new(Served::new()),
        };
        Nodes {
            troubled: AtomicBool::new(false),
            conditions: std::iter::repeat_with(condition).take(count.max(1)).collect(),
            changes: watch::Sender::new(0),
        }
    }

    /// Whether any node is not as it was at the start.
    pub(crate) fn is_troubled(&self) -> bool {
        self.troubled.load(Ordering::Relaxed)
    }

    pub(crate) fn state(&self, place: usize) -> NodeState {
        self.conditions.get(place).map_or(NodeState::Stopped, |condition| *condition.state.lock())
    }

    pub(crate) fn runs(&self, place: usize) -> bool {
        !self.is_troubled() || self.state(place) == NodeState::Running
    }

    pub(crate) fn delay(&self, place: usize) -> Duration {
        let delay_us = self.conditions.get(place).map_or(0, |one| one.delay_us.load(Ordering::Relaxed));
        Duration::from_micros(delay_us)
    }

    pub(crate) fn set_state(&self, place: usize, state: NodeState) {
        if let Some(condition) = self.conditions.get(place) {
            *condition.state.lock() = state;
            condition.cut_off.store(state == NodeState::CutOff, Ordering::Relaxed);
            self.changed();
        }
    }

    pub(crate) fn set_delay(&self, place: usize, delay: Duration) {
        if let Some(condition) = self.conditions.get(place) {
            let delay_us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
            condition.delay_us.store(delay_us, Ordering::Relaxed);
            self.changed();
        }
    }

    fn changed(&self) {
        let calm = |condition: &Condition| {
            *condition.state.lock() == NodeState::Running && condition.delay_us.load(Ordering::Relaxed) == 0
        };
        self.troubled.store(!self.conditions.iter().all(calm), Ordering::SeqCst);
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Returns once what is sent to a node, or by it, arrives.
    pub(crate) async fn reaches(&self, place: usize) {
        let cut_off = |condition: &Condition| condition.cut_off.load(Ordering::Relaxed);
        let mut changes = self.changes.subscribe();
        while self.conditions.get(place).is_some_and(cut_off) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Lets pass what a slow node takes longer for.
    pub(crate) async fn linger(&self, place: usize) {
        let delay = self.delay(place);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// To be held by a connection of a node for as long as it is served.
    pub(crate) fn serve(&self, place: usize) -> impl Send + 'static + use<> {
        self.conditions.get(place).map(|condition| condition.served.lock().alive.clone())
    }

    /// Waits until the connections of a node that have been told to end have done so. One that hangs is left behind.
    pub(crate) fn wait_until_idle(&self, place: usize, patience: Duration) {
        let Some(condition) = self.conditions.get(place) else { return };
        let Served { alive, ended } = std::mem::replace(&mut *condition.served.lock(), Served::new());
        drop(alive);
        // Disconnected is what is waited for.
        let _ = ended.recv_timeout(patience);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_cut_off_waits_and_the_others_do_not() {
        let nodes = Nodes::new(2);
        assert!(!nodes.is_troubled());
        nodes.set_state(1, NodeState::CutOff);
        assert!(nodes.is_troubled() && nodes.runs(0) && !nodes.runs(1));
        nodes.reaches(0).await;
        let mut waiting = std::pin::pin!(nodes.reaches(1));
        let polled = std::future::poll_fn(|task| std::task::Poll::Ready(waiting.as_mut().poll(task))).await;
        assert!(polled.is_pending());
        nodes.set_state(1, NodeState::Running);
        waiting.await;
        assert!(!nodes.is_troubled());
    }

    #[test]
    fn whoever_is_served_is_waited_for() {
        let nodes = Nodes::new(1);
        let served = nodes.serve(0);
        let ended = std::thread::spawn(move || drop(served));
        nodes.wait_until_idle(0, Duration::from_secs(60));
        ended.join().unwrap();
    }
}
