//! A consumer that outlasts its broker: errors that pass are waited out, and reading goes on from the committed position.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use super::reachable;
use crate::codec::{Codec, Json};
use crate::config::SubscriberConfig;
use crate::details::{SubscriberDetails, after};
use crate::error::{ClientError, ErrorKind};
use crate::factory::Backends;
use crate::record::Record;
use crate::runtime;
use crate::subscriber::Subscriber;

/// Reads one topic, and outlasts its broker. Made by
/// [`create_resilient_consumer`](crate::create_resilient_consumer).
///
/// While the broker is away, reading waits as if nothing came. The broker is looked for every
/// `reconnect_interval_seconds` (the library itself tries more often); once it is back, the consumer is in its group
/// again and goes on from where that has committed: what was handed out and not committed comes again. After
/// `reconnect_tries` in vain reading is an error, once; reading on begins to count anew.
///
/// ```
/// use std::time::Duration;
/// use serde_json::{Value, json};
///
/// # let config = json!({ "destination": "kafka://topic/orders", "bootstrap_servers": "embedded://outlasts" });
/// # let publisher = klamm_client::create_publisher("orders", config)?;
/// # publisher.publish(&json!({ "id": 1 }))?;
/// # publisher.stop()?;
/// let consumer = klamm_client::create_resilient_consumer(
///     "orders",
///     json!({
///         "bootstrap_servers": "embedded://outlasts",
///         "reconnect_tries": 3,
///         "reconnect_interval_seconds": 1,
///         "consumer_config": { "auto_offset_reset": "earliest" },
///     }),
/// )?;
/// consumer.start()?;
/// let order: Option<Value> = consumer.get_data(Duration::from_secs(10))?;
/// assert_eq!(order, Some(json!({ "id": 1 })));
/// consumer.stop()?;
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
pub struct ResilientConsumer<C = Json> {
    subscriber: Subscriber<C>,
    outage: Arc<Mutex<Option<Outage>>>,
}

/// The broker is away.
#[derive(Debug, Clone)]
struct Outage {
    tries: u32,
    next_try: Instant,
    error: ClientError,
}

impl<C> Clone for ResilientConsumer<C> {
    fn clone(&self) -> Self {
        ResilientConsumer { subscriber: self.subscriber.clone(), outage: Arc::clone(&self.outage) }
    }
}

impl<C> std::fmt::Debug for ResilientConsumer<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResilientConsumer")
            .field("subscriber", &self.subscriber)
            .field("outage", &self.outage)
            .finish()
    }
}

impl ResilientConsumer {
    pub(crate) fn new(
        mut config: SubscriberConfig,
        backends: Arc<dyn Backends>,
    ) -> Result<Self, ClientError> {
        let client = &mut config.client;
        client.reconnect_backoff_max = client.reconnect_backoff_max.min(config.resilience.interval);
        client.reconnect_backoff = client.reconnect_backoff.min(client.reconnect_backoff_max);
        Ok(ResilientConsumer { subscriber: Subscriber::new(config, backends)?, outage: Arc::default() })
    }
}

impl<C> ResilientConsumer<C> {
    /// The same consumer with another codec.
    pub fn with_codec<D: Codec>(self, codec: D) -> ResilientConsumer<D> {
        ResilientConsumer { subscriber: self.subscriber.with_codec(codec), outage: self.outage }
    }

    /// The subscriber within: for commits, seeking, pausing. Reading from it directly tells of every error.
    pub fn subscriber(&self) -> &Subscriber<C> {
        &self.subscriber
    }

    /// As [`Subscriber::start`].
    ///
    /// # Errors
    /// As [`Subscriber::start`].
    pub fn start(&self) -> Result<(), ClientError> {
        self.subscriber.start()
    }

    /// As [`Subscriber::commit`].
    ///
    /// # Errors
    /// As [`Subscriber::commit`]; [`ClientError::is_retriable`] while the broker is away.
    pub fn commit(&self) -> Result<(), ClientError> {
        self.subscriber.commit()
    }

    /// As [`Subscriber::stop`].
    ///
    /// # Errors
    /// As [`Subscriber::stop`].
    pub fn stop(&self) -> Result<(), ClientError> {
        self.subscriber.stop()
    }

    /// As [`Subscriber::stop_async`].
    ///
    /// # Errors
    /// As [`Subscriber::stop`].
    pub async fn stop_async(&self) -> Result<(), ClientError> {
        self.subscriber.stop_async().await
    }

    /// As [`Subscriber::details`].
    pub fn details(&self) -> SubscriberDetails {
        self.subscriber.details()
    }

