//! Putting a broker together: listening, opening its data, and beginning each of its lives.
//!
//! The first life begins with what the builder says, a data folder holds or a snapshot has; later ones with what a snapshot
//! has, or with nothing. `server` runs what is made here.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use klamm_storage::{Home, LogManager, ManagerSettings, OpenError};
use parking_lot::RwLock;

use crate::clock::Clock;
use crate::cluster::{ClusterState, Layout, MAX_BROKERS, Placement};
use crate::complaints::Complaints;
use crate::config::{BrokerSettings, ConfigStore, Layers};
use crate::coordinator::group::{GroupCoordinator, GroupSettings};
use crate::coordinator::partition_log;
use crate::fetch::FetchSessions;
use crate::hand::Hand;
use crate::housekeeper;
use crate::ids;
use crate::journal::{Head, JournalError, Recorder};
use crate::limits::{DEFAULT_REQUEST_MEMORY_BYTES, RequestMemoryPool};
use crate::lives::Life;
use crate::metadata::{MetadataJournal, MetadataRecord};
use crate::producer_ids::ProducerIds;
use crate::random::Random;
use crate::server::{Broker, BrokerBuilder, Listener, StartError};
use crate::snapshot::{Contents, SnapshotError};
use crate::state::BrokerState;
use crate::strays;
use crate::timers::Timers;
use crate::topics::{NewTopic, OFFSETS_TOPIC, TopicError, TopicImage, TopicImages, Topics};
use crate::transport::tcp;

/// What all lives of a broker have in common.
pub(crate) struct Plan {
    pub(crate) builder: BrokerBuilder,
    /// The configs as they are at the start of a life.
    layers: Arc<Layers>,
    settings: Arc<BrokerSettings>,
    /// The builder's topics as they are at the start of a life, where no snapshot has them.
    topics: TopicImages,
    /// Where a manual clock stands at the start of a life.
    pub(crate) started_ms: i64,
    pub(crate) hand: Arc<Hand>,
    /// The nodes that there are.
    layout: Arc<Layout>,
}

/// A socket that listens, and the address that its clients are told.
pub(crate) type Bound = (std::net::TcpListener, (String, u16));

/// Has each of as many nodes listen on each of the addresses; on a free port of this machine alone where there are none.
pub(crate) fn bind_all(listeners: &[Listener], nodes: usize) -> Result<Vec<Bound>, StartError> {
    let anywhere = [Listener { bind: "127.0.0.1:0".to_owned(), advertised: None }];
    let listeners = if listeners.is_empty() { &anywhere } else { listeners };
    // Too many are refused later on, with a sentence.
    let nodes = nodes.min(MAX_BROKERS);
    let each = (0..nodes).flat_map(|place| listeners.iter().map(move |listener| listener.of_node(place)));
    each.map(|listener| bind(&listener)).collect()
}

impl Listener {
    /// The listener for one node of several: each has another port, where a port was given.
    fn of_node(&self, place: usize) -> Listener {
        let shifted = |address: &str| match address.rsplit_once(':') {
            Some((host, port)) => match port.parse::<u16>() {
                // Beyond the last port there is none to be had, which binding says.
                Ok(port) if port > 0 => format!("{host}:{}", usize::from(port).saturating_add(place)),
                _ => address.to_owned(),
            },
            None => address.to_owned(),
        };
        Listener { bind: shifted(&self.bind), advertised: self.advertised.as_deref().map(shifted) }
    }
}

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

/// The configs by which DescribeConfigs shows where the first node listens and where the data is, however it was told.
fn places(bound: &[Bound], home: &Home) -> Result<BTreeMap<String, String>, StartError> {
    let (mut listeners, mut advertised) = (Vec::new(), Vec::new());
    for (index, (listener, (host, port))) in bound.iter().enumerate() {
        let name = if index == 0 { "PLAINTEXT".to_owned() } else { format!("PLAINTEXT_{}", index + 1) };
        listeners.push(format!("{name}://{}", listener.local_addr()?));
        advertised.push(format!("{name}://{host}:{port}"));
    }
    let mut places = BTreeMap::from([
        ("listeners".to_owned(), listeners.join(",")),
        ("advertised.listeners".to_owned(), advertised.join(",")),
    ]);
    if let Home::Folder(folder) = home {
        places.insert("log.dirs".to_owned(), folder.display().to_string());
    }
    Ok(places)
}

