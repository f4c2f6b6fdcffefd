//! Producers and consumers of bytes, for tools: any topic and any partition, with and without a group, records as they are.
//!
//! A [`Publisher`](crate::Publisher) is bound to a topic, encodes values, keeps figures and gives back what it could not deliver; a
//! [`Subscriber`](crate::Subscriber) is a member of a group and decodes. What moves records for a living needs none of it
//! and pays for all of it: here records go straight into batches, and come straight out of them, by the native library alone.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use klamm_client::raw::{self, Begin, RecordToSend};
//! use klamm_client::TopicPartition;
//! use serde_json::json;
//!
//! let config = json!({ "bootstrap_servers": "embedded://raw docs" });
//! let (client, options) = raw::producer_options("docs", &config, Default::default())?;
//! let producer = raw::Producer::new(&client, &options, |lost, why| eprintln!("lines {lost:?}: {why}"))?;
//! let topic: Arc<str> = "orders".into();
//! for (line, value) in (1..).zip(["one", "two"]) {
//!     let (key, headers) = (None, &[]);
//!     let (partition, timestamp) = (Some(0), None);
//!     let record = RecordToSend { topic: &topic, partition, key, value: Some(value.as_bytes()), headers, timestamp };
//!     producer.send(&record, line)?;
//! }
//! producer.close(Duration::from_secs(10))?;
//!
//! let (client, options) = raw::consumer_options("docs", &config, Default::default())?;
//! let consumer = raw::Consumer::assign(client, options, &[(TopicPartition::new("orders", 0), Begin::Offset(1))])?;
//! let record = consumer.next(Duration::from_secs(10)).expect("it is there")?;
//! assert_eq!((record.offset, record.value.as_deref()), (1, Some(&b"two"[..])));
//! # Ok::<(), klamm_client::ClientError>(())
//! ```

mod consumer;
mod producer;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use self::consumer::{Begin, Consumer, Position, Topics};
pub use self::producer::Producer;
pub use crate::backend::RecordToSend;
use crate::config::{Config, read_consumer, read_producer};
use crate::error::ClientError;
use crate::options::{ClientOptions, ConsumerOptions, ProducerOptions};

/// What a config says of a producer: `bootstrap_servers` as for [`create_publisher`](crate::create_publisher), and under
/// `producer_config` or `confluent_config` its options, in any spelling. What it does not say is as in `defaults`.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) with the key that is wrong and what it takes.
pub fn producer_options(
    name: &str,
    config: impl Serialize,
    defaults: (ClientOptions, ProducerOptions),
) -> Result<(ClientOptions, ProducerOptions), ClientError> {
    let config = Config::from_value(config)
        .map_err(|error| error.asked(format!("reading the config of the producer '{name}'")))?;
    read_producer(name, config.into_map(), defaults)
}

/// What a config says of a consumer: `bootstrap_servers` as for [`create_publisher`](crate::create_publisher), and under
/// `consumer_config` or `confluent_config` its options, `group_id` among them. What it does not say is as in `defaults`.
///
/// # Errors
/// As [`producer_options`].
pub fn consumer_options(
    name: &str,
    config: impl Serialize,
    defaults: (ClientOptions, ConsumerOptions),
) -> Result<(ClientOptions, ConsumerOptions), ClientError> {
    let config = Config::from_value(config)
        .map_err(|error| error.asked(format!("reading the config of the consumer '{name}'")))?;
    read_consumer(name, config.into_map(), defaults)
}
