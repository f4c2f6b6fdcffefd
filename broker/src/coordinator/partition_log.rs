//! A journal's log, kept in a partition of an internal topic.
//!
//! Knows partitions and storage, and nothing of what the records mean.

use std::sync::Arc;

use klamm_storage::ReadUpTo;
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};

use super::journal::{JournalError, JournalLog, JournalRecord};
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
        self.0.append_as_coordinator(&batch, now_ms).map(drop).map_err(|error| failed(&error))
    }

    fn read(&self, take: &mut dyn FnMut(JournalRecord)) -> Result<(), JournalError> {
        let log = self.0.log();
        let mut offset = log.log_start_offset();
        while offset < log.log_end_offset() {
            let read =
                log.read(offset, READ_BYTES, true, ReadUpTo::LogEnd).map_err(|error| failed(&error))?;
            let before = offset;
            for batch in batch::batches(&read.records) {
                for record in batch::records(&batch).map_err(|error| failed(&error))? {
                    // The batch that holds an offset may begin before it.
                    if record.offset < offset {
                        continue;
                    }
                    offset = record.offset + 1;
                    if let Some(key) = record.key {
                        take(JournalRecord { key, value: record.value });
                    }
                }
            }
            if offset == before {
                return Err(JournalError::Log(format!("nothing can be read at offset {offset}")));
            }
        }
        Ok(())
    }

    fn end_offset(&self) -> i64 {
        self.0.log().log_end_offset()
    }

    fn size_bytes(&self) -> u64 {
        self.0.log().size_bytes()
    }

    fn start_at(&self, offset: i64, _now_ms: i64) -> Result<(), JournalError> {
        self.0.log().delete_records(offset).map(drop).map_err(|error| failed(&error))
    }
}
