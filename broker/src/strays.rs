//! Folders of partitions that belong to no topic, and what becomes of them when the broker starts.
//!
//! A broker that dies between remembering that a topic is deleted and deleting its logs leaves some of them behind.
//! They are deleted. Of other folders it is not known whether somebody misses them (a metadata journal that was
//! damaged forgets topics): they are kept under another name, as Kafka keeps stray partitions.

use std::collections::HashMap;

use klamm_storage::{FoundLog, LogManager};

use crate::metadata::{METADATA_TOPIC, MetadataRecord, Remembered};
use crate::server::StartError;

/// Takes folders that belong to no topic out of the way, so that topics of their names can be created. To be called
/// before topics are opened.
///
/// # Errors
/// If the data folder cannot be read. A folder that cannot be moved is only warned of.
pub(crate) fn take_away(logs: &LogManager, remembered: &Remembered) -> Result<(), StartError> {
    let topics: HashMap<&str, i32> = remembered
        .records
        .iter()
        .filter_map(|record| match record {
            MetadataRecord::Topic { name, partitions, .. } => Some((name.as_str(), *partitions)),
            _ => None,
        })
        .collect();
    for log in logs.found()? {
        let deleted = log.topic_id.is_some_and(|id| remembered.deleted.contains(&id));
        let is_known = topics.get(log.topic.as_str()).is_some_and(|partitions| log.partition < *partitions);
        if log.topic != METADATA_TOPIC && (deleted || !is_known) {
            take_one_away(logs, &log, deleted);
        }
    }
    Ok(())
}

fn take_one_away(logs: &LogManager, log: &FoundLog, deleted: bool) {
    let FoundLog { topic, partition, .. } = log;
    match logs.take_away(log, !deleted) {
        Ok(()) if deleted => tracing::warn!("{topic}-{partition} is deleted: it was left of a deleted topic"),
        Ok(()) => tracing::warn!(
            "{topic}-{partition} belongs to no topic: its folder is kept under a name that ends with -stray, \
             which may be deleted if nobody misses it"
        ),
        Err(error) => tracing::warn!("{topic}-{partition} belongs to no topic and stays: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use bytes::Bytes;
    use klamm_storage::batch::{self, BuildOptions, RecordToWrite};
    use klamm_storage::{AppendContext, Home, ManagerSettings, Origin};
    use uuid::Uuid;

    use super::*;
    use crate::metadata::MetadataJournal;

    fn open(folder: &Path) -> (LogManager, MetadataJournal, Remembered) {
        let logs = LogManager::open(&Home::Folder(folder.to_owned()), ManagerSettings::default()).unwrap();
        let (journal, remembered) = MetadataJournal::open(&logs, 0).unwrap();
        (logs, journal, remembered)
    }

    /// A partition with a record, and so with a folder.
    fn write(logs: &LogManager, topic: &str, partition: i32, id: u128) {
        let log = logs.open_log(topic, partition, Uuid::from_u128(id), Arc::default(), 0).unwrap();
        let record = RecordToWrite { value: Some(Bytes::from_static(b"v")), ..RecordToWrite::default() };
        let batch = batch::build(vec![record], &BuildOptions::default());
        log.append(
            &batch,
            &AppendContext { now_ms: 0, leader_epoch: 0, origin: Origin::Client, fault: None },
        )
        .unwrap();
    }

    #[test]
    fn what_is_left_of_deleted_topics_goes_and_what_nobody_knows_is_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        let topic = |name: &str, id| {
            let (name, id) = (name.to_owned(), Uuid::from_u128(id));
            MetadataRecord::Topic { name, id, partitions: 1, placements: Vec::new() }
        };
        {
            let (logs, journal, _) = open(folder.path());
            let gone = MetadataRecord::RemoveTopic { name: "again".to_owned() };
            journal.append(vec![topic("live", 1), topic("again", 2), gone, topic("again", 3)], 0).unwrap();
            write(&logs, "live", 0, 1);
            write(&logs, "again", 0, 3);
            write(&logs, "again", 4, 2);
            write(&logs, "unknown", 0, 5);
        }
        let (logs, _journal, remembered) = open(folder.path());
        take_away(&logs, &remembered).unwrap();
        let found: Vec<_> = logs.found().unwrap().into_iter().map(|log| (log.topic, log.partition)).collect();
        assert_eq!(found, [(METADATA_TOPIC.to_owned(), 0), ("again".to_owned(), 0), ("live".to_owned(), 0)]);
        let names = std::fs::read_dir(folder.path()).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let stray = format!("unknown-0.{}-stray", Uuid::from_u128(5).simple());
        assert!(names.contains(&stray), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("again-4")), "{names:?}");
        // Their names are free.
        write(&logs, "unknown", 0, 6);
        write(&logs, "again", 4, 7);
    }
}
