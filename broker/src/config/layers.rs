//! The values of every config, by where they come from, and which of them counts.
//!
//! A broker config's value is the broker's own dynamic one, else the cluster's, else that of the properties file, else
//! the default. A topic's or a group's own value comes before all of these. This file only looks values up: they were
//! checked before they came here.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use crate::config::broker_definitions::{BROKER, DYNAMIC_ONLY};
use crate::config::definition::Definition;
use crate::config::group_definitions::GROUP;
use crate::config::topic_definitions::{FALLBACKS, Fallback, TOPIC};
use crate::config::value::{Kind, Value};

/// Values by config name, as they were given.
pub(crate) type Overrides = BTreeMap<String, String>;

/// Where a value comes from; the numbers are those of DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Topic = 1,
    Broker = 2,
    Cluster = 3,
    Static = 4,
    Default = 5,
    Logger = 6,
    ClientMetrics = 7,
    Group = 8,
}

impl Source {
    /// The source's number in DescribeConfigs and CreateTopics.
    pub(crate) fn wire(self) -> i8 {
        self as i8
    }
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Definition>> = LazyLock::new(|| {
    BROKER.iter().chain(&DYNAMIC_ONLY).map(|definition| (definition.name, definition)).collect()
});

/// The broker config of this name, those that can only be set dynamically included.
pub(crate) fn broker_definition(name: &str) -> Option<&'static Definition> {
    BY_NAME.get(name).copied()
}

/// The topic config of this name.
pub(crate) fn topic_definition(name: &str) -> Option<&'static Definition> {
    TOPIC.iter().find(|definition| definition.name == name)
}

/// The group config of this name.
pub(crate) fn group_definition(name: &str) -> Option<&'static Definition> {
    GROUP.iter().find(|definition| definition.name == name)
}

/// The broker configs that a topic config falls back to, if it does.
pub(crate) fn fallback(topic_config: &str) -> Option<&'static Fallback> {
    FALLBACKS.iter().find(|fallback| fallback.topic == topic_config)
}

/// The broker configs that say the same as this one, in the order in which they count; itself among them.
pub(crate) fn broker_synonyms(name: &str) -> Vec<&str> {
    const FAMILIES: [&[&str]; 4] = [
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    ];
    match FAMILIES.iter().find(|family| family.contains(&name)) {
        // What the flush interval falls back to is a config of its own.
        Some(_) if name == "log.flush.scheduler.interval.ms" => vec![name],
        Some(family) => family.to_vec(),
        None => vec![name],
    }
}

/// All values that were set, by source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    /// From the builder, the command line or a properties file.
    pub(crate) fixed: Overrides,
    /// Dynamic, for every broker.
    pub(crate) cluster: Overrides,
    /// Dynamic, for this broker.
    pub(crate) broker: Overrides,
    /// By group id.
    pub(crate) groups: BTreeMap<String, Overrides>,
    /// By the name of the subscription.
    pub(crate) client_metrics: BTreeMap<String, Overrides>,
}

impl Layers {
    /// How many bytes the names and values of all dynamic configs have, with the names of what they belong to.
    pub(crate) fn dynamic_bytes(&self) -> usize {
        let of =
            |configs: &Overrides| configs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let named =
            self.groups.iter().chain(&self.client_metrics).map(|(name, configs)| name.len() + of(configs));
        of(&self.cluster) + of(&self.broker) + named.sum::<usize>()
    }

    /// The value of a broker config as it was given, and where from; none if it is unset and has no default.
    pub(crate) fn raw(&self, name: &str) -> Option<(&str, Source)> {
        let set =
            [(&self.broker, Source::Broker), (&self.cluster, Source::Cluster), (&self.fixed, Source::Static)];
        set.into_iter()
            .find_map(|(layer, source)| layer.get(name).map(|value| (value.as_str(), source)))
            .or_else(|| broker_definition(name)?.default.map(|value| (value, Source::Default)))
    }

