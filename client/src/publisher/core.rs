//! What all clones of a publisher share: the way to the library, the counts, and the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::StopReport;
use super::collector::{Collector, Pace};
use super::losses::Losses;
use super::message::Limits;
use crate::backend::{ProducerBackend, RecordToSend, Refused, Report};
use crate::config::PublisherConfig;
use crate::details::{PublisherDetails, after, time_of};
use crate::embedded::EmbeddedBroker;
use crate::error::{ClientError, ErrorKind};
use crate::factory::{Backends, Library, ProducerSetup};
use crate::metrics::{self, PublisherMeters, as_gauge};
use crate::record::{Delivered, Headers};
use crate::runtime;
use crate::signal::Signal;

/// How long after a record's own time-out flushing and stopping wait for the library to say so.
const GRACE: Duration = Duration::from_secs(5);
/// How often somebody who waits for room by count looks again: libraries tell of room by bytes.
const COUNT_AGAIN: Duration = Duration::from_millis(2);
/// How often flushing hurries the library while records are not settled.
const HURRY_AGAIN: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Core {
    name: String,
    destination: String,
    pub(super) topic: Arc<str>,
    library: Library,
    trace_headers: bool,
    max_block: Duration,
    delivery_timeout: Duration,
    max_request_size: usize,
    max_queued: usize,
    backend: Arc<dyn ProducerBackend>,
    /// Kept alive, where the broker is within this process.
    _broker: Option<EmbeddedBroker>,
    collector: Option<Arc<Collector>>,
    pub(super) losses: Arc<Losses>,
    meters: PublisherMeters,
    published: AtomicU64,
    last_publish: AtomicI64,
    stopped: AtomicBool,
    report: Mutex<Option<StopReport>>,
    ended: Signal,
}

impl Core {
    pub(super) fn start(config: &PublisherConfig, backends: &dyn Backends) -> Result<Arc<Self>, ClientError> {
        let meters = PublisherMeters::new(&config.name, &config.topic, config.library);
        let losses = Arc::new(Losses::new(&config.name, meters.clone()));
        let setup = ProducerSetup {
            library: config.library,
            client: config.client.clone(),
            producer: config.producer.clone(),
        };
        let broker = backends.broker(&config.client.bootstrap)?;
        let backend = backends.producer(&setup, Arc::clone(&losses) as _)?;
        let max_queued = config.producer.max_queued_records.unwrap_or(usize::MAX);
        let collector = if config.publish_interval.is_zero() {
            None
        } else {
            let pace = Pace {
                interval: config.publish_interval,
                batch_size: config.batch_size,
                max_bytes: config.producer.buffer_memory,
                max_records: max_queued,
            };
            Some(Collector::start(pace, Arc::clone(&backend), Arc::clone(&losses))?)
        };
        let core = Arc::new(Core {
            name: config.name.clone(),
            destination: config.destination.clone(),
            topic: Arc::clone(&config.topic),
            library: config.library,
            trace_headers: config.trace_headers,
            max_block: config.producer.max_block,
            delivery_timeout: config.producer.delivery_timeout,
            max_request_size: config.producer.max_request_size,
            max_queued,
            backend,
            _broker: broker,
            collector,
            losses,
            meters,
            published: AtomicU64::new(0),
            last_publish: AtomicI64::new(0),
            stopped: AtomicBool::new(false),
            report: Mutex::new(None),
            ended: Signal::default(),
        });
        metrics::sample(Arc::downgrade(&core), |core| {
            core.meters.queue_depth.set(as_gauge(core.depth()));
        })?;
        Ok(core)
    }

    /// What publishing is called in errors.
    pub(super) fn asked(&self) -> String {
        format!("publishing to '{}'", self.topic)
    }

    pub(super) fn acknowledged_span(&self) -> tracing::Span {
        tracing::debug_span!("publish", publisher = %self.name, topic = %self.topic)
    }

