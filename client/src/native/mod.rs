//! The native library: the Kafka protocol in pure Rust, over TCP, TLS or within the process.
//!
//! From the bottom up: a [`transport`] carries bytes; a [`connection`] sends requests and hands out their answers; a
//! [`cluster`](Cluster) knows brokers, leaders and coordinators, and has connections to them.

pub(crate) mod chunks;
pub(crate) mod cluster;
pub(crate) mod connection;
pub(crate) mod consumer;
pub(crate) mod producer;
pub(crate) mod retry;
mod sasl;
#[cfg(test)]
pub(crate) mod testing;
mod transport;
pub(crate) mod versions;

pub(crate) use cluster::{Cluster, Lane, Node};
