//! A broker in a test's hand: what [`Broker`] offers, with sentences instead of results.

use std::ops::Deref;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::look::Record;
use crate::{Broker, Fault, RuleId, Snapshot};

use super::clients::Clients;
use super::guard;
use super::journal::JournalFile;

/// A broker of a test's own. Made by [`Builder::start`](super::Builder::start); it stops when it is dropped.
///
/// It can do all that a [`Broker`] can. What is said here anew takes no deadlines and gives no results: where something
/// goes wrong, the test panics with a sentence that says what. If the test panics, whatever the reason, what the broker saw
/// is printed to stderr, where the test's harness shows it with the test that failed.
#[derive(Debug)]
pub struct TestBroker {
    held: Arc<Held>,
}

/// What there is to say of a broker besides what it says itself.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Where the test started it.
    pub(super) place: &'static Location<'static>,
    /// When that was.
    pub(super) began: Instant,
    /// And when by the broker's clock.
    pub(super) started_ms: i64,
    /// None where it goes on from a snapshot.
    pub(super) seed: Option<u64>,
    /// Whether the test itself gave the seed.
    pub(super) seed_is_given: bool,
    pub(super) patience: Duration,
}

/// The broker, and what goes along with it. Fields are dropped in this order: the broker stops before its journal goes.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) clients: Clients,
    pub(super) broker: Broker,
    pub(super) facts: Facts,
    pub(super) told: guard::Told,
    pub(super) journal: Option<JournalFile>,
}

impl Deref for TestBroker {
    type Target = Broker;

    fn deref(&self) -> &Broker {
        &self.held.broker
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            guard::print(&self.held);
        }
    }
}

impl TestBroker {
    pub(super) fn new(broker: Broker, facts: Facts, journal: Option<JournalFile>) -> Self {
        let held = Arc::new(Held {
            clients: Clients::default(),
            broker,
            facts,
            told: guard::Told::default(),
            journal,
        });
        guard::watch(&held);
        TestBroker { held }
    }

    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// What the broker saw, as it is printed when a test panics: clock and seed, topics with their last records, groups, faults
    /// and the last requests.
    pub fn report(&self) -> String {
        super::report::of(&self.held)
    }

    /// Moves the clock forward. What falls due on the way (sessions, rebalances, retention, expiry) is done, in the order of
    /// its deadlines, when this returns.
    ///
    /// # Panics
    /// If the broker follows the system's clock.
    #[track_caller]
    pub fn advance(&self, duration: Duration) {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.set_time(self.clock().now_ms().saturating_add(ms));
    }

    /// Moves the clock forward to `now_ms`, in milliseconds since 1970, as [`advance`](TestBroker::advance) does it.
    ///
    /// # Panics
    /// If the broker follows the system's clock, or its own has gone further already.
    #[track_caller]
    pub fn set_time(&self, now_ms: i64) {
        if let Err(error) = self.held.broker.set_time(now_ms) {
            panic!("the clock cannot be moved: {error}");
        }
    }

    /// Has a fault happen from the next request on; [`hits`](TestBroker::hits) says how often it did.
    ///
    /// # Panics
    /// If the rule contradicts itself, or can never strike.
    #[track_caller]
    pub fn fault(&self, fault: Fault) -> RuleId {
        self.faults().add(fault).unwrap_or_else(|why| panic!("the fault is not taken: {why}"))
    }

    /// How many requests a fault has struck.
    ///
    /// # Panics
    /// If there is no such rule, or none any more: a reset takes all of them away.
    #[track_caller]
    pub fn hits(&self, rule: RuleId) -> u64 {
        self.faults()
            .hits(rule)
            .unwrap_or_else(|| panic!("there is no rule {rule}: it was removed, or the broker was reset"))
    }

    /// All records of a topic, by partition and offset.
    ///
    /// # Panics
    /// If there is no such topic, or its records take too much to be looked at.
    #[track_caller]
    pub fn records(&self, topic: &str) -> Vec<Record> {
        self.held
            .broker
            .records(topic)
            .unwrap_or_else(|error| panic!("the records cannot be looked at: {error}"))
    }

    /// The values of all records of a topic, as text; of a tombstone an empty one.
    ///
    /// # Panics
    /// As [`records`](TestBroker::records), and if a value is no text.
    #[track_caller]
    pub fn texts(&self, topic: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for record in self.records(topic) {
            let value = record.value.clone().unwrap_or_default();
            match String::from_utf8(value.into()) {
                Ok(text) => texts.push(text),
                Err(error) => {
                    panic!("the value of {} is no text: {}", place(topic, &record), error.utf8_error())
                }
            }
        }
        texts
    }

    /// The values of all records of a topic, each decoded from JSON; of a tombstone that of `null`.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Debug, PartialEq, Serialize, Deserialize)]
    /// struct Order {
    ///     item: String,
    /// }
    ///
    /// let broker = klamm::testing::broker().topic("orders", 1).start();
    /// broker.publish("orders", &Order { item: "lamp".to_owned() });
    /// assert_eq!(broker.values::<Order>("orders"), [Order { item: "lamp".to_owned() }]);
    /// ```
    ///
    /// # Panics
    /// As [`records`](TestBroker::records), and if a value does not decode.
    #[track_caller]
    pub fn values<T: DeserializeOwned>(&self, topic: &str) -> Vec<T> {
        let mut values = Vec::new();
        for record in self.records(topic) {
            match serde_json::from_slice(record.value.as_deref().unwrap_or(b"null")) {
                Ok(value) => values.push(value),
                Err(error) => panic!("the value of {} does not decode: {error}", place(topic, &record)),
            }
        }
        values
    }

    /// Takes a snapshot of all that the broker holds.
    ///
    /// # Panics
    /// If a file of a data folder cannot be looked at.
    #[track_caller]
    pub fn snapshot(&self) -> Snapshot {
        self.held.broker.snapshot().unwrap_or_else(|error| panic!("no snapshot is taken: {error}"))
    }

    /// Goes back to a snapshot. For clients it is a restart; see [`Broker::restore`].
    ///
    /// # Panics
    /// If the broker has a data folder.
    #[track_caller]
    pub fn restore(&self, snapshot: &Snapshot) {
        self.held.broker.restore(snapshot).unwrap_or_else(|error| panic!("the broker is as it was: {error}"));
    }

    /// Goes back to how the broker was when it had just started. For clients it is a restart; see [`Broker::reset`].
    ///
    /// # Panics
    /// If the broker has a data folder.
    #[track_caller]
    pub fn reset(&self) {
        self.held.broker.reset().unwrap_or_else(|error| panic!("the broker is as it was: {error}"));
    }

    /// Starts a second broker that holds what this one does at this moment; from then on neither knows of the other.
    ///
    /// # Panics
    /// If the system has no port or thread for it.
    #[track_caller]
    pub fn fork(&self) -> TestBroker {
        let place = Location::caller();
        let began = Instant::now();
        let fork =
            self.held.broker.fork().unwrap_or_else(|error| panic!("the broker cannot be forked: {error}"));
        let started_ms = fork.clock().now_ms();
        let facts = Facts { place, began, started_ms, seed: None, ..self.held.facts.clone() };
        TestBroker::new(fork, facts, None)
    }
}

fn place(topic: &str, record: &Record) -> String {
    format!("{topic}-{} at offset {}", record.partition, record.offset)
}
