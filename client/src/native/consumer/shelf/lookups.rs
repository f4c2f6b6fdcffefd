//! The shelf's questions about positions, and their answers.

use std::time::Instant;

use super::entry::{Entry, Leader, NO_EPOCH, Phase};
use super::fetching::no_such_offset;
use super::{Inner, Key, Shelf};
use crate::backend::{OffsetSpec, SeekTo};
use crate::error::{ClientError, ErrorKind};
use crate::options::OffsetReset;
use crate::record::TopicPartition;

/// What has to be known of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::native::consumer) enum Question {
    /// The group's committed offset.
    Committed,
    Offset(OffsetSpec),
    /// Where that epoch ends in the leader's log.
    EndOfEpoch(i32),
}

/// A question about a partition.
#[derive(Debug, Clone)]
pub(in crate::native::consumer) struct Lookup {
    pub(in crate::native::consumer) key: Key,
    pub(in crate::native::consumer) partition: TopicPartition,
    pub(in crate::native::consumer) leader: Option<Leader>,
    pub(in crate::native::consumer) question: Question,
}

impl Shelf {
    /// The questions that are to be asked now. They count as asked until they are answered or given back.
    pub(in crate::native::consumer) fn questions(&self, now: Instant) -> Vec<Lookup> {
        let mut inner = self.inner.lock();
        let mut questions = Vec::new();
        for (slot, entry) in inner.slots.iter_mut().enumerate() {
            let Some(entry) = entry else { continue };
            let Some(question) = question_about(entry) else { continue };
            // Committed offsets are the group's; all else is asked of leaders.
            let nobody_to_ask = question != Question::Committed && entry.leader.is_none();
            if nobody_to_ask || Inner::later(entry.not_before, now).is_some() {
                continue;
            }
            entry.asking = true;
            questions.push(Lookup {
                key: Key { slot, version: entry.version },
                partition: entry.partition.clone(),
                leader: entry.leader,
                question,
            });
        }
        questions
    }

    /// When a question may be asked that has to wait.
    pub(in crate::native::consumer) fn next_question(&self, now: Instant) -> Option<Instant> {
        let inner = self.inner.lock();
        let asked = inner.entries().filter(|entry| question_about(entry).is_some());
        asked.filter_map(|entry| Inner::later(entry.not_before, now)).min()
    }

    /// No record is at or after the time that was looked for: reading goes on behind the last.
    pub(in crate::native::consumer) fn look_for_latest(&self, key: Key) {
        if let Some(entry) = self.inner.lock().entry_of(key)
            && matches!(entry.phase, Phase::Find(_))
        {
            entry.asking = false;
            entry.phase = Phase::Find(OffsetSpec::Latest);
        }
        self.work.raise();
    }

    /// The question is to be asked again, but not before that.
    pub(in crate::native::consumer) fn ask_again(&self, key: Key, not_before: Instant) {
        if let Some(entry) = self.inner.lock().entry_of(key) {
            entry.asking = false;
            entry.not_before = Some(not_before);
        }
        self.work.raise();
    }

    /// What the group has committed, with the epoch of what was read before; none where it has committed nothing.
    pub(in crate::native::consumer) fn found_committed(&self, key: Key, committed: Option<(i64, i32)>) {
        let mut inner = self.inner.lock();
        let reset = inner.reset;
        let Some(entry) = inner.entry_of(key).filter(|entry| entry.phase == Phase::FindCommitted) else {
            return;
        };
        entry.asking = false;
        entry.not_before = None;
        let told = match (committed, reset) {
            (Some((offset, epoch)), _) => {
                entry.committed = Some(offset);
                entry.place(offset, epoch);
                None
            }
            (None, OffsetReset::Earliest) => {
                entry.phase = Phase::Find(OffsetSpec::Earliest);
                None
            }
            (None, OffsetReset::Latest) => {
                entry.phase = Phase::Find(OffsetSpec::Latest);
                None
            }
            (None, OffsetReset::None) => {
                entry.phase = Phase::Stuck;
                Some(nowhere_to_begin(&entry.partition))
            }
        };
        if let Some(error) = told {
            inner.tell(error);
        }
        drop(inner);
        self.arrived.raise();
        self.placed.raise();
        self.work.raise();
    }

    /// The offset that was asked for.
    pub(in crate::native::consumer) fn found_offset(&self, key: Key, offset: i64) {
        let mut inner = self.inner.lock();
        let Some(entry) = inner.entry_of(key).filter(|entry| matches!(entry.phase, Phase::Find(_))) else {
            return;
        };
        entry.asking = false;
        entry.not_before = None;
        // A new position, not a change of leaders: there is nothing to compare the leader's log with.
        entry.place(offset, NO_EPOCH);
        drop(inner);
        self.placed.raise();
        self.work.raise();
    }

