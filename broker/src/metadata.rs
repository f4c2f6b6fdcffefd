//! What a broker remembers of itself: topics, dynamic configs and the producer ids given out, as records of a log.
//!
//! The log is an ordinary partition, `__klamm_metadata-0`, whose records have a key that names what they speak of and
//! a value in JSON. It is read from the start when the broker starts. A broker in memory remembers nothing, so it
//! keeps none.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};
use klamm_storage::{
    AppendContext, AppendError, DiskFault, Home, Log, LogManager, LogOptions, Origin, ReadUpTo, StorageError,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cluster::Placement;
use crate::faults::disk;
use crate::server::StartError;

/// The topic that holds the journal. Clients are not shown it.
pub(crate) const METADATA_TOPIC: &str = "__klamm_metadata";

/// The id of the journal's topic: the same in every data folder.
const METADATA_TOPIC_ID: Uuid = Uuid::from_u128(0x6b6c_616d_6d00_4000_8000_6d65_7461_0001);

/// The journal is written anew once it has as many records more than there is to remember.
const MOST_DEAD_RECORDS: usize = 10_000;

/// How much of the journal is read at once when the broker starts.
const READ_BYTES: usize = 1024 * 1024;

/// One thing to remember. A later record of the same key replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum MetadataRecord {
    /// A topic exists, with as many partitions. Where these are is left out as long as there is one node to be on.
    Topic {
        name: String,
        id: Uuid,
        partitions: i32,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        placements: Vec<Placement>,
    },
    /// A topic exists no more, nor do its configs.
    RemoveTopic { name: String },
    /// A dynamic config is set, or deleted where it has no value. Kafka's number of the resource's type.
    Config { resource_type: i8, resource_name: String, name: String, value: Option<String> },
    /// Producer ids below this one may have been given out.
    ProducerIds { next: i64 },
}

impl MetadataRecord {
    fn key(&self) -> String {
        match self {
            Self::Topic { name, .. } | Self::RemoveTopic { name } => format!("topic/{name}"),
            Self::Config { resource_type, resource_name, name, .. } => {
                format!("config/{resource_type}/{resource_name}/{name}")
            }
            Self::ProducerIds { .. } => "producer-ids".to_owned(),
        }
    }

    fn topic_id(&self) -> Option<Uuid> {
        if let Self::Topic { id, .. } = self { Some(*id) } else { None }
    }

    /// Whether it says that its key is forgotten.
    fn is_removal(&self) -> bool {
        matches!(self, Self::RemoveTopic { .. } | Self::Config { value: None, .. })
    }
}

/// Everything remembered, by key. What belongs to a topic goes with it.
#[derive(Default)]
struct Image(BTreeMap<String, MetadataRecord>);

impl Image {
    fn apply(&mut self, record: MetadataRecord) {
        if let MetadataRecord::RemoveTopic { name } = &record {
            let configs = format!("config/2/{name}/");
            let following = self.0.range(configs.clone()..).map(|(key, _)| key);
            let doomed: Vec<_> = following.take_while(|key| key.starts_with(&configs)).cloned().collect();
            doomed.iter().for_each(|key| drop(self.0.remove(key)));
        }
        if record.is_removal() {
            self.0.remove(&record.key());
        } else {
            self.0.insert(record.key(), record);
        }
    }
}

/// What a broker knows of itself when it starts.
#[derive(Default)]
pub(crate) struct Remembered {
    /// What there is: topics first, then their configs.
    pub(crate) records: Vec<MetadataRecord>,
    /// The ids of topics that were deleted, as far as the journal goes back.
    pub(crate) deleted: HashSet<Uuid>,
}

/// The journal of a broker with a data folder; for one in memory it remembers nothing, and only fails where a fault says so.
pub(crate) struct MetadataJournal {
    kept: Option<Mutex<Kept>>,
    /// In memory: a sync has failed on purpose, and nothing is taken any more, as by a log.
    failed: AtomicBool,
}

struct Kept {
    log: Arc<Log>,
    image: Image,
}

