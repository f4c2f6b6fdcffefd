//! The producer: librdkafka's, with a thread that takes its reports of deliveries.
//!
//! Batching, compression, partitioning and retries are librdkafka's; here is what the traits promise around them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ::rdkafka::client::ClientContext;
use ::rdkafka::config::RDKafkaLogLevel;
use ::rdkafka::error::KafkaError;
use ::rdkafka::message::{Header, Message, OwnedHeaders};
use ::rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig};
use ::rdkafka::types::RDKafkaErrorCode;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{config, error, subscriber::headers_of};
use crate::backend::{BoxFuture, OnUndelivered, ProducerBackend, RecordToSend, Refused, Report};
use crate::embedded::EmbeddedBroker;
use crate::error::{ClientError, ErrorKind};
use crate::options::{ClientOptions, ProducerOptions};
use crate::record::{Delivered, Undelivered};
use crate::signal::Signal;

/// How long the thread waits for reports before it looks whether something else is to be done.
const STEP: Duration = Duration::from_millis(20);

/// How often librdkafka is told in a row not to linger. It looks only while it is being told, so that once may pass unseen.
const TOLD_TO_HURRY: usize = 64;

/// How long is waited for the reports of what was given up. They are there as soon as librdkafka's threads come to it.
const GIVING_UP: Duration = Duration::from_secs(1);

/// Records are counted off in lots of this size (a power of two) before those who wait for room are told.
const LOT: usize = 64;

/// A producer over librdkafka.
pub(super) struct Publisher {
    producer: Arc<BaseProducer<Reports>>,
    shared: Arc<Shared>,
    linger: Duration,
}

/// What the caller's threads, librdkafka's reports and the thread that takes them have in common.
#[derive(Debug)]
struct Shared {
    room: Signal,
    settled: Signal,
    ended: Signal,
    undelivered: Arc<dyn OnUndelivered>,
    /// Records that were accepted and not reported yet.
    pending: AtomicUsize,
    waiting: Mutex<Waiting>,
    /// Why brokers cannot be reached, or do not let this client in.
    trouble: Mutex<Option<ClientError>>,
    /// There is such a reason.
    troubled: AtomicBool,
    /// The broker refuses this client: what waits is not going to be delivered.
    refused: AtomicBool,
    /// Until when lingering is to be cut short.
    hurry: Mutex<Option<Instant>>,
    /// When to have ended, once that was asked for.
    closing: Mutex<Option<Instant>>,
    has_ended: AtomicBool,
}

/// Reports that have been asked for. Records without one go by the number 0.
#[derive(Default)]
struct Waiting {
    last: usize,
    reports: HashMap<usize, (Arc<str>, Report)>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("reports", &self.reports.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Publisher {
    pub(super) fn start(
        options: &ClientOptions,
        producer: &ProducerOptions,
        undelivered: Arc<dyn OnUndelivered>,
    ) -> Result<Publisher, ClientError> {
        const ASKED: &str = "starting a producer of librdkafka's";
        let (servers, broker) = super::servers(&options.bootstrap)?;
        let config = config::producer(options, producer, &servers)?;
        let shared = Arc::new(Shared::new(undelivered));
        let context = Reports { shared: Arc::clone(&shared) };
        let librdkafkas: BaseProducer<Reports> =
            config.create_with_context(context).map_err(|error| error::of(&error, ASKED))?;
        let librdkafkas = Arc::new(librdkafkas);
        let reports =
            ReportTaker { producer: Arc::clone(&librdkafkas), shared: Arc::clone(&shared), _broker: broker };
        std::thread::Builder::new()
            .name("klamm-rdkafka-producer".to_owned())
            .spawn(move || reports.run())
            .map_err(|error| ClientError::new(ErrorKind::System, ASKED, error.to_string()))?;
        Ok(Publisher { producer: librdkafkas, shared, linger: producer.linger })
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.closing.lock().get_or_insert_with(Instant::now);
    }
}

impl ProducerBackend for Publisher {
    fn send(&self, record: &RecordToSend<'_>, report: Option<Report>) -> Result<(), Refused> {
        let asked = || format!("publishing to '{}'", record.topic);
        let mut offered = BaseRecord::<[u8], [u8], usize>::with_opaque_to(record.topic, 0);
        offered.key = record.key;
        offered.payload = record.value;
        offered.partition = record.partition;
        offered.timestamp = record.timestamp;
        if let Err(error) = self.sendable(record) {
            return Err(Refused::Never(error.asked(asked())));
        }
        if !record.headers.is_empty() {
            offered.headers = Some(headers(record.headers));
        }
        if let Some(report) = report {
            offered.delivery_opaque = self.shared.enter(record.topic, report);
        }
        self.shared.pending.fetch_add(1, Ordering::SeqCst);
        let Err((error, offered)) = self.producer.send(offered) else { return Ok(()) };
        self.shared.settle_one();
        let report = self.shared.take(offered.delivery_opaque).map(|(_, report)| report);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Err(Refused::Full(report)),
            Some(RDKafkaErrorCode::Fatal) => Err(Refused::Never(self.fatal(&asked()))),
            _ => Err(Refused::Never(error::of(&error, &asked()))),
        }
    }

    fn room(&self) -> &Signal {
        &self.shared.room
    }

    fn hurry(&self) {
        if !self.linger.is_zero() {
            // What lingers leaves by itself after that time.
            *self.shared.hurry.lock() = Instant::now().checked_add(self.linger);
        }
    }

    fn unacknowledged(&self) -> usize {
        self.shared.pending.load(Ordering::SeqCst)
    }

    fn settled(&self) -> &Signal {
        &self.shared.settled
    }

    fn close(&self, deadline: Instant) -> BoxFuture<'_, ()> {
        {
            let mut closing = self.shared.closing.lock();
            *closing = Some(closing.map_or(deadline, |earlier| earlier.min(deadline)));
        }
        Box::pin(async move {
            let ended = || self.shared.has_ended.load(Ordering::SeqCst).then_some(());
            self.shared.ended.wait_async(None, ended).await;
        })
    }
}

