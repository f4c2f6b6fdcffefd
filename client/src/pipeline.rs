//! Pipelines: from a topic, through a function, to another topic; at least once.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing::Instrument;

use crate::backend::Report;
use crate::codec::{Codec, Json};
use crate::config::{belongs, config_error};
use crate::details::after;
use crate::error::{ClientError, ErrorKind};
use crate::publisher::{Message, Publisher};
use crate::record::{Headers, Record};
use crate::runtime;
use crate::signal::Signal;
use crate::subscriber::Subscriber;

/// How long reading waits for a record before it looks whether it is to stop.
const LOOK_UP: Duration = Duration::from_millis(250);

/// What a function makes an output of: one value as it was read, with its record.
#[derive(Debug, Clone)]
pub struct Input<T> {
    /// The value.
    pub value: T,
    /// The record that it was in.
    pub record: Record,
}

/// A value to be written. A function may return plain values instead: then the key is that of the input.
#[derive(Debug, Clone)]
pub struct Output<T> {
    value: T,
    key: Key,
    headers: Headers,
    partition: Option<i32>,
    timestamp: Option<i64>,
}

#[derive(Debug, Clone)]
enum Key {
    OfInput,
    None,
    Own(Vec<u8>),
}

impl<T> Output<T> {
    /// Of a value, with the key of the input.
    pub fn new(value: T) -> Self {
        Output { value, key: Key::OfInput, headers: Headers::new(), partition: None, timestamp: None }
    }

    /// With this key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Key::Own(key.into());
        self
    }

    /// Without a key.
    #[must_use]
    pub fn without_key(mut self) -> Self {
        self.key = Key::None;
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), Some(bytes::Bytes::copy_from_slice(value.as_ref()))));
        self
    }

    /// To this partition.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// With this timestamp, in milliseconds since 1970.
    #[must_use]
    pub fn timestamp(mut self, milliseconds: i64) -> Self {
        self.timestamp = Some(milliseconds);
        self
    }
}

/// What can be written: any value that serialises, and an [`Output`] of one.
pub trait IntoOutput {
    /// The value's type.
    type Value: Serialize;

    /// The value with what goes along.
    fn into_output(self) -> Output<Self::Value>;
}

impl<T: Serialize> IntoOutput for T {
    type Value = T;

    fn into_output(self) -> Output<T> {
        Output::new(self)
    }
}

impl<T: Serialize> IntoOutput for Output<T> {
    type Value = T;

    fn into_output(self) -> Output<T> {
        self
    }
}

/// What happens to a record that does not decode, or of which the function makes an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The pipeline ends with the error. What comes before the record is written and committed; the record itself is
    /// read again by the next run.
    #[default]
    Stop,
    /// The record goes to `dead_letter_topic`, with the error in its headers, and the pipeline goes on.
    DeadLetters,
}

/// What a pipeline has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PipelineReport {
    /// Records that were read.
    pub read: u64,
    /// Records that were written and acknowledged.
    pub written: u64,
    /// Records that went to the dead letters.
    pub dead_letters: u64,
}

/// Reads a topic, makes something of each record, writes that to another topic, and commits after what was written is
/// acknowledged. Made by [`create_pipeline`](crate::create_pipeline).
///
/// At least once: where the program dies in between, the records since the last commit are read and written again. A function
/// returns any number of outputs for an input: an `Option`, a `Vec`, an array. Records of a partition keep their order.
/// With `trace_headers` each output continues the trace of its input.
///
/// ```
/// use klamm_client::{ClientError, Input, create_pipeline};
/// use serde_json::{Value, json};
///
/// # let broker = "embedded://pipeline";
/// # let config = json!({ "destination": "kafka://topic/raw", "bootstrap_servers": broker });
/// # let publisher = klamm_client::create_publisher("raw", config)?;
/// # publisher.publish(&json!({ "celsius": 20 }))?;
/// # publisher.stop()?;
/// let pipeline = create_pipeline(
///     "enrich",
///     json!({
///         "source": "kafka://topic/raw",
///         "destination": "kafka://topic/enriched",
///         "bootstrap_servers": broker,
///         "consumer_config": { "auto_offset_reset": "earliest" },
///     }),
/// )?;
/// let stop = pipeline.clone();
/// let report = pipeline.run(|input: Input<Value>| {
///     stop.stop(); // after this one; other programs call it when they end
///     let fahrenheit = input.value["celsius"].as_f64().ok_or("no temperature")? * 1.8 + 32.0;
///     Ok::<_, &str>(Some(json!({ "fahrenheit": fahrenheit })))
/// })?;
/// assert_eq!((report.read, report.written), (1, 1));
/// # Ok::<(), ClientError>(())
/// ```
pub struct Pipeline<C = Json> {
    subscriber: Subscriber<C>,
    publisher: Publisher<C>,
    on_error: OnError,
    stopping: Arc<AtomicBool>,
}

