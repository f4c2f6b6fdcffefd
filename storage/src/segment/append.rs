//! Writing to a segment: room first, then the bytes, then the indexes, and last what readers see.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::index::{Indexes, LiveIndexes, OffsetEntry, TimeEntry};
use super::{Extent, Loaded, Place, Segment, name, open_or_create};
use crate::batch::{BatchHeader, HEADER_BYTES};
use crate::mmap::MapWriter;
use crate::populate;

/// The first bytes that are reserved in a file, and the smallest step.
const SMALLEST_STEP: usize = 64 * 1024;
/// The first bytes that are set aside in memory. They lie on the heap, up to [`LARGEST_ON_HEAP`].
const FIRST_ON_HEAP: usize = 2 * 1024;
/// How much of a segment in memory lies on the heap, before it gets a map of its own.
const LARGEST_ON_HEAP: usize = 64 * 1024;
/// A segment has pages filled in ahead of the writer once it has become so large.
const POPULATE_FROM: usize = 1024 * 1024;

/// The one that appends to a segment. As long as it lives nobody else does, nor is the segment unmapped.
pub(crate) struct Appender<'a> {
    segment: &'a Segment,
    writer: MutexGuard<'a, Option<MapWriter>>,
    /// What readers see once the batch is published.
    next: Extent,
}

impl Segment {
    /// Makes room for a batch of `size` bytes behind what is there.
    ///
    /// # Errors
    /// `StorageFull` if the disk, and `OutOfMemory` if memory has no room: then nothing has changed.
    pub(crate) fn make_room(&self, size: usize, preallocate: bool) -> io::Result<Appender<'_>> {
        let mut writer = self.writer.lock();
        let next = self.extent();
        let end = next.len.checked_add(size).filter(|end| *end <= self.limit());
        let end = end.ok_or_else(|| io::Error::other("the segment is full"))?;
        match &self.place {
            Place::Memory => self.make_room_in_memory(&mut writer, end)?,
            Place::Folder(_) => {
                let wanted = if preallocate { self.limit() } else { end };
                if writer.as_ref().is_none_or(|writer| writer.reserved() < wanted) {
                    self.open_writer(&mut writer, wanted)?;
                }
            }
        }
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        Ok(Appender { segment: self, writer, next })
    }

    /// Maps the file for writing if it is not, and has it have blocks for `end` bytes.
    pub(super) fn open_writer(&self, writer: &mut Option<MapWriter>, end: usize) -> io::Result<Arc<Loaded>> {
        let Place::Folder(folder) = &self.place else {
            self.make_room_in_memory(writer, end)?;
            return self.load_written(writer.as_ref());
        };
        self.check_there()?;
        let file = open_or_create(&name::path(folder, self.base_offset, name::LOG))?;
        let reserved = self.reserve(&file, end)?;
        match writer.as_mut().filter(|writer| writer.capacity() >= reserved) {
            Some(writer) => writer.set_reserved(reserved),
            None => {
                let capacity = self.limit().max(reserved);
                *writer = Some(MapWriter::of_file(&file, capacity, self.len(), reserved)?);
                *self.loaded.write() = None;
                self.shared.cache.admit(&self.me);
            }
        }
        self.load_written(writer.as_ref())
    }

    /// Reserves blocks for `end` bytes and a step more. Returns for how many there are some.
    fn reserve(&self, file: &File, end: usize) -> io::Result<usize> {
        let reserved = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if end <= reserved {
            return Ok(reserved);
        }
        let largest = self.shared.settings.largest_reserve_step.max(SMALLEST_STEP);
        let step = reserved.clamp(SMALLEST_STEP, largest);
        let wanted = end.max(reserved.saturating_add(step).min(self.limit()));
        // A disk that has no room for a whole step may have room for the batch.
        match self.shared.disk.reserve(file, wanted as u64) {
            Ok(()) => Ok(wanted),
            Err(_) => self.shared.disk.reserve(file, end as u64).map(|()| end),
        }
    }

    /// Small segments lie on the heap, in blocks that double; larger ones in a map that has the address space for all.
    fn make_room_in_memory(&self, writer: &mut Option<MapWriter>, end: usize) -> io::Result<()> {
        if writer.as_ref().is_some_and(|writer| writer.capacity() >= end) {
            return Ok(());
        }
        if self.shared.disk.is_full() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let block = end.next_power_of_two().max(FIRST_ON_HEAP).min(self.limit().max(end));
        let mut new =
            if block <= LARGEST_ON_HEAP { MapWriter::on_heap(block)? } else { self.map_memory(end)? };
        let held = self.loaded.read().as_ref().map(|loaded| Arc::clone(&loaded.map));
        if let Some(old) = held.as_ref().or(writer.as_ref().map(MapWriter::map)) {
            let len = new.write(&[old.slice(0..self.len()).unwrap_or_default()])?;
            new.publish(len);
        }
        // Readers that hold the old block keep it. Those that come find the new one, which has all that they may see:
        // they look at the extent before they look for the bytes.
        *writer = Some(new);
        *self.loaded.write() = None;
        self.load_written(writer.as_ref()).map(drop)
    }

    /// Address space for the whole segment, or for less where there is not so much: then the segment is rolled earlier.
    fn map_memory(&self, end: usize) -> io::Result<MapWriter> {
        let mut capacity = self.limit();
        loop {
            match MapWriter::anonymous(capacity.max(end)) {
                Err(_) if capacity > end => capacity /= 2,
                Err(error) => return Err(error),
                Ok(map) => {
                    self.limit.store(map.capacity(), Ordering::Release);
                    return Ok(map);
                }
            }
        }
    }

    fn load_written(&self, writer: Option<&MapWriter>) -> io::Result<Arc<Loaded>> {
        let mut loaded = self.loaded.write();
        if let Some(loaded) = loaded.as_ref() {
            return Ok(Arc::clone(loaded));
        }
        let writer = writer.ok_or_else(|| io::Error::other("the segment has no memory"))?;
        let new =
            Arc::new(Loaded { map: Arc::clone(writer.map()), indexes: Indexes::Live(self.live_indexes()) });
        *loaded = Some(Arc::clone(&new));
        Ok(new)
    }

    /// The indexes that are added to: there as long as the segment is not sealed.
    pub(super) fn live_indexes(&self) -> Arc<LiveIndexes> {
        Arc::clone(self.live.lock().get_or_insert_default())
    }

    /// Whether the indexes have room for another entry in `bytes` each.
    pub(crate) fn indexes_have_room(&self, bytes: u32) -> bool {
        let live = self.live_indexes();
        let bytes = bytes as usize;
        live.offset_entries() < bytes / super::index::OFFSET_ENTRY
            && live.time_entries() < (bytes / super::index::TIME_ENTRY).saturating_sub(1)
    }

    /// Notes a batch at `position`: an entry in each index for about every `interval` bytes, as Kafka sets them.
    pub(crate) fn index(&self, header: &BatchHeader, position: usize, interval: u32) {
        let relative = |offset: i64| u32::try_from(offset - self.base_offset).unwrap_or(u32::MAX);
        if header.max_timestamp > self.max_timestamp.load(Ordering::Relaxed) {
            self.max_timestamp_offset.store(header.last_offset(), Ordering::Release);
            self.max_timestamp.store(header.max_timestamp, Ordering::Release);
        }
        if position == 0 {
            self.first_timestamp.store(header.max_timestamp, Ordering::Release);
        }
        let mut since = self.bytes_since_entry.load(Ordering::Relaxed);
        if since > interval {
            let live = self.live_indexes();
            let position = u32::try_from(position).unwrap_or(u32::MAX);
            live.push_offset(OffsetEntry { relative_offset: relative(header.last_offset()), position });
            let (timestamp, offset) = self.max_timestamp();
            if timestamp >= 0 {
                live.push_time(TimeEntry { timestamp, relative_offset: relative(offset) });
            }
            since = 0;
        }
        let size = u32::try_from(header.size()).unwrap_or(u32::MAX);
        self.bytes_since_entry.store(since.saturating_add(size), Ordering::Relaxed);
    }
}

