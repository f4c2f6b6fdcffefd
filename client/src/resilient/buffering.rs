//! What a resilient producer has accepted, and whether the broker is there.
//!
//! The library keeps the order: it is told to try for as long as it lives, so that nothing overtakes. This file counts what it
//! has, watches whether the broker is there, and ends the library when enough tries have failed, to keep what is left.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use super::producer::ResilientDetails;
use super::reachable;
use crate::backend::{OnUndelivered, ProducerBackend, RecordToSend, Refused, Report};
use crate::config::PublisherConfig;
use crate::details::after;
use crate::embedded::EmbeddedBroker;
use crate::error::{ClientError, ErrorKind};
use crate::factory::{Backends, ProducerSetup};
use crate::publisher::StopReport;
use crate::record::{Delivered, Headers, Undelivered};
use crate::runtime;
use crate::signal::Signal;

/// How often the watch looks whether anything gets through, while something waits.
const GLANCE: Duration = Duration::from_secs(1);
/// The library never gives a record up by itself: the longest time that both libraries take.
const NEVER: Duration = Duration::from_millis(2_147_483_647);

#[derive(Debug)]
pub(super) struct Core {
    pub(super) config: PublisherConfig,
    backends: Arc<dyn Backends>,
    /// Kept alive, where the broker is within this process.
    _broker: Option<EmbeddedBroker>,
    /// One publishes at a time, so that the library gets messages in the order of their numbers. Never waited for while
    /// the state is locked.
    order: Mutex<()>,
    pub(super) state: Mutex<State>,
    /// Raised when messages are acknowledged or given up, and when the broker goes or comes.
    pub(super) changed: Signal,
    /// Raised for the watch.
    look: Signal,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// None after giving up, until something is published again.
    backend: Option<Arc<dyn ProducerBackend>>,
    next: u64,
    buffered: BTreeMap<u64, Entry>,
    pub(super) unsent: BTreeMap<u64, Undelivered>,
    sent: u64,
    /// How often the broker was looked for in vain; 0 while it is there.
    tries: u32,
    /// Why what the library gives up now is given up.
    giving_up: Option<ClientError>,
    stopped: bool,
    pub(super) report: Option<StopReport>,
    look_now: bool,
}

/// A message that waits.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) headers: Headers,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: i64,
}

/// Every message has a report; nothing comes here.
#[derive(Debug)]
struct Nobody;

impl OnUndelivered for Nobody {
    fn undelivered(&self, _: Vec<Undelivered>) {}
}

impl Core {
    pub(super) fn start(
        config: PublisherConfig,
        backends: Arc<dyn Backends>,
    ) -> Result<Arc<Self>, ClientError> {
        let broker = backends.broker(&config.client.bootstrap)?;
        let core = Arc::new(Core {
            config,
            backends,
            _broker: broker,
            order: Mutex::new(()),
            state: Mutex::default(),
            changed: Signal::default(),
            look: Signal::default(),
        });
        // Made now, so that what the library cannot take is told now.
        core.state.lock().backend = Some(core.library()?);
        runtime::handle()?.spawn(watch(Arc::downgrade(&core)));
        Ok(core)
    }

    fn library(&self) -> Result<Arc<dyn ProducerBackend>, ClientError> {
        let (mut client, mut producer) = (self.config.client.clone(), self.config.producer.clone());
        producer.delivery_timeout = NEVER;
        producer.retries = u32::try_from(i32::MAX).unwrap_or_default();
        if !producer.is_idempotent() {
            // Without the broker's help one request at a time keeps the order.
            producer.max_in_flight = 1;
        }
        client.reconnect_backoff_max = client.reconnect_backoff_max.min(self.config.resilience.interval);
        client.reconnect_backoff = client.reconnect_backoff.min(client.reconnect_backoff_max);
        let setup = ProducerSetup { library: self.config.library, client, producer };
        self.backends.producer(&setup, Arc::new(Nobody))
    }

    pub(super) fn asked(&self) -> String {
        format!("publishing to '{}'", self.config.topic)
    }

    pub(super) fn not_running(&self) -> ClientError {
        let why = format!("the producer '{}' was stopped", self.config.name);
        ClientError::new(ErrorKind::NotRunning, self.asked(), why).remedy("create another")
    }

    fn full(&self, why: String, remedy: &str) -> ClientError {
        ClientError::new(ErrorKind::BufferFull, self.asked(), why).remedy(remedy)
    }

    /// Has a message accepted, waiting for room up to `max_block_ms` unless the broker is away.
    pub(super) fn publish(self: &Arc<Self>, entry: Entry) -> Result<(), ClientError> {
        let deadline = Instant::now().checked_add(self.config.producer.max_block);
        let outcome = self.changed.wait(deadline, || self.offer(&entry));
        outcome.unwrap_or_else(|| Err(self.no_room()))
    }