    /// What a message must keep to.
    pub(super) fn limits(&self) -> Limits<'_> {
        Limits { topic: &self.topic, max_size: self.max_request_size, trace: self.trace_headers }
    }

    /// Hands a record on once, or says why not.
    #[inline]
    fn offer(
        &self,
        record: &RecordToSend<'_>,
        now: i64,
        report: &mut Option<Report>,
    ) -> Option<Result<(), ClientError>> {
        if self.stopped.load(Ordering::Acquire) {
            return Some(Err(self.not_running()));
        }
        let outcome = match &self.collector {
            Some(collector) => collector.push(record, report.take()),
            None if self.max_queued != usize::MAX && self.backend.unacknowledged() >= self.max_queued => {
                self.backend.hurry();
                return None;
            }
            None => self.backend.send(record, report.take()),
        };
        match outcome {
            Ok(()) => {
                self.count(record, now);
                Some(Ok(()))
            }
            Err(Refused::Full(unused)) => {
                *report = unused;
                None
            }
            Err(Refused::Never(error)) => Some(Err(error.asked(self.asked()))),
        }
    }

    #[inline]
    fn count(&self, record: &RecordToSend<'_>, now: i64) {
        self.published.fetch_add(1, Ordering::Relaxed);
        self.last_publish.store(now, Ordering::Relaxed);
        self.meters.records.increment(1);
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        self.meters.bytes.increment(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Has a record accepted, waiting for room up to `max_block_ms`.
    #[inline]
    pub(super) fn accept(
        &self,
        record: &RecordToSend<'_>,
        now: i64,
        mut report: Option<Report>,
    ) -> Result<(), ClientError> {
        match self.offer(record, now, &mut report) {
            Some(outcome) => outcome,
            None => self.accept_when_there_is_room(record, now, report),
        }
    }

    #[cold]
    fn accept_when_there_is_room(
        &self,
        record: &RecordToSend<'_>,
        now: i64,
        mut report: Option<Report>,
    ) -> Result<(), ClientError> {
        let deadline = Instant::now().checked_add(self.max_block);
        loop {
            if let Some(outcome) =
                self.room().wait(self.look_again(deadline), || self.offer(record, now, &mut report))
            {
                return outcome;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(self.full());
            }
        }
    }

    /// Has what waits sent without lingering.
    pub(super) fn hurry(&self) {
        match &self.collector {
            Some(collector) => collector.flush(),
            None => self.backend.hurry(),
        }
    }

    fn room(&self) -> &Signal {
        self.collector.as_ref().map_or_else(|| self.backend.room(), |collector| collector.room())
    }

    fn look_again(&self, deadline: Option<Instant>) -> Option<Instant> {
        if self.max_queued == usize::MAX || self.collector.is_some() {
            return deadline;
        }
        let soon = Instant::now() + COUNT_AGAIN;
        Some(deadline.map_or(soon, |deadline| deadline.min(soon)))
    }

    fn full(&self) -> ClientError {
        let why = format!(
            "{} records wait, and there was no room for another within max_block_ms ({})",
            self.depth(),
            self.max_block.as_millis()
        );
        ClientError::new(ErrorKind::BufferFull, self.asked(), why)
            .remedy("check that the broker can be reached, publish more slowly, or make buffer_memory larger")
    }

    fn not_running(&self) -> ClientError {
        ClientError::new(
            ErrorKind::NotRunning,
            self.asked(),
            format!("the publisher '{}' was stopped", self.name),
        )
        .remedy("create another")
    }

    /// Counts a failure that its publisher is told of.
    pub(super) fn told(&self, outcome: Result<Delivered, ClientError>) -> Result<Delivered, ClientError> {
        outcome.map_err(|error| {
            self.losses.count_reported();
            error.asked(self.asked())
        })
    }

    /// Records that were accepted and are neither acknowledged nor given up.
    fn depth(&self) -> usize {
        self.backend.unacknowledged() + self.collector.as_ref().map_or(0, |collector| collector.depth())
    }

    fn handed_on(&self) -> Option<()> {
        self.collector.as_ref().is_none_or(|collector| collector.depth() == 0).then_some(())
    }

    fn settled(&self) -> Option<()> {
        (self.backend.unacknowledged() == 0).then_some(())
    }

    fn flush_deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.delivery_timeout.saturating_add(GRACE))
    }

    pub(super) fn flush(&self) -> Result<(), ClientError> {
        let deadline = self.flush_deadline();
        self.hurry();
        if let Some(collector) = &self.collector {
            collector.room().wait(deadline, || self.handed_on()).ok_or_else(|| self.not_flushed())?;
        }
        loop {
            // Again and again: what a library learns where to send only now would linger otherwise.
            self.backend.hurry();
            let next = hurry_again(deadline);
            if self.backend.settled().wait(Some(next), || self.settled()).is_some() {
                return Ok(());
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(self.not_flushed());
            }
        }
    }

    pub(super) async fn flush_async(&self) -> Result<(), ClientError> {
        let deadline = self.flush_deadline();
        self.hurry();
        if let Some(collector) = &self.collector {
            let handed_on = collector.room().wait_async(deadline, || self.handed_on()).await;
            handed_on.ok_or_else(|| self.not_flushed())?;
        }
        loop {
            self.backend.hurry();
            let next = hurry_again(deadline);
            if self.backend.settled().wait_async(Some(next), || self.settled()).await.is_some() {
                return Ok(());
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(self.not_flushed());
            }
        }
    }

    fn not_flushed(&self) -> ClientError {
        let asked = format!("flushing the publisher '{}'", self.name);
        ClientError::new(
            ErrorKind::TimedOut,
            asked,
            format!("{} records are not acknowledged yet", self.depth()),
        )
        .remedy("flush again; they stay queued")
    }

    pub(super) fn stop(self: &Arc<Self>, within: Option<Duration>) -> Result<StopReport, ClientError> {
        self.begin_stop(within)?;
        self.ended.wait(None, || self.report.lock().clone()).ok_or_else(|| self.not_running())
    }

    pub(super) async fn stop_async(
        self: &Arc<Self>,
        within: Option<Duration>,
    ) -> Result<StopReport, ClientError> {
        self.begin_stop(within)?;
        let report = self.ended.wait_async(None, || self.report.lock().clone()).await;
        report.ok_or_else(|| self.not_running())
    }

    /// Has it ended in the background, once: whoever waits may go away meanwhile.
    fn begin_stop(self: &Arc<Self>, within: Option<Duration>) -> Result<(), ClientError> {
        let runtime = runtime::handle()?;
        if self.stopped.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let deadline = after(within.unwrap_or(self.delivery_timeout.saturating_add(GRACE)));
        let core = Arc::clone(self);
        runtime.spawn(async move {
            close(core.collector.as_deref(), &*core.backend, deadline).await;
            core.meters.queue_depth.set(0.0);
            let report = StopReport { undelivered: core.losses.kept(), failed_count: core.losses.count() };
            *core.report.lock() = Some(report);
            core.ended.raise();
        });
        Ok(())
    }

    pub(super) fn details(&self) -> PublisherDetails {
        PublisherDetails {
            name: self.name.clone(),
            destination: self.destination.clone(),
            library: self.library,
            publish_count: self.published.load(Ordering::Relaxed),
            last_publish: time_of(self.last_publish.load(Ordering::Relaxed)),
            queue_depth: self.depth(),
            failed_count: self.losses.count(),
        }
    }
}

