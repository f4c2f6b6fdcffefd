//! Administration of a cluster: topics, configs, groups and their offsets, records, brokers.
//!
//! Every call works against clusters of any size: what is asked for goes to the brokers that are in charge of it. Knows
//! nothing of producers and consumers.

mod call;
mod cluster;
mod configs;
mod eligible;
mod fan_out;
mod groups;
mod offsets;
mod records;
#[cfg(test)]
mod tests;
mod topics;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use call::{Call, Each};
pub use cluster::{ApiSupport, BrokerDescription, ClusterDescription, LogDir, LogDirPartition};
pub use configs::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource};
pub use eligible::EligibleLeaders;
pub use groups::{GroupDescription, GroupSummary, MemberDescription};
pub use offsets::{CommittedOffset, OffsetMove, ResetTo};
pub use records::{DeleteUpTo, FoundOffset, OffsetAt};
pub use topics::{CreatedTopic, NewTopic, PartitionDescription, TopicDescription, TopicSummary};

use serde::Serialize;

use crate::config::{Config, read_admin};
use crate::error::ClientError;
use crate::native::Cluster;
use crate::options::ClientOptions;

/// How long a call may take unless it is told otherwise: Kafka's `default.api.timeout.ms`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Administers a cluster. Cheap to clone; all clones share their connections.
///
/// Each call begins at once and gives a [`Call`]: await it, or [`wait`](Call::wait) for it. Where a call is for several
/// things, each has an outcome of its own ([`Each`]).
///
/// ```
/// use klamm_client::{Admin, Bootstrap, ClientOptions, NewTopic};
///
/// let bootstrap = Bootstrap::Embedded { name: "admin docs".to_owned(), data_dir: None };
/// let admin = Admin::new(ClientOptions { bootstrap, ..ClientOptions::default() })?;
/// admin.create_topics([NewTopic::new("orders").partitions(3)]).wait()?.all()?;
/// let topics = admin.list_topics().wait()?;
/// assert_eq!((topics[0].name.as_str(), topics[0].partitions), ("orders", 3));
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Admin {
    cluster: Arc<Cluster>,
    timeout: Duration,
}

/// Makes an administrator from a config: `bootstrap_servers` as for [`create_publisher`](crate::create_publisher), and under
/// `admin_config` or `confluent_config` the options that every client has (`request_timeout_ms`, `security_protocol`,
/// `ssl_*`, `sasl_*`, …), in either spelling.
///
/// ```
/// use serde_json::json;
///
/// let admin = klamm_client::create_admin("ops", json!({ "bootstrap_servers": "embedded://create-admin-docs" }))?;
/// println!("{} brokers", admin.describe_cluster().wait()?.brokers.len());
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) with the key that is wrong and what it takes.
pub fn create_admin(name: &str, config: impl Serialize) -> Result<Admin, ClientError> {
    let config = Config::from_value(config)
        .map_err(|error| error.asked(format!("reading the config of the administrator '{name}'")))?;
    Admin::new(read_admin(name, config.into_map())?)
}

impl Admin {
    /// Of these options. Nothing is connected to before the first call.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if an option cannot be.
    pub fn new(options: ClientOptions) -> Result<Admin, ClientError> {
        Ok(Admin { cluster: Cluster::new(options, false)?, timeout: DEFAULT_TIMEOUT })
    }

    /// The same with another limit on how long a call may take, retries included. It is 60 seconds at first.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Admin {
        self.timeout = timeout;
        self
    }

    /// Connects to a broker, so that it is known whether one can be reached; it is tried again for so long, and no longer than a
    /// call may take. Calls connect by themselves: this is for who would rather hear soon that nobody answers.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`](crate::ErrorKind::Unreachable) if none was reached, and
    /// [`ErrorKind::Authentication`](crate::ErrorKind::Authentication) at once if one refuses user, password or certificate.
    pub fn reach(&self, patience: Duration) -> Call<()> {
        let (cluster, deadline) = (Arc::clone(&self.cluster), self.deadline());
        Call::begin(async move { cluster.reach(patience, deadline).await })
    }

    /// Closes all connections. Calls under way, and later ones, of all clones fail.
    pub fn close(&self) {
        self.cluster.close();
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Runs an errand for each item.
    fn each<E: fan_out::Errand>(&self, errand: E, items: Vec<E::Item>) -> Call<Each<E::Item, E::Answer>> {
        let (cluster, deadline) = (Arc::clone(&self.cluster), self.deadline());
        Call::begin(async move { Ok(Each::new(fan_out::run(&cluster, errand, items, deadline).await)) })
    }
}

/// How long a broker is told to take at most, with so much time left.
fn timeout_ms(deadline: Instant) -> i32 {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    i32::try_from(left).unwrap_or(i32::MAX).max(1)
}

/// What a request's items are known to the broker by.
fn text(value: &str) -> kafka_protocol::protocol::StrBytes {
    kafka_protocol::protocol::StrBytes::from_string(value.to_owned())
}

/// An outcome, of the error code that an item is answered with.
fn outcome<T>(
    code: i16,
    asked: impl FnOnce() -> String,
    message: Option<&str>,
    value: T,
) -> Result<T, ClientError> {
    match kafka_protocol::error::ResponseError::try_from_code(code) {
        None => Ok(value),
        Some(error) => {
            Err(ClientError::from_code(error, asked(), message.filter(|message| !message.is_empty())))
        }
    }
}

/// Sends a request in the newest version that both sides know, and waits for the answer.
async fn call<R: kafka_protocol::protocol::Request>(
    connection: &crate::native::connection::Connection,
    request: &R,
    deadline: Instant,
) -> Result<R::Response, crate::native::connection::RequestError> {
    let version = connection.version::<R>(i16::MAX)?;
    connection.call(request, version, deadline.saturating_duration_since(Instant::now())).await
}

/// Items by their topics, as requests have them.
fn by_topic<'a, T>(
    items: impl Iterator<Item = T>,
    partition: impl Fn(&T) -> &'a crate::record::TopicPartition,
) -> Vec<(Arc<str>, Vec<T>)>
where
    T: 'a,
{
    let mut topics: std::collections::BTreeMap<Arc<str>, Vec<T>> = std::collections::BTreeMap::new();
    for item in items {
        let topic = Arc::clone(&partition(&item).topic);
        topics.entry(topic).or_default().push(item);
    }
    topics.into_iter().collect()
}
