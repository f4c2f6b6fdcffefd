//! What all clones of a subscriber share: the way to the library, the counts, the beginning and the end.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use super::rebalance::{Committer, Rebalances};
use crate::backend::{Commit, ConsumerBackend, RebalanceListener};
use crate::config::SubscriberConfig;
use crate::dead_letter::Letters;
use crate::details::{AssignedPartition, SubscriberDetails, after, now_millis, time_of};
use crate::embedded::EmbeddedBroker;
use crate::error::{ClientError, ErrorKind};
use crate::factory::{Backends, ConsumerSetup};
use crate::metrics::{self, SubscriberMeters, as_gauge};
use crate::record::{Record, TopicPartition};
use crate::runtime;
use crate::signal::Signal;

/// How long stopping may take: committing, and leaving the group.
const STOP_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: SubscriberConfig,
    backends: Arc<dyn Backends>,
    /// Kept alive, where the broker is within this process.
    _broker: Option<EmbeddedBroker>,
    pub(super) listener: Mutex<Option<Arc<dyn RebalanceListener>>>,
    state: RwLock<State>,
    received: AtomicU64,
    last_receive: AtomicI64,
    pub(super) undecodable: AtomicU64,
    /// Dead letters of runs that are over.
    letters_before: AtomicU64,
    pub(super) meters: SubscriberMeters,
    ended: Signal,
    /// Errors that came after records which were handed out together.
    postponed: Mutex<Vec<ClientError>>,
    has_postponed: AtomicBool,
}

/// From the start to the stop.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) backend: Arc<dyn ConsumerBackend>,
    pub(crate) letters: Option<Arc<Letters>>,
    stopped: AtomicBool,
}

#[derive(Debug)]
enum State {
    New,
    Running(Arc<Run>),
    /// It is leaving its group; what it has to give up is told to the listener, who may commit.
    Stopping(Arc<Run>),
    Stopped(Result<(), ClientError>),
}

impl Core {
    pub(super) fn new(
        config: SubscriberConfig,
        backends: Arc<dyn Backends>,
    ) -> Result<Arc<Self>, ClientError> {
        let meters = SubscriberMeters::new(&config.name, &config.topic, config.library);
        let broker = backends.broker(&config.client.bootstrap)?;
        let core = Arc::new(Core {
            config,
            backends,
            _broker: broker,
            listener: Mutex::new(None),
            state: RwLock::new(State::New),
            received: AtomicU64::new(0),
            last_receive: AtomicI64::new(0),
            undecodable: AtomicU64::new(0),
            letters_before: AtomicU64::new(0),
            meters,
            ended: Signal::default(),
            postponed: Mutex::default(),
            has_postponed: AtomicBool::new(false),
        });
        metrics::sample(Arc::downgrade(&core), Core::sample)?;
        Ok(core)
    }

    fn sample(&self) {
        let (depth, lag) = match self.run() {
            Ok(run) => (run.backend.depth(), self.lag(&run)),
            Err(_) => (0, None),
        };
        self.meters.queue_depth.set(as_gauge(depth));
        if let Some(lag) = lag {
            self.meters.lag.set(as_gauge(usize::try_from(lag).unwrap_or(0)));
        }
    }

    pub(super) fn start(&self) -> Result<(), ClientError> {
        let mut state = self.state.write();
        if matches!(*state, State::Running(_) | State::Stopping(_)) {
            let asked = format!("starting the subscriber '{}'", self.config.name);
            return Err(ClientError::new(ErrorKind::AlreadyRunning, asked, "it has been started already")
                .remedy("start it once; stop it before it is started again"));
        }
        let run = self.begin()?;
        *state = State::Running(run);
        Ok(())
    }

