//! Topics: creating, listing, describing and deleting them, and giving them more partitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, TopicName,
};
use uuid::Uuid;

use super::fan_out::{Charge, Errand, Outcomes};
use super::{Admin, Call, Each, outcome, text, timeout_ms};
use crate::error::ClientError;
use crate::native::Cluster;
use crate::native::connection::{Connection, RequestError};

/// The version of DeleteTopics from which on topics are structures, and can be named by id too.
const DELETES_BY_ID: i16 = 6;

/// A topic to be created. What is not said is the broker's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    name: String,
    partitions: i32,
    replication: i16,
    configs: BTreeMap<String, String>,
    assignments: Vec<Vec<i32>>,
}

impl NewTopic {
    /// A topic of this name.
    pub fn new(name: impl Into<String>) -> Self {
        let (configs, assignments) = (BTreeMap::new(), Vec::new());
        NewTopic { name: name.into(), partitions: -1, replication: -1, configs, assignments }
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = partitions;
        self
    }

    /// On how many brokers each partition is.
    #[must_use]
    pub fn replication(mut self, replication: i16) -> Self {
        self.replication = replication;
        self
    }

    /// Sets a config, such as `retention.ms`.
    #[must_use]
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.insert(name.into(), value.into());
        self
    }

    /// Says which brokers each partition is on, its leader first, instead of how many there are.
    #[must_use]
    pub fn assignments(mut self, brokers: Vec<Vec<i32>>) -> Self {
        self.assignments = brokers;
        self
    }

    fn to_request(&self) -> CreatableTopic {
        let configs = self.configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        });
        let assignments = (0_i32..).zip(&self.assignments).map(|(index, brokers)| {
            CreatableReplicaAssignment::default()
                .with_partition_index(index)
                .with_broker_ids(brokers.iter().map(|id| (*id).into()).collect())
        });
        let assigned = !self.assignments.is_empty();
        CreatableTopic::default()
            .with_name(TopicName(text(&self.name)))
            .with_num_partitions(if assigned { -1 } else { self.partitions })
            .with_replication_factor(if assigned { -1 } else { self.replication })
            .with_configs(configs.collect())
            .with_assignments(assignments.collect())
    }
}

/// A topic that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id; nil where the broker is too old to tell.
    pub id: Uuid,
    /// How many partitions it has, where the broker tells.
    pub partitions: Option<i32>,
    /// On how many brokers each is, where the broker tells.
    pub replication: Option<i16>,
}

/// A topic in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSummary {
    /// Its name.
    pub name: String,
    /// Its id; nil where the broker is too old to tell.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: usize,
    /// On how many brokers each is; that of the first where they differ.
    pub replication: usize,
    /// Whether it is the brokers' own, such as `__consumer_offsets`.
    pub internal: bool,
}

/// A topic in detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id; nil where the broker is too old to tell.
    pub id: Uuid,
    /// Whether it is the brokers' own.
    pub internal: bool,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionDescription>,
}

/// A partition and the brokers that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionDescription {
    /// Its number.
    pub partition: i32,
    /// The leader's broker id; none while there is no leader.
    pub leader: Option<i32>,
    /// The leader's epoch; -1 where the broker is too old to tell.
    pub leader_epoch: i32,
    /// The brokers that have it, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub in_sync: Vec<i32>,
    /// Those of them that are offline.
    pub offline: Vec<i32>,
}

impl Admin {
    /// Creates topics.
    ///
    /// ```
    /// # use klamm_client::{Admin, Bootstrap, ClientOptions, NewTopic};
    /// # let bootstrap = Bootstrap::Embedded { name: "create docs".to_owned(), data_dir: None };
    /// # let admin = Admin::new(ClientOptions { bootstrap, ..ClientOptions::default() })?;
    /// let orders = NewTopic::new("orders").partitions(6).config("retention.ms", "3600000");
    /// for (name, created) in admin.create_topics([orders, NewTopic::new("payments")]).wait()? {
    ///     println!("{name}: {:?} partitions", created?.partitions);
    /// }
    /// # Ok::<(), klamm_client::ClientError>(())
    /// ```
    pub fn create_topics(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
    ) -> Call<Each<String, CreatedTopic>> {
        self.create(topics, false)
    }

    /// Checks whether topics could be created, without creating them.
    pub fn validate_topics(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
    ) -> Call<Each<String, CreatedTopic>> {
        self.create(topics, true)
    }

    fn create(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
        validate_only: bool,
    ) -> Call<Each<String, CreatedTopic>> {
        let topics: Vec<_> = topics.into_iter().collect();
        let names = topics.iter().map(|topic| topic.name.clone()).collect();
        let topics = topics.into_iter().map(|topic| (topic.name.clone(), topic)).collect();
        self.each(CreateTopics { topics, validate_only }, names)
    }

