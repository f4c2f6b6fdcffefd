//! Configs: from a JSON object, a file or properties to typed options, with a sentence for whatever is wrong.
//!
//! Knows nothing of how a library takes its options; only what it can take at all.

mod address;
mod admin;
mod command;
mod draft;
mod keys;
mod names;
mod node;
mod properties;
mod value;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

pub(crate) use address::check_topic;
pub(crate) use admin::read_admin;
pub use command::CommandConfig;
use draft::Draft;
use keys::Keys;
use names::{Place, Role, Taken};
pub use node::{Node, create_node};
pub use properties::Properties;
pub use value::Config;

use crate::error::{ClientError, ErrorKind};
use crate::factory::{self, Library};
use crate::options::{ClientOptions, ConsumerOptions, ProducerOptions};

/// An error in a config.
pub(crate) fn config_error(asked: impl Into<String>, why: impl Into<String>) -> ClientError {
    ClientError::new(ErrorKind::Config, asked, why)
}

/// `, did you mean 'NAME'?` where one of the names is near enough to be meant.
pub(crate) fn nearest<'a>(key: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let distance = |name: &str| {
        strsim::damerau_levenshtein(&key.to_lowercase().replace(['.', '-'], "_"), &name.replace('.', "_"))
    };
    let best = names.into_iter().map(|name| (distance(name), name)).min_by_key(|(distance, _)| *distance);
    match best {
        // Further away than half of the name it would be a guess.
        Some((distance, name)) if distance * 2 <= name.chars().count().max(2) => {
            format!("; did you mean '{name}'?")
        }
        _ => String::new(),
    }
}

/// What a resilient producer or consumer is told beside everything else.
#[derive(Debug, Clone)]
pub(crate) struct Resilience {
    pub(crate) tries: u32,
    pub(crate) interval: Duration,
    pub(crate) buffer_max_messages: usize,
}

/// A publisher's config, read.
#[derive(Debug, Clone)]
pub(crate) struct PublisherConfig {
    pub(crate) name: String,
    /// As it was given: `kafka://topic/NAME`.
    pub(crate) destination: String,
    pub(crate) topic: Arc<str>,
    pub(crate) library: Library,
    pub(crate) client: ClientOptions,
    pub(crate) producer: ProducerOptions,
    /// Zero: at once.
    pub(crate) publish_interval: Duration,
    pub(crate) batch_size: Option<usize>,
    pub(crate) trace_headers: bool,
    pub(crate) resilience: Resilience,
}

/// A subscriber's config, read.
#[derive(Debug, Clone)]
pub(crate) struct SubscriberConfig {
    pub(crate) name: String,
    /// As it was given: `kafka://topic/NAME`.
    pub(crate) source: String,
    pub(crate) topic: Arc<str>,
    pub(crate) library: Library,
    pub(crate) client: ClientOptions,
    pub(crate) consumer: ConsumerOptions,
    pub(crate) dead_letter_topic: Option<Arc<str>>,
    /// After how long without a record an iterator ends; none: never.
    pub(crate) iteration_timeout: Option<Duration>,
    pub(crate) trace_headers: bool,
    pub(crate) resilience: Resilience,
}

/// Which keys there are beside those that everybody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Resilient,
}

const PUBLISHER_KEYS: &[&str] = &[
    "destination",
    "bootstrap_servers",
    "kafka_library",
    "producer_config",
    "confluent_config",
    "publish_interval",
    "batch_size",
    "trace_headers",
];
const SUBSCRIBER_KEYS: &[&str] = &[
    "source",
    "bootstrap_servers",
    "kafka_library",
    "group_id",
    "consumer_config",
    "confluent_config",
    "max_depth",
    "dead_letter_topic",
    "trace_headers",
];
const RESILIENT_KEYS: &[&str] = &["reconnect_tries", "reconnect_interval_seconds", "buffer_max_messages"];

/// Most records that may be asked to wait in a queue or a buffer.
const MOST_QUEUED: usize = 100_000_000;
/// Longest time that a config may name, in seconds: a year.
const LONGEST_SECONDS: f64 = 31_536_000.0;
/// Longest name of a publisher, a subscriber or a group.
const LONGEST_NAME: usize = 1024;

impl PublisherConfig {
    /// Reads a publisher's config.
    pub(crate) fn read(name: &str, map: Map<String, Value>, kind: Kind) -> Result<Self, ClientError> {
        let asked = format!("reading the config of the publisher '{name}'");
        check_name(name, &asked)?;
        let known = known(PUBLISHER_KEYS, kind);
        let mut keys = Keys::new(map, &asked, &known, Role::Producer)?;
        let destination = keys.required("destination")?;
        let topic = address::topic_of("destination", &destination, &asked)?;
        let library = read_library(&mut keys)?;
        let (mut draft, mut taken) = (Draft::default(), Taken::default());
        draft.client.client_id = name.to_owned();
        for key in ["producer_config", "confluent_config"] {
            let options = keys.object(key)?;
            names::apply(
                &mut draft,
                &mut taken,
                &options,
                Place { key, role: Role::Producer, library, asked: &asked },
            )?;
        }
        draft.settle_bootstrap(keys.take("bootstrap_servers").as_ref(), &asked)?;
        draft.settle_security(&asked)?;
        if kind == Kind::Resilient {
            draft.settle_resilient(&taken);
        }
        draft.settle_producer(&taken, &asked)?;
        Ok(PublisherConfig {
            name: name.to_owned(),
            destination,
            topic: topic.into(),
            library,
            publish_interval: keys.seconds("publish_interval", LONGEST_SECONDS)?.unwrap_or_default(),
            batch_size: keys.count("batch_size", 1, MOST_QUEUED)?,
            trace_headers: keys.flag("trace_headers")?.unwrap_or(false),
            resilience: read_resilience(&mut keys)?,
            client: draft.client,
            producer: draft.producer,
        })
    }
}

