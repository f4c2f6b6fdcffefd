//! Publishing: values become records of one topic.
//!
//! Knows the library only as a [`ProducerBackend`], and configs only as what was read of them.

mod buffer;
mod collector;
mod core;
mod losses;
mod message;
mod reply;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tracing::Instrument;

pub(crate) use self::buffer::Buffer;
use self::core::Core;
pub(crate) use self::message::Limits;
pub use self::message::Message;
pub(crate) use self::reply::Reply;
use crate::backend::{RecordToSend, Report};
use crate::codec::{Codec, Json};
use crate::config::PublisherConfig;
use crate::details::{PublisherDetails, now_millis};
use crate::error::ClientError;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::factory::Backends;
use crate::record::{Delivered, Undelivered};

/// Publishes to one topic. Made by [`create_publisher`](crate::create_publisher).
///
/// It can be cloned and shared: all clones are the same publisher. Publishing queues the record and returns; when the buffer is
/// full it waits up to `max_block_ms` for room. Records of one thread for one partition keep their order. The
/// forms with `_async` are for tasks, of whatever runtime: they never block its threads. The others block the thread that
/// calls them.
///
/// What is still queued when the last clone is dropped is sent in the background, without anybody being told what became
/// of it: call [`stop`](Publisher::stop) first.
///
/// ```
/// use serde::Serialize;
/// use serde_json::json;
///
/// #[derive(Serialize)]
/// struct Order {
///     id: u64,
///     item: &'static str,
/// }
///
/// let config = json!({ "destination": "kafka://topic/orders", "bootstrap_servers": "embedded://publisher" });
/// let publisher = klamm_client::create_publisher("orders", config)?;
/// publisher.publish(&Order { id: 1, item: "lamp" })?; // JSON
/// publisher.publish("a text goes as it is")?;
/// let delivered = publisher.publish_acknowledged(&Order { id: 2, item: "chair" })?;
/// assert_eq!(delivered.offset, 2);
///
/// let report = publisher.stop()?;
/// assert!(report.undelivered.is_empty());
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
pub struct Publisher<C = Json> {
    core: Arc<Core>,
    codec: Arc<C>,
}

/// What [`Publisher::stop`] has to report.
#[derive(Debug, Clone)]
pub struct StopReport {
    /// Accepted records that could not be delivered, with the reason. At most 10,000 of them, or 32 MiB; without those that
    /// [`Publisher::take_undelivered`] gave away, and those whose publisher was told by an error.
    pub undelivered: Vec<Undelivered>,
    /// How many accepted records could not be delivered over all.
    pub failed_count: u64,
}

impl<C> Clone for Publisher<C> {
    fn clone(&self) -> Self {
        Publisher { core: Arc::clone(&self.core), codec: Arc::clone(&self.codec) }
    }
}

impl<C> std::fmt::Debug for Publisher<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("details", &self.core.details()).finish_non_exhaustive()
    }
}

impl Publisher {
    pub(crate) fn new(config: &PublisherConfig, backends: &dyn Backends) -> Result<Self, ClientError> {
        Ok(Publisher { core: Core::start(config, backends)?, codec: Arc::new(Json) })
    }
}

impl<C> Publisher<C> {
    /// The same publisher with another codec.
    pub fn with_codec<D: Codec>(self, codec: D) -> Publisher<D> {
        Publisher { core: self.core, codec: Arc::new(codec) }
    }

    /// Waits until everything that was accepted is acknowledged or given up. What was given up is in
    /// [`details`](Publisher::details) and [`take_undelivered`](Publisher::take_undelivered).
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if that takes longer than `delivery_timeout_ms` and some; what is queued stays queued.
    pub fn flush(&self) -> Result<(), ClientError> {
        self.core.flush()
    }

    /// As [`flush`](Publisher::flush), for a task.
    ///
    /// # Errors
    /// As [`flush`](Publisher::flush).
    pub async fn flush_async(&self) -> Result<(), ClientError> {
        self.core.flush_async().await
    }

    /// Delivers what is queued, and ends. What could not be delivered within `delivery_timeout_ms` is in the report. Nothing
    /// can be published afterwards. Stopping again gives the same report.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if the system gives no threads.
    pub fn stop(&self) -> Result<StopReport, ClientError> {
        self.core.stop(None)
    }

    /// As [`stop`](Publisher::stop), and gives up after this time what is not delivered by then.
    ///
    /// # Errors
    /// As [`stop`](Publisher::stop).
    pub fn stop_within(&self, time: Duration) -> Result<StopReport, ClientError> {
        self.core.stop(Some(time))
    }

    /// As [`stop`](Publisher::stop), for a task.
    ///
    /// # Errors
    /// As [`stop`](Publisher::stop).
    pub async fn stop_async(&self) -> Result<StopReport, ClientError> {
        self.core.stop_async(None).await
    }

    /// What it has to say of itself.
    pub fn details(&self) -> PublisherDetails {
        self.core.details()
    }

    /// The records that were accepted and could not be delivered, with the reason, since this was last asked. At most 10,000
    /// of them, or 32 MiB, are kept; beyond that they are counted. Those that were published with an `_acknowledged`
    /// form are not among them: their publisher was told.
    pub fn take_undelivered(&self) -> Vec<Undelivered> {
        self.core.losses.take()
    }

    /// The topic that it publishes to.
    pub fn topic(&self) -> &str {
        &self.core.topic
    }

    /// Has what waits sent without lingering.
    pub(crate) fn hurry(&self) {
        self.core.hurry();
    }
}

