//! Waiting until a broker has come to a state, on a thread that may block. A test that waits in vain ends with what was seen.

use crate::{RuleId, WaitError, WaitFor};

use super::broker::TestBroker;

/// How a wait in vain ends a test.
pub(super) fn in_vain(error: &WaitError) -> String {
    format!("waited in vain: {error}")
}

impl TestBroker {
    /// Waits until `wanted` is the case. Woken by what it waits for: nothing is polled, nothing slept through.
    ///
    /// # Panics
    /// If it is not within the builder's [`patience`](super::Builder::patience), with what was seen instead. So do all waits.
    #[track_caller]
    pub fn wait_for(&self, wanted: WaitFor) {
        let waited = self.held().broker.wait_for(wanted, self.held().facts.patience);
        waited.unwrap_or_else(|error| panic!("{}", in_vain(&error)));
    }

    /// Waits until `count` records are in a topic, all partitions together, or have been since the wait began.
    #[track_caller]
    pub fn wait_for_records(&self, topic: &str, count: u64) {
        self.wait_for(WaitFor::Records { topic: topic.to_owned(), count });
    }

    /// Waits until a group has `members` members and each of them its assignment.
    #[track_caller]
    pub fn wait_for_group(&self, group: &str, members: usize) {
        self.wait_for(WaitFor::Group { group: group.to_owned(), members });
    }

    /// Waits until a group has committed so far that no more than `lag` records are left to it.
    #[track_caller]
    pub fn wait_for_lag(&self, group: &str, lag: u64) {
        self.wait_for(WaitFor::Lag { group: group.to_owned(), lag });
    }

    /// Waits until a group has committed `offset`, or a later one.
    #[track_caller]
    pub fn wait_for_commit(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.wait_for(WaitFor::Commit { group, topic, partition, offset });
    }

    /// Waits until `count` connections are open, at least; of 0, none.
    #[track_caller]
    pub fn wait_for_connections(&self, count: usize) {
        self.wait_for(WaitFor::Connections { count });
    }

    /// Waits until a fault has struck `count` times, at least.
    #[track_caller]
    pub fn wait_for_hits(&self, rule: RuleId, count: u64) {
        self.wait_for(WaitFor::Hits { rule, count });
    }

    /// Waits until nothing is under way in the broker; see [`WaitFor::Idle`]. What clients are about to send cannot be seen.
    #[track_caller]
    pub fn wait_idle(&self) {
        self.wait_for(WaitFor::Idle);
    }
}
