//! Subscribing: records of one topic become values.
//!
//! Knows the library only as a [`ConsumerBackend`](crate::backend::ConsumerBackend), and configs only as what was read of them.

mod core;
mod moving;
mod reading;
mod rebalance;

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

pub(crate) use self::core::Core;
pub use self::moving::StartAt;
pub use self::reading::{RecordStream, Records, ValueStream, Values};
use crate::backend::RebalanceListener;
use crate::codec::{Codec, Json};
use crate::config::SubscriberConfig;
use crate::details::SubscriberDetails;
use crate::error::{ClientError, ErrorKind};
use crate::factory::Backends;
use crate::record::Record;

/// Reads one topic as a member of a consumer group. Made by [`create_subscriber`](crate::create_subscriber).
///
/// It can be cloned and shared: all clones are the same member, and each record is handed out once among them. Within a
/// partition records come in their order. The forms with `_async` are for tasks, of whatever runtime: they never block its
/// threads, and dropped before they are done they have taken nothing. The others block the thread that calls them.
///
/// Values are decoded by a codec, JSON unless one says otherwise. A payload that does not decode comes as an error of kind
/// [`ErrorKind::Decode`] that has the record ([`ClientError::record`]); reading goes on behind it. With `dead_letter_topic`
/// set it goes there instead, with the reason in its headers ([`DEAD_LETTER_HEADERS`](crate::DEAD_LETTER_HEADERS)).
///
/// ```
/// use std::time::Duration;
/// use serde::{Deserialize, Serialize};
/// use serde_json::json;
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Order {
///     id: u64,
/// }
///
/// # let broker = "embedded://subscriber";
/// # let config = json!({ "destination": "kafka://topic/orders", "bootstrap_servers": broker });
/// # let publisher = klamm_client::create_publisher("orders", config)?;
/// # publisher.publish(&Order { id: 1 })?;
/// # publisher.publish("no order")?;
/// # publisher.stop()?;
/// let subscriber = klamm_client::create_subscriber(
///     "billing",
///     json!({
///         "source": "kafka://topic/orders",
///         "bootstrap_servers": broker,
///         "consumer_config": { "auto_offset_reset": "earliest" },
///     }),
/// )?;
/// subscriber.start()?;
/// let order: Option<Order> = subscriber.get_data(Duration::from_secs(10))?;
/// assert_eq!(order, Some(Order { id: 1 }));
///
/// let refused = subscriber.get_data::<Order>(Duration::from_secs(10)).unwrap_err();
/// assert_eq!(refused.record().unwrap().value.as_deref(), Some(&b"no order"[..]));
/// subscriber.stop()?;
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
pub struct Subscriber<C = Json> {
    pub(crate) core: Arc<Core>,
    codec: Arc<C>,
}

impl<C> Clone for Subscriber<C> {
    fn clone(&self) -> Self {
        Subscriber { core: Arc::clone(&self.core), codec: Arc::clone(&self.codec) }
    }
}

impl<C> std::fmt::Debug for Subscriber<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriber").field("details", &self.core.details()).finish_non_exhaustive()
    }
}

impl Subscriber {
    pub(crate) fn new(config: SubscriberConfig, backends: Arc<dyn Backends>) -> Result<Self, ClientError> {
        Ok(Subscriber { core: Core::new(config, backends)?, codec: Arc::new(Json) })
    }
}

impl<C> Subscriber<C> {
    /// The same subscriber with another codec.
    pub fn with_codec<D: Codec>(self, codec: D) -> Subscriber<D> {
        Subscriber { core: self.core, codec: Arc::new(codec) }
    }

    /// The same subscriber, telling of rebalances. To be set before it is started.
    #[must_use]
    pub fn with_rebalance_listener(self, listener: Arc<dyn RebalanceListener>) -> Self {
        *self.core.listener.lock() = Some(listener);
        self
    }

    /// Begins to read: joins the group, in the background. Partitions, and with them records, come once the group has shared
    /// them out. After [`stop`](Subscriber::stop) it can be started again, and goes on from what its group has committed.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyRunning`] if it has been started. That the broker cannot be reached is told by reading.
    pub fn start(&self) -> Result<(), ClientError> {
        self.core.start()
    }

    /// Ends: commits what was handed out, where commits are automatic, and leaves the group. Records that were fetched and
    /// not handed out are left to whoever reads next. Stopping again does nothing, and says what the first time said.
    ///
    /// # Errors
    /// If the last commit failed: what was handed out since the one before will be handed out again.
    pub fn stop(&self) -> Result<(), ClientError> {
        self.core.stop()
    }

    /// As [`stop`](Subscriber::stop), for a task.
    ///
    /// # Errors
    /// As [`stop`](Subscriber::stop).
    pub async fn stop_async(&self) -> Result<(), ClientError> {
        self.core.stop_async().await
    }

