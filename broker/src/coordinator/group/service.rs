//! The shell around the groups' state machines: locks, timers, those who wait, and the journals.
//!
//! One mutex for each group, never held across an await. Lock order: the gate, which who takes a snapshot closes; a
//! group; then the registry; never a second group while one is held. An event is decided, its records are appended, then it is applied and answered, all under the
//! group's lock. Knows nothing of requests and their versions.

use std::collections::HashMap;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use tokio::sync::{oneshot, watch};

use super::bounds::MAX_GROUPS;
use super::classic::ClassicGroup;
use super::event::{Cx, GroupSettings, Join, Joined, Leaving, Reply, Step, Sync, Synced, Ticket};
use super::offsets::{Commit, Committer};
use super::state::GroupState;
use super::store::Store;
use crate::clock::Clock;
use crate::complaints::Complaints;
use crate::coordinator::journal::{JournalError, JournalLog};
use crate::timers::{TimerId, Timers};

/// All groups of a broker.
pub(crate) struct GroupCoordinator {
    pub(super) clock: Clock,
    pub(super) timers: Arc<Timers>,
    pub(super) settings: GroupSettings,
    pub(super) groups: RwLock<HashMap<Arc<str>, Arc<Cell>>>,
    /// The journals, one for each partition of `__consumer_offsets`, once that topic is there.
    pub(super) store: RwLock<Option<Arc<Store>>>,
    /// Held by whoever changes what is remembered of a group, together with others; alone by who takes a snapshot.
    pub(super) gate: RwLock<()>,
    /// The timer of the next look for expired offsets.
    pub(super) expiry: Mutex<Option<TimerId>>,
    complaints: Complaints,
    /// Counts up with every change of a group: a join, a new generation, a commit. Whoever waits for one subscribes.
    pub(crate) changes: watch::Sender<u64>,
}

/// A group and what is around it.
pub(super) struct Cell {
    pub(super) id: Arc<str>,
    pub(super) held: Mutex<Held>,
}

/// What a group's mutex guards.
pub(super) struct Held {
    pub(super) group: ClassicGroup,
    waiting: HashMap<Ticket, Waiting>,
    next_ticket: Ticket,
    /// The group's one timer. It may ring too early, after heartbeats have moved what was due: then it is set again.
    timer: Option<(i64, TimerId)>,
    /// No longer in the registry: whoever found it there before looks again.
    pub(super) gone: bool,
}

enum Waiting {
    Join(oneshot::Sender<Joined>),
    Sync(oneshot::Sender<Synced>),
}

/// What came of an event, and whether its records are in the log.
pub(super) struct Done<T> {
    pub(super) value: T,
    pub(super) appended: Result<(), JournalError>,
}

/// Whether a group that is not there is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Create,
    Leave,
}

impl Held {
    fn new(id: &str) -> Self {
        let group = ClassicGroup::new(id);
        Held { group, waiting: HashMap::new(), next_ticket: 0, timer: None, gone: false }
    }

    fn wait(&mut self, waiting: Waiting) -> Ticket {
        self.next_ticket += 1;
        self.waiting.insert(self.next_ticket, waiting);
        self.next_ticket
    }

    /// What others can see of the group's progress.
    fn shape(&self) -> (GroupState, i32, usize) {
        (self.group.state(), self.group.generation(), self.group.members().count())
    }

    /// Drops all who wait: they learn that there is nothing to wait for.
    pub(super) fn abandon(&mut self) {
        self.waiting.clear();
    }

    /// Hands answers out. One whose client has gone away meanwhile is dropped: the member stays as it is.
    fn deliver(&mut self, replies: Vec<Reply>) {
        for reply in replies {
            let (Reply::Join(ticket, _) | Reply::Sync(ticket, _)) = &reply;
            match (self.waiting.remove(ticket), reply) {
                (Some(Waiting::Join(to)), Reply::Join(_, answer)) => drop(to.send(answer)),
                (Some(Waiting::Sync(to)), Reply::Sync(_, answer)) => drop(to.send(answer)),
                _ => {}
            }
        }
    }
}

impl GroupCoordinator {
    pub(crate) fn new(clock: Clock, timers: Arc<Timers>, settings: GroupSettings) -> Arc<Self> {
        Arc::new(GroupCoordinator {
            clock,
            timers,
            settings,
            groups: RwLock::default(),
            store: RwLock::default(),
            gate: RwLock::default(),
            expiry: Mutex::default(),
            complaints: Complaints::new(),
            changes: watch::Sender::new(0),
        })
    }