    /// Whether the broker was there when somebody looked last, as far as reading has noticed.
    pub fn is_connected(&self) -> bool {
        self.outage.lock().is_none()
    }
}

impl<C: Codec> ResilientConsumer<C> {
    /// The next value, or none if none comes within `block_time`, whether the broker is there or away.
    ///
    /// # Errors
    /// As [`Subscriber::get_data`], without what passes; [`ErrorKind::Unreachable`] after `reconnect_tries` in vain.
    pub fn get_data<T: DeserializeOwned>(&self, block_time: Duration) -> Result<Option<T>, ClientError> {
        runtime::block_on(self.get_data_async(block_time))?
    }

    /// As [`get_data`](ResilientConsumer::get_data), for a task.
    ///
    /// # Errors
    /// As [`get_data`](ResilientConsumer::get_data).
    pub async fn get_data_async<T: DeserializeOwned>(
        &self,
        block_time: Duration,
    ) -> Result<Option<T>, ClientError> {
        let deadline = after(block_time);
        loop {
            let outcome = self.subscriber.get_data_async(self.until_next_try(deadline)).await;
            if let Some(outcome) = self.judge(outcome, deadline).await {
                return outcome;
            }
        }
    }

    /// The next record, or none if none comes within `block_time`, whether the broker is there or away.
    ///
    /// # Errors
    /// As [`get_data`](ResilientConsumer::get_data), save that nothing is decoded.
    pub fn get_record(&self, block_time: Duration) -> Result<Option<Record>, ClientError> {
        runtime::block_on(self.get_record_async(block_time))?
    }

    /// As [`get_record`](ResilientConsumer::get_record), for a task.
    ///
    /// # Errors
    /// As [`get_record`](ResilientConsumer::get_record).
    pub async fn get_record_async(&self, block_time: Duration) -> Result<Option<Record>, ClientError> {
        let deadline = after(block_time);
        loop {
            let outcome = self.subscriber.get_record_async(self.until_next_try(deadline)).await;
            if let Some(outcome) = self.judge(outcome, deadline).await {
                return outcome;
            }
        }
    }

    /// How long to wait: until the deadline, or until the broker is looked for again.
    fn until_next_try(&self, deadline: Instant) -> Duration {
        let next_try = self.outage.lock().as_ref().map(|outage| outage.next_try);
        next_try.map_or(deadline, |next| next.min(deadline)).saturating_duration_since(Instant::now())
    }

    /// What a reading comes to: none if it is to be gone on with.
    async fn judge<T>(
        &self,
        outcome: Result<Option<T>, ClientError>,
        deadline: Instant,
    ) -> Option<Result<Option<T>, ClientError>> {
        match outcome {
            Ok(Some(value)) => {
                self.outage.lock().take();
                return Some(Ok(Some(value)));
            }
            Ok(None) => {}
            Err(error) if error.is_retriable() => self.note(error),
            Err(error) => return Some(Err(error)),
        }
        if let Some(error) = self.try_again().await {
            return Some(Err(error));
        }
        (Instant::now() >= deadline).then_some(Ok(None))
    }

    fn note(&self, error: ClientError) {
        let config = &self.subscriber.core.config;
        let mut outage = self.outage.lock();
        match &mut *outage {
            Some(outage) => outage.error = error,
            None => {
                tracing::warn!(consumer = %config.name, %error, "the broker is away; reading waits");
                *outage = Some(Outage { tries: 0, next_try: Instant::now(), error });
            }
        }
    }

    /// Looks for the broker, if it is away and that is due. An error after the last try.
    async fn try_again(&self) -> Option<ClientError> {
        let config = &self.subscriber.core.config;
        let due = self.outage.lock().as_ref().is_some_and(|outage| outage.next_try <= Instant::now());
        if !due {
            return None;
        }
        let there = reachable(&config.client.bootstrap, config.client.connect_timeout).await;
        let mut outage = self.outage.lock();
        let away = outage.as_mut()?;
        if there {
            tracing::info!(consumer = %config.name, "the broker is back; reading goes on");
            *outage = None;
            return None;
        }
        away.tries += 1;
        away.next_try = after(config.resilience.interval);
        if away.tries <= config.resilience.tries {
            return None;
        }
        let why = format!(
            "no broker could be reached in {} tries, {:?} apart: {}",
            config.resilience.tries,
            config.resilience.interval,
            away.error.why()
        );
        *outage = None;
        let asked = format!("reading from '{}'", config.topic);
        Some(ClientError::new(ErrorKind::Unreachable, asked, why).remedy("start the broker, and read on"))
    }
}