    fn begin(&self) -> Result<Arc<Run>, ClientError> {
        let config = &self.config;
        let mut consumer = config.consumer.clone();
        // With dead letters not everything that was taken may be committed: that is decided here.
        let commits_here = config.dead_letter_topic.is_some() && consumer.enable_auto_commit;
        if commits_here {
            consumer.enable_auto_commit = false;
        }
        let own = self.listener.lock().clone();
        let rebalances = config.dead_letter_topic.as_ref().map(|_| Arc::new(Rebalances::new(own.clone())));
        let listener = rebalances.clone().map(|listener| listener as Arc<dyn RebalanceListener>).or(own);
        let setup = ConsumerSetup {
            library: config.library,
            topic: Arc::clone(&config.topic),
            client: config.client.clone(),
            consumer,
            listener,
        };
        let backend = self.backends.consumer(&setup)?;
        let letters = match &config.dead_letter_topic {
            None => None,
            Some(topic) => Some(Letters::start(
                Arc::clone(topic),
                config,
                &*self.backends,
                Arc::clone(&backend),
                self.meters.clone(),
            )?),
        };
        if let (Some(rebalances), Some(letters)) = (rebalances, &letters) {
            let committer = Committer::new(Arc::downgrade(&backend), Arc::downgrade(letters), commits_here);
            rebalances.connect(committer.clone());
            if commits_here {
                runtime::handle()?.spawn(committer.run(config.consumer.auto_commit_interval));
            }
        }
        Ok(Arc::new(Run { backend, letters, stopped: AtomicBool::new(false) }))
    }

    /// Why there is nothing to read from in this state.
    #[cold]
    fn not_running(&self, state: &State) -> ClientError {
        let asked = format!("reading from '{}'", self.config.topic);
        let (why, remedy) = match state {
            State::New => ("was not started", "start it first"),
            _ => ("was stopped", "start it again"),
        };
        ClientError::new(ErrorKind::NotRunning, asked, format!("the subscriber '{}' {why}", self.config.name))
            .remedy(remedy)
    }

    /// The present run.
    pub(crate) fn run(&self) -> Result<Arc<Run>, ClientError> {
        match &*self.state.read() {
            State::Running(run) => Ok(Arc::clone(run)),
            state => Err(self.not_running(state)),
        }
    }

    /// Keeps an error for the next who asks.
    pub(super) fn postpone(&self, error: ClientError) {
        self.postponed.lock().push(error);
        self.has_postponed.store(true, Ordering::Release);
    }

    #[cold]
    fn take_postponed(&self) -> Option<ClientError> {
        let mut postponed = self.postponed.lock();
        self.has_postponed.store(postponed.len() > 1, Ordering::Release);
        (!postponed.is_empty()).then(|| postponed.remove(0))
    }

    fn stopped_meanwhile(&self) -> ClientError {
        let asked = format!("reading from '{}'", self.config.topic);
        ClientError::new(
            ErrorKind::NotRunning,
            asked,
            format!("the subscriber '{}' was stopped", self.config.name),
        )
    }

    /// The next record, if one is there.
    #[inline]
    pub(crate) fn take_now(&self) -> Result<Option<Record>, ClientError> {
        let state = self.state.read();
        let State::Running(run) = &*state else { return Err(self.not_running(&state)) };
        if self.has_postponed.load(Ordering::Relaxed)
            && let Some(error) = self.take_postponed()
        {
            return Err(error);
        }
        let taken = run.take()?;
        if let Some(record) = &taken {
            self.count(record);
        }
        Ok(taken)
    }

    /// The next record, waiting for it until the deadline.
    pub(crate) fn take(&self, deadline: Option<Instant>) -> Result<Option<Record>, ClientError> {
        if let Some(record) = self.take_now()? {
            return Ok(Some(record));
        }
        let run = self.run()?;
        loop {
            let found = run.signal().wait(deadline, || self.look(&run));
            match found {
                Some(Look::Again) => {}
                Some(Look::Found(outcome)) => return outcome.map(Some),
                None => return Ok(None),
            }
        }
    }

    /// As [`take`](Core::take), for a task. Dropped, it has taken nothing.
    pub(crate) async fn take_async(&self, deadline: Option<Instant>) -> Result<Option<Record>, ClientError> {
        if let Some(record) = self.take_now()? {
            return Ok(Some(record));
        }
        let run = self.run()?;
        loop {
            let found = run.signal().wait_async(deadline, || self.look(&run)).await;
            match found {
                Some(Look::Again) => {}
                Some(Look::Found(outcome)) => return outcome.map(Some),
                None => return Ok(None),
            }
        }
    }

