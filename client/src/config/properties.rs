//! Configs from `application.properties`: `kafka.…=…`, one a line.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::names::{self, Role};
use super::value::Config;
use super::{config_error, nearest};
use crate::error::ClientError;

/// The largest file that is read as a config, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// What a file of properties says of publishers and subscribers.
///
/// | property | key of the config |
/// |---|---|
/// | `kafka.library` | `kafka_library` |
/// | `kafka.bootstrap.servers` | `bootstrap_servers` |
/// | `kafka.destination`, `kafka.source` | `destination`, `source`; a name alone stands for `kafka://topic/NAME` |
/// | `kafka.publish.interval`, `kafka.batch.size` | `publish_interval`, `batch_size` |
/// | `kafka.max.depth`, `kafka.dead.letter.topic`, `kafka.trace.headers` | `max_depth`, `dead_letter_topic`, `trace_headers` |
/// | `kafka.producer.OPTION` | an option of `producer_config` |
/// | `kafka.consumer.OPTION` | an option of `consumer_config`; `kafka.consumer.group.id` is the group |
///
/// Options may be spelled as Python, librdkafka or Java spells them (`linger_ms`, `queue.buffering.max.ms`,
/// `linger.ms`). Properties that do not begin with `kafka.` belong to others and are passed over.
///
/// ```
/// use klamm_client::Properties;
///
/// let properties = Properties::parse(
///     "kafka.library = kafka-python\n\
///      kafka.bootstrap.servers = embedded://shop\n\
///      kafka.producer.acks = all\n\
///      kafka.consumer.group.id = billing\n\
///      kafka.consumer.auto.offset.reset = earliest\n\
///      server.port = 8080",
/// )?;
/// let publisher = properties.publisher().set("destination", "kafka://topic/orders");
/// let subscriber = properties.subscriber().set("source", "kafka://topic/orders");
/// assert_eq!(subscriber.get("group_id").unwrap(), "billing");
/// # klamm_client::create_publisher("p", publisher)?.stop()?;
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
#[derive(Clone)]
pub struct Properties {
    common: Map<String, Value>,
    publisher: Map<String, Value>,
    subscriber: Map<String, Value>,
    producer_options: Map<String, Value>,
    consumer_options: Map<String, Value>,
}

/// A property, the key that it sets, and who has that key.
const KEYS: &[(&str, &str, Role)] = &[
    ("library", "kafka_library", Role::Both),
    ("bootstrap.servers", "bootstrap_servers", Role::Both),
    ("trace.headers", "trace_headers", Role::Both),
    ("destination", "destination", Role::Producer),
    ("publish.interval", "publish_interval", Role::Producer),
    ("batch.size", "batch_size", Role::Producer),
    ("source", "source", Role::Consumer),
    ("group.id", "group_id", Role::Consumer),
    ("consumer.group.id", "group_id", Role::Consumer),
    ("max.depth", "max_depth", Role::Consumer),
    ("dead.letter.topic", "dead_letter_topic", Role::Consumer),
];

