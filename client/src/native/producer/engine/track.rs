//! A partition on the sender's side: batches under way, batches to be sent again, and when the next may go.
//!
//! Order: batches are numbered by the records before them, and whatever comes back takes its place by that number.
//!
//! An idempotent producer has an epoch for each partition, as a broker checks epochs and sequence numbers for each partition by
//! itself. Where numbers are lost (a batch was given up, or the broker has forgotten), nothing more is sent until nothing is
//! under way; then the epoch is raised and what is left is numbered from 0 on (KIP-360).
//!
//! A broker that has been restarted remembers the last batch of a producer only. So it may call a batch out of order that it
//! has, if the answer was lost, and those of batches behind it. Such a batch is put aside, and those behind it are sent: if the
//! broker takes or knows one of them, it has all before it; if none, numbers are missing indeed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use klamm_protocol::batch::header::later_sequence;

use super::super::accumulator::Accumulator;
use super::super::batch::{Batch, Stamp};
use super::super::partition::{Partition, Peek};
use super::super::settings::{MAX_IN_FLIGHT_IDEMPOTENT, Settings};
use super::{Broker, Identity};
use crate::error::ClientError;

/// When a track's next batch may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// There is none.
    Nothing,
    /// After something else has happened: an answer, mostly.
    Blocked,
    /// Once there is a producer id.
    NoIdentity,
    /// Once there is a leader.
    NoLeader,
    /// Now, to this broker.
    Now(i32),
    /// When nothing is under way to this broker, or at this time.
    WhenIdle(i32, Instant),
    /// At this time.
    At(Instant),
}

/// Where an idempotent producer stands in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    producer_id: i64,
    epoch: i16,
    next_sequence: i32,
    /// When the leader took the last batch of this epoch.
    taken: Option<Instant>,
}

/// How long a leader surely knows a producer that it has taken something from. The shortest that brokers are told to remember
/// for is usually a day.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// What is under way of a partition.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) topic: Arc<str>,
    pub(super) partition: Arc<Partition>,
    pub(super) leader: Option<i32>,
    pub(super) leader_epoch: i32,
    /// Without a leader because it was told so, not because nobody has asked.
    pub(super) leader_lost: bool,
    /// Batches to be sent again, by their numbers.
    returned: VecDeque<Batch>,
    /// Batches that are out of order, unless the broker has them already; before all others.
    put_aside: VecDeque<Batch>,
    /// Batches under way, by their numbers.
    flying: VecDeque<Batch>,
    /// Requests under way that have a batch of it, given up or not.
    pub(super) in_network: usize,
    pub(super) not_before: Option<Instant>,
    /// Failures in a row.
    pub(super) failures: u32,
    pub(super) last_error: Option<ClientError>,
    place: Option<Place>,
    /// The number of the last batch of this epoch that the leader has taken.
    taken_up_to: u64,
    /// How many batches have got numbers.
    launched: u64,
    /// Sequence numbers are lost: the next batches need a new epoch.
    pub(super) epoch_is_over: bool,
    /// The producer id is of no use any more either.
    pub(super) identity_is_over: bool,
    /// It stands in a broker's queue.
    pub(super) is_due: bool,
    pub(super) is_eager: bool,
    /// The time for which it has a timer.
    pub(super) look_at: Option<Instant>,
    pub(super) expiry_armed: bool,
}

impl Track {
    pub(super) fn new(topic: Arc<str>, partition: Arc<Partition>) -> Self {
        Track {
            topic,
            partition,
            leader: None,
            leader_epoch: -1,
            leader_lost: false,
            returned: VecDeque::new(),
            put_aside: VecDeque::new(),
            flying: VecDeque::new(),
            in_network: 0,
            not_before: None,
            failures: 0,
            last_error: None,
            place: None,
            taken_up_to: 0,
            launched: 0,
            epoch_is_over: false,
            identity_is_over: false,
            is_due: false,
            is_eager: false,
            look_at: None,
            expiry_armed: false,
        }
    }

    /// Whether it had a leader that is gone.
    pub(super) fn has_lost_leader(&self) -> bool {
        self.leader_lost
    }