/// Where a broker listens and keeps its data: as DescribeConfigs shows it, and as clients are told.
struct Place {
    configs: BTreeMap<String, String>,
    advertised: Vec<(String, u16)>,
}

/// How often a topic is replicated where nothing is said and there are as many nodes.
const MOST_REPLICAS: usize = 3;

/// A configuration that shows where the broker is.
fn config_at(builder: &BrokerBuilder, place: &Place) -> Result<ConfigStore, StartError> {
    let mut configs = builder.configs.clone();
    if builder.brokers > 1 {
        let replicas = builder.brokers.min(MOST_REPLICAS).to_string();
        for name in ["default.replication.factor", "offsets.topic.replication.factor"] {
            configs.entry(name.to_owned()).or_insert_with(|| replicas.clone());
        }
    }
    let config = ConfigStore::new(configs)?;
    place.configs.iter().for_each(|(name, value)| config.note(name, value.clone()));
    Ok(config)
}

/// Opens the data as the builder says, or what its snapshot holds, and makes sure that its topics are there.
pub(crate) fn first_life(
    mut builder: BrokerBuilder,
    bound: &[Bound],
) -> Result<(Plan, Arc<BrokerState>), StartError> {
    if builder.journal.is_some() {
        builder.clock = builder.clock.for_journal();
    }
    let advertised = bound.iter().map(|(_, advertised)| advertised.clone()).collect();
    let of_first = bound.len().checked_div(builder.brokers).unwrap_or(0).max(1);
    let place = Place { configs: places(bound.get(..of_first).unwrap_or(bound), &builder.home)?, advertised };
    begin(builder, place)
}

/// A broker like that of a journal, in memory and without listeners; nothing runs in it by itself.
pub(crate) fn for_replay(head: &Head) -> Result<Arc<BrokerState>, StartError> {
    let clock = match head.manual_clock {
        true => Clock::manual(head.now_ms),
        false => Clock::replayed(head.now_ms, head.steady_ms),
    };
    let mut builder = Broker::builder().seed(head.seed).clock(clock);
    (builder.topics, builder.configs) = (head.topics.clone(), head.configs.clone());
    (builder.brokers, builder.racks) = (head.brokers, head.racks.clone());
    let place = Place { configs: head.places.clone(), advertised: head.listeners.clone() };
    let (_, state) = begin(builder, place)?;
    housekeeper::start(&state);
    Ok(state)
}

/// Begins the journal, if there is to be one.
fn record(
    builder: &BrokerBuilder,
    place: &Place,
    seed: u64,
    had_data: bool,
) -> Result<Option<Arc<Recorder>>, JournalError> {
    let Some(options) = builder.journal.clone() else { return Ok(None) };
    let head = Head {
        klamm_journal: Head::format(),
        seed,
        manual_clock: builder.clock.is_manual(),
        now_ms: builder.clock.now_ms(),
        steady_ms: builder.clock.steady_ms(),
        configs: builder.configs.clone(),
        places: place.configs.clone(),
        listeners: place.advertised.clone(),
        topics: builder.topics.clone(),
        brokers: builder.brokers,
        racks: builder.racks.clone(),
        in_folder: matches!(builder.home, Home::Folder(_)),
        had_data,
    };
    Recorder::new(options, &head, builder.clock.clone()).map(Some)
}

