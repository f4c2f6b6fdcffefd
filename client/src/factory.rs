//! Making publishers and subscribers of configs, and the libraries behind them.

use std::sync::Arc;

use serde::Serialize;

use crate::backend::{ConsumerBackend, OnUndelivered, ProducerBackend, RebalanceListener};
use crate::config::{Config, Kind, PublisherConfig, SubscriberConfig, config_error, nearest};
use crate::embedded::{EmbeddedBroker, embedded_broker};
use crate::error::ClientError;
#[cfg(any(doc, not(feature = "rdkafka")))]
use crate::error::ErrorKind;
use crate::native::consumer::{NativeConsumer, Subscription};
use crate::native::producer::NativeProducer;
use crate::options::{Bootstrap, ClientOptions, ConsumerOptions, ProducerOptions};
use crate::pipeline::Pipeline;
use crate::publisher::Publisher;
use crate::resilient::{ResilientConsumer, ResilientProducer};
use crate::subscriber::Subscriber;

/// A library that talks to brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Library {
    /// Pure Rust, over TCP, TLS, or within the process. Always there.
    Native,
    /// librdkafka, through the crate `rdkafka`; there with the Cargo feature `rdkafka`.
    Rdkafka,
}

impl Library {
    /// Its name in a config: `native` or `rdkafka`.
    pub fn name(self) -> &'static str {
        match self {
            Library::Native => "native",
            Library::Rdkafka => "rdkafka",
        }
    }
}

impl std::fmt::Display for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What there is to know of a library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LibraryInfo {
    /// The library.
    pub library: Library,
    /// The names that `kafka_library` may give it.
    pub names: &'static [&'static str],
    /// Whether this build has it.
    pub available: bool,
    /// Its version, where it is available.
    pub version: Option<String>,
    /// What it is good for.
    pub good_for: &'static str,
    /// Whether it is the one to take unless there is a reason for another.
    pub recommended: bool,
}

const NATIVE_NAMES: &[&str] = &["native", "kafka-python"];
const RDKAFKA_NAMES: &[&str] = &["rdkafka", "confluent-kafka"];

/// The libraries that this build has.
///
/// ```
/// use klamm_client::{Library, get_available_libraries};
///
/// assert!(get_available_libraries().contains(&Library::Native));
/// ```
pub fn get_available_libraries() -> Vec<Library> {
    get_library_info().into_iter().filter(|info| info.available).map(|info| info.library).collect()
}

/// What there is to know of each library, whether this build has it or not.
///
/// ```
/// for info in klamm_client::get_library_info() {
///     println!("{}: available {}, {}", info.library, info.available, info.good_for);
/// }
/// ```
pub fn get_library_info() -> Vec<LibraryInfo> {
    vec![
        LibraryInfo {
            library: Library::Native,
            names: NATIVE_NAMES,
            available: true,
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            good_for: "everything; embedded brokers without a socket in between, and builds without a C compiler",
            recommended: true,
        },
        LibraryInfo {
            library: Library::Rdkafka,
            names: RDKAFKA_NAMES,
            available: cfg!(feature = "rdkafka"),
            version: rdkafka_version(),
            good_for: "clusters that need Kerberos or OAuth, and configs tuned with options of librdkafka's own",
            recommended: false,
        },
    ]
}

#[cfg(feature = "rdkafka")]
fn rdkafka_version() -> Option<String> {
    Some(crate::rdkafka::version())
}

#[cfg(not(feature = "rdkafka"))]
fn rdkafka_version() -> Option<String> {
    None
}

/// The library of a name, or the one that takes its place where this build lacks it.
pub(crate) fn choose(name: &str, asked: &str) -> Result<Library, ClientError> {
    if NATIVE_NAMES.contains(&name) {
        return Ok(Library::Native);
    }
    if !RDKAFKA_NAMES.contains(&name) {
        let why = format!(
            "kafka_library is \"{name}\"{}",
            nearest(name, NATIVE_NAMES.iter().chain(RDKAFKA_NAMES).copied())
        );
        return Err(config_error(asked, why).remedy("give \"native\" or \"rdkafka\""));
    }
    if cfg!(feature = "rdkafka") {
        return Ok(Library::Rdkafka);
    }
    tracing::warn!("{asked}: kafka_library is \"{name}\", which this build does not have; using native");
    Ok(Library::Native)
}