impl<C> Clone for Pipeline<C> {
    fn clone(&self) -> Self {
        Pipeline {
            subscriber: self.subscriber.clone(),
            publisher: self.publisher.clone(),
            on_error: self.on_error,
            stopping: Arc::clone(&self.stopping),
        }
    }
}

impl<C> std::fmt::Debug for Pipeline<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("subscriber", &self.subscriber)
            .field("publisher", &self.publisher)
            .finish_non_exhaustive()
    }
}

/// Outputs of a batch that are on their way.
#[derive(Debug, Default)]
struct Outgoing {
    waiting: AtomicUsize,
    written: AtomicU64,
    failed: Mutex<Option<ClientError>>,
    changed: Signal,
}

impl Outgoing {
    /// A report for one more.
    fn expect(self: &Arc<Self>) -> Report {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let outgoing = Arc::clone(self);
        Box::new(move |outcome| {
            match outcome {
                Ok(_) => drop(outgoing.written.fetch_add(1, Ordering::Relaxed)),
                Err(error) => drop(outgoing.failed.lock().get_or_insert(error)),
            }
            outgoing.waiting.fetch_sub(1, Ordering::AcqRel);
            outgoing.changed.raise();
        })
    }

    async fn settle(&self) -> Result<(), ClientError> {
        self.changed.wait_async(None, || (self.waiting.load(Ordering::Acquire) == 0).then_some(())).await;
        match self.failed.lock().take() {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }
}

impl<C: Codec> Pipeline<C> {
    /// Of a subscriber that has not been started and a publisher.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the subscriber commits by itself: offsets are committed by the pipeline.
    pub fn new(subscriber: Subscriber<C>, publisher: Publisher<C>) -> Result<Self, ClientError> {
        let config = &subscriber.core.config;
        if config.consumer.enable_auto_commit {
            let asked = format!("making a pipeline of '{}'", config.name);
            return Err(config_error(
                asked,
                "enable_auto_commit is true, which may commit what is not written yet",
            )
            .remedy("set enable_auto_commit to false in consumer_config"));
        }
        let on_error = if config.dead_letter_topic.is_some() { OnError::DeadLetters } else { OnError::Stop };
        Ok(Pipeline { subscriber, publisher, on_error, stopping: Arc::default() })
    }

    /// The same pipeline, doing this with records that fail. Without it: dead letters where the config names a
    /// `dead_letter_topic`, and else stop.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for [`OnError::DeadLetters`] without a `dead_letter_topic`.
    pub fn on_error(mut self, on_error: OnError) -> Result<Self, ClientError> {
        let config = &self.subscriber.core.config;
        if on_error == OnError::DeadLetters && config.dead_letter_topic.is_none() {
            let asked = format!("making a pipeline of '{}'", config.name);
            return Err(config_error(
                asked,
                "errors are to go to the dead letters, and the config names no dead_letter_topic",
            )
            .remedy("set dead_letter_topic to the name of a topic"));
        }
        self.on_error = on_error;
        Ok(self)
    }

    /// Has [`run`](Pipeline::run) end after the record in hand.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// The subscriber that it reads with.
    pub fn subscriber(&self) -> &Subscriber<C> {
        &self.subscriber
    }