    /// Lets a member in. The answer comes once the generation is complete.
    pub(crate) fn join(self: &Arc<Self>, group_id: &str, join: Join) -> oneshot::Receiver<Joined> {
        let (to, answer) = oneshot::channel();
        if let Err(error) = self.check_join(group_id, &join) {
            let _ = to.send(Joined::refused(error, &join.member_id));
            return answer;
        }
        let missing = if join.member_id.is_empty() { Missing::Create } else { Missing::Leave };
        let member_id = join.member_id.clone();
        let mut to = Some(to);
        let found = self.with_group(group_id, missing, |held, cx| {
            let ticket = to.take().map_or(0, |to| held.wait(Waiting::Join(to)));
            ((), held.group.join(cx, Join { ticket, ..join }))
        });
        if let (Err(error), Some(to)) = (found, to) {
            let _ = to.send(Joined::refused(error, &member_id));
        }
        answer
    }

    fn check_join(&self, group_id: &str, join: &Join) -> Result<(), ResponseError> {
        let allowed = self.settings.min_session_timeout_ms..=self.settings.max_session_timeout_ms;
        if group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        if allowed.contains(&join.session_timeout_ms) {
            Ok(())
        } else {
            Err(ResponseError::InvalidSessionTimeout)
        }
    }

    /// Gives a member its assignment, once the leader has brought it.
    pub(crate) fn sync(self: &Arc<Self>, group_id: &str, sync: Sync) -> oneshot::Receiver<Synced> {
        let (to, answer) = oneshot::channel();
        if group_id.is_empty() {
            let _ = to.send(Synced::refused(ResponseError::InvalidGroupId));
            return answer;
        }
        let mut to = Some(to);
        let found = self.with_group(group_id, Missing::Leave, |held, _| {
            let ticket = to.take().map_or(0, |to| held.wait(Waiting::Sync(to)));
            ((), held.group.sync(Sync { ticket, ..sync }))
        });
        if let (Err(error), Some(to)) = (found, to) {
            let _ = to.send(Synced::refused(error));
        }
        answer
    }

    /// A member lives.
    pub(crate) fn heartbeat(
        self: &Arc<Self>,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        if group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let cell = self.find(group_id).ok_or(ResponseError::UnknownMemberId)?;
        let mut held = cell.held.lock();
        // A heartbeat only ever moves a deadline away: the timer can stay as it is.
        held.group.heartbeat(self.cx(self.clock.now_ms()), member_id, instance_id, generation)
    }

    /// Members leave; each comes back with what became of it.
    pub(crate) fn leave(
        self: &Arc<Self>,
        group_id: &str,
        leaving: Vec<Leaving>,
    ) -> Result<Vec<Leaving>, ResponseError> {
        if group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let mut leaving = Some(leaving);
        let left = self.with_group(group_id, Missing::Leave, |held, cx| {
            held.group.leave(cx, leaving.take().unwrap_or_default())
        });
        match left {
            Ok(done) => Ok(done.value),
            Err(_) => {
                let unknown = |one| Leaving { error: Some(ResponseError::UnknownMemberId), ..one };
                Ok(leaving.unwrap_or_default().into_iter().map(unknown).collect())
            }
        }
    }

    /// Commits offsets; each comes back with what became of it.
    ///
    /// # Errors
    /// What keeps all of them from being committed; GROUP_ID_NOT_FOUND if a member commits to a group that is not there.
    pub(crate) fn commit(
        self: &Arc<Self>,
        group_id: &str,
        by: &Committer,
        mut commits: Vec<Commit>,
    ) -> Result<Vec<Commit>, ResponseError> {
        let missing = if by.generation < 0 { Missing::Create } else { Missing::Leave };
        let done =
            self.with_group(group_id, missing, |held, cx| match held.group.commit(cx, by, &mut commits) {
                Ok(step) => (Ok(()), step),
                Err(error) => (Err(error), Step::default()),
            });
        let done = done.map_err(|error| match error {
            ResponseError::UnknownMemberId => ResponseError::GroupIdNotFound,
            other => other,
        })?;
        done.value?;
        done.appended.map_err(|error| match error {
            JournalError::TooLarge => ResponseError::InvalidCommitOffsetSize,
            JournalError::Log(_) => ResponseError::NotCoordinator,
        })?;
        Ok(commits)
    }