/// What a producer is made of.
#[derive(Debug, Clone)]
pub(crate) struct ProducerSetup {
    pub(crate) library: Library,
    pub(crate) client: ClientOptions,
    pub(crate) producer: ProducerOptions,
}

/// What a consumer is made of.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerSetup {
    pub(crate) library: Library,
    pub(crate) topic: Arc<str>,
    pub(crate) client: ClientOptions,
    pub(crate) consumer: ConsumerOptions,
    pub(crate) listener: Option<Arc<dyn RebalanceListener>>,
}

/// Where backends come from: the libraries, or what a test puts in their place.
pub(crate) trait Backends: Send + Sync + std::fmt::Debug {
    /// The broker of this process that is meant, if one is. Held by a publisher or a subscriber from its creation until it
    /// is dropped, stopped or not, so that what one has published another one finds.
    fn broker(&self, bootstrap: &Bootstrap) -> Result<Option<EmbeddedBroker>, ClientError>;

    fn producer(
        &self,
        setup: &ProducerSetup,
        undelivered: Arc<dyn OnUndelivered>,
    ) -> Result<Arc<dyn ProducerBackend>, ClientError>;

    fn consumer(&self, setup: &ConsumerSetup) -> Result<Arc<dyn ConsumerBackend>, ClientError>;
}

/// The libraries of this build.
#[derive(Debug)]
pub(crate) struct Libraries;

/// Makes a publisher. It begins to connect when it first publishes.
///
/// `config` is anything that serialises to a JSON object: `serde_json::json!({…})`, a [`Config`], a struct.
///
/// | key | type | default | meaning |
/// |---|---|---|---|
/// | `destination` | string | required | `kafka://topic/NAME` |
/// | `bootstrap_servers` | list or string | `localhost:9092` | `HOST:PORT`, several with commas, or `embedded://NAME` (`?data_dir=PATH`) for a broker in this process |
/// | `kafka_library` | string | `native` | `native` (also `kafka-python`) or `rdkafka` (also `confluent-kafka`) |
/// | `producer_config` | object | `{}` | options as Kafka's Python client names them: `acks` (1), `linger_ms` (0), `compression_type` (none), … |
/// | `confluent_config` | object | `{}` | options as librdkafka names them |
/// | `publish_interval` | seconds | 0 | 0: publish at once; else collect, and publish every so often |
/// | `batch_size` | count | none | with an interval: publish as soon as this many wait |
/// | `trace_headers` | boolean | false | give each record a W3C `traceparent` that has none |
///
/// ```
/// use serde_json::json;
///
/// let publisher = klamm_client::create_publisher(
///     "orders",
///     json!({ "destination": "kafka://topic/orders", "bootstrap_servers": "embedded://shop" }),
/// )?;
/// publisher.publish(&json!({ "id": 1, "item": "lamp" }))?;
/// let report = publisher.stop()?;
/// assert_eq!(report.failed_count, 0);
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Config`] or [`ErrorKind::InvalidArgument`] with the key that is wrong and what it takes;
/// [`ErrorKind::Unsupported`] for an option that the library has no counterpart for. A broker that cannot be reached is
/// no error here, but of publishing.
pub fn create_publisher(name: &str, config: impl Serialize) -> Result<Publisher, ClientError> {
    let config = PublisherConfig::read(name, read(name, config)?, Kind::Plain)?;
    Publisher::new(&config, &Libraries)
}

/// Makes a subscriber. [`Subscriber::start`] joins its group.
///
/// `config` is anything that serialises to a JSON object: `serde_json::json!({…})`, a [`Config`], a struct.
///
/// | key | type | default | meaning |
/// |---|---|---|---|
/// | `source` | string | required | `kafka://topic/NAME` |
/// | `bootstrap_servers`, `kafka_library`, `confluent_config` | | | as for [`create_publisher`] |
/// | `group_id` | string | `{name}_group` | the consumer group |
/// | `consumer_config` | object | `{}` | options as Kafka's Python client names them: `auto_offset_reset` (latest), `enable_auto_commit` (true), … |
/// | `max_depth` | count | 100000 | records that may wait to be handed out; at that many fetching stops, and nothing is dropped |
/// | `dead_letter_topic` | string | none | where payloads go that do not decode; a name or `kafka://topic/NAME` |
/// | `trace_headers` | boolean | false | a [`Pipeline`] passes W3C trace headers on |
///
/// ```
/// use std::time::Duration;
/// use serde_json::{Value, json};
///
/// let broker = json!({ "bootstrap_servers": "embedded://shop2" });
/// let publisher = klamm_client::create_publisher(
///     "orders",
///     json!({ "destination": "kafka://topic/orders", "bootstrap_servers": "embedded://shop2" }),
/// )?;
/// publisher.publish_acknowledged(&json!({ "id": 1 }))?;
///
/// let subscriber = klamm_client::create_subscriber(
///     "billing",
///     json!({
///         "source": "kafka://topic/orders",
///         "bootstrap_servers": "embedded://shop2",
///         "consumer_config": { "auto_offset_reset": "earliest" },
///     }),
/// )?;
/// subscriber.start()?;
/// let order: Option<Value> = subscriber.get_data(Duration::from_secs(10))?;
/// assert_eq!(order, Some(json!({ "id": 1 })));
/// subscriber.stop()?;
/// # publisher.stop()?;
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
///
/// # Errors
/// As [`create_publisher`].
pub fn create_subscriber(name: &str, config: impl Serialize) -> Result<Subscriber, ClientError> {
    let config = SubscriberConfig::read(name, read(name, config)?, Kind::Plain)?;
    Subscriber::new(config, Arc::new(Libraries))
}

