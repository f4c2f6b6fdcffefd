//! Configs of topics, brokers and groups: describing and changing them, one by one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
};

use super::fan_out::{self, Charge, Errand, Outcomes};
use super::{Admin, Call, Each, outcome, text};
use crate::error::{ClientError, ErrorKind};
use crate::native::connection::{Connection, RequestError};

/// Types of resources, by their numbers.
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

/// What has configs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConfigResource {
    /// A topic, by its name.
    Topic(String),
    /// A broker, by its id.
    Broker(i32),
    /// What brokers have that have nothing of their own.
    AllBrokers,
    /// The log levels of a broker, by its id.
    BrokerLoggers(i32),
    /// A group, by its id.
    Group(String),
    /// A subscription to clients' metrics, by its name.
    ClientMetrics(String),
}

impl ConfigResource {
    /// The type's number, and the name.
    fn to_wire(&self) -> (i8, String) {
        match self {
            ConfigResource::Topic(name) => (2, name.clone()),
            ConfigResource::Broker(id) => (4, id.to_string()),
            ConfigResource::AllBrokers => (4, String::new()),
            ConfigResource::BrokerLoggers(id) => (8, id.to_string()),
            ConfigResource::ClientMetrics(name) => (CLIENT_METRICS, name.clone()),
            ConfigResource::Group(id) => (GROUP, id.clone()),
        }
    }

    /// Only a broker itself knows what it was started with.
    fn charge(&self) -> Charge {
        match self {
            ConfigResource::Broker(id) | ConfigResource::BrokerLoggers(id) => Charge::Broker(*id),
            _ => Charge::Any,
        }
    }
}

impl std::fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConfigResource::Topic(name) => write!(f, "the topic '{name}'"),
            ConfigResource::Broker(id) => write!(f, "broker {id}"),
            ConfigResource::AllBrokers => f.write_str("all brokers"),
            ConfigResource::BrokerLoggers(id) => write!(f, "the loggers of broker {id}"),
            ConfigResource::Group(id) => write!(f, "the group '{id}'"),
            ConfigResource::ClientMetrics(name) => write!(f, "the metrics subscription '{name}'"),
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigSource {
    /// It was set for this topic.
    Topic,
    /// It was set for this broker while it ran.
    Broker,
    /// It was set for all brokers while they ran.
    AllBrokers,
    /// The broker was started with it.
    StaticBroker,
    /// It is Kafka's default.
    Default,
    /// It was set for this broker's loggers.
    BrokerLogger,
    /// It was set for this subscription to clients' metrics.
    ClientMetrics,
    /// It was set for this group.
    Group,
    /// The broker did not say, or something that is not known here.
    Unknown,
}

impl ConfigSource {
    fn from_wire(number: i8) -> Self {
        match number {
            1 => ConfigSource::Topic,
            2 => ConfigSource::Broker,
            3 => ConfigSource::AllBrokers,
            4 => ConfigSource::StaticBroker,
            5 => ConfigSource::Default,
            6 => ConfigSource::BrokerLogger,
            7 => ConfigSource::ClientMetrics,
            8 => ConfigSource::Group,
            _ => ConfigSource::Unknown,
        }
    }
}

/// A config as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name, such as `retention.ms`.
    pub name: String,
    /// Its value; none where it has none, or is a secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it cannot be changed while the broker runs.
    pub read_only: bool,
    /// Whether its value is a secret, which is not told.
    pub sensitive: bool,
    /// What it is good for, where the broker tells.
    pub documentation: Option<String>,
    /// Where else it is set, the strongest first: the name there, the value, and whose it is.
    pub synonyms: Vec<(String, Option<String>, ConfigSource)>,
}

impl ConfigEntry {
    /// Whether nobody has set it.
    pub fn is_default(&self) -> bool {
        self.source == ConfigSource::Default
    }

    fn of(answered: &DescribeConfigsResourceResult) -> Self {
        let synonyms = answered.synonyms.iter().map(|synonym| {
            let value = synonym.value.as_ref().map(|value| value.to_string());
            (synonym.name.to_string(), value, ConfigSource::from_wire(synonym.source))
        });
        ConfigEntry {
            name: answered.name.to_string(),
            value: answered.value.as_ref().map(|value| value.to_string()),
            source: ConfigSource::from_wire(answered.config_source),
            read_only: answered.read_only,
            sensitive: answered.is_sensitive,
            documentation: answered.documentation.as_ref().map(|text| text.to_string()),
            synonyms: synonyms.collect(),
        }
    }
}

