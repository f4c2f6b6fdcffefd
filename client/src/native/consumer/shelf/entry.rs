//! One assigned partition: where reading stands, what was fetched and waits, and what stands in the way of either.

use std::collections::VecDeque;
use std::time::Instant;

use klamm_protocol::batch::BatchError;
use uuid::Uuid;

use super::chunk::Chunk;
use crate::backend::OffsetSpec;
use crate::error::{ClientError, ErrorKind};
use crate::record::{Record, TopicPartition};

/// Stands for an epoch that nobody knows.
pub(in crate::native::consumer) const NO_EPOCH: i32 = -1;

/// What has to happen before records can be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The committed offset is to be asked for.
    FindCommitted,
    /// An offset is to be asked for.
    Find(OffsetSpec),
    /// The leader has changed: whether its log still holds what was read is to be asked.
    Check,
    /// Nothing.
    Reading,
    /// A seek: an error has been told.
    Stuck,
}

/// Who leads a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::native::consumer) struct Leader {
    pub(in crate::native::consumer) node: i32,
    pub(in crate::native::consumer) epoch: i32,
    pub(in crate::native::consumer) topic_id: Uuid,
}

/// What handing out came to.
pub(super) enum Taken {
    Record(Record),
    /// Nothing is left.
    Nothing,
    Fault(ClientError),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) partition: TopicPartition,
    /// Which fetches and questions concern it: those that began under this number.
    pub(super) version: u64,
    /// The number under which it was assigned, which a seek does not change.
    pub(super) assignment: u64,
    pub(super) phase: Phase,
    /// Whether a question about its position is under way.
    pub(super) asking: bool,
    /// The listener is to be told before it is read from.
    pub(super) held: bool,
    /// It is about to go: nothing more is handed out.
    pub(super) leaving: bool,
    pub(super) paused: bool,
    /// The offset that is handed out next, and the epoch of what was handed out last.
    pub(super) next: i64,
    pub(super) next_epoch: i32,
    /// The offset that is fetched next, and the epoch of what was fetched last.
    pub(super) fetch_at: i64,
    pub(super) fetch_epoch: i32,
    /// What the group has committed, as far as is known.
    pub(super) committed: Option<i64>,
    pub(super) leader: Option<Leader>,
    /// A replica to fetch from instead of the leader, and until when.
    pub(super) preferred: Option<(i32, Instant)>,
    /// Nothing is asked of brokers about it before that.
    pub(super) not_before: Option<Instant>,
    /// How often in a row a broker has refused to have it fetched.
    pub(super) refusals: u32,
    /// Whether its lasting trouble has been told.
    pub(super) told: bool,
    pub(super) end: Option<i64>,
    pub(super) queue: VecDeque<Chunk>,
    /// Whether it stands among those that have something to hand out.
    pub(super) ready: bool,
    /// Records and bytes in `queue`.
    pub(super) records: usize,
    pub(super) bytes: usize,
    /// Bytes of a record, of those that came last.
    pub(super) record_bytes: usize,
}

impl Entry {
    pub(super) fn new(partition: TopicPartition, version: u64) -> Self {
        Entry {
            partition,
            version,
            assignment: version,
            phase: Phase::FindCommitted,
            asking: false,
            held: false,
            leaving: false,
            paused: false,
            next: 0,
            next_epoch: NO_EPOCH,
            fetch_at: 0,
            fetch_epoch: NO_EPOCH,
            committed: None,
            leader: None,
            preferred: None,
            not_before: None,
            refusals: 0,
            told: false,
            end: None,
            queue: VecDeque::new(),
            ready: false,
            records: 0,
            bytes: 0,
            record_bytes: 0,
        }
    }

    /// Where reading stands, once that is known.
    pub(super) fn position(&self) -> Option<i64> {
        match self.phase {
            Phase::Check | Phase::Reading | Phase::Stuck => Some(self.next),
            Phase::FindCommitted | Phase::Find(_) => None,
        }
    }

    pub(super) fn may_be_handed_out(&self) -> bool {
        !(self.paused || self.leaving || self.held || self.queue.is_empty())
    }

    pub(super) fn may_be_fetched(&self) -> bool {
        self.phase == Phase::Reading && !(self.paused || self.leaving || self.held)
    }

