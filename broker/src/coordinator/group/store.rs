//! Where groups are remembered: a journal for each partition of `__consumer_offsets`, loading and shortening them.
//!
//! Knows nothing of requests.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::classic::ClassicGroup;
use super::hash::partition_for;
use super::record::{GroupRecord, RecordError};
use super::service::{Cell, GroupCoordinator};
use crate::coordinator::journal::{Journal, JournalError, JournalLog, JournalRecord, SNAPSHOT_BATCH_BYTES};

type Log = Box<dyn JournalLog>;

/// The journals of all partitions.
pub(super) struct Store {
    partitions: Vec<Kept>,
}

struct Kept {
    journal: Journal<Log>,
    /// There are records of kinds that are not known here. They are kept: the journal is never written anew.
    has_unknown: AtomicBool,
}

impl JournalLog for Log {
    fn append(&self, records: &[JournalRecord], now_ms: i64) -> Result<(), JournalError> {
        (**self).append(records, now_ms)
    }

    fn read(&self, take: &mut dyn FnMut(JournalRecord)) -> Result<(), JournalError> {
        (**self).read(take)
    }

    fn mark(&self, now_ms: i64) -> Result<i64, JournalError> {
        (**self).mark(now_ms)
    }

    fn size_bytes(&self) -> u64 {
        (**self).size_bytes()
    }

    fn start_at(&self, offset: i64, now_ms: i64) -> Result<(), JournalError> {
        (**self).start_at(offset, now_ms)
    }
}

impl Store {
    pub(super) fn new(logs: Vec<Log>) -> Self {
        let keep = |log| Kept { journal: Journal::new(log), has_unknown: AtomicBool::new(false) };
        Store { partitions: logs.into_iter().map(keep).collect() }
    }

    fn partition_of(&self, group_id: &str) -> usize {
        let count = i32::try_from(self.partitions.len()).unwrap_or(i32::MAX);
        usize::try_from(partition_for(group_id, count)).unwrap_or(0)
    }

    fn kept(&self, group_id: &str) -> Result<&Kept, JournalError> {
        let kept = self.partitions.get(self.partition_of(group_id));
        kept.ok_or_else(|| JournalError::Log("the topic of offsets has no partitions".to_owned()))
    }

    /// Remembers the records of one group, all of them or none.
    pub(super) fn append(
        &self,
        group_id: &str,
        records: &[GroupRecord],
        now_ms: i64,
    ) -> Result<(), JournalError> {
        self.kept(group_id)?.journal.append(&encode(records)?, now_ms)
    }

    /// The groups that the journals of these partitions remember, by id.
    fn replay(&self, partitions: Range<usize>) -> Result<Vec<ClassicGroup>, JournalError> {
        let mut groups: HashMap<String, ClassicGroup> = HashMap::new();
        let (first, count) = (partitions.start, partitions.len());
        for (index, kept) in self.partitions.iter().enumerate().skip(first).take(count) {
            kept.journal.replay(|record| match GroupRecord::decode(&record) {
                Ok(record) => {
                    let id = record.group();
                    if let Some(group) = groups.get_mut(id) {
                        group.replay(&record);
                    } else {
                        let mut group = ClassicGroup::new(id);
                        group.replay(&record);
                        groups.insert(group.id().to_owned(), group);
                    }
                }
                Err(RecordError::Unknown) => kept.has_unknown.store(true, Ordering::Relaxed),
                Err(error) => {
                    // Said once for a partition: there may be many.
                    if !kept.has_unknown.swap(true, Ordering::Relaxed) {
                        tracing::warn!(
                            "partition {index} of the offsets topic has unreadable records: {error}"
                        );
                    }
                }
            })?;
        }
        let mut groups: Vec<_> = groups.into_values().filter(ClassicGroup::is_remembered).collect();
        groups.sort_by(|a, b| a.id().cmp(b.id()));
        Ok(groups)
    }
}

fn encode(records: &[GroupRecord]) -> Result<Vec<JournalRecord>, JournalError> {
    // A name that the format has no room for is too large in its way.
    records.iter().map(|record| record.encode().map_err(|_| JournalError::TooLarge)).collect()
}

impl GroupCoordinator {
    /// Takes up a store and the groups in it: their sessions begin now.
    pub(super) fn load(self: &Arc<Self>, store: Store) -> Result<(), JournalError> {
        {
            let _gate = self.gate.read();
            let mut place = self.store.write();
            if place.is_some() {
                return Ok(());
            }
            for group in store.replay(0..store.partitions.len())? {
                self.insert_loaded(group);
            }
            *place = Some(Arc::new(store));
        }
        let now = self.clock.now_ms();
        for cell in self.cells() {
            let _ = self.with_cell(&cell, now, |held, cx| ((), held.group.loaded(cx)));
        }
        self.schedule_expiry(self.clock.steady_ms());
        Ok(())
    }

