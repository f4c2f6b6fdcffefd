//! The sender as a state machine: it is told what has happened and what time it is, and says what is to be done.
//!
//! Knows nothing of sockets, tasks and clocks, so that order, retries, epochs and expiry can be tested without any.
//!
//! * [`track`]: what is under way of a partition, and when its next batch may go.
//! * [`requests`]: which batches go together to a broker, and what its answer means for them.
//! * [`topics`]: what becomes known of topics, and records that wait for it.

mod requests;
#[cfg(test)]
mod tests;
mod topics;
mod track;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::messages::ProduceResponse;

pub(super) use topics::News;

use self::requests::Flight;
use self::topics::Quest;
use self::track::{Readiness, Track};
use super::accumulator::Accumulator;
use super::batch::Batch;
use super::inbox::Mail;
use super::partitioner::Dice;
use crate::backend::OnUndelivered;
use crate::error::{ClientError, ErrorKind};

/// What is to be done, by whoever has connections.
#[derive(Debug)]
pub(super) enum Action {
    /// Send batches to a broker, and tell what came of it, with the number.
    Produce { broker: i32, request: u64, parts: Vec<Part> },
    /// Ask for a topic that is not known, and have it created where that is allowed.
    Want(Arc<str>),
    /// Ask for leaders anew.
    Refresh,
    /// Ask for a producer id.
    Identify,
    /// A broker has named the partition's leader in passing, and where that is.
    Leader { topic: Arc<str>, partition: i32, node: i32, epoch: i32, endpoint: Option<Endpoint> },
}

/// A batch in a request. Those of a topic stand together.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) bytes: Bytes,
}

/// Where a broker is, as another said in passing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: i32,
    pub(super) rack: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    pub(super) error: ClientError,
    /// Whether the broker may have got the request.
    pub(super) sent: bool,
}

/// What came of a request; without an answer where none is asked for.
pub(super) type Outcome = Result<Option<ProduceResponse>, Lost>;

/// What falls due at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A partition's linger or pause ends.
    Look(usize),
    /// Its oldest records may be too old.
    Expiry(usize),
    /// A topic that is not known is to be asked for again, or waited for long enough.
    Quest(usize),
    /// A producer id is to be asked for again.
    Identity,
}

/// The idempotent producer's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Identity {
    /// Not asked for, or to be asked for again at a time.
    Unknown,
    Asked,
    Known(i64, i16),
}

/// A broker, as far as sending to it goes.
#[derive(Debug, Default)]
struct Broker {
    in_flight: usize,
    /// Tracks that have something to go now, in the order of their turns.
    due: VecDeque<usize>,
    /// Tracks that have something to go when nothing else is under way.
    eager: Vec<usize>,
}

/// The state machine.
#[derive(Debug)]
pub(super) struct Engine {
    accumulator: Arc<Accumulator>,
    undelivered: Arc<dyn OnUndelivered>,
    tracks: Vec<Track>,
    /// By the number of the topic in the table.
    quests: Vec<Quest>,
    brokers: HashMap<i32, Broker>,
    flights: HashMap<u64, Flight>,
    next_request: u64,
    timers: BinaryHeap<Reverse<(Instant, Due)>>,
    identity: Identity,
    identity_failures: u32,
    closing: Option<Instant>,
    ended: bool,
    /// Brokers that have something due.
    stirred: Vec<i32>,
    actions: Vec<Action>,
    refresh: bool,
    dice: Dice,
}

impl Engine {
    pub(super) fn new(accumulator: Arc<Accumulator>, undelivered: Arc<dyn OnUndelivered>) -> Self {
        Engine {
            accumulator,
            undelivered,
            tracks: Vec::new(),
            quests: Vec::new(),
            brokers: HashMap::new(),
            flights: HashMap::new(),
            next_request: 0,
            timers: BinaryHeap::new(),
            identity: Identity::Unknown,
            identity_failures: 0,
            closing: None,
            ended: false,
            stirred: Vec::new(),
            actions: Vec::new(),
            refresh: false,
            dice: Dice::new(),
        }
    }

