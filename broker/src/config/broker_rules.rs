//! What a broker's configs must be together, and which changes of a running broker Kafka refuses.
//!
//! The words are Kafka's, with those that its own code puts around them ("requirement failed", "Invalid dynamic
//! configuration"), since clients print and match them. This file does not store anything.

use std::collections::BTreeSet;

use crate::config::ConfigError;
use crate::config::broker_definitions::{BROKER, DYNAMIC_ONLY};
use crate::config::definition::{Definition, Update};
use crate::config::describe::{definition_behind, without_listener};
use crate::config::layers::{Layers, Overrides, broker_definition};
use crate::config::value::{Kind, Value, split_list};

/// Settings of TLS keys and certificates, which belong to one listener each.
const SECURITY: [&str; 10] = [
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// Configs of listeners that can be set for the whole cluster.
const CLUSTER_LEVEL_LISTENER: [&str; 3] =
    ["max.connection.creation.rate", "max.connections", "num.network.threads"];

/// Checks each name and value of the dynamic configs of one broker, or of all.
///
/// # Errors
/// Kafka's sentence: a config that cannot be changed while running, one that must be set elsewhere, a bad value.
pub(crate) fn check_dynamic(configs: &Overrides, one_broker: bool) -> Result<(), ConfigError> {
    let is_fixed = |name: &str| broker_definition(name).is_some_and(|known| known.update == Update::ReadOnly);
    none_of(configs, is_fixed, "Cannot update these configs dynamically")?;
    none_of(
        configs,
        |name| SECURITY.contains(&name),
        "These security configs can be dynamically updated only per-listener using the listener prefix",
    )?;
    check_values(configs)?;
    if one_broker {
        return Ok(());
    }
    let is_of_one_broker = |name: &str| match without_listener(name) {
        Some(base) => !CLUSTER_LEVEL_LISTENER.contains(&base),
        None => broker_definition(name).is_some_and(|known| known.update == Update::PerBroker),
    };
    none_of(
        configs,
        is_of_one_broker,
        "Cannot update these configs at default cluster level, broker id must be specified",
    )
}

/// Checks the values of those configs that are known, in Kafka's order.
pub(crate) fn check_values(configs: &Overrides) -> Result<(), ConfigError> {
    for definition in BROKER.iter().chain(&DYNAMIC_ONLY) {
        if let Some(text) = configs.get(definition.name) {
            definition.parse(text)?;
        }
    }
    for (name, text) in configs {
        if let (None, Some(behind)) = (broker_definition(name), definition_behind(name)) {
            behind.parse(text)?;
        }
    }
    Ok(())
}

fn none_of(configs: &Overrides, is_bad: impl Fn(&str) -> bool, sentence: &str) -> Result<(), ConfigError> {
    let bad: Vec<&str> = configs.keys().map(String::as_str).filter(|name| is_bad(name)).collect();
    match bad.is_empty() {
        true => Ok(()),
        false => Err(ConfigError::new(format!("{sentence}: [{}]", bad.join(", ")))),
    }
}

/// Checks what the configs must be together.
///
/// # Errors
/// Kafka's sentence on the first rule that is broken.
pub(crate) fn check_together(layers: &Layers) -> Result<(), ConfigError> {
    check_log_times(layers)?;
    check_cleaner(layers)?;
    check_connections(layers)?;
    check_cordoned(layers)?;
    check_principal_builder(layers)?;
    let (wait, lag) = (layers.number("replica.fetch.wait.max.ms"), layers.number("replica.lag.time.max.ms"));
    require(wait <= lag, || {
        "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent \
         changes in ISR"
            .to_owned()
    })?;
    let queued = layers.number("queued.max.request.bytes");
    require(queued <= 0 || queued >= layers.number("socket.request.max.bytes"), || {
        "queued.max.request.bytes must be larger or equal to socket.request.max.bytes".to_owned()
    })?;
    check_groups(layers)
}

fn require(met: bool, sentence: impl Fn() -> String) -> Result<(), ConfigError> {
    if met { Ok(()) } else { Err(ConfigError::new(format!("requirement failed: {}", sentence()))) }
}

fn check_log_times(layers: &Layers) -> Result<(), ConfigError> {
    let first = |topic_config: &str| {
        let fallback = crate::config::layers::fallback(topic_config);
        layers.first_number(fallback.map_or(&[][..], |fallback| fallback.brokers))
    };
    let at_least = |topic_config: &str, name: &str, least: i64| {
        require(first(topic_config).is_none_or(|ms| ms >= least), || {
            format!("{name} must be greater than or equal to {least}")
        })
    };
    at_least("segment.ms", "log.roll.ms", 1)?;
    at_least("segment.jitter.ms", "log.roll.jitter.ms", 0)?;
    require(first("retention.ms") != Some(0), || {
        "log.retention.ms must be unlimited (-1) or, greater than or equal to 1".to_owned()
    })
}

fn check_cleaner(layers: &Layers) -> Result<(), ConfigError> {
    if layers.value("log.cleaner.enable") != Some(Value::Bool(true)) {
        return Ok(());
    }
    let (buffer, threads) =
        (layers.number("log.cleaner.dedupe.buffer.size"), layers.number("log.cleaner.threads"));
    // Kafka divides first, and says so.
    let each = buffer.checked_div(threads).ok_or_else(|| ConfigError::new("/ by zero".to_owned()))?;
    require(each > 1024 * 1024, || {
        "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.".to_owned()
    })
}

fn check_connections(layers: &Layers) -> Result<(), ConfigError> {
    let overrides = layers.raw("max.connections.per.ip.overrides").map_or("", |(text, _)| text);
    for pair in split_list(overrides) {
        let Some((_, count)) = pair.rsplit_once(':') else {
            return Err(unparsable("max.connections.per.ip.overrides", &pair));
        };
        if count.trim().parse::<i32>().is_err() {
            let why = format!("For input string: \"{}\"", count.trim());
            return Err(ConfigError::new(format!(
                "Error parsing configuration property 'max.connections.per.ip.overrides': {why}"
            )));
        }
    }
    require(layers.number("max.connections.per.ip") != 0 || !overrides.trim().is_empty(), || {
        "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."
            .to_owned()
    })?;
    let map = layers.raw("listener.security.protocol.map").map_or("", |(text, _)| text);
    for pair in split_list(map) {
        let Some((_, protocol)) = pair.rsplit_once(':') else {
            return Err(unparsable("listener.security.protocol.map", &pair));
        };
        if !["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
            .contains(&protocol.trim().to_ascii_uppercase().as_str())
        {
            return Err(ConfigError::new(format!(
                "Invalid security protocol `{}` defined in listener.security.protocol.map",
                protocol.trim()
            )));
        }
    }
    let listeners = layers.raw("listeners").map_or("", |(text, _)| text);
    match split_list(listeners).iter().find(|listener| !listener.contains("://")) {
        Some(listener) => Err(ConfigError::new(format!("Unable to parse a listener name from {listener}"))),
        None => Ok(()),
    }
}

/// What Kafka says of a pair without a colon.
fn unparsable(name: &str, pair: &str) -> ConfigError {
    let length = pair.encode_utf16().count();
    ConfigError::new(format!(
        "Error parsing configuration property '{name}': begin 0, end -1, length {length}"
    ))
}

/// A class can only be named here, so the one that Kafka comes with is the only one known to do.
fn check_principal_builder(layers: &Layers) -> Result<(), ConfigError> {
    let default = broker_definition("principal.builder.class").and_then(|known| known.default);
    let class = layers.value("principal.builder.class").map(|value| value.to_string());
    require(class.as_deref() == default, || {
        "principal.builder.class must implement KafkaPrincipalSerde".to_owned()
    })
}

fn check_cordoned(layers: &Layers) -> Result<(), ConfigError> {
    let items = |name: &str| match layers.value(name) {
        Some(Value::List(items)) => items,
        _ => Vec::new(),
    };
    let cordoned = items("cordoned.log.dirs");
    let folders = match items("log.dirs") {
        none if none.is_empty() => items("log.dir"),
        folders => folders,
    };
    let missing: Vec<String> =
        cordoned.into_iter().filter(|dir| dir != "*" && !folders.contains(dir)).collect();
    require(missing.is_empty(), || {
        format!(
            "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : {}",
            missing.join(", ")
        )
    })
}

/// A group config with bounds: `group.` and its name is its default, the others bound it.
pub(crate) struct Bounded {
    /// The kind of group and the rest of the name: `consumer`, `session.timeout.ms`.
    pub(crate) kind: &'static str,
    pub(crate) what: &'static str,
    pub(crate) has_least: bool,
}

const fn bounded(kind: &'static str, what: &'static str) -> Bounded {
    Bounded { kind, what, has_least: true }
}

/// The group configs that the broker bounds.
pub(crate) static BOUNDED: [Bounded; 13] = [
    bounded("consumer", "heartbeat.interval.ms"),
    bounded("consumer", "session.timeout.ms"),
    bounded("consumer", "assignment.interval.ms"),
    bounded("share", "heartbeat.interval.ms"),
    bounded("share", "session.timeout.ms"),
    bounded("share", "assignment.interval.ms"),
    bounded("share", "record.lock.duration.ms"),
    bounded("share", "delivery.count.limit"),
    bounded("share", "partition.max.record.locks"),
    bounded("streams", "heartbeat.interval.ms"),
    bounded("streams", "session.timeout.ms"),
    bounded("streams", "assignment.interval.ms"),
    Bounded { kind: "streams", what: "num.standby.replicas", has_least: false },
];

impl Bounded {
    /// The name that a group's own config has.
    pub(crate) fn group_config(&self) -> String {
        format!("{}.{}", self.kind, self.what)
    }

    fn least(&self) -> String {
        format!("group.{}.min.{}", self.kind, self.what)
    }

    fn most(&self) -> String {
        // The only bound that is not named after its config.
        let what = if self.has_least { self.what } else { "standby.replicas" };
        format!("group.{}.max.{what}", self.kind)
    }

    /// Checks `value`, called `name`, against the broker's bounds.
    pub(crate) fn check(&self, layers: &Layers, name: &str, value: i64) -> Result<(), ConfigError> {
        let (least, most) = (self.least(), self.most());
        if self.has_least && value < layers.number(&least) {
            return Err(ConfigError::new(format!("{name} must be greater than or equal to {least}")));
        }
        if value > layers.number(&most) {
            return Err(ConfigError::new(format!("{name} must be less than or equal to {most}")));
        }
        Ok(())
    }
}

fn check_groups(layers: &Layers) -> Result<(), ConfigError> {
    for bounded in &BOUNDED {
        let (least, most) = (bounded.least(), bounded.most());
        if bounded.has_least && layers.number(&most) < layers.number(&least) {
            return Err(ConfigError::new(format!("{most} must be greater than or equal to {least}")));
        }
        let name = format!("group.{}", bounded.group_config());
        bounded.check(layers, &name, layers.number(&name))?;
    }
    for kind in ["consumer", "share", "streams"] {
        let [heartbeat, session] =
            ["heartbeat.interval.ms", "session.timeout.ms"].map(|what| format!("group.{kind}.{what}"));
        if layers.number(&heartbeat) >= layers.number(&session) {
            return Err(ConfigError::new(format!("{heartbeat} must be less than {session}")));
        }
    }
    Ok(())
}

/// Checks a change of a running broker: thread pools grow and shrink by a factor of two at the most, and some things
/// stay as they are.
///
/// # Errors
/// Kafka's sentence on the first that is too much.
pub(crate) fn check_change(before: &Layers, after: &Layers) -> Result<(), ConfigError> {
    let changed: BTreeSet<&str> = BROKER
        .iter()
        .filter(|definition| definition.update != Update::ReadOnly && differs(definition, before, after))
        .map(|definition| definition.name)
        .collect();
    let dynamic = |why: String| {
        Err(ConfigError::new(format!(
            "Invalid value org.apache.kafka.common.config.ConfigException: {why} for configuration Invalid dynamic \
             configuration"
        )))
    };
    for name in changed {
        if name == "listener.security.protocol.map" {
            check_protocols(after)?;
        }
        let (old, new) = (before.number(name), after.number(name));
        let complaint = match name {
            "num.io.threads"
            | "num.network.threads"
            | "num.replica.fetchers"
            | "background.threads"
            | "num.recovery.threads.per.data.dir"
            | "remote.log.manager.copier.thread.pool.size"
            | "remote.log.manager.expiration.thread.pool.size"
            | "remote.log.manager.follower.thread.pool.size"
            | "remote.log.reader.threads" => threads(name, old, new),
            "log.cleaner.threads" => cleaner_threads(old, new),
            "max.connections" | "max.connection.creation.rate" if new <= 0 => {
                Some(format!("Invalid {name} {new}"))
            }
            "metric.reporters" if !classes_exist(after, name) => Some(
                "Validation of dynamic config update of Set(metric.reporters) failed with class class \
                 kafka.server.DynamicMetricsReporters"
                    .to_owned(),
            ),
            "listeners" => {
                Some("the listeners of a running broker cannot be changed; start it anew".to_owned())
            }
            "log.local.retention.ms" | "log.retention.ms" => local_retention(after, "ms"),
            "log.local.retention.bytes" | "log.retention.bytes" => local_retention(after, "bytes"),
            _ => None,
        };
        if let Some(why) = complaint {
            return dynamic(why);
        }
    }
    Ok(())
}

fn classes_exist(layers: &Layers, name: &str) -> bool {
    match layers.value(name) {
        Some(Value::List(classes)) => classes.iter().all(|class| Kind::Class.parse(class).is_ok()),
        _ => true,
    }
}

/// Every listener needs a protocol in a map that is set.
fn check_protocols(layers: &Layers) -> Result<(), ConfigError> {
    let listed = |name: &str| layers.raw(name).map(|(text, _)| split_list(text)).unwrap_or_default();
    let mapped: Vec<String> = listed("listener.security.protocol.map")
        .iter()
        .filter_map(|pair| pair.rsplit_once(':'))
        .map(|(name, _)| name.trim().to_ascii_uppercase())
        .collect();
    let listeners = listed("listeners");
    let mut names = listeners.iter().filter_map(|listener| listener.split_once("://")).map(|(name, _)| name);
    match names.find(|name| !mapped.contains(&name.to_ascii_uppercase())) {
        Some(name) => Err(ConfigError::new(format!(
            "Error creating broker listeners from '[{}]': No security protocol defined for listener {name}",
            listeners.join(", ")
        ))),
        None => Ok(()),
    }
}

fn differs(definition: &Definition, before: &Layers, after: &Layers) -> bool {
    let same_text =
        before.raw(definition.name).map(|(text, _)| text) == after.raw(definition.name).map(|(text, _)| text);
    !same_text && before.value(definition.name) != after.value(definition.name)
}

fn threads(name: &str, old: i64, new: i64) -> Option<String> {
    let failed =
        |why: String| Some(format!("Dynamic thread count update validation failed for {name}={new}, {why}"));
    if new <= 0 {
        return failed("value should be at least 1".to_owned());
    }
    if new < old / 2 {
        return failed(format!("value should be at least half the current value {old}"));
    }
    if new > old.saturating_mul(2) {
        return failed(format!("value should not be greater than double the current value {old}"));
    }
    None
}

fn cleaner_threads(old: i64, new: i64) -> Option<String> {
    if new < old / 2 {
        return Some(format!(
            "Log cleaner threads cannot be reduced to less than half the current value {old}"
        ));
    }
    (new > old.saturating_mul(2)).then(|| {
        format!("Log cleaner threads cannot be increased to more than double the current value {old}")
    })
}

/// What tiered storage keeps locally may not be more than what is kept at all.
fn local_retention(layers: &Layers, unit: &str) -> Option<String> {
    let (name, all_name) = (format!("log.local.retention.{unit}"), format!("log.retention.{unit}"));
    let local = layers.number(&name);
    let topic_config = format!("retention.{unit}");
    let fallback = crate::config::layers::fallback(&topic_config)?;
    let all = layers.first_number(fallback.brokers)?;
    if all < 0 || local == -2 {
        return None;
    }
    let why = if local == -1 {
        format!("Value must not be -1 as {all_name} value is set as {all}.")
    } else if local > all {
        format!("Value must not be more than {all_name} property value: {all}")
    } else {
        return None;
    };
    Some(format!("Invalid value {local} for configuration {name}: {why}"))
}
