//! The brokers of this process that `embedded://NAME` names: started at first use, stopped when the last user goes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};

use klamm_broker::{Broker, BrokerBuilder, StartError};
use parking_lot::Mutex;

use crate::error::{ClientError, ErrorKind};

/// A broker of this process that is shared by name. It stops when the last of its users drops it.
#[derive(Debug, Clone)]
pub struct EmbeddedBroker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    broker: Broker,
    data_dir: Option<PathBuf>,
    /// The ids of its nodes, which stay as they are.
    nodes: Vec<i32>,
}

impl Shared {
    fn new(broker: Broker, data_dir: Option<PathBuf>) -> Arc<Self> {
        let nodes = broker.cluster().nodes().iter().map(|node| node.id).collect();
        Arc::new(Shared { broker, data_dir, nodes })
    }
}

impl EmbeddedBroker {
    /// The ids of its nodes: one, but for a broker that was given a name by [`embed_broker`].
    pub(crate) fn node_ids(&self) -> &[i32] {
        &self.0.nodes
    }
}

impl Deref for EmbeddedBroker {
    type Target = Broker;

    fn deref(&self) -> &Broker {
        &self.0.broker
    }
}

/// Brokers that have been started. One that has stopped leaves its name behind until the name is used again.
static BROKERS: LazyLock<Mutex<HashMap<String, Weak<Shared>>>> = LazyLock::new(Mutex::default);

/// The broker that `embedded://name` stands for: the running one, or one that is started now. With a data folder what it
/// holds outlives it; without one it lives in memory. It listens on a free port of 127.0.0.1 besides.
///
/// ```
/// let first = klamm_client::embedded_broker("docs", None)?;
/// let second = klamm_client::embedded_broker("docs", None)?;
/// assert_eq!(first.bootstrap_servers(), second.bootstrap_servers());
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Config`] if a broker of this name is running on another data folder; [`ErrorKind::System`] if it cannot
/// be started, for instance because another process uses the folder.
pub fn embedded_broker(name: &str, data_dir: Option<&Path>) -> Result<EmbeddedBroker, ClientError> {
    // Held while a broker starts, so that two who ask at once get the same one.
    let mut brokers = BROKERS.lock();
    let entry = brokers.entry(name.to_owned());
    if let Entry::Occupied(known) = &entry
        && let Some(shared) = known.get().upgrade()
    {
        if data_dir.is_some() && shared.data_dir.as_deref() != data_dir {
            return Err(elsewhere(name, shared.data_dir.as_deref()));
        }
        return Ok(EmbeddedBroker(shared));
    }
    let mut builder = Broker::builder();
    if let Some(folder) = data_dir {
        builder = builder.data_dir(folder);
    }
    let broker = builder.start().map_err(|error| not_started(name, &error))?;
    let shared = Shared::new(broker, data_dir.map(Path::to_owned));
    entry.insert_entry(Arc::downgrade(&shared));
    Ok(EmbeddedBroker(shared))
}

/// Starts a broker as `builder` says, for clients of this process that name `embedded://name`: with several nodes, a clock of
/// the test's, or whatever else a builder can say. Connections go to each node within the process.
///
/// ```
/// use klamm_broker::{Broker, BrokerBuilder, StartError};
///
/// let broker = klamm_client::embed_broker("embed-docs", Broker::builder().brokers(3).topic("orders", 3))?;
/// let publisher = klamm_client::create_publisher(
///     "orders",
///     serde_json::json!({ "destination": "kafka://topic/orders", "bootstrap_servers": "embedded://embed-docs" }),
/// )?;
/// broker.cluster().stop_node(2)?;
/// publisher.publish_acknowledged("an order")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Config`] if a broker of this name is running; [`ErrorKind::System`] if it cannot be started.
pub fn embed_broker(name: &str, builder: BrokerBuilder) -> Result<EmbeddedBroker, ClientError> {
    let mut brokers = BROKERS.lock();
    let entry = brokers.entry(name.to_owned());
    if matches!(&entry, Entry::Occupied(known) if known.get().strong_count() > 0) {
        let asked = format!("starting the broker embedded://{name}");
        return Err(ClientError::new(ErrorKind::Config, asked, "a broker of this name is running already")
            .remedy("give another name, or let go of the other first"));
    }
    let broker = builder.start().map_err(|error| not_started(name, &error))?;
    let shared = Shared::new(broker, None);
    entry.insert_entry(Arc::downgrade(&shared));
    Ok(EmbeddedBroker(shared))
}

fn not_started(name: &str, why: &StartError) -> ClientError {
    ClientError::new(ErrorKind::System, format!("starting the broker embedded://{name}"), why.to_string())
}

fn elsewhere(name: &str, data_dir: Option<&Path>) -> ClientError {
    let place = data_dir.map_or("in memory".to_owned(), |folder| format!("on {}", folder.display()));
    ClientError::new(
        ErrorKind::Config,
        format!("using the broker embedded://{name}"),
        format!("it is running already, {place}"),
    )
    .remedy("give the same data_dir everywhere, or another name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stops_when_the_last_user_goes() {
        let folder = tempfile::tempdir().unwrap();
        let broker = embedded_broker("stops", Some(folder.path())).unwrap();
        let second = broker.clone();
        drop(broker);
        assert_eq!(embedded_broker("stops", None).unwrap().bootstrap_servers(), second.bootstrap_servers());
        drop(second);
        // The folder is free again, for another name.
        embedded_broker("stops again", Some(folder.path())).unwrap();
    }

    #[test]
    fn a_name_stands_for_one_broker_at_a_time() {
        let broker = embed_broker("one at a time", Broker::builder().brokers(2)).unwrap();
        assert_eq!(broker.node_ids(), [1, 2]);
        let refused = embed_broker("one at a time", Broker::builder()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        drop(broker);
        embed_broker("one at a time", Broker::builder()).unwrap();
    }

    #[test]
    fn another_folder_is_refused() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let _broker = embedded_broker("one place", Some(one.path())).unwrap();
        let refused = embedded_broker("one place", Some(other.path())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
    }
}
