//! A segment: a run of batches in one file or one stretch of memory, and its indexes.
//!
//! Knows its bytes, positions and offsets; nothing of producers, retention or other segments. Files are mapped and
//! opened on first use, closed once mapped, and unmapped when they have not been used for long ([`cache`]).
//!
//! Locks, in the order in which they are taken: `writer`, then `loaded`. Readers of a segment that is mapped take
//! neither for longer than it takes to clone an `Arc`, and never `writer`, which an append holds.

pub(crate) mod append;
pub(crate) mod cache;
pub(crate) mod freeze;
mod grow;
pub(crate) mod index;
pub(crate) mod name;
pub(crate) mod open;
pub(crate) mod read;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use crate::mmap::{Map, MapWriter};
use crate::shared::Shared;
use index::{FileBytes, Indexes, LiveIndexes};

/// Index files up to this size are read instead of mapped.
const LARGEST_READ_INDEX: u64 = 16 * 1024;

/// Where a segment's bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Memory,
    Folder(Arc<Path>),
}

/// What is needed to read a segment.
pub(crate) struct Loaded {
    pub(crate) map: Arc<Map>,
    pub(crate) indexes: Indexes,
}

/// How much of a segment there is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Bytes of whole batches.
    pub(crate) len: usize,
    /// The offset behind the last batch.
    pub(crate) end_offset: i64,
}

/// One segment of a log.
pub(crate) struct Segment {
    me: Weak<Segment>,
    shared: Arc<Shared>,
    place: Place,
    base_offset: i64,
    /// The extent, packed into one number so that its two halves change together: the end offset less the base
    /// offset above, the bytes below. Stored with `Release` after the bytes are in place.
    extent: AtomicU64,
    /// How many bytes the segment may have at the most.
    limit: AtomicUsize,
    writer: Mutex<Option<MapWriter>>,
    loaded: RwLock<Option<Arc<Loaded>>>,
    /// The indexes on the heap, as long as the segment is written or lies in memory.
    live: Mutex<Option<Arc<LiveIndexes>>>,
    sealed: AtomicBool,
    /// Its files are deleted and not made again: another log's may lie in their place. Set under `writer`.
    gone: AtomicBool,
    /// Whether it was used since the cache last looked.
    used: AtomicBool,
    max_timestamp: AtomicI64,
    /// The last offset of the batch that has the largest timestamp.
    max_timestamp_offset: AtomicI64,
    /// The largest timestamp of the first batch, from which `segment.ms` counts; `i64::MIN` as long as there is none.
    first_timestamp: AtomicI64,
    created_ms: i64,
    bytes_since_entry: AtomicU32,
    /// Up to where pages were asked to be filled in.
    populated: AtomicUsize,
    /// The bytes that are known to be on the disk.
    flushed: AtomicUsize,
}

impl Segment {
    /// A new segment without any bytes. Files and memory come with the first batch.
    pub(crate) fn new(
        shared: Arc<Shared>,
        place: Place,
        base_offset: i64,
        limit: usize,
        now_ms: i64,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Segment {
            me: me.clone(),
            shared,
            place,
            base_offset,
            extent: AtomicU64::new(0),
            limit: AtomicUsize::new(limit),
            writer: Mutex::new(None),
            loaded: RwLock::new(None),
            live: Mutex::new(Some(Arc::default())),
            sealed: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            used: AtomicBool::new(false),
            max_timestamp: AtomicI64::new(-1),
            max_timestamp_offset: AtomicI64::new(base_offset - 1),
            first_timestamp: AtomicI64::new(i64::MIN),
            created_ms: now_ms,
            bytes_since_entry: AtomicU32::new(0),
            populated: AtomicUsize::new(0),
            flushed: AtomicUsize::new(0),
        })
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// What can be read of it at this moment.
    pub(crate) fn extent(&self) -> Extent {
        let packed = self.extent.load(Ordering::Acquire);
        Extent { len: packed as u32 as usize, end_offset: self.base_offset + (packed >> 32).cast_signed() }
    }