    /// As [`publish`](Core::publish), for a task.
    pub(super) async fn publish_async(self: &Arc<Self>, entry: Entry) -> Result<(), ClientError> {
        let deadline = Instant::now().checked_add(self.config.producer.max_block);
        let outcome = self.changed.wait_async(deadline, || self.offer(&entry)).await;
        outcome.unwrap_or_else(|| Err(self.no_room()))
    }

    fn no_room(&self) -> ClientError {
        let (waiting, block) = (self.state.lock().buffered.len(), self.config.producer.max_block.as_millis());
        self.full(
            format!(
                "{waiting} messages wait, and there was no room for another within max_block_ms ({block})"
            ),
            "publish more slowly, or make buffer_max_messages and buffer_memory larger",
        )
    }

    /// Takes a message in, or says that there is no room now.
    fn offer(self: &Arc<Self>, entry: &Entry) -> Option<Result<(), ClientError>> {
        let _order = self.order.lock();
        let (number, backend) = {
            let mut state = self.state.lock();
            if let Some(outcome) = self.room(&mut state) {
                return outcome.err().map(Err);
            }
            let backend = match &state.backend {
                Some(backend) => Arc::clone(backend),
                None => match self.library() {
                    Ok(backend) => Arc::clone(state.backend.insert(backend)),
                    Err(error) => return Some(Err(error.asked(self.asked()))),
                },
            };
            state.giving_up = None;
            let number = state.next;
            state.next += 1;
            state.buffered.insert(number, entry.clone());
            (number, backend)
        };
        let record = RecordToSend {
            topic: &self.config.topic,
            partition: entry.partition,
            key: entry.key.as_deref(),
            value: entry.value.as_deref(),
            headers: &entry.headers,
            timestamp: Some(entry.timestamp),
        };
        let core = Arc::downgrade(self);
        let report: Report = Box::new(move |outcome| {
            if let Some(core) = core.upgrade() {
                core.told(number, outcome);
            }
        });
        let Err(refused) = backend.send(&record, Some(report)) else { return Some(Ok(())) };
        self.state.lock().buffered.remove(&number);
        match refused {
            Refused::Full(_) if self.state.lock().tries > 0 => Some(Err(self.away_and_full())),
            Refused::Full(_) => {
                self.look_now();
                None
            }
            Refused::Never(error) => Some(Err(error.asked(self.asked()))),
        }
    }

    /// None if there is room; Ok if it is worth waiting for.
    fn room(&self, state: &mut State) -> Option<Result<(), ClientError>> {
        let most = self.config.resilience.buffer_max_messages;
        if state.stopped {
            return Some(Err(self.not_running()));
        }
        if state.unsent.len() >= most {
            let why = format!("{} messages that could not be sent are kept", state.unsent.len());
            return Some(Err(self.full(why, "take them with take_unsent, or send them again with resend")));
        }
        if state.buffered.len() < most {
            return None;
        }
        if state.tries > 0 {
            return Some(Err(self.away_and_full()));
        }
        state.look_now = true;
        self.look.raise();
        Some(Ok(()))
    }

    fn away_and_full(&self) -> ClientError {
        let why = format!(
            "the broker is away, and the buffer is full (buffer_max_messages is {})",
            self.config.resilience.buffer_max_messages
        );
        self.full(why, "publish again once it is back, or make buffer_max_messages and buffer_memory larger")
    }

    fn look_now(&self) {
        self.state.lock().look_now = true;
        self.look.raise();
    }

    /// What became of a message. Called by the library.
    fn told(&self, number: u64, outcome: Result<Delivered, ClientError>) {
        let mut state = self.state.lock();
        let Some(entry) = state.buffered.remove(&number) else { return };
        match outcome {
            Ok(_) => {
                state.sent += 1;
                state.tries = 0;
            }
            Err(reason) => {
                let reason = state.giving_up.clone().unwrap_or_else(|| reason.asked(self.asked()));
                self.keep(&mut state, number, entry, reason);
            }
        }
        drop(state);
        self.changed.raise();
    }

    fn keep(&self, state: &mut State, number: u64, entry: Entry, reason: ClientError) {
        let Entry { key, value, headers, partition, timestamp } = entry;
        let topic = Arc::clone(&self.config.topic);
        state.unsent.insert(number, Undelivered { topic, partition, key, value, headers, timestamp, reason });
    }

    pub(super) fn is_empty(&self) -> Option<()> {
        self.state.lock().buffered.is_empty().then_some(())
    }

    pub(super) fn not_flushed(&self) -> ClientError {
        let waiting = self.state.lock().buffered.len();
        let asked = format!("flushing the producer '{}'", self.config.name);
        ClientError::new(ErrorKind::TimedOut, asked, format!("{waiting} messages are not acknowledged yet"))
            .remedy("flush again; they go on waiting")
    }

    pub(super) fn hurry(&self) {
        let backend = self.state.lock().backend.clone();
        if let Some(backend) = backend {
            backend.hurry();
        }
    }