fn begin(builder: BrokerBuilder, place: Place) -> Result<(Plan, Arc<BrokerState>), StartError> {
    let config = config_at(&builder, &place)?;
    let layout = Arc::new(layout(&builder, &config, place.advertised.len())?);
    let nodes = layout.ids().len();
    let started_ms = match &builder.base {
        Some(base) => base.time_ms(),
        None => builder.clock.now_ms(),
    };
    let (layers, settings) = (config.layers(), config.settings());
    let topics = TopicImages::default();
    let at = Arc::clone(&layout);
    let plan = |builder, hand| Plan { layers, settings, topics, started_ms, builder, hand, layout: at };
    let (plan, state) = match (builder.base.clone(), &builder.home) {
        (Some(_), Home::Folder(folder)) => return Err(SnapshotError::folder(folder, "started").into()),
        (Some(base), Home::Memory) => {
            let seed = Random::from_state(base.contents().random).seed();
            let recorder = record(&builder, &place, seed, true)?;
            let hand = Hand::new(seed, &builder.clock, Arc::default(), recorder, nodes);
            let plan = plan(builder, hand);
            let state = thaw(&plan, config, base.contents(), place.advertised)?;
            state.clock.put_to(started_ms);
            (plan, state)
        }
        (None, Home::Folder(_)) => {
            let state = open(&builder, config, place, layout)?;
            (plan(builder, Arc::clone(&state.hand)), state)
        }
        (None, Home::Memory) => {
            let random = Random::new(builder.seed);
            let recorder = record(&builder, &place, random.seed(), false)?;
            let hand = Hand::new(random.seed(), &builder.clock, Arc::default(), recorder, nodes);
            let mut plan = plan(builder, hand);
            let cluster_id = ids::base64(&random.uuid());
            if plan.layout.is_single() {
                plan.topics = new_topics(&plan.builder, &config, &random)?;
            }
            let topics = plan.topics.clone();
            let state = in_memory(&plan, config, random, cluster_id, topics, place.advertised)?;
            if plan.layout.is_single() {
                return Ok((plan, state));
            }
            (plan, state)
        }
    };
    settle_in(&state)?;
    create_missing(&plan.builder, &state)?;
    Ok((plan, state))
}

/// The nodes, as the builder and the configs say.
fn layout(builder: &BrokerBuilder, config: &ConfigStore, listeners: usize) -> Result<Layout, StartError> {
    let (settings, count) = (config.settings(), builder.brokers);
    let each = listeners.checked_div(count).unwrap_or(1);
    let rack = settings.broker_rack.as_deref();
    Layout::new(settings.node_id, count, builder.racks.as_deref(), rack, each)
}

/// Has what a folder or a snapshot holds be led by the nodes that there are.
fn settle_in(state: &Arc<BrokerState>) -> Result<(), StartError> {
    state.settle_in().map_err(|error| StartError::Cluster { why: error.to_string() })
}

/// A life in which everything is as it was when the broker started, but for ids. The draws go on: no id comes twice.
pub(crate) fn fresh_life(plan: &Plan, old: &BrokerState) -> Result<Arc<BrokerState>, StartError> {
    if let Some(base) = &plan.builder.base {
        let state = life_of(plan, old, base.contents())?;
        create_missing(&plan.builder, &state)?;
        return Ok(state);
    }
    let config = ConfigStore::of(Arc::clone(&plan.layers), Arc::clone(&plan.settings));
    let random = Random::from_state(old.random.state());
    let topics = plan.topics.with_new_ids(|| random.uuid());
    let listeners = old.listeners.read().clone();
    let state = in_memory(plan, config, random, old.cluster_id.clone(), topics, listeners)?;
    if !plan.layout.is_single() {
        // Where they go is drawn anew, as their ids are.
        create_missing(&plan.builder, &state)?;
    }
    Ok(state)
}

/// The builder's topics, with new ids and without records.
fn new_topics(
    builder: &BrokerBuilder,
    config: &ConfigStore,
    random: &Random,
) -> Result<TopicImages, StartError> {
    let options = config.topic_options(&BTreeMap::new());
    let mut topics = TopicImages::default();
    for (name, partitions) in &builder.topics {
        let count = check_count(config, name, *partitions)?;
        if !topics.has(name) {
            let count = usize::try_from(count).unwrap_or(0);
            let topic = TopicImage::of_new(name, random.uuid(), count, &options);
            let failed = |why: TopicError| StartError::Topic { name: name.clone(), why: why.to_string() };
            topics.add(topic).map_err(failed)?;
        }
    }
    Ok(topics)
}