    /// What it has to say of itself.
    pub fn details(&self) -> SubscriberDetails {
        self.core.details()
    }

    /// The topic that it reads.
    pub fn topic(&self) -> &str {
        &self.core.config.topic
    }
}

impl<C: Codec> Subscriber<C> {
    /// The next value, or none if none comes within `block_time`. Any type that deserialises will do, and
    /// `serde_json::Value` for whatever comes.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] with the record, if its payload does not decode; [`ErrorKind::NotRunning`] if the subscriber
    /// is not running; and what the library has to tell: unless [`ClientError::is_retriable`] says otherwise, it does not
    /// help to go on.
    pub fn get_data<T: DeserializeOwned>(&self, block_time: Duration) -> Result<Option<T>, ClientError> {
        self.data_until(Instant::now().checked_add(block_time))
    }

    /// As [`get_data`](Subscriber::get_data), for a task.
    ///
    /// # Errors
    /// As [`get_data`](Subscriber::get_data).
    pub async fn get_data_async<T: DeserializeOwned>(
        &self,
        block_time: Duration,
    ) -> Result<Option<T>, ClientError> {
        self.data_until_async(Instant::now().checked_add(block_time)).await
    }

    /// The next record, with topic, partition, offset, key, headers and timestamp and its payload as it is; or none if none
    /// comes within `block_time`. [`decode`](Subscriber::decode) makes a value of it.
    ///
    /// # Errors
    /// As [`get_data`](Subscriber::get_data), save that nothing is decoded.
    pub fn get_record(&self, block_time: Duration) -> Result<Option<Record>, ClientError> {
        let record = self.core.take(Instant::now().checked_add(block_time))?;
        Ok(record.inspect(|record| self.handed_out(record)))
    }

    /// As [`get_record`](Subscriber::get_record), for a task.
    ///
    /// # Errors
    /// As [`get_record`](Subscriber::get_record).
    pub async fn get_record_async(&self, block_time: Duration) -> Result<Option<Record>, ClientError> {
        let record = self.core.take_async(Instant::now().checked_add(block_time)).await?;
        Ok(record.inspect(|record| self.handed_out(record)))
    }

    /// The next records: as many as are there, at most `max_poll_records`; empty if none comes within `block_time`.
    ///
    /// # Errors
    /// As [`get_record`](Subscriber::get_record). An error that comes after some records is told by the next call.
    pub fn get_records(&self, block_time: Duration) -> Result<Vec<Record>, ClientError> {
        let first = self.get_record(block_time)?;
        self.and_more(first)
    }

    /// As [`get_records`](Subscriber::get_records), for a task.
    ///
    /// # Errors
    /// As [`get_records`](Subscriber::get_records).
    pub async fn get_records_async(&self, block_time: Duration) -> Result<Vec<Record>, ClientError> {
        let first = self.get_record_async(block_time).await?;
        self.and_more(first)
    }

    fn and_more(&self, first: Option<Record>) -> Result<Vec<Record>, ClientError> {
        let Some(first) = first else { return Ok(Vec::new()) };
        let mut records = vec![first];
        while records.len() < self.core.config.consumer.max_poll_records {
            match self.core.take_now() {
                Ok(Some(record)) => {
                    self.handed_out(&record);
                    records.push(record);
                }
                Ok(None) => break,
                Err(error) => {
                    self.core.postpone(error);
                    break;
                }
            }
        }
        Ok(records)
    }