    /// The publisher that it writes with.
    pub fn publisher(&self) -> &Publisher<C> {
        &self.publisher
    }

    /// Runs until it is stopped, in the caller's thread: starts the subscriber, and leaves its group and stops the
    /// publisher at the end.
    ///
    /// # Errors
    /// What reading, writing and committing say, unless it passes; with [`OnError::Stop`] what the function says, with the
    /// record. What was written before it is committed.
    pub fn run<T, F, O, E>(&self, mut function: F) -> Result<PipelineReport, ClientError>
    where
        T: DeserializeOwned,
        F: FnMut(Input<T>) -> Result<O, E>,
        O: IntoIterator<Item: IntoOutput>,
        E: std::fmt::Display,
    {
        runtime::block_on(self.run_async(|input| std::future::ready(function(input))))?
    }

    /// As [`run`](Pipeline::run), for a task, with a function that may await. Dropped before it is done, it has written
    /// what it has written, and not committed what it had in hand.
    ///
    /// # Errors
    /// As [`run`](Pipeline::run).
    pub async fn run_async<T, F, R, O, E>(&self, mut function: F) -> Result<PipelineReport, ClientError>
    where
        T: DeserializeOwned,
        F: FnMut(Input<T>) -> R,
        R: Future<Output = Result<O, E>>,
        O: IntoIterator<Item: IntoOutput>,
        E: std::fmt::Display,
    {
        self.subscriber.start()?;
        let mut report = PipelineReport::default();
        let mut outcome = Ok(());
        while outcome.is_ok() && !self.stopping.load(Ordering::Acquire) {
            outcome = self.batch(&mut function, &mut report).await;
        }
        let stopped = self.subscriber.stop_async().await;
        self.publisher.stop_async().await?;
        outcome.and(stopped).map(|()| report)
    }