    /// When its oldest record was accepted.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let first = |batches: &VecDeque<Batch>| batches.front().map(|batch| batch.created);
        let all = [&self.put_aside, &self.flying, &self.returned].map(first);
        all.into_iter().chain([self.partition.oldest()]).flatten().min()
    }

    /// When its next batch may go.
    pub(super) fn readiness(
        &self,
        settings: &Settings,
        identity: Identity,
        brokers: &HashMap<i32, Broker>,
        now: Instant,
    ) -> Readiness {
        let waiting = match self.returned.front() {
            Some(_) => None,
            None => match self.partition.peek() {
                Peek::Nothing => return Readiness::Nothing,
                waiting => Some(waiting),
            },
        };
        let Some(leader) = self.leader else { return Readiness::NoLeader };
        if let Some(time) = self.not_before.filter(|time| *time > now) {
            return Readiness::At(time);
        }
        if settings.idempotent {
            if self.epoch_is_over || self.is_behind(now) {
                return Readiness::Blocked;
            }
            if self.place.is_none() && !matches!(identity, Identity::Known(..)) {
                return Readiness::NoIdentity;
            }
        }
        if settings.one_at_a_time() && self.in_network > 0 {
            return Readiness::Blocked;
        }
        let Some(Peek::Open(since, _)) = waiting else { return Readiness::Now(leader) };
        let idle = brokers.get(&leader).is_none_or(|broker| broker.in_flight == 0);
        let patience = if settings.linger.is_zero() { settings.patience } else { settings.linger };
        let time = since + patience;
        match settings.linger.is_zero() {
            _ if time <= now => Readiness::Now(leader),
            true if idle => Readiness::Now(leader),
            true => Readiness::WhenIdle(leader, time),
            false => Readiness::At(time),
        }
    }

    /// Whether the next batch of an idempotent producer has to wait for those under way: one that is sent again goes when
    /// none is before it any more, and no more are under way than a broker remembers.
    ///
    /// A leader takes any number from a producer that it does not know. So the first batch of an epoch goes alone, and the first
    /// after a long time: if the one behind it came first, it would be taken, and the first could never be.
    fn is_behind(&self, now: Instant) -> bool {
        let known = |place: Place| place.taken.is_some_and(|taken| now < taken + KNOWN_FOR);
        if self.in_network > 0 && self.place.is_some_and(|place| !known(place)) {
            return true;
        }
        match (self.returned.front(), self.flying.front()) {
            (Some(next), Some(flying)) => flying.number < next.number,
            (Some(_), None) => false,
            // The oldest may have to be sent again, and is to be remembered still.
            (None, Some(oldest)) => self.launched - oldest.ordinal >= MAX_IN_FLIGHT_IDEMPOTENT as u64,
            (None, None) => false,
        }
    }

    /// About how many bytes the next batch has.
    pub(super) fn next_size(&self) -> usize {
        match (self.returned.front(), self.partition.peek()) {
            (Some(batch), _) => batch.size(),
            (None, Peek::Closed(size) | Peek::Open(_, size)) => size,
            (None, Peek::Nothing) => 0,
        }
    }

    /// Takes the next batch on its way: its number, and its bytes.
    pub(super) fn launch(
        &mut self,
        accumulator: &Accumulator,
        identity: Identity,
    ) -> Option<(u64, bytes::Bytes)> {
        let settings = &accumulator.settings;
        let mut batch = match self.returned.pop_front() {
            Some(batch) => batch,
            None => {
                let filling = self.partition.take()?;
                Batch::seal(filling, settings.codec, &accumulator.budget, settings.batch_size)
            }
        };
        if settings.idempotent && batch.stamp.is_none() {
            batch.stamp = self.next_stamp(identity, batch.count);
            batch.ordinal = self.launched;
            self.launched += 1;
        }
        let launched = (batch.number, batch.bytes());
        insert(&mut self.flying, batch);
        self.in_network += 1;
        Some(launched)
    }

    fn next_stamp(&mut self, identity: Identity, count: i32) -> Option<Stamp> {
        let place = match (&mut self.place, identity) {
            (Some(place), _) => place,
            (empty, Identity::Known(producer_id, epoch)) => {
                empty.insert(Place { producer_id, epoch, next_sequence: 0, taken: None })
            }
            // It is not ready without one.
            (None, _) => return None,
        };
        let stamp =
            Stamp { producer_id: place.producer_id, epoch: place.epoch, sequence: place.next_sequence };
        place.next_sequence = later_sequence(place.next_sequence, count);
        Some(stamp)
    }

    /// A batch that has come down: none if it was given up meanwhile.
    pub(super) fn land(&mut self, number: u64) -> Option<Batch> {
        self.in_network = self.in_network.saturating_sub(1);
        let at = self.flying.iter().position(|batch| batch.number == number)?;
        self.flying.remove(at)
    }

    /// Puts aside a batch that is out of order, if the broker may have it and those behind it can tell. Otherwise it comes
    /// back, and with it those that have been put aside: numbers are missing.
    pub(super) fn put_aside(&mut self, batch: Batch) -> Option<Batch> {
        let next_may_tell = self.returned.front().is_some_and(|next| next.in_doubt && next.stamp.is_some());
        if batch.in_doubt && next_may_tell {
            self.put_aside.push_back(batch);
            return None;
        }
        Some(batch)
    }

    /// Notes that the leader has taken a batch. Comes back with those that it must have had before, though nobody heard of it:
    /// it takes one of an epoch after the other.
    pub(super) fn succeeded(&mut self, number: u64, now: Instant) -> Vec<Batch> {
        (self.failures, self.not_before, self.last_error) = (0, None, None);
        let Some(place) = &mut self.place else { return Vec::new() };
        place.taken = Some(now);
        self.taken_up_to = self.taken_up_to.max(number);
        let mut there: Vec<_> = self.put_aside.drain(..).collect();
        while self.returned.front().is_some_and(|batch| batch.in_doubt && batch.number < number) {
            there.extend(self.returned.pop_front());
        }
        there
    }

    /// Whether the leader has taken a batch behind this one, and so this one if it ever got there.
    pub(super) fn is_overtaken(&self, number: u64) -> bool {
        self.place.is_some() && number < self.taken_up_to
    }

    /// Whether nothing before this one is unsettled.
    pub(super) fn is_first(&self, number: u64) -> bool {
        let before = |batches: &VecDeque<Batch>| batches.front().is_some_and(|batch| batch.number < number);
        !before(&self.flying) && !before(&self.returned)
    }

    /// Has a batch sent again, in its place.
    pub(super) fn bring_back(&mut self, batch: Batch) {
        insert(&mut self.returned, batch);
    }

    fn producer_id(&self) -> Option<i64> {
        self.place.map(|place| place.producer_id)
    }

    /// Begins a new epoch where one is due, once nothing of the old one is under way.
    pub(super) fn mend_epoch(&mut self, identity: &mut Identity) {
        if !self.epoch_is_over || self.in_network > 0 {
            return;
        }
        if let Some(place) = &mut self.place {
            (place.next_sequence, place.taken) = (0, None);
            match place.epoch.checked_add(1) {
                Some(epoch) => place.epoch = epoch,
                None => self.identity_is_over = true,
            }
        }
        if std::mem::take(&mut self.identity_is_over) {
            // A producer id that others have got meanwhile will do; otherwise a new one is asked for.
            if matches!(*identity, Identity::Known(id, _) if Some(id) == self.producer_id()) {
                *identity = Identity::Unknown;
            }
            self.place = None;
        }
        for batch in std::mem::take(&mut self.put_aside) {
            insert(&mut self.returned, batch);
        }
        self.returned.iter_mut().for_each(|batch| (batch.stamp, batch.in_doubt) = (None, false));
        (self.epoch_is_over, self.taken_up_to) = (false, 0);
    }

    /// Takes out what was accepted longer ago than `most`.
    pub(super) fn take_older_than(&mut self, now: Instant, most: Duration) -> Vec<Batch> {
        let is_old = |created: Instant| created + most <= now;
        let mut old = Vec::new();
        for batches in [&mut self.put_aside, &mut self.flying, &mut self.returned] {
            while batches.front().is_some_and(|batch| is_old(batch.created)) {
                old.extend(batches.pop_front());
            }
        }
        while self.partition.oldest().is_some_and(is_old) {
            old.extend(self.take_unsealed());
        }
        old.sort_by_key(|batch| batch.number);
        old
    }

    /// Takes everything out.
    pub(super) fn take_all(&mut self) -> Vec<Batch> {
        let mut all: Vec<_> = self.put_aside.drain(..).collect();
        all.extend(self.flying.drain(..).chain(self.returned.drain(..)));
        while let Some(batch) = self.take_unsealed() {
            all.push(batch);
        }
        all.sort_by_key(|batch| batch.number);
        all
    }

    /// The oldest batch that has not been sent, as it is: it is not going to be.
    fn take_unsealed(&mut self) -> Option<Batch> {
        self.partition.take().map(Batch::uncompressed)
    }
}

fn insert(batches: &mut VecDeque<Batch>, batch: Batch) {
    let at = batches.partition_point(|other| other.number < batch.number);
    batches.insert(at, batch);
}
