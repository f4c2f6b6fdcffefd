//! What a log remembers of idempotent producers: their epoch, and their last five batches.
//!
//! Knows nothing of segments or files; [`snapshot`] is how it looks on the disk.

pub(crate) mod snapshot;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::batch::BatchHeader;
use crate::batch::header::later_sequence;
use crate::error::AppendError;

/// How many batches of a producer are remembered: as many as a client may have on the way at once.
const BATCHES_KEPT: usize = 5;
/// The most producers that a log remembers. Where there are more, the tenth that wrote longest ago is forgotten.
const MAX_PRODUCERS: usize = 100_000;

fn earlier_sequence(sequence: i32, by: i32) -> i32 {
    if sequence >= by { sequence - by } else { i32::MAX - (by - sequence) + 1 }
}

/// A batch that a producer had appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppendedBatch {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: i64,
    pub(crate) offset_delta: i32,
    /// The batch's largest timestamp.
    pub(crate) timestamp: i64,
}

impl AppendedBatch {
    pub(crate) fn first_sequence(&self) -> i32 {
        earlier_sequence(self.last_sequence, self.offset_delta)
    }

    pub(crate) fn first_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// What is remembered of one producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    /// The last batches, oldest first.
    pub(crate) batches: VecDeque<AppendedBatch>,
    pub(crate) last_timestamp: i64,
    pub(crate) coordinator_epoch: i32,
    /// The offset at which its open transaction begins.
    pub(crate) transaction_start: Option<i64>,
}

impl Producer {
    fn new(epoch: i16) -> Self {
        let batches = VecDeque::new();
        Producer { epoch, batches, last_timestamp: -1, coordinator_epoch: -1, transaction_start: None }
    }

    fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |batch| batch.last_sequence)
    }
}

/// What the administrative API tells of a producer (`DescribeProducers`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerInfo {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The last sequence number, or -1.
    pub last_sequence: i32,
    /// The largest timestamp of its last batch, or -1.
    pub last_timestamp: i64,
    /// The epoch of the coordinator that ended its last transaction, or -1.
    pub coordinator_epoch: i32,
    /// The offset at which its open transaction begins, or -1.
    pub current_transaction_start_offset: i64,
}

/// The producers of a log. A clone costs nothing: they are copied by whichever of the two changes first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Producers {
    /// None as long as there never was one: most logs know of none.
    by_id: Option<Arc<HashMap<i64, Producer>>>,
}

impl FromIterator<(i64, Producer)> for Producers {
    fn from_iter<I: IntoIterator<Item = (i64, Producer)>>(producers: I) -> Self {
        Producers { by_id: Some(Arc::new(producers.into_iter().collect())) }
    }
}