    fn set_extent(&self, extent: Extent) {
        let relative_end = u64::try_from(extent.end_offset - self.base_offset).unwrap_or(0);
        self.extent.store((relative_end << 32) | extent.len as u64, Ordering::Release);
    }

    pub(crate) fn len(&self) -> usize {
        self.extent().len
    }

    pub(crate) fn end_offset(&self) -> i64 {
        self.extent().end_offset
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// The largest timestamp of its records, and the last offset of the batch that has it; -1 where there is none.
    pub(crate) fn max_timestamp(&self) -> (i64, i64) {
        (self.max_timestamp.load(Ordering::Acquire), self.max_timestamp_offset.load(Ordering::Acquire))
    }

    /// The largest timestamp of its records, or the time at which it was created if they have none.
    pub(crate) fn age_timestamp(&self) -> i64 {
        match self.max_timestamp.load(Ordering::Acquire) {
            none if none < 0 => self.created_ms,
            timestamp => timestamp,
        }
    }

    /// The time from which `segment.ms` counts, if there are records.
    pub(crate) fn first_timestamp(&self) -> Option<i64> {
        Some(self.first_timestamp.load(Ordering::Acquire)).filter(|timestamp| *timestamp != i64::MIN)
    }

    pub(crate) fn created_ms(&self) -> i64 {
        self.created_ms
    }

    /// How many bytes the segment may have at the most.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Acquire)
    }

    /// The bytes and indexes, mapped if they are not yet.
    pub(crate) fn load(&self) -> io::Result<Arc<Loaded>> {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        if let Some(loaded) = self.loaded.read().as_ref() {
            return Ok(Arc::clone(loaded));
        }
        let mut writer = self.writer.lock();
        if let Some(loaded) = self.loaded.read().as_ref() {
            return Ok(Arc::clone(loaded));
        }
        self.check_there()?;
        if !self.is_sealed() {
            return self.open_writer(&mut writer, 0);
        }
        let loaded = Arc::new(self.load_sealed()?);
        *self.loaded.write() = Some(Arc::clone(&loaded));
        self.shared.cache.admit(&self.me);
        Ok(loaded)
    }

    fn load_sealed(&self) -> io::Result<Loaded> {
        let Place::Folder(folder) = &self.place else {
            return Err(io::Error::other("a segment in memory is gone"));
        };
        let file = File::open(name::path(folder, self.base_offset, name::LOG))?;
        let map = Map::of_sealed_file(&file, self.len())?;
        let offsets = read_index(folder, self.base_offset, name::OFFSET_INDEX)?;
        let times = read_index(folder, self.base_offset, name::TIME_INDEX)?;
        Ok(Loaded { map, indexes: Indexes::Files { offsets, times } })
    }

    /// Gives back what is needed to read it, if nobody writes it at this moment. Whoever holds slices keeps them.
    pub(crate) fn unload(&self) -> bool {
        if matches!(self.place, Place::Memory) {
            return false;
        }
        let Some(mut writer) = self.writer.try_lock() else { return false };
        *writer = None;
        *self.loaded.write() = None;
        true
    }

    /// Whether it was used since this was last asked.
    pub(crate) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Takes no more batches: cuts the file to what can be read, and writes the indexes.
    ///
    /// Cutting the file is sound while it is mapped: see [`crate::mmap`].
    ///
    /// # Errors
    /// If the disk has no room for the indexes, among others. Then the segment can still be appended to.
    pub(crate) fn seal(&self) -> io::Result<()> {
        let mut writer = self.writer.lock();
        self.write_down(&mut writer)?;
        self.sealed.store(true, Ordering::Release);
        // The shorter file and the indexes are not on the disk yet.
        self.flushed.store(0, Ordering::Release);
        if matches!(self.place, Place::Folder(_)) {
            // From now on the files have them. Readers that hold the map keep these.
            *self.live.lock() = None;
        }
        Ok(())
    }