    /// What the threads that send have said.
    pub(super) fn deliver(&mut self, mail: &Mail, now: Instant) {
        for topic in &mail.topics {
            self.seek(*topic, now);
        }
        for track in &mail.partitions {
            self.look(*track, now);
        }
        if let Some(deadline) = mail.close {
            self.closing = Some(self.closing.map_or(deadline, |other| other.min(deadline)));
        }
        if mail.hurry || mail.starved || mail.close.is_some() {
            for track in 0..self.tracks.len() {
                self.hurry(track, now);
            }
        }
    }

    /// Does what has fallen due, and says what is to be done. To be called after everything else.
    pub(super) fn run(&mut self, now: Instant) -> Vec<Action> {
        while let Some(&Reverse((at, due))) = self.timers.peek() {
            if at > now {
                break;
            }
            self.timers.pop();
            match due {
                Due::Look(track) => self.look_at_time(track, at, now),
                Due::Expiry(track) => self.expire(track, now),
                Due::Quest(topic) => self.quest_due(topic, at, now),
                Due::Identity => self.look_at_all(now),
            }
        }
        while let Some(broker) = self.stirred.pop() {
            self.pump(broker, now);
        }
        if let Some(deadline) = self.closing
            && !self.ended
        {
            if deadline <= now {
                self.give_everything_up();
            }
            self.ended = self.accumulator.outstanding() == 0;
        }
        if std::mem::take(&mut self.refresh) {
            self.actions.push(Action::Refresh);
        }
        std::mem::take(&mut self.actions)
    }

