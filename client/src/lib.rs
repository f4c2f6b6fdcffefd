//! The publisher/subscriber client of Klamm: the same code against an embedded broker and a real Apache Kafka.
//!
//! A publisher or a subscriber is made from a config; the config alone says where the broker is (`bootstrap_servers`,
//! which can be `embedded://NAME`) and which library talks to it (`kafka_library`). Two backends stand behind the same
//! types: `native`, pure Rust over TCP or within the process, and `rdkafka`, over librdkafka.
//!
//! ```
//! use std::time::Duration;
//! use klamm_client::{create_publisher, create_subscriber};
//! use serde_json::{Value, json};
//!
//! // "embedded://NAME" is a broker within this process; "localhost:9092" would be a real one.
//! let broker = "embedded://docs-front";
//! let publisher = create_publisher(
//!     "orders",
//!     json!({ "destination": "kafka://topic/orders", "bootstrap_servers": broker }),
//! )?;
//! publisher.publish(&json!({ "id": 1, "item": "lamp" }))?;
//! publisher.stop()?;
//!
//! let subscriber = create_subscriber(
//!     "billing",
//!     json!({
//!         "source": "kafka://topic/orders",
//!         "bootstrap_servers": broker,
//!         "consumer_config": { "auto_offset_reset": "earliest" },
//!     }),
//! )?;
//! subscriber.start()?;
//! let order: Option<Value> = subscriber.get_data(Duration::from_secs(10))?;
//! assert_eq!(order, Some(json!({ "id": 1, "item": "lamp" })));
//! subscriber.stop()?;
//! # Ok::<(), klamm_client::ClientError>(())
//! ```
//!
//! Where to look: [`create_publisher`] and [`create_subscriber`] list every key of their configs; [`Publisher`],
//! [`Subscriber`], [`Pipeline`], [`ResilientProducer`] and [`ResilientConsumer`] say what they guarantee; [`METRICS`] lists
//! the figures that are kept.
//!
//! Of the broker's crate it knows how to start one and its in-process connections, and nothing else.

#![forbid(unsafe_code)]

mod admin;
mod backend;
mod codec;
mod config;
mod dead_letter;
mod details;
mod embedded;
mod error;
mod factory;
#[cfg(test)]
mod fake;
mod metrics;
mod native;
mod options;
mod pipeline;
mod publisher;
pub mod raw;
#[cfg(feature = "rdkafka")]
mod rdkafka;
mod record;
mod resilient;
mod runtime;
mod signal;
mod subscriber;
mod trace;

pub use admin::{
    Admin, ApiSupport, BrokerDescription, Call, ClusterDescription, CommittedOffset, ConfigChange,
    ConfigEntry, ConfigResource, ConfigSource, CreatedTopic, DeleteUpTo, Each, EligibleLeaders, FoundOffset,
    GroupDescription, GroupSummary, LogDir, LogDirPartition, MemberDescription, NewTopic, OffsetAt,
    OffsetMove, PartitionDescription, ResetTo, TopicDescription, TopicSummary, create_admin,
};
pub use backend::RebalanceListener;
pub use codec::{Codec, CodecError, Json};
pub use config::{CommandConfig, Config, Node, Properties, create_node};
pub use dead_letter::DEAD_LETTER_HEADERS;
pub use details::{AssignedPartition, PublisherDetails, SubscriberDetails};
pub use embedded::{EmbeddedBroker, embed_broker, embedded_broker};
pub use error::{ClientError, ErrorKind};
pub use factory::{
    Library, LibraryInfo, create_pipeline, create_publisher, create_resilient_consumer,
    create_resilient_producer, create_subscriber, get_available_libraries, get_library_info,
};
pub use metrics::METRICS;
pub use options::{
    Acks, Assignor, Bootstrap, ClientOptions, Compression, ConsumerOptions, IsolationLevel, OffsetReset,
    Partitioner, ProducerOptions, SaslMechanism, SaslOptions, Security, TlsOptions,
};
pub use pipeline::{Input, IntoOutput, OnError, Output, Pipeline, PipelineReport};
pub use publisher::{Message, Publisher, StopReport};
pub use record::{Delivered, Headers, Record, TopicPartition, Undelivered};
pub use resilient::{ResilientConsumer, ResilientDetails, ResilientProducer};
pub use subscriber::{RecordStream, Records, StartAt, Subscriber, ValueStream, Values};
pub use trace::TraceContext;
