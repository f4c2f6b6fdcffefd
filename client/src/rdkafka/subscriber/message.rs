//! librdkafka's messages as records.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ::rdkafka::message::{BorrowedMessage, Headers as _, Message};
use bytes::{Bytes, BytesMut};

use crate::error::{ClientError, ErrorKind};
use crate::record::{Headers, Record};

/// Keys and values are copied into blocks of this size, which many share, and larger ones into a block of their own.
const BLOCK: usize = 64 * 1024;

/// Copies messages out of librdkafka's memory.
#[derive(Debug, Default)]
pub(super) struct Copier {
    block: BytesMut,
    /// Topics by name, so that records share them.
    topics: Vec<Arc<str>>,
}

impl Copier {
    pub(super) fn new(topics: &[Arc<str>]) -> Copier {
        Copier { block: BytesMut::new(), topics: topics.to_vec() }
    }

    /// The record that a message is.
    ///
    /// # Errors
    /// If its headers cannot be told; the error names the record.
    pub(super) fn record(&mut self, message: &BorrowedMessage<'_>) -> Result<Record, ClientError> {
        let topic = self.topic(message.topic());
        let headers = headers_of(message).ok_or_else(|| {
            let place = format!("{topic}-{} at offset {}", message.partition(), message.offset());
            let why = "the name of a header is not UTF-8, which librdkafka's binding cannot read";
            ClientError::new(ErrorKind::Decode, format!("reading {place}"), why)
                .remedy("read it with kafka_library set to native")
        })?;
        Ok(Record {
            topic,
            partition: message.partition(),
            offset: message.offset(),
            // The binding does not tell.
            leader_epoch: -1,
            timestamp: message.timestamp().to_millis().unwrap_or(-1),
            key: message.key().map(|key| self.copy(key)),
            value: message.payload().map(|value| self.copy(value)),
            headers,
        })
    }

    fn topic(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.topics.iter().find(|topic| &***topic == name) {
            return Arc::clone(known);
        }
        let topic: Arc<str> = name.into();
        self.topics.push(Arc::clone(&topic));
        topic
    }

    fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.len() >= BLOCK / 2 {
            return Bytes::copy_from_slice(bytes);
        }
        if self.block.capacity() < bytes.len() {
            self.block = BytesMut::with_capacity(BLOCK);
        }
        self.block.extend_from_slice(bytes);
        self.block.split().freeze()
    }
}

/// A message's headers; none if they cannot be told.
pub(in super::super) fn headers_of(message: &BorrowedMessage<'_>) -> Option<Headers> {
    let Some(headers) = message.headers() else { return Some(Headers::new()) };
    let read = || {
        let owned = |value: &[u8]| Bytes::copy_from_slice(value);
        headers.iter().map(|header| (header.key.to_owned(), header.value.map(owned))).collect()
    };
    // The binding panics over names that are not UTF-8, and a message is not to end the thread that reads.
    catch_unwind(AssertUnwindSafe(read)).ok()
}
