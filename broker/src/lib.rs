//! The broker of Klamm: the Kafka protocol over a partition log, inside a process.

mod coordinator;