/// A life in memory, in which nobody has done anything yet.
fn in_memory(
    plan: &Plan,
    config: ConfigStore,
    random: Random,
    cluster_id: String,
    topics: TopicImages,
    listeners: Vec<(String, u16)>,
) -> Result<Arc<BrokerState>, OpenError> {
    let managing = manager_settings(&config.settings(), &plan.hand.storage);
    let logs = LogManager::open(&Home::Memory, managing)?;
    let metadata = Arc::new(MetadataJournal::of_memory());
    let topics = Topics::asleep(logs, Arc::clone(&metadata), topics, plan.layout.first());
    let (clock, hand) = (plan.builder.clock.clone(), Arc::clone(&plan.hand));
    let layout = Arc::clone(&plan.layout);
    Ok(assemble(Parts { config, clock, random, cluster_id, topics, metadata, listeners, hand, layout }))
}

/// A life that begins with what a snapshot holds, in the place of `old`.
pub(crate) fn life_of(
    plan: &Plan,
    old: &BrokerState,
    contents: &Contents,
) -> Result<Arc<BrokerState>, SnapshotError> {
    let config = ConfigStore::of(Arc::clone(&plan.layers), Arc::clone(&plan.settings));
    let state = thaw(plan, config, contents, old.listeners.read().clone())?;
    state.settle_in().map_err(|error| SnapshotError::Topics(error.to_string()))?;
    Ok(state)
}

/// A life that begins with what a snapshot holds. Its clock is still to be put to the snapshot's time.
fn thaw(
    plan: &Plan,
    config: ConfigStore,
    contents: &Contents,
    listeners: Vec<(String, u16)>,
) -> Result<Arc<BrokerState>, SnapshotError> {
    config.take_dynamic(&contents.layers);
    let mut images = contents.topics.clone();
    if !config.gives_the_options_of(&contents.layers) {
        images = images.with_options(|overrides| config.topic_options(overrides));
    }
    let (random, cluster_id) = (Random::from_state(contents.random), contents.cluster_id.clone());
    let state =
        in_memory(plan, config, random, cluster_id, images, listeners).map_err(SnapshotError::open)?;
    state.producer_ids.restore(contents.next_producer_id);
    if let Some(topic) = state.topics.get(OFFSETS_TOPIC) {
        let now_ms = if state.clock.is_manual() { contents.time_ms } else { state.clock.now_ms() };
        let taken = state.groups.thaw(partition_log::of(&topic), &contents.groups, now_ms);
        taken.map_err(|error| SnapshotError::Groups(error.to_string()))?;
    }
    Ok(state)
}

/// Opens what the data folder holds.
fn open(
    builder: &BrokerBuilder,
    config: ConfigStore,
    place: Place,
    layout: Arc<Layout>,
) -> Result<Arc<BrokerState>, StartError> {
    let random = Random::new(builder.seed);
    let storage = Arc::default();
    let logs = LogManager::open(&builder.home, manager_settings(&config.settings(), &storage))?;
    let cluster_id = logs.cluster_id(|| ids::base64(&random.uuid()))?;
    let (metadata, remembered) = MetadataJournal::open(&logs, builder.clock.now_ms())?;
    strays::take_away(&logs, &remembered)?;
    let metadata = Arc::new(metadata);
    let had_data = !remembered.records.is_empty();
    let recorder = record(builder, &place, random.seed(), had_data)?;
    let hand = Hand::new(random.seed(), &builder.clock, storage, recorder, layout.ids().len());
    let state = assemble(Parts {
        config,
        clock: builder.clock.clone(),
        random,
        cluster_id,
        topics: Topics::new(logs, Arc::clone(&metadata), layout.first()),
        metadata,
        listeners: place.advertised,
        hand,
        layout,
    });
    restore(&state, remembered.records)?;
    if had_data {
        mix_in_folder(&state);
    }
    if let Some(topic) = state.topics.get(OFFSETS_TOPIC) {
        state.attach_groups(&topic).map_err(|error| StartError::Groups { why: error.to_string() })?;
    }
    Ok(state)
}

