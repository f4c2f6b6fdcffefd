//! Questions about a partition's offsets: which one has a time, which ones an epoch, and which records may go.

use kafka_protocol::error::ResponseError;
use klamm_storage::{ReadError, StorageError};

use super::Partition;

/// Stands for the high watermark where records are deleted.
const UP_TO_HIGH_WATERMARK: i64 = -1;

/// An offset that somebody looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetSpec {
    /// The end of what may be read.
    Latest,
    /// The log start offset, which is the same where nothing is tiered.
    Earliest,
    /// The first record with the greatest timestamp.
    MaxTimestamp,
    /// The last offset in tiered storage: there is none.
    LatestTiered,
    /// The first record with this timestamp or a later one.
    AtOrAfter(i64),
}

/// An offset, the timestamp of its record where that was looked for, and the epoch of its leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundOffset {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) leader_epoch: i32,
}

impl FoundOffset {
    /// No record is like that.
    pub(crate) const NONE: FoundOffset = FoundOffset { offset: -1, timestamp: -1, leader_epoch: -1 };
}

impl Partition {
    /// Whether somebody who takes `epoch` for the leader's is right. -1 stands for no opinion.
    pub(crate) fn check_leader_epoch(&self, epoch: i32) -> Result<(), ResponseError> {
        match epoch {
            -1 => Ok(()),
            epoch if epoch < self.leader_epoch() => Err(ResponseError::FencedLeaderEpoch),
            epoch if epoch > self.leader_epoch() => Err(ResponseError::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }

    /// The offset that is looked for, among those that may be read.
    pub(crate) fn find_offset(
        &self,
        spec: OffsetSpec,
        read_committed: bool,
    ) -> Result<FoundOffset, ResponseError> {
        let log = self.log();
        let end = if read_committed { log.last_stable_offset() } else { log.high_watermark() };
        let at = |offset| FoundOffset { offset, timestamp: -1, leader_epoch: self.leader_epoch() };
        let found = match spec {
            OffsetSpec::Latest => return Ok(at(end)),
            OffsetSpec::Earliest => return Ok(at(log.log_start_offset())),
            OffsetSpec::LatestTiered => return Ok(FoundOffset::NONE),
            OffsetSpec::MaxTimestamp => log.max_timestamp(),
            OffsetSpec::AtOrAfter(timestamp) => log.offset_for_timestamp(timestamp),
        };
        let found = found.map_err(|error| self.unreadable(&error))?;
        let found = found.map(|found| FoundOffset {
            offset: found.offset,
            timestamp: found.timestamp,
            leader_epoch: found.leader_epoch,
        });
        Ok(found.filter(|found| found.offset < end).unwrap_or(FoundOffset::NONE))
    }

    /// The epoch that `epoch` comes to, and the offset behind its last record: both -1 where nobody led in it yet.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> (i32, i64) {
        match epoch {
            -1 => (-1, -1),
            epoch if epoch > self.leader_epoch() => (-1, -1),
            // Also where the leader has not appended anything yet, so that the log does not know it.
            epoch if epoch == self.leader_epoch() => (epoch, self.log().log_end_offset()),
            // Before the first leader: nothing of the log is as old.
            epoch if epoch < 0 => (epoch, self.log().log_start_offset()),
            epoch => self.log().end_offset_for_epoch(epoch),
        }
    }

    /// Lets go of the records below `before`, and gives the log start offset that there is then.
    ///
    /// # Errors
    /// POLICY_VIOLATION where records may only be compacted away; OFFSET_OUT_OF_RANGE above the high watermark.
    pub(crate) fn delete_records(&self, before: i64) -> Result<i64, ResponseError> {
        let log = self.log();
        let options = log.options();
        if options.compact && !options.delete {
            return Err(ResponseError::PolicyViolation);
        }
        let high_watermark = log.high_watermark();
        let before = if before == UP_TO_HIGH_WATERMARK { high_watermark } else { before };
        if !(0..=high_watermark).contains(&before) {
            return Err(ResponseError::OffsetOutOfRange);
        }
        if before <= log.log_start_offset() {
            return Ok(log.log_start_offset());
        }
        log.delete_records(before).map_err(|error| match error {
            StorageError::OffsetOutOfRange { .. } => ResponseError::OffsetOutOfRange,
            // The topic went while the request was on its way.
            StorageError::Deleted => ResponseError::UnknownTopicOrPartition,
            error => {
                tracing::warn!(
                    "records of {}-{} could not be deleted: {error}",
                    log.topic(),
                    log.partition()
                );
                ResponseError::KafkaStorageError
            }
        })
    }

    fn unreadable(&self, error: &ReadError) -> ResponseError {
        if matches!(error, ReadError::Deleted) {
            return ResponseError::UnknownTopicOrPartition;
        }
        let log = self.log();
        tracing::warn!("an offset of {}-{} could not be looked up: {error}", log.topic(), log.partition());
        ResponseError::KafkaStorageError
    }
}