impl SubscriberConfig {
    /// Reads a subscriber's config.
    pub(crate) fn read(name: &str, map: Map<String, Value>, kind: Kind) -> Result<Self, ClientError> {
        let asked = format!("reading the config of the subscriber '{name}'");
        check_name(name, &asked)?;
        let known = known(SUBSCRIBER_KEYS, kind);
        let mut keys = Keys::new(map, &asked, &known, Role::Consumer)?;
        let source = keys.required("source")?;
        let topic = address::topic_of("source", &source, &asked)?;
        let library = read_library(&mut keys)?;
        let (mut draft, mut taken) = (Draft::default(), Taken::default());
        draft.client.client_id = name.to_owned();
        for key in ["consumer_config", "confluent_config"] {
            let options = keys.object(key)?;
            names::apply(
                &mut draft,
                &mut taken,
                &options,
                Place { key, role: Role::Consumer, library, asked: &asked },
            )?;
        }
        draft.settle_bootstrap(keys.take("bootstrap_servers").as_ref(), &asked)?;
        draft.settle_security(&asked)?;
        draft.settle_consumer(&asked)?;
        draft.consumer.group_id = settle_group(keys.text("group_id")?, draft.group_id, name, &asked)?;
        if let Some(depth) = keys.count("max_depth", 1, MOST_QUEUED)? {
            draft.consumer.max_depth = depth;
        }
        Ok(SubscriberConfig {
            name: name.to_owned(),
            source,
            topic: topic.into(),
            library,
            dead_letter_topic: read_dead_letter_topic(&mut keys, &asked)?,
            trace_headers: keys.flag("trace_headers")?.unwrap_or(false),
            resilience: read_resilience(&mut keys)?,
            client: draft.client,
            consumer: draft.consumer,
            iteration_timeout: draft.iteration_timeout,
        })
    }
}

fn known(own: &[&'static str], kind: Kind) -> Vec<&'static str> {
    let more = if kind == Kind::Resilient { RESILIENT_KEYS } else { &[] };
    own.iter().chain(more).copied().collect()
}

/// Whether a key belongs into a publisher's config, and whether into a subscriber's; for configs that hold both.
pub(crate) fn belongs(key: &str) -> (bool, bool) {
    (PUBLISHER_KEYS.contains(&key), SUBSCRIBER_KEYS.contains(&key))
}

fn check_name(name: &str, asked: &str) -> Result<(), ClientError> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(ClientError::new(
            ErrorKind::InvalidArgument,
            asked,
            format!("its name has {} bytes", name.len()),
        )
        .remedy("give a name of 1 to 1024 bytes"));
    }
    Ok(())
}

fn read_library(keys: &mut Keys<'_>) -> Result<Library, ClientError> {
    match keys.text("kafka_library")? {
        None => Ok(Library::Native),
        Some(text) => factory::choose(&text, keys.asked()),
    }
}

fn settle_group(
    own: Option<String>,
    of_options: Option<String>,
    name: &str,
    asked: &str,
) -> Result<String, ClientError> {
    let group = match (own, of_options) {
        (Some(own), Some(other)) if own != other => {
            return Err(config_error(
                asked,
                format!("group_id is \"{own}\", and \"{other}\" among the options"),
            )
            .remedy("give it once"));
        }
        (Some(group), _) | (None, Some(group)) => group,
        (None, None) => format!("{name}_group"),
    };
    if group.is_empty() || group.len() > LONGEST_NAME {
        return Err(config_error(asked, format!("group_id has {} bytes", group.len()))
            .remedy("give one of 1 to 1024 bytes"));
    }
    Ok(group)
}

fn read_dead_letter_topic(keys: &mut Keys<'_>, asked: &str) -> Result<Option<Arc<str>>, ClientError> {
    let Some(text) = keys.text("dead_letter_topic")? else { return Ok(None) };
    if text.contains("://") {
        return Ok(Some(address::topic_of("dead_letter_topic", &text, asked)?.into()));
    }
    check_topic(&text, asked)?;
    Ok(Some(text.into()))
}

fn read_resilience(keys: &mut Keys<'_>) -> Result<Resilience, ClientError> {
    let tries = keys.count("reconnect_tries", 1, 1_000_000)?.unwrap_or(10);
    Ok(Resilience {
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
        interval: keys
            .seconds("reconnect_interval_seconds", LONGEST_SECONDS)?
            .unwrap_or(Duration::from_secs(60)),
        buffer_max_messages: keys.count("buffer_max_messages", 1, MOST_QUEUED)?.unwrap_or(10_000),
    })
}

#[cfg(test)]
mod tests;
