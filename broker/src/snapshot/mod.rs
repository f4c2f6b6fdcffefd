//! Snapshots of a broker, and what can be done with them: going back, going on twice, starting from one.
//!
//! A snapshot shares what it holds with the broker that it is taken of and with those that are made of it. Whichever of
//! them changes something goes on with a copy of that; see `klamm_storage` for how logs do so. So a snapshot costs what has
//! changed since the last one, and going back to it costs next to nothing.
//!
//! How it looks in a file is [`file`]'s matter. Knows nothing of requests and connections.

mod file;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use klamm_storage::{Home, OpenError, StorageError};

use crate::config::Layers;
use crate::coordinator::group::GroupImage;
use crate::random::RandomState;
use crate::server::{Broker, BrokerBuilder, Listener, StartError};
use crate::start;
use crate::state::BrokerState;
use crate::topics::TopicImages;

/// Why a snapshot cannot be taken, gone back to, written or read. The broker is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A log cannot be looked at.
    #[error("the logs cannot be read for a snapshot: {0}")]
    Logs(#[from] StorageError),
    /// The broker keeps its data in a folder.
    #[error(
        "a broker with its data in the folder {} cannot be {what} in its place: what lies in a folder is there to stay; \
         fork the broker, or start one in memory from a snapshot",
        folder.display()
    )]
    Folder {
        /// The data folder.
        folder: PathBuf,
        /// What was wanted of the broker.
        what: &'static str,
    },
    /// The groups of a snapshot cannot be taken up.
    #[error("the snapshot's groups cannot be taken up: {0}")]
    Groups(String),
    /// The topics cannot be made.
    #[error("the topics cannot be made: {0}")]
    Topics(String),
    /// The file cannot be written. What was there before under its name is there still.
    #[error("the snapshot cannot be written to {}: {why}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// The file cannot be read, or is no snapshot.
    #[error("{} cannot be used as a snapshot: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl SnapshotError {
    pub(crate) fn folder(folder: &Path, what: &'static str) -> Self {
        SnapshotError::Folder { folder: folder.to_owned(), what }
    }

    pub(crate) fn open(error: OpenError) -> Self {
        SnapshotError::Topics(error.to_string())
    }
}

/// What a broker holds at one moment: topics with their ids, configs and records; offsets where logs start and end; what
/// is known of idempotent producers; groups and their committed offsets; dynamic configs; the producer ids given out; where
/// the seed's draws stand; and the time.
///
/// Members of groups are not in it: whoever goes on from a snapshot has every group without members, and consumers that
/// are connected join again and read on from the committed offsets. Nor are connections and fetch sessions.
///
/// A clone is the same snapshot. It keeps the memory of the records that it holds, also where the broker has deleted them
/// since; a broker does the same for the last snapshot that was taken of it.
#[derive(Clone)]
pub struct Snapshot(Arc<Contents>);

/// What a snapshot holds.
pub(crate) struct Contents {
    pub(crate) time_ms: i64,
    pub(crate) cluster_id: String,
    pub(crate) topics: TopicImages,
    /// In the order of their ids.
    pub(crate) groups: Vec<GroupImage>,
    /// Of which only what was set dynamically is gone back to.
    pub(crate) layers: Arc<Layers>,
    pub(crate) next_producer_id: i64,
    pub(crate) random: RandomState,
}

impl Snapshot {
    /// The topics, with the number of their partitions, by name. The broker's own are among them.
    pub fn topics(&self) -> Vec<(String, usize)> {
        self.0.topics.iter().map(|topic| (topic.name.to_string(), topic.partitions.len())).collect()
    }

    /// When it was taken, by the broker's clock, in milliseconds since 1970-01-01 UTC.
    pub fn time_ms(&self) -> i64 {
        self.0.time_ms
    }

    /// Writes the snapshot to a file, which takes the place of one that is there; it does so whole or not at all. The
    /// format is described in DESIGN.md.
    ///
    /// ```
    /// use klamm_broker::{Broker, Snapshot};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("orders.klamm");
    /// Broker::builder().topic("orders", 3).start()?.snapshot()?.save(&path)?;
    ///
    /// let broker = Broker::builder().from_snapshot(&Snapshot::load(&path)?).start()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SnapshotError::Write`], if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), SnapshotError> {
        file::save(&self.0, path.as_ref())
    }

    /// Reads a snapshot that [`save`](Snapshot::save) wrote. All of it is read, and every batch is checked.
    ///
    /// # Errors
    /// [`SnapshotError::Read`], if the file cannot be read, is damaged or cut off, or is no snapshot at all.
    pub fn load(path: impl AsRef<Path>) -> Result<Snapshot, SnapshotError> {
        file::load(path.as_ref()).map(|contents| Snapshot(Arc::new(contents)))
    }

    pub(crate) fn contents(&self) -> &Contents {
        &self.0
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot({} topics, {} groups)", self.0.topics.len(), self.0.groups.len())
    }
}

/// Takes a snapshot: at one moment, with every change of before in it and none of after.
fn take(state: &BrokerState) -> Result<Contents, SnapshotError> {
    // In this order, which DESIGN.md has. Appends of clients are held up only while their logs are looked at.
    let _configs = state.config.change();
    let _topics = state.topics.hold();
    let _groups = state.groups.hold();
    let topics = state.topics.freeze()?;
    Ok(Contents {
        time_ms: state.clock.now_ms(),
        cluster_id: state.cluster_id.clone(),
        topics,
        groups: state.groups.freeze(),
        layers: state.config.layers(),
        // After the logs: whatever id is in them has been given out.
        next_producer_id: state.producer_ids.peek(),
        random: state.random.state(),
    })
}