/// Makes a producer that outlasts its broker: what is published while the broker is away waits, in order, and is sent
/// once it is back.
///
/// The config is that of [`create_publisher`] with `reconnect_tries` (10), `reconnect_interval_seconds` (60) and
/// `buffer_max_messages` (10000). Unless the config says otherwise `acks` is `all`.
///
/// # Errors
/// As [`create_publisher`].
pub fn create_resilient_producer(
    name: &str,
    config: impl Serialize,
) -> Result<ResilientProducer, ClientError> {
    let config = PublisherConfig::read(name, read(name, config)?, Kind::Resilient)?;
    ResilientProducer::new(config, Arc::new(Libraries))
}

/// Makes a consumer of a topic that outlasts its broker: it reconnects and goes on from where its group has committed.
///
/// The config is that of [`create_subscriber`], where `source` may be left out, with `reconnect_tries` (10) and
/// `reconnect_interval_seconds` (60). Its name is that of the topic.
///
/// # Errors
/// As [`create_publisher`].
pub fn create_resilient_consumer(
    topic: &str,
    config: impl Serialize,
) -> Result<ResilientConsumer, ClientError> {
    let mut map = read(topic, config)?;
    let source = serde_json::Value::String(format!("kafka://topic/{topic}"));
    match map.get("source") {
        None => drop(map.insert("source".to_owned(), source)),
        Some(other) if *other == source => {}
        Some(other) => {
            let why = format!("source is {other}, and the topic asked for '{topic}'");
            return Err(config_error(format!("reading the config of the consumer of '{topic}'"), why)
                .remedy("leave source out"));
        }
    }
    let config = SubscriberConfig::read(topic, map, Kind::Resilient)?;
    ResilientConsumer::new(config, Arc::new(Libraries))
}