impl MetadataJournal {
    /// Opens the journal and gives what it remembers.
    pub(crate) fn open(logs: &LogManager, now_ms: i64) -> Result<(Self, Remembered), StartError> {
        if matches!(logs.home(), Home::Memory) {
            return Ok((MetadataJournal::of_memory(), Remembered::default()));
        }
        // Each change is on the disk before it is answered: they are rare, and what lies in a topic outlives the power.
        let options =
            LogOptions { retention_ms: -1, retention_bytes: -1, flush_messages: 1, ..LogOptions::default() };
        let options = Arc::new(options);
        let log = logs.open_log(METADATA_TOPIC, 0, METADATA_TOPIC_ID, options, now_ms)?;
        let mut image = Image::default();
        let mut deleted = HashSet::new();
        for record in read_all(&log)? {
            deleted.extend(record.topic_id());
            image.apply(record);
        }
        for id in image.0.values().filter_map(MetadataRecord::topic_id) {
            deleted.remove(&id);
        }
        let mut records: Vec<_> = image.0.values().cloned().collect();
        records.sort_by_key(|record| !matches!(record, MetadataRecord::Topic { .. }));
        let remembered = Remembered { records, deleted };
        Ok((MetadataJournal::of(Some(Mutex::new(Kept { log, image }))), remembered))
    }

    /// The journal of a broker in memory: it remembers nothing.
    pub(crate) fn of_memory() -> Self {
        MetadataJournal::of(None)
    }

    fn of(kept: Option<Mutex<Kept>>) -> Self {
        MetadataJournal { kept, failed: AtomicBool::new(false) }
    }

    /// Remembers `records`, all or none of them.
    ///
    /// # Errors
    /// If the log cannot take them: then nothing of them may be acted upon.
    pub(crate) fn append(&self, records: Vec<MetadataRecord>, now_ms: i64) -> Result<(), AppendError> {
        let fault = disk::ready();
        let Some(kept) = &self.kept else { return self.remember_nothing(fault) };
        let mut kept = kept.lock();
        append_to(&kept.log, &records, now_ms, fault)?;
        records.into_iter().for_each(|record| kept.image.apply(record));
        // They are remembered, whatever becomes of the journal's old records.
        if let Err(error) = kept.shorten(now_ms) {
            tracing::warn!("the metadata journal keeps records that it no longer needs: {error}");
        }
        Ok(())
    }
}

impl MetadataJournal {
    /// In memory: what trouble of the disk would come to, if there were one.
    fn remember_nothing(&self, fault: Option<DiskFault>) -> Result<(), AppendError> {
        if fault == Some(DiskFault::FailedSync) {
            self.failed.store(true, Ordering::SeqCst);
        }
        if self.failed.load(Ordering::SeqCst) {
            let why = "syncing the log: the sync failed on purpose".to_owned();
            return Err(StorageError::Failed(why).into());
        }
        match fault {
            Some(DiskFault::Full) => Err(AppendError::DiskFull(std::io::ErrorKind::StorageFull.into())),
            _ => Ok(()),
        }
    }

    /// Where its log ends; 0 in memory.
    pub(crate) fn end_offset(&self) -> i64 {
        self.kept.as_ref().map_or(0, |kept| kept.lock().log.log_end_offset())
    }
}

impl Kept {
    /// Writes all that is remembered behind the log's end and forgets what was before it. A crash in between leaves
    /// both, which reads the same.
    fn shorten(&self, now_ms: i64) -> Result<(), AppendError> {
        let records = usize::try_from(self.log.log_end_offset() - self.log.log_start_offset()).unwrap_or(0);
        if records < 2 * self.image.0.len() + MOST_DEAD_RECORDS {
            return Ok(());
        }
        // Records are let go of by whole segments.
        self.log.roll_now(now_ms).map_err(AppendError::Storage)?;
        let old_end = self.log.log_end_offset();
        for records in self.image.0.values().cloned().collect::<Vec<_>>().chunks(1000) {
            append_to(&self.log, records, now_ms, None)?;
        }
        self.log.delete_records(old_end).map(drop).map_err(AppendError::Storage)
    }
}

fn append_to(
    log: &Log,
    records: &[MetadataRecord],
    now_ms: i64,
    fault: Option<DiskFault>,
) -> Result<(), AppendError> {
    let records = records.iter().map(|record| RecordToWrite {
        key: Some(Bytes::from(record.key())),
        value: serde_json::to_vec(record).ok().map(Bytes::from),
        headers: Vec::new(),
        timestamp: now_ms,
    });
    let batch = batch::build(records, &BuildOptions::default());
    log.append(&batch, &AppendContext { now_ms, leader_epoch: 0, origin: Origin::Coordinator, fault })
        .map(drop)
}

