//! Changes of configs that clients ask for: what they come to, whether they may be, and making them.
//!
//! A change is checked against everything it would be part of, remembered by the metadata journal, and only then
//! acted upon. Which error goes with which check is Kafka's choice: brokers answer INVALID_REQUEST where topics and
//! groups answer INVALID_CONFIG.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use kafka_protocol::error::ResponseError;

use crate::config::broker_definitions::BROKER;
use crate::config::broker_rules;
use crate::config::layers::{Layers, Overrides, topic_definition};
use crate::config::loggers;
use crate::config::resource_rules::{self, MetricsComplaint};
use crate::config::value::Kind;
use crate::config::{
    BROKER_RESOURCE, CLIENT_METRICS_RESOURCE, ConfigError, GROUP_RESOURCE, LOGGER_RESOURCE, TOPIC_RESOURCE,
};
use crate::context::RequestContext;
use crate::error_code;
use crate::limits::MAX_DYNAMIC_CONFIG_BYTES;
use crate::metadata::MetadataRecord;
use crate::state::BrokerState;
use crate::topics::{self, TopicError};

/// The lists that have no default, not even an empty one: Kafka fails when it looks for what to add to.
const WITHOUT_DEFAULT: [&str; 2] = ["process.roles", "controller.listener.names"];

const IN_SYNC: &str = "min.insync.replicas";

/// Why a change is refused: an error code and, mostly, a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: i16,
    pub(crate) message: Option<String>,
}

impl Refused {
    fn new(error: ResponseError, message: impl Into<String>) -> Refused {
        Refused { code: error.code(), message: Some(message.into()) }
    }

    /// INVALID_CONFIG.
    pub(crate) fn config(message: impl Into<String>) -> Refused {
        Refused::new(ResponseError::InvalidConfig, message)
    }

    /// INVALID_REQUEST.
    pub(crate) fn request(message: impl Into<String>) -> Refused {
        Refused::new(ResponseError::InvalidRequest, message)
    }

    /// UNKNOWN_SERVER_ERROR without a word, which is what Kafka's controller answers to an operation it does not know.
    pub(crate) fn unknown() -> Refused {
        Refused { code: ResponseError::UnknownServerError.code(), message: None }
    }

    fn storage(error: &dyn std::fmt::Display) -> Refused {
        Refused::new(ResponseError::KafkaStorageError, format!("The change cannot be remembered: {error}"))
    }
}

/// What to do with a config; the numbers are those of IncrementalAlterConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
    Unknown(i8),
}

impl Operation {
    /// The operation of this number.
    pub(crate) fn from_wire(number: i8) -> Operation {
        match number {
            0 => Operation::Set,
            1 => Operation::Delete,
            2 => Operation::Append,
            3 => Operation::Subtract,
            other => Operation::Unknown(other),
        }
    }

    /// Kafka's name of it.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Operation::Set => "SET",
            Operation::Delete => "DELETE",
            Operation::Append => "APPEND",
            Operation::Subtract => "SUBTRACT",
            Operation::Unknown(_) => "UNKNOWN",
        }
    }
}

/// One config of a resource, and what to do with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) name: &'a str,
    pub(crate) operation: Operation,
    pub(crate) value: Option<&'a str>,
}

/// What a client wants of a resource's dynamic configs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wish<'a> {
    /// To be these and no others; all changes are sets.
    Replace(&'a [Change<'a>]),
    /// To be changed by these.
    Change(&'a [Change<'a>]),
}

impl<'a> Wish<'a> {
    fn changes(&self) -> &'a [Change<'a>] {
        match self {
            Wish::Replace(changes) | Wish::Change(changes) => changes,
        }
    }

    /// The configs that a resource with these `now` is to have.
    fn of(&self, now: &Overrides, is_broker: bool) -> Result<Overrides, Refused> {
        let mut next = match self {
            Wish::Replace(_) => Overrides::new(),
            Wish::Change(_) => now.clone(),
        };
        for change in self.changes() {
            apply(&mut next, change, is_broker)?;
        }
        Ok(next)
    }
}