    /// The value of a broker config; none if it is unset and has no default, or not a config.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        let definition = broker_definition(name)?;
        let (text, _) = self.raw(name)?;
        Some(definition.parse(text).expect("values are checked before they are stored"))
    }

    /// A whole number, 0 if it has none.
    pub(crate) fn number(&self, name: &str) -> i64 {
        match self.value(name) {
            Some(Value::Number(number)) => number,
            _ => 0,
        }
    }

    /// The first of these broker configs that is set, times its factor; none if it is not a whole number.
    pub(crate) fn first_number(&self, names: &[(&'static str, i64)]) -> Option<i64> {
        names.iter().find_map(|(name, factor)| match self.value(name) {
            Some(Value::Number(number)) => Some(number.saturating_mul(*factor)),
            _ => None,
        })
    }

    /// What a topic without a value of its own has.
    pub(crate) fn topic_default(&self, definition: &Definition) -> Option<Value> {
        let Some(fallback) = fallback(definition.name) else { return definition.default_value() };
        if matches!(definition.kind, Kind::Int | Kind::Long) {
            let number = self.first_number(fallback.brokers)?;
            // Any negative retention means none, and is shown as -1.
            let number = if definition.name == "retention.ms" { number.max(-1) } else { number };
            return Some(Value::Number(number));
        }
        fallback.brokers.iter().find_map(|(name, _)| self.value(name))
    }

    /// The value of a topic config, given the topic's own values.
    pub(crate) fn topic_value(&self, definition: &Definition, overrides: &Overrides) -> Option<Value> {
        own_value(definition, overrides).or_else(|| self.topic_default(definition))
    }

    /// The value of a group config, given the group's own values.
    pub(crate) fn group_value(&self, definition: &Definition, overrides: &Overrides) -> Option<Value> {
        own_value(definition, overrides).or_else(|| self.group_default(definition))
    }

    /// What a group without a value of its own has: that of the broker config named after it, else the default.
    pub(crate) fn group_default(&self, definition: &Definition) -> Option<Value> {
        match broker_counterpart(definition.name) {
            Some(broker) => self.value(broker.name),
            None => definition.default_value(),
        }
    }
}

/// What a topic or a group set itself. A value that a data folder remembers but that no longer passes counts as unset.
fn own_value(definition: &Definition, overrides: &Overrides) -> Option<Value> {
    definition.parse(overrides.get(definition.name)?).ok()
}

/// The broker config that holds the default of a group config.
pub(crate) fn broker_counterpart(group_config: &str) -> Option<&'static Definition> {
    broker_definition(&format!("group.{group_config}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_passes_its_own_check() {
        let all = BROKER.iter().chain(&DYNAMIC_ONLY).chain(&TOPIC).chain(&GROUP);
        for definition in all.chain(&crate::config::group_definitions::CLIENT_METRICS) {
            if let Some(text) = definition.default {
                assert_eq!(
                    definition.parse(text).map(|v| v.to_string()),
                    Ok(text.to_owned()),
                    "{}",
                    definition.name
                );
            }
        }
    }

    #[test]
    fn every_fallback_names_configs_that_exist_and_have_its_default() {
        let layers = Layers::default();
        for fallback in &FALLBACKS {
            let definition = topic_definition(fallback.topic).unwrap();
            for (name, _) in fallback.brokers {
                assert!(broker_definition(name).is_some(), "{name}");
            }
            let default = layers.topic_default(definition).map(|value| value.to_string());
            assert_eq!(default.as_deref(), definition.default, "{}", fallback.topic);
        }
    }

    #[test]
    fn the_nearest_layer_wins_and_units_are_converted() {
        let mut layers = Layers::default();
        let retention = topic_definition("retention.ms").unwrap();
        let shown = |layers: &Layers| layers.topic_default(retention).unwrap().to_string();
        layers.fixed.insert("log.retention.hours".to_owned(), "1".to_owned());
        assert_eq!(shown(&layers), "3600000");
        layers.fixed.insert("log.retention.minutes".to_owned(), "1".to_owned());
        assert_eq!(shown(&layers), "60000");
        layers.cluster.insert("log.retention.ms".to_owned(), " 5 ".to_owned());
        assert_eq!(shown(&layers), "5");
        layers.broker.insert("log.retention.ms".to_owned(), "-7".to_owned());
        assert_eq!(shown(&layers), "-1");
        assert_eq!(layers.raw("log.retention.ms"), Some(("-7", Source::Broker)));
        let own = Overrides::from([("retention.ms".to_owned(), "9".to_owned())]);
        assert_eq!(layers.topic_value(retention, &own), Some(Value::Number(9)));
    }
}
