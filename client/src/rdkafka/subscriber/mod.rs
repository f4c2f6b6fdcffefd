//! The consumer: librdkafka's, with a thread that polls it into a queue of records.
//!
//! The group's protocol, fetching and assignors are librdkafka's; here is what the traits promise around them. Offsets
//! are kept and committed here, as only here is known what was handed out.

mod events;
mod lists;
mod message;
mod poller;
mod state;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use ::rdkafka::Offset;
use ::rdkafka::consumer::{BaseConsumer, Consumer};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use self::events::Events;
use self::lists::{list, list_of_offsets, offsets_in};
use self::message::Copier;
pub(super) use self::message::headers_of;
use self::poller::Poller;
use self::state::State;
use super::{config, error};
use crate::backend::{BoxFuture, Commit, ConsumerBackend, OffsetSpec, Position, RebalanceListener, SeekTo};
use crate::error::{ClientError, ErrorKind};
use crate::options::{ClientOptions, ConsumerOptions, IsolationLevel};
use crate::record::{Record, TopicPartition};
use crate::runtime;
use crate::signal::Signal;

/// A consumer over librdkafka.
pub(super) struct Subscriber {
    shared: Arc<Shared>,
    request_timeout: Duration,
}

/// What the caller's threads, the thread that polls and librdkafka's events have in common.
pub(super) struct Shared {
    topics: Vec<Arc<str>>,
    listener: Option<Arc<dyn RebalanceListener>>,
    commits_by_itself: bool,
    creates_topics: bool,
    reads_committed: bool,
    state: Mutex<State>,
    seeks: Mutex<Vec<Seek>>,
    arrived: Signal,
    assigned: Signal,
    /// Raised when the queue is half empty.
    space: Signal,
    ended: Signal,
    /// The member has left its group, as nothing was taken.
    expelled: AtomicBool,
    closing: Mutex<Option<Instant>>,
    /// It was dropped without being closed, as in a crash: nothing is committed.
    abandoned: AtomicBool,
    has_left: AtomicBool,
    has_ended: AtomicBool,
    /// Held by the thread that polls, so that librdkafka ends there.
    consumer: OnceLock<Weak<BaseConsumer<Events>>>,
    /// From which depth on those are told who wait for space.
    half: usize,
}

/// A wish to go on reading elsewhere.
struct Seek {
    partitions: Option<Vec<TopicPartition>>,
    to: SeekTo,
    deadline: Instant,
    answer: oneshot::Sender<Result<(), ClientError>>,
}

impl Seek {
    /// Tells how it went. Where nobody waits for that any more, a failure is logged.
    fn done(self, how: Result<(), ClientError>) {
        if let Err(Err(error)) = self.answer.send(how) {
            tracing::warn!("{error}");
        }
    }

    fn asked(&self) -> String {
        let place = match self.to {
            SeekTo::Offset(offset) => format!("offset {offset}"),
            SeekTo::Found(OffsetSpec::Earliest) => "the beginning".to_owned(),
            SeekTo::Found(OffsetSpec::Latest) => "the end".to_owned(),
            SeekTo::Found(OffsetSpec::AtTime(time)) => format!("the time {time}"),
        };
        format!("seeking to {place}")
    }
}

fn has_ended() -> ClientError {
    ClientError::new(ErrorKind::NotRunning, "asking a consumer", "the subscriber has been stopped")
}

/// The offset by which librdkafka finds a place, where it does so by itself.
fn found_by_librdkafka(to: SeekTo) -> Option<Offset> {
    match to {
        SeekTo::Offset(offset) => Some(Offset::Offset(offset)),
        SeekTo::Found(OffsetSpec::Earliest) => Some(Offset::Beginning),
        SeekTo::Found(OffsetSpec::Latest) => Some(Offset::End),
        SeekTo::Found(OffsetSpec::AtTime(_)) => None,
    }
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriber").field("topics", &self.shared.topics).finish_non_exhaustive()
    }
}

impl Shared {
    fn commits_at_the_end(&self) -> bool {
        self.commits_by_itself && !self.abandoned.load(Ordering::SeqCst)
    }

    fn reading(&self) -> String {
        format!("reading '{}'", self.topics.join("', '"))
    }
}

