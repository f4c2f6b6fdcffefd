//! What configs look like to somebody who asks: value, source, flags, and the synonyms that led to the value.
//!
//! This file decides what is shown. It does not know requests; entries come back ordered by name.

use std::collections::BTreeSet;

use crate::config::broker_definitions::BROKER;
use crate::config::definition::{Definition, Update};
use crate::config::group_definitions::{CLIENT_METRICS, GROUP};
use crate::config::layers::{
    Layers, Overrides, Source, broker_counterpart, broker_definition, broker_synonyms, fallback,
};
use crate::config::topic_definitions::TOPIC;

/// A config as DescribeConfigs and CreateTopics show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigEntry {
    pub(crate) name: String,
    /// None if it has no value, or if the value is a secret.
    pub(crate) value: Option<String>,
    pub(crate) read_only: bool,
    pub(crate) source: Source,
    pub(crate) sensitive: bool,
    /// The number of its type, 0 if nobody knows it.
    pub(crate) kind: i8,
    pub(crate) synonyms: Vec<Synonym>,
}

/// One of the values that compete for a config, the winner first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synonym {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) source: Source,
}

/// Which configs to show: all, or those named.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys<'a>(Option<&'a [&'a str]>);

impl<'a> Keys<'a> {
    /// Those named; all if none is, as in Kafka.
    pub(crate) fn of(names: &'a [&'a str]) -> Keys<'a> {
        Keys((!names.is_empty()).then_some(names))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.is_none_or(|names| names.contains(&name))
    }
}

/// The definition behind a name, looking through the `listener.name.<listener>.` prefix.
pub(crate) fn definition_behind(name: &str) -> Option<&'static Definition> {
    broker_definition(name).or_else(|| broker_definition(without_listener(name)?))
}

/// The rest of a name that starts with `listener.name.<listener>.`.
pub(crate) fn without_listener(name: &str) -> Option<&str> {
    let (_, base) = name.strip_prefix("listener.name.")?.split_once('.')?;
    Some(base)
}

impl Layers {
    /// The configs of this broker.
    pub(crate) fn describe_broker(&self, keys: Keys<'_>) -> Vec<ConfigEntry> {
        let known = BROKER.iter().filter(|definition| !definition.internal).map(|definition| definition.name);
        let set = [&self.fixed, &self.cluster, &self.broker]
            .into_iter()
            .flat_map(|layer| layer.keys().map(String::as_str));
        let names: BTreeSet<&str> = known.chain(set).filter(|name| keys.has(name)).collect();
        names
            .into_iter()
            .map(|name| {
                let value = match broker_definition(name) {
                    Some(_) => self.value(name).map(|value| value.to_string()),
                    None => self.raw(name).map(|(value, _)| value.to_owned()),
                };
                broker_entry(name, value, self.broker_synonyms_of(name))
            })
            .collect()
    }

    /// The dynamic configs of all brokers.
    pub(crate) fn describe_cluster(&self, keys: Keys<'_>) -> Vec<ConfigEntry> {
        let set = self.cluster.iter().filter(|(name, _)| keys.has(name));
        set.map(|(name, value)| {
            let mut synonyms = self.broker_synonyms_of(name);
            synonyms.retain(|synonym| synonym.source == Source::Cluster);
            broker_entry(name, Some(value.clone()), synonyms)
        })
        .collect()
    }

