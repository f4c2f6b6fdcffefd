//! The topics of a broker: which there are, and how they come, grow and go.
//!
//! Readers look up a topic under a short read lock. Changes are made one at a time: remembered in the metadata
//! journal first, then applied.

mod registry;

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_storage::{AppendError, LogManager, LogOptions, OpenError, StorageError};
use parking_lot::{Mutex, MutexGuard, RwLock};
use uuid::Uuid;

use crate::cluster::Placement;
use crate::metadata::{MetadataJournal, MetadataRecord};
use crate::partition::Partition;

use registry::Registry;
pub(crate) use registry::{TopicImage, TopicImages};

/// Where committed offsets and groups are kept.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Where the states of transactions are kept.
pub(crate) const TRANSACTION_TOPIC: &str = "__transaction_state";

/// Where Kafka keeps the states of share groups. Not used here, but nobody may write to it either.
const SHARE_GROUP_TOPIC: &str = "__share_group_state";

/// The longest name of a topic: with `-` and a partition it still makes a folder's name.
const LONGEST_NAME: usize = 249;

/// The config resource type of a topic in the metadata journal: Kafka's number.
const TOPIC_RESOURCE: i8 = 2;

/// A topic, as long as it exists. One that is deleted and created again is another.
pub(crate) struct Topic {
    name: Arc<str>,
    id: Uuid,
    partitions: RwLock<Vec<Arc<Partition>>>,
    overrides: RwLock<Arc<BTreeMap<String, String>>>,
}

impl Topic {
    fn new(new: &NewTopic, partitions: Vec<Arc<Partition>>) -> Arc<Topic> {
        let overrides = RwLock::new(Arc::new(new.overrides.clone()));
        let (name, partitions) = (Arc::from(new.name.as_str()), RwLock::new(partitions));
        Arc::new(Topic { name, id: new.id, partitions, overrides })
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Whether the broker itself keeps state in it; clients may not write to it.
    pub(crate) fn is_internal(&self) -> bool {
        is_internal(&self.name)
    }

    pub(crate) fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        let index = usize::try_from(index).ok()?;
        self.partitions.read().get(index).cloned()
    }

    pub(crate) fn partitions(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().clone()
    }

    pub(crate) fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.read().len()).unwrap_or(i32::MAX)
    }

    /// The configs that were set for this topic alone.
    pub(crate) fn overrides(&self) -> Arc<BTreeMap<String, String>> {
        Arc::clone(&self.overrides.read())
    }
}

/// Whether a topic of this name is one of Kafka's own.
pub(crate) fn is_internal(name: &str) -> bool {
    matches!(name, OFFSETS_TOPIC | TRANSACTION_TOPIC | SHARE_GROUP_TOPIC)
}

/// Why a topic cannot be created, changed or deleted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicError {
    #[error("Topic '{0}' already exists.")]
    Exists(String),
    #[error("{0}")]
    InvalidName(String),
    #[error("This server does not host this topic-partition.")]
    Unknown,
    #[error("{0}")]
    TooMany(String),
    #[error("the topic's log cannot be opened: {0}")]
    Open(#[from] OpenError),
    #[error("the topic's log cannot be deleted: {0}")]
    Delete(#[from] StorageError),
    #[error("the epoch of a new leader cannot be written down: {0}")]
    Epoch(StorageError),
    #[error("the change cannot be remembered: {0}")]
    Journal(#[from] AppendError),
}

/// How a topic is to be.
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) partitions: i32,
    pub(crate) overrides: BTreeMap<String, String>,
    pub(crate) options: Arc<LogOptions>,
    /// Where each partition is; nothing where all are on the first node alone.
    pub(crate) placements: Vec<Arc<Placement>>,
}

/// All topics of a broker.
pub(crate) struct Topics {
    logs: LogManager,
    journal: Arc<MetadataJournal>,
    registry: RwLock<Registry>,
    /// Where a partition is of which nothing else is said: on the first node alone.
    sole: Arc<Placement>,
    /// Held for the length of a change, so that changes are remembered in the order in which they are made.
    changing: Mutex<()>,
}

