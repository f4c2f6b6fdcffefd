//! The broker's configs while it runs: every value that was set, and what follows from them.
//!
//! Readers take a snapshot. Changes are made by `change`, one at a time, and remembered by the metadata journal; a
//! topic's own configs are kept with the topic, not here.

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_storage::LogOptions;
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::config::broker_definitions::BROKER;
use crate::config::broker_rules;
use crate::config::describe::{ConfigEntry, definition_behind};
use crate::config::layers::{Layers, Overrides, topic_definition};
use crate::config::resource_rules;
use crate::config::settings::BrokerSettings;
use crate::config::value::Value;
use crate::config::{BROKER_RESOURCE, CLIENT_METRICS_RESOURCE, ConfigError, GROUP_RESOURCE};

/// What a Klamm broker sets for itself where nobody else does: it is a cluster of one, and groups need not wait for
/// others to join.
const OF_A_SINGLE_NODE: [(&str, &str); 9] = [
    ("node.id", "1"),
    ("process.roles", "broker,controller"),
    ("controller.listener.names", "CONTROLLER"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
];

/// Prefixes under which plug-ins have configs of their own.
const PLUGIN_PREFIXES: [&str; 2] = ["rsm.config.", "rlmm.config."];

/// All configs of a broker.
pub(crate) struct ConfigStore {
    layers: RwLock<Arc<Layers>>,
    settings: RwLock<Arc<BrokerSettings>>,
    /// Held for the length of a change, so that each is checked against what it changes.
    changing: Mutex<()>,
}

impl ConfigStore {
    /// A store with these configs, from wherever the broker's owner gave them.
    ///
    /// # Errors
    /// A name that no Kafka 4.3 broker knows, a value that it refuses, or values that contradict each other.
    pub(crate) fn new(given: BTreeMap<String, String>) -> Result<ConfigStore, ConfigError> {
        if let Some(unknown) = given.keys().find(|name| !is_known(name)) {
            return Err(unknown_name(unknown));
        }
        let mut fixed: Overrides = given;
        if let (Some(id), false) = (fixed.get("broker.id").cloned(), fixed.contains_key("node.id")) {
            fixed.insert("node.id".to_owned(), id);
        }
        for (name, value) in OF_A_SINGLE_NODE {
            fixed.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        broker_rules::check_values(&fixed)?;
        let id = fixed.get("node.id").cloned().unwrap_or_default();
        if fixed.insert("broker.id".to_owned(), id.clone()).is_some_and(|other| other.trim() != id.trim()) {
            return Err(ConfigError::new("node.id and broker.id name different brokers; give one of them"));
        }
        let mut layers = Layers { fixed, ..Layers::default() };
        // Where eligible leader replicas are tracked, as in every new cluster, this one lives in the cluster's configs.
        let in_sync = layers.number("min.insync.replicas").to_string();
        layers.cluster.insert("min.insync.replicas".to_owned(), in_sync);
        broker_rules::check_together(&layers)?;
        let settings = RwLock::new(Arc::new(BrokerSettings::of(&layers)));
        Ok(ConfigStore { layers: RwLock::new(Arc::new(layers)), settings, changing: Mutex::new(()) })
    }

    /// A store with configs that another has checked.
    pub(crate) fn of(layers: Arc<Layers>, settings: Arc<BrokerSettings>) -> ConfigStore {
        let (layers, settings) = (RwLock::new(layers), RwLock::new(settings));
        ConfigStore { layers, settings, changing: Mutex::new(()) }
    }

    /// Takes over what was set dynamically in `others`, all of it and nothing besides. It has been checked.
    pub(crate) fn take_dynamic(&self, others: &Layers) {
        let own = self.layers();
        let same = own.cluster == others.cluster
            && own.broker == others.broker
            && own.groups == others.groups
            && own.client_metrics == others.client_metrics;
        if !same {
            self.replace(Layers { fixed: own.fixed.clone(), ..others.clone() });
        }
    }

    /// Whether a topic's own configs come to the same here as they do among `others`.
    pub(crate) fn gives_the_options_of(&self, others: &Layers) -> bool {
        let none = Overrides::new();
        *self.topic_options(&none) == others.log_options(&none)
    }

    /// The typed configs as they are now.
    pub(crate) fn settings(&self) -> Arc<BrokerSettings> {
        Arc::clone(&self.settings.read())
    }

    /// Every value as it is now.
    pub(crate) fn layers(&self) -> Arc<Layers> {
        Arc::clone(&self.layers.read())
    }

    /// Keeps others from changing configs for as long as it is held.
    pub(crate) fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock()
    }

    /// Puts other values in the place of these.
    pub(crate) fn replace(&self, layers: Layers) {
        let settings = Arc::new(BrokerSettings::of(&layers));
        *self.layers.write() = Arc::new(layers);
        *self.settings.write() = settings;
    }

    /// Shows a value that became known only as the broker started, as though it had been configured: the data folder,
    /// the listeners. What was configured stays as it was written, and what could not have been configured, such as a
    /// folder named with two commas, is not shown.
    pub(crate) fn note(&self, name: &str, value: String) {
        if definition_behind(name).is_none_or(|known| known.parse(&value).is_err()) {
            return;
        }
        let _change = self.change();
        let mut layers = Layers::clone(&self.layers());
        layers.fixed.entry(name.to_owned()).or_insert(value);
        self.replace(layers);
    }

    /// What a topic with these configs of its own asks of its logs.
    pub(crate) fn topic_options(&self, overrides: &Overrides) -> Arc<LogOptions> {
        Arc::new(self.layers().log_options(overrides))
    }

    /// Checks the configs that a topic is to have.
    ///
    /// # Errors
    /// Kafka's sentence, which goes with INVALID_CONFIG.
    pub(crate) fn validate_topic_overrides(&self, overrides: &Overrides) -> Result<(), ConfigError> {
        resource_rules::check_topic(&self.layers(), overrides)
    }

    /// The configs of a new topic as a client lists them, checked; of a name that comes twice the last value counts.
    ///
    /// # Errors
    /// Kafka's sentence, which goes with INVALID_CONFIG.
    pub(crate) fn topic_overrides<'a>(
        &self,
        listed: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Overrides, ConfigError> {
        let mut overrides = Overrides::new();
        let mut without = Vec::new();
        for (name, value) in listed {
            match value {
                Some(value) => drop(overrides.insert(name.to_owned(), value.to_owned())),
                None => without.push(name),
            }
        }
        if !without.is_empty() {
            let names = without.join(",");
            return Err(ConfigError::new(format!("Null value not supported for topic configs: {names}")));
        }
        self.validate_topic_overrides(&overrides)?;
        Ok(overrides)
    }

    /// The configs of a topic that has just been created, as CreateTopics shows them.
    pub(crate) fn describe_topic(&self, overrides: &Overrides) -> Vec<ConfigEntry> {
        self.layers().describe_created_topic(overrides)
    }

    /// `min.insync.replicas` of a topic with these configs of its own.
    pub(crate) fn min_insync_replicas(&self, overrides: &Overrides) -> usize {
        match self.topic_value("min.insync.replicas", overrides) {
            Some(Value::Number(number)) => usize::try_from(number).unwrap_or(1),
            _ => 1,
        }
    }

    /// `unclean.leader.election.enable` of a topic with these configs of its own.
    pub(crate) fn unclean_leader_election(&self, overrides: &Overrides) -> bool {
        self.topic_value("unclean.leader.election.enable", overrides) == Some(Value::Bool(true))
    }

    fn topic_value(&self, name: &str, overrides: &Overrides) -> Option<Value> {
        self.layers().topic_value(topic_definition(name)?, overrides)
    }

    /// How many partitions one of the broker's own topics has, how often each is replicated, and its configs.
    pub(crate) fn internal_topic(&self, name: &str) -> (i32, i64, Overrides) {
        let layers = self.layers();
        let is_offsets = name == crate::topics::OFFSETS_TOPIC;
        let prefix = if is_offsets { "offsets.topic" } else { "transaction.state.log" };
        let number = |what: &str| layers.number(&format!("{prefix}.{what}"));
        let mut overrides = vec![
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", if is_offsets { "producer" } else { "uncompressed" }.to_owned()),
            ("segment.bytes", number("segment.bytes").to_string()),
        ];
        if !is_offsets {
            overrides.push(("min.insync.replicas", number("min.isr").to_string()));
            overrides.push(("unclean.leader.election.enable", "false".to_owned()));
        }
        let overrides = overrides.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let partitions = i32::try_from(number("num.partitions")).unwrap_or(i32::MAX);
        (partitions, number("replication.factor"), overrides)
    }

    /// Takes a dynamic config of a broker, a group or a subscription that the metadata journal remembers. One that no
    /// longer passes its check is left out, with a line in the log: the broker is to start.
    pub(crate) fn apply(&self, resource_type: i8, resource_name: &str, name: &str, value: Option<&str>) {
        let mut layers = Layers::clone(&self.layers());
        let layer = match resource_type {
            BROKER_RESOURCE if resource_name.is_empty() => &mut layers.cluster,
            BROKER_RESOURCE if resource_name == self.settings().node_id.to_string() => &mut layers.broker,
            // A folder that belonged to a broker of another id: its own configs are not this one's.
            BROKER_RESOURCE => return,
            GROUP_RESOURCE => layers.groups.entry(resource_name.to_owned()).or_default(),
            CLIENT_METRICS_RESOURCE => layers.client_metrics.entry(resource_name.to_owned()).or_default(),
            other => {
                tracing::warn!(
                    "a config of an unknown kind of resource, {other}, is remembered and left out: {name}"
                );
                return;
            }
        };
        match value {
            Some(value) => layer.insert(name.to_owned(), value.to_owned()),
            None => layer.remove(name),
        };
        layers.groups.retain(|_, configs| !configs.is_empty());
        layers.client_metrics.retain(|_, configs| !configs.is_empty());
        let is_dynamic = resource_type == BROKER_RESOURCE;
        let checked = match value.and_then(|value| definition_behind(name).map(|known| (known, value))) {
            Some((known, value)) if is_dynamic => known.parse(value).map(drop),
            _ => Ok(()),
        };
        match checked {
            Ok(()) => self.replace(layers),
            Err(error) => tracing::warn!("a remembered config is left out: {error}"),
        }
    }
}

/// Checks dynamic configs that come from elsewhere, as far as they are known here.
///
/// # Errors
/// The first value that does not pass.
pub(crate) fn check_remembered(layers: &Layers) -> Result<(), ConfigError> {
    for (name, value) in layers.cluster.iter().chain(&layers.broker) {
        if let Some(known) = definition_behind(name) {
            known.parse(value)?;
        }
    }
    broker_rules::check_together(layers)
}

fn is_known(name: &str) -> bool {
    definition_behind(name).is_some() || PLUGIN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn unknown_name(unknown: &str) -> ConfigError {
    let names = BROKER.iter().filter(|known| !known.internal).map(|known| known.name);
    let nearest = names.map(|name| (distance(unknown, name), name)).min();
    let hint = match nearest {
        Some((far, name)) if far <= 2 + name.len() / 4 => format!("did you mean '{name}'?"),
        _ => "see Kafka's list of broker configs".to_owned(),
    };
    ConfigError::new(format!("'{unknown}' is not a broker config of Kafka 4.3; {hint}"))
}

/// How many characters must be put in, taken out or changed to make `a` of `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let changed = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = changed.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(given: &[(&str, &str)]) -> Result<ConfigStore, ConfigError> {
        ConfigStore::new(
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        )
    }

    fn refusal(given: &[(&str, &str)]) -> String {
        store(given).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_one() {
        assert_eq!(
            refusal(&[("num.partition", "3")]),
            "'num.partition' is not a broker config of Kafka 4.3; did you mean 'num.partitions'?"
        );
        assert_eq!(
            refusal(&[("zookeeper.connect", "x")]),
            "'zookeeper.connect' is not a broker config of Kafka 4.3; see Kafka's list of broker configs"
        );
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn bad_values_are_refused_in_kafkas_words() {
        assert_eq!(
            refusal(&[("num.partitions", "none")]),
            "Invalid value none for configuration num.partitions: Not a number of type INT"
        );
        assert_eq!(
            refusal(&[("log.retention.ms", "0")]),
            "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"
        );
        assert_eq!(
            refusal(&[("node.id", "1"), ("broker.id", "2")]),
            "node.id and broker.id name different brokers; give one of them"
        );
    }

    #[test]
    fn what_a_server_properties_file_holds_is_accepted() {
        let config = store(&[
            ("process.roles", "broker,controller"),
            ("node.id", "7"),
            ("controller.quorum.bootstrap.servers", "localhost:9093"),
            ("controller.quorum.voters", "7@localhost:9093"),
            ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
            ("inter.broker.listener.name", "PLAINTEXT"),
            ("advertised.listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL"),
            ("num.network.threads", "3"),
            ("socket.send.buffer.bytes", "102400"),
            ("log.dirs", "/var/lib/kafka"),
            ("log.retention.hours", "168"),
            ("listener.name.plaintext.ssl.keystore.password", "secret"),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            ("rsm.config.anything", "x"),
        ])
        .unwrap();
        assert_eq!(config.settings().node_id, 7);
        assert_eq!(config.settings().group_initial_rebalance_delay_ms, 0);
    }

    #[test]
    fn a_remembered_config_counts_and_a_bad_one_does_not() {
        let config = store(&[]).unwrap();
        config.apply(BROKER_RESOURCE, "", "message.max.bytes", Some("5"));
        assert_eq!(config.topic_options(&Overrides::new()).max_message_bytes, 5);
        config.apply(BROKER_RESOURCE, "1", "message.max.bytes", Some("six"));
        assert_eq!(config.topic_options(&Overrides::new()).max_message_bytes, 5);
        config.apply(BROKER_RESOURCE, "", "message.max.bytes", None);
        assert_eq!(config.topic_options(&Overrides::new()).max_message_bytes, 1_048_588);
    }

    #[test]
    fn internal_topics_are_compacted() {
        let (partitions, replication_factor, overrides) =
            store(&[]).unwrap().internal_topic("__consumer_offsets");
        assert_eq!((partitions, replication_factor), (50, 1));
        assert_eq!(overrides["cleanup.policy"], "compact");
        assert_eq!(overrides["segment.bytes"], "104857600");
        assert!(store(&[]).unwrap().validate_topic_overrides(&overrides).is_ok());
    }
}