/// Has the configs of a resource changed as a client wishes, or only checked whether they could be.
///
/// # Errors
/// The error and the sentence that Kafka answers with. Then nothing has changed.
pub(crate) fn alter(
    cx: &RequestContext,
    resource_type: i8,
    name: &str,
    wish: Wish<'_>,
    validate_only: bool,
) -> Result<(), Refused> {
    check_changes(wish.changes())?;
    let state = &*cx.broker;
    let _change = state.config.change();
    match (resource_type, wish) {
        (TOPIC_RESOURCE, _) => alter_topic(state, name, wish, validate_only),
        (BROKER_RESOURCE, _) => alter_broker(cx, name, wish, validate_only),
        (GROUP_RESOURCE, _) => alter_group(state, name, wish, validate_only),
        (CLIENT_METRICS_RESOURCE, _) => alter_client_metrics(state, name, wish, validate_only),
        (LOGGER_RESOURCE, Wish::Change(changes)) => {
            check_node(cx.node(), name, |own, other| {
                format!("Unexpected node id. Expected {own}, but received {other}")
            })?;
            loggers::check(changes)
        }
        (other, _) => Err(Refused::request(format!("Unknown resource type {other}"))),
    }
}

fn check_changes(changes: &[Change<'_>]) -> Result<(), Refused> {
    let names: BTreeSet<&str> = changes.iter().map(|change| change.name).collect();
    if names.len() != changes.len() {
        return Err(Refused::request("Error due to duplicate config keys"));
    }
    let needs_value = |change: &&Change<'_>| change.operation != Operation::Delete && change.value.is_none();
    let missing: Vec<&str> = changes.iter().filter(needs_value).map(|change| change.name).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Refused::request(format!("Null value not supported for : {}", missing.join(", ")))),
    }
}

fn apply(configs: &mut Overrides, change: &Change<'_>, is_broker: bool) -> Result<(), Refused> {
    let (name, value) = (change.name, change.value.unwrap_or_default());
    match change.operation {
        Operation::Set => {
            configs.insert(name.to_owned(), value.to_owned());
        }
        Operation::Delete => {
            configs.remove(name);
        }
        Operation::Append | Operation::Subtract => {
            let known = if is_broker {
                BROKER.iter().find(|known| known.name == name)
            } else {
                topic_definition(name)
            };
            if is_broker && known.is_none() {
                return Err(Refused::config(format!("Unknown config name: {name}")));
            }
            let Some(known) = known.filter(|known| known.kind == Kind::List) else {
                return Err(not_a_list(change, is_broker));
            };
            if WITHOUT_DEFAULT.contains(&name) && !configs.contains_key(name) {
                return Err(Refused::unknown());
            }
            let text = configs.get(name).map(String::as_str).or(known.default).unwrap_or_default();
            let text = change_items(text, value, change.operation);
            configs.insert(name.to_owned(), text);
        }
        Operation::Unknown(number) if is_broker => {
            return Err(Refused::request(format!("Unknown operations type {number}")));
        }
        Operation::Unknown(_) => return Err(Refused::unknown()),
    }
    Ok(())
}

fn not_a_list(change: &Change<'_>, is_broker: bool) -> Refused {
    let (name, verb) = (change.name, change.operation.verb());
    Refused::config(if is_broker {
        format!("Config value {} is not allowed for config key: {name}", verb.to_lowercase())
    } else {
        format!("Can't {verb} to key {name} because its type is not LIST.")
    })
}

/// The list `text` with the items of `value` added or taken out. Spaces around items count here, as they do in Kafka.
fn change_items(text: &str, value: &str, operation: Operation) -> String {
    let mut items: Vec<&str> = if text.is_empty() { Vec::new() } else { text.split(',').collect() };
    if operation == Operation::Subtract {
        let gone: HashSet<&str> = value.split(',').collect();
        items.retain(|item| !gone.contains(item));
    } else {
        let mut there: HashSet<&str> = items.iter().copied().collect();
        items.extend(value.split(',').filter(|item| there.insert(item)));
    }
    items.join(",")
}