impl Subscriber {
    pub(super) fn start(
        options: &ClientOptions,
        consumer: &ConsumerOptions,
        topics: &[Arc<str>],
        listener: Option<Arc<dyn RebalanceListener>>,
    ) -> Result<Subscriber, ClientError> {
        const ASKED: &str = "starting a consumer of librdkafka's";
        let (servers, broker) = super::servers(&options.bootstrap)?;
        let config = config::consumer(options, consumer, &servers)?;
        let shared = Arc::new(Shared {
            topics: topics.to_vec(),
            listener,
            commits_by_itself: consumer.enable_auto_commit,
            creates_topics: consumer.allow_auto_create_topics,
            reads_committed: consumer.isolation_level == IsolationLevel::ReadCommitted,
            state: Mutex::default(),
            seeks: Mutex::default(),
            arrived: Signal::default(),
            assigned: Signal::default(),
            space: Signal::default(),
            ended: Signal::default(),
            expelled: AtomicBool::new(false),
            closing: Mutex::default(),
            abandoned: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            consumer: OnceLock::new(),
            half: consumer.max_depth / 2,
        });
        let events = Events { shared: Arc::clone(&shared) };
        let failed = |failed| error::of(&failed, ASKED);
        let librdkafkas: BaseConsumer<Events> = config.create_with_context(events).map_err(failed)?;
        let librdkafkas = Arc::new(librdkafkas);
        // It is new: nobody has set it before.
        let _ = shared.consumer.set(Arc::downgrade(&librdkafkas));
        let names: Vec<_> = topics.iter().map(|topic| &**topic).collect();
        librdkafkas.subscribe(&names).map_err(failed)?;
        let poller = Poller {
            consumer: librdkafkas,
            shared: Arc::clone(&shared),
            parked: false,
            copier: Copier::new(topics),
            most_records: consumer.max_depth.max(1),
            most_bytes: consumer.max_fetched_bytes.max(1),
            commit_interval: consumer.auto_commit_interval,
            max_poll_interval: consumer.max_poll_interval,
            request_timeout: options.request_timeout,
            broker,
        };
        std::thread::Builder::new()
            .name("klamm-rdkafka-consumer".to_owned())
            .spawn(move || poller.run())
            .map_err(|error| ClientError::new(ErrorKind::System, ASKED, error.to_string()))?;
        Ok(Subscriber { shared, request_timeout: options.request_timeout })
    }

    /// Asks librdkafka something that it answers only after a while.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Weak<BaseConsumer<Events>>) -> Result<T, ClientError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, ClientError>> {
        let consumer = self.shared.consumer.get().cloned().unwrap_or_default();
        Box::pin(async move {
            let answer = runtime::handle()?.spawn_blocking(move || question(&consumer)).await;
            answer.unwrap_or_else(|error| {
                Err(ClientError::new(ErrorKind::System, "asking librdkafka", error.to_string()))
            })
        })
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.shared.closing.lock().get_or_insert_with(|| {
            self.shared.abandoned.store(true, Ordering::SeqCst);
            Instant::now()
        });
    }
}

impl ConsumerBackend for Subscriber {
    fn try_next(&self) -> Option<Result<Record, ClientError>> {
        let (taken, depth) = {
            let mut state = self.shared.state.lock();
            let taken = state.take();
            (taken, state.depth())
        };
        if taken.is_some() && depth <= self.shared.half {
            self.shared.space.raise();
        }
        taken
    }

    fn arrived(&self) -> &Signal {
        &self.shared.arrived
    }

    fn depth(&self) -> usize {
        self.shared.state.lock().depth()
    }

