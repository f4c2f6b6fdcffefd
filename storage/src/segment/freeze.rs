//! Segments that several logs share: views that never change, and copies of small ones that can be appended to.
//!
//! A view holds the same memory as the segment that it was made of, up to where that was published then. The writer goes
//! on above that, or in a larger block of its own: see [`crate::mmap`] for why the bytes below stay as they are.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};

use super::index::Indexes;
use super::{Extent, Loaded, Place, Segment};
use crate::mmap::{Map, MapWriter};
use crate::shared::Shared;

/// A segment up to this size is copied by the first append that meets it shared; of a larger one the log is rolled.
pub(crate) const LARGEST_COPIED: usize = 64 * 1024;

/// How many bytes lie between two index entries of a segment that is read from a snapshot's file.
const INTERVAL: u32 = 4096;

impl Segment {
    /// What can be read of the segment now, and nothing that comes later. The caller keeps appends away.
    ///
    /// # Errors
    /// If a file cannot be mapped.
    pub(crate) fn view(&self) -> io::Result<Arc<Segment>> {
        let loaded = self.load()?;
        let view = Segment::sealed_in_memory(Arc::clone(&self.shared), self, self.limit());
        *view.loaded.write() = Some(loaded);
        Ok(view)
    }

    /// The same segment for another log to append to, up to `limit` bytes if it is not to hold less. Its bytes are copied
    /// by the first append.
    pub(crate) fn reopened(&self, shared: &Arc<Shared>, limit: usize) -> io::Result<Arc<Segment>> {
        let loaded = self.load()?;
        let copy = Segment::sealed_in_memory(Arc::clone(shared), self, self.limit().min(limit));
        copy.sealed.store(false, Ordering::Release);
        let relative_end = u32::try_from(self.end_offset() - self.base_offset).unwrap_or(u32::MAX);
        let live = match &loaded.indexes {
            Indexes::Live(live) => Arc::new(live.copy_below(relative_end)),
            // Small segments are read fast without.
            Indexes::Files { .. } => Arc::default(),
        };
        *copy.live.lock() = Some(Arc::clone(&live));
        *copy.loaded.write() =
            Some(Arc::new(Loaded { map: Arc::clone(&loaded.map), indexes: Indexes::Live(live) }));
        Ok(copy)
    }

    /// A segment of bytes that come from elsewhere: every batch of them is checked.
    ///
    /// # Errors
    /// The reason, if they are not whole batches in the order of their offsets.
    pub(crate) fn of_bytes(
        shared: &Arc<Shared>,
        base_offset: i64,
        created_ms: i64,
        map: &Arc<Map>,
    ) -> Result<Arc<Segment>, &'static str> {
        let bytes = map.slice(0..map.readable()).unwrap_or_default();
        let segment = Segment::new(Arc::clone(shared), Place::Memory, base_offset, usize::MAX, created_ms);
        let (extent, why) = segment.index_batches(bytes, INTERVAL);
        if extent.len != bytes.len() {
            return Err(why);
        }
        segment.set_extent(extent);
        let indexes = Indexes::Live(segment.live_indexes());
        *segment.loaded.write() = Some(Arc::new(Loaded { map: Arc::clone(map), indexes }));
        segment.sealed.store(true, Ordering::Release);
        Ok(segment)
    }

    /// A segment in memory that says of itself what `of` says, without any bytes yet.
    fn sealed_in_memory(shared: Arc<Shared>, of: &Segment, limit: usize) -> Arc<Segment> {
        Arc::new_cyclic(|me| Segment {
            me: me.clone(),
            shared,
            place: Place::Memory,
            base_offset: of.base_offset,
            extent: of.extent.load(Ordering::Acquire).into(),
            limit: limit.into(),
            writer: Mutex::new(None),
            loaded: RwLock::new(None),
            live: Mutex::new(None),
            sealed: AtomicBool::new(true),
            gone: AtomicBool::new(false),
            used: AtomicBool::new(false),
            max_timestamp: of.max_timestamp.load(Ordering::Acquire).into(),
            max_timestamp_offset: of.max_timestamp_offset.load(Ordering::Acquire).into(),
            first_timestamp: of.first_timestamp.load(Ordering::Acquire).into(),
            created_ms: of.created_ms,
            bytes_since_entry: of.bytes_since_entry.load(Ordering::Relaxed).into(),
            populated: 0.into(),
            flushed: 0.into(),
        })
    }

    /// The bytes that can be read.
    pub(crate) fn all_bytes(&self) -> io::Result<bytes::Bytes> {
        let Extent { len, .. } = self.extent();
        let bytes = if len == 0 { None } else { self.load()?.map.bytes(0..len) };
        Ok(bytes.unwrap_or_default())
    }
}

/// Memory for `len` bytes that are about to be written once.
pub(crate) fn memory_for(len: usize) -> io::Result<MapWriter> {
    if len <= LARGEST_COPIED { MapWriter::on_heap(len) } else { MapWriter::anonymous(len) }
}
