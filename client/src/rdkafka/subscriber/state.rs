//! What has been fetched and not handed out, and how far each partition has come.
//!
//! Knows nothing of librdkafka. All of it is behind one lock, which is held for a few instructions.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::backend::{Position, SeekTo};
use crate::error::ClientError;
use crate::record::{Record, TopicPartition};

/// Errors that wait to be told; beyond that the oldest goes, as it has been logged.
const MOST_ERRORS: usize = 64;

/// What a record takes besides its bytes, roughly.
const RECORD_BYTES: usize = 128;

/// A partition that is this member's.
#[derive(Debug)]
struct Slot {
    partition: TopicPartition,
    /// The offset of the record that is handed out next, once one has come.
    next: Option<i64>,
    /// The offset behind the last record that was handed out since the partition was assigned or sought.
    handed_out: Option<i64>,
    committed: Option<i64>,
    /// How far librdkafka has fetched, and where the partition ends, as of its last statistics.
    fetched: Option<i64>,
    end: Option<i64>,
    /// Records of it that wait.
    waiting: usize,
    /// The user has paused it; what comes of it is dropped.
    paused: bool,
    /// The user has resumed it, and librdkafka has not been told yet.
    resumed: bool,
    /// librdkafka does not fetch it.
    stopped: bool,
    /// Records of it were dropped, so that fetching must begin at `next` again.
    behind: bool,
    /// It is being revoked: nothing of it is handed out any more.
    going: bool,
}

/// What to tell librdkafka so that it fetches what is wanted, and nothing else.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Changes {
    pub(super) stop: Vec<TopicPartition>,
    pub(super) seek: Vec<(TopicPartition, i64)>,
    pub(super) go: Vec<TopicPartition>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    slots: Vec<Slot>,
    /// Where in `slots` a partition is.
    places: HashMap<TopicPartition, usize>,
    queue: VecDeque<(usize, Record)>,
    bytes: usize,
    errors: VecDeque<ClientError>,
    /// Partitions that were paused by name, and whether all were; both outlive a rebalance.
    paused: HashSet<TopicPartition>,
    all_paused: bool,
    /// Pauses have changed, or partitions have come.
    pub(super) unsettled: bool,
    /// Somebody has asked for records since this was last looked at.
    pub(super) asked: bool,
    /// Partitions that the listener is being told of, which are not read from yet, and where to begin with them.
    arriving: Vec<TopicPartition>,
    /// The thread that polls is in the listener: nobody must wait for it there.
    pub(super) telling: bool,
    beginnings: HashMap<TopicPartition, SeekTo>,
    /// Nothing is handed out any more.
    pub(super) closed: bool,
    /// No broker was reachable when last heard of.
    pub(super) cut_off: bool,
}

fn size(record: &Record) -> usize {
    let length = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, |bytes| bytes.len());
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + length(value)).sum();
    RECORD_BYTES + length(&record.key) + length(&record.value) + headers
}

