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
//! The `klamm serve` command does the same as a process of its own.

#![forbid(unsafe_code)]

pub use klamm_broker::{
    ApiKey, Broker, BrokerBuilder, Clock, Close, ConfigError, Delay, DelayClock, Difference, DiskTrouble,
    Effect, Fault, FaultError, FaultRule, Faults, InProcessConnection, Journal, JournalError, JournalOptions,
    LONGEST_FAULT_DELAY, MAX_FAULT_RULES, Replay, ResponseError, ResponseFrame, RuleId, ShutdownError,
    Snapshot, SnapshotError, StartError, TimeError, WaitError, WaitFor, When, look,
};