/// When flushing hurries the library again.
fn hurry_again(deadline: Option<Instant>) -> Instant {
    let soon = Instant::now() + HURRY_AGAIN;
    deadline.map_or(soon, |deadline| deadline.min(soon))
}

async fn close(collector: Option<&Collector>, backend: &dyn ProducerBackend, deadline: Instant) {
    if let Some(collector) = collector {
        collector.close(deadline).await;
    }
    backend.close(deadline).await;
}

impl Drop for Core {
    fn drop(&mut self) {
        if *self.stopped.get_mut() {
            return;
        }
        let waiting = self.depth();
        if waiting > 0 {
            tracing::warn!(publisher = %self.name, records = waiting, "dropped without being stopped; what waits is sent in the background");
        }
        let (backend, collector) = (Arc::clone(&self.backend), self.collector.take());
        let deadline = after(self.delivery_timeout.saturating_add(GRACE));
        if let Ok(runtime) = runtime::handle() {
            runtime.spawn(async move { close(collector.as_deref(), &*backend, deadline).await });
        }
    }
}

/// A message by value, for a future to keep.
pub(crate) struct Prepared<'p> {
    pub(super) core: &'p Core,
    pub(super) partition: Option<i32>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Headers,
    pub(super) timestamp: i64,
    /// When it was prepared, in milliseconds since 1970.
    pub(super) now: i64,
}

impl Prepared<'_> {
    /// As [`Core::accept`], for a task.
    pub(super) async fn accept_async(self, mut report: Option<Report>) -> Result<(), ClientError> {
        let core = self.core;
        let record = RecordToSend {
            topic: &core.topic,
            partition: self.partition,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &self.headers,
            timestamp: Some(self.timestamp),
        };
        if let Some(outcome) = core.offer(&record, self.now, &mut report) {
            return outcome;
        }
        let deadline = Instant::now().checked_add(core.max_block);
        loop {
            let again = core.look_again(deadline);
            if let Some(outcome) =
                core.room().wait_async(again, || core.offer(&record, self.now, &mut report)).await
            {
                return outcome;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(core.full());
            }
        }
    }
}
