//! A broker as its owner sees it: how it is to be, starting and stopping it. What it is made of is put together in `start`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use klamm_storage::{Home, OpenError, StorageError};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

use crate::clock::{Clock, TimeError};
use crate::cluster::Doors;
use crate::config::ConfigError;
use crate::faults::Faults;
use crate::housekeeper;
use crate::journal::{Command, JournalError, JournalOptions};
use crate::listeners;
use crate::lives::Current;
use crate::properties;
use crate::snapshot::{Snapshot, SnapshotError};
use crate::start::{self, Plan};
use crate::state::BrokerState;
use crate::transport::{self, InProcessConnection};

/// How long a broker that stops waits for the requests under way.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Threads that answer requests, at the most: one for each core up to this.
const MOST_WORKERS: usize = 8;

/// Why a broker does not start. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A config is not known, or its value does not do.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used, or a log in it cannot be opened.
    #[error(transparent)]
    Data(#[from] OpenError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {why}; choose another port, or port 0 for any that is free")]
    Listen {
        /// The address as it was given.
        address: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// A topic that was asked for cannot be created.
    #[error("cannot create the topic '{name}': {why}")]
    Topic {
        /// The name as it was given.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The journal of topics and configs cannot be read.
    #[error(
        "the data folder's journal of topics cannot be read from offset {offset} on: {why}; \
         restore the folder from a copy, or start with another"
    )]
    Metadata {
        /// Where reading began.
        offset: i64,
        /// What was found.
        why: String,
    },
    /// The topic of committed offsets cannot be read.
    #[error(
        "the data folder's committed offsets cannot be read: {why}; \
         restore the folder from a copy, or start with another"
    )]
    Groups {
        /// What was found.
        why: String,
    },
    /// The snapshot to start from, or to fork, will not do.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// There cannot be such a cluster.
    #[error("there cannot be such a cluster: {why}")]
    Cluster {
        /// What is wrong with it.
        why: String,
    },
    /// The journal of the run cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The system gives no thread or socket.
    #[error("the system refuses what a broker needs: {0}")]
    System(#[from] std::io::Error),
}

/// Why a broker did not stop cleanly. What was acknowledged is safe all the same.
#[derive(Debug, thiserror::Error)]
pub enum ShutdownError {
    /// The logs could not be closed; they are recovered at the next start.
    #[error("the logs could not be closed cleanly and will be recovered at the next start: {0}")]
    Logs(#[from] StorageError),
}

/// An address to listen on, and the one that clients are told.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) bind: String,
    pub(crate) advertised: Option<String>,
}

/// What a broker is to be like. Made by [`Broker::builder`].
#[derive(Debug, Clone)]
pub struct BrokerBuilder {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) home: Home,
    pub(crate) topics: Vec<(String, Option<i32>)>,
    pub(crate) configs: BTreeMap<String, String>,
    pub(crate) clock: Clock,
    pub(crate) seed: Option<u64>,
    pub(crate) base: Option<Snapshot>,
    pub(crate) journal: Option<JournalOptions>,
    pub(crate) brokers: usize,
    pub(crate) racks: Option<Vec<String>>,
}

impl BrokerBuilder {
    fn new() -> Self {
        BrokerBuilder {
            listeners: Vec::new(),
            home: Home::Memory,
            topics: Vec::new(),
            configs: BTreeMap::new(),
            clock: Clock::system(),
            seed: None,
            base: None,
            journal: None,
            brokers: 1,
            racks: None,
        }
    }