fn alter_topic(state: &BrokerState, name: &str, wish: Wish<'_>, validate_only: bool) -> Result<(), Refused> {
    let topic = state.topics.get(name);
    let now = topic.as_ref().map(|topic| Overrides::clone(&topic.overrides())).unwrap_or_default();
    let next = wish.of(&now, false)?;
    if name.is_empty() {
        return Err(Refused::request("Default topic resources are not allowed."));
    }
    topics::check_name(name).map_err(|error| topic_refused(&error))?;
    resource_rules::check_topic(&state.config.layers(), &next).map_err(invalid_config)?;
    let Some(topic) = topic else {
        let message = format!("The topic '{name}' does not exist.");
        return Err(Refused::new(ResponseError::UnknownTopicOrPartition, message));
    };
    if validate_only || next == now {
        return Ok(());
    }
    let options = state.config.topic_options(&next);
    let set = state.topics.set_overrides(&topic, next, &options, state.clock.now_ms());
    set.map_err(|error| topic_refused(&error))
}

fn alter_broker(cx: &RequestContext, name: &str, wish: Wish<'_>, validate_only: bool) -> Result<(), Refused> {
    let state = &*cx.broker;
    let one_broker = !name.is_empty();
    if one_broker {
        check_node(cx.node(), name, |own, other| {
            format!("Unexpected broker id, expected {own}, but received {other}")
        })?;
    }
    let before = state.config.layers();
    let now = if one_broker { &before.broker } else { &before.cluster };
    let next = wish.of(now, true)?;
    broker_rules::check_dynamic(&next, one_broker).map_err(invalid_request)?;
    let mut after = Layers::clone(&before);
    let layer = if one_broker { &mut after.broker } else { &mut after.cluster };
    layer.clone_from(&next);
    broker_rules::check_together(&after).map_err(invalid_request)?;
    broker_rules::check_change(&before, &after).map_err(invalid_request)?;
    if one_broker && wish.changes().iter().any(|change| change.name == IN_SYNC) {
        return Err(Refused::config(
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
        ));
    }
    if !one_broker && !next.contains_key(IN_SYNC) {
        return Err(Refused::config(
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
        ));
    }
    if validate_only || next == *now {
        return Ok(());
    }
    // Kafka keeps what is set for broker "01" under that name, where broker 1 never looks for it.
    if one_broker && name != cx.node().to_string() {
        return Ok(());
    }
    check_room(&after)?;
    // What is set for one node counts for all: one broker is behind them. It is remembered as the first node's.
    let first = state.cluster.layout.first().to_string();
    remember(state, BROKER_RESOURCE, if one_broker { &first } else { name }, now, &next)?;
    state.config.replace(after);
    for topic in state.topics.all() {
        state.topics.apply_options(&topic, &state.config.topic_options(&topic.overrides()));
    }
    Ok(())
}

fn alter_group(state: &BrokerState, name: &str, wish: Wish<'_>, validate_only: bool) -> Result<(), Refused> {
    let before = state.config.layers();
    let now = before.groups.get(name).cloned().unwrap_or_default();
    let next = wish.of(&now, false)?;
    if name.is_empty() {
        return Err(Refused::request("Default group resources are not allowed."));
    }
    resource_rules::check_group(&before, &next).map_err(invalid_config)?;
    if validate_only || next == now {
        return Ok(());
    }
    let mut after = Layers::clone(&before);
    put(&mut after.groups, name, &next);
    check_room(&after)?;
    remember(state, GROUP_RESOURCE, name, &now, &next)?;
    state.config.replace(after);
    Ok(())
}

fn alter_client_metrics(
    state: &BrokerState,
    name: &str,
    wish: Wish<'_>,
    validate_only: bool,
) -> Result<(), Refused> {
    let before = state.config.layers();
    let now = before.client_metrics.get(name).cloned().unwrap_or_default();
    let next = wish.of(&now, false)?;
    resource_rules::check_client_metrics(name, &next).map_err(|complaint| match complaint {
        MetricsComplaint::Request(error) => invalid_request(error),
        MetricsComplaint::Value(error) => invalid_config(error),
    })?;
    if validate_only || next == now {
        return Ok(());
    }
    let mut after = Layers::clone(&before);
    put(&mut after.client_metrics, name, &next);
    check_room(&after)?;
    remember(state, CLIENT_METRICS_RESOURCE, name, &now, &next)?;
    state.config.replace(after);
    Ok(())
}