    /// Forgets offsets, as far as nobody subscribes to their topics; each comes back with what became of it.
    pub(crate) fn delete_offsets(
        self: &Arc<Self>,
        group_id: &str,
        partitions: &[(&str, i32)],
    ) -> Result<Vec<Option<ResponseError>>, ResponseError> {
        if group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let done = self.with_group(group_id, Missing::Leave, |held, _| {
            match held.group.delete_offsets(partitions) {
                Ok((results, step)) => (Ok(results), step),
                Err(error) => (Err(error), Step::default()),
            }
        });
        let done = done.map_err(|_| ResponseError::GroupIdNotFound)?;
        let results = done.value?;
        done.appended.map_err(|error| of_journal(&error))?;
        Ok(results)
    }

    /// Deletes a group and its offsets.
    pub(crate) fn delete(self: &Arc<Self>, group_id: &str) -> Result<(), ResponseError> {
        let done = self.with_group(group_id, Missing::Leave, |held, _| match held.group.delete() {
            Ok(step) => (Ok(()), step),
            Err(error) => (Err(error), Step::default()),
        });
        let done = done.map_err(|_| ResponseError::GroupIdNotFound)?;
        done.value?;
        done.appended.map_err(|error| of_journal(&error))
    }

    /// A topic is gone: its offsets go too, in every group.
    pub(crate) fn forget_topic(self: &Arc<Self>, topic: &str) {
        for cell in self.cells() {
            let _ =
                self.with_cell(&cell, self.clock.now_ms(), |held, _| ((), held.group.forget_topic(topic)));
        }
    }

    /// Forgets offsets, and groups, that have expired. Kafka does so every `offsets.retention.check.interval.ms`.
    pub(crate) fn expire_offsets(self: &Arc<Self>, now: i64) {
        for cell in self.cells() {
            let _ = self.with_cell(&cell, now, |held, cx| ((), held.group.expire_offsets(cx)));
        }
    }

    pub(super) fn cells(&self) -> Vec<Arc<Cell>> {
        let mut cells: Vec<_> = self.groups.read().values().cloned().collect();
        cells.sort_by(|a, b| a.id.cmp(&b.id));
        cells
    }

    pub(super) fn find(&self, group_id: &str) -> Option<Arc<Cell>> {
        self.groups.read().get(group_id).cloned()
    }

    fn find_or_create(&self, group_id: &str, missing: Missing) -> Result<Arc<Cell>, ResponseError> {
        if let Some(cell) = self.find(group_id) {
            return Ok(cell);
        }
        if missing == Missing::Leave {
            return Err(ResponseError::UnknownMemberId);
        }
        let mut groups = self.groups.write();
        if groups.len() >= MAX_GROUPS && !groups.contains_key(group_id) {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        let id: Arc<str> = Arc::from(group_id);
        let make = || Arc::new(Cell { id: Arc::clone(&id), held: Mutex::new(Held::new(group_id)) });
        Ok(Arc::clone(groups.entry(Arc::clone(&id)).or_insert_with(make)))
    }

    pub(super) fn cx(&self, now: i64) -> Cx<'_> {
        Cx { now, steady: self.clock.steady_at(now), settings: &self.settings }
    }