    /// Ends the library, and keeps what it has not delivered.
    async fn give_up(&self, reason: ClientError, deadline: Instant) {
        // What is published from here on starts another library, behind these.
        let (backend, given_up): (_, Vec<u64>) = {
            let _order = self.order.lock();
            let mut state = self.state.lock();
            state.giving_up = Some(reason.clone());
            (state.backend.take(), state.buffered.keys().copied().collect())
        };
        let Some(backend) = backend else { return };
        backend.close(deadline).await;
        let mut state = self.state.lock();
        for number in given_up {
            if let Some(entry) = state.buffered.remove(&number) {
                self.keep(&mut state, number, entry, reason.clone());
            }
        }
        drop(state);
        self.changed.raise();
    }

    /// Has it ended in the background, once: whoever waits may go away meanwhile.
    pub(super) fn begin_stop(self: &Arc<Self>, time: Duration) -> Result<(), ClientError> {
        let runtime = runtime::handle()?;
        if std::mem::replace(&mut self.state.lock().stopped, true) {
            return Ok(());
        }
        let (core, deadline) = (Arc::clone(self), after(time));
        runtime.spawn(async move {
            core.hurry();
            core.changed.wait_async(Some(deadline), || core.is_empty()).await;
            let reason = ClientError::new(
                ErrorKind::TimedOut,
                core.asked(),
                "the producer was stopped before it could be sent",
            );
            core.give_up(reason, Instant::now()).await;
            let mut state = core.state.lock();
            let undelivered: Vec<_> = state.unsent.values().cloned().collect();
            let failed_count = u64::try_from(undelivered.len()).unwrap_or(u64::MAX);
            state.report = Some(StopReport { undelivered, failed_count });
            drop(state);
            core.changed.raise();
            core.look.raise();
        });
        Ok(())
    }

    pub(super) fn details(&self) -> ResilientDetails {
        let state = self.state.lock();
        ResilientDetails {
            name: self.config.name.clone(),
            destination: self.config.destination.clone(),
            library: self.config.library,
            connected: state.tries == 0,
            tries: state.tries,
            buffered: state.buffered.len(),
            sent: state.sent,
            unsent: state.unsent.len(),
        }
    }

    /// Looks once whether the broker is there. True if it is, or is not needed.
    async fn is_there(&self, acknowledged: u64) -> bool {
        {
            let state = self.state.lock();
            if state.buffered.is_empty() || state.sent != acknowledged {
                return true;
            }
        }
        reachable(&self.config.client.bootstrap, self.config.client.connect_timeout).await
    }

    /// The broker is away: looks for it every so often, and gives up in the end.
    async fn wait_out(&self) {
        let resilience = &self.config.resilience;
        let acknowledged = self.state.lock().sent;
        for tried in 1..=resilience.tries {
            self.state.lock().tries = tried;
            self.changed.raise();
            tracing::warn!(producer = %self.config.name, tried, of = resilience.tries, "the broker is away; what is published waits");
            let through = || {
                let state = self.state.lock();
                (state.sent != acknowledged || state.report.is_some()).then_some(())
            };
            let next = after(resilience.interval);
            if self.changed.wait_async(Some(next), through).await.is_some()
                || self.is_there(acknowledged).await
            {
                self.state.lock().tries = 0;
                tracing::info!(producer = %self.config.name, "the broker is back; what waits is sent");
                return self.changed.raise();
            }
        }
        let why = format!(
            "no broker could be reached in {} tries, {:?} apart",
            resilience.tries, resilience.interval
        );
        let reason =
            ClientError::new(ErrorKind::Unreachable, self.asked(), why).remedy("resend once it is back");
        tracing::error!(producer = %self.config.name, "gave up; what waited is kept as unsent");
        self.give_up(reason, Instant::now()).await;
        self.state.lock().tries = 0;
        self.changed.raise();
    }
}

/// Watches whether the broker is there, for as long as the producer lives.
async fn watch(core: Weak<Core>) {
    let mut acknowledged = 0;
    loop {
        let Some(core) = core.upgrade() else { return };
        let asked = || {
            let mut state = core.state.lock();
            (std::mem::take(&mut state.look_now) || state.report.is_some()).then_some(())
        };
        core.look.wait_async(Some(Instant::now() + GLANCE), asked).await;
        if core.state.lock().report.is_some() {
            return;
        }
        if !core.is_there(acknowledged).await {
            core.wait_out().await;
        }
        acknowledged = core.state.lock().sent;
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let Some(backend) = state.backend.take() else { return };
        if !state.buffered.is_empty() {
            tracing::warn!(producer = %self.config.name, messages = state.buffered.len(), "dropped without being stopped; what waits is sent in the background");
        }
        let deadline = after(self.config.producer.delivery_timeout);
        if let Ok(runtime) = runtime::handle() {
            runtime.spawn(async move { backend.close(deadline).await });
        }
    }
}
