//! The broker of Klamm: the Kafka protocol over a partition log, inside a process.
//!
//! A request goes one way: connection, frame, guard, dispatch, `api/<name>`, coordinator (where there is one),
//! partition, log. Only wake-ups of waiting fetches travel back up.

#![forbid(unsafe_code)]

mod api;
mod clock;
mod complaints;
mod config;
mod connection;
mod context;
mod coordinator;
mod dispatch;
mod error_code;
mod fetch;
mod frame;
mod guard;
mod housekeeper;
mod ids;
mod limits;
mod listeners;
mod lives;
mod metadata;
mod operations;
mod partition;
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

pub use clock::Clock;
pub use config::ConfigError;
pub use frame::ResponseFrame;
pub use server::{Broker, BrokerBuilder, ShutdownError, StartError};
pub use snapshot::{Snapshot, SnapshotError};
pub use transport::InProcessConnection;