/// Makes a pipeline: it reads a topic (`source`), and writes what a function makes of it to another (`destination`).
///
/// The config holds the keys of a publisher and of a subscriber side by side, without `confluent_config`: librdkafka's names go
/// into `producer_config` and `consumer_config` like all others. Offsets
/// are committed by the pipeline, after what became of their records is acknowledged; so `enable_auto_commit` is false, and
/// `acks` is `all` unless the config says otherwise.
///
/// # Errors
/// As [`create_publisher`]; [`ErrorKind::Config`] if `enable_auto_commit` is set to true.
pub fn create_pipeline(name: &str, config: impl Serialize) -> Result<Pipeline, ClientError> {
    let (publisher, subscriber) = crate::pipeline::split_config(name, read(name, config)?)?;
    let publisher = PublisherConfig::read(name, publisher, Kind::Plain)?;
    let subscriber = SubscriberConfig::read(name, subscriber, Kind::Plain)?;
    Pipeline::new(Subscriber::new(subscriber, Arc::new(Libraries))?, Publisher::new(&publisher, &Libraries)?)
}

fn read(
    name: &str,
    config: impl Serialize,
) -> Result<serde_json::Map<String, serde_json::Value>, ClientError> {
    let config =
        Config::from_value(config).map_err(|error| error.asked(format!("reading the config of '{name}'")))?;
    Ok(config.into_map())
}

#[cfg(not(feature = "rdkafka"))]
fn not_compiled_in() -> ClientError {
    ClientError::new(ErrorKind::Unsupported, "using rdkafka", "this build is without it")
        .remedy("build with the Cargo feature rdkafka")
}

impl Backends for Libraries {
    fn broker(&self, bootstrap: &Bootstrap) -> Result<Option<EmbeddedBroker>, ClientError> {
        match bootstrap {
            Bootstrap::Servers(_) => Ok(None),
            Bootstrap::Embedded { name, data_dir } => embedded_broker(name, data_dir.as_deref()).map(Some),
        }
    }

    fn producer(
        &self,
        setup: &ProducerSetup,
        undelivered: Arc<dyn OnUndelivered>,
    ) -> Result<Arc<dyn ProducerBackend>, ClientError> {
        match setup.library {
            Library::Native => native_producer(setup, undelivered),
            Library::Rdkafka => rdkafka_producer(setup, undelivered),
        }
    }

    fn consumer(&self, setup: &ConsumerSetup) -> Result<Arc<dyn ConsumerBackend>, ClientError> {
        match setup.library {
            Library::Native => native_consumer(setup),
            Library::Rdkafka => rdkafka_consumer(setup),
        }
    }
}

fn native_producer(
    setup: &ProducerSetup,
    undelivered: Arc<dyn OnUndelivered>,
) -> Result<Arc<dyn ProducerBackend>, ClientError> {
    Ok(Arc::new(NativeProducer::new(&setup.client, &setup.producer, undelivered)?))
}

fn native_consumer(setup: &ConsumerSetup) -> Result<Arc<dyn ConsumerBackend>, ClientError> {
    let topics = Subscription::Topics(vec![Arc::clone(&setup.topic)]);
    let (client, options) = (setup.client.clone(), setup.consumer.clone());
    Ok(Arc::new(NativeConsumer::subscribe(client, options, topics, setup.listener.clone())?))
}

#[cfg(feature = "rdkafka")]
fn rdkafka_producer(
    setup: &ProducerSetup,
    undelivered: Arc<dyn OnUndelivered>,
) -> Result<Arc<dyn ProducerBackend>, ClientError> {
    crate::rdkafka::producer(&setup.client, &setup.producer, undelivered)
}

#[cfg(feature = "rdkafka")]
fn rdkafka_consumer(setup: &ConsumerSetup) -> Result<Arc<dyn ConsumerBackend>, ClientError> {
    let topics = [Arc::clone(&setup.topic)];
    crate::rdkafka::consumer(&setup.client, &setup.consumer, &topics, setup.listener.clone())
}

#[cfg(not(feature = "rdkafka"))]
fn rdkafka_producer(
    _: &ProducerSetup,
    _: Arc<dyn OnUndelivered>,
) -> Result<Arc<dyn ProducerBackend>, ClientError> {
    Err(not_compiled_in())
}

#[cfg(not(feature = "rdkafka"))]
fn rdkafka_consumer(_: &ConsumerSetup) -> Result<Arc<dyn ConsumerBackend>, ClientError> {
    Err(not_compiled_in())
}