    /// Has something happen to a group.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID if there is no such group, GROUP_MAX_SIZE_REACHED if there are too many to make it.
    fn with_group<T>(
        self: &Arc<Self>,
        group_id: &str,
        missing: Missing,
        act: impl FnOnce(&mut Held, Cx<'_>) -> (T, Step),
    ) -> Result<Done<T>, ResponseError> {
        let mut act = Some(act);
        loop {
            let cell = self.find_or_create(group_id, missing)?;
            let done = self.with_cell(&cell, self.clock.now_ms(), |held, cx| match act.take() {
                Some(act) => {
                    let (value, step) = act(held, cx);
                    (Some(value), step)
                }
                None => (None, Step::default()),
            });
            if let Some(Done { value: Some(value), appended }) = done {
                return Ok(Done { value, appended });
            }
        }
    }

    /// Has something happen to the group in `cell`; none if it was deleted before its turn came.
    pub(super) fn with_cell<T>(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        now: i64,
        act: impl FnOnce(&mut Held, Cx<'_>) -> (T, Step),
    ) -> Option<Done<T>> {
        let gate = self.gate.read();
        let store = self.store();
        let done = {
            let mut held = cell.held.lock();
            if held.gone {
                return None;
            }
            let cx = self.cx(now);
            let before = held.shape();
            let (value, step) = act(&mut held, cx);
            let appended = self.follow(&mut held, cx, step, store.as_deref());
            while let Some(step) = held.group.expire(cx) {
                // What falls due by itself has nobody to be told of a log that fails: the state machine copes.
                let _ = self.follow(&mut held, cx, step, store.as_deref());
            }
            if held.shape() != before {
                self.count_change();
            }
            self.settle(cell, &mut held);
            Done { value, appended }
        };
        drop(gate);
        if let Some(store) = store {
            self.shorten_journal(&store, &cell.id, now);
        }
        Some(done)
    }

    /// Appends what a step asks for, goes on from there, and hands out the answers on the way.
    fn follow(
        &self,
        held: &mut Held,
        cx: Cx<'_>,
        mut step: Step,
        store: Option<&Store>,
    ) -> Result<(), JournalError> {
        let mut outcome = Ok(());
        loop {
            held.deliver(std::mem::take(&mut step.replies));
            let Some(append) = step.append.take() else { return outcome };
            let appended = match store {
                Some(store) => store.append(held.group.id(), &append.records, cx.now),
                None => Err(JournalError::Log("there is no topic of offsets".to_owned())),
            };
            if let Err(error) = &appended {
                let id = held.group.id();
                self.complaints.note(|| format!("records of the group {id} could not be appended: {error}"));
            }
            let result = appended.as_ref().map(drop).map_err(of_journal);
            step = held.group.appended(cx, append, result);
            outcome = outcome.and(appended);
            self.count_change();
        }
    }

    pub(super) fn count_change(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Takes a group that is no more out of the registry; sets the timer of one that is.
    pub(super) fn settle(self: &Arc<Self>, cell: &Arc<Cell>, held: &mut Held) {
        let dead = held.group.state() == GroupState::Dead;
        if dead || !held.group.is_remembered() {
            self.remove(cell, held);
            return;
        }
        let Some(next) = held.group.next_deadline() else { return };
        if held.timer.is_some_and(|(at, _)| at <= next) {
            return;
        }
        if let Some((_, id)) = held.timer.take() {
            self.timers.cancel(id);
        }
        let (coordinator, cell) = (Arc::downgrade(self), Arc::downgrade(cell));
        let ring = move |_| {
            if let (Some(coordinator), Some(cell)) = (coordinator.upgrade(), cell.upgrade()) {
                let _ = coordinator.with_cell(&cell, coordinator.clock.now_ms(), |held, _| {
                    held.timer = None;
                    ((), Step::default())
                });
            }
        };
        held.timer = Some((next, self.timers.schedule(next, Box::new(ring))));
    }

    pub(super) fn remove(&self, cell: &Cell, held: &mut Held) {
        held.gone = true;
        if let Some((_, id)) = held.timer.take() {
            self.timers.cancel(id);
        }
        self.groups.write().remove(&cell.id);
    }

    pub(super) fn insert_loaded(&self, group: ClassicGroup) -> Arc<Cell> {
        let id: Arc<str> = Arc::from(group.id());
        let held = Held { group, ..Held::new("") };
        let cell = Arc::new(Cell { id: Arc::clone(&id), held: Mutex::new(held) });
        let before = self.groups.write().insert(id, Arc::clone(&cell));
        // One that somebody made while it was read: nothing has happened to it, and nothing may.
        if let Some(before) = before {
            let mut held = before.held.lock();
            held.gone = true;
            held.abandon();
        }
        cell
    }

    /// Keeps every group as it is for as long as it is held.
    pub(crate) fn hold(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write()
    }

    pub(super) fn store(&self) -> Option<Arc<Store>> {
        self.store.read().clone()
    }

    /// Whether the journals are there.
    pub(crate) fn is_attached(&self) -> bool {
        self.store.read().is_some()
    }

    /// Takes up the partitions of `__consumer_offsets` and the groups that they remember.
    pub(crate) fn attach(self: &Arc<Self>, logs: Vec<Box<dyn JournalLog>>) -> Result<(), JournalError> {
        self.load(Store::new(logs))
    }
}

/// What clients of groups are told of a journal's failure.
pub(super) fn of_journal(error: &JournalError) -> ResponseError {
    match error {
        JournalError::TooLarge => ResponseError::UnknownServerError,
        JournalError::Log(_) => ResponseError::NotCoordinator,
    }
}
