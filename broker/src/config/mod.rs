//! Every config of Kafka 4.3: those of the broker, of topics, of groups and of client metrics subscriptions.
//!
//! All of them are known by name, checked as Kafka checks them, shown with Kafka's default and source, and settable
//! where Kafka lets them be set. The others are kept and shown, and change nothing, because Klamm has nothing for them to
//! change.

mod broker_definitions;
mod broker_rules;
pub(crate) mod change;
mod definition;
pub(crate) mod describe;
mod group_definitions;
mod layers;
mod log_options;
pub(crate) mod loggers;
mod resource_rules;
mod settings;
mod store;
mod topic_definitions;
mod value;

pub(crate) use store::ConfigStore;

/// Kafka's number of the config resource type "topic".
pub(crate) const TOPIC_RESOURCE: i8 = 2;
/// Kafka's number of the config resource type "broker".
pub(crate) const BROKER_RESOURCE: i8 = 4;
/// Kafka's number of the config resource type "broker logger".
pub(crate) const LOGGER_RESOURCE: i8 = 8;
/// Kafka's number of the config resource type "client metrics subscription".
pub(crate) const CLIENT_METRICS_RESOURCE: i8 = 16;
/// Kafka's number of the config resource type "group".
pub(crate) const GROUP_RESOURCE: i8 = 32;

/// A config that cannot be taken: what is wrong with its name or its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(sentence: impl Into<String>) -> ConfigError {
        ConfigError(sentence.into())
    }
}
