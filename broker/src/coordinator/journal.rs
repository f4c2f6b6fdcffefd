//! A journal: the records of one internal partition, which are the truth about what a coordinator remembers.
//!
//! Appends key-value records, reads them back in order when it is opened, and bounds its own growth: once the log is
//! much longer than what is still true, the owner writes that anew and the log starts behind what was there before.
//! Knows nothing of what the records mean, of requests or of locks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;

/// A journal below this many bytes is left alone.
const COMPACT_MIN_BYTES: u64 = 4 * 1024 * 1024;

/// A journal is written anew once its log is as many times longer than what is still true.
const COMPACT_RATIO: u64 = 4;

/// Rewriting takes place in batches of about so many bytes.
pub(crate) const SNAPSHOT_BATCH_BYTES: usize = 256 * 1024;

/// What a record adds to the bytes of its key and value, roughly: lengths, deltas, attributes.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = 12;

/// A key and what is true of it; without a value, nothing is any longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalRecord {
    pub(crate) key: Bytes,
    pub(crate) value: Option<Bytes>,
}

impl JournalRecord {
    /// About as many bytes as the record takes in the log.
    pub(crate) fn size(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len) + RECORD_OVERHEAD_BYTES
    }
}

/// Why a journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// The records do not fit into one batch, in which they would be all there or not at all.
    #[error("the records are larger than a batch may be")]
    TooLarge,
    /// The log failed.
    #[error("the journal's log failed: {0}")]
    Log(String),
}

/// The partition that a journal lies in.
pub(crate) trait JournalLog: Send + Sync {
    /// Appends the records as one batch: all of them or none.
    fn append(&self, records: &[JournalRecord], now_ms: i64) -> Result<(), JournalError>;
    /// Reads all records from the start of the log on, in order.
    fn read(&self, take: &mut dyn FnMut(JournalRecord)) -> Result<(), JournalError>;
    /// The offset of the next record. It can become the start of the log, without anything before it being kept.
    fn mark(&self, now_ms: i64) -> Result<i64, JournalError>;
    /// The bytes between the start and the end of the log.
    fn size_bytes(&self) -> u64;
    /// Gives up what lies below `offset`.
    fn start_at(&self, offset: i64, now_ms: i64) -> Result<(), JournalError>;
}

/// A journal over a log.
pub(crate) struct Journal<L> {
    log: L,
    /// At which length of the log the owner is asked again what is still true.
    check_at: AtomicU64,
    /// Whether somebody is writing it anew.
    rewriting: AtomicBool,
}

impl<L: JournalLog> Journal<L> {
    pub(crate) fn new(log: L) -> Self {
        Journal { log, check_at: AtomicU64::new(COMPACT_MIN_BYTES), rewriting: AtomicBool::new(false) }
    }

    /// Appends the records, all of them or none. Once this returns they survive whatever an acknowledged produce does.
    pub(crate) fn append(&self, records: &[JournalRecord], now_ms: i64) -> Result<(), JournalError> {
        self.log.append(records, now_ms)
    }

    /// Reads everything back, in order.
    pub(crate) fn replay(&self, mut take: impl FnMut(JournalRecord)) -> Result<(), JournalError> {
        self.log.read(&mut take)
    }

    /// Whether the journal has grown so much that the owner should compare it with what is still true.
    pub(crate) fn is_long(&self) -> bool {
        self.log.size_bytes() >= self.check_at.load(Ordering::Relaxed)
    }

    /// Begins to write anew, if `live_bytes` are little enough against the log. The owner then appends, key by key,
    /// what is still true (new records may come in between), and ends with [`Rewrite::finish`]. One at a time.
    pub(crate) fn rewrite(
        &self,
        live_bytes: u64,
        now_ms: i64,
    ) -> Result<Option<Rewrite<'_, L>>, JournalError> {
        let size = self.log.size_bytes();
        if size < COMPACT_MIN_BYTES || size < live_bytes.saturating_mul(COMPACT_RATIO) {
            // Not worth it yet: ask again when it could be.
            let next =
                size.max(live_bytes.saturating_mul(COMPACT_RATIO)).saturating_add(COMPACT_MIN_BYTES / 2);
            self.check_at.store(next, Ordering::Relaxed);
            return Ok(None);
        }
        if self.rewriting.swap(true, Ordering::AcqRel) {
            return Ok(None);
        }
        // From here on its drop says that nobody is at it.
        let mut rewrite = Rewrite { journal: self, from: 0 };
        rewrite.from = self.log.mark(now_ms)?;
        Ok(Some(rewrite))
    }
}

/// A rewrite under way. Dropped before it is finished, it leaves the old records in place: nothing is lost.
pub(crate) struct Rewrite<'a, L: JournalLog> {
    journal: &'a Journal<L>,
    from: i64,
}

impl<L: JournalLog> Rewrite<'_, L> {
    /// All that is still true stands behind the point where the rewrite began: what lies before it goes.
    pub(crate) fn finish(self, now_ms: i64) -> Result<(), JournalError> {
        self.journal.log.start_at(self.from, now_ms)?;
        self.journal.check_at.store(COMPACT_MIN_BYTES, Ordering::Relaxed);
        Ok(())
    }
}