impl Broker {
    /// Takes a snapshot of all that the broker holds, at one moment: of two records, of which one was acknowledged before
    /// the other was sent, it never has the second alone. Clients notice nothing.
    ///
    /// Costs what has changed since the last snapshot, and what groups there are. Of a broker with a data folder the
    /// snapshot is in memory all the same, and shares the maps of the files: what the folder holds may be deleted then.
    ///
    /// ```
    /// use klamm_broker::Broker;
    ///
    /// let broker = Broker::builder().topic("orders", 3).start()?;
    /// let before = broker.snapshot()?;
    /// // … a test that leaves its traces …
    /// broker.restore(&before)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SnapshotError::Logs`], if a file of a data folder cannot be mapped.
    pub fn snapshot(&self) -> Result<Snapshot, SnapshotError> {
        Ok(Snapshot(Arc::new(take(&self.state())?)))
    }

    /// Goes back to a snapshot: of this broker, of another, or from a file. Once this returns, whoever connects meets the
    /// broker as the snapshot has it; nothing that was not in it is left, and a manual clock stands where it stood then,
    /// be that later or earlier. Addresses and the configs that were given to the builder stay as they are.
    ///
    /// For clients it is a restart: their connections are closed, waiting fetches and fetch sessions end, and what is not
    /// acknowledged by then never will be. They connect again to the same ports; members of groups learn that they are
    /// members no more, join again, and read on from the offsets that the snapshot has. The same requests after the same
    /// snapshot have the same answers, byte for byte, where they come in the same order and the clock is a manual one.
    ///
    /// # Errors
    /// [`SnapshotError::Folder`] for a broker with a data folder. The broker goes on as it was.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let _one_at_a_time = self.changing.lock();
        self.check_in_memory("restored")?;
        let next = start::life_of(&self.plan, &self.state(), snapshot.contents())?;
        self.live_on(next, snapshot.time_ms());
        Ok(())
    }

    /// Goes back to how the broker was when it had just started: the topics that were given to the builder are there,
    /// empty, and with new ids; nobody has committed anything; dynamic configs are gone; a manual clock stands where it
    /// stood then. A broker that was started from a snapshot has that again, topic ids included. The seed's draws go on,
    /// so that no id comes twice. [Faults](Broker::faults) are gone, and all [nodes](Broker::cluster) are back. For clients it is a restart, as with [`restore`](Broker::restore).
    ///
    /// ```
    /// use klamm_broker::Broker;
    ///
    /// let broker = Broker::builder().topic("orders", 3).start()?;
    /// // … one test …
    /// broker.reset()?;
    /// // … and the next, on the same port …
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SnapshotError::Folder`] for a broker with a data folder. The broker goes on as it was.
    pub fn reset(&self) -> Result<(), SnapshotError> {
        let _one_at_a_time = self.changing.lock();
        self.check_in_memory("reset")?;
        self.bring_all_back(&self.state());
        let next = start::fresh_life(&self.plan, &self.state()).map_err(|error| match error {
            StartError::Snapshot(error) => error,
            error => SnapshotError::Topics(error.to_string()),
        })?;
        self.faults().clear();
        self.live_on(next, self.plan.started_ms);
        Ok(())
    }

    /// Starts a second broker that holds what this one does at this moment, in memory, with ports, threads and a clock of
    /// its own; a manual clock stands where this one's does. What either does from now on is nothing to the other. Memory
    /// is shared as far as neither has changed what it holds. The cluster's id and the configs given to the builder are
    /// the same. When the fork is [reset](Broker::reset) it holds again what it held when it was forked.
    ///
    /// It listens where this one does, on ports that are free.
    ///
    /// ```
    /// use klamm_broker::Broker;
    ///
    /// let broker = Broker::builder().topic("orders", 3).start()?;
    /// let fork = broker.fork()?;
    /// assert_ne!(broker.bootstrap_servers(), fork.bootstrap_servers());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the snapshot cannot be taken, or the system has no port or thread.
    pub fn fork(&self) -> Result<Broker, StartError> {
        let (snapshot, own) = (self.snapshot()?, &self.plan.builder);
        let clock = own.clock.for_fork(snapshot.time_ms());
        let fork = BrokerBuilder {
            listeners: own.listeners.iter().map(on_a_free_port).collect(),
            home: Home::Memory,
            // The snapshot has them, but for those that were deleted since.
            topics: Vec::new(),
            configs: own.configs.clone(),
            clock,
            seed: None,
            base: Some(snapshot),
            journal: None,
            brokers: own.brokers,
            racks: own.racks.clone(),
        };
        fork.start()
    }

    fn check_in_memory(&self, what: &'static str) -> Result<(), SnapshotError> {
        match &self.plan.builder.home {
            Home::Memory => Ok(()),
            Home::Folder(folder) => Err(SnapshotError::folder(folder, what)),
        }
    }
}

/// The same address, and the same host to be told to clients, with whatever port is free.
fn on_a_free_port(listener: &Listener) -> Listener {
    let host = |address: &str| match address.rsplit_once(':') {
        // An IPv6 address in brackets has colons of its own.
        Some((host, port)) if port.parse::<u16>().is_ok() => host.to_owned(),
        _ => address.to_owned(),
    };
    let bind = format!("{}:0", host(&listener.bind));
    Listener { bind, advertised: listener.advertised.as_deref().map(host) }
}

#[cfg(test)]
mod tests;