    /// Reads what is there, writes what becomes of it, and commits once that is acknowledged.
    async fn batch<T, F, R, O, E>(
        &self,
        function: &mut F,
        report: &mut PipelineReport,
    ) -> Result<(), ClientError>
    where
        T: DeserializeOwned,
        F: FnMut(Input<T>) -> R,
        R: Future<Output = Result<O, E>>,
        O: IntoIterator<Item: IntoOutput>,
        E: std::fmt::Display,
    {
        let core = &self.subscriber.core;
        let mut next = match core.take_async(Some(after(LOOK_UP))).await {
            Err(error) if error.is_retriable() => {
                tracing::warn!(pipeline = %core.config.name, %error, "reading goes on");
                return Ok(());
            }
            outcome => outcome?,
        };
        if next.is_none() {
            return Ok(());
        }
        let outgoing = Arc::new(Outgoing::default());
        let mut failed = None;
        let mut done: Vec<Record> = Vec::new();
        let mut count = 0;
        while let Some(record) = next {
            report.read += 1;
            count += 1;
            match self.one(record.clone(), function, &outgoing).await {
                Ok(dead) => report.dead_letters += u64::from(dead),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            remember(&mut done, record);
            if count >= core.config.consumer.max_poll_records || self.stopping.load(Ordering::Acquire) {
                break;
            }
            next = match core.take_now() {
                Ok(next) => next,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
        }
        self.publisher.hurry();
        outgoing.settle().await?;
        report.written += outgoing.written.load(Ordering::Relaxed);
        match self.subscriber.commit_up_to(&done).await {
            Err(error) if comes_again(&error) => {
                tracing::warn!(pipeline = %core.config.name, %error, "what was written will be written again");
            }
            outcome => outcome?,
        }
        match failed {
            Some(error) if error.record().is_none() && error.is_retriable() => {
                tracing::warn!(pipeline = %core.config.name, %error, "reading goes on");
                Ok(())
            }
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// One record. True if it became a dead letter.
    async fn one<T, F, R, O, E>(
        &self,
        record: Record,
        function: &mut F,
        outgoing: &Arc<Outgoing>,
    ) -> Result<bool, ClientError>
    where
        T: DeserializeOwned,
        F: FnMut(Input<T>) -> R,
        R: Future<Output = Result<O, E>>,
        O: IntoIterator<Item: IntoOutput>,
        E: std::fmt::Display,
    {
        let span = tracing::debug_span!("process", topic = %record.topic, partition = record.partition, offset = record.offset);
        let value = match self.subscriber.open_for::<T>(&record) {
            Ok(value) => value,
            Err(error) => return self.failed(record, error),
        };
        let input = Input { value, record: record.clone() };
        let outputs = match function(input).instrument(span).await {
            Ok(outputs) => outputs,
            Err(error) => {
                let asked =
                    format!("processing offset {} of '{}-{}'", record.offset, record.topic, record.partition);
                let error = ClientError::new(ErrorKind::Processing, asked, error.to_string());
                return self.failed(record, error);
            }
        };
        let trace = if self.subscriber.core.config.trace_headers { record.trace() } else { None };
        for output in outputs {
            let output = output.into_output();
            let mut message = Message::new(&output.value).headers(output.headers);
            message = match (&output.key, &record.key) {
                (Key::Own(key), _) => message.key(key),
                (Key::OfInput, Some(key)) => message.key(key),
                (Key::OfInput, None) | (Key::None, _) => message,
            };
            if let Some(partition) = output.partition {
                message = message.partition(partition);
            }
            if let Some(timestamp) = output.timestamp {
                message = message.timestamp(timestamp);
            }
            if let Some(trace) = &trace {
                message = message.trace(&trace.child());
            }
            self.publisher.with_report_async(message, outgoing.expect()).await?;
        }
        Ok(false)
    }

    fn failed(&self, record: Record, error: ClientError) -> Result<bool, ClientError> {
        match self.on_error {
            OnError::Stop => Err(error.with_record(record)),
            OnError::DeadLetters => self.subscriber.dead_letter(record, error).map(|()| true),
        }
    }
}

/// Whether a commit failed in a way that leaves its records to be read again, by this member or by another one.
fn comes_again(error: &ClientError) -> bool {
    let code = error.code();
    let moved = [
        ResponseError::RebalanceInProgress,
        ResponseError::IllegalGeneration,
        ResponseError::UnknownMemberId,
    ];
    error.is_retriable() || code.is_some_and(|code| moved.contains(&code))
}

/// Notes a record as the last of its partition.
fn remember(done: &mut Vec<Record>, record: Record) {
    match done.iter_mut().find(|other| other.partition == record.partition && other.topic == record.topic) {
        Some(last) => *last = record,
        None => done.push(record),
    }
}

type JsonObject = Map<String, Value>;

/// Parts a pipeline's config into those of its publisher and its subscriber.
pub(crate) fn split_config(
    name: &str,
    config: Map<String, Value>,
) -> Result<(JsonObject, JsonObject), ClientError> {
    let asked = format!("reading the config of the pipeline '{name}'");
    let (mut publisher, mut subscriber) = (Map::new(), Map::new());
    for (key, value) in config {
        let (of_publisher, of_subscriber) = belongs(&key);
        if of_publisher {
            publisher.insert(key.clone(), value.clone());
        }
        // A key that nobody knows is left for the subscriber to complain of.
        if of_subscriber || !of_publisher {
            subscriber.insert(key, value);
        }
    }
    set_unless_given(&mut publisher, "producer_config", "acks", Value::from("all"));
    set_unless_given(&mut subscriber, "consumer_config", "enable_auto_commit", Value::from(false));
    if publisher.contains_key("confluent_config") {
        let why = "confluent_config stands in it, and is neither the publisher's nor the subscriber's alone";
        return Err(config_error(asked, why)
            .remedy("put librdkafka's names into producer_config and consumer_config, which take them too"));
    }
    Ok((publisher, subscriber))
}

fn set_unless_given(map: &mut Map<String, Value>, place: &str, key: &str, value: Value) {
    let options = map.entry(place).or_insert_with(|| Value::Object(Map::new()));
    // What is no object is told of by whoever reads it.
    if let Value::Object(options) = options {
        options.entry(key).or_insert(value);
    }
}