    fn look(&self, run: &Run) -> Option<Look> {
        if run.stopped.load(Ordering::Acquire) {
            return Some(Look::Found(Err(self.stopped_meanwhile())));
        }
        let flowed = run.flows();
        let found = run.take().transpose();
        if let Some(Ok(record)) = &found {
            self.count(record);
        }
        match found {
            Some(outcome) => Some(Look::Found(outcome)),
            // Where there is something else to wait for now, the wait begins anew.
            None => (flowed != run.flows()).then_some(Look::Again),
        }
    }

    #[inline]
    fn count(&self, record: &Record) {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.last_receive.store(now_millis(), Ordering::Relaxed);
        self.meters.records.increment(1);
        let bytes = record.key.as_ref().map_or(0, Bytes::len) + record.value.as_ref().map_or(0, Bytes::len);
        self.meters.bytes.increment(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Commits everything that was handed out, or the given offsets. Dead letters on their way are waited for.
    pub(super) async fn commit(
        &self,
        offsets: Option<Vec<(TopicPartition, i64)>>,
    ) -> Result<(), ClientError> {
        let run = match &*self.state.read() {
            State::Running(run) | State::Stopping(run) => Arc::clone(run),
            state => return Err(self.not_running(state)),
        };
        let what = match (&run.letters, offsets) {
            (None, None) => Commit::HandedOut,
            (None, Some(offsets)) => Commit::Offsets(offsets),
            (Some(letters), offsets) => {
                letters.settle(after(self.config.client.request_timeout)).await;
                Commit::Offsets(match offsets {
                    None => letters.safe_offsets(),
                    Some(mut offsets) => {
                        for (place, offset) in &mut offsets {
                            *offset = letters.safe(place, *offset);
                        }
                        offsets
                    }
                })
            }
        };
        let committed = run.backend.commit(what).await;
        match &committed {
            Ok(()) => self.meters.commits.increment(1),
            Err(_) => self.meters.commit_failures.increment(1),
        }
        committed.map_err(|error| {
            error.asked(format!("committing offsets of the group '{}'", self.config.consumer.group_id))
        })
    }

    /// Has it ended in the background, once: whoever waits may go away meanwhile.
    fn begin_stop(self: &Arc<Self>) -> Result<(), ClientError> {
        let runtime = runtime::handle()?;
        let mut state = self.state.write();
        let run = match &*state {
            State::Running(run) => Arc::clone(run),
            State::New => {
                *state = State::Stopped(Ok(()));
                return Ok(());
            }
            State::Stopping(_) | State::Stopped(_) => return Ok(()),
        };
        *state = State::Stopping(Arc::clone(&run));
        drop(state);
        let core = Arc::clone(self);
        runtime.spawn(async move {
            let outcome = run.close(core.config.consumer.enable_auto_commit).await;
            let letters = run.letters.as_ref().map_or(0, |letters| letters.delivered());
            core.letters_before.fetch_add(letters, Ordering::Relaxed);
            let asked = format!("stopping the subscriber '{}'", core.config.name);
            *core.state.write() = State::Stopped(outcome.map_err(|error| error.asked(asked)));
            core.ended.raise();
        });
        Ok(())
    }

    fn stop_outcome(&self) -> Option<Result<(), ClientError>> {
        match &*self.state.read() {
            State::Stopped(outcome) => Some(outcome.clone()),
            _ => None,
        }
    }

    pub(super) fn stop(self: &Arc<Self>) -> Result<(), ClientError> {
        self.begin_stop()?;
        self.ended.wait(None, || self.stop_outcome()).unwrap_or(Ok(()))
    }

    pub(super) async fn stop_async(self: &Arc<Self>) -> Result<(), ClientError> {
        self.begin_stop()?;
        self.ended.wait_async(None, || self.stop_outcome()).await.unwrap_or(Ok(()))
    }

    /// The partitions that are its own, waiting for the first of them.
    pub(super) async fn assignment(&self, deadline: Instant) -> Result<Vec<TopicPartition>, ClientError> {
        let run = self.run()?;
        let assigned = || {
            let assignment = run.backend.assignment();
            (!assignment.is_empty()).then_some(assignment)
        };
        run.backend.assigned().wait_async(Some(deadline), assigned).await.ok_or_else(|| {
            let asked = format!("waiting for partitions of '{}'", self.config.topic);
            ClientError::new(ErrorKind::TimedOut, asked, format!("the group '{}' has given none to '{}'", self.config.consumer.group_id, self.config.name))
                .remedy("check that the broker can be reached and the topic exists, and that the group has no more members than the topic has partitions")
        })
    }

    fn lag(&self, run: &Run) -> Option<i64> {
        let positions = run.backend.positions();
        if positions.is_empty() {
            return None;
        }
        positions.iter().map(|(_, position)| position.lag).sum()
    }

    pub(super) fn details(&self) -> SubscriberDetails {
        let run = self.run().ok();
        let (mut assignment, mut letters) = (Vec::new(), self.letters_before.load(Ordering::Relaxed));
        if let Some(run) = &run {
            let positions = run.backend.positions();
            for place in run.backend.assignment() {
                let known =
                    positions.iter().find(|(other, _)| *other == place).map(|(_, position)| *position);
                assignment.push(AssignedPartition {
                    topic: place.topic.to_string(),
                    partition: place.partition,
                    position: known.map(|known| known.next),
                    lag: known.and_then(|known| known.lag),
                });
            }
            letters += run.letters.as_ref().map_or(0, |letters| letters.delivered());
        }
        SubscriberDetails {
            name: self.config.name.clone(),
            source: self.config.source.clone(),
            group: self.config.consumer.group_id.clone(),
            library: self.config.library,
            receive_count: self.received.load(Ordering::Relaxed),
            last_receive: time_of(self.last_receive.load(Ordering::Relaxed)),
            current_depth: run.as_ref().map_or(0, |run| run.backend.depth()),
            lag: run.as_ref().and_then(|run| self.lag(run)),
            assignment,
            undecodable_count: self.undecodable.load(Ordering::Relaxed),
            dead_letter_count: letters,
        }
    }
}

/// What looking for a record has found.
enum Look {
    Found(Result<Record, ClientError>),
    Again,
}

impl Run {
    #[inline]
    fn take(&self) -> Result<Option<Record>, ClientError> {
        match &self.letters {
            None => self.backend.try_next().transpose(),
            Some(letters) => letters.take(),
        }
    }

    fn flows(&self) -> bool {
        self.letters.as_ref().is_none_or(|letters| letters.flows())
    }

    /// What to wait for.
    fn signal(&self) -> &Signal {
        match &self.letters {
            Some(letters) if !letters.flows() => letters.room(),
            _ => self.backend.arrived(),
        }
    }

    /// Ends: commits what may be committed, where that is automatic, and leaves the group.
    async fn close(&self, auto_commit: bool) -> Result<(), ClientError> {
        let deadline = after(STOP_WITHIN);
        self.stopped.store(true, Ordering::Release);
        self.backend.arrived().raise();
        let mut outcome = Ok(());
        if let Some(letters) = &self.letters {
            letters.close(deadline).await;
            letters.room().raise();
            let offsets = letters.uncommitted();
            if auto_commit && !offsets.is_empty() {
                outcome = self.backend.commit(Commit::Offsets(offsets)).await;
            }
        }
        outcome.and(self.backend.close(deadline).await)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let State::Running(run) = std::mem::replace(self.state.get_mut(), State::New) else { return };
        let (auto_commit, name) = (self.config.consumer.enable_auto_commit, self.config.name.clone());
        if let Ok(runtime) = runtime::handle() {
            runtime.spawn(async move {
                if let Err(error) = run.close(auto_commit).await {
                    tracing::warn!(subscriber = %name, %error, "dropped without being stopped");
                }
            });
        }
    }
}

/// For whoever must not keep a subscriber alive.
pub(crate) type WeakBackend = Weak<dyn ConsumerBackend>;
