//! What the tests share: a home that goes away with the test, and batches to put into it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use klamm_storage::batch::{self, Batch, BuildOptions, RecordToWrite};
use klamm_storage::{
    AppendContext, AppendError, Appended, Faults, Home, Log, LogManager, LogOptions, ManagerSettings, Origin,
    ReadUpTo,
};
use uuid::Uuid;

pub(crate) const TOPIC_ID: Uuid = Uuid::from_u128(0xcafe);

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

pub(crate) fn client() -> AppendContext {
    AppendContext { now_ms: NOW_MS, leader_epoch: 0, origin: Origin::Client, fault: None }
}

pub(crate) struct House {
    folder: Option<tempfile::TempDir>,
    pub(crate) settings: ManagerSettings,
    pub(crate) manager: LogManager,
}

impl House {
    pub(crate) fn in_memory() -> Self {
        let settings = ManagerSettings::default();
        House { folder: None, manager: LogManager::open(&Home::Memory, settings.clone()).unwrap(), settings }
    }

    pub(crate) fn on_disk() -> Self {
        Self::on_disk_with(ManagerSettings::default())
    }

    pub(crate) fn on_disk_with(settings: ManagerSettings) -> Self {
        Self::on_disk_in(tempfile::tempdir().unwrap(), settings)
    }

    /// In a folder that somebody else has filled before.
    pub(crate) fn on_disk_prepared(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        Self::on_disk_in(folder, ManagerSettings::default())
    }

    fn on_disk_in(folder: tempfile::TempDir, settings: ManagerSettings) -> Self {
        let manager = LogManager::open(&Home::Folder(folder.path().to_owned()), settings.clone()).unwrap();
        House { folder: Some(folder), settings, manager }
    }

    pub(crate) fn both() -> [Self; 2] {
        [Self::in_memory(), Self::on_disk()]
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) fn log_folder(&self) -> PathBuf {
        self.path().join("t-0")
    }

    pub(crate) fn faults(&self) -> &Arc<Faults> {
        &self.settings.faults
    }

    pub(crate) fn open(&self, options: LogOptions) -> Arc<Log> {
        self.manager.open_log("t", 0, TOPIC_ID, Arc::new(options), NOW_MS).unwrap()
    }

    /// Ends cleanly and opens again.
    pub(crate) fn restart(self) -> Self {
        self.manager.close().unwrap();
        self.reopen()
    }

    /// Opens again as after the death of the process: without any goodbye.
    pub(crate) fn crash(self) -> Self {
        self.reopen()
    }

    fn reopen(self) -> Self {
        drop(self.manager);
        let settings = ManagerSettings { faults: Arc::default(), ..self.settings };
        let home = Home::Folder(self.folder.as_ref().unwrap().path().to_owned());
        let manager = LogManager::open(&home, settings.clone()).unwrap();
        House { folder: self.folder, settings, manager }
    }
}

pub(crate) fn small() -> LogOptions {
    LogOptions { segment_bytes: 1000, index_interval_bytes: 100, ..LogOptions::default() }
}

pub(crate) fn record(value: impl Into<Bytes>, timestamp: i64) -> RecordToWrite {
    RecordToWrite { key: Some("k".into()), value: Some(value.into()), headers: Vec::new(), timestamp }
}

pub(crate) fn batch_of(values: &[&str]) -> Bytes {
    batch::build(values.iter().map(|value| record(value.to_string(), NOW_MS)), &BuildOptions::default())
}

pub(crate) fn batch_at(timestamps: &[i64]) -> Bytes {
    let records = timestamps.iter().map(|timestamp| record(timestamp.to_string(), *timestamp));
    batch::build(records, &BuildOptions::default())
}

pub(crate) fn append(log: &Log, values: &[&str]) -> Appended {
    log.append(&batch_of(values), &client()).unwrap()
}

/// Appends a batch of one record for each number.
pub(crate) fn append_numbers(log: &Log, numbers: std::ops::Range<i64>) {
    for number in numbers {
        append(log, &[&number.to_string()]);
    }
}

pub(crate) fn try_append(log: &Log, batch: &Bytes) -> Result<Appended, AppendError> {
    log.append(batch, &client())
}

/// All whole batches from `offset` on.
pub(crate) fn batches_from(log: &Log, offset: i64) -> Vec<Batch> {
    let (mut next, mut all) = (offset, Vec::new());
    while next < log.log_end_offset() {
        let read = log.read(next, 1 << 20, true, ReadUpTo::LogEnd).unwrap();
        let batches: Vec<_> = batch::batches(&read.records).collect();
        let last = batches.last().unwrap_or_else(|| panic!("nothing at {next}"));
        next = last.header.last_offset() + 1;
        all.extend(batches);
    }
    all
}

/// Offset and value of all records from the log start offset on.
pub(crate) fn contents(log: &Log) -> Vec<(i64, String)> {
    let start = log.log_start_offset();
    let records =
        batches_from(log, start).iter().flat_map(|batch| batch::records(batch).unwrap()).collect::<Vec<_>>();
    let text = |value: Option<Bytes>| String::from_utf8(value.unwrap().to_vec()).unwrap();
    records.into_iter().filter(|r| r.offset >= start).map(|r| (r.offset, text(r.value))).collect()
}

/// The files in a folder whose names end so; there are none where there is no folder.
pub(crate) fn files(folder: &Path, end: &str) -> Vec<String> {
    if !folder.exists() {
        return Vec::new();
    }
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(end)).collect();
    names.sort();
    names
}
