//! Klamm: an Apache Kafka-compatible broker that runs inside your process.