    /// Makes the files what they would be if the segment were sealed, so that they can be opened without recovery.
    pub(crate) fn close(&self) -> io::Result<()> {
        if matches!(self.place, Place::Memory) {
            // There are no files, and other logs may share it.
            return Ok(());
        }
        let mut writer = self.writer.lock();
        if !self.is_sealed() {
            self.write_down(&mut writer)?;
        }
        *self.loaded.write() = None;
        Ok(())
    }

    fn write_down(&self, writer: &mut Option<MapWriter>) -> io::Result<()> {
        let Place::Folder(folder) = &self.place else { return Ok(()) };
        if self.is_gone() {
            return Ok(());
        }
        // The writer goes first: nothing may touch what is cut off.
        *writer = None;
        let len = self.len() as u64;
        let Some(file) = open_existing(&name::path(folder, self.base_offset, name::LOG))? else {
            return Ok(());
        };
        if file.metadata()?.len() > len {
            file.set_len(len)?;
        }
        let (live, disk) = (self.live_indexes(), &self.shared.disk);
        let (timestamp, offset) = self.max_timestamp();
        if timestamp >= 0 {
            // As Kafka does: the time index ends with the largest timestamp.
            let relative_offset = u32::try_from(offset - self.base_offset).unwrap_or(0);
            live.push_time(index::TimeEntry { timestamp, relative_offset });
        }
        disk.replace(&name::path(folder, self.base_offset, name::OFFSET_INDEX), &live.offsets_to_bytes())?;
        disk.replace(&name::path(folder, self.base_offset, name::TIME_INDEX), &live.times_to_bytes())
    }

    /// Creates the files of a segment that has no batches, so that its base offset is remembered.
    pub(crate) fn create_files(&self) -> io::Result<()> {
        match &self.place {
            Place::Memory => Ok(()),
            Place::Folder(folder) => {
                open_or_create(&name::path(folder, self.base_offset, name::LOG)).map(drop)
            }
        }
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// That it was not deleted. Whoever opens a file asks, and holds `writer`.
    fn check_there(&self) -> io::Result<()> {
        if self.is_gone() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the segment was deleted"));
        }
        Ok(())
    }

    /// Waits until all that can be read is on the disk; of a deleted segment there is nothing to wait for. Returns how
    /// many bytes that were.
    pub(crate) fn flush(&self) -> io::Result<usize> {
        let Place::Folder(folder) = &self.place else { return Ok(self.len()) };
        let (from, len) = (self.flushed.load(Ordering::Acquire), self.len());
        if from >= len {
            return Ok(len);
        }
        match self.sync_files(folder, from, len) {
            Err(_) if self.is_gone() => return Ok(len),
            synced => synced?,
        }
        self.flushed.fetch_max(len, Ordering::AcqRel);
        Ok(len)
    }

    fn sync_files(&self, folder: &Path, from: usize, len: usize) -> io::Result<()> {
        let loaded = self.loaded.read().clone();
        match loaded {
            Some(loaded) if !self.is_sealed() => self.shared.disk.sync_with(|| loaded.map.sync(from..len))?,
            _ => {
                // Opened only: it may have been deleted meanwhile.
                let path = name::path(folder, self.base_offset, name::LOG);
                let file = open_existing(&path)?.ok_or(io::ErrorKind::NotFound)?;
                self.shared.disk.sync(&file)?;
                for kind in [name::OFFSET_INDEX, name::TIME_INDEX] {
                    if let Some(index) = open_existing(&name::path(folder, self.base_offset, kind))? {
                        self.shared.disk.sync(&index)?;
                    }
                }
            }
        }
        if from == 0 {
            // The file's name, and with it the length of a file that grew.
            self.shared.disk.sync_folder(folder)?;
        }
        Ok(())
    }

