//! What a test's broker is to be like, where the test does not say otherwise.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher;
use std::panic::Location;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::{Broker, BrokerBuilder, Clock, Snapshot};

use super::broker::{Facts, TestBroker};
use super::journal;
use super::tasks::AsyncTestBroker;

/// The seed of a test's broker, unless [`Builder::seed`] or the variable `KLAMM_SEED` says another.
pub const DEFAULT_SEED: u64 = 1;

/// How long a test's broker waits for what must happen, unless [`Builder::patience`] says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The variable that gives the seed: a number, or `random`.
const SEED_VARIABLE: &str = "KLAMM_SEED";

/// What a test's broker is to be like. Made by [`broker`](super::broker()).
///
/// Unlike [`Broker::builder`](crate::Broker::builder) it begins with a seed, and with a clock that stands at the present until the test moves it.
#[derive(Debug, Clone)]
#[must_use = "nothing runs before it is started"]
pub struct Builder {
    pub(super) broker: BrokerBuilder,
    pub(super) clock: Clock,
    pub(super) seed: Option<u64>,
    pub(super) patience: Duration,
    pub(super) journal_folder: Option<PathBuf>,
    pub(super) from_snapshot: bool,
}

impl Builder {
    pub(super) fn new() -> Self {
        Builder {
            broker: Broker::builder(),
            clock: Clock::manual(Clock::system().now_ms()),
            seed: None,
            patience: PATIENCE,
            journal_folder: None,
            from_snapshot: false,
        }
    }

    /// Creates a topic with as many partitions before the broker starts.
    pub fn topic(self, name: impl Into<String>, partitions: i32) -> Self {
        self.with(|broker| broker.topic(name, partitions))
    }

    /// Sets a broker config by Kafka's name for it, for instance `log.retention.ms`.
    pub fn config(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|broker| broker.config(name, value))
    }

    /// Stands for `count` nodes of a cluster, with one log behind them: see [`BrokerBuilder::brokers`].
    pub fn brokers(self, count: usize) -> Self {
        self.with(|broker| broker.brokers(count))
    }

    /// Has time go on by itself, as it does for a broker in production. Without this it stands still until
    /// [`advance`](TestBroker::advance) moves it.
    pub fn system_clock(self) -> Self {
        self.clock(Clock::system())
    }

    /// Takes the broker's time from `clock`: [`Clock::manual`] with a time of the test's own, or [`Clock::system`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Draws every random choice from `seed`. Without it the variable `KLAMM_SEED` says which (a number, or `random` for
    /// another one in each run), and where that is not set either, it is [`DEFAULT_SEED`]: runs are equal.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Waits for so long, of real time, for what must happen, before a wait ends the test. Without it, [`PATIENCE`].
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Begins with what `snapshot` holds: see [`BrokerBuilder::from_snapshot`]. The broker goes on from the seed and the time
    /// of the snapshot.
    pub fn from_snapshot(mut self, snapshot: &Snapshot) -> Self {
        self.from_snapshot = true;
        self.with(|broker| broker.from_snapshot(snapshot))
    }

    /// Keeps a journal of the run in a file in `folder`, and leaves it there if the test panics, for `klamm replay`. Without
    /// it the variable `KLAMM_JOURNAL_DIR` says where, and where that is not set either, there is none.
    pub fn journal_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.journal_folder = Some(folder.into());
        self
    }

    /// Says what else there is to say of a broker: listeners, a data folder, a `server.properties`. What it says of the
    /// clock, the seed and the journal is not heard: this builder has words of its own for them.
    ///
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// let broker = klamm::testing::broker().with(|broker| broker.data_dir(folder.path())).start();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with(mut self, change: impl FnOnce(BrokerBuilder) -> BrokerBuilder) -> Self {
        self.broker = change(self.broker);
        self
    }

    /// Starts the broker. When this returns, clients can connect and the topics are there.
    ///
    /// # Panics
    /// If the broker cannot be started, with a sentence that says why.
    #[track_caller]
    pub fn start(self) -> TestBroker {
        let place = Location::caller();
        self.try_start(place).unwrap_or_else(|why| panic!("the test's broker does not start: {why}"))
    }

    /// As [`start`](Builder::start), for a test that is a task, of whatever runtime: what waits does not block the runtime.
    ///
    /// Starting takes less than a millisecond, or as long as a data folder has to be recovered.
    ///
    /// # Panics
    /// As [`start`](Builder::start).
    #[track_caller]
    pub fn start_async(self) -> impl Future<Output = AsyncTestBroker> + Send {
        let place = Location::caller();
        async move {
            let started = self.try_start(place);
            let broker = started.unwrap_or_else(|why| panic!("the test's broker does not start: {why}"));
            AsyncTestBroker::new(broker)
        }
    }

    fn try_start(self, place: &'static Location<'static>) -> Result<TestBroker, String> {
        let began = Instant::now();
        let (seed, seed_is_given) = match self.seed {
            Some(seed) => (seed, true),
            None => (seed_of_environment()?, false),
        };
        let mut broker = self.broker.clock(self.clock.clone()).seed(seed);
        let journal = match self.journal_folder.or_else(journal::folder_of_environment) {
            // Of what was there before the journal knows nothing: it could not be replayed.
            Some(folder) if !self.from_snapshot => Some(journal::JournalFile::new(&folder)?),
            _ => None,
        };
        if let Some(journal) = &journal {
            broker = broker.journal(journal.options());
        }
        let broker = broker.start().map_err(|error| error.to_string())?;
        let facts = Facts {
            place,
            began,
            started_ms: broker.clock().now_ms(),
            seed: (!self.from_snapshot).then_some(seed),
            seed_is_given,
            patience: self.patience,
        };
        Ok(TestBroker::new(broker, facts, journal))
    }
}

/// The seed that the environment asks for.
fn seed_of_environment() -> Result<u64, String> {
    match std::env::var(SEED_VARIABLE) {
        Err(_) => Ok(DEFAULT_SEED),
        Ok(text) if text.trim() == "random" => Ok(RandomState::new().hash_one(std::process::id())),
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| format!("{SEED_VARIABLE} is '{text}': give a number from 0 on, or 'random'")),
    }
}
