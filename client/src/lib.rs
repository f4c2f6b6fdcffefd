//! The publisher/subscriber client of Klamm: the same code against an embedded broker and a real Apache Kafka.
//!
//! A publisher or a subscriber is made from a config; the config alone says where the broker is (`bootstrap_servers`,
//! which can be `embedded://NAME`) and which library talks to it (`kafka_library`). Two backends stand behind the same
//! types: `native`, pure Rust over TCP or within the process, and `rdkafka`, over librdkafka.
//!
//! Of the broker's crate it knows how to start one and its in-process connections, and nothing else.

#![forbid(unsafe_code)]

mod admin;
mod backend;
mod embedded;
mod error;
mod native;
mod options;
#[cfg(feature = "rdkafka")]
mod rdkafka;
mod record;
mod runtime;
mod signal;

pub use admin::{
    Admin, ApiSupport, BrokerDescription, Call, ClusterDescription, CommittedOffset, ConfigChange,
    ConfigEntry, ConfigResource, ConfigSource, CreatedTopic, DeleteUpTo, Each, FoundOffset, GroupDescription,
    GroupSummary, LogDir, LogDirPartition, MemberDescription, NewTopic, OffsetAt, OffsetMove,
    PartitionDescription, ResetTo, TopicDescription, TopicSummary,
};
pub use backend::RebalanceListener;
pub use embedded::{EmbeddedBroker, embedded_broker};
pub use error::{ClientError, ErrorKind};
pub use options::{
    Acks, Assignor, Bootstrap, ClientOptions, Compression, ConsumerOptions, IsolationLevel, OffsetReset,
    Partitioner, ProducerOptions, SaslMechanism, SaslOptions, Security, TlsOptions,
};
pub use record::{Delivered, Headers, Record, TopicPartition, Undelivered};