    /// Whether all that can be read is known to be on the disk.
    pub(crate) fn is_flushed(&self) -> bool {
        matches!(self.place, Place::Memory) || self.flushed.load(Ordering::Acquire) >= self.len()
    }

    /// Lets go of the files for good: they are to be deleted, and are not made again. Whoever holds slices keeps them.
    pub(crate) fn abandon(&self) {
        let mut writer = self.writer.lock();
        self.gone.store(true, Ordering::Release);
        self.sealed.store(true, Ordering::Release);
        *writer = None;
        *self.loaded.write() = None;
    }

    /// Deletes the files. Whoever holds slices keeps them. Memory is given back when nobody has the segment any more:
    /// other logs may share it.
    pub(crate) fn delete(&self) -> io::Result<()> {
        let Place::Folder(folder) = &self.place else { return Ok(()) };
        self.abandon();
        for kind in [name::LOG, name::OFFSET_INDEX, name::TIME_INDEX, name::TXN_INDEX, name::SNAPSHOT] {
            remove_if_there(&name::path(folder, self.base_offset, kind))?;
        }
        Ok(())
    }
}

fn read_index(folder: &Path, base_offset: i64, kind: &str) -> io::Result<FileBytes> {
    let file = File::open(name::path(folder, base_offset, kind))?;
    let len = file.metadata()?.len();
    if len <= LARGEST_READ_INDEX {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, LARGEST_READ_INDEX), &mut bytes)?;
        return Ok(FileBytes::Read(bytes));
    }
    let len = usize::try_from(len).map_err(io::Error::other)?;
    Ok(FileBytes::Mapped(Map::of_sealed_file(&file, len)?))
}

pub(crate) fn open_or_create(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn open_existing(path: &PathBuf) -> io::Result<Option<File>> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchHeader, BuildOptions, HEADER_BYTES, RecordToWrite, build};
    use crate::options::ManagerSettings;

    fn with_a_batch(folder: &Path) -> Arc<Segment> {
        let shared = Arc::new(Shared::new(ManagerSettings::default()));
        let segment = Segment::new(shared, Place::Folder(Arc::from(folder)), 0, 1 << 20, 0);
        let record = RecordToWrite { key: None, value: Some("v".into()), headers: Vec::new(), timestamp: 1 };
        let batch = build([record], &BuildOptions::default());
        let header = BatchHeader::read(&batch).unwrap();
        let mut appender = segment.make_room(batch.len(), false).unwrap();
        appender.write(&header, &batch[HEADER_BYTES..]).unwrap();
        segment.index(&header, 0, 100);
        appender.publish();
        segment
    }

    fn files(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_deleted_segment_makes_no_file() {
        for sealed in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let segment = with_a_batch(folder.path());
            if sealed {
                segment.seal().unwrap();
            }
            segment.delete().unwrap();
            assert_eq!(segment.flush().unwrap(), segment.len());
            assert!(segment.load().is_err() && segment.make_room(100, false).is_err());
            segment.close().unwrap();
            assert_eq!(files(folder.path()), 0, "sealed: {sealed}");
        }
    }

    #[test]
    fn what_sealing_changes_is_synced() {
        let folder = tempfile::tempdir().unwrap();
        let segment = with_a_batch(folder.path());
        segment.flush().unwrap();
        segment.seal().unwrap();
        assert!(!segment.is_flushed());
        let before = segment.shared.settings.faults.syncs();
        segment.flush().unwrap();
        // The records, two indexes, and their names.
        assert_eq!(segment.shared.settings.faults.syncs() - before, 4);
        assert!(segment.is_flushed());
    }

    #[test]
    fn a_file_that_somebody_took_away_is_no_success() {
        let folder = tempfile::tempdir().unwrap();
        let segment = with_a_batch(folder.path());
        assert!(segment.unload());
        std::fs::remove_file(name::path(folder.path(), 0, name::LOG)).unwrap();
        assert!(segment.flush().is_err());
        assert_eq!(files(folder.path()), 0);
    }
}
