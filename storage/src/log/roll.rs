//! When a segment is full, and beginning the next one.

use std::io;
use std::sync::Arc;

use super::{Log, State};
use crate::batch::BatchHeader;
use crate::error::{AppendError, StorageError};
use crate::options::LogOptions;
use crate::producer::snapshot;
use crate::segment::{Segment, name};

impl Log {
    /// The segment that a batch goes to: the last one, or a new one if that is full or old enough.
    pub(super) fn roll_for(
        &self,
        state: &mut State,
        header: &BatchHeader,
        options: &LogOptions,
        now_ms: i64,
    ) -> Result<Arc<Segment>, AppendError> {
        let Some(last) = self.segments().last().cloned() else {
            // With the first files comes the one that says which epoch they begin with.
            self.write_epochs(&self.epochs.read())?;
            return Ok(self.add_segment(options, now_ms));
        };
        let reopened = self.reopen_last(&last, options).map_err(AppendError::DiskFull)?;
        let Some(active) = reopened else { return self.roll(state, options, now_ms).map_err(not_rolled) };
        let largest = active.limit().min(options.segment_bytes as usize);
        let relative_end = header.last_offset().saturating_sub(active.base_offset());
        let is_full = active.len() + header.size() > largest
            || !active.indexes_have_room(options.segment_index_bytes)
            || relative_end >= i64::from(i32::MAX);
        let is_old = self.is_old(&active, options, header.max_timestamp, now_ms);
        if active.len() == 0 && header.size() <= largest || !is_full && !is_old {
            return Ok(active);
        }
        self.roll(state, options, now_ms).map_err(not_rolled)
    }

    /// Begins a new segment if the last one is older than `segment.ms`. Says whether it did.
    ///
    /// # Errors
    /// If the old segment's indexes cannot be written. Then it goes on being appended to.
    pub fn roll_if_due(&self, now_ms: i64) -> Result<bool, StorageError> {
        let mut state = self.usable()?;
        let options = self.options();
        let Some(active) = self.segments().last().cloned().filter(|active| active.len() > 0) else {
            return Ok(false);
        };
        if !self.is_old(&active, &options, now_ms, now_ms) {
            return Ok(false);
        }
        self.roll(&mut state, &options, now_ms).map_err(StorageError::io("rolling the log"))?;
        Ok(true)
    }

    /// Begins a new segment whatever the age and size of the last one, so that all before it can be let go of. Says
    /// whether it did: an empty segment stays.
    ///
    /// # Errors
    /// If the old segment's indexes cannot be written. Then it goes on being appended to.
    pub fn roll_now(&self, now_ms: i64) -> Result<bool, StorageError> {
        let mut state = self.usable()?;
        if self.segments().last().is_none_or(|active| active.len() == 0) {
            return Ok(false);
        }
        self.roll(&mut state, &self.options(), now_ms).map_err(StorageError::io("rolling the log"))?;
        Ok(true)
    }

    /// Whether `segment.ms` is over: by the timestamps of the records, or where they have none, by the clock.
    fn is_old(&self, active: &Segment, options: &LogOptions, timestamp: i64, now_ms: i64) -> bool {
        if active.len() == 0 {
            return false;
        }
        let waited = match active.first_timestamp().filter(|first| *first >= 0) {
            Some(first) => timestamp.saturating_sub(first),
            None => now_ms.saturating_sub(active.created_ms()),
        };
        waited > options.segment_ms.saturating_sub(self.jitter(active, options))
    }

    /// How much earlier than `segment.ms` this segment is rolled. Not at random, but so that segments differ: the same
    /// log behaves the same way each time.
    fn jitter(&self, active: &Segment, options: &LogOptions) -> i64 {
        let most = options.segment_jitter_ms.min(options.segment_ms);
        if most <= 0 {
            return 0;
        }
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let numbers = [i64::from(self.partition), active.base_offset()].map(i64::to_be_bytes);
        for byte in self.topic.bytes().chain(numbers.into_iter().flatten()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        (hash >> 1).cast_signed() % most
    }

    /// Seals the last segment and begins a new one behind it.
    pub(super) fn roll(
        &self,
        state: &mut State,
        options: &LogOptions,
        now_ms: i64,
    ) -> io::Result<Arc<Segment>> {
        self.touch(state);
        if let Some(active) = self.segments().last().filter(|active| active.len() > 0) {
            active.seal()?;
        }
        self.write_snapshot(state)?;
        Ok(self.add_segment(options, now_ms))
    }

    fn add_segment(&self, options: &LogOptions, now_ms: i64) -> Arc<Segment> {
        let limit = options.segment_bytes as usize;
        let segment =
            Segment::new(Arc::clone(&self.shared), self.place.clone(), self.log_end_offset(), limit, now_ms);
        let mut segments = self.segments().as_ref().clone();
        // One that was given too little room for the first batch to come makes way for one that has it.
        segments.pop_if(|last| last.len() == 0);
        segments.push(Arc::clone(&segment));
        *self.segments.write() = Arc::new(segments);
        segment
    }

    /// Writes down what is known of producers, and forgets all but the latest two of what was written before.
    pub(super) fn write_snapshot(&self, state: &State) -> io::Result<()> {
        let Some(folder) = self.folder() else { return Ok(()) };
        let end = self.log_end_offset();
        self.shared
            .disk
            .replace(&name::path(folder, end, name::SNAPSHOT), &snapshot::write(&state.producers))?;
        let mut offsets = super::open::files_of_kind(folder, name::SNAPSHOT)?;
        offsets.sort_unstable();
        for old in offsets.iter().rev().skip(2) {
            crate::segment::remove_if_there(&name::path(folder, *old, name::SNAPSHOT))?;
        }
        Ok(())
    }
}

fn not_rolled(why: io::Error) -> AppendError {
    match why.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::DiskFull(why),
        _ => AppendError::Storage(StorageError::Io { doing: "rolling the log".to_owned(), why }),
    }
}