    /// Where the leader's log ends for the epoch that was read last, or that it knows nothing of it.
    pub(in crate::native::consumer) fn found_end_of_epoch(&self, key: Key, end: Option<i64>) {
        let mut inner = self.inner.lock();
        let reset = inner.reset;
        let Some(entry) = inner.entry_of(key).filter(|entry| entry.phase == Phase::Check) else { return };
        entry.asking = false;
        entry.not_before = None;
        let told = match end {
            Some(end) if end >= entry.fetch_at => {
                entry.phase = Phase::Reading;
                None
            }
            // What was fetched is not all in the leader's log: it is fetched again.
            Some(end) if end >= entry.next => {
                entry.step_back();
                entry.phase = Phase::Reading;
                None
            }
            end => truncated(entry, end, reset),
        };
        if let Some(error) = told {
            inner.tell(error);
        }
        drop(inner);
        self.arrived.raise();
        self.work.raise();
    }

    /// Goes on reading elsewhere. Nothing that was fetched before is handed out any more. Gives the partitions that it
    /// concerns.
    pub(in crate::native::consumer) fn seek(
        &self,
        partitions: Option<&[TopicPartition]>,
        to: SeekTo,
    ) -> Result<Vec<Key>, ClientError> {
        let mut inner = self.inner.lock();
        let slots: Vec<usize> = match partitions {
            None => inner.by_name.values().copied().collect(),
            Some(named) => {
                let slot =
                    |partition| inner.by_name.get(partition).copied().ok_or_else(|| not_assigned(partition));
                named.iter().map(slot).collect::<Result<_, _>>()?
            }
        };
        let mut keys = Vec::with_capacity(slots.len());
        for slot in slots {
            let version = inner.new_version();
            let Some(entry) = inner.entry_at(slot) else { continue };
            entry.version = version;
            entry.asking = false;
            entry.not_before = None;
            match to {
                SeekTo::Offset(offset) => entry.place(offset, NO_EPOCH),
                SeekTo::Found(spec) => {
                    entry.drop_fetched();
                    entry.phase = Phase::Find(spec);
                }
            }
            keys.push(Key { slot, version });
        }
        drop(inner);
        self.placed.raise();
        self.work.raise();
        Ok(keys)
    }

    /// Whether the positions of these are known, or no longer of interest.
    pub(in crate::native::consumer) fn are_placed(&self, keys: &[Key]) -> bool {
        let mut inner = self.inner.lock();
        keys.iter().all(|key| inner.entry_of(*key).is_none_or(|entry| entry.position().is_some()))
    }
}

fn question_about(entry: &Entry) -> Option<Question> {
    if entry.asking || entry.leaving || entry.held {
        return None;
    }
    match entry.phase {
        Phase::FindCommitted => Some(Question::Committed),
        Phase::Find(spec) => Some(Question::Offset(spec)),
        Phase::Check => Some(Question::EndOfEpoch(entry.fetch_epoch)),
        Phase::Reading | Phase::Stuck => None,
    }
}

/// What was handed out is not in the leader's log any more: somebody's unclean election has cut it.
fn truncated(entry: &mut Entry, end: Option<i64>, reset: OffsetReset) -> Option<ClientError> {
    let at = entry.next;
    match (end, reset) {
        (Some(end), OffsetReset::Earliest | OffsetReset::Latest) => {
            tracing::warn!(partition = %entry.partition, at, end, "the log was cut: going on from its end");
            entry.place(end, NO_EPOCH);
            None
        }
        (None, OffsetReset::Earliest) => {
            entry.drop_fetched();
            entry.phase = Phase::Find(OffsetSpec::Earliest);
            None
        }
        (None, OffsetReset::Latest) => {
            entry.drop_fetched();
            entry.phase = Phase::Find(OffsetSpec::Latest);
            None
        }
        (_, OffsetReset::None) => {
            entry.drop_fetched();
            entry.phase = Phase::Stuck;
            Some(no_such_offset(&entry.partition, at))
        }
    }
}

pub(super) fn nowhere_to_begin(partition: &TopicPartition) -> ClientError {
    ClientError::new(
        ErrorKind::OffsetOutOfRange,
        format!("reading {partition}"),
        "there is no committed offset, and auto_offset_reset is none",
    )
    .remedy("seek to an offset, or set auto_offset_reset to earliest or latest")
}

/// Says that a partition is not this consumer's.
pub(in crate::native::consumer) fn not_assigned(partition: &TopicPartition) -> ClientError {
    ClientError::new(
        ErrorKind::InvalidArgument,
        format!("changing the position in {partition}"),
        "it is not assigned to this consumer",
    )
}
