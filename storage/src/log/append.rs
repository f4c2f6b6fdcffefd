//! Appending a batch: check, lock, assign, roll, producer state, append, index, flush, publish.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{Log, State};
use crate::batch::{BatchHeader, header};
use crate::error::{AppendError, StorageError};
use crate::options::{LogOptions, TimestampType};
use crate::producer::AppendedBatch;
use crate::segment::Segment;
use crate::segment::append::Appender;
use crate::validate::{self, Checked, Rules};

/// Who has a batch appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A client: whatever it sent is checked.
    Client,
    /// One of the broker's own coordinators: control batches are taken, and sequence numbers are not looked at.
    Coordinator,
}

/// Trouble with the disk that one append meets on purpose, for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// There is no room for the batch.
    Full,
    /// The sync after the batch fails, whether the flush policy asks for one or not.
    FailedSync,
}

/// What an append needs to know besides the batch.
#[derive(Debug, Clone, Copy)]
pub struct AppendContext {
    /// The broker's time.
    pub now_ms: i64,
    /// The leader's epoch, which goes into the batch, unless the log knows of a later one.
    pub leader_epoch: i32,
    /// Who sent the batch.
    pub origin: Origin,
    /// Trouble to meet on purpose.
    pub fault: Option<DiskFault>,
}

/// Where a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: i64,
    /// The offset of its last record.
    pub last_offset: i64,
    /// The time that its records were given, or -1 in a log that keeps the producer's. For a duplicate, the largest
    /// timestamp of the batch as it was appended before.
    pub log_append_time: i64,
    /// The log start offset.
    pub log_start_offset: i64,
    /// Whether it had been appended before, and was not again.
    pub duplicate: bool,
}

impl Log {
    /// Appends the one batch in `records`. Bytes behind it that are no whole batch are left out.
    ///
    /// Success guarantees that readers see the batch, and that it survives the death of the process; that it survives a
    /// loss of power only as far as `flush.messages` and `flush.ms` ask for it.
    ///
    /// # Errors
    /// Nothing of the batch is in the log then, but after [`StorageError::Io`], when nobody knows; the log refuses
    /// everything until it is reopened. On a full disk it goes on as soon as there is room.
    pub fn append(&self, records: &Bytes, cx: &AppendContext) -> Result<Appended, AppendError> {
        let options = self.options();
        let mut batch = self.check(records, cx, &options)?;
        let mut state = self.usable()?;
        self.touch(&mut state);
        self.assign(&mut state, &mut batch, cx)?;
        let segment = self.roll_for(&mut state, &batch.header, &options, cx.now_ms)?;
        if let Some(earlier) = self.check_producer(&state, &batch.header, cx)? {
            return Ok(self.duplicate_of(&earlier));
        }
        if cx.fault == Some(DiskFault::Full) {
            return Err(AppendError::DiskFull(io::ErrorKind::StorageFull.into()));
        }
        let mut appender = self.write(&mut state, &segment, &batch, &options)?;
        if cx.fault == Some(DiskFault::FailedSync) {
            let why = io::Error::other("the sync failed on purpose");
            return Err(self.fail(&mut state, "syncing the log", why).into());
        }
        segment.index(&batch.header, segment.len(), options.index_interval_bytes);
        self.flush_with(&mut state, &mut appender, &batch.header, &options, cx.now_ms)?;
        self.publish(&mut state, appender, &batch.header);
        Ok(self.appended(&batch.header, &options))
    }

    fn check(
        &self,
        records: &Bytes,
        cx: &AppendContext,
        options: &LogOptions,
    ) -> Result<Checked, AppendError> {
        let rules = Rules {
            options,
            from_client: cx.origin == Origin::Client,
            now_ms: cx.now_ms,
            topic: &self.topic,
            partition: self.partition,
        };
        let checked = validate::check(records, &rules)?;
        let size = checked.header.size();
        if size > options.segment_bytes as usize {
            return Err(AppendError::LargerThanSegment { size, max: options.segment_bytes });
        }
        Ok(checked)
    }

    /// Gives the batch its offset and epoch, and the checksum that goes with a changed head.
    fn assign(&self, state: &mut State, batch: &mut Checked, cx: &AppendContext) -> Result<(), AppendError> {
        batch.header.base_offset = self.log_end_offset();
        // A leader that was deposed while it came here stamps what the log has by now: epochs never go back.
        let latest = self.latest_epoch();
        let epoch = latest.map_or(cx.leader_epoch, |latest| latest.max(cx.leader_epoch));
        batch.header.leader_epoch = epoch;
        if batch.checksum_changed {
            batch.header.crc = header::checksum(&batch.header.to_bytes(), &batch.records);
        }
        if latest >= Some(epoch) {
            return Ok(());
        }
        Ok(self.note_epoch(state, epoch, batch.header.base_offset)?)
    }

    fn check_producer(
        &self,
        state: &State,
        header: &BatchHeader,
        cx: &AppendContext,
    ) -> Result<Option<AppendedBatch>, AppendError> {
        let from_client = cx.origin == Origin::Client;
        let place = format_args!("{}-{}", self.topic, self.partition);
        state.producers.check(header, from_client, header.base_offset, place)
    }

    fn write<'s>(
        &self,
        state: &mut State,
        segment: &'s Arc<Segment>,
        batch: &Checked,
        options: &LogOptions,
    ) -> Result<Appender<'s>, AppendError> {
        let room = segment.make_room(batch.header.size(), options.preallocate);
        let mut appender = room.map_err(|why| match why.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::OutOfMemory => {
                AppendError::DiskFull(why)
            }
            _ => AppendError::Storage(StorageError::Io { doing: "making room for a batch".to_owned(), why }),
        })?;
        appender
            .write(&batch.header, &batch.records)
            .map_err(|why| self.fail(state, "writing a batch", why))?;
        Ok(appender)
    }

    /// Waits for the disk, where the flush policy asks for it: then nobody sees the batch before it is there.
    fn flush_with(
        &self,
        state: &mut State,
        appender: &mut Appender<'_>,
        header: &BatchHeader,
        options: &LogOptions,
        now_ms: i64,
    ) -> Result<(), AppendError> {
        let end = header.last_offset() + 1;
        if end - self.recovery_point() < options.flush_messages || self.folder().is_none() {
            return Ok(());
        }
        let synced = self.flush_sealed().and_then(|()| appender.sync());
        synced.map_err(|why| self.fail(state, "syncing the log", why))?;
        state.last_flush_ms = now_ms;
        self.recovery_point.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }

    fn publish(&self, state: &mut State, appender: Appender<'_>, header: &BatchHeader) {
        appender.publish();
        state.producers.appended(header);
        if header.has_producer_id() && (header.is_transactional() || header.is_control()) {
            let unstable = state.producers.first_open_transaction().unwrap_or(i64::MAX);
            self.first_unstable.store(unstable, Ordering::Release);
        }
        self.log_end.store(header.last_offset() + 1, Ordering::Release);
    }

    fn appended(&self, header: &BatchHeader, options: &LogOptions) -> Appended {
        let own_time = options.timestamp_type == TimestampType::LogAppendTime;
        Appended {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time: if own_time { header.max_timestamp } else { -1 },
            log_start_offset: self.log_start_offset(),
            duplicate: false,
        }
    }

    fn duplicate_of(&self, earlier: &AppendedBatch) -> Appended {
        Appended {
            base_offset: earlier.first_offset(),
            last_offset: earlier.last_offset,
            log_append_time: earlier.timestamp,
            log_start_offset: self.log_start_offset(),
            duplicate: true,
        }
    }
}