    /// A partition of the topic of offsets has another leader, who reads its groups anew: members are as they were when the
    /// last generation was complete, their sessions begin now, and who waits for an answer learns that it is to ask
    /// elsewhere.
    pub(crate) fn reload(self: &Arc<Self>, partition: i32) {
        let Some(store) = self.store() else { return };
        let partition = usize::try_from(partition).unwrap_or(usize::MAX);
        let read = {
            // Nothing is appended meanwhile.
            let _alone = self.gate.write();
            for cell in self.cells_in(&store, partition) {
                let mut held = cell.held.lock();
                if !held.gone {
                    self.remove(&cell, &mut held);
                    held.abandon();
                }
            }
            let groups = store.replay(partition..partition.saturating_add(1)).unwrap_or_else(|error| {
                tracing::error!("partition {partition} of the offsets topic cannot be read: {error}");
                Vec::new()
            });
            groups.into_iter().map(|group| self.insert_loaded(group)).collect::<Vec<_>>()
        };
        let now = self.clock.now_ms();
        for cell in read {
            let _ = self.with_cell(&cell, now, |held, cx| ((), held.group.loaded(cx)));
        }
        self.count_change();
    }

    /// The topic of offsets is gone, and with it all that groups knew.
    pub(crate) fn detach(&self) {
        let _gate = self.gate.read();
        *self.store.write() = None;
        if let Some(timer) = self.expiry.lock().take() {
            self.timers.cancel(timer);
        }
        for cell in self.cells() {
            let mut held = cell.held.lock();
            if !held.gone {
                self.remove(&cell, &mut held);
                held.abandon();
            }
        }
    }

    pub(super) fn schedule_expiry(self: &Arc<Self>, steady_ms: i64) {
        let coordinator = Arc::downgrade(self);
        let at = steady_ms.saturating_add(self.settings.offsets_check_interval_ms.max(1));
        let run = move |steady_ms| {
            if let Some(coordinator) = coordinator.upgrade().filter(|coordinator| coordinator.is_attached()) {
                coordinator.expire_offsets(coordinator.clock.now_ms());
                coordinator.schedule_expiry(steady_ms);
            }
        };
        *self.expiry.lock() = Some(self.timers.schedule(at, Box::new(run)));
    }

    /// Writes the journal that `group_id` lives in anew, if it has grown much longer than what is true of its groups.
    pub(super) fn shorten_journal(&self, store: &Store, group_id: &str, now_ms: i64) {
        let Ok(kept) = store.kept(group_id) else { return };
        if !kept.journal.is_long() || kept.has_unknown.load(Ordering::Relaxed) {
            return;
        }
        let partition = store.partition_of(group_id);
        if let Err(error) = self.rewrite(store, kept, partition, now_ms) {
            tracing::warn!("partition {partition} of the offsets topic could not be shortened: {error}");
        }
    }

    /// Appends what is true of each group under that group's lock, so that nothing newer can stand before it, and gives
    /// up the old records when all is there.
    fn rewrite(&self, store: &Store, kept: &Kept, partition: usize, now_ms: i64) -> Result<(), JournalError> {
        let live = self.cells_in(store, partition).iter().map(|cell| size(&live_records(cell))).sum();
        let Some(rewrite) = kept.journal.rewrite(live, now_ms)? else { return Ok(()) };
        // Listed again: a group that was made meanwhile may have its records before the mark.
        for cell in self.cells_in(store, partition) {
            let held = cell.held.lock();
            if !held.gone {
                append_in_batches(&kept.journal, encode(&held.group.live_records())?, now_ms)?;
            }
        }
        rewrite.finish(now_ms)
    }

    fn cells_in(&self, store: &Store, partition: usize) -> Vec<Arc<Cell>> {
        let mut cells = self.cells();
        cells.retain(|cell| store.partition_of(&cell.id) == partition);
        cells
    }
}

fn live_records(cell: &Cell) -> Vec<JournalRecord> {
    let held = cell.held.lock();
    if held.gone {
        return Vec::new();
    }
    // What could be appended before can be encoded again.
    encode(&held.group.live_records()).unwrap_or_default()
}

fn size(records: &[JournalRecord]) -> u64 {
    records.iter().map(|record| record.size() as u64).sum()
}

fn append_in_batches(
    journal: &Journal<Log>,
    records: Vec<JournalRecord>,
    now_ms: i64,
) -> Result<(), JournalError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for record in records {
        if bytes + record.size() > SNAPSHOT_BATCH_BYTES && !batch.is_empty() {
            journal.append(&std::mem::take(&mut batch), now_ms)?;
            bytes = 0;
        }
        bytes += record.size();
        batch.push(record);
    }
    if batch.is_empty() { Ok(()) } else { journal.append(&batch, now_ms) }
}