impl Topics {
    pub(crate) fn new(logs: LogManager, journal: Arc<MetadataJournal>, first_node: i32) -> Self {
        let sole = Arc::new(Placement::on_one(first_node));
        Topics { logs, journal, registry: RwLock::default(), sole, changing: Mutex::new(()) }
    }

    /// Topics that hold what `images` do, in memory. Each is opened when somebody asks for it.
    pub(crate) fn asleep(
        logs: LogManager,
        journal: Arc<MetadataJournal>,
        images: TopicImages,
        first_node: i32,
    ) -> Self {
        let (registry, sole) =
            (RwLock::new(Registry::asleep(images)), Arc::new(Placement::on_one(first_node)));
        Topics { logs, journal, registry, sole, changing: Mutex::new(()) }
    }

    pub(crate) fn logs(&self) -> &LogManager {
        &self.logs
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        {
            let registry = self.registry.read();
            if let Some(topic) = registry.get(name) {
                return Some(Arc::clone(topic));
            }
            registry.sleeping(name)?;
        }
        self.wake(name)
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        let name = {
            let registry = self.registry.read();
            if let Some(topic) = registry.by_id(id) {
                return Some(Arc::clone(topic));
            }
            registry.name_of(id)?
        };
        self.get(&name).filter(|topic| topic.id == id)
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        let sleeping = self.registry.read().all_sleeping();
        for image in sleeping {
            self.get(&image.name);
        }
        self.registry.read().all().cloned().collect()
    }

    /// Opens a topic that sleeps. Another may have done so meanwhile.
    fn wake(&self, name: &str) -> Option<Arc<Topic>> {
        let mut registry = self.registry.write();
        if let Some(topic) = registry.get(name) {
            return Some(Arc::clone(topic));
        }
        let image = registry.sleeping(name)?;
        match self.open_images(&image) {
            Ok(partitions) => {
                let topic = Topic::new(&NewTopic::from(&*image), partitions);
                registry.wake(&topic);
                Some(topic)
            }
            Err(error) => {
                // In memory, with names that are free, there is nothing that could fail.
                tracing::error!("the topic '{}' of a snapshot cannot be opened: {error}", image.name);
                None
            }
        }
    }

    fn open_images(&self, image: &TopicImage) -> Result<Vec<Arc<Partition>>, OpenError> {
        let mut partitions = Vec::with_capacity(image.partitions.len());
        for (index, log) in (0..).zip(image.partitions.iter()) {
            let options = Arc::clone(&image.options);
            let log = self.logs.open_image(&image.name, index, image.id, options, log, 0)?;
            partitions.push(Arc::new(Partition::new(index, log, self.placed(&image.placements, index))));
        }
        Ok(partitions)
    }

