//! Memory that one writer fills and any number of readers look at: maps of files, anonymous maps and blocks of the heap.
//!
//! The only file with unsafe code, and the only one that names memmap2. It knows nothing of records, segments or logs.
//!
//! # Why this is sound
//!
//! A map has a *readable* length that only grows. Slices are given out below it and never above; the writer, of which
//! there is one per map because [`MapWriter`] cannot be cloned, writes at or above it and never below. So no byte is
//! written while a slice of it exists. The readable length is stored with `Release` after the bytes are written and
//! loaded with `Acquire` before a slice is made, so a reader sees what it may see.
//!
//! A map of a file is as long as the segment may become, and reaches past the file's end. Touching it there would be
//! answered by `SIGBUS`, so nothing does: the readable length lies within the file, and the writer may only go as far
//! as was reserved in the file before ([`MapWriter::reserved`]). A file may be cut down to the readable length while
//! it is mapped: what is removed lies above every slice that exists or can be made, and the map's writer is gone or
//! told of it ([`MapWriter::set_reserved`]). It must not be cut below.
//!
//! What this cannot guard against is another process that truncates or overwrites the files: the data folder is locked
//! against a second broker, but not against `truncate(1)`. Nor can a disk that fails to read a page be turned into an
//! error: the kernel answers with `SIGBUS`.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
pub(crate) use memmap2::Advice;
use memmap2::{MmapOptions, MmapRaw};

use crate::fs;

/// What the bytes lie in.
enum Backing {
    Mapped(MmapRaw),
    Heap(NonNull<u8>, Layout),
}

/// A stretch of memory that is readable up to a length that grows.
pub(crate) struct Map {
    backing: Backing,
    readable: AtomicUsize,
}

// SAFETY: the pointers are to memory that is owned by the `Map` and freed only when it is dropped. Shared access is
// disciplined as the module's comment says: reads below `readable`, writes above it by the one `MapWriter`.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// Maps `file` for reading, `len` bytes of it, all of them readable.
    ///
    /// # Errors
    /// If the file is shorter than that, or cannot be mapped.
    pub(crate) fn of_sealed_file(file: &File, len: usize) -> io::Result<Arc<Map>> {
        check_file_holds(file, len)?;
        let map = MmapOptions::new().len(len.max(1)).map_raw_read_only(file)?;
        Ok(Arc::new(Map { backing: Backing::Mapped(map), readable: AtomicUsize::new(len) }))
    }

    /// How many bytes can be read.
    pub(crate) fn readable(&self) -> usize {
        self.readable.load(Ordering::Acquire)
    }

    /// The bytes of `range`, if all of them can be read.
    pub(crate) fn slice(&self, range: Range<usize>) -> Option<&[u8]> {
        if range.start > range.end || range.end > self.readable() {
            return None;
        }
        // SAFETY: the range lies below the readable length: it is mapped, initialised, within the file, and not
        // written again as long as the map lives.
        Some(unsafe { std::slice::from_raw_parts(self.start().add(range.start), range.end - range.start) })
    }

    /// The bytes of `range` without a copy; they keep the map alive.
    pub(crate) fn bytes(self: &Arc<Self>, range: Range<usize>) -> Option<Bytes> {
        self.slice(range.clone())?;
        Some(Bytes::from_owner(Part { map: Arc::clone(self), range }))
    }

    fn start(&self) -> *mut u8 {
        match &self.backing {
            Backing::Mapped(map) => map.as_mut_ptr(),
            Backing::Heap(start, _) => start.as_ptr(),
        }
    }

    fn capacity(&self) -> usize {
        match &self.backing {
            Backing::Mapped(map) => map.len(),
            Backing::Heap(_, layout) => layout.size(),
        }
    }

    /// Writes the bytes of `range` back to the file and waits until they are there. Does nothing for memory.
    pub(crate) fn sync(&self, range: Range<usize>) -> io::Result<()> {
        match &self.backing {
            Backing::Mapped(map) if !range.is_empty() => {
                map.flush_range(range.start, range.end - range.start)
            }
            _ => Ok(()),
        }
    }

    /// Has the kernel fill in the pages of `range` before they are written. Whether it does makes no difference but
    /// in time: the contents stay as they are, and pages past the file's end are left out with an error.
    pub(crate) fn populate(&self, range: Range<usize>) {
        if let (Backing::Mapped(map), Some(advice)) = (&self.backing, fs::POPULATE) {
            let end = range.end.min(self.capacity());
            if range.start < end {
                // A failure means that the writer meets the pages as they are.
                let _ = map.advise_range(advice, range.start, end - range.start);
            }
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if let Backing::Heap(start, layout) = self.backing {
            // SAFETY: allocated with this layout in `MapWriter::on_heap`, and dropped once.
            unsafe { dealloc(start.as_ptr(), layout) };
        }
    }
}

/// A part of a map that keeps the whole alive.
struct Part {
    map: Arc<Map>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        // The range was readable when the part was made, and the readable length never shrinks.
        self.map.slice(self.range.clone()).unwrap_or_default()
    }
}