    /// Goes on reading from there. Everything that was fetched is dropped.
    pub(super) fn place(&mut self, offset: i64, epoch: i32) {
        self.drop_fetched();
        (self.next, self.next_epoch) = (offset, epoch);
        (self.fetch_at, self.fetch_epoch) = (offset, epoch);
        self.phase = if epoch == NO_EPOCH { Phase::Reading } else { Phase::Check };
        self.told = false;
    }

    pub(super) fn drop_fetched(&mut self) {
        self.queue.clear();
        (self.records, self.bytes) = (0, 0);
    }

    /// Fetches again what has been fetched and not handed out.
    pub(super) fn step_back(&mut self) {
        self.drop_fetched();
        (self.fetch_at, self.fetch_epoch) = (self.next, self.next_epoch);
    }

    /// Puts a fetched chunk behind those that wait.
    pub(super) fn push(&mut self, chunk: Chunk) {
        self.fetch_at = self.fetch_at.max(chunk.end);
        self.fetch_epoch = chunk.epoch;
        if !chunk.is_nothing() {
            self.records = self.records.saturating_add(chunk.records);
            self.bytes = self.bytes.saturating_add(chunk.bytes);
            if let Some(bytes) = chunk.bytes.checked_div(chunk.records) {
                self.record_bytes = bytes.max(1);
            }
            self.queue.push_back(chunk);
        } else if let Some(last) = self.queue.back_mut() {
            last.end = last.end.max(chunk.end);
        } else {
            self.next = self.next.max(chunk.end);
        }
    }

    /// The next record. `done` gets the chunk that has nothing left, to be freed where no lock is held.
    #[inline]
    pub(super) fn take(&mut self, done: &mut Option<Chunk>) -> Taken {
        while let Some(chunk) = self.queue.front_mut() {
            let read = match chunk.open() {
                Ok(Some(cursor)) => read_from(cursor, self.next),
                Ok(None) => Ok(None),
                Err(fault) => Err(fault),
            };
            let (record, is_empty) = match read {
                Ok(None) => (None, true),
                Ok(Some((record, is_empty))) => (Some(record), is_empty),
                Err(fault) => return Taken::Fault(self.fail(&fault)),
            };
            let epoch = chunk.epoch;
            if let Some(record) = &record {
                self.next = record.offset.saturating_add(1);
                self.next_epoch = epoch;
                if chunk.records > 0 {
                    chunk.records -= 1;
                    self.records = self.records.saturating_sub(1);
                }
            }
            if is_empty {
                self.finish_chunk(done);
            }
            if let Some(record) = record {
                return Taken::Record(self.record(record, epoch));
            }
        }
        Taken::Nothing
    }

    fn record(&self, record: klamm_protocol::batch::Record, leader_epoch: i32) -> Record {
        Record {
            topic: std::sync::Arc::clone(&self.partition.topic),
            partition: self.partition.partition,
            offset: record.offset,
            leader_epoch,
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: record.headers,
        }
    }

    fn finish_chunk(&mut self, done: &mut Option<Chunk>) {
        if let Some(chunk) = self.queue.pop_front() {
            self.records = self.records.saturating_sub(chunk.records);
            self.bytes = self.bytes.saturating_sub(chunk.bytes);
            self.next = self.next.max(chunk.end);
            self.next_epoch = chunk.epoch;
            *done = Some(chunk);
        }
    }

    fn fail(&mut self, fault: &BatchError) -> ClientError {
        self.drop_fetched();
        self.phase = Phase::Stuck;
        unreadable(&self.partition, self.next, &fault.to_string())
    }
}

/// A record at or behind `next`, and whether it was the last; none if there is none.
#[inline]
fn read_from(
    cursor: &mut super::cursor::Cursor,
    next: i64,
) -> Result<Option<(klamm_protocol::batch::Record, bool)>, BatchError> {
    while !cursor.is_empty() {
        let record = cursor.read()?;
        if record.offset >= next {
            return Ok(Some((record, cursor.is_empty())));
        }
        cursor.skip_before(next)?;
    }
    Ok(None)
}

/// Says that what was fetched makes no sense. Reading stops there until a seek.
pub(in crate::native::consumer) fn unreadable(
    partition: &TopicPartition,
    offset: i64,
    why: &str,
) -> ClientError {
    ClientError::new(
        ErrorKind::MalformedAnswer,
        format!("reading {partition} at offset {offset}"),
        format!("its records cannot be read: {why}"),
    )
    .remedy(format!("seek past it, for instance to {}", offset.saturating_add(1)))
}