impl Properties {
    /// Of the text of a file of properties.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a line that is no property, and for a `kafka.` property that
    /// nobody knows, with the line's number. Whether values make sense is told when something is made of the config.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let mut found = Properties {
            common: Map::new(),
            publisher: Map::new(),
            subscriber: Map::new(),
            producer_options: Map::new(),
            consumer_options: Map::new(),
        };
        for (line, key, value) in lines(text)? {
            if let Some(key) = key.strip_prefix("kafka.") {
                found.take(line, key, &value)?;
            }
        }
        Ok(found)
    }

    /// Of a file of properties.
    ///
    /// # Errors
    /// As [`parse`](Properties::parse), and if it cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        let path = path.as_ref();
        let text = read_file(path)?;
        Properties::parse(&text)
            .map_err(|error| error.asked(format!("reading the properties {}", path.display())))
    }

    /// The config of a publisher. Where the file names no destination, add one: `.set("destination", …)`.
    pub fn publisher(&self) -> Config {
        self.config(&self.publisher, "producer_config", &self.producer_options)
    }

    /// The config of a subscriber. Where the file names no source, add one: `.set("source", …)`.
    pub fn subscriber(&self) -> Config {
        self.config(&self.subscriber, "consumer_config", &self.consumer_options)
    }

    fn config(&self, own: &Map<String, Value>, options_key: &str, options: &Map<String, Value>) -> Config {
        let mut config = Config::new();
        for (key, value) in self.common.iter().chain(own) {
            config = config.set(key, value.clone());
        }
        if options.is_empty() { config } else { config.set(options_key, options.clone()) }
    }

    fn take(&mut self, line: usize, key: &str, value: &str) -> Result<(), ClientError> {
        if let Some((_, config_key, role)) = KEYS.iter().find(|(name, ..)| *name == key) {
            let map = match role {
                Role::Both => &mut self.common,
                Role::Producer => &mut self.publisher,
                Role::Consumer => &mut self.subscriber,
            };
            map.insert((*config_key).to_owned(), own_value(config_key, value));
            return Ok(());
        }
        for (prefix, role) in [("producer.", Role::Producer), ("consumer.", Role::Consumer)] {
            let Some(option) = key.strip_prefix(prefix) else { continue };
            let Some(value) = names::typed(option, role, value) else {
                return Err(unknown(line, key, nearest(option, names::names(role))));
            };
            let options = match role {
                Role::Producer => &mut self.producer_options,
                _ => &mut self.consumer_options,
            };
            options.insert(option.to_owned(), value);
            return Ok(());
        }
        Err(unknown(line, key, nearest(key, KEYS.iter().map(|(name, ..)| *name))))
    }
}

/// Names and counts only: values may be passwords.
impl std::fmt::Debug for Properties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Properties")
            .field("publisher", &self.publisher())
            .field("subscriber", &self.subscriber())
            .finish()
    }
}

fn unknown(line: usize, key: &str, nearest: String) -> ClientError {
    config_error(
        "reading properties",
        format!("line {line}: 'kafka.{key}' is a property that nobody knows{nearest}"),
    )
    .remedy("correct its name, or take it out")
}

/// The value of a key of the config's own: a number or a flag where the text is one and the key takes one.
fn own_value(key: &str, text: &str) -> Value {
    let as_text = || Value::String(text.to_owned());
    match key {
        "publish_interval" => text.parse::<f64>().map_or_else(|_| as_text(), Value::from),
        "batch_size" | "max_depth" => text.parse::<u64>().map_or_else(|_| as_text(), Value::from),
        "trace_headers" => text.parse::<bool>().map_or_else(|_| as_text(), Value::from),
        "destination" | "source" if !text.contains("://") => Value::String(format!("kafka://topic/{text}")),
        _ => as_text(),
    }
}

/// The properties of a text, with the numbers of their lines; a later one of a name wins, as in Java.
pub(super) fn lines(text: &str) -> Result<Vec<(usize, String, String)>, ClientError> {
    let mut found = BTreeMap::new();
    let mut numbered = text.lines().enumerate();
    while let Some((index, line)) = numbered.next() {
        let mut whole = line.trim().to_owned();
        if whole.is_empty() || whole.starts_with(['#', '!']) {
            continue;
        }
        // An odd number of backslashes at its end takes the next line along.
        while whole.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1 {
            whole.pop();
            whole.push_str(numbered.next().map_or("", |(_, next)| next.trim()));
        }
        let Some((key, value)) = whole.split_once(['=', ':']) else {
            return Err(config_error(
                "reading properties",
                format!("line {}: \"{whole}\" has no '='", index + 1),
            )
            .remedy("write KEY=VALUE"));
        };
        found.insert(key.trim().to_owned(), (index + 1, value.trim().replace("\\\\", "\\")));
    }
    let mut all: Vec<_> = found.into_iter().map(|(key, (line, value))| (line, key, value)).collect();
    all.sort();
    Ok(all)
}

/// The text of a file of bounded size.
pub(super) fn read_file(path: &Path) -> Result<String, ClientError> {
    let failed = |error: std::io::Error| {
        config_error(format!("reading the config {}", path.display()), error.to_string())
    };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > LARGEST_FILE {
        let why = format!("it has {length} bytes, more than {LARGEST_FILE}");
        return Err(
            config_error(format!("reading the config {}", path.display()), why).remedy("name a config file")
        );
    }
    std::fs::read_to_string(path).map_err(failed)
}