impl<L: JournalLog> Drop for Rewrite<'_, L> {
    fn drop(&mut self) {
        // A rewrite that failed is not tried again with every append.
        let next = self.journal.log.size_bytes().saturating_add(COMPACT_MIN_BYTES / 2);
        self.journal.check_at.fetch_max(next, Ordering::Relaxed);
        self.journal.rewriting.store(false, Ordering::Release);
    }
}

#[cfg(test)]
pub(crate) mod memory {
    //! A log for tests: it can be made to fail, and to forget what a crash would lose.

    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::{JournalError, JournalLog, JournalRecord};

    #[derive(Default)]
    struct Inner {
        records: Vec<(i64, JournalRecord)>,
        end: i64,
        bytes: u64,
        failing: bool,
    }

    /// A log in memory. Clones share it, as a reopened log shares its files.
    #[derive(Clone, Default)]
    pub(crate) struct MemoryLog(Arc<Mutex<Inner>>);

    /// Batches may be as long.
    pub(crate) const MAX_BATCH_BYTES: usize = 1024 * 1024;

    impl MemoryLog {
        pub(crate) fn fail(&self, failing: bool) {
            self.0.lock().failing = failing;
        }

        pub(crate) fn len(&self) -> usize {
            self.0.lock().records.len()
        }
    }

    impl JournalLog for MemoryLog {
        fn append(&self, records: &[JournalRecord], _now_ms: i64) -> Result<(), JournalError> {
            let mut inner = self.0.lock();
            if inner.failing {
                return Err(JournalError::Log("told to fail".to_owned()));
            }
            if records.iter().map(JournalRecord::size).sum::<usize>() > MAX_BATCH_BYTES {
                return Err(JournalError::TooLarge);
            }
            for record in records {
                let end = inner.end;
                inner.records.push((end, record.clone()));
                inner.end += 1;
                inner.bytes += record.size() as u64;
            }
            Ok(())
        }

        fn read(&self, take: &mut dyn FnMut(JournalRecord)) -> Result<(), JournalError> {
            let records: Vec<_> = self.0.lock().records.iter().map(|(_, record)| record.clone()).collect();
            records.into_iter().for_each(take);
            Ok(())
        }

        fn mark(&self, _now_ms: i64) -> Result<i64, JournalError> {
            Ok(self.0.lock().end)
        }

        fn size_bytes(&self) -> u64 {
            self.0.lock().bytes
        }

        fn start_at(&self, offset: i64, _now_ms: i64) -> Result<(), JournalError> {
            let mut inner = self.0.lock();
            if inner.failing {
                return Err(JournalError::Log("told to fail".to_owned()));
            }
            inner.records.retain(|(at, _)| *at >= offset);
            inner.bytes = inner.records.iter().map(|(_, record)| record.size() as u64).sum();
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::memory::MemoryLog;
    use super::*;

    fn record(key: &str, value: usize) -> JournalRecord {
        JournalRecord {
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: Some(Bytes::from(vec![7; value])),
        }
    }

    #[test]
    fn a_short_journal_and_one_that_is_all_true_are_left_alone() {
        let journal = Journal::new(MemoryLog::default());
        journal.append(&[record("a", 1000)], 0).unwrap();
        assert!(!journal.is_long());
        for _ in 0..5 {
            journal.append(&[record("a", 1_000_000)], 0).unwrap();
        }
        assert!(journal.is_long());
        assert!(journal.rewrite(5_000_000, 0).unwrap().is_none());
        assert!(!journal.is_long(), "asked again at once");
    }

    #[test]
    fn a_rewrite_drops_what_lay_before_it_and_nothing_else() {
        let log = MemoryLog::default();
        let journal = Journal::new(log.clone());
        for _ in 0..5 {
            journal.append(&[record("a", 1_000_000)], 0).unwrap();
        }
        let rewrite = journal.rewrite(1000, 0).unwrap().unwrap();
        assert!(journal.rewrite(1000, 0).unwrap().is_none(), "two at a time");
        journal.append(&[record("a", 1)], 0).unwrap();
        journal.append(&[record("b", 2)], 0).unwrap();
        rewrite.finish(0).unwrap();
        let mut seen = Vec::new();
        journal.replay(|record| seen.push(record)).unwrap();
        assert_eq!(seen, [record("a", 1), record("b", 2)]);
    }

    #[test]
    fn a_rewrite_that_fails_loses_nothing_and_is_not_repeated_at_once() {
        let log = MemoryLog::default();
        let journal = Journal::new(log.clone());
        for _ in 0..5 {
            journal.append(&[record("a", 1_000_000)], 0).unwrap();
        }
        let rewrite = journal.rewrite(0, 0).unwrap().unwrap();
        log.fail(true);
        assert!(journal.append(&[record("a", 1)], 0).is_err());
        drop(rewrite);
        assert_eq!(log.len(), 5);
        assert!(!journal.is_long());
    }
}