    fn commit(&self, what: Commit) -> BoxFuture<'_, Result<(), ClientError>> {
        let offsets = match what {
            Commit::HandedOut => self.shared.state.lock().uncommitted(|_| true),
            Commit::Offsets(offsets) => offsets,
        };
        Box::pin(async move {
            let to_commit = offsets.clone();
            self.ask(move |consumer| events::commit(consumer, &to_commit)).await?;
            self.shared.state.lock().committed(&offsets);
            Ok(())
        })
    }

    fn assignment(&self) -> Vec<TopicPartition> {
        self.shared.state.lock().partitions()
    }

    fn assigned(&self) -> &Signal {
        &self.shared.assigned
    }

    fn positions(&self) -> Vec<(TopicPartition, Position)> {
        self.shared.state.lock().positions()
    }

    fn seek(
        &self,
        partitions: Option<Vec<TopicPartition>>,
        to: SeekTo,
    ) -> BoxFuture<'_, Result<(), ClientError>> {
        let (partitions, telling) = {
            let mut state = self.shared.state.lock();
            (state.begin_at(partitions, to), state.telling)
        };
        let (answer, wait) = oneshot::channel();
        let deadline = Instant::now() + self.request_timeout;
        let seek = Seek { partitions, to, deadline, answer };
        if self.shared.closing.lock().is_some() {
            return Box::pin(std::future::ready(Err(has_ended())));
        }
        if seek.partitions.as_ref().is_some_and(Vec::is_empty) {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.shared.seeks.lock().push(seek);
        if telling {
            // The thread that seeks waits for the listener; the listener must not wait for it.
            return Box::pin(std::future::ready(Ok(())));
        }
        Box::pin(async move { wait.await.unwrap_or_else(|_| Err(has_ended())) })
    }

    fn pause(&self, partitions: Option<&[TopicPartition]>) {
        self.shared.state.lock().pause(partitions);
    }

    fn resume(&self, partitions: Option<&[TopicPartition]>) {
        self.shared.state.lock().resume(partitions);
    }

    fn committed(
        &self,
        partitions: Vec<TopicPartition>,
    ) -> BoxFuture<'_, Result<Vec<(TopicPartition, Option<i64>)>, ClientError>> {
        let timeout = self.request_timeout;
        self.ask(move |consumer| {
            let consumer = consumer.upgrade().ok_or_else(has_ended)?;
            let found = consumer.committed_offsets(list(&partitions), timeout);
            let found = found.map_err(|failed| error::of(&failed, "asking for committed offsets"))?;
            Ok(matched(partitions, &offsets_in(&found)))
        })
    }

    fn offsets(
        &self,
        partitions: Vec<TopicPartition>,
        spec: OffsetSpec,
    ) -> BoxFuture<'_, Result<Vec<(TopicPartition, Option<i64>)>, ClientError>> {
        let timeout = self.request_timeout;
        self.ask(move |consumer| {
            let consumer = consumer.upgrade().ok_or_else(has_ended)?;
            let failed = |failed| error::of(&failed, "asking for offsets");
            if let OffsetSpec::AtTime(time) = spec {
                let asked: Vec<_> = partitions.iter().map(|one| (one.clone(), time)).collect();
                let asked = list_of_offsets(&asked).map_err(failed)?;
                let found = consumer.offsets_for_times(asked, timeout).map_err(failed)?;
                return Ok(matched(partitions, &offsets_in(&found)));
            }
            let mut found = Vec::with_capacity(partitions.len());
            for one in partitions {
                let ends = consumer.fetch_watermarks(&one.topic, one.partition, timeout);
                let (first, end) = ends.map_err(failed)?;
                found.push((one, Some(if spec == OffsetSpec::Earliest { first } else { end })));
            }
            Ok(found)
        })
    }

    fn close(&self, deadline: Instant) -> BoxFuture<'_, Result<(), ClientError>> {
        {
            let mut closing = self.shared.closing.lock();
            *closing = Some(closing.map_or(deadline, |earlier| earlier.min(deadline)));
        }
        Box::pin(async move {
            let ended = || self.shared.has_ended.load(Ordering::SeqCst).then_some(());
            let in_time = self.shared.ended.wait_async(Some(deadline), ended).await;
            if in_time.is_some() && self.shared.has_left.load(Ordering::SeqCst) {
                return Ok(());
            }
            let why = "librdkafka has not left the group in time";
            Err(ClientError::new(ErrorKind::TimedOut, "stopping the subscriber", why)
                .remedy("the group gives its partitions to others after session_timeout_ms"))
        })
    }
}

/// The offset found for each of these partitions.
fn matched(
    partitions: Vec<TopicPartition>,
    found: &[(TopicPartition, i64)],
) -> Vec<(TopicPartition, Option<i64>)> {
    let offset = |partition: &TopicPartition| {
        found
            .iter()
            .find(|(one, _)| one == partition)
            .map(|(_, offset)| *offset)
            .filter(|offset| *offset >= 0)
    };
    partitions.into_iter().map(|partition| (partition.clone(), offset(&partition))).collect()
}
