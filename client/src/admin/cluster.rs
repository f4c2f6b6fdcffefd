//! The cluster itself: its brokers, what they serve, and where they keep what.

use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::messages::{ApiKey, DescribeClusterRequest, DescribeLogDirsRequest};

use super::fan_out::{self, Charge, Errand, Outcomes};
use super::{Admin, Call, Each, outcome};
use crate::error::ClientError;
use crate::native::connection::{Connection, RequestError};
use crate::record::TopicPartition;

/// A cluster and its brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    /// Its id, where the broker tells.
    pub cluster_id: Option<String>,
    /// The broker that is the controller, or answers for it.
    pub controller: Option<i32>,
    /// Its brokers, by id.
    pub brokers: Vec<BrokerDescription>,
}

/// A broker of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerDescription {
    /// Its id.
    pub id: i32,
    /// The host that clients connect to.
    pub host: String,
    /// The port that clients connect to.
    pub port: i32,
    /// The rack that it is in, where it was told.
    pub rack: Option<String>,
    /// Whether the controller keeps it out for the present, where that is told.
    pub fenced: bool,
}

/// An API that a broker serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSupport {
    /// Its number.
    pub key: i16,
    /// Kafka's name for it; none for one that is not known here.
    pub name: Option<String>,
    /// The oldest version.
    pub min_version: i16,
    /// The newest version.
    pub max_version: i16,
}

/// A folder that a broker keeps logs in.
#[derive(Debug, Clone)]
pub struct LogDir {
    /// Its path on the broker's machine.
    pub path: String,
    /// What is wrong with it, where something is.
    pub error: Option<ClientError>,
    /// The size of its file system in bytes, where the broker tells.
    pub total_bytes: Option<i64>,
    /// What of that is free, where the broker tells.
    pub usable_bytes: Option<i64>,
    /// What is in it.
    pub partitions: Vec<LogDirPartition>,
}

/// A partition in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDirPartition {
    /// Which it is.
    pub partition: TopicPartition,
    /// Its size in bytes.
    pub size: i64,
    /// By how many offsets it lags behind.
    pub offset_lag: i64,
    /// Whether it is being moved here, and will replace the one in another folder.
    pub future: bool,
}

impl Admin {
    /// The cluster and its brokers.
    pub fn describe_cluster(&self) -> Call<ClusterDescription> {
        let (cluster, deadline) = (Arc::clone(&self.cluster), self.deadline());
        Call::begin(async move {
            let described = fan_out::run(&cluster, DescribeCluster, vec![()], deadline).await;
            let described = described.into_iter().next().map(|((), outcome)| outcome);
            match described {
                Some(Err(error)) if error.kind() == crate::ErrorKind::Unsupported => {
                    // Brokers before Kafka 2.8 tell the same with their metadata.
                    let metadata = cluster.refreshed(deadline).await?;
                    Ok(from_metadata(&metadata))
                }
                Some(outcome) => outcome,
                None => Err(crate::ClientError::new(
                    crate::ErrorKind::MalformedAnswer,
                    "describing the cluster",
                    "the broker's answer says nothing of it",
                )),
            }
        })
    }

    /// Which APIs each broker serves, in which versions.
    pub fn api_versions(&self) -> Call<Each<i32, Vec<ApiSupport>>> {
        self.each_broker(ApiVersions)
    }

    /// The folders of each broker, and what is in them.
    pub fn log_dirs(&self) -> Call<Each<i32, Vec<LogDir>>> {
        self.each_broker(LogDirs)
    }

    /// Runs an errand at every broker of the cluster.
    pub(super) fn each_broker<E: Errand<Item = i32>>(&self, errand: E) -> Call<Each<i32, E::Answer>> {
        let (cluster, deadline) = (Arc::clone(&self.cluster), self.deadline());
        Call::begin(async move {
            let mut brokers: Vec<i32> = cluster.refreshed(deadline).await?.brokers.keys().copied().collect();
            brokers.sort_unstable();
            Ok(Each::new(fan_out::run(&cluster, errand, brokers, deadline).await))
        })
    }
}

fn from_metadata(metadata: &crate::native::cluster::Metadata) -> ClusterDescription {
    let mut brokers: Vec<_> = metadata
        .brokers
        .values()
        .map(|broker| BrokerDescription {
            id: broker.id,
            host: broker.host.to_string(),
            port: broker.port.into(),
            rack: broker.rack.as_deref().map(str::to_owned),
            fenced: false,
        })
        .collect();
    brokers.sort_unstable_by_key(|broker| broker.id);
    let cluster_id = metadata.cluster_id.as_deref().map(str::to_owned);
    ClusterDescription { cluster_id, controller: metadata.controller, brokers }
}

