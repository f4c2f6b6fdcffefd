//! A producer that outlasts its broker, as a program sees it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::buffering::{Core, Entry};
use crate::codec::{Codec, Json};
use crate::config::PublisherConfig;
use crate::details::{after, now_millis};
use crate::error::ClientError;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::factory::{Backends, Library};
use crate::publisher::{Buffer, Limits, Message, StopReport};
use crate::record::Undelivered;

/// Publishes to one topic, and outlasts its broker. Made by
/// [`create_resilient_producer`](crate::create_resilient_producer).
///
/// While the broker is away, what is published waits, in order, up to `buffer_max_messages`; beyond that publishing is an
/// error at once. The broker is looked for every `reconnect_interval_seconds` (the library itself tries more often); once
/// it is back, everything is sent in order. After `reconnect_tries` in vain what waits is given up and kept:
/// [`unsent`](ResilientProducer::unsent) has it, with the reason, in order, and
/// [`resend`](ResilientProducer::resend) tries again. Nothing that was accepted is dropped.
///
/// With `acks` `all`, the default here, the broker drops what it gets twice, unless the producer was made anew in between.
///
/// ```
/// use serde_json::json;
///
/// let producer = klamm_client::create_resilient_producer(
///     "orders",
///     json!({
///         "destination": "kafka://topic/orders",
///         "bootstrap_servers": "embedded://resilient",
///         "reconnect_tries": 3,
///         "reconnect_interval_seconds": 1,
///         "buffer_max_messages": 1000,
///     }),
/// )?;
/// producer.publish(&json!({ "id": 1 }))?;
/// let report = producer.stop()?;
/// assert!(report.undelivered.is_empty());
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
pub struct ResilientProducer<C = Json> {
    core: Arc<Core>,
    codec: Arc<C>,
}

/// What a resilient producer says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct ResilientDetails {
    /// Its name.
    pub name: String,
    /// Where it publishes to: `kafka://topic/NAME`.
    pub destination: String,
    /// The library behind it.
    pub library: Library,
    /// Whether the broker was there when somebody looked last.
    pub connected: bool,
    /// How often it was looked for in vain since it went away.
    pub tries: u32,
    /// Messages that were accepted and are neither acknowledged nor given up.
    pub buffered: usize,
    /// Messages that were acknowledged.
    pub sent: u64,
    /// Messages that were given up and are kept.
    pub unsent: usize,
}

impl<C> Clone for ResilientProducer<C> {
    fn clone(&self) -> Self {
        ResilientProducer { core: Arc::clone(&self.core), codec: Arc::clone(&self.codec) }
    }
}

impl<C> std::fmt::Debug for ResilientProducer<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResilientProducer").field("details", &self.core.details()).finish_non_exhaustive()
    }
}

impl ResilientProducer {
    pub(crate) fn new(config: PublisherConfig, backends: Arc<dyn Backends>) -> Result<Self, ClientError> {
        let core = Core::start(config, backends)?;
        Ok(ResilientProducer { core, codec: Arc::new(Json) })
    }
}

impl<C> ResilientProducer<C> {
    /// The same producer with another codec.
    pub fn with_codec<D: Codec>(self, codec: D) -> ResilientProducer<D> {
        ResilientProducer { core: self.core, codec: Arc::new(codec) }
    }

    /// The messages that could not be sent, in order, each with the reason. They are kept.
    pub fn unsent(&self) -> Vec<Undelivered> {
        self.core.state.lock().unsent.values().cloned().collect()
    }

    /// The messages that could not be sent, in order, each with the reason. They are kept no longer.
    pub fn take_unsent(&self) -> Vec<Undelivered> {
        std::mem::take(&mut self.core.state.lock().unsent).into_values().collect()
    }

    /// Publishes what could not be sent once more, in order, behind what waits. Gives how many were accepted; what was not
    /// accepted stays among the unsent.
    ///
    /// # Errors
    /// As [`publish`](ResilientProducer::publish), for the first that is not accepted.
    pub fn resend(&self) -> Result<usize, ClientError> {
        let mut again = 0;
        loop {
            let Some((number, unsent)) = self.core.state.lock().unsent.pop_first() else { return Ok(again) };
            let entry = Entry {
                key: unsent.key.clone(),
                value: unsent.value.clone(),
                headers: unsent.headers.clone(),
                partition: unsent.partition,
                timestamp: unsent.timestamp,
            };
            if let Err(error) = self.core.publish(entry) {
                self.core.state.lock().unsent.insert(number, unsent);
                return Err(error);
            }
            again += 1;
        }
    }

