//! A journal's log, kept in a partition of an internal topic.
//!
//! Knows partitions and storage, and nothing of what the records mean.

use std::sync::Arc;

use klamm_storage::ReadUpTo;
use klamm_storage::batch::{self, Batch, BuildOptions, RecordToWrite};

use super::journal::{JournalError, JournalLog, JournalRecord};
use crate::faults::disk;
use crate::partition::Partition;
use crate::topics::Topic;

/// How much of a log is read at once when its journal is opened.
const READ_BYTES: usize = 1024 * 1024;

/// The log of one partition, which fetching clients can read as well.
struct PartitionLog(Arc<Partition>);

/// The logs of all partitions of an internal topic, in their order.
pub(crate) fn of(topic: &Topic) -> Vec<Box<dyn JournalLog>> {
    let log = |partition| -> Box<dyn JournalLog> { Box::new(PartitionLog(partition)) };
    topic.partitions().into_iter().map(log).collect()
}

fn failed(error: &dyn std::fmt::Display) -> JournalError {
    JournalError::Log(error.to_string())
}

impl JournalLog for PartitionLog {
    fn append(&self, records: &[JournalRecord], now_ms: i64) -> Result<(), JournalError> {
        let records = records.iter().map(|record| RecordToWrite {
            key: Some(record.key.clone()),
            value: record.value.clone(),
            headers: Vec::new(),
            timestamp: now_ms,
        });
        let batch = batch::build(records, &BuildOptions::default());
        if batch.len() > self.0.log().options().max_message_bytes as usize {
            return Err(JournalError::TooLarge);
        }
        self.0.append_as_coordinator(&batch, now_ms, disk::ready()).map(drop).map_err(|error| failed(&error))
    }

    fn read(&self, take: &mut dyn FnMut(JournalRecord)) -> Result<(), JournalError> {
        let log = self.0.log();
        let mut offset = log.log_start_offset();
        while offset < log.log_end_offset() {
            let read =
                log.read(offset, READ_BYTES, true, ReadUpTo::LogEnd).map_err(|error| failed(&error))?;
            let before = offset;
            for batch in batch::batches(&read.records) {
                if !batch.header.is_control() {
                    read_batch(&batch, offset, take)?;
                }
                // Not the last record's offset: where a log was compacted a batch ends with a gap.
                offset = offset.max(batch.header.last_offset().saturating_add(1));
            }
            if offset == before {
                return Err(JournalError::Log(format!("nothing can be read at offset {offset}")));
            }
        }
        Ok(())
    }

    fn mark(&self, now_ms: i64) -> Result<i64, JournalError> {
        // Records are let go of by whole segments.
        self.0.log().roll_now(now_ms).map_err(|error| failed(&error))?;
        Ok(self.0.log().log_end_offset())
    }

    fn size_bytes(&self) -> u64 {
        self.0.log().size_bytes()
    }

    fn start_at(&self, offset: i64, _now_ms: i64) -> Result<(), JournalError> {
        self.0.log().delete_records(offset).map(drop).map_err(|error| failed(&error))
    }
}

/// The records of a batch, from `offset` on: the batch that holds an offset may begin before it.
fn read_batch(batch: &Batch, offset: i64, take: &mut dyn FnMut(JournalRecord)) -> Result<(), JournalError> {
    for record in batch::records(batch).map_err(|error| failed(&error))? {
        if let Some(key) = record.key.filter(|_| record.offset >= offset) {
            take(JournalRecord { key, value: record.value });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use klamm_storage::{Home, LogManager, LogOptions, ManagerSettings};
    use uuid::Uuid;

    use super::*;
    use crate::coordinator::journal::Journal;

    fn record(key: &str, value: Option<usize>) -> JournalRecord {
        let value = value.map(|length| Bytes::from(vec![b'v'; length]));
        JournalRecord { key: Bytes::copy_from_slice(key.as_bytes()), value }
    }

    fn open(manager: &LogManager) -> PartitionLog {
        let options = Arc::new(LogOptions { compact: true, delete: false, ..LogOptions::default() });
        let log = manager.open_log("__consumer_offsets", 0, Uuid::from_u128(1), options, 0).unwrap();
        PartitionLog(Arc::new(Partition::new(0, log, Arc::new(crate::cluster::Placement::on_one(1)))))
    }

    fn read(log: &PartitionLog) -> Vec<JournalRecord> {
        let mut seen = Vec::new();
        log.read(&mut |record| seen.push(record)).unwrap();
        seen
    }

    #[test]
    fn records_come_back_after_a_restart_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::Folder(folder.path().to_owned());
        let written = [record("a", Some(3)), record("b", Some(0)), record("a", None)];
        {
            let manager = LogManager::open(&home, ManagerSettings::default()).unwrap();
            let log = open(&manager);
            log.append(&written[..1], 5).unwrap();
            log.append(&written[1..], 6).unwrap();
            assert_eq!(read(&log), written);
        }
        let manager = LogManager::open(&home, ManagerSettings::default()).unwrap();
        assert_eq!(read(&open(&manager)), written);
    }

    #[test]
    fn a_batch_larger_than_the_topic_takes_is_too_large() {
        let manager = LogManager::open(&Home::Memory, ManagerSettings::default()).unwrap();
        let log = open(&manager);
        assert!(matches!(log.append(&[record("a", Some(1_100_000))], 0), Err(JournalError::TooLarge)));
        assert_eq!(read(&log), []);
    }

    #[test]
    fn a_rewrite_gives_memory_and_disk_back() {
        let manager = LogManager::open(&Home::Memory, ManagerSettings::default()).unwrap();
        let log = open(&manager);
        let partition = Arc::clone(&log.0);
        let journal = Journal::new(log);
        let mut rewrites = 0;
        for round in 0..1_000 {
            journal.append(&[record("key", Some(100_000 + round))], 0).unwrap();
            if journal.is_long() {
                let rewrite = journal.rewrite(100_000, 0).unwrap().unwrap();
                journal.append(&[record("key", Some(100_000 + round))], 0).unwrap();
                rewrite.finish(0).unwrap();
                rewrites += 1;
            }
        }
        assert!(rewrites > 10, "rewritten {rewrites} times only");
        let mut last = None;
        journal.replay(|record| last = Some(record)).unwrap();
        assert_eq!(last, Some(record("key", Some(100_999))));
        assert!(partition.log().size_bytes() < 10_000_000, "{} bytes are left", partition.log().size_bytes());
    }
}