struct DescribeCluster;

impl Errand for DescribeCluster {
    type Item = ();
    type Answer = ClusterDescription;

    fn asked(&self, (): &()) -> String {
        "describing the cluster".to_owned()
    }

    fn charge(&self, (): &()) -> Charge {
        Charge::Any
    }

    async fn ask(
        &self,
        connection: Connection,
        _: Vec<()>,
        deadline: Instant,
    ) -> Result<Outcomes<(), ClusterDescription>, RequestError> {
        let answer = super::call(&connection, &DescribeClusterRequest::default(), deadline).await?;
        let mut brokers: Vec<_> = answer
            .brokers
            .iter()
            .map(|broker| BrokerDescription {
                id: broker.broker_id.0,
                host: broker.host.to_string(),
                port: broker.port,
                rack: broker.rack.as_ref().map(|rack| rack.to_string()),
                fenced: broker.is_fenced,
            })
            .collect();
        brokers.sort_unstable_by_key(|broker| broker.id);
        let described = ClusterDescription {
            cluster_id: Some(answer.cluster_id.to_string()).filter(|id| !id.is_empty()),
            controller: Some(answer.controller_id.0).filter(|id| *id >= 0),
            brokers,
        };
        let message = answer.error_message.as_deref();
        Ok(vec![((), outcome(answer.error_code, || self.asked(&()), message, described))])
    }
}

struct ApiVersions;

impl Errand for ApiVersions {
    type Item = i32;
    type Answer = Vec<ApiSupport>;

    fn asked(&self, broker: &i32) -> String {
        format!("asking broker {broker} for its versions")
    }

    fn charge(&self, broker: &i32) -> Charge {
        Charge::Broker(*broker)
    }

    async fn ask(
        &self,
        connection: Connection,
        brokers: Vec<i32>,
        _: Instant,
    ) -> Result<Outcomes<i32, Vec<ApiSupport>>, RequestError> {
        // A connection has asked when it was opened.
        let mut apis: Vec<_> = connection
            .versions()
            .iter()
            .map(|(key, min_version, max_version)| {
                let name = ApiKey::try_from(key).ok().map(|api| format!("{api:?}"));
                ApiSupport { key, name, min_version, max_version }
            })
            .collect();
        apis.sort_unstable_by_key(|api| api.key);
        Ok(brokers.into_iter().map(|broker| (broker, Ok(apis.clone()))).collect())
    }
}

struct LogDirs;

impl Errand for LogDirs {
    type Item = i32;
    type Answer = Vec<LogDir>;

    fn asked(&self, broker: &i32) -> String {
        format!("asking broker {broker} for its log folders")
    }

    fn charge(&self, broker: &i32) -> Charge {
        Charge::Broker(*broker)
    }

    async fn ask(
        &self,
        connection: Connection,
        brokers: Vec<i32>,
        deadline: Instant,
    ) -> Result<Outcomes<i32, Vec<LogDir>>, RequestError> {
        let request = DescribeLogDirsRequest::default().with_topics(None);
        let answer = super::call(&connection, &request, deadline).await?;
        let dirs: Vec<_> = answer
            .results
            .iter()
            .map(|dir| {
                let partitions = dir.topics.iter().flat_map(|topic| {
                    topic.partitions.iter().map(|partition| LogDirPartition {
                        partition: TopicPartition::new(topic.name.as_str(), partition.partition_index),
                        size: partition.partition_size,
                        offset_lag: partition.offset_lag,
                        future: partition.is_future_key,
                    })
                });
                let asked = || format!("looking into {}", dir.log_dir);
                LogDir {
                    path: dir.log_dir.to_string(),
                    error: outcome(dir.error_code, asked, None, ()).err(),
                    total_bytes: Some(dir.total_bytes).filter(|bytes| *bytes >= 0),
                    usable_bytes: Some(dir.usable_bytes).filter(|bytes| *bytes >= 0),
                    partitions: partitions.collect(),
                }
            })
            .collect();
        let told =
            |broker: i32| (broker, outcome(answer.error_code, || self.asked(&broker), None, dirs.clone()));
        Ok(brokers.into_iter().map(told).collect())
    }
}
