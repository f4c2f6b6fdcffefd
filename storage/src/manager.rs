//! All logs of a broker: the data folder they lie in, opening and deleting them, checkpoints, the clean end.
//!
//! The folder is laid out like Apache Kafka's: a folder `topic-partition` for each log, and beside them `meta.properties`,
//! `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint`, `.lock`, and after a clean end `.kafka_cleanshutdown`.

mod home;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use crate::checkpoint::{self, Offsets};
use crate::error::{OpenError, StorageError};
use crate::fs;
use crate::image::LogImage;
use crate::log::{History, Log};
use crate::options::{Home, LogOptions, ManagerSettings};
use crate::shared::Shared;

pub use home::FoundLog;

/// What a log held when its manager was frozen.
#[derive(Debug, Clone)]
pub struct FrozenLog {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
    /// What it held.
    pub image: Arc<LogImage>,
}

/// The logs of a broker.
pub struct LogManager {
    home: Home,
    shared: Arc<Shared>,
    /// Kept open: closing it gives the folder free.
    lock: Mutex<Option<File>>,
    /// Whether the folder was left cleanly.
    clean: bool,
    /// Offsets from before, of logs that were not opened yet.
    remembered: Mutex<Remembered>,
    /// The log start offsets as the file has them. Whoever changes the file holds this; taken before all other locks.
    starts_on_disk: Mutex<Offsets>,
    logs: Mutex<Logs>,
}

#[derive(Default)]
struct Remembered {
    recovery_points: Offsets,
    log_starts: Offsets,
}

#[derive(Default)]
struct Logs {
    open: HashMap<(Arc<str>, i32), Arc<Log>>,
    opening: HashSet<(Arc<str>, i32)>,
    closed: bool,
}

impl LogManager {
    /// Opens the home of logs. A folder is created if it is not there, and locked until this is dropped or closed.
    ///
    /// # Errors
    /// If the folder is in use, cannot be written, or holds something else.
    pub fn open(home: &Home, settings: ManagerSettings) -> Result<LogManager, OpenError> {
        let shared = Arc::new(Shared::new(settings));
        let mut manager = LogManager {
            home: home.clone(),
            shared,
            lock: Mutex::new(None),
            clean: false,
            remembered: Mutex::default(),
            starts_on_disk: Mutex::default(),
            logs: Mutex::default(),
        };
        if let Home::Folder(folder) = home {
            *manager.lock.get_mut() = Some(home::enter(folder)?);
            let remembered = manager.remembered.get_mut();
            remembered.recovery_points = home::read_offsets(folder, checkpoint::RECOVERY_POINTS)?;
            remembered.log_starts = home::read_offsets(folder, checkpoint::LOG_STARTS)?;
            *manager.starts_on_disk.get_mut() = remembered.log_starts.clone();
            manager.clean = home::take_clean_marker(folder)?;
        }
        Ok(manager)
    }

    /// Where the logs are.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The cluster's id: as the data folder remembers it, or else as `new` makes it. In memory nothing is remembered.
    ///
    /// # Errors
    /// If it cannot be written down.
    pub fn cluster_id(&self, new: impl FnOnce() -> String) -> Result<String, OpenError> {
        match &self.home {
            Home::Memory => Ok(new()),
            Home::Folder(folder) => home::cluster_id(folder, &self.shared.disk, new),
        }
    }