impl Publisher {
    /// What librdkafka would take and do something else with.
    fn sendable(&self, record: &RecordToSend<'_>) -> Result<(), ClientError> {
        let error = |kind, why: &str| Err(ClientError::new(kind, "publishing", why));
        if self.shared.closing.lock().is_some() {
            return error(ErrorKind::NotRunning, "the publisher has been stopped");
        }
        if record.partition.is_some_and(|partition| partition < 0) {
            return error(ErrorKind::InvalidArgument, "a partition's number is not negative");
        }
        if record.timestamp == Some(0) {
            return error(ErrorKind::Unsupported, "librdkafka takes the timestamp 0 for the present time");
        }
        Ok(())
    }

    fn fatal(&self, asked: &str) -> ClientError {
        match self.producer.client().fatal_error() {
            Some((code, reason)) => {
                let why = format!("librdkafka gave this producer up: {reason} ({code})");
                ClientError::new(ErrorKind::Fenced, asked, why).remedy("start another publisher")
            }
            None => error::of_code(RDKafkaErrorCode::Fatal, asked, None),
        }
    }
}

fn headers(headers: &[(String, Option<Bytes>)]) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |headers, (name, value)| {
        headers.insert(Header { key: name, value: value.as_deref() })
    })
}

impl Shared {
    fn new(undelivered: Arc<dyn OnUndelivered>) -> Shared {
        Shared {
            room: Signal::default(),
            settled: Signal::default(),
            ended: Signal::default(),
            undelivered,
            pending: AtomicUsize::new(0),
            waiting: Mutex::default(),
            trouble: Mutex::default(),
            troubled: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            hurry: Mutex::default(),
            closing: Mutex::default(),
            has_ended: AtomicBool::new(false),
        }
    }

    fn enter(&self, topic: &Arc<str>, report: Report) -> usize {
        let mut waiting = self.waiting.lock();
        waiting.last += 1;
        let number = waiting.last;
        waiting.reports.insert(number, (Arc::clone(topic), report));
        number
    }

    fn take(&self, number: usize) -> Option<(Arc<str>, Report)> {
        if number == 0 { None } else { self.waiting.lock().reports.remove(&number) }
    }

    fn settle_one(&self) {
        let left = self.pending.fetch_sub(1, Ordering::SeqCst) - 1;
        if left.is_multiple_of(LOT) {
            self.room.raise();
        }
        if left == 0 {
            self.settled.raise();
        }
    }

    /// Why a record was not delivered: what librdkafka says of it, and what it has said of the brokers.
    fn why(&self, code: RDKafkaErrorCode, topic: &str) -> ClientError {
        let asked = format!("publishing to '{topic}'");
        let trouble = self.trouble.lock().clone();
        match (code, trouble) {
            (RDKafkaErrorCode::MessageTimedOut, Some(trouble)) => {
                let why = format!("it was not acknowledged within delivery_timeout_ms: {}", trouble.why());
                let kind = match trouble.kind() {
                    ErrorKind::Authentication => ErrorKind::Authentication,
                    _ => ErrorKind::TimedOut,
                };
                ClientError::new(kind, asked, why)
            }
            (RDKafkaErrorCode::MessageTimedOut, None) => {
                let why = "it was not acknowledged within delivery_timeout_ms";
                ClientError::new(ErrorKind::TimedOut, asked, why)
            }
            (RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight, Some(trouble))
                if self.refused.load(Ordering::SeqCst) =>
            {
                trouble.asked(asked)
            }
            (RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight, trouble) => {
                let mut why = "the publisher ended before it was acknowledged".to_owned();
                if let Some(trouble) = trouble {
                    why = format!("{why}: {}", trouble.why());
                }
                ClientError::new(ErrorKind::NotRunning, asked, why)
            }
            (code, _) => error::of_code(code, &asked, None),
        }
    }
}