    /// Stands for `count` nodes, up to [`MAX_BROKERS`](crate::MAX_BROKERS), with one log behind them: their ids are
    /// `node.id` (1 where it is not set) and those that follow on it. Each listens on every address that is given: with
    /// port 0 each on a free one, with another port the first node on that and the others on those that follow on it.
    /// Topics are replicated as their replication factor says; `default.replication.factor` and
    /// `offsets.topic.replication.factor` are 3, or as many as there are nodes, where they are not set.
    ///
    /// [`Broker::cluster`] moves leaders and coordinators, stops nodes and brings them back.
    ///
    /// ```
    /// use klamm_broker::Broker;
    ///
    /// let broker = Broker::builder().brokers(3).racks(["a", "b", "c"]).topic("orders", 6).start()?;
    /// assert_eq!(broker.bootstrap_servers().split(',').count(), 3);
    /// assert_eq!(broker.cluster().node(2)?.rack.as_deref(), Some("b"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn brokers(mut self, count: usize) -> Self {
        self.brokers = count;
        self
    }

    /// Says which rack each of the nodes is in, one for each in the order of their ids: `broker.rack` for several. Clients
    /// that tell their own rack are told to read from a replica in it where `replica.selector.class` is
    /// `org.apache.kafka.common.replica.RackAwareReplicaSelector` (KIP-392).
    pub fn racks<R: Into<String>>(mut self, racks: impl IntoIterator<Item = R>) -> Self {
        self.racks = Some(racks.into_iter().map(Into::into).collect());
        self
    }

    /// Listens on `address`, `HOST:PORT`; port 0 takes one that is free. Can be called again for more listeners.
    /// Without any the broker listens on a free port of 127.0.0.1.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listeners.push(Listener { bind: address.into(), advertised: None });
        self
    }

    /// Listens on `address` and tells clients to connect to `advertised` (`HOST` or `HOST:PORT`) instead.
    pub fn listen_advertised(mut self, address: impl Into<String>, advertised: impl Into<String>) -> Self {
        self.listeners.push(Listener { bind: address.into(), advertised: Some(advertised.into()) });
        self
    }

    /// Keeps everything in `folder`, created if it is not there, so that it survives a restart. Without it the broker
    /// lives in memory.
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.home = Home::Folder(folder.into());
        self
    }

    /// Creates a topic with as many partitions when the broker starts, unless it is there already.
    pub fn topic(mut self, name: impl Into<String>, partitions: i32) -> Self {
        self.topics.push((name.into(), Some(partitions)));
        self
    }

    /// Creates a topic with `num.partitions` partitions when the broker starts, unless it is there already.
    pub fn topic_with_default_partitions(mut self, name: impl Into<String>) -> Self {
        self.topics.push((name.into(), None));
        self
    }

    /// Sets a broker config by Kafka's name for it, for instance `num.partitions`.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.insert(name.into(), value.into());
        self
    }

    /// Takes configs from the text of a `server.properties` file. `listeners`, `advertised.listeners` and `log.dirs` (or
    /// `log.dir`) say where to listen and where to keep data, as they do for Kafka; a bind address without a host
    /// means all of them. What belongs to a KRaft controller alone is left out.
    ///
    /// # Errors
    /// If a listener is not written as `NAME://HOST:PORT`, or asks for a protocol other than PLAINTEXT.
    pub fn properties(mut self, text: &str) -> Result<Self, ConfigError> {
        let configs = properties::parse(text);
        let listeners = listeners::from_properties(&configs)?;
        self.listeners.extend(listeners.into_iter().map(|(bind, advertised)| Listener { bind, advertised }));
        let folders = configs.get("log.dirs").or(configs.get("log.dir"));
        let folder = folders.and_then(|folders| folders.split(',').next()).map(str::trim);
        if let Some(folder) = folder.filter(|folder| !folder.is_empty()) {
            self.home = Home::Folder(folder.into());
        }
        self.configs.extend(configs);
        Ok(self)
    }

    /// Whether an address to listen on has been given.
    pub fn has_listeners(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// Takes the broker's time from `clock` instead of the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Draws every random choice (ids, sessions) from `seed`, so that equal runs give equal answers.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Starts with what `snapshot` holds: topics, records, groups, dynamic configs, and where the seed's draws stood; a
    /// manual clock is put to the snapshot's time. Configs given to this builder count as ever, topics given to it are
    /// created where the snapshot has none of the name, and a seed given to it is not used. A broker that is
    /// [reset](Broker::reset) later has the same again. The broker lives in memory.
    ///
    /// ```
    /// use klamm_broker::Broker;
    ///
    /// let fixture = Broker::builder().topic("orders", 3).start()?.snapshot()?;
    /// let broker = Broker::builder().from_snapshot(&fixture).start()?;
    /// assert_eq!(broker.snapshot()?.topics(), [("orders".to_owned(), 3)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_snapshot(mut self, snapshot: &Snapshot) -> Self {
        self.base = Some(snapshot.clone());
        self
    }

    /// Journals the run: every request in the order in which the broker takes it, with the clock and the answer, so that
    /// [`Journal::replay`](crate::Journal::replay) and `klamm replay` can have it again. The broker takes one step at a
    /// time then. The journal ends where the broker is reset or restored.
    pub fn journal(mut self, options: JournalOptions) -> Self {
        self.journal = Some(options);
        self
    }

    /// Starts the broker. When this returns, clients can connect and the topics are there.
    ///
    /// May be called from any thread, with or without a runtime: the broker has a runtime of its own.
    ///
    /// # Errors
    /// If a config, the data folder, an address or a topic will not do; see [`StartError`].
    pub fn start(self) -> Result<Broker, StartError> {
        Broker::start(self)
    }
}

