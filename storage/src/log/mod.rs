//! The log of a partition: segments one after the other, the offsets between which it can be read, and the state that
//! appends are checked against.
//!
//! Knows nothing of topics beyond a name, of requests, or of other logs.
//!
//! Locks, in the order in which they are taken: `state`, which appends and whatever else changes the log hold; then
//! `epochs`; then `segments`, which is held only to clone or replace an `Arc`; then those of a segment. Reads take
//! `segments` and nothing that an append holds while it works.

mod append;
mod flush;
mod freeze;
mod open;
mod read;
mod retention;
mod roll;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock};
use uuid::Uuid;

use crate::epochs::LeaderEpochs;
use crate::error::StorageError;
use crate::options::LogOptions;
use crate::producer::{ProducerInfo, Producers};
use crate::segment::{Place, Segment};
use crate::shared::Shared;

pub use append::{AppendContext, Appended, DiskFault, Origin};
pub(crate) use open::{History, read_topic_id};
pub use read::{Read, ReadUpTo};
pub use retention::RetentionDone;

/// Segments in the order of their offsets. The last one is appended to.
pub(crate) type Segments = Arc<Vec<Arc<Segment>>>;

/// The log of a partition.
///
/// All of its methods can be called from any thread. Those that append, sync or delete may wait for the disk.
pub struct Log {
    topic: Arc<str>,
    partition: i32,
    topic_id: Uuid,
    place: Place,
    shared: Arc<Shared>,
    options: RwLock<Arc<LogOptions>>,
    segments: RwLock<Segments>,
    log_start: AtomicI64,
    log_end: AtomicI64,
    /// Where the first open transaction begins; `i64::MAX` if there is none.
    first_unstable: AtomicI64,
    /// Up to here everything is known to be on the disk.
    recovery_point: AtomicI64,
    deleted: AtomicBool,
    /// Whether its folder has been made, where it is to have one.
    has_folder: AtomicBool,
    epochs: RwLock<LeaderEpochs>,
    state: Mutex<State>,
}

/// What appends are checked against and change.
pub(crate) struct State {
    producers: Producers,
    last_flush_ms: i64,
    /// Whether anything has changed since the last snapshot, and the log's manager knows of it.
    changed: bool,
    /// Why the log takes nothing any more, if it does not.
    out_of_use: Option<OutOfUse>,
}

impl State {
    /// Its changes so far are in a snapshot.
    pub(crate) fn unchanged(&mut self) {
        self.changed = false;
    }
}

/// Why a log takes nothing any more.
#[derive(Debug, Clone)]
enum OutOfUse {
    Failed(String),
    Deleted,
    Closed,
}

impl OutOfUse {
    fn error(&self) -> StorageError {
        match self {
            OutOfUse::Failed(why) => StorageError::Failed(why.clone()),
            OutOfUse::Deleted => StorageError::Deleted,
            OutOfUse::Closed => StorageError::Closed,
        }
    }
}

impl Log {
    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition's number.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The topic's id.
    pub fn topic_id(&self) -> Uuid {
        self.topic_id
    }