impl State {
    pub(super) fn depth(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Hands out what waits: errors first.
    pub(super) fn take(&mut self) -> Option<Result<Record, ClientError>> {
        self.asked = true;
        if let Some(error) = self.errors.pop_front() {
            return Some(Err(error));
        }
        let (place, record) = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(size(&record));
        if let Some(slot) = self.slots.get_mut(place) {
            slot.waiting -= 1;
            slot.next = Some(record.offset.saturating_add(1));
            slot.handed_out = slot.next;
        }
        Some(Ok(record))
    }

    /// Enters a record that has come; one that nobody wants any more is dropped.
    pub(super) fn enter(&mut self, record: Record) {
        if self.closed {
            return;
        }
        // Records come in runs of one partition.
        let same = self.queue.back().map(|(place, _)| *place).filter(|place| {
            self.slots.get(*place).is_some_and(|slot| {
                slot.partition.partition == record.partition && slot.partition.topic == record.topic
            })
        });
        let place = same.or_else(|| {
            let partition = TopicPartition::new(record.topic.clone(), record.partition);
            self.places.get(&partition).copied()
        });
        let Some(slot) = place.and_then(|place| self.slots.get_mut(place)) else { return };
        if slot.going {
            return;
        }
        if slot.waiting == 0 && !slot.behind {
            slot.next = Some(record.offset);
        }
        if slot.paused {
            slot.behind = true;
            return;
        }
        slot.waiting += 1;
        self.bytes += size(&record);
        self.queue.push_back((place.unwrap_or_default(), record));
        self.cut_off = false;
    }

    pub(super) fn tell(&mut self, error: ClientError) {
        if self.errors.len() == MOST_ERRORS {
            self.errors.pop_front();
        }
        self.errors.push_back(error);
    }

    /// Drops what waits of the partitions for which `which` holds.
    fn drop_waiting(&mut self, which: impl Fn(&Slot) -> bool) {
        let State { slots, queue, bytes, .. } = self;
        queue.retain(|(place, record)| {
            let Some(slot) = slots.get(*place) else { return false };
            let kept = !which(slot);
            if !kept {
                *bytes = bytes.saturating_sub(size(record));
            }
            kept
        });
        for slot in slots.iter_mut().filter(|slot| which(slot)) {
            slot.behind |= slot.waiting > 0;
            slot.waiting = 0;
        }
    }

    /// The listener is being told: of these partitions, before they are read from, or of others that go.
    pub(super) fn announce(&mut self, arriving: &[TopicPartition]) {
        self.arriving = arriving.to_vec();
        self.telling = true;
    }

    /// The listener has been told.
    pub(super) fn announced(&mut self) {
        self.telling = false;
    }

    /// Notes where to begin with partitions that are just arriving; gives the others that are asked for.
    pub(super) fn begin_at(
        &mut self,
        partitions: Option<Vec<TopicPartition>>,
        to: SeekTo,
    ) -> Option<Vec<TopicPartition>> {
        if self.arriving.is_empty() {
            return partitions;
        }
        let (arriving, others): (Vec<_>, Vec<_>) = match partitions {
            Some(named) => named.into_iter().partition(|one| self.arriving.contains(one)),
            None => (self.arriving.clone(), self.partitions()),
        };
        self.beginnings.extend(arriving.into_iter().map(|partition| (partition, to)));
        Some(others)
    }

    /// Adds the partitions that were announced; gives where to begin with those for which that was said.
    pub(super) fn assign(&mut self) -> HashMap<TopicPartition, SeekTo> {
        let arriving = std::mem::take(&mut self.arriving);
        self.gone(&arriving);
        for partition in arriving {
            let paused = self.all_paused || self.paused.contains(&partition);
            let slot = Slot {
                partition: partition.clone(),
                next: None,
                handed_out: None,
                committed: None,
                fetched: None,
                end: None,
                waiting: 0,
                paused,
                resumed: false,
                stopped: false,
                behind: false,
                going: false,
            };
            self.places.insert(partition, self.slots.len());
            self.slots.push(slot);
        }
        self.unsettled = true;
        self.cut_off = false;
        std::mem::take(&mut self.beginnings)
    }

    /// From now on nothing of these partitions is handed out.
    pub(super) fn going(&mut self, partitions: &[TopicPartition]) {
        for place in partitions.iter().filter_map(|one| self.places.get(one)) {
            if let Some(slot) = self.slots.get_mut(*place) {
                slot.going = true;
            }
        }
        self.drop_waiting(|slot| slot.going);
    }

    /// These partitions are no longer this member's.
    pub(super) fn gone(&mut self, partitions: &[TopicPartition]) {
        self.going(partitions);
        let gone: HashSet<_> = partitions.iter().collect();
        let mut moved = HashMap::new();
        let slots = std::mem::take(&mut self.slots);
        for (place, slot) in slots.into_iter().enumerate() {
            if !gone.contains(&slot.partition) {
                moved.insert(place, self.slots.len());
                self.slots.push(slot);
            }
        }
        for (place, _) in &mut self.queue {
            // Of a partition that is gone nothing waits.
            *place = moved.get(place).copied().unwrap_or_default();
        }
        self.places =
            self.slots.iter().enumerate().map(|(place, slot)| (slot.partition.clone(), place)).collect();
    }

    pub(super) fn partitions(&self) -> Vec<TopicPartition> {
        self.slots.iter().map(|slot| slot.partition.clone()).collect()
    }

    pub(super) fn positions(&self) -> Vec<(TopicPartition, Position)> {
        let known = self.slots.iter().filter_map(|slot| {
            let next = slot.next.or(slot.fetched)?;
            let lag = slot.end.map(|end| end.saturating_sub(next).max(0));
            Some((slot.partition.clone(), Position { next, lag }))
        });
        known.collect()
    }

    /// What was handed out and not committed, of the partitions for which `which` holds.
    pub(super) fn uncommitted(&self, which: impl Fn(&TopicPartition) -> bool) -> Vec<(TopicPartition, i64)> {
        let handed_out = self.slots.iter().filter(|slot| which(&slot.partition)).filter_map(|slot| {
            let next = slot.handed_out.filter(|next| slot.committed != Some(*next))?;
            Some((slot.partition.clone(), next))
        });
        handed_out.collect()
    }

    pub(super) fn committed(&mut self, offsets: &[(TopicPartition, i64)]) {
        for (partition, offset) in offsets {
            if let Some(slot) = self.slot(partition) {
                slot.committed = Some(*offset);
            }
        }
        self.cut_off = false;
    }

    fn slot(&mut self, partition: &TopicPartition) -> Option<&mut Slot> {
        let place = *self.places.get(partition)?;
        self.slots.get_mut(place)
    }

    /// Reading goes on elsewhere: at an offset, or at one that librdkafka finds.
    pub(super) fn sought(&mut self, partition: &TopicPartition, to: Option<i64>) {
        self.drop_waiting(|slot| slot.partition == *partition);
        if let Some(slot) = self.slot(partition) {
            slot.next = to;
            slot.fetched = to;
            slot.handed_out = None;
            slot.behind = false;
        }
    }

    pub(super) fn pause(&mut self, partitions: Option<&[TopicPartition]>) {
        match partitions {
            None => self.all_paused = true,
            Some(named) => self.paused.extend(named.iter().cloned()),
        }
        for slot in &mut self.slots {
            if partitions.is_none_or(|named| named.contains(&slot.partition)) {
                slot.paused = true;
                slot.resumed = false;
            }
        }
        self.drop_waiting(|slot| slot.paused);
        self.unsettled = true;
    }

    pub(super) fn resume(&mut self, partitions: Option<&[TopicPartition]>) {
        match partitions {
            None => {
                self.all_paused = false;
                self.paused.clear();
            }
            Some(named) => {
                if self.all_paused {
                    // All were paused; now all but these are.
                    self.all_paused = false;
                    let others = self.slots.iter().map(|slot| slot.partition.clone());
                    self.paused.extend(others);
                }
                self.paused.retain(|one| !named.contains(one));
            }
        }
        for slot in &mut self.slots {
            if slot.paused && partitions.is_none_or(|named| named.contains(&slot.partition)) {
                slot.resumed = true;
            }
        }
        self.unsettled = true;
    }

    /// What librdkafka has to be told, given that nothing at all is to be fetched (`full`) or what is not paused. Records
    /// are taken in as if it had been done.
    pub(super) fn settle(&mut self, full: bool) -> Changes {
        let mut changes = Changes::default();
        for slot in self.slots.iter_mut().filter(|slot| !slot.going) {
            if slot.resumed {
                (slot.resumed, slot.paused) = (false, false);
                if slot.behind
                    && let Some(next) = slot.next
                {
                    changes.seek.push((slot.partition.clone(), next));
                }
                slot.behind = false;
            }
            let stopped = slot.paused || full;
            if stopped && !slot.stopped {
                changes.stop.push(slot.partition.clone());
            } else if !stopped && slot.stopped {
                changes.go.push(slot.partition.clone());
            }
            slot.stopped = stopped;
        }
        self.unsettled = false;
        changes
    }

    /// What librdkafka says of a partition: how far it has fetched, and where the partition ends.
    pub(super) fn heard(&mut self, partition: &TopicPartition, fetched: i64, end: i64) {
        if let Some(slot) = self.slot(partition) {
            slot.fetched = Some(fetched).filter(|fetched| *fetched >= 0).or(slot.fetched);
            slot.end = Some(end).filter(|end| *end >= 0).or(slot.end);
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.drop_waiting(|_| true);
    }

    /// There is nothing any more, as the member has left.
    pub(super) fn left(&mut self) {
        self.gone(&self.partitions());
    }
}

/// Whether nothing has been asked for in too long a time while records wait.
#[derive(Debug)]
pub(super) struct Patience {
    longest: Duration,
    last_asked: Instant,
}

impl Patience {
    pub(super) fn new(longest: Duration) -> Patience {
        Patience { longest, last_asked: Instant::now() }
    }

    /// To be called now and then.
    pub(super) fn is_over(&mut self, state: &mut State) -> bool {
        if std::mem::take(&mut state.asked) || state.queue.is_empty() {
            self.last_asked = Instant::now();
        }
        self.last_asked.elapsed() > self.longest
    }
}
