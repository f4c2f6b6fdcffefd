//! Producers and consumers of bytes, for tools: any topic and any partition, with and without a group, records as they are.
//!
//! Options come from [`CommandConfig`](crate::CommandConfig), or are set as they are. A [`Publisher`](crate::Publisher) is bound to a topic, encodes values, keeps figures and gives back what it could not deliver; a
//! [`Subscriber`](crate::Subscriber) is a member of a group and decodes. What moves records for a living needs none of it
//! and pays for all of it: here records go straight into batches, and come straight out of them, by the native library alone.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use klamm_client::raw::{self, Begin, RecordToSend};
//! use klamm_client::{Bootstrap, ClientOptions, ConsumerOptions, ProducerOptions, TopicPartition};
//!
//! let bootstrap = Bootstrap::Embedded { name: "raw docs".to_owned(), data_dir: None };
//! let client = ClientOptions { bootstrap, ..ClientOptions::default() };
//! let options = ProducerOptions::default();
//! let producer = raw::Producer::new(&client, &options, |lost, why| eprintln!("lines {lost:?}: {why}"))?;
//! let topic: Arc<str> = "orders".into();
//! for (line, value) in (1..).zip(["one", "two"]) {
//!     let (key, headers) = (None, &[]);
//!     let (partition, timestamp) = (Some(0), None);
//!     let record = RecordToSend { topic: &topic, partition, key, value: Some(value.as_bytes()), headers, timestamp };
//!     producer.send(&record, line)?;
//! }
//! producer.close(Duration::from_secs(10))?;
//!
//! let second = (TopicPartition::new("orders", 0), Begin::Offset(1));
//! let consumer = raw::Consumer::assign(client, ConsumerOptions::default(), &[second])?;
//! let record = consumer.next(Duration::from_secs(10)).expect("it is there")?;
//! assert_eq!((record.offset, record.value.as_deref()), (1, Some(&b"two"[..])));
//! # Ok::<(), klamm_client::ClientError>(())
//! ```

mod consumer;
mod producer;
#[cfg(test)]
mod tests;

pub use self::consumer::{Begin, Consumer, Position, Topics};
pub use self::producer::Producer;
pub use crate::backend::RecordToSend;