    /// Keeps topics from being created, changed and deleted for as long as it is held.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        self.changing.lock()
    }

    /// What all topics hold at one moment. The caller holds [`hold`](Topics::hold).
    ///
    /// # Errors
    /// If a log cannot be looked at.
    pub(crate) fn freeze(&self) -> Result<TopicImages, StorageError> {
        let frozen = self.logs.freeze()?;
        Ok(self.registry.write().images(frozen, &self.sole))
    }

    /// Whether a topic of this name could be created as things stand.
    pub(crate) fn check_name_is_free(&self, name: &str) -> Result<(), TopicError> {
        self.registry.read().check_name_is_free(name)
    }

    /// Whether there is room for as many partitions more.
    pub(crate) fn check_room(&self, partitions: i32) -> Result<(), TopicError> {
        self.registry.read().check_room(partitions)
    }

    /// Creates a topic. It can be used once this returns, and survives a restart on a data folder.
    pub(crate) fn create(&self, new: NewTopic, now_ms: i64) -> Result<Arc<Topic>, TopicError> {
        let _changing = self.changing.lock();
        self.check_name_is_free(&new.name)?;
        self.check_room(new.partitions)?;
        // The logs first: if one cannot be opened, nothing is remembered.
        let topic = Topic::new(&new, self.open_new(&new, 0, now_ms)?);
        let mut records = vec![MetadataRecord::Topic {
            name: new.name.clone(),
            id: new.id,
            partitions: new.partitions,
            placements: plain(&new.placements),
        }];
        records
            .extend(new.overrides.iter().map(|(name, value)| config(&new.name, name, Some(value.clone()))));
        if let Err(error) = self.journal.append(records, now_ms) {
            self.take_back(&topic.partitions());
            return Err(error.into());
        }
        self.registry.write().add(&topic);
        Ok(topic)
    }

    /// Opens a topic that the metadata journal remembers.
    pub(crate) fn restore(&self, known: &NewTopic, now_ms: i64) -> Result<(), TopicError> {
        let partitions = (0..known.partitions)
            .map(|index| self.open_partition(known, index, now_ms))
            .collect::<Result<_, _>>()?;
        let topic = Topic::new(known, partitions);
        self.registry.write().add(&topic);
        Ok(())
    }

    /// Deletes a topic and its records. Once this returns, another of its name can be created.
    ///
    /// # Errors
    /// With [`TopicError::Delete`] the topic is gone all the same; files are left that the next start deletes.
    pub(crate) fn delete(&self, topic: &Arc<Topic>, now_ms: i64) -> Result<(), TopicError> {
        let _changing = self.changing.lock();
        self.check_is_there(topic)?;
        self.journal.append(vec![MetadataRecord::RemoveTopic { name: topic.name.to_string() }], now_ms)?;
        self.registry.write().remove(topic);
        Ok(self.delete_logs(&topic.partitions())?)
    }

    /// Gives a topic more partitions, `count` in all; one that has as many is left alone. `placements` says where those
    /// that are new are.
    pub(crate) fn add_partitions(
        &self,
        topic: &Arc<Topic>,
        count: i32,
        placements: Vec<Arc<Placement>>,
        now_ms: i64,
    ) -> Result<(), TopicError> {
        let _changing = self.changing.lock();
        self.check_is_there(topic)?;
        let have = topic.partition_count();
        if count <= have {
            return Ok(());
        }
        self.check_room(count.saturating_sub(have))?;
        let options = topic.partition(0).map(|partition| partition.log().options()).unwrap_or_default();
        let mut all: Vec<_> = topic.partitions().iter().map(|partition| partition.placement()).collect();
        all.extend(placements);
        all.resize(usize::try_from(count).unwrap_or(0), Arc::clone(&self.sole));
        let grown = NewTopic {
            name: topic.name.to_string(),
            id: topic.id,
            partitions: count,
            overrides: BTreeMap::new(),
            options,
            placements: self.unless_sole(all),
        };
        let added = self.open_new(&grown, have, now_ms)?;
        let record = MetadataRecord::Topic {
            placements: plain(&grown.placements),
            name: grown.name,
            id: topic.id,
            partitions: count,
        };
        if let Err(error) = self.journal.append(vec![record], now_ms) {
            self.take_back(&added);
            return Err(error.into());
        }
        let count = added.len();
        topic.partitions.write().extend(added);
        self.registry.write().grow(topic, count);
        Ok(())
    }

    /// Replaces the configs that are set for a topic alone; `options` is what they come to.
    pub(crate) fn set_overrides(
        &self,
        topic: &Topic,
        overrides: BTreeMap<String, String>,
        options: &Arc<LogOptions>,
        now_ms: i64,
    ) -> Result<(), TopicError> {
        let _changing = self.changing.lock();
        self.check_is_there(topic)?;
        let before = topic.overrides();
        let removed = before.keys().filter(|name| !overrides.contains_key(*name));
        let mut records: Vec<_> = removed.map(|name| config(&topic.name, name, None)).collect();
        let changed = overrides.iter().filter(|(name, value)| before.get(*name) != Some(value));
        records.extend(changed.map(|(name, value)| config(&topic.name, name, Some(value.clone()))));
        self.journal.append(records, now_ms)?;
        *topic.overrides.write() = Arc::new(overrides);
        self.apply_options(topic, options);
        Ok(())
    }

    /// Has the logs of a topic follow `options` from now on.
    pub(crate) fn apply_options(&self, topic: &Topic, options: &Arc<LogOptions>) {
        for partition in topic.partitions() {
            partition.log().set_options(Arc::clone(options));
        }
        self.registry.write().note_change(topic);
    }

    /// Whether a topic that was looked up before is still the one of its name. What is remembered of one that is gone
    /// would bring it back, or change the one that came after it.
    fn check_is_there(&self, topic: &Topic) -> Result<(), TopicError> {
        self.by_id(topic.id).map(drop).ok_or(TopicError::Unknown)
    }

    /// Opens the logs of partitions that nobody has used yet, from `first` on: all of them, or none.
    fn open_new(&self, new: &NewTopic, first: i32, now_ms: i64) -> Result<Vec<Arc<Partition>>, OpenError> {
        let mut opened = Vec::new();
        for index in first..new.partitions {
            match self.open_partition(new, index, now_ms) {
                Ok(partition) => opened.push(partition),
                Err(error) => {
                    self.take_back(&opened);
                    return Err(error);
                }
            }
        }
        Ok(opened)
    }

    fn open_partition(&self, of: &NewTopic, index: i32, now_ms: i64) -> Result<Arc<Partition>, OpenError> {
        let log = self.logs.open_log(&of.name, index, of.id, Arc::clone(&of.options), now_ms)?;
        Ok(Arc::new(Partition::new(index, log, self.placed(&of.placements, index))))
    }

    /// Where a partition is.
    fn placed(&self, placements: &[Arc<Placement>], index: i32) -> Arc<Placement> {
        let placed = usize::try_from(index).ok().and_then(|index| placements.get(index));
        Arc::clone(placed.unwrap_or(&self.sole))
    }

    /// The placements of a topic; nothing if there is nothing to be said.
    fn unless_sole(&self, placements: Vec<Arc<Placement>>) -> Vec<Arc<Placement>> {
        if placements.iter().all(|one| *one == self.sole) { Vec::new() } else { placements }
    }

    /// Puts partitions of a topic elsewhere, and remembers where all of them are.
    ///
    /// # Errors
    /// If that cannot be written down. Partitions before the one that fails have moved then.
    pub(crate) fn place(
        &self,
        topic: &Arc<Topic>,
        moved: Vec<(Arc<Partition>, Placement)>,
        now_ms: i64,
    ) -> Result<(), TopicError> {
        let _changing = self.changing.lock();
        self.check_is_there(topic)?;
        let moved: Vec<_> = moved.into_iter().map(|(partition, to)| (partition, Arc::new(to))).collect();
        let mut all: Vec<_> = topic.partitions().iter().map(|partition| partition.placement()).collect();
        for (partition, to) in &moved {
            if let Some(place) = usize::try_from(partition.index()).ok().and_then(|index| all.get_mut(index))
            {
                *place = Arc::clone(to);
            }
        }
        let placements = self.unless_sole(all);
        let record = MetadataRecord::Topic {
            name: topic.name.to_string(),
            id: topic.id,
            partitions: topic.partition_count(),
            placements: plain(&placements),
        };
        self.journal.append(vec![record], now_ms)?;
        let placed = moved.into_iter().try_for_each(|(partition, to)| partition.place(to));
        self.registry.write().note_change(topic);
        placed.map_err(TopicError::Epoch)
    }

    /// The names of the topics of which a partition is where `fits` says that none can be.
    pub(crate) fn misplaced(&self, fits: impl Fn(&Placement) -> bool) -> Vec<Arc<str>> {
        self.registry.read().misplaced(&self.sole, fits)
    }

    /// Deletes the logs of a change that comes to nothing; they would keep their names from being used.
    fn take_back(&self, partitions: &[Arc<Partition>]) {
        if let Err(error) = self.delete_logs(partitions) {
            tracing::warn!("the logs of a topic that was not made cannot be deleted: {error}");
        }
    }

    /// Deletes as many of the logs as can be deleted, and wakes whoever waits for records of them.
    fn delete_logs(&self, partitions: &[Arc<Partition>]) -> Result<(), StorageError> {
        let mut first_error = Ok(());
        for partition in partitions {
            let deleted = self.logs.delete_log(partition.log());
            first_error = first_error.and(deleted);
            partition.wake_all();
        }
        first_error
    }
}

