//! What the configs of a topic, a group or a client metrics subscription must be, by themselves and together.
//!
//! The words are Kafka's. This file does not store anything.

use crate::config::ConfigError;
use crate::config::broker_rules::BOUNDED;
use crate::config::group_definitions::{CLIENT_METRICS, GROUP};
use crate::config::layers::{Layers, Overrides, group_definition, topic_definition};
use crate::config::topic_definitions::TOPIC;
use crate::config::value::Value;
use crate::limits::MAX_TOPIC_CONFIG_BYTES;

/// How often clients may be asked to push metrics, in milliseconds.
const METRICS_INTERVAL: std::ops::RangeInclusive<i64> = 100..=3_600_000;

/// What a subscription can select clients by.
const MATCHERS: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// Checks a topic's own configs, alone and with what it inherits.
///
/// # Errors
/// Kafka's sentence: an unknown name, a bad value, or a contradiction.
pub(crate) fn check_topic(layers: &Layers, overrides: &Overrides) -> Result<(), ConfigError> {
    if let Some(unknown) = overrides.keys().find(|name| topic_definition(name).is_none()) {
        return Err(ConfigError::new(format!("Unknown topic config name: {unknown}")));
    }
    let bytes: usize = overrides.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > MAX_TOPIC_CONFIG_BYTES {
        let text =
            format!("A topic's configs may have {MAX_TOPIC_CONFIG_BYTES} bytes in all, these have {bytes}.");
        return Err(ConfigError::new(text));
    }
    for definition in &TOPIC {
        if let Some(text) = overrides.get(definition.name) {
            definition.parse(text)?;
        }
    }
    let number =
        |name: &str| match topic_definition(name).and_then(|known| layers.topic_value(known, overrides)) {
            Some(Value::Number(number)) => number,
            _ => 0,
        };
    let (least, most) = (number("min.compaction.lag.ms"), number("max.compaction.lag.ms"));
    if least > most {
        return Err(ConfigError::new(format!(
            "conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})"
        )));
    }
    let tiered =
        topic_definition("remote.storage.enable").and_then(|known| layers.topic_value(known, overrides));
    if tiered == Some(Value::Bool(true)) {
        // True of every broker here, whatever `remote.log.storage.system.enable` says: there is no tiered storage.
        return Err(ConfigError::new(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ));
    }
    Ok(())
}

/// Checks a group's own configs against the broker's bounds.
///
/// # Errors
/// Kafka's sentence: an unknown name, a bad value, or one out of bounds.
pub(crate) fn check_group(layers: &Layers, overrides: &Overrides) -> Result<(), ConfigError> {
    if let Some(unknown) = overrides.keys().find(|name| group_definition(name).is_none()) {
        return Err(ConfigError::new(format!("Unknown group config name: {unknown}")));
    }
    for definition in &GROUP {
        if let Some(text) = overrides.get(definition.name) {
            definition.parse(text)?;
        }
    }
    let number =
        |name: &str| match group_definition(name).and_then(|known| layers.group_value(known, overrides)) {
            Some(Value::Number(number)) => number,
            _ => 0,
        };
    for bounded in &BOUNDED {
        let name = bounded.group_config();
        bounded.check(layers, &name, number(&name))?;
    }
    for kind in ["consumer", "share", "streams"] {
        let [heartbeat, session] =
            ["heartbeat.interval.ms", "session.timeout.ms"].map(|what| format!("{kind}.{what}"));
        if number(&session) <= number(&heartbeat) {
            return Err(ConfigError::new(format!("{session} must be greater than {heartbeat}")));
        }
    }
    Ok(())
}

/// What is wrong with a client metrics subscription.
pub(crate) enum MetricsComplaint {
    /// About the request: a name or a range.
    Request(ConfigError),
    /// About a value.
    Value(ConfigError),
}

/// Checks the configs of a client metrics subscription.
///
/// # Errors
/// Kafka's sentence, and which of its two errors it goes with.
pub(crate) fn check_client_metrics(
    subscription: &str,
    overrides: &Overrides,
) -> Result<(), MetricsComplaint> {
    let request = |text: String| Err(MetricsComplaint::Request(ConfigError::new(text)));
    if subscription.is_empty() {
        return request("Subscription name can't be empty".to_owned());
    }
    if let Some(unknown) =
        overrides.keys().find(|name| CLIENT_METRICS.iter().all(|known| known.name != *name))
    {
        return request(format!("Unknown client metrics configuration: {unknown}"));
    }
    for definition in &CLIENT_METRICS {
        let Some(text) = overrides.get(definition.name) else { continue };
        match definition.parse(text).map_err(MetricsComplaint::Value)? {
            Value::Number(interval) if !METRICS_INTERVAL.contains(&interval) => {
                return request(format!(
                    "Invalid value {interval} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
                ));
            }
            Value::List(patterns) if definition.name == "match" => {
                if let Some(bad) = patterns.iter().find(|pattern| !is_matcher(pattern)) {
                    let text = format!("Illegal client matching pattern: {bad}");
                    return Err(MetricsComplaint::Value(ConfigError::new(text)));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_matcher(pattern: &str) -> bool {
    pattern.split_once('=').is_some_and(|(name, expression)| {
        MATCHERS.contains(&name.trim()) && looks_like_expression(expression.trim())
    })
}

/// Whether brackets are closed and nothing is repeated or escaped that is not there. No expression is ever run here:
/// subscriptions are kept and shown, and clients push no metrics.
fn looks_like_expression(text: &str) -> bool {
    let (mut open, mut in_class, mut escaped, mut can_repeat) = (0_i32, false, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => (escaped, can_repeat) = (false, true),
            '\\' => escaped = true,
            ']' if in_class => (in_class, can_repeat) = (false, true),
            _ if in_class => {}
            '[' => in_class = true,
            '(' => (open, can_repeat) = (open.saturating_add(1), false),
            ')' if open == 0 => return false,
            ')' => (open, can_repeat) = (open - 1, true),
            '*' | '+' | '?' if !can_repeat => return false,
            '|' => can_repeat = false,
            _ => can_repeat = true,
        }
    }
    open == 0 && !in_class && !escaped
}
