//! Deleting records from the start: by time, by size, on request; and the log as a whole.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Log, OutOfUse, State};
use crate::error::StorageError;
use crate::options::LogOptions;
use crate::segment::Segment;

/// What file systems take for a name, in bytes.
const LONGEST_FILE_NAME: usize = 255;

/// What retention did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetentionDone {
    /// How many segments were deleted.
    pub segments: usize,
    /// How many bytes they had.
    pub bytes: u64,
}

impl Log {
    /// Deletes the segments that lie below the log start offset; and, with `cleanup.policy=delete`, those that are larger
    /// together than `retention.bytes` or older than `retention.ms`. Whoever reads them can go on.
    ///
    /// # Errors
    /// If a file cannot be deleted, or a segment not be sealed. What was done stays done.
    pub fn apply_retention(&self, now_ms: i64) -> Result<RetentionDone, StorageError> {
        let mut state = self.usable()?;
        let options = self.options();
        let mut done = self.delete_below_start(&mut state)?;
        if options.delete {
            let by_size = self.oversized(&options);
            done = done.and(self.delete_oldest(&mut state, by_size, &options, now_ms)?);
            let by_time = self.expired(&options, now_ms);
            done = done.and(self.delete_oldest(&mut state, by_time, &options, now_ms)?);
        }
        Ok(done)
    }

    /// Moves the log start offset up to `before`, or to the high watermark for -1, and deletes the segments below it.
    /// Returns the log start offset, which is higher if it was so already.
    ///
    /// # Errors
    /// [`StorageError::OffsetOutOfRange`] for an offset above the high watermark or below -1.
    pub fn delete_records(&self, before: i64) -> Result<i64, StorageError> {
        let mut state = self.usable()?;
        let (start, end) = (self.log_start_offset(), self.high_watermark());
        let offset = if before == -1 { end } else { before };
        if offset < 0 || offset > end {
            return Err(StorageError::OffsetOutOfRange { offset: before, start, end });
        }
        self.move_start(&mut state, offset)?;
        self.delete_below_start(&mut state)?;
        Ok(self.log_start_offset())
    }

    fn move_start(&self, state: &mut State, offset: i64) -> Result<(), StorageError> {
        if offset <= self.log_start_offset() {
            return Ok(());
        }
        self.touch(state);
        self.log_start.store(offset, Ordering::Release);
        let mut epochs = self.epochs.write();
        let mut changed = epochs.clone();
        if changed.truncate_start(offset) {
            self.write_epochs(&changed)?;
            *epochs = changed;
        }
        Ok(())
    }

    /// How many of the oldest segments have to go for the log to be no larger than `retention.bytes`.
    fn oversized(&self, options: &LogOptions) -> usize {
        let Ok(most) = u64::try_from(options.retention_bytes) else { return 0 };
        let segments = self.segments();
        let mut over = self.size_bytes().saturating_sub(most);
        segments
            .iter()
            .take_while(|segment| match over.checked_sub(segment.len() as u64) {
                Some(left) if segment.len() > 0 => {
                    over = left;
                    true
                }
                _ => false,
            })
            .count()
    }

    /// How many of the oldest segments have no record that is younger than `retention.ms`.
    fn expired(&self, options: &LogOptions, now_ms: i64) -> usize {
        if options.retention_ms < 0 {
            return 0;
        }
        let is_expired = |segment: &&Arc<Segment>| {
            segment.len() > 0 && now_ms.saturating_sub(segment.age_timestamp()) > options.retention_ms
        };
        self.segments().iter().take_while(is_expired).count()
    }

    /// Deletes so many of the oldest segments. If it is all of them a new one is begun, which keeps the end offset.
    fn delete_oldest(
        &self,
        state: &mut State,
        count: usize,
        options: &LogOptions,
        now_ms: i64,
    ) -> Result<RetentionDone, StorageError> {
        if count == 0 {
            return Ok(RetentionDone::default());
        }
        let segments = self.segments();
        if count >= segments.len() {
            self.roll(state, options, now_ms).map_err(StorageError::io("rolling the log"))?;
        }
        let kept_from = segments.get(count).map_or(self.log_end_offset(), |segment| segment.base_offset());
        self.move_start(state, kept_from)?;
        self.delete_below_start(state)
    }

    /// Deletes the segments all of whose records lie below the log start offset. The last one stays.
    fn delete_below_start(&self, state: &mut State) -> Result<RetentionDone, StorageError> {
        let start = self.log_start_offset();
        let segments = self.segments();
        let gone = segments
            .windows(2)
            .take_while(|pair| matches!(pair, [_, next] if next.base_offset() <= start))
            .count();
        if gone == 0 {
            return Ok(RetentionDone::default());
        }
        self.touch(state);
        let (old, kept) = segments.split_at(gone);
        // One without batches may have no file yet, and then nothing would tell any more where the log ends.
        if let [only] = kept
            && only.len() == 0
        {
            only.create_files().map_err(StorageError::io("creating a segment"))?;
        }
        // First they are taken out of readers' sight.
        *self.segments.write() = Arc::new(kept.to_vec());
        let bytes = old.iter().map(|segment| segment.len() as u64).sum();
        old.iter()
            .try_for_each(|segment| segment.delete())
            .map_err(StorageError::io("deleting a segment"))?;
        Ok(RetentionDone { segments: gone, bytes })
    }

    /// Deletes the log. Once this returns nothing of it is left, and another can be created in its place. Whoever holds
    /// what was read keeps it.
    pub(crate) fn delete(&self) -> Result<(), StorageError> {
        let mut state = self.state.lock();
        if matches!(state.out_of_use, Some(OutOfUse::Deleted)) {
            return Ok(());
        }
        state.out_of_use = Some(OutOfUse::Deleted);
        self.deleted.store(true, Ordering::Release);
        let segments = std::mem::take(&mut *self.segments.write());
        state.producers = Default::default();
        self.delete_files(&segments).map_err(StorageError::io("deleting the log"))
    }

    fn delete_files(&self, segments: &[Arc<Segment>]) -> io::Result<()> {
        let Some(folder) = self.folder().filter(|_| self.has_folder.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        // Before another log can take the folder's name: nothing may make a file there any more.
        segments.iter().for_each(|segment| segment.abandon());
        // Out of the way first, under the name that Kafka gives it: if it cannot be emptied now, the next start does it.
        let end = format!("-{}.{}-delete", self.partition, self.topic_id.simple());
        let topic = self.topic.get(..LONGEST_FILE_NAME.saturating_sub(end.len())).unwrap_or(&self.topic);
        let doomed = folder.with_file_name(format!("{topic}{end}"));
        std::fs::rename(folder, &doomed)?;
        std::fs::remove_dir_all(&doomed)
    }
}

impl RetentionDone {
    fn and(self, other: RetentionDone) -> RetentionDone {
        RetentionDone { segments: self.segments + other.segments, bytes: self.bytes + other.bytes }
    }
}