    /// The first offset that can be read.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start.load(Ordering::Acquire)
    }

    /// The offset that the next record gets.
    pub fn log_end_offset(&self) -> i64 {
        self.log_end.load(Ordering::Acquire)
    }

    /// The offset up to which consumers may read. There is one replica, so it is the log end offset.
    pub fn high_watermark(&self) -> i64 {
        self.log_end_offset()
    }

    /// The offset up to which there is no open transaction.
    pub fn last_stable_offset(&self) -> i64 {
        self.first_unstable.load(Ordering::Acquire).min(self.high_watermark())
    }

    /// Up to here everything is known to be on the disk.
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point.load(Ordering::Acquire)
    }

    /// The bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        self.segments().iter().map(|segment| segment.len() as u64).sum()
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.segments().len()
    }

    /// The configs that the log follows.
    pub fn options(&self) -> Arc<LogOptions> {
        Arc::clone(&self.options.read())
    }

    /// Has the log follow other configs from now on. Segments that were begun keep the size they were given.
    pub fn set_options(&self, options: Arc<LogOptions>) {
        *self.options.write() = options;
    }

    /// The latest leader epoch that the log knows of.
    pub fn latest_epoch(&self) -> Option<i32> {
        self.epochs.read().latest()
    }

    /// The offset behind the last record of `epoch` or of the latest epoch before it, and that epoch
    /// (`OffsetForLeaderEpoch`). Both are -1 where there is no answer.
    pub fn end_offset_for_epoch(&self, epoch: i32) -> (i32, i64) {
        self.epochs.read().end_offset(epoch, self.log_end_offset())
    }

    /// Notes that a leader of a later epoch has taken over; appends do so by themselves.
    ///
    /// # Errors
    /// If it cannot be written down.
    pub fn assign_epoch(&self, epoch: i32) -> Result<(), StorageError> {
        let mut state = self.usable()?;
        self.note_epoch(&mut state, epoch, self.log_end_offset())
    }

    /// The idempotent producers that the log remembers, by id.
    pub fn active_producers(&self) -> Vec<ProducerInfo> {
        self.state.lock().producers.infos()
    }

    /// Forgets the idempotent producers that have not written for as long as the manager's settings say.
    pub fn expire_producers(&self, now_ms: i64) {
        let mut state = self.state.lock();
        if state.producers.expire(now_ms, self.shared.settings.producer_id_expiration_ms) {
            self.touch(&mut state);
        }
    }

    /// Notes the start of an epoch, on disk first.
    fn note_epoch(&self, state: &mut State, epoch: i32, start_offset: i64) -> Result<(), StorageError> {
        if self.epochs.read().latest() >= Some(epoch) && epoch >= 0 {
            return Ok(());
        }
        self.touch(state);
        let mut epochs = self.epochs.write();
        let mut changed = epochs.clone();
        if changed.assign(epoch, start_offset) {
            self.write_epochs(&changed)?;
            *epochs = changed;
        }
        Ok(())
    }

    fn write_epochs(&self, epochs: &LeaderEpochs) -> Result<(), StorageError> {
        let Some(folder) = self.folder() else { return Ok(()) };
        let path = folder.join(crate::epochs::FILE);
        let done =
            self.make_folder().and_then(|()| self.shared.disk.replace(&path, epochs.to_text().as_bytes()));
        done.map_err(StorageError::io("writing the leader epochs"))
    }

    fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Memory => None,
            Place::Folder(folder) => Some(folder),
        }
    }

    fn segments(&self) -> Segments {
        Arc::clone(&self.segments.read())
    }

    /// The state, if the log still takes anything.
    fn usable(&self) -> Result<MutexGuard<'_, State>, StorageError> {
        let state = self.state.lock();
        match &state.out_of_use {
            None => Ok(state),
            Some(why) => Err(why.error()),
        }
    }

    /// Has the log take nothing any more until it is reopened: what is on the disk is not known.
    fn fail(&self, state: &mut State, doing: &str, why: std::io::Error) -> StorageError {
        tracing::error!(
            "{}-{} takes nothing more until it is reopened: {doing}: {why}",
            self.topic,
            self.partition
        );
        state.out_of_use = Some(OutOfUse::Failed(format!("{doing}: {why}")));
        StorageError::Io { doing: doing.to_owned(), why }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (start, end) = (self.log_start_offset(), self.log_end_offset());
        write!(f, "Log({}-{}, {start}..{end})", self.topic, self.partition)
    }
}

impl Log {
    pub(crate) fn shared_topic(&self) -> Arc<str> {
        Arc::clone(&self.topic)
    }

    /// Holds the log still: nothing is appended or let go of as long as this is held.
    pub(crate) fn hold(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether the log start offset is not where a segment begins, and so has to be written down.
    pub(crate) fn starts_within_segment(&self) -> bool {
        self.segments().first().is_some_and(|first| first.base_offset() < self.log_start_offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_log_is_small() {
        // Besides this it has a name, and an epoch.
        assert!(size_of::<Log>() < 1024, "{}", size_of::<Log>());
    }
}