/// Placements as they are written down.
fn plain(placements: &[Arc<Placement>]) -> Vec<Placement> {
    placements.iter().map(|placement| Placement::clone(placement)).collect()
}

fn config(topic: &str, name: &str, value: Option<String>) -> MetadataRecord {
    let (resource_name, name) = (topic.to_owned(), name.to_owned());
    MetadataRecord::Config { resource_type: TOPIC_RESOURCE, resource_name, name, value }
}

/// Kafka's rules for a topic's name, and its words for what breaks them.
pub(crate) fn check_name(name: &str) -> Result<(), TopicError> {
    let wrong = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.len() > LONGEST_NAME {
        format!("the length of '{name}' is longer than the max allowed length {LONGEST_NAME}")
    } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(TopicError::InvalidName(format!("Topic name is invalid: {wrong}")))
}

#[cfg(test)]
mod tests {
    use klamm_storage::{Home, ManagerSettings};

    use super::*;
    use crate::metadata::Remembered;

    fn open(home: &Home) -> (Topics, Remembered) {
        let logs = LogManager::open(home, ManagerSettings::default()).unwrap();
        let (journal, remembered) = MetadataJournal::open(&logs, 0).unwrap();
        (Topics::new(logs, Arc::new(journal), 1), remembered)
    }