    /// All topics, by name; the brokers' own among them, which say so.
    pub fn list_topics(&self) -> Call<Vec<TopicSummary>> {
        let (cluster, deadline) = (Arc::clone(&self.cluster), self.deadline());
        Call::begin(async move {
            let answer = metadata(&cluster, None, "listing topics", deadline).await?;
            let mut topics: Vec<_> = answer.iter().filter_map(summary).collect();
            topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            Ok(topics)
        })
    }

    /// Topics in detail: their partitions, leaders and replicas.
    pub fn describe_topics<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Call<Each<String, TopicDescription>> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let (cluster, deadline) = (Arc::clone(&self.cluster), self.deadline());
        Call::begin(async move {
            let wanted = names.iter().map(|name| crate::native::cluster::topic_request(name)).collect();
            let answer = metadata(&cluster, Some(wanted), "describing topics", deadline).await?;
            let described = |name: String| {
                let asked = || format!("describing the topic '{name}'");
                let found =
                    answer.iter().find(|topic| topic.name.as_ref().is_some_and(|n| n.as_str() == name));
                let outcome = match found {
                    Some(topic) => outcome(topic.error_code, asked, None, topic).map(description),
                    None => Err(unknown(asked())),
                };
                (name, outcome)
            };
            Ok(Each::new(names.into_iter().map(described).collect()))
        })
    }

    /// Deletes topics, with all that is in them.
    pub fn delete_topics<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Call<Each<String, ()>> {
        self.each(DeleteTopics, names.into_iter().map(Into::into).collect())
    }

    /// Gives topics more partitions: so many in all. Records stay where they are, and keys go to other partitions from then
    /// on.
    pub fn create_partitions<N: Into<String>>(
        &self,
        totals: impl IntoIterator<Item = (N, i32)>,
    ) -> Call<Each<String, ()>> {
        self.create_partitions_on(totals.into_iter().map(|(name, total)| (name, total, Vec::new())))
    }

    /// As [`create_partitions`](Admin::create_partitions), saying of each partition that is added on which brokers it is, its
    /// leader first; where nothing is said the cluster chooses.
    pub fn create_partitions_on<N: Into<String>>(
        &self,
        totals: impl IntoIterator<Item = (N, i32, Vec<Vec<i32>>)>,
    ) -> Call<Each<String, ()>> {
        let totals: BTreeMap<String, (i32, Vec<Vec<i32>>)> =
            totals.into_iter().map(|(name, total, brokers)| (name.into(), (total, brokers))).collect();
        let names = totals.keys().cloned().collect();
        self.each(CreatePartitions { totals }, names)
    }
}

fn unknown(asked: String) -> ClientError {
    ClientError::from_code(kafka_protocol::error::ResponseError::UnknownTopicOrPartition, asked, None)
}

/// Asks any broker for topics, again if it has to be.
pub(super) async fn metadata(
    cluster: &Cluster,
    topics: Option<Vec<MetadataRequestTopic>>,
    asked: &str,
    deadline: Instant,
) -> Result<Vec<MetadataResponseTopic>, ClientError> {
    let mut backoff = cluster.retry_backoff();
    loop {
        match cluster.metadata_of(topics.clone(), false, deadline).await {
            Ok(answer) => return Ok(answer.topics),
            Err(error) => {
                let pause = Instant::now() + backoff.next();
                if !error.is_retriable() || pause >= deadline {
                    return Err(error.asked(asked));
                }
                tokio::time::sleep_until(pause.into()).await;
            }
        }
    }
}

fn summary(topic: &MetadataResponseTopic) -> Option<TopicSummary> {
    Some(TopicSummary {
        name: topic.name.as_ref()?.to_string(),
        id: topic.topic_id,
        partitions: topic.partitions.len(),
        replication: topic.partitions.first().map_or(0, |partition| partition.replica_nodes.len()),
        internal: topic.is_internal,
    })
}

fn description(topic: &MetadataResponseTopic) -> TopicDescription {
    let ids = |nodes: &[kafka_protocol::messages::BrokerId]| nodes.iter().map(|node| node.0).collect();
    let mut partitions: Vec<_> = topic
        .partitions
        .iter()
        .map(|partition| PartitionDescription {
            partition: partition.partition_index,
            leader: Some(partition.leader_id.0).filter(|id| *id >= 0),
            leader_epoch: partition.leader_epoch,
            replicas: ids(&partition.replica_nodes),
            in_sync: ids(&partition.isr_nodes),
            offline: ids(&partition.offline_replicas),
        })
        .collect();
    partitions.sort_unstable_by_key(|partition| partition.partition);
    let name = topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default();
    TopicDescription { name, id: topic.topic_id, internal: topic.is_internal, partitions }
}

