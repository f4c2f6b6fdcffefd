//! Klamm: an Apache Kafka-compatible broker that runs inside your process.
//!
//! Start one, and point any Kafka client at it:
//!
//! ```
//! use klamm::Broker;
//!
//! let broker = Broker::builder().topic("orders", 3).start()?;
//! println!("bootstrap.servers={}", broker.bootstrap_servers());
//! // Produce and consume with any Kafka client. Dropping the broker stops it.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With [`BrokerBuilder::data_dir`] topics, records, groups and offsets survive a restart; without it everything lives
//! in memory. Any broker config can be set by Kafka's name for it with [`BrokerBuilder::config`].
//!
//! # Publishing and subscribing
//!
//! Programs in Rust need no other client: a publisher and a subscriber are made from a config, and the config alone says
//! whether the broker is within this process or a real cluster.
//!
//! ```
//! use std::time::Duration;
//! use klamm::{create_publisher, create_subscriber};
//! use serde_json::{Value, json};
//!
//! let broker = "embedded://facade"; // or "localhost:9092"
//! let publisher = create_publisher(
//!     "orders",
//!     json!({ "destination": "kafka://topic/orders", "bootstrap_servers": broker }),
//! )?;
//! publisher.publish(&json!({ "id": 1 }))?;
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
//! assert_eq!(order, Some(json!({ "id": 1 })));
//! subscriber.stop()?;
//! publisher.stop()?;
//! # Ok::<(), klamm::ClientError>(())
//! ```
//!
//! # In a test
//!
//! Time, chance, faults and state are the test's; [`testing`] is the chapter on it.
//!
//! ```
//! use std::time::Duration;
//!
//! use klamm::{ApiKey, Fault};
//!
//! let broker = klamm::testing::broker().topic("orders", 1).start();
//!
//! // The first batch is taken, and its acknowledgement lost on the way.
//! let lost = broker.fault(Fault::on(ApiKey::Produce).topic("orders").nth(1).close_before_answer());
//! broker.publish("orders", "an order");
//!
//! // An idempotent publisher sent it twice, and it is there once. No consumer is needed to see that.
//! assert_eq!(broker.hits(lost), 1);
//! assert_eq!(broker.texts("orders"), ["an order"]);
//!
//! // Eight days later retention has let go of it.
//! broker.advance(Duration::from_secs(8 * 24 * 3600));
//! assert!(broker.records("orders").is_empty());
//! ```
//!
//! The `klamm serve` command does the same as a process of its own.

#![forbid(unsafe_code)]

#[cfg(feature = "control")]
pub mod control;
pub mod testing;

pub use klamm_client::*;

pub use klamm_broker::{
    ApiKey, Broker, BrokerBuilder, Clock, Close, Cluster, ClusterError, ClusterGroup, ClusterNode,
    ClusterPartition, ClusterView, ConfigError, Delay, DelayClock, Difference, DiskTrouble, Effect, Fault,
    FaultError, FaultRule, Faults, InProcessConnection, Journal, JournalError, JournalOptions,
    LONGEST_FAULT_DELAY, MAX_BROKERS, MAX_FAULT_RULES, NodeState, Replay, ResponseError, ResponseFrame,
    RuleId, ShutdownError, Snapshot, SnapshotError, StartError, TimeError, WaitError, WaitFor, When, look,
};