/// Has chance go on from what the folder holds, so that a broker that is started again with the same seed does not draw
/// the ids of its last run: of topics, and of members that are remembered.
fn mix_in_folder(state: &BrokerState) {
    let topics = state.topics.all();
    let parts = topics.iter().flat_map(|topic| {
        let (high, low) = topic.id().as_u64_pair();
        let ends =
            topic.partitions().into_iter().map(|partition| partition.log().log_end_offset().cast_unsigned());
        [high, low].into_iter().chain(ends)
    });
    let journal = state.metadata.end_offset().cast_unsigned();
    state.random.mix(std::iter::once(journal).chain(parts));
}

fn manager_settings(settings: &BrokerSettings, faults: &Arc<klamm_storage::Faults>) -> ManagerSettings {
    let producer_id_expiration_ms = i64::from(settings.producer_id_expiration_ms);
    ManagerSettings { producer_id_expiration_ms, faults: Arc::clone(faults), ..ManagerSettings::default() }
}

/// What differs from one way to begin a life to another.
struct Parts {
    config: ConfigStore,
    clock: Clock,
    random: Random,
    cluster_id: String,
    topics: Topics,
    metadata: Arc<MetadataJournal>,
    /// The addresses that clients are told.
    listeners: Vec<(String, u16)>,
    hand: Arc<Hand>,
    layout: Arc<Layout>,
}

/// Puts the broker's parts together.
fn assemble(parts: Parts) -> Arc<BrokerState> {
    let settings = parts.config.settings();
    let request_memory = usize::try_from(settings.queued_max_request_bytes).ok().filter(|bytes| *bytes > 0);
    let timers = Timers::new(parts.clock.clone());
    let group_settings = GroupSettings::of(&settings);
    if let Some(recorder) = &parts.hand.recorder {
        timers.journal_to(Arc::clone(recorder));
    }
    Arc::new(BrokerState {
        life: Life::begin(parts.layout.ids().len()),
        cluster: ClusterState::new(parts.layout),
        cluster_id: parts.cluster_id,
        groups: GroupCoordinator::new(parts.clock.clone(), Arc::clone(&timers), group_settings),
        timers,
        clock: parts.clock,
        random: parts.random,
        config: parts.config,
        topics: parts.topics,
        metadata: parts.metadata,
        sessions: FetchSessions::default(),
        producer_ids: ProducerIds::default(),
        request_memory: RequestMemoryPool::new(request_memory.unwrap_or(DEFAULT_REQUEST_MEMORY_BYTES)),
        places: tcp::Places::default(),
        complaints: Complaints::new(),
        listeners: RwLock::new(parts.listeners),
        hand: parts.hand,
    })
}

/// Creates the builder's topics, as far as they are not there.
fn create_missing(builder: &BrokerBuilder, state: &BrokerState) -> Result<(), StartError> {
    builder.topics.iter().try_for_each(|(name, partitions)| create_if_missing(state, name, *partitions))
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
            MetadataRecord::Topic { name, id, partitions, placements } => {
                let overrides = overrides.remove(&name).unwrap_or_default();
                let options = state.config.topic_options(&overrides);
                // What cannot be is as good as nothing: then it is on the first node.
                let sound = placements.iter().all(Placement::is_sound);
                let placements = placements.into_iter().filter(|_| sound).map(Arc::new).collect();
                let topic = NewTopic { name: name.clone(), id, partitions, overrides, options, placements };
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
    let partitions = check_count(&state.config, name, partitions)?;
    match state.create_topic(name, partitions, BTreeMap::new(), &state.default_placing()) {
        Ok(_) | Err(TopicError::Exists(_)) => Ok(()),
        Err(error) => Err(StartError::Topic { name: name.to_owned(), why: error.to_string() }),
    }
}

/// How many partitions a topic of the builder has.
fn check_count(config: &ConfigStore, name: &str, partitions: Option<i32>) -> Result<i32, StartError> {
    let partitions = partitions.unwrap_or_else(|| config.settings().num_partitions);
    if partitions < 1 {
        let why = format!("{partitions} partitions were asked for; give 1 or more");
        return Err(StartError::Topic { name: name.to_owned(), why });
    }
    Ok(partitions)
}