fn read_all(log: &Log) -> Result<Vec<MetadataRecord>, StartError> {
    let unreadable = |why: String| StartError::Metadata { offset: log.log_start_offset(), why };
    let (mut offset, mut records) = (log.log_start_offset(), Vec::new());
    while offset < log.log_end_offset() {
        let read =
            log.read(offset, READ_BYTES, true, ReadUpTo::LogEnd).map_err(|e| unreadable(e.to_string()))?;
        let before = offset;
        for batch in batch::batches(&read.records) {
            for record in batch::records(&batch).map_err(|e| unreadable(e.to_string()))? {
                let value = record.value.unwrap_or_default();
                records.push(serde_json::from_slice(&value).map_err(|e| unreadable(e.to_string()))?);
                offset = record.offset.saturating_add(1);
            }
        }
        // A damaged batch must not be read for ever.
        if offset <= before {
            return Err(unreadable(format!("there is no whole batch at offset {before}")));
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use klamm_storage::ManagerSettings;

    use super::*;

    fn config(number: usize) -> MetadataRecord {
        let value = Some("v".repeat(200));
        MetadataRecord::Config {
            resource_type: 2,
            resource_name: "t".to_owned(),
            name: number.to_string(),
            value,
        }
    }

    fn open(folder: &std::path::Path) -> (LogManager, MetadataJournal, Remembered) {
        let manager = LogManager::open(&Home::Folder(folder.to_owned()), ManagerSettings::default()).unwrap();
        let (journal, remembered) = MetadataJournal::open(&manager, 0).unwrap();
        (manager, journal, remembered)
    }

    /// As many records as make the journal long, all but the last of them dead.
    fn make_long(journal: &MetadataJournal) {
        for next in 0..(MOST_DEAD_RECORDS / 50 + 5) as i64 {
            journal.append(vec![MetadataRecord::ProducerIds { next }; 50], 0).unwrap();
        }
    }

    #[test]
    fn what_is_written_counts_even_where_the_journal_cannot_be_shortened() {
        let folder = tempfile::tempdir().unwrap();
        let (manager, journal, _) = open(folder.path());
        let log = Arc::clone(&journal.kept.as_ref().unwrap().lock().log);
        // All that is remembered makes a batch that no segment takes.
        log.set_options(Arc::new(LogOptions { segment_bytes: 8192, ..LogOptions::clone(&log.options()) }));
        for number in 0..60 {
            journal.append(vec![config(number)], 0).unwrap();
        }
        make_long(&journal);
        journal.append(vec![config(60)], 0).unwrap();
        assert_eq!(log.log_start_offset(), 0);
        drop((log, journal, manager));
        let (_, _, remembered) = open(folder.path());
        assert_eq!(remembered.records.len(), 62);
    }

    #[test]
    fn a_journal_that_is_shortened_gives_its_disk_back_and_remembers_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (manager, journal, _) = open(folder.path());
        let log = Arc::clone(&journal.kept.as_ref().unwrap().lock().log);
        journal.append((0..60).map(config).collect(), 0).unwrap();
        make_long(&journal);
        assert!(log.log_start_offset() > MOST_DEAD_RECORDS as i64);
        assert!(log.size_bytes() < 100_000, "{} bytes are left", log.size_bytes());
        assert_eq!(log.recovery_point(), log.log_end_offset(), "what is remembered is on the disk");
        drop((log, journal, manager));
        let (_, _, remembered) = open(folder.path());
        assert_eq!(remembered.records.len(), 61);
    }

    fn topic(name: &str) -> MetadataRecord {
        MetadataRecord::Topic {
            name: name.to_owned(),
            id: Uuid::nil(),
            partitions: 1,
            placements: Vec::new(),
        }
    }

    fn config_of(topic: &str) -> MetadataRecord {
        let (resource_name, name) = (topic.to_owned(), "retention.ms".to_owned());
        MetadataRecord::Config { resource_type: 2, resource_name, name, value: Some("1".to_owned()) }
    }

    #[test]
    fn a_topic_that_goes_takes_its_own_configs_along_and_no_others() {
        let mut image = Image::default();
        for record in [topic("a"), topic("a-b"), config_of("a"), config_of("a-b"), config_of("A")] {
            image.apply(record);
        }
        image.apply(MetadataRecord::RemoveTopic { name: "a".to_owned() });
        let left: Vec<_> = image.0.into_values().collect();
        assert_eq!(left, [config_of("A"), config_of("a-b"), topic("a-b")]);
    }
}