/// A running broker. It stops when it is dropped, or with [`shutdown`](Broker::shutdown).
///
/// ```
/// use klamm_broker::Broker;
///
/// let broker = Broker::builder().topic("orders", 3).start()?;
/// println!("connect any Kafka client to {}", broker.bootstrap_servers());
/// broker.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Broker {
    current: Arc<Current>,
    pub(crate) plan: Plan,
    runtime: Option<Runtime>,
    addresses: Vec<SocketAddr>,
    /// The listening sockets. Connections stop with the life that they belong to.
    pub(crate) doors: Doors,
    /// Held while one life takes the place of another, and while a manual clock is moved.
    pub(crate) changing: Mutex<()>,
    /// A task that may still be at work holds a sender: the receiver ends when none is left.
    alive: Option<mpsc::Sender<()>>,
    ended: Mutex<mpsc::Receiver<()>>,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("bootstrap_servers", &self.bootstrap_servers()).finish_non_exhaustive()
    }
}

impl Broker {
    /// What the broker is to be like; nothing runs before [`start`](BrokerBuilder::start).
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::new()
    }

    fn start(builder: BrokerBuilder) -> Result<Broker, StartError> {
        let bound = start::bind_all(&builder.listeners, builder.brokers)?;
        let addresses = bound.iter().map(|(listener, _)| listener.local_addr()).collect::<Result<_, _>>()?;
        let (plan, state) = start::first_life(builder, &bound)?;
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name("klamm")
            .enable_all()
            .build()?;
        let (alive, ended) = mpsc::channel();
        let current = Arc::new(Current::new(Arc::clone(&state)));
        let listeners = bound.into_iter().map(|(listener, _)| listener).collect();
        let doors = Doors::open(listeners, runtime.handle(), &current, &alive)?;
        let broker = Broker {
            current,
            plan,
            runtime: Some(runtime),
            addresses,
            doors,
            changing: Mutex::new(()),
            alive: Some(alive),
            ended: Mutex::new(ended),
        };
        broker.enliven(&state);
        Ok(broker)
    }

    /// The life that the broker leads now. It may be over at any time: ask again for each thing that is done.
    pub(crate) fn state(&self) -> Arc<BrokerState> {
        self.current.get()
    }

    /// The life that the broker leads, whichever that is.
    pub(crate) fn current(&self) -> &Arc<Current> {
        &self.current
    }

    /// The runtime that the broker's tasks run on.
    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("a broker has its runtime until it is dropped")
    }

    /// Has what belongs to a life happen in time: housekeeping, and what falls due.
    fn enliven(&self, state: &Arc<BrokerState>) {
        housekeeper::start(state);
        if !state.clock.is_manual() {
            let (timers, mut ended) = (Arc::clone(&state.timers), state.life.ended());
            self.runtime().spawn(async move {
                tokio::select! {
                    () = timers.drive() => {}
                    _ = ended.wait_for(|ended| *ended) => {}
                }
            });
        }
    }

    /// Ends the life that the broker leads, and begins `next` with the clock at `time_ms`, if it can be moved.
    pub(crate) fn live_on(&self, next: Arc<BrokerState>, time_ms: i64) {
        // From here on nothing is answered that the next life knows nothing of.
        self.state().life.end();
        if let Some(recorder) = &self.plan.hand.recorder {
            recorder.end("the broker was reset or restored");
        }
        next.clock.put_to(time_ms);
        self.enliven(&next);
        let old = self.current.replace(next);
        self.plan.hand.bell.ring();
        // Giving a lot of memory back takes its time.
        self.runtime().spawn(async move { tokio::task::block_in_place(|| drop(old)) });
    }

    /// What to give a client as `bootstrap.servers`: the advertised addresses of all nodes, with commas between them.
    pub fn bootstrap_servers(&self) -> String {
        let state = self.state();
        let listeners = state.listeners.read();
        listeners.iter().map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>().join(",")
    }

    /// The addresses that are listened on, with the ports that were taken for port 0; those of one node after those of another.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Opens a connection that needs no socket, to the first node where there are several.
    pub fn connect(&self) -> InProcessConnection {
        let state = self.state();
        let node = state.cluster.layout.first();
        transport::connect(state, self.runtime().handle(), self.alive(), node)
    }

    /// To be held by everything that may still be at work when the broker is to stop.
    pub(crate) fn alive(&self) -> impl Clone + Send + 'static + use<> {
        self.alive.clone()
    }

    /// What goes wrong on purpose: rules that strike requests. There are none at the start, and none after a reset.
    pub fn faults(&self) -> &Faults {
        &self.plan.hand.faults
    }

    /// The seed that every random choice is drawn from: as it was given, or as it was drawn when the broker started.
    pub fn seed(&self) -> u64 {
        self.plan.hand.faults.seed()
    }

    /// The broker's clock.
    pub fn clock(&self) -> &Clock {
        &self.plan.builder.clock
    }

    /// Moves a manual clock forward by `duration`. What falls due on the way (sessions, rebalances, retention) is run
    /// in the order of its deadlines before this returns. A system clock is left alone.
    pub fn advance(&self, duration: Duration) {
        let _one_at_a_time = self.changing.lock();
        let state = self.state();
        if state.clock.is_manual() {
            let by = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
            state.timers.advance_to(state.clock.now_ms().saturating_add(by));
        }
    }

    /// Moves a manual clock forward to `now_ms`, in milliseconds since 1970, as [`advance`](Broker::advance) does it.
    ///
    /// # Errors
    /// If the broker follows the system's clock, or its own has gone further already; then nothing has happened.
    pub fn set_time(&self, now_ms: i64) -> Result<(), TimeError> {
        let _one_at_a_time = self.changing.lock();
        let state = self.state();
        state.clock.check_move(now_ms)?;
        state.timers.advance_to(now_ms);
        Ok(())
    }

    /// Deletes now what retention lets go of, without waiting for `log.retention.check.interval.ms`.
    pub fn run_retention(&self) {
        let mut turn = self.plan.hand.recorder.as_ref().map(|recorder| recorder.turn());
        if let Some(turn) = &mut turn {
            turn.command(Command::RunRetention);
        }
        housekeeper::run(&self.state());
    }

    /// Stops: takes no more connections, lets the requests under way end, closes the logs.
    ///
    /// # Errors
    /// If a log could not be closed. Nothing acknowledged is lost; the next start recovers it.
    pub fn shutdown(mut self) -> Result<(), ShutdownError> {
        self.stop_all()
    }

    fn stop_all(&mut self) -> Result<(), ShutdownError> {
        let Some(runtime) = self.runtime.take() else { return Ok(()) };
        self.doors.stop();
        let state = self.state();
        state.life.stop();
        self.alive = None;
        // Disconnected is what is waited for: all tasks have ended. A task that hangs is left behind.
        let _ = self.ended.lock().recv_timeout(STOP_PATIENCE);
        runtime.shutdown_background();
        Ok(state.topics.logs().close()?)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = self.stop_all() {
            tracing::warn!("{error}");
        }
    }
}
