//! A broker in the hand of a test that is a task: what waits is awaited.
//!
//! Needs nothing of the runtime that it is awaited in: the broker and the clients have threads of their own.

use std::fmt::Display;
use std::future::Future;
use std::ops::Deref;
use std::panic::Location;

use serde::Serialize;

use crate::{Codec, Delivered, Json, Message, RuleId, WaitFor};

use super::broker::TestBroker;
use super::waiting::in_vain;

/// A broker of a test that is a task, for instance with `#[tokio::test]`. Made by
/// [`Builder::start_async`](super::Builder::start_async); it stops when it is dropped.
///
/// It can do all that a [`TestBroker`] can. What waits there is awaited here, and blocks no thread of the runtime.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let broker = klamm::testing::broker().topic("orders", 1).start_async().await;
/// broker.publish("orders", "a lamp").await;
/// broker.wait_for_records("orders", 1).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct AsyncTestBroker(TestBroker);

impl Deref for AsyncTestBroker {
    type Target = TestBroker;

    fn deref(&self) -> &TestBroker {
        &self.0
    }
}

impl AsyncTestBroker {
    pub(super) fn new(broker: TestBroker) -> Self {
        AsyncTestBroker(broker)
    }

    /// Waits until `wanted` is the case.
    ///
    /// # Panics
    /// If it is not within the builder's [`patience`](super::Builder::patience), with what was seen instead. So do all waits.
    #[track_caller]
    pub fn wait_for(&self, wanted: WaitFor) -> impl Future<Output = ()> + Send + 'static + use<> {
        let place = Location::caller();
        let waiting = self.held().broker.wait_for_async(wanted, self.held().facts.patience);
        async move {
            waiting.await.unwrap_or_else(|error| panic!("{}, in the wait at {place}", in_vain(&error)));
        }
    }

    /// Waits until `count` records are in a topic, all partitions together, or have been since the wait began.
    #[track_caller]
    pub fn wait_for_records(
        &self,
        topic: &str,
        count: u64,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.wait_for(WaitFor::Records { topic: topic.to_owned(), count })
    }

    /// Waits until a group has `members` members and each of them its assignment.
    #[track_caller]
    pub fn wait_for_group(
        &self,
        group: &str,
        members: usize,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.wait_for(WaitFor::Group { group: group.to_owned(), members })
    }

    /// Waits until a group has committed so far that no more than `lag` records are left to it.
    #[track_caller]
    pub fn wait_for_lag(&self, group: &str, lag: u64) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.wait_for(WaitFor::Lag { group: group.to_owned(), lag })
    }

    /// Waits until a group has committed `offset`, or a later one.
    #[track_caller]
    pub fn wait_for_commit(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.wait_for(WaitFor::Commit { group, topic, partition, offset })
    }

    /// Waits until `count` connections are open, at least; of 0, none.
    #[track_caller]
    pub fn wait_for_connections(&self, count: usize) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.wait_for(WaitFor::Connections { count })
    }

    /// Waits until a fault has struck `count` times, at least.
    #[track_caller]
    pub fn wait_for_hits(
        &self,
        rule: RuleId,
        count: u64,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.wait_for(WaitFor::Hits { rule, count })
    }

    /// Waits until nothing is under way in the broker; see [`WaitFor::Idle`]. What clients are about to send cannot be seen.
    #[track_caller]
    pub fn wait_idle(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.wait_for(WaitFor::Idle)
    }

    /// Publishes a value and waits until it is in the topic: a text as it is, everything else as JSON.
    ///
    /// # Panics
    /// If it is not acknowledged.
    #[track_caller]
    pub fn publish<T: Serialize + ?Sized>(
        &self,
        topic: &str,
        value: &T,
    ) -> impl Future<Output = Delivered> + Send + 'static + use<T> {
        let (place, topic) = (Location::caller(), topic.to_owned());
        let publisher = self.kept_publisher(&topic);
        // Serialised here and now: the future borrows nothing.
        let mut payload = Vec::new();
        let encoded = Json.encode(value, &mut payload);
        async move {
            let failed = |why: &dyn Display| panic!("nothing was published to '{topic}' at {place}: {why}");
            if let Err(error) = encoded {
                failed(&error);
            }
            let published = publisher.send_acknowledged_async(Message::bytes(&payload)).await;
            published.unwrap_or_else(|error| failed(&error))
        }
    }

    /// Starts a second broker that holds what this one does at this moment; from then on neither knows of the other.
    ///
    /// # Panics
    /// If the system has no port or thread for it.
    #[track_caller]
    pub fn fork(&self) -> AsyncTestBroker {
        AsyncTestBroker(self.0.fork())
    }
}
