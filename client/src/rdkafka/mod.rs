//! The `rdkafka` library: publishers and subscribers over librdkafka.
//!
//! Behind the feature of the same name, as it builds librdkafka with a C compiler. Knows the traits of `backend` and
//! typed options; nothing of the native library, and nothing of configs' names.

mod config;
mod error;
mod publisher;
mod subscriber;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::rdkafka::config::RDKafkaLogLevel;

use crate::backend::{ConsumerBackend, OnUndelivered, ProducerBackend, RebalanceListener};
use crate::embedded::{EmbeddedBroker, embedded_broker};
use crate::error::ClientError;
use crate::options::{Bootstrap, ClientOptions, ConsumerOptions, ProducerOptions};

/// The version of librdkafka.
pub(crate) fn version() -> String {
    ::rdkafka::util::get_rdkafka_version().1
}

/// A producer over librdkafka.
///
/// # Errors
/// If librdkafka does not take the options, or the system refuses a thread.
pub(crate) fn producer(
    options: &ClientOptions,
    producer: &ProducerOptions,
    undelivered: Arc<dyn OnUndelivered>,
) -> Result<Arc<dyn ProducerBackend>, ClientError> {
    Ok(Arc::new(publisher::Publisher::start(options, producer, undelivered)?))
}

/// A consumer over librdkafka, subscribed to these topics.
///
/// # Errors
/// If librdkafka does not take the options, or the system refuses a thread.
pub(crate) fn consumer(
    options: &ClientOptions,
    consumer: &ConsumerOptions,
    topics: &[Arc<str>],
    listener: Option<Arc<dyn RebalanceListener>>,
) -> Result<Arc<dyn ConsumerBackend>, ClientError> {
    Ok(Arc::new(subscriber::Subscriber::start(options, consumer, topics, listener)?))
}

/// The addresses to give to librdkafka, and the broker of this process behind them, if it is one: to be kept while they
/// are used.
fn servers(bootstrap: &Bootstrap) -> Result<(String, Option<EmbeddedBroker>), ClientError> {
    match bootstrap {
        Bootstrap::Servers(servers) => Ok((servers.join(","), None)),
        Bootstrap::Embedded { name, data_dir } => {
            let broker = embedded_broker(name, data_dir.as_deref())?;
            Ok((broker.bootstrap_servers(), Some(broker)))
        }
    }
}

/// A line of librdkafka's log.
fn log(level: RDKafkaLogLevel, facility: &str, line: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", facility, "{line}");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            tracing::warn!(target: "librdkafka", facility, "{line}");
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, "{line}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{line}"),
    }
}