    /// When [`run`](Engine::run) has something to do again, if nothing happens before.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        [timer, self.closing].into_iter().flatten().min()
    }

    /// Whether it was closed, and everything has been settled.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// What came of asking for a producer id.
    pub(super) fn identified(&mut self, told: Result<(i64, i16), ClientError>, now: Instant) {
        match told {
            Ok((id, epoch)) => {
                self.identity = Identity::Known(id, epoch);
                self.identity_failures = 0;
                self.look_at_all(now);
            }
            Err(error) => {
                self.identity = Identity::Unknown;
                self.identity_failures = self.identity_failures.saturating_add(1);
                let settings = &self.accumulator.settings;
                let pause = settings.backoff(self.identity_failures, self.dice.below(1000));
                if error.is_retriable() {
                    // Until then nobody asks.
                    self.identity = Identity::Asked;
                    for track in &mut self.tracks {
                        track.last_error = Some(error.clone());
                    }
                    self.timers.push(Reverse((now + pause, Due::Identity)));
                } else {
                    self.fail_all(&error.asked("getting a producer id for publishing"));
                }
            }
        }
    }

    /// Asks for a producer id, unless that is under way.
    fn identify(&mut self) {
        if self.identity == Identity::Unknown {
            self.identity = Identity::Asked;
            self.actions.push(Action::Identify);
        }
    }

    fn look_at_all(&mut self, now: Instant) {
        if self.identity == Identity::Asked {
            self.identity = Identity::Unknown;
        }
        for track in 0..self.tracks.len() {
            self.look(track, now);
        }
    }

    fn look_at_time(&mut self, track: usize, at: Instant, now: Instant) {
        if let Some(found) = self.tracks.get_mut(track).filter(|found| found.look_at == Some(at)) {
            found.look_at = None;
            self.look(track, now);
        }
    }

    /// Finds out what a track waits for, and sees to it that it is looked at again then.
    fn look(&mut self, at: usize, now: Instant) {
        let settings = &self.accumulator.settings;
        let Some(track) = self.tracks.get_mut(at) else { return };
        track.mend_epoch(&mut self.identity);
        if self.closing.is_some() {
            track.partition.cut();
        }
        let readiness = track.readiness(settings, self.identity, &self.brokers, now);
        if !track.expiry_armed
            && let Some(oldest) = track.oldest()
        {
            track.expiry_armed = true;
            self.timers.push(Reverse((oldest + settings.delivery_timeout, Due::Expiry(at))));
        }
        match readiness {
            Readiness::Nothing | Readiness::Blocked => {}
            Readiness::NoIdentity => self.identify(),
            Readiness::NoLeader => self.refresh |= track.has_lost_leader(),
            Readiness::Now(broker) => {
                if !std::mem::replace(&mut track.is_due, true) {
                    self.brokers.entry(broker).or_default().due.push_back(at);
                }
                self.stirred.push(broker);
            }
            Readiness::WhenIdle(broker, time) => {
                if !std::mem::replace(&mut track.is_eager, true) {
                    self.brokers.entry(broker).or_default().eager.push(at);
                }
                self.look_later(at, time);
            }
            Readiness::At(time) => self.look_later(at, time),
        }
    }

    fn look_later(&mut self, at: usize, time: Instant) {
        if let Some(track) = self.tracks.get_mut(at)
            && track.look_at.is_none_or(|earlier| time < earlier)
        {
            track.look_at = Some(time);
            self.timers.push(Reverse((time, Due::Look(at))));
        }
    }

    fn hurry(&mut self, at: usize, now: Instant) {
        if let Some(track) = self.tracks.get(at) {
            track.partition.cut();
            self.look(at, now);
        }
    }

    /// Gives up what is too old, and looks at the rest again in time.
    fn expire(&mut self, at: usize, now: Instant) {
        let settings = &self.accumulator.settings;
        let Some(track) = self.tracks.get_mut(at) else { return };
        track.expiry_armed = false;
        let expired = track.take_older_than(now, settings.delivery_timeout);
        for batch in expired {
            let error = self.too_late(at, batch.last_error.as_ref());
            self.give_up(at, batch, &error);
        }
        self.look(at, now);
    }

    /// That a batch was not acknowledged in time.
    fn too_late(&self, at: usize, last: Option<&ClientError>) -> ClientError {
        let patience = self.accumulator.settings.delivery_timeout;
        let last = last.or_else(|| self.tracks.get(at)?.last_error.as_ref());
        let why = match last {
            Some(last) => format!("it was not acknowledged within {patience:?}; at last {}", last.why()),
            None => format!("it was not acknowledged within {patience:?}"),
        };
        ClientError::new(ErrorKind::TimedOut, self.publishing(at), why)
            .remedy("see that the broker can be reached, or raise delivery_timeout_ms")
    }

    fn publishing(&self, at: usize) -> String {
        match self.tracks.get(at) {
            Some(track) => format!("publishing to '{}', partition {}", track.topic, track.partition.number),
            None => "publishing".to_owned(),
        }
    }

    /// Settles a batch that cannot be delivered.
    fn give_up(&mut self, at: usize, batch: Batch, error: &ClientError) {
        let Some(track) = self.tracks.get_mut(at) else { return };
        // What follows it has numbers that the broker will not take without it.
        track.epoch_is_over |= batch.stamp.is_some();
        let count = u64::from(batch.count.unsigned_abs());
        let partition = Arc::clone(&track.partition);
        let numbers = batch.numbers();
        let lost = batch.given_up(&track.topic, partition.number, error, &self.accumulator.budget);
        tracing::debug!("{count} records are not delivered: {error}");
        if !lost.is_empty() {
            self.undelivered.undelivered(lost);
        }
        if !numbers.is_empty() {
            self.undelivered.lost(numbers, error);
        }
        self.accumulator.settle(&partition, count);
    }

    fn fail_all(&mut self, error: &ClientError) {
        for at in 0..self.tracks.len() {
            let all = self.tracks.get_mut(at).map(Track::take_all).unwrap_or_default();
            for batch in all {
                self.give_up(at, batch, error);
            }
        }
    }

    fn give_everything_up(&mut self) {
        let why = "the publisher was stopped before it was acknowledged";
        let error = ClientError::new(ErrorKind::NotRunning, "publishing", why)
            .remedy("give stopping more time, or see that the broker can be reached");
        self.fail_all(&error);
        for topic in 0..self.quests.len() {
            self.abandon(topic, &error);
        }
    }
}

impl Engine {
    /// Gives up what is left: nothing is lost without a word, even if the sender dies.
    pub(super) fn end(&mut self) {
        if !self.ended {
            self.accumulator.shut();
            self.give_everything_up();
            self.ended = true;
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end();
    }
}