impl Appender<'_> {
    /// Copies a batch to where there is room for it. Nobody sees it yet.
    pub(crate) fn write(&mut self, header: &BatchHeader, records: &[u8]) -> io::Result<()> {
        let writer = self.writer.as_mut().ok_or_else(|| io::Error::other("the segment has no memory"))?;
        let head: [u8; HEADER_BYTES] = header.to_bytes();
        self.next = Extent { len: writer.write(&[&head, records])?, end_offset: header.last_offset() + 1 };
        Ok(())
    }

    /// Waits until the batch is on the disk, together with all before it.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let (segment, Some(writer)) = (self.segment, self.writer.as_ref()) else { return Ok(()) };
        let Place::Folder(folder) = &segment.place else { return Ok(()) };
        let from = segment.flushed.load(Ordering::Acquire);
        segment.shared.disk.sync_with(|| writer.map().sync(from..self.next.len))?;
        if from == 0 {
            segment.shared.disk.sync_folder(folder)?;
        }
        segment.flushed.fetch_max(self.next.len, Ordering::AcqRel);
        Ok(())
    }

    /// Lets readers see the batch.
    pub(crate) fn publish(mut self) {
        if let Some(writer) = self.writer.as_mut() {
            writer.publish(self.next.len);
            self.segment.set_extent(self.next);
            self.populate();
        }
    }

    /// Has pages filled in ahead of the writer, where a segment has become large enough to be worth it.
    fn populate(&self) {
        let Some(writer) = self.writer.as_ref() else { return };
        let (len, ahead) = (self.next.len, self.segment.shared.settings.populate_ahead);
        let populated = self.segment.populated.load(Ordering::Relaxed).max(len);
        if len < POPULATE_FROM || populated - len > ahead / 2 {
            return;
        }
        let to = (populated + ahead).min(writer.reserved());
        if to > populated
            && self.segment.shared.populate.ask(populate::Request::new(writer.map(), populated..to))
        {
            self.segment.populated.store(to, Ordering::Relaxed);
        }
    }
}