/// A change of one config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChange {
    /// Gives it this value.
    Set(String, String),
    /// Gives it back its default.
    Reset(String),
    /// Adds these to a list, with commas between them.
    Append(String, String),
    /// Takes these out of a list.
    Subtract(String, String),
}

impl ConfigChange {
    /// Gives the config `name` the value `value`.
    pub fn set(name: impl Into<String>, value: impl Into<String>) -> Self {
        ConfigChange::Set(name.into(), value.into())
    }

    /// Gives the config `name` back its default.
    pub fn reset(name: impl Into<String>) -> Self {
        ConfigChange::Reset(name.into())
    }

    fn to_request(&self) -> AlterableConfig {
        let (name, operation, value) = match self {
            ConfigChange::Set(name, value) => (name, 0, Some(value)),
            ConfigChange::Reset(name) => (name, 1, None),
            ConfigChange::Append(name, value) => (name, 2, Some(value)),
            ConfigChange::Subtract(name, value) => (name, 3, Some(value)),
        };
        AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(operation)
            .with_value(value.map(|value| text(value)))
    }
}

impl Admin {
    /// All configs of topics, brokers or groups, by name.
    ///
    /// ```
    /// # use klamm_client::{Admin, Bootstrap, ClientOptions, ConfigChange, ConfigResource, NewTopic};
    /// # let bootstrap = Bootstrap::Embedded { name: "configs docs".to_owned(), data_dir: None };
    /// # let admin = Admin::new(ClientOptions { bootstrap, ..ClientOptions::default() })?;
    /// # admin.create_topics([NewTopic::new("orders")]).wait()?.all()?;
    /// let orders = ConfigResource::Topic("orders".to_owned());
    /// admin.alter_configs([(orders.clone(), vec![ConfigChange::set("retention.ms", "1000")])]).wait()?.all()?;
    /// let described = admin.describe_configs([orders]).wait()?.all()?;
    /// let retention = described[0].1.iter().find(|config| config.name == "retention.ms").expect("every topic has it");
    /// assert_eq!((retention.value.as_deref(), retention.is_default()), (Some("1000"), false));
    /// # Ok::<(), klamm_client::ClientError>(())
    /// ```
    pub fn describe_configs(
        &self,
        resources: impl IntoIterator<Item = ConfigResource>,
    ) -> Call<Each<ConfigResource, Vec<ConfigEntry>>> {
        self.each(DescribeConfigs, resources.into_iter().collect())
    }

    /// The groups and the subscriptions to clients' metrics that have configs of their own, by name.
    pub fn configured(&self) -> Call<Vec<ConfigResource>> {
        let (cluster, deadline) = (Arc::clone(&self.cluster), self.deadline());
        Call::begin(async move {
            let answered = fan_out::run(&cluster, ListConfigResources, vec![()], deadline).await;
            let answered = answered.into_iter().next().map(|((), outcome)| outcome);
            answered.unwrap_or_else(|| {
                let why = "it was not answered";
                Err(ClientError::new(ErrorKind::MalformedAnswer, ListConfigResources.asked(&()), why))
            })
        })
    }

    /// Changes configs one by one: those that are not named stay as they are. Of a resource either all changes are made or
    /// none.
    pub fn alter_configs(
        &self,
        changes: impl IntoIterator<Item = (ConfigResource, Vec<ConfigChange>)>,
    ) -> Call<Each<ConfigResource, ()>> {
        self.alter(changes, false)
    }

    /// Checks whether configs could be changed so, without changing them.
    pub fn validate_configs(
        &self,
        changes: impl IntoIterator<Item = (ConfigResource, Vec<ConfigChange>)>,
    ) -> Call<Each<ConfigResource, ()>> {
        self.alter(changes, true)
    }

    fn alter(
        &self,
        changes: impl IntoIterator<Item = (ConfigResource, Vec<ConfigChange>)>,
        validate_only: bool,
    ) -> Call<Each<ConfigResource, ()>> {
        let mut resources = Vec::new();
        let mut by_resource: HashMap<ConfigResource, Vec<ConfigChange>> = HashMap::new();
        for (resource, changes) in changes {
            if !by_resource.contains_key(&resource) {
                resources.push(resource.clone());
            }
            by_resource.entry(resource).or_default().extend(changes);
        }
        self.each(AlterConfigs { changes: by_resource, validate_only }, resources)
    }
}

struct DescribeConfigs;

impl Errand for DescribeConfigs {
    type Item = ConfigResource;
    type Answer = Vec<ConfigEntry>;

    fn asked(&self, resource: &ConfigResource) -> String {
        format!("describing the configs of {resource}")
    }

