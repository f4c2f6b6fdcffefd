//! Starting and stopping a broker: configs, data, listeners, its own runtime.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use klamm_storage::{Home, LogManager, ManagerSettings, OpenError, StorageError};
use parking_lot::{Mutex, RwLock};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::complaints::Complaints;
use crate::config::{ConfigError, ConfigStore};
use crate::coordinator::group::{GroupCoordinator, GroupSettings};
use crate::fetch::FetchSessions;
use crate::housekeeper;
use crate::ids;
use crate::limits::{DEFAULT_REQUEST_MEMORY_BYTES, RequestMemoryPool};
use crate::listeners;
use crate::metadata::{MetadataJournal, MetadataRecord};
use crate::producer_ids::ProducerIds;
use crate::properties;
use crate::random::Random;
use crate::state::BrokerState;
use crate::strays;
use crate::timers::Timers;
use crate::topics::{NewTopic, OFFSETS_TOPIC, TopicError, Topics};
use crate::transport::{self, InProcessConnection, tcp};

/// How long a broker that stops waits for the requests under way.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

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
struct Listener {
    bind: String,
    advertised: Option<String>,
}

/// What a broker is to be like. Made by [`Broker::builder`].
#[derive(Debug, Clone)]
pub struct BrokerBuilder {
    listeners: Vec<Listener>,
    home: Home,
    topics: Vec<(String, Option<i32>)>,
    configs: BTreeMap<String, String>,
    clock: Clock,
    seed: Option<u64>,
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
        }
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
    state: Arc<BrokerState>,
    runtime: Option<Runtime>,
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
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
        let config = ConfigStore::new(builder.configs)?;
        let listeners = if builder.listeners.is_empty() {
            vec![Listener { bind: "127.0.0.1:0".to_owned(), advertised: None }]
        } else {
            builder.listeners
        };
        let bound = listeners.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        note_places(&config, &bound, &builder.home)?;
        let addresses = bound.iter().map(|(listener, _)| listener.local_addr()).collect::<Result<_, _>>()?;
        let state = open(builder.home, config, builder.clock, builder.seed)?;
        for (name, partitions) in &builder.topics {
            create_if_missing(&state, name, *partitions)?;
        }
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name("klamm")
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let (alive, ended) = mpsc::channel();
        for (index, (listener, advertised)) in bound.into_iter().enumerate() {
            state.listeners.write().push(advertised);
            runtime.spawn(tcp::accept(listener, index, Arc::clone(&state), stopped.clone(), alive.clone()));
        }
        housekeeper::start(&state);
        if !state.clock.is_manual() {
            runtime.spawn(Arc::clone(&state.timers).drive());
        }
        let (runtime, alive, ended) = (Some(runtime), Some(alive), Mutex::new(ended));
        Ok(Broker { state, runtime, addresses, stop, alive, ended })
    }

    /// What to give a client as `bootstrap.servers`: the advertised addresses, with commas between them.
    pub fn bootstrap_servers(&self) -> String {
        let listeners = self.state.listeners.read();
        listeners.iter().map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>().join(",")
    }

    /// The addresses that are listened on, with the ports that were taken for port 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Opens a connection that needs no socket.
    pub fn connect(&self) -> InProcessConnection {
        let runtime = self.runtime.as_ref().map(Runtime::handle);
        let runtime = runtime.expect("a broker has its runtime until it is dropped");
        transport::connect(Arc::clone(&self.state), runtime, self.stop.subscribe(), self.alive.clone())
    }

    /// The broker's clock.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// Moves a manual clock forward by `duration`. What falls due on the way (sessions, rebalances, retention) is run
    /// in the order of its deadlines before this returns. A system clock is left alone.
    pub fn advance(&self, duration: Duration) {
        if self.state.clock.is_manual() {
            let by = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
            self.state.timers.advance_to(self.state.clock.now_ms().saturating_add(by));
        }
    }

    /// Deletes now what retention lets go of, without waiting for `log.retention.check.interval.ms`.
    pub fn run_retention(&self) {
        housekeeper::run(&self.state);
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
        let _ = self.stop.send(true);
        self.alive = None;
        // Disconnected is what is waited for: all tasks have ended. A task that hangs is left behind.
        let _ = self.ended.lock().recv_timeout(STOP_PATIENCE);
        runtime.shutdown_background();
        Ok(self.state.topics.logs().close()?)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = self.stop_all() {
            tracing::warn!("{error}");
        }
    }
}

type Bound = (std::net::TcpListener, (String, u16));

fn bind(listener: &Listener) -> Result<Bound, StartError> {
    let failed = |why| StartError::Listen { address: listener.bind.clone(), why };
    let addresses = listener.bind.to_socket_addrs().map_err(failed)?;
    let mut tried = Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address"));
    for address in addresses {
        tried = tcp::bind(address);
        if tried.is_ok() {
            break;
        }
    }
    let bound = tried.map_err(failed)?;
    let local = bound.local_addr().map_err(failed)?;
    let advertised = advertised(listener, local);
    Ok((bound, advertised))
}