    /// The configs of a topic with these values of its own.
    pub(crate) fn describe_topic(&self, overrides: &Overrides, keys: Keys<'_>) -> Vec<ConfigEntry> {
        let shown =
            |definition: &&Definition| !definition.internal || overrides.contains_key(definition.name);
        let mut entries: Vec<ConfigEntry> = TOPIC
            .iter()
            .filter(shown)
            .filter(|definition| keys.has(definition.name))
            .map(|definition| {
                let value = self.topic_value(definition, overrides).map(|value| value.to_string());
                let inherited = fallback(definition.name)
                    .and_then(|fallback| fallback.brokers.first())
                    .map(|(name, _)| *name);
                let inherited = inherited.map(|name| self.broker_synonyms_of(name)).unwrap_or_default();
                let own = overrides.contains_key(definition.name).then_some(Source::Topic);
                own_entry(definition, value, own, inherited)
            })
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// The configs of a topic that was just created, as CreateTopics shows them: its own values as they were given, and
    /// the others with the source of the broker config that they come from.
    pub(crate) fn describe_created_topic(&self, overrides: &Overrides) -> Vec<ConfigEntry> {
        let mut entries: Vec<ConfigEntry> = TOPIC
            .iter()
            .filter(|definition| !definition.internal || overrides.contains_key(definition.name))
            .map(|definition| {
                let own = overrides.get(definition.name).cloned().map(|value| (value, Source::Topic));
                let given = own.or_else(|| self.given_for_topics(definition));
                let default = || (definition.default.map(str::to_owned), Source::Default);
                let (value, source) = given.map_or_else(default, |(value, source)| (Some(value), source));
                ConfigEntry { source, ..own_entry(definition, value, None, Vec::new()) }
            })
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// The configs of a group with these values of its own.
    pub(crate) fn describe_group(&self, group: &str, keys: Keys<'_>) -> Vec<ConfigEntry> {
        let none = Overrides::new();
        let overrides = self.groups.get(group).unwrap_or(&none);
        let mut entries: Vec<ConfigEntry> = GROUP
            .iter()
            .filter(|definition| keys.has(definition.name))
            .map(|definition| {
                let own = overrides.get(definition.name);
                let value = self.group_value(definition, overrides).map(|value| value.to_string());
                let inherited = match broker_counterpart(definition.name) {
                    Some(broker) => self.broker_synonyms_of(broker.name),
                    None => definition.default.map(default_synonym(definition.name)).into_iter().collect(),
                };
                own_entry(definition, value, own.map(|_| Source::Group), inherited)
            })
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// The configs of a client metrics subscription, whether or not anybody has made it.
    pub(crate) fn describe_client_metrics(&self, subscription: &str, keys: Keys<'_>) -> Vec<ConfigEntry> {
        let none = Overrides::new();
        let overrides = self.client_metrics.get(subscription).unwrap_or(&none);
        let shown = CLIENT_METRICS.iter().filter(|definition| keys.has(definition.name));
        shown
            .map(|definition| {
                let own = overrides.get(definition.name);
                let value =
                    own.and_then(|text| definition.parse(text).ok()).or_else(|| definition.default_value());
                let value = value.map(|value| value.to_string());
                own_entry(definition, value, own.map(|_| Source::ClientMetrics), Vec::new())
            })
            .collect()
    }

    /// The values that compete for a broker config: layer by layer, its synonyms in their order. What comes before the
    /// config's own name is left out, as Kafka does; so a broker that only has `log.retention.minutes` shows no synonym
    /// of `log.retention.ms`.
    fn broker_synonyms_of(&self, name: &str) -> Vec<Synonym> {
        let mut names = broker_synonyms(name);
        names.extend(without_listener(name));
        let sensitive = definition_behind(name).is_none_or(Definition::sensitive);
        let layers =
            [(&self.broker, Source::Broker), (&self.cluster, Source::Cluster), (&self.fixed, Source::Static)];
        let mut found = Vec::new();
        for (layer, source) in layers {
            for name in names.iter().copied() {
                if let Some(value) = layer.get(name) {
                    let value = (!sensitive).then(|| value.clone());
                    found.push(Synonym { name: name.to_owned(), value, source });
                }
            }
        }
        for name in names {
            let default = BROKER.iter().find(|known| known.name == name).and_then(|known| known.default);
            found.extend(default.map(default_synonym(name)));
        }
        found.into_iter().skip_while(|synonym| synonym.name != name).collect()
    }

    /// The value that was set for the broker configs behind a topic config, as it was given or in the topic config's
    /// unit; none if only defaults are there.
    fn given_for_topics(&self, definition: &Definition) -> Option<(String, Source)> {
        let names = fallback(definition.name)?.brokers;
        let layers =
            [(&self.broker, Source::Broker), (&self.cluster, Source::Cluster), (&self.fixed, Source::Static)];
        layers.into_iter().find_map(|(layer, source)| {
            let (text, factor) =
                names.iter().find_map(|(name, factor)| Some((layer.get(*name)?, *factor)))?;
            let in_unit =
                || text.trim().parse::<i64>().map(|number| number.saturating_mul(factor).to_string());
            let value = if factor == 1 { None } else { in_unit().ok() };
            Some((value.unwrap_or_else(|| text.clone()), source))
        })
    }
}

fn default_synonym(name: &str) -> impl Fn(&'static str) -> Synonym {
    move |value| Synonym { name: name.to_owned(), value: Some(value.to_owned()), source: Source::Default }
}

fn broker_entry(name: &str, value: Option<String>, synonyms: Vec<Synonym>) -> ConfigEntry {
    let behind = definition_behind(name);
    // What nobody knows may be a secret of a plug-in.
    let sensitive = behind.is_none_or(Definition::sensitive);
    ConfigEntry {
        name: name.to_owned(),
        value: value.filter(|_| !sensitive),
        read_only: broker_definition(name).is_none_or(|definition| definition.update == Update::ReadOnly),
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        sensitive,
        kind: behind.map_or(0, |definition| definition.kind.wire()),
        synonyms,
    }
}

fn own_entry(
    definition: &Definition,
    value: Option<String>,
    own: Option<Source>,
    inherited: Vec<Synonym>,
) -> ConfigEntry {
    let name = definition.name.to_owned();
    let mine = own.map(|source| Synonym { name: name.clone(), value: value.clone(), source });
    let synonyms: Vec<Synonym> = mine.into_iter().chain(inherited).collect();
    ConfigEntry {
        name,
        value,
        read_only: false,
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        sensitive: definition.sensitive(),
        kind: definition.kind.wire(),
        synonyms,
    }
}