/// Takes what librdkafka reports.
struct Reports {
    shared: Arc<Shared>,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        super::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        let trouble = error::of_code(code, "reaching a broker", Some(reason));
        tracing::warn!(target: "librdkafka", "{trouble}");
        if trouble.kind() == ErrorKind::Authentication {
            self.shared.refused.store(true, Ordering::SeqCst);
        }
        let mut known = self.shared.trouble.lock();
        // That brokers which refuse this client count as down says nothing new.
        if known.as_ref().is_none_or(|known| known.kind() != ErrorKind::Authentication) {
            *known = Some(trouble);
            self.shared.troubled.store(true, Ordering::SeqCst);
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        match result {
            Ok(message) => {
                if self.shared.troubled.load(Ordering::Relaxed) {
                    // It is over.
                    self.shared.troubled.store(false, Ordering::SeqCst);
                    *self.shared.trouble.lock() = None;
                }
                if let Some((topic, report)) = self.shared.take(number) {
                    report(Ok(Delivered {
                        topic,
                        partition: message.partition(),
                        offset: message.offset().max(-1),
                        timestamp: message.timestamp().to_millis().unwrap_or(-1),
                    }));
                }
            }
            Err((failed, message)) => {
                let code = failed.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                let reason = self.shared.why(code, message.topic());
                match self.shared.take(number) {
                    Some((_, report)) => report(Err(reason)),
                    None => self.shared.undelivered.undelivered(vec![Undelivered {
                        topic: message.topic().into(),
                        partition: Some(message.partition()).filter(|partition| *partition >= 0),
                        key: message.key().map(Bytes::copy_from_slice),
                        value: message.payload().map(Bytes::copy_from_slice),
                        headers: headers_of(message).unwrap_or_default(),
                        timestamp: message.timestamp().to_millis().unwrap_or(-1),
                        reason,
                    }]),
                }
            }
        }
        self.shared.settle_one();
    }
}

/// The thread that takes reports, and ends the producer.
struct ReportTaker {
    producer: Arc<BaseProducer<Reports>>,
    shared: Arc<Shared>,
    _broker: Option<EmbeddedBroker>,
}

impl ReportTaker {
    fn run(self) {
        let deadline = loop {
            if let Some(deadline) = *self.shared.closing.lock() {
                break deadline;
            }
            self.hurry();
            self.producer.poll(STEP);
            self.give_up_if_refused();
        };
        self.end(deadline);
        self.shared.has_ended.store(true, Ordering::SeqCst);
        self.shared.ended.raise();
    }

    fn pending(&self) -> usize {
        self.shared.pending.load(Ordering::SeqCst)
    }

    fn hurry(&self) {
        let asked_for = *self.shared.hurry.lock();
        if asked_for.is_some_and(|until| Instant::now() < until) && self.pending() > 0 {
            self.without_lingering();
        } else if asked_for.is_some() {
            let mut hurry = self.shared.hurry.lock();
            if *hurry == asked_for {
                *hurry = None;
            }
        }
    }

    /// Has librdkafka send what lingers. Records that are not acknowledged meanwhile are not an error.
    fn without_lingering(&self) {
        for _ in 0..TOLD_TO_HURRY {
            if self.producer.flush(Duration::ZERO).is_ok() {
                return;
            }
        }
    }

    /// Brokers that refuse this client will not take what waits either.
    fn give_up_if_refused(&self) {
        if self.shared.refused.load(Ordering::SeqCst) {
            self.purge();
            self.shared.refused.store(false, Ordering::SeqCst);
        }
    }

    /// Gives up what waits, and takes the reports of it.
    fn purge(&self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
        let given_up = Instant::now();
        while self.pending() > 0 && given_up.elapsed() < GIVING_UP {
            self.producer.poll(Duration::from_millis(1));
        }
    }

    fn end(&self, deadline: Instant) {
        while self.pending() > 0 && Instant::now() < deadline {
            self.without_lingering();
            self.producer.poll(Duration::from_millis(1));
            self.give_up_if_refused();
        }
        self.purge();
    }
}