impl<C: Codec> Publisher<C> {
    /// Publishes a value: a text as it is, everything else as the codec makes a payload of it. Returns once it is queued.
    ///
    /// # Errors
    /// Of none of these the record was accepted:
    /// * [`ErrorKind::Serialize`]: the codec makes no payload of the value;
    /// * [`ErrorKind::TooLarge`]: it is larger than `max_request_size`;
    /// * [`ErrorKind::BufferFull`]: there was no room for `max_block_ms`; try again, or make `buffer_memory` larger;
    /// * [`ErrorKind::NotRunning`]: the publisher was stopped.
    pub fn publish<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), ClientError> {
        self.send(Message::new(value))
    }

    /// Publishes bytes as they are.
    ///
    /// # Errors
    /// As [`publish`](Publisher::publish), save that it need not serialise.
    pub fn publish_bytes(&self, payload: impl AsRef<[u8]>) -> Result<(), ClientError> {
        self.send(Message::bytes(payload.as_ref()))
    }

    /// Publishes a message: a value with a key, headers, a partition or a timestamp.
    ///
    /// # Errors
    /// As [`publish`](Publisher::publish); [`ErrorKind::InvalidArgument`] for a negative partition or timestamp.
    pub fn send<T: Serialize + ?Sized>(&self, message: Message<'_, T>) -> Result<(), ClientError> {
        self.with_report(message, None)
    }

    /// Publishes a value and waits until the broker has acknowledged it. Gives topic, partition and offset.
    ///
    /// # Errors
    /// As [`publish`](Publisher::publish), and whatever kept the record from being delivered.
    pub fn publish_acknowledged<T: Serialize + ?Sized>(&self, value: &T) -> Result<Delivered, ClientError> {
        self.send_acknowledged(Message::new(value))
    }

    /// Publishes a message and waits until the broker has acknowledged it. Gives topic, partition and offset.
    ///
    /// # Errors
    /// As [`publish_acknowledged`](Publisher::publish_acknowledged).
    pub fn send_acknowledged<T: Serialize + ?Sized>(
        &self,
        message: Message<'_, T>,
    ) -> Result<Delivered, ClientError> {
        let _span = self.core.acknowledged_span().entered();
        let (report, reply) = Reply::new();
        self.with_report(message, Some(report))?;
        self.core.told(reply.wait())
    }

    /// As [`publish`](Publisher::publish), for a task. The value is serialised at once, the rest happens when the
    /// future is awaited. Dropped before it is done, it has published or not.
    ///
    /// # Errors
    /// As [`publish`](Publisher::publish).
    pub fn publish_async<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + use<'_, T, C> {
        self.send_async(Message::new(value))
    }

    /// As [`send`](Publisher::send), for a task.
    ///
    /// # Errors
    /// As [`send`](Publisher::send).
    pub fn send_async<T: Serialize + ?Sized>(
        &self,
        message: Message<'_, T>,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + use<'_, T, C> {
        let prepared = self.prepare(message);
        async move { prepared?.accept_async(None).await }
    }

    /// As [`publish_acknowledged`](Publisher::publish_acknowledged), for a task. Dropped before it is done, the record
    /// may be delivered or not.
    ///
    /// # Errors
    /// As [`publish_acknowledged`](Publisher::publish_acknowledged).
    pub fn publish_acknowledged_async<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> impl Future<Output = Result<Delivered, ClientError>> + Send + use<'_, T, C> {
        self.send_acknowledged_async(Message::new(value))
    }

    /// As [`send_acknowledged`](Publisher::send_acknowledged), for a task.
    ///
    /// # Errors
    /// As [`send_acknowledged`](Publisher::send_acknowledged).
    pub fn send_acknowledged_async<T: Serialize + ?Sized>(
        &self,
        message: Message<'_, T>,
    ) -> impl Future<Output = Result<Delivered, ClientError>> + Send + use<'_, T, C> {
        let prepared = self.prepare(message);
        async move {
            let (report, reply) = Reply::new();
            prepared?.accept_async(Some(report)).await?;
            self.core.told(reply.wait_async().await)
        }
        .instrument(self.core.acknowledged_span())
    }

    /// Publishes a message; the report is told what became of it.
    pub(crate) fn with_report<T: Serialize + ?Sized>(
        &self,
        message: Message<'_, T>,
        report: Option<Report>,
    ) -> Result<(), ClientError> {
        let core = &*self.core;
        let mut buffer = Buffer::take();
        let encoded = message.encode(&*self.codec, &mut buffer, core.limits())?;
        let now = now_millis();
        let record = RecordToSend {
            topic: &core.topic,
            partition: encoded.partition,
            key: encoded.key,
            value: encoded.value,
            headers: &encoded.headers,
            timestamp: Some(encoded.timestamp.unwrap_or(now)),
        };
        core.accept(&record, now, report)
    }

    /// As [`with_report`](Publisher::with_report), for a task.
    pub(crate) fn with_report_async<T: Serialize + ?Sized>(
        &self,
        message: Message<'_, T>,
        report: Report,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + use<'_, T, C> {
        let prepared = self.prepare(message);
        async move { prepared?.accept_async(Some(report)).await }
    }

    /// Everything of a message by value, for a future to keep.
    fn prepare<T: Serialize + ?Sized>(
        &self,
        message: Message<'_, T>,
    ) -> Result<core::Prepared<'_>, ClientError> {
        let mut buffer = Buffer::take();
        let encoded = message.encode(&*self.codec, &mut buffer, self.core.limits())?;
        let now = now_millis();
        Ok(core::Prepared {
            core: &self.core,
            partition: encoded.partition,
            key: encoded.key.map(<[u8]>::to_vec),
            value: encoded.value.map(<[u8]>::to_vec),
            headers: encoded.headers,
            timestamp: encoded.timestamp.unwrap_or(now),
            now,
        })
    }
}

#[cfg(test)]
mod tests;
