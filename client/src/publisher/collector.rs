//! Collecting: records that wait for the publish interval, or for enough of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use super::losses::Losses;
use crate::backend::{OnUndelivered, ProducerBackend, RecordToSend, Refused, Report};
use crate::error::{ClientError, ErrorKind};
use crate::record::{Headers, Undelivered};
use crate::runtime;
use crate::signal::Signal;

/// A record that waits.
struct Waiting {
    topic: Arc<str>,
    partition: Option<i32>,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Headers,
    timestamp: i64,
    report: Option<Report>,
}

impl Waiting {
    fn size(&self) -> usize {
        let part = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + part(value)).sum();
        part(&self.key) + part(&self.value) + headers
    }
}

/// Bounds and pace of a collector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) interval: Duration,
    /// Publish as soon as this many wait.
    pub(crate) batch_size: Option<usize>,
    pub(crate) max_bytes: usize,
    pub(crate) max_records: usize,
}

/// Records that wait, and the task that hands them on in their order.
pub(crate) struct Collector {
    pace: Pace,
    backend: Arc<dyn ProducerBackend>,
    losses: Arc<Losses>,
    queue: Mutex<Queue>,
    /// Records that were taken and are not with the library yet, the one that is being handed on included.
    depth: AtomicUsize,
    /// Somebody wants them gone at once.
    flushing: AtomicBool,
    changed: Signal,
    /// Raised when there may be room, and when nothing waits any more.
    handed_on: Signal,
}

#[derive(Default)]
struct Queue {
    records: VecDeque<Waiting>,
    bytes: usize,
    /// Nothing is taken any more, and handing on ends by then.
    closing: Option<Instant>,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector")
            .field("pace", &self.pace)
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}

impl Collector {
    /// Starts one.
    pub(crate) fn start(
        pace: Pace,
        backend: Arc<dyn ProducerBackend>,
        losses: Arc<Losses>,
    ) -> Result<Arc<Self>, ClientError> {
        let collector = Arc::new(Collector {
            pace,
            backend,
            losses,
            queue: Mutex::default(),
            depth: AtomicUsize::new(0),
            flushing: AtomicBool::new(false),
            changed: Signal::default(),
            handed_on: Signal::default(),
        });
        runtime::handle()?.spawn(Arc::clone(&collector).run());
        Ok(collector)
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth.load(Ordering::Acquire)
    }

    pub(crate) fn room(&self) -> &Signal {
        &self.handed_on
    }

    /// Takes a record, or says that there is no room.
    pub(crate) fn push(&self, record: &RecordToSend<'_>, report: Option<Report>) -> Result<(), Refused> {
        let copy = |part: Option<&[u8]>| part.map(Bytes::copy_from_slice);
        let waiting = Waiting {
            topic: Arc::clone(record.topic),
            partition: record.partition,
            key: copy(record.key),
            value: copy(record.value),
            headers: record.headers.to_vec(),
            timestamp: record.timestamp.unwrap_or_default(),
            report,
        };
        let size = waiting.size();
        let mut queue = self.queue.lock();
        if queue.closing.is_some() {
            return Err(Refused::Never(ClientError::new(
                ErrorKind::NotRunning,
                "publishing",
                "the publisher was stopped",
            )));
        }
        let bytes = queue.bytes.saturating_add(size);
        // A record larger than all there is may pass alone; whether it is too large is the library's to say.
        if queue.records.len() >= self.pace.max_records || (bytes > self.pace.max_bytes && queue.bytes > 0) {
            drop(queue);
            self.flush();
            return Err(Refused::Full(waiting.report));
        }
        queue.bytes = bytes;
        queue.records.push_back(waiting);
        self.depth.fetch_add(1, Ordering::AcqRel);
        let enough = self.pace.batch_size.is_some_and(|enough| queue.records.len() >= enough);
        drop(queue);
        if enough {
            self.changed.raise();
        }
        Ok(())
    }

    /// Has everything that waits handed on now.
    pub(crate) fn flush(&self) {
        self.flushing.store(true, Ordering::Release);
        self.changed.raise();
    }

    /// Hands on what waits until the deadline, gives the rest up, and ends.
    pub(crate) async fn close(&self, deadline: Instant) {
        self.queue.lock().closing = Some(deadline);
        self.flush();
        self.handed_on.wait_async(None, || (self.depth() == 0).then_some(())).await;
    }

    async fn run(self: Arc<Self>) {
        loop {
            let due = Instant::now() + self.pace.interval;
            self.changed.wait_async(Some(due), || self.is_due().then_some(())).await;
            self.flushing.store(false, Ordering::Release);
            self.hand_on().await;
            let queue = self.queue.lock();
            if queue.closing.is_some() && queue.records.is_empty() {
                return;
            }
        }
    }

    fn is_due(&self) -> bool {
        let enough = self.pace.batch_size.unwrap_or(usize::MAX);
        self.flushing.load(Ordering::Acquire) || self.queue.lock().records.len() >= enough
    }

    async fn hand_on(&self) {
        loop {
            let next = {
                let mut queue = self.queue.lock();
                let next = queue.records.pop_front();
                queue.bytes = queue.bytes.saturating_sub(next.as_ref().map_or(0, Waiting::size));
                next
            };
            let Some(mut waiting) = next else { break };
            let outcome = self.hand_on_one(&mut waiting).await;
            if let Err(reason) = outcome {
                self.give_up(waiting, reason);
            }
            self.depth.fetch_sub(1, Ordering::AcqRel);
            self.handed_on.raise();
        }
        self.backend.hurry();
    }

    /// Hands a record to the library, waiting for room there.
    async fn hand_on_one(&self, waiting: &mut Waiting) -> Result<(), ClientError> {
        let mut report = waiting.report.take();
        loop {
            let deadline = self.queue.lock().closing;
            let (topic, headers) = (Arc::clone(&waiting.topic), &waiting.headers);
            let record = RecordToSend {
                topic: &topic,
                partition: waiting.partition,
                key: waiting.key.as_deref(),
                value: waiting.value.as_deref(),
                headers,
                timestamp: Some(waiting.timestamp),
            };
            // Looks up now and then, as it may be told meanwhile to come to an end.
            let look_up = Instant::now() + Duration::from_millis(100);
            let until = deadline.map_or(look_up, |deadline| deadline.min(look_up));
            let accepted = self.backend.room().wait_async(Some(until), || {
                match self.backend.send(&record, report.take()) {
                    Ok(()) => Some(Ok(())),
                    Err(Refused::Full(unused)) => {
                        report = unused;
                        None
                    }
                    Err(Refused::Never(error)) => Some(Err(error)),
                }
            });
            match accepted.await {
                Some(outcome) => return outcome,
                None if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    waiting.report = report;
                    return Err(ClientError::new(
                        ErrorKind::TimedOut,
                        format!("publishing to '{}'", waiting.topic),
                        "the publisher was stopped before there was room for it",
                    ));
                }
                None => {}
            }
        }
    }

    fn give_up(&self, waiting: Waiting, reason: ClientError) {
        if let Some(report) = waiting.report {
            return report(Err(reason));
        }
        self.losses.undelivered(vec![Undelivered {
            topic: waiting.topic,
            partition: waiting.partition,
            key: waiting.key,
            value: waiting.value,
            headers: waiting.headers,
            timestamp: waiting.timestamp,
            reason,
        }]);
    }
}