    /// Values, one after the other: `for order in subscriber.iter::<Order>() { … }`. It waits for each, and ends when the
    /// subscriber is stopped, or after `consumer_timeout_ms` without one where the config says so.
    pub fn iter<T: DeserializeOwned>(&self) -> Values<'_, T, C> {
        Values { subscriber: self, values: PhantomData }
    }

    /// Records, one after the other; as [`iter`](Subscriber::iter).
    pub fn records(&self) -> Records<'_, C> {
        Records { subscriber: self }
    }

    /// A stream of values, for tasks of whatever runtime. It ends when the subscriber is stopped.
    ///
    /// ```
    /// use std::pin::pin;
    /// use futures_core::Stream;
    /// use serde_json::{Value, json};
    ///
    /// # let broker = "embedded://stream";
    /// # let config = json!({ "destination": "kafka://topic/orders", "bootstrap_servers": broker });
    /// # let publisher = klamm_client::create_publisher("orders", config)?;
    /// # publisher.publish(&json!({ "id": 1 }))?;
    /// # publisher.stop()?;
    /// # let config = json!({
    /// #     "source": "kafka://topic/orders",
    /// #     "bootstrap_servers": broker,
    /// #     "consumer_config": { "auto_offset_reset": "earliest" },
    /// # });
    /// # let subscriber = klamm_client::create_subscriber("billing", config)?;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// subscriber.start()?;
    /// let mut orders = pin!(subscriber.stream::<Value>());
    /// let next = std::future::poll_fn(|context| orders.as_mut().poll_next(context)); // or StreamExt::next
    /// assert_eq!(next.await.unwrap()?, json!({ "id": 1 }));
    /// subscriber.stop_async().await?;
    /// # Ok::<(), klamm_client::ClientError>(())
    /// # })?;
    /// # Ok::<(), klamm_client::ClientError>(())
    /// ```
    pub fn stream<T: DeserializeOwned + Send + 'static>(&self) -> ValueStream<T, C> {
        ValueStream::new(self.clone())
    }

    /// A stream of records; as [`stream`](Subscriber::stream).
    pub fn record_stream(&self) -> RecordStream<C> {
        RecordStream::new(self.clone())
    }

    /// The value of a record's payload; of a record without one, that of `null`.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] with the record, if its payload does not decode.
    pub fn decode<T: DeserializeOwned>(&self, record: &Record) -> Result<T, ClientError> {
        self.decoded(record).map_err(|error| error.with_record(record.clone()))
    }

    /// Sends a record that cannot be used to the dead-letter topic, with the reason in its headers. Its offset is not
    /// committed before it has arrived there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the config names no `dead_letter_topic`; [`ErrorKind::NotRunning`].
    pub fn dead_letter(&self, record: Record, reason: ClientError) -> Result<(), ClientError> {
        let run = self.core.run()?;
        let Some(letters) = &run.letters else {
            let asked = format!("sending a record of '{}' to the dead letters", record.topic);
            return Err(ClientError::new(ErrorKind::Config, asked, "the config names no dead_letter_topic")
                .remedy("set dead_letter_topic to the name of a topic"));
        };
        letters.post(record, reason);
        Ok(())
    }

    fn decoded<T: DeserializeOwned>(&self, record: &Record) -> Result<T, ClientError> {
        let payload = record.value.as_deref().unwrap_or(b"null");
        self.codec.decode(payload).map_err(|error| {
            let asked =
                format!("decoding offset {} of '{}-{}'", record.offset, record.topic, record.partition);
            ClientError::new(ErrorKind::Decode, asked, error.to_string())
                .remedy("the record is with this error; dead_letter_topic would keep such records aside")
        })
    }

    fn handed_out(&self, record: &Record) {
        if self.core.config.dead_letter_topic.is_some()
            && let Ok(run) = self.core.run()
            && let Some(letters) = &run.letters
        {
            letters.handed_out(record);
        }
    }

    /// The value of a record, or none if it went to the dead letters.
    fn open<T: DeserializeOwned>(&self, record: Record) -> Option<Result<T, ClientError>> {
        match self.decoded(&record) {
            Ok(value) => {
                self.handed_out(&record);
                Some(Ok(value))
            }
            Err(error) => {
                self.count_undecodable();
                if self.core.config.dead_letter_topic.is_some() {
                    return match self.dead_letter(record, error) {
                        Ok(()) => None,
                        Err(error) => Some(Err(error)),
                    };
                }
                Some(Err(error.with_record(record)))
            }
        }
    }

    fn data_now<T: DeserializeOwned>(&self) -> Result<Option<T>, ClientError> {
        while let Some(record) = self.core.take_now()? {
            if let Some(outcome) = self.open(record) {
                return outcome.map(Some);
            }
        }
        Ok(None)
    }

    fn data_until<T: DeserializeOwned>(&self, deadline: Option<Instant>) -> Result<Option<T>, ClientError> {
        while let Some(record) = self.core.take(deadline)? {
            if let Some(outcome) = self.open(record) {
                return outcome.map(Some);
            }
        }
        Ok(None)
    }

    async fn data_until_async<T: DeserializeOwned>(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Option<T>, ClientError> {
        while let Some(record) = self.core.take_async(deadline).await? {
            if let Some(outcome) = self.open(record) {
                return outcome.map(Some);
            }
        }
        Ok(None)
    }

    /// The value of a record that was taken; for pipelines.
    pub(crate) fn open_for<T: DeserializeOwned>(&self, record: &Record) -> Result<T, ClientError> {
        let decoded = self.decoded(record);
        match &decoded {
            Ok(_) => self.handed_out(record),
            Err(_) => self.count_undecodable(),
        }
        decoded
    }

    fn count_undecodable(&self) {
        self.core.undecodable.fetch_add(1, Ordering::Relaxed);
        self.core.meters.undecodable.increment(1);
    }
}

#[cfg(test)]
mod tests;