    fn new(name: &str, id: u128, partitions: i32) -> NewTopic {
        let (name, id, options) = (name.to_owned(), Uuid::from_u128(id), Arc::default());
        NewTopic { name, id, partitions, overrides: BTreeMap::new(), options, placements: Vec::new() }
    }

    #[test]
    fn a_topic_that_is_gone_is_not_changed_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::Folder(folder.path().to_owned());
        let (topics, _) = open(&home);
        let gone = topics.create(new("t", 1, 1), 0).unwrap();
        topics.delete(&gone, 0).unwrap();
        let unknown = |changed: Result<(), TopicError>| matches!(changed, Err(TopicError::Unknown));
        let configs = BTreeMap::from([("retention.ms".to_owned(), "1".to_owned())]);
        assert!(unknown(topics.add_partitions(&gone, 2, Vec::new(), 0)));
        assert!(unknown(topics.set_overrides(&gone, configs.clone(), &Arc::default(), 0)));
        topics.create(new("t", 2, 1), 0).unwrap();
        assert!(unknown(topics.add_partitions(&gone, 2, Vec::new(), 0)));
        assert!(unknown(topics.set_overrides(&gone, configs, &Arc::default(), 0)));
        drop(topics);
        let (_, remembered) = open(&home);
        let (name, id) = ("t".to_owned(), Uuid::from_u128(2));
        let topic = MetadataRecord::Topic { name, id, partitions: 1, placements: Vec::new() };
        assert_eq!(remembered.records, [topic]);
        assert_eq!(remembered.deleted.into_iter().collect::<Vec<_>>(), [Uuid::from_u128(1)]);
    }

    #[test]
    fn a_change_that_fails_halfway_can_be_made_again() {
        let (topics, _) = open(&Home::Memory);
        // The log of the third partition is taken.
        let taken = topics.logs.open_log("t", 2, Uuid::from_u128(9), Arc::default(), 0).unwrap();
        assert!(matches!(topics.create(new("t", 1, 4), 0), Err(TopicError::Open(_))));
        let topic = topics.create(new("t", 2, 1), 0).unwrap();
        assert!(matches!(topics.add_partitions(&topic, 4, Vec::new(), 0), Err(TopicError::Open(_))));
        topics.logs.delete_log(&taken).unwrap();
        topics.add_partitions(&topic, 4, Vec::new(), 0).unwrap();
        assert_eq!(topic.partition_count(), 4);
    }
}