fn check_file_holds(file: &File, len: usize) -> io::Result<()> {
    let have = file.metadata()?.len();
    if (len as u64) <= have {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the file has {have} bytes instead of {len}")))
}

/// The one that writes to a map.
pub(crate) struct MapWriter {
    map: Arc<Map>,
    reserved: usize,
}

impl MapWriter {
    /// Maps `capacity` bytes of `file`, of which `readable` are there already and can be read, and `reserved` have
    /// blocks on the disk.
    ///
    /// # Errors
    /// If the file is shorter than `reserved`, or cannot be mapped.
    pub(crate) fn of_file(
        file: &File,
        capacity: usize,
        readable: usize,
        reserved: usize,
    ) -> io::Result<Self> {
        check_file_holds(file, reserved.max(readable))?;
        let map = MmapOptions::new().len(capacity.max(1)).map_raw(file)?;
        Ok(Self::new(Backing::Mapped(map), readable, reserved.max(readable)))
    }

    /// Anonymous memory: address space at first, pages as they are written. Small ones: with pages of 2 MiB what is
    /// small would not stay small, and on a virtual machine, whose host fills in what its guest touches first, appends
    /// that meet a new one take three times as long. (Where memory is warm they take a third less.)
    pub(crate) fn anonymous(capacity: usize) -> io::Result<Self> {
        let map: MmapRaw = MmapOptions::new().len(capacity.max(1)).no_reserve_swap().map_anon()?.into();
        if let Some(advice) = fs::SMALL_PAGES {
            // Nothing depends on its being taken.
            let _ = map.advise(advice);
        }
        Ok(Self::new(Backing::Mapped(map), 0, capacity))
    }

    /// A block of the heap, for what is too small for a map of its own.
    pub(crate) fn on_heap(capacity: usize) -> io::Result<Self> {
        let layout = Layout::array::<u8>(capacity.max(1)).map_err(io::Error::other)?;
        // SAFETY: the layout's size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) });
        let start = start.ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Self::new(Backing::Heap(start, layout), 0, layout.size()))
    }

    fn new(backing: Backing, readable: usize, reserved: usize) -> Self {
        let reserved = match &backing {
            Backing::Mapped(map) => reserved.min(map.len()),
            Backing::Heap(_, layout) => reserved.min(layout.size()),
        };
        let map = Arc::new(Map { backing, readable: AtomicUsize::new(readable.min(reserved)) });
        MapWriter { map, reserved }
    }

    pub(crate) fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// How far the map can be written.
    pub(crate) fn reserved(&self) -> usize {
        self.reserved
    }

    /// How far the map can be written from now on: as far as the file has blocks.
    pub(crate) fn set_reserved(&mut self, reserved: usize) {
        self.reserved = reserved.min(self.map.capacity());
    }

    /// The length of the map itself.
    pub(crate) fn capacity(&self) -> usize {
        self.map.capacity()
    }

    /// Copies `parts` one after the other to the end of what can be read, without making them readable yet.
    /// Returns the length that [`MapWriter::publish`] would make readable.
    ///
    /// # Errors
    /// If they do not fit into what is reserved. Then nothing is written.
    pub(crate) fn write(&mut self, parts: &[&[u8]]) -> io::Result<usize> {
        let readable = self.map.readable();
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let end = readable.checked_add(len).filter(|end| *end <= self.reserved);
        let end = end.ok_or_else(|| io::Error::from(io::ErrorKind::StorageFull))?;
        let mut at = readable;
        for part in parts {
            // SAFETY: `at + part.len()` is within `reserved`, which is within the map and the file. No slice of the
            // map reaches above `readable`, and `&mut self` keeps other writers out, so nobody else looks at the
            // bytes; `part` is a slice of something else, or of the map below `readable`.
            unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), self.map.start().add(at), part.len()) };
            at += part.len();
        }
        Ok(end)
    }

    /// Makes what was written readable, up to `len`. Never less than before, nor more than is reserved.
    pub(crate) fn publish(&mut self, len: usize) {
        let len = len.min(self.reserved);
        if len > self.map.readable() {
            self.map.readable.store(len, Ordering::Release);
        }
    }
}

/// Has the system read the program's own code and constants from its file again when they are next needed, and count them as
/// this process's memory only then. A program that waits for work holds what its start took otherwise; worth a call once
/// it is up. Does nothing where a system does not tell what lies where.
pub fn release_program() {
    let Some(advice) = fs::READ_AGAIN else { return };
    for range in fs::unchanged_program() {
        // SAFETY: the range is a private mapping of the program's file that is not writable and none of whose pages
        // differs from the file: whoever reads or runs it next finds the same bytes. It is never unmapped, so nothing
        // else can have come to lie there. A refusal changes nothing.
        let _ = unsafe { rustix::mm::madvise(range.start as *mut _, range.len(), advice) };
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_program_goes_on_without_the_pages_it_has_let_go_of() {
        let code = release_program as fn() as usize;
        assert!(fs::unchanged_program().iter().any(|range| range.contains(&code)));
        for _ in 0..3 {
            release_program();
        }
        // What was written since the start is as it was, and is no part of it.
        static WRITTEN: AtomicUsize = AtomicUsize::new(1);
        WRITTEN.store(2, Ordering::SeqCst);
        let written = &raw const WRITTEN as usize;
        assert!(!fs::unchanged_program().iter().any(|range| range.contains(&written)));
        release_program();
        assert_eq!(WRITTEN.load(Ordering::SeqCst), 2);
    }
}
