//! A broker for each test: started in less than a millisecond, in the test's hand, and talkative when the test fails.
//!
//! What a test starts here is a [`Broker`](crate::Broker) like any other, wrapped so that a test reads well: what can go wrong ends the
//! test with a sentence, waiting has a deadline of its own, and a guard prints what the broker saw when the test panics.
//! Knows the broker and the client by what they offer to everybody.
#![doc = include_str!("../../docs/testing.md")]
#![allow(clippy::test_attr_in_doctest, reason = "the chapter shows whole tests, and runs what is in them")]

mod broker;
mod builder;
mod clients;
mod guard;
mod journal;
mod report;
mod tasks;
mod waiting;

pub use broker::TestBroker;
pub use builder::{Builder, DEFAULT_SEED, PATIENCE};
pub use tasks::AsyncTestBroker;

/// What a test's broker is to be like; [`start`](Builder::start) or [`start_async`](Builder::start_async) starts it.
///
/// ```
/// let broker = klamm::testing::broker().topic("orders", 1).start();
/// broker.publish("orders", "a lamp");
/// assert_eq!(broker.texts("orders"), ["a lamp"]);
/// ```
pub fn broker() -> Builder {
    Builder::new()
}