    /// Waits until everything that was accepted is acknowledged or given up, at most so long.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`]; what waits goes on waiting.
    pub fn flush(&self, time: Duration) -> Result<(), ClientError> {
        self.core.hurry();
        let deadline = after(time);
        self.core.changed.wait(Some(deadline), || self.core.is_empty()).ok_or_else(|| self.core.not_flushed())
    }

    /// As [`flush`](ResilientProducer::flush), for a task.
    ///
    /// # Errors
    /// As [`flush`](ResilientProducer::flush).
    pub async fn flush_async(&self, time: Duration) -> Result<(), ClientError> {
        self.core.hurry();
        let deadline = after(time);
        let empty = self.core.changed.wait_async(Some(deadline), || self.core.is_empty()).await;
        empty.ok_or_else(|| self.core.not_flushed())
    }

    /// Delivers what waits, and ends. What is not delivered within `delivery_timeout_ms` is in the report, and stays in
    /// [`unsent`](ResilientProducer::unsent). Stopping again gives the same report.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if the system gives no threads.
    pub fn stop(&self) -> Result<StopReport, ClientError> {
        self.stop_within(self.core.config.producer.delivery_timeout)
    }

    /// As [`stop`](ResilientProducer::stop), and gives up after this time what is not delivered by then.
    ///
    /// # Errors
    /// As [`stop`](ResilientProducer::stop).
    pub fn stop_within(&self, time: Duration) -> Result<StopReport, ClientError> {
        self.core.begin_stop(time)?;
        let report = self.core.changed.wait(None, || self.core.state.lock().report.clone());
        report.ok_or_else(|| self.core.not_running())
    }

    /// As [`stop`](ResilientProducer::stop), for a task.
    ///
    /// # Errors
    /// As [`stop`](ResilientProducer::stop).
    pub async fn stop_async(&self) -> Result<StopReport, ClientError> {
        self.core.begin_stop(self.core.config.producer.delivery_timeout)?;
        let report = self.core.changed.wait_async(None, || self.core.state.lock().report.clone()).await;
        report.ok_or_else(|| self.core.not_running())
    }

    /// What it has to say of itself.
    pub fn details(&self) -> ResilientDetails {
        self.core.details()
    }
}

impl<C: Codec> ResilientProducer<C> {
    /// Publishes a value, as [`Publisher::publish`](crate::Publisher::publish) does. Returns once it is buffered.
    ///
    /// # Errors
    /// Of none of these the message was accepted:
    /// * [`ErrorKind::BufferFull`]: `buffer_max_messages` wait while the broker is away, or the broker is there and there was no
    ///   room for `max_block_ms`, or as many unsent ones are kept and nobody takes them;
    /// * [`ErrorKind::Serialize`], [`ErrorKind::TooLarge`], [`ErrorKind::InvalidArgument`], [`ErrorKind::NotRunning`].
    pub fn publish<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), ClientError> {
        self.send(Message::new(value))
    }

    /// Publishes bytes as they are.
    ///
    /// # Errors
    /// As [`publish`](ResilientProducer::publish).
    pub fn publish_bytes(&self, payload: impl AsRef<[u8]>) -> Result<(), ClientError> {
        self.send(Message::bytes(payload.as_ref()))
    }

    /// Publishes a message.
    ///
    /// # Errors
    /// As [`publish`](ResilientProducer::publish).
    pub fn send<T: Serialize + ?Sized>(&self, message: Message<'_, T>) -> Result<(), ClientError> {
        self.core.publish(self.entry(message)?)
    }

    /// As [`publish`](ResilientProducer::publish), for a task.
    ///
    /// # Errors
    /// As [`publish`](ResilientProducer::publish).
    pub fn publish_async<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + use<'_, T, C> {
        self.send_async(Message::new(value))
    }

    /// As [`send`](ResilientProducer::send), for a task.
    ///
    /// # Errors
    /// As [`publish`](ResilientProducer::publish).
    pub fn send_async<T: Serialize + ?Sized>(
        &self,
        message: Message<'_, T>,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + use<'_, T, C> {
        let entry = self.entry(message);
        async move { self.core.publish_async(entry?).await }
    }

    fn entry<T: Serialize + ?Sized>(&self, message: Message<'_, T>) -> Result<Entry, ClientError> {
        let mut buffer = Buffer::take();
        let config = &self.core.config;
        let limits = Limits {
            topic: &config.topic,
            max_size: config.producer.max_request_size,
            trace: config.trace_headers,
        };
        let encoded = message.encode(&*self.codec, &mut buffer, limits)?;
        Ok(Entry {
            key: encoded.key.map(Bytes::copy_from_slice),
            value: encoded.value.map(Bytes::copy_from_slice),
            headers: encoded.headers,
            partition: encoded.partition,
            timestamp: encoded.timestamp.unwrap_or_else(now_millis),
        })
    }
}
