//! The broker's parts, and what several handlers need of them together.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use parking_lot::RwLock;

use crate::clock::Clock;
use crate::cluster::{ClusterState, Placing};
use crate::complaints::Complaints;
use crate::config::ConfigStore;
use crate::coordinator::group::GroupCoordinator;
use crate::coordinator::journal::JournalError;
use crate::coordinator::partition_log;
use crate::fetch::FetchSessions;
use crate::hand::Hand;
use crate::limits::RequestMemoryPool;
use crate::lives::Life;
use crate::metadata::MetadataJournal;
use crate::producer_ids::ProducerIds;
use crate::random::Random;
use crate::timers::Timers;
use crate::topics::{NewTopic, OFFSETS_TOPIC, TRANSACTION_TOPIC, Topic, TopicError, Topics};
use crate::transport::tcp::Places;

/// Everything that a handler may reach, in one of the broker's lives.
pub(crate) struct BrokerState {
    pub(crate) life: Life,
    pub(crate) cluster: ClusterState,
    pub(crate) cluster_id: String,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) timers: Arc<Timers>,
    pub(crate) config: ConfigStore,
    pub(crate) metadata: Arc<MetadataJournal>,
    pub(crate) topics: Topics,
    pub(crate) sessions: FetchSessions,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) groups: Arc<GroupCoordinator>,
    pub(crate) request_memory: RequestMemoryPool,
    pub(crate) places: Places,
    pub(crate) complaints: Complaints,
    /// What a test has the broker in hand with, over all of its lives.
    pub(crate) hand: Arc<Hand>,
    /// The addresses that clients are told, one for each listener of each node.
    pub(crate) listeners: RwLock<Vec<(String, u16)>>,
}

impl BrokerState {
    /// The address that clients of `listener` are told.
    pub(crate) fn advertised(&self, listener: usize) -> (String, u16) {
        let listeners = self.listeners.read();
        listeners.get(listener).or(listeners.first()).cloned().unwrap_or_else(|| ("localhost".to_owned(), 0))
    }

    /// Creates a topic as its configs say, and gives it an id.
    pub(crate) fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        overrides: BTreeMap<String, String>,
        placing: &Placing,
    ) -> Result<Arc<Topic>, TopicError> {
        let options = self.config.topic_options(&overrides);
        let id = self.random.uuid();
        let placements = self.place_new(partitions, placing);
        let new = NewTopic { name: name.to_owned(), id, partitions, overrides, options, placements };
        let created = self.topics.create(new, self.clock.now_ms());
        self.hand.bell.ring();
        created
    }

    /// Deletes a topic with all that is kept of it: records, configs, and the offsets that groups have in it.
    pub(crate) fn delete_topic(&self, topic: &Arc<Topic>) -> Result<(), TopicError> {
        let deleted = self.topics.delete(topic, self.clock.now_ms());
        self.hand.bell.ring();
        if !matches!(deleted, Ok(()) | Err(TopicError::Delete(_))) {
            return deleted;
        }
        // Also where files of it are left.
        if &**topic.name() == OFFSETS_TOPIC {
            self.groups.detach();
        } else {
            self.groups.forget_topic(topic.name());
        }
        deleted
    }

    /// Where the partitions of a topic go of which nothing is said.
    pub(crate) fn default_placing(&self) -> Placing {
        Placing::factor(self.config.settings().default_replication_factor.into())
    }

    /// Creates a topic that a client has asked about, with the broker's defaults.
    pub(crate) fn create_automatically(&self, name: &str) -> Result<(), ResponseError> {
        if matches!(name, OFFSETS_TOPIC | TRANSACTION_TOPIC) {
            return self.ensure_internal(name).map(drop);
        }
        let count = self.config.settings().num_partitions;
        match self.create_topic(name, count, BTreeMap::new(), &self.default_placing()) {
            Ok(_) | Err(TopicError::Exists(_)) => Ok(()),
            Err(error) => Err(crate::error_code::of_topic(&error)),
        }
    }

    /// One of the broker's own topics, created as Kafka creates it if it is not there yet.
    pub(crate) fn ensure_internal(&self, name: &str) -> Result<Arc<Topic>, ResponseError> {
        if let Some(topic) = self.topics.get(name) {
            return Ok(topic);
        }
        let (partitions, replication_factor, overrides) = self.config.internal_topic(name);
        match self.create_topic(name, partitions, overrides, &Placing::factor(replication_factor)) {
            Ok(topic) => Ok(topic),
            Err(TopicError::Exists(_)) => self.topics.get(name).ok_or(ResponseError::CoordinatorNotAvailable),
            Err(error) => Err(crate::error_code::of_topic(&error)),
        }
    }

    /// The coordinator of groups, with its topic, which is created on first use. To look at groups that are there
    /// already, `groups` alone does.
    pub(crate) fn group_coordinator(&self) -> Result<&Arc<GroupCoordinator>, ResponseError> {
        if !self.groups.is_attached() {
            // Fifty logs are made or read: other tasks of this thread move elsewhere meanwhile.
            tokio::task::block_in_place(|| self.ensure_groups())?;
        }
        Ok(&self.groups)
    }

    /// Has the topic of offsets be there, and the groups that it remembers.
    pub(crate) fn ensure_groups(&self) -> Result<(), ResponseError> {
        if self.groups.is_attached() {
            return Ok(());
        }
        let topic = self.ensure_internal(OFFSETS_TOPIC)?;
        self.attach_groups(&topic).map_err(|error| {
            tracing::error!("the topic of offsets cannot be read: {error}");
            ResponseError::CoordinatorNotAvailable
        })
    }

    /// Takes up the groups that `__consumer_offsets` remembers.
    pub(crate) fn attach_groups(&self, topic: &Topic) -> Result<(), JournalError> {
        self.groups.attach(partition_log::of(topic))
    }
}