    fn charge(&self, resource: &ConfigResource) -> Charge {
        resource.charge()
    }

    async fn ask(
        &self,
        connection: Connection,
        items: Vec<ConfigResource>,
        deadline: Instant,
    ) -> Result<Outcomes<ConfigResource, Vec<ConfigEntry>>, RequestError> {
        let resources = items.iter().map(|resource| {
            let (kind, name) = resource.to_wire();
            DescribeConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(text(&name))
                .with_configuration_keys(None)
        });
        let version = connection.version::<DescribeConfigsRequest>(i16::MAX)?;
        let request = DescribeConfigsRequest::default()
            .with_resources(resources.collect())
            .with_include_synonyms(true)
            // Documentation came with version 3.
            .with_include_documentation(version >= 3);
        let answer = super::call(&connection, &request, deadline).await?;
        let described = items.into_iter().filter_map(|resource| {
            let answered = answer.results.iter().find(|answered| is_for(answered, &resource))?;
            let mut entries: Vec<_> = answered.configs.iter().map(ConfigEntry::of).collect();
            entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            let (code, message) = (answered.error_code, answered.error_message.as_deref());
            let outcome = outcome(code, || self.asked(&resource), message, entries);
            Some((resource, outcome))
        });
        Ok(described.collect())
    }
}

fn is_for(answered: &DescribeConfigsResult, resource: &ConfigResource) -> bool {
    let (kind, name) = resource.to_wire();
    answered.resource_type == kind && answered.resource_name.as_str() == name
}

struct ListConfigResources;

impl Errand for ListConfigResources {
    type Item = ();
    type Answer = Vec<ConfigResource>;

    fn asked(&self, (): &()) -> String {
        "listing what has configs".to_owned()
    }

    fn charge(&self, (): &()) -> Charge {
        Charge::Any
    }

    async fn ask(
        &self,
        connection: Connection,
        _: Vec<()>,
        deadline: Instant,
    ) -> Result<Outcomes<(), Vec<ConfigResource>>, RequestError> {
        let version = connection.version::<ListConfigResourcesRequest>(i16::MAX)?;
        // Version 0 lists subscriptions to metrics, and takes no types.
        let types = if version >= 1 { vec![CLIENT_METRICS, GROUP] } else { Vec::new() };
        let request = ListConfigResourcesRequest::default().with_resource_types(types);
        let answer = super::call(&connection, &request, deadline).await?;
        let mut found: Vec<_> = answer
            .config_resources
            .iter()
            .filter_map(|resource| match (version, resource.resource_type) {
                (0, _) | (_, CLIENT_METRICS) => {
                    Some(ConfigResource::ClientMetrics(resource.resource_name.to_string()))
                }
                (_, GROUP) => Some(ConfigResource::Group(resource.resource_name.to_string())),
                _ => None,
            })
            .collect();
        found.sort_unstable();
        Ok(vec![((), outcome(answer.error_code, || self.asked(&()), None, found))])
    }
}

struct AlterConfigs {
    changes: HashMap<ConfigResource, Vec<ConfigChange>>,
    validate_only: bool,
}

impl Errand for AlterConfigs {
    type Item = ConfigResource;
    type Answer = ();

    fn asked(&self, resource: &ConfigResource) -> String {
        format!("changing the configs of {resource}")
    }

    fn charge(&self, resource: &ConfigResource) -> Charge {
        match resource.charge() {
            Charge::Any => Charge::Controller,
            charge => charge,
        }
    }

    async fn ask(
        &self,
        connection: Connection,
        items: Vec<ConfigResource>,
        deadline: Instant,
    ) -> Result<Outcomes<ConfigResource, ()>, RequestError> {
        let resources = items.iter().map(|resource| {
            let (kind, name) = resource.to_wire();
            let changes = self.changes.get(resource).map(Vec::as_slice).unwrap_or_default();
            AlterConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(text(&name))
                .with_configs(changes.iter().map(ConfigChange::to_request).collect())
        });
        let request = IncrementalAlterConfigsRequest::default()
            .with_resources(resources.collect())
            .with_validate_only(self.validate_only);
        let answer = super::call(&connection, &request, deadline).await?;
        let altered = items.into_iter().filter_map(|resource| {
            let (kind, name) = resource.to_wire();
            let answered = answer
                .responses
                .iter()
                .find(|answered| answered.resource_type == kind && answered.resource_name.as_str() == name)?;
            let (code, message) = (answered.error_code, answered.error_message.as_deref());
            let outcome = outcome(code, || self.asked(&resource), message, ());
            Some((resource, outcome))
        });
        Ok(altered.collect())
    }
}