    /// The logs that the data folder holds, opened or not, in order of topic and partition.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn found(&self) -> Result<Vec<FoundLog>, OpenError> {
        match &self.home {
            Home::Memory => Ok(Vec::new()),
            Home::Folder(folder) => home::find_logs(folder),
        }
    }

    /// Opens a log, and recovers it if its end was not clean. One that is not there is created.
    ///
    /// # Errors
    /// If it is open already, belongs to another topic, or cannot be read or created.
    pub fn open_log(
        &self,
        topic: &str,
        partition: i32,
        topic_id: Uuid,
        options: Arc<LogOptions>,
        now_ms: i64,
    ) -> Result<Arc<Log>, OpenError> {
        let key = (Arc::from(topic), partition);
        {
            let mut logs = self.logs.lock();
            if logs.closed {
                return Err(OpenError::Closed);
            }
            if logs.open.contains_key(&key) || !logs.opening.insert(key.clone()) {
                return Err(OpenError::AlreadyOpen { topic: topic.to_owned(), partition });
            }
        }
        let opened = self.open_at_home(topic, partition, topic_id, options, now_ms);
        // Not under the lock: several logs can be recovered at once.
        let mut logs = self.logs.lock();
        logs.opening.remove(&key);
        let log = opened?;
        logs.open.insert(key, Arc::clone(&log));
        Ok(log)
    }

    fn open_at_home(
        &self,
        topic: &str,
        partition: i32,
        topic_id: Uuid,
        options: Arc<LogOptions>,
        now_ms: i64,
    ) -> Result<Arc<Log>, OpenError> {
        let shared = Arc::clone(&self.shared);
        match &self.home {
            Home::Memory => Ok(Log::in_memory(shared, topic, partition, topic_id, options, now_ms)),
            Home::Folder(folder) => {
                let folder = folder.join(format!("{topic}-{partition}"));
                let history = self.history(topic, partition);
                Log::in_folder(shared, &folder, (topic, partition, topic_id), options, history, now_ms)
            }
        }
    }

    /// Opens a log that holds what `image` does, and shares its memory. Nothing is copied before it is appended to.
    ///
    /// # Errors
    /// If it is open already, or the manager has a folder: what lies there is opened from there.
    pub fn open_image(
        &self,
        topic: &str,
        partition: i32,
        topic_id: Uuid,
        options: Arc<LogOptions>,
        image: &Arc<LogImage>,
        now_ms: i64,
    ) -> Result<Arc<Log>, OpenError> {
        if let Home::Folder(folder) = &self.home {
            return Err(OpenError::file(
                folder,
                "a snapshot's log is opened in memory, and this is a folder",
            ));
        }
        let mut logs = self.logs.lock();
        if logs.closed {
            return Err(OpenError::Closed);
        }
        let key = (Arc::from(topic), partition);
        if logs.open.contains_key(&key) || logs.opening.contains(&key) {
            return Err(OpenError::AlreadyOpen { topic: topic.to_owned(), partition });
        }
        let log = Log::thaw(Arc::clone(&self.shared), (topic, partition, topic_id), options, image, now_ms);
        logs.open.insert(key, Arc::clone(&log));
        Ok(log)
    }

    /// Takes a snapshot of all logs at one moment: no append lies between that of one log and that of another. Gives what
    /// those logs hold that have changed since this was last called, and costs as much as they are.
    ///
    /// # Errors
    /// If a file cannot be mapped. Then the logs still count as changed.
    pub fn freeze(&self) -> Result<Vec<FrozenLog>, StorageError> {
        // Whoever changes a log that is not in the list waits for it: nothing else has to be held still.
        let mut changed = self.shared.changed.lock();
        let logs: Vec<_> = {
            let open = &self.logs.lock().open;
            changed.iter().filter_map(|key| open.get(key).cloned()).collect()
        };
        let mut states: Vec<_> = logs.iter().map(|log| log.hold()).collect();
        let mut frozen = Vec::with_capacity(logs.len());
        for (log, state) in logs.iter().zip(&states) {
            let image = log.freeze(state).map_err(StorageError::io("mapping a segment for a snapshot"))?;
            frozen.push(FrozenLog {
                topic: log.shared_topic(),
                partition: log.partition(),
                image: Arc::new(image),
            });
        }
        states.iter_mut().for_each(|state| state.unchanged());
        changed.clear();
        Ok(frozen)
    }

    fn history(&self, topic: &str, partition: i32) -> History {
        let mut remembered = self.remembered.lock();
        let key = (topic.to_owned(), partition);
        History {
            clean: self.clean,
            recovery_point: remembered.recovery_points.remove(&key),
            log_start: remembered.log_starts.remove(&key),
        }
    }

    /// Deletes a log. Once this returns, nothing of it is left, and one of the same name can be opened, which is another.
    ///
    /// # Errors
    /// If its files cannot be moved out of the way or deleted. It is gone for readers and writers all the same.
    pub fn delete_log(&self, log: &Arc<Log>) -> Result<(), StorageError> {
        // Held until the log is gone, so that no checkpoint writes its start down again.
        let mut on_disk = self.starts_on_disk.lock();
        let forgotten = self.forget_start(&mut on_disk, log);
        let deleted = log.delete();
        drop(on_disk);
        let mut logs = self.logs.lock();
        let key = (Arc::from(log.topic()), log.partition());
        if logs.open.get(&key).is_some_and(|open| Arc::ptr_eq(open, log)) {
            logs.open.remove(&key);
        }
        forgotten.and(deleted)
    }

    /// Takes a log's start out of the file: it says nothing of another log of the same name.
    fn forget_start(&self, on_disk: &mut Offsets, log: &Log) -> Result<(), StorageError> {
        let Home::Folder(folder) = &self.home else { return Ok(()) };
        let key = (log.topic().to_owned(), log.partition());
        if !on_disk.contains_key(&key) {
            return Ok(());
        }
        let mut kept = on_disk.clone();
        kept.remove(&key);
        self.write_offsets(folder, checkpoint::LOG_STARTS, &kept)?;
        *on_disk = kept;
        Ok(())
    }

    /// Takes a log that was found and is not open out of the way: deletes it, or with `keep` leaves its files in a folder
    /// whose name ends with `-stray`. Then one of the same name can be opened, which is another.
    ///
    /// # Errors
    /// If it is open, or cannot be moved or deleted.
    pub fn take_away(&self, found: &FoundLog, keep: bool) -> Result<(), StorageError> {
        let Home::Folder(folder) = &self.home else { return Ok(()) };
        let failed = StorageError::io(format!("taking {}-{} away", found.topic, found.partition));
        // Held all the while: nobody opens it meanwhile.
        let logs = self.logs.lock();
        let key = (Arc::from(found.topic.as_str()), found.partition);
        if logs.open.contains_key(&key) || logs.opening.contains(&key) {
            return Err(failed(std::io::Error::other("it is open")));
        }
        home::take_away(folder, found, keep).map_err(failed)?;
        self.history(&found.topic, found.partition);
        Ok(())
    }

    /// Writes down from where logs have to be recovered after a crash, and where they start.
    ///
    /// # Errors
    /// If the files cannot be written. The old ones stay, with which recovery takes longer.
    pub fn checkpoint(&self) -> Result<(), StorageError> {
        let Home::Folder(folder) = &self.home else { return Ok(()) };
        let mut on_disk = self.starts_on_disk.lock();
        let logs: Vec<_> = self.logs.lock().open.values().cloned().collect();
        let (mut recovery_points, mut log_starts) = {
            // Of logs that are not open it stays known what was known.
            let remembered = self.remembered.lock();
            (remembered.recovery_points.clone(), remembered.log_starts.clone())
        };
        for log in &logs {
            let key = (log.topic().to_owned(), log.partition());
            recovery_points.insert(key.clone(), log.recovery_point());
            if log.starts_within_segment() {
                log_starts.insert(key, log.log_start_offset());
            }
        }
        self.write_offsets(folder, checkpoint::RECOVERY_POINTS, &recovery_points)?;
        self.write_offsets(folder, checkpoint::LOG_STARTS, &log_starts)?;
        *on_disk = log_starts;
        Ok(())
    }

    fn write_offsets(&self, folder: &Path, name: &str, offsets: &Offsets) -> Result<(), StorageError> {
        let text = checkpoint::offsets_to_text(offsets);
        let written = self.shared.disk.replace_durably(&folder.join(name), text.as_bytes());
        written.map_err(StorageError::io(format!("writing {name}")))
    }

    /// Ends all logs cleanly, writes the checkpoints, says so in the folder, and gives it free. Nothing can be opened or
    /// appended after that.
    ///
    /// # Errors
    /// If a log cannot be closed; the others are all the same. Without the word in the folder all logs are recovered when
    /// they are opened next.
    pub fn close(&self) -> Result<(), StorageError> {
        let logs: Vec<_> = {
            let mut logs = self.logs.lock();
            if std::mem::replace(&mut logs.closed, true) {
                return Ok(());
            }
            logs.open.values().cloned().collect()
        };
        let mut failed = None;
        for log in &logs {
            if let Err(error) = log.close() {
                failed.get_or_insert(error);
            }
        }
        let checkpointed = self.checkpoint();
        if let Home::Folder(folder) = &self.home
            && failed.is_none()
            && checkpointed.is_ok()
        {
            home::leave_clean_marker(folder, &self.shared.disk)
                .map_err(StorageError::io("writing the clean marker"))?;
        }
        *self.lock.lock() = None;
        failed.map_or(checkpointed, Err)
    }

    /// The size of the file system of the data folder, and what can be used of it, in bytes. None in memory.
    pub fn disk_space(&self) -> Option<(u64, u64)> {
        match &self.home {
            Home::Memory => None,
            Home::Folder(folder) => fs::disk_space(folder),
        }
    }

    /// How many segments of files are mapped at this moment.
    pub fn mapped_segments(&self) -> usize {
        self.shared.cache.len()
    }
}

impl std::fmt::Debug for LogManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogManager({:?})", self.home)
    }
}
