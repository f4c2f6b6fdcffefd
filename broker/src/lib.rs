//! The broker of Klamm: the Kafka protocol over a partition log, inside a process.
//!
//! A request goes one way: connection, frame, guard, dispatch, `api/<name>`, coordinator (where there is one),
//! partition, log. Only wake-ups of waiting fetches travel back up.

#![forbid(unsafe_code)]

mod api;
mod clock;
mod cluster;
mod complaints;
mod config;
mod connection;
mod context;
mod coordinator;
mod dispatch;
mod error_code;
mod faults;
mod fetch;
mod frame;
mod hand;
mod housekeeper;
mod ids;
mod journal;
mod limits;
mod listeners;
mod lives;
pub mod look;
mod metadata;
mod operations;
mod partition;
mod patience;
mod placement;
mod producer_ids;
mod properties;
mod quick;
mod random;
mod server;
mod shared_map;
mod snapshot;
mod start;
mod state;
mod strays;
mod timers;
mod topics;
mod transport;
mod watch;

pub use clock::{Clock, TimeError};
pub use cluster::{
    Cluster, ClusterError, ClusterGroup, ClusterNode, ClusterPartition, ClusterView, MAX_BROKERS, NodeState,
};
pub use config::ConfigError;
pub use faults::{
    Close, Delay, DelayClock, DiskTrouble, Effect, Fault, FaultError, FaultRule, Faults, LONGEST_FAULT_DELAY,
    MAX_FAULT_RULES, RuleId, When,
};
pub use frame::ResponseFrame;
pub use journal::{
    Difference, JOURNAL_FILE_BYTES, JOURNAL_MEMORY_BYTES, Journal, JournalError, JournalOptions, Replay,
};
pub use kafka_protocol::error::ResponseError;
pub use kafka_protocol::messages::ApiKey;
pub use server::{Broker, BrokerBuilder, ShutdownError, StartError};
pub use snapshot::{Snapshot, SnapshotError};
pub use transport::{InProcessConnection, InProcessReceiver, InProcessSender, Unsent};
pub use watch::{WaitError, WaitFor};