struct CreateTopics {
    topics: BTreeMap<String, NewTopic>,
    validate_only: bool,
}

impl Errand for CreateTopics {
    type Item = String;
    type Answer = CreatedTopic;

    fn asked(&self, name: &String) -> String {
        format!("creating the topic '{name}'")
    }

    fn charge(&self, _: &String) -> Charge {
        Charge::Controller
    }

    fn may_repeat(&self) -> bool {
        self.validate_only
    }

    async fn ask(
        &self,
        connection: Connection,
        names: Vec<String>,
        deadline: Instant,
    ) -> Result<Outcomes<String, CreatedTopic>, RequestError> {
        let topics = names.iter().filter_map(|name| self.topics.get(name)).map(NewTopic::to_request);
        let request = CreateTopicsRequest::default()
            .with_topics(topics.collect())
            .with_timeout_ms(timeout_ms(deadline))
            .with_validate_only(self.validate_only);
        let answer = super::call(&connection, &request, deadline).await?;
        let created = answer.topics.iter().map(|topic| {
            let name = topic.name.to_string();
            let created = CreatedTopic {
                id: topic.topic_id,
                partitions: Some(topic.num_partitions).filter(|partitions| *partitions >= 0),
                replication: Some(topic.replication_factor).filter(|replication| *replication >= 0),
            };
            let outcome =
                outcome(topic.error_code, || self.asked(&name), topic.error_message.as_deref(), created);
            (name, outcome)
        });
        Ok(created.collect())
    }
}

struct DeleteTopics;

impl Errand for DeleteTopics {
    type Item = String;
    type Answer = ();

    fn asked(&self, name: &String) -> String {
        format!("deleting the topic '{name}'")
    }

    fn charge(&self, _: &String) -> Charge {
        Charge::Controller
    }

    fn may_repeat(&self) -> bool {
        false
    }

    async fn ask(
        &self,
        connection: Connection,
        names: Vec<String>,
        deadline: Instant,
    ) -> Result<Outcomes<String, ()>, RequestError> {
        let version = connection.version::<DeleteTopicsRequest>(i16::MAX)?;
        let request = DeleteTopicsRequest::default().with_timeout_ms(timeout_ms(deadline));
        let named = names.iter().map(|name| TopicName(text(name)));
        let request = if version >= DELETES_BY_ID {
            request.with_topics(named.map(|name| DeleteTopicState::default().with_name(Some(name))).collect())
        } else {
            request.with_topic_names(named.collect())
        };
        let answer = super::call(&connection, &request, deadline).await?;
        let deleted = answer.responses.iter().map(|topic| {
            let name = topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default();
            let outcome = outcome(topic.error_code, || self.asked(&name), topic.error_message.as_deref(), ());
            (name, outcome)
        });
        Ok(deleted.collect())
    }
}

struct CreatePartitions {
    totals: BTreeMap<String, (i32, Vec<Vec<i32>>)>,
}

impl Errand for CreatePartitions {
    type Item = String;
    type Answer = ();

    fn asked(&self, name: &String) -> String {
        format!("giving the topic '{name}' more partitions")
    }

    fn charge(&self, _: &String) -> Charge {
        Charge::Controller
    }

    fn may_repeat(&self) -> bool {
        false
    }

    async fn ask(
        &self,
        connection: Connection,
        names: Vec<String>,
        deadline: Instant,
    ) -> Result<Outcomes<String, ()>, RequestError> {
        let totals = names.iter().filter_map(|name| self.totals.get_key_value(name));
        let topics = totals.map(|(name, (total, brokers))| {
            let brokers = brokers.iter().map(|brokers| {
                let ids = brokers.iter().map(|id| (*id).into()).collect();
                CreatePartitionsAssignment::default().with_broker_ids(ids)
            });
            let brokers: Vec<_> = brokers.collect();
            CreatePartitionsTopic::default()
                .with_name(TopicName(text(name)))
                .with_count(*total)
                .with_assignments(Some(brokers).filter(|brokers| !brokers.is_empty()))
        });
        let request = CreatePartitionsRequest::default()
            .with_topics(topics.collect())
            .with_timeout_ms(timeout_ms(deadline));
        let answer = super::call(&connection, &request, deadline).await?;
        let extended = answer.results.iter().map(|topic| {
            let name = topic.name.to_string();
            let outcome = outcome(topic.error_code, || self.asked(&name), topic.error_message.as_deref(), ());
            (name, outcome)
        });
        Ok(extended.collect())
    }
}
