//! The whole producer, against brokers of this process.