/// A resource without any config of its own is none.
fn put(resources: &mut BTreeMap<String, Overrides>, name: &str, configs: &Overrides) {
    if configs.is_empty() {
        resources.remove(name);
    } else {
        resources.insert(name.to_owned(), configs.clone());
    }
}

fn check_room(after: &Layers) -> Result<(), Refused> {
    if after.dynamic_bytes() <= MAX_DYNAMIC_CONFIG_BYTES {
        return Ok(());
    }
    let message =
        format!("This broker holds {MAX_DYNAMIC_CONFIG_BYTES} bytes of dynamic configs at the most.");
    Err(Refused::new(ResponseError::PolicyViolation, message))
}

/// Writes what changes from `now` to `next` into the metadata journal.
fn remember(
    state: &BrokerState,
    resource_type: i8,
    resource_name: &str,
    now: &Overrides,
    next: &Overrides,
) -> Result<(), Refused> {
    let record = |name: &String, value: Option<&String>| MetadataRecord::Config {
        resource_type,
        resource_name: resource_name.to_owned(),
        name: name.clone(),
        value: value.cloned(),
    };
    let removed = now.keys().filter(|name| !next.contains_key(*name)).map(|name| record(name, None));
    let set = next.iter().filter(|(name, value)| now.get(*name) != Some(value));
    let records = removed.chain(set.map(|(name, value)| record(name, Some(value)))).collect();
    state.metadata.append(records, state.clock.now_ms()).map_err(|error| Refused::storage(&error))
}

fn check_node(own: i32, name: &str, other: impl Fn(i32, i32) -> String) -> Result<(), Refused> {
    match name.parse::<i32>() {
        Ok(id) if id == own => Ok(()),
        Ok(id) => Err(Refused::request(other(own, id))),
        Err(_) => Err(Refused::request(format!("Node id must be an integer, but it is: {name}"))),
    }
}

fn invalid_config(error: ConfigError) -> Refused {
    Refused::config(error.to_string())
}

fn invalid_request(error: ConfigError) -> Refused {
    Refused::request(error.to_string())
}

fn topic_refused(error: &TopicError) -> Refused {
    Refused::new(error_code::of_topic(error), error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &'static str, operation: i8, value: &'static str) -> Change<'static> {
        Change { name, operation: Operation::from_wire(operation), value: Some(value) }
    }

    #[test]
    fn lists_grow_and_shrink_from_their_default() {
        assert_eq!(change_items("delete", "compact", Operation::Append), "delete,compact");
        assert_eq!(change_items("delete,compact", "compact", Operation::Append), "delete,compact");
        assert_eq!(change_items("delete", "delete", Operation::Subtract), "");
        assert_eq!(change_items("", "a,b", Operation::Append), "a,b");
        let changes = [change("cleanup.policy", 2, "compact")];
        let next = Wish::Change(&changes).of(&Overrides::new(), false).unwrap();
        assert_eq!(next["cleanup.policy"], "delete,compact");
    }

    #[test]
    fn only_lists_take_items() {
        let refused = |name, operation, is_broker| {
            let changes = [change(name, operation, "1")];
            Wish::Change(&changes).of(&Overrides::new(), is_broker).unwrap_err()
        };
        let sentence = refused("flush.ms", 2, false);
        assert_eq!(sentence, Refused::config("Can't APPEND to key flush.ms because its type is not LIST."));
        let sentence = refused("log.segment.bytes", 3, true);
        assert_eq!(
            sentence,
            Refused::config("Config value subtract is not allowed for config key: log.segment.bytes")
        );
        assert_eq!(refused("flush.ms", 9, false), Refused::unknown());
        assert_eq!(refused("log.roll.ms", 7, true), Refused::request("Unknown operations type 7"));
    }

    #[test]
    fn a_key_twice_comes_before_a_missing_value() {
        let without = Change { name: "flush.ms", operation: Operation::Set, value: None };
        assert_eq!(
            check_changes(&[without, without]),
            Err(Refused::request("Error due to duplicate config keys"))
        );
        assert_eq!(
            check_changes(&[without, Change { name: "segment.ms", ..without }]),
            Err(Refused::request("Null value not supported for : flush.ms, segment.ms"))
        );
        let delete = Change { operation: Operation::Delete, ..without };
        assert_eq!(check_changes(&[delete]), Ok(()));
    }
}