/// The address that clients are told: as configured, with what is bound for what is left out.
fn advertised(listener: &Listener, local: SocketAddr) -> (String, u16) {
    let given = listener.advertised.as_deref().unwrap_or(&listener.bind);
    let (host, port) = match given.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, port.parse().unwrap_or(0)),
        _ => (given, 0),
    };
    let port = if port == 0 { local.port() } else { port };
    let host = host.trim_matches(['[', ']']);
    // An address that means "all of them" is no address to connect to.
    let host = if matches!(host, "" | "0.0.0.0" | "::") { "localhost" } else { host };
    (host.to_owned(), port)
}

/// Has DescribeConfigs show where the broker listens and keeps its data, however it was told.
fn note_places(config: &ConfigStore, bound: &[Bound], home: &Home) -> Result<(), StartError> {
    let (mut listeners, mut advertised) = (Vec::new(), Vec::new());
    for (index, (listener, (host, port))) in bound.iter().enumerate() {
        let name = if index == 0 { "PLAINTEXT".to_owned() } else { format!("PLAINTEXT_{}", index + 1) };
        listeners.push(format!("{name}://{}", listener.local_addr()?));
        advertised.push(format!("{name}://{host}:{port}"));
    }
    config.note("listeners", listeners.join(","));
    config.note("advertised.listeners", advertised.join(","));
    if let Home::Folder(folder) = home {
        config.note("log.dirs", folder.display().to_string());
    }
    Ok(())
}

/// Opens the data and puts the broker's parts together.
fn open(
    home: Home,
    config: ConfigStore,
    clock: Clock,
    seed: Option<u64>,
) -> Result<Arc<BrokerState>, StartError> {
    let random = Random::new(seed);
    let now_ms = clock.now_ms();
    let producer_id_expiration_ms = i64::from(config.settings().producer_id_expiration_ms);
    let logs =
        LogManager::open(&home, ManagerSettings { producer_id_expiration_ms, ..ManagerSettings::default() })?;
    let cluster_id = logs.cluster_id(|| ids::base64(&random.uuid()))?;
    let (metadata, remembered) = MetadataJournal::open(&logs, now_ms)?;
    strays::take_away(&logs, &remembered)?;
    let metadata = Arc::new(metadata);
    let settings = config.settings();
    let request_memory = usize::try_from(settings.queued_max_request_bytes).ok().filter(|bytes| *bytes > 0);
    let timers = Timers::new(clock.clone());
    let groups = GroupCoordinator::new(clock.clone(), Arc::clone(&timers), GroupSettings::of(&settings));
    let state = Arc::new(BrokerState {
        node_id: settings.node_id,
        cluster_id,
        rack: settings.broker_rack.clone(),
        timers,
        groups,
        clock,
        random,
        config,
        topics: Topics::new(logs, Arc::clone(&metadata)),
        metadata,
        sessions: FetchSessions::default(),
        producer_ids: ProducerIds::default(),
        request_memory: RequestMemoryPool::new(request_memory.unwrap_or(DEFAULT_REQUEST_MEMORY_BYTES)),
        places: tcp::Places::default(),
        complaints: Complaints::new(),
        listeners: RwLock::default(),
    });
    restore(&state, remembered.records)?;
    if let Some(topic) = state.topics.get(OFFSETS_TOPIC) {
        state.attach_groups(&topic).map_err(|error| StartError::Groups { why: error.to_string() })?;
    }
    Ok(state)
}

/// Brings back what the metadata journal remembers.
fn restore(state: &BrokerState, remembered: Vec<MetadataRecord>) -> Result<(), StartError> {
    /// The number of the config resource type "topic".
    const TOPIC: i8 = 2;
    let mut overrides: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for record in &remembered {
        if let MetadataRecord::Config { resource_type, resource_name, name, value } = record {
            match value {
                Some(value) if *resource_type == TOPIC => {
                    overrides.entry(resource_name.clone()).or_default().insert(name.clone(), value.clone());
                }
                value => state.config.apply(*resource_type, resource_name, name, value.as_deref()),
            }
        }
    }
    for record in remembered {
        match record {
            MetadataRecord::Topic { name, id, partitions } => {
                let overrides = overrides.remove(&name).unwrap_or_default();
                let options = state.config.topic_options(&overrides);
                let topic = NewTopic { name: name.clone(), id, partitions, overrides, options };
                let opened = state.topics.restore(&topic, state.clock.now_ms());
                opened.map_err(|error| match error {
                    TopicError::Open(error) => StartError::Data(error),
                    error => StartError::Topic { name, why: error.to_string() },
                })?;
            }
            MetadataRecord::ProducerIds { next } => state.producer_ids.restore(next),
            MetadataRecord::RemoveTopic { .. } | MetadataRecord::Config { .. } => {}
        }
    }
    Ok(())
}

fn create_if_missing(state: &BrokerState, name: &str, partitions: Option<i32>) -> Result<(), StartError> {
    let failed = |why| StartError::Topic { name: name.to_owned(), why };
    let partitions = partitions.unwrap_or_else(|| state.config.settings().num_partitions);
    if partitions < 1 {
        return Err(failed(format!("{partitions} partitions were asked for; give 1 or more")));
    }
    match state.create_topic(name, partitions, BTreeMap::new()) {
        Ok(_) | Err(TopicError::Exists(_)) => Ok(()),
        Err(error) => Err(failed(error.to_string())),
    }
}