impl Producers {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.by_id.iter().flat_map(|by_id| by_id.iter().map(|(id, producer)| (*id, producer)))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.as_ref().map_or(0, |by_id| by_id.len())
    }

    fn get(&self, id: i64) -> Option<&Producer> {
        self.by_id.as_ref()?.get(&id)
    }

    fn change(&mut self) -> &mut HashMap<i64, Producer> {
        Arc::make_mut(self.by_id.get_or_insert_default())
    }

    /// Whether a batch follows what its producer wrote before. Gives the earlier one if it was appended already.
    ///
    /// `offset` is where the batch would go; `place` is the partition's name. Kafka's messages.
    ///
    /// # Errors
    /// If its epoch is older than the last, or, from a client, its sequence number does not follow.
    pub(crate) fn check(
        &self,
        header: &BatchHeader,
        from_client: bool,
        offset: i64,
        place: impl std::fmt::Display,
    ) -> Result<Option<AppendedBatch>, AppendError> {
        let Some(known) = self.get(header.producer_id).filter(|_| header.has_producer_id()) else {
            return Ok(None);
        };
        let (producer_id, epoch, sequence) =
            (header.producer_id, header.producer_epoch, header.base_sequence);
        if from_client && let Some(earlier) = known.find(header) {
            return Ok(Some(earlier));
        }
        if epoch < known.epoch {
            return Err(AppendError::InvalidProducerEpoch(format!(
                "Epoch of producer {producer_id} at offset {offset} in {place} is {epoch}, which is smaller than the \
                 last seen epoch {}",
                known.epoch
            )));
        }
        if !from_client || header.is_control() {
            return Ok(None);
        }
        let wrong = if epoch != known.epoch {
            (sequence != 0).then(|| {
                format!(
                    "Invalid sequence number for new epoch of producer {producer_id} at offset {offset} in {place}: \
                     {epoch} (request epoch), {sequence} (seq. number), {} (current producer epoch)",
                    known.epoch
                )
            })
        } else {
            let last = known.last_sequence();
            (sequence != later_sequence(last, 1)).then(|| {
                format!(
                    "Out of order sequence number for producer {producer_id} at offset {offset} in {place}: \
                     {sequence} (incoming seq. number), {last} (current end sequence number)"
                )
            })
        };
        wrong.map_or(Ok(None), |why| Err(AppendError::OutOfOrderSequence(why)))
    }

    /// Remembers a batch that was appended.
    pub(crate) fn appended(&mut self, header: &BatchHeader) {
        if !header.has_producer_id() {
            return;
        }
        if self.len() >= MAX_PRODUCERS && self.get(header.producer_id).is_none() {
            self.forget_oldest();
        }
        let epoch = header.producer_epoch;
        let producer = self.change().entry(header.producer_id).or_insert_with(|| Producer::new(epoch));
        if producer.epoch != epoch {
            producer.batches.clear();
            producer.epoch = epoch;
        }
        producer.last_timestamp = header.max_timestamp;
        if header.is_control() {
            producer.transaction_start = None;
            return;
        }
        if producer.batches.len() >= BATCHES_KEPT {
            producer.batches.pop_front();
        }
        producer.batches.push_back(AppendedBatch {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        if header.is_transactional() {
            producer.transaction_start.get_or_insert(header.base_offset);
        }
    }

    /// The offset at which the first open transaction begins.
    pub(crate) fn first_open_transaction(&self) -> Option<i64> {
        self.iter().filter_map(|(_, producer)| producer.transaction_start).min()
    }

    /// Forgets producers that have not written for so long and have no transaction open. Says whether there were any.
    pub(crate) fn expire(&mut self, now_ms: i64, after_ms: i64) -> bool {
        let stays = |producer: &Producer| {
            producer.transaction_start.is_some() || now_ms.saturating_sub(producer.last_timestamp) < after_ms
        };
        if self.iter().all(|(_, producer)| stays(producer)) {
            return false;
        }
        self.change().retain(|_, producer| stays(producer));
        true
    }

    pub(crate) fn infos(&self) -> Vec<ProducerInfo> {
        let mut infos: Vec<_> = self.iter().map(|(id, producer)| producer.info(id)).collect();
        infos.sort_by_key(|info| info.producer_id);
        infos
    }

    #[cold]
    fn forget_oldest(&mut self) {
        let mut times: Vec<_> = self.iter().map(|(_, producer)| producer.last_timestamp).collect();
        let tenth = times.len() / 10;
        let (_, limit, _) = times.select_nth_unstable(tenth);
        let limit = *limit;
        let mut left = tenth + 1;
        self.change().retain(|_, producer| {
            let keep = left == 0 || producer.last_timestamp > limit || producer.transaction_start.is_some();
            left -= usize::from(!keep);
            keep
        });
    }
}

impl Producer {
    /// The batch with the same sequence numbers, if it is one of the last five.
    fn find(&self, header: &BatchHeader) -> Option<AppendedBatch> {
        if self.epoch != header.producer_epoch {
            return None;
        }
        let (first, last) = (header.base_sequence, header.last_sequence());
        self.batches
            .iter()
            .find(|batch| batch.first_sequence() == first && batch.last_sequence == last)
            .copied()
    }

    fn info(&self, producer_id: i64) -> ProducerInfo {
        ProducerInfo {
            producer_id,
            producer_epoch: self.epoch,
            last_sequence: self.last_sequence(),
            last_timestamp: self.last_timestamp,
            coordinator_epoch: self.coordinator_epoch,
            current_transaction_start_offset: self.transaction_start.unwrap_or(-1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_go_round() {
        assert_eq!(later_sequence(i32::MAX, 1), 0);
        assert_eq!(later_sequence(i32::MAX - 1, 3), 1);
        assert_eq!(earlier_sequence(1, 3), i32::MAX - 1);
        assert_eq!(earlier_sequence(5, 5), 0);
        assert_eq!(later_sequence(-1, 1), 0);
    }
}
