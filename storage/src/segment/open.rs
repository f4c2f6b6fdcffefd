//! Opening a segment that is on the disk: trusting its indexes, or reading every batch.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::index::{OFFSET_ENTRY, OffsetEntry, TIME_ENTRY, TimeEntry, read_offset_entry, read_time_entry};
use super::{Extent, Place, Segment, name, open_or_create};
use crate::batch::header::{self, MAGIC};
use crate::batch::{BatchHeader, HEADER_BYTES};
use crate::mmap::Map;
use crate::shared::Shared;

/// What opening a segment needs to know.
pub(crate) struct Opening<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) folder: &'a Arc<Path>,
    pub(crate) limit: usize,
    pub(crate) interval: u32,
    pub(crate) now_ms: i64,
}

/// A segment that was read batch by batch.
pub(crate) struct Recovered {
    pub(crate) segment: Arc<Segment>,
    /// What was found behind the last good batch, and how many bytes it has. Zeros, which are blocks reserved and never
    /// written, do not count.
    pub(crate) damage: Option<(&'static str, usize)>,
    /// Whether the file was left as it is, damage and all.
    pub(crate) kept: bool,
}

impl Opening<'_> {
    /// A segment that has no batches yet.
    pub(crate) fn begin(&self, base_offset: i64) -> Arc<Segment> {
        let place = Place::Folder(Arc::clone(self.folder));
        Segment::new(Arc::clone(self.shared), place, base_offset, self.limit, self.now_ms)
    }

    /// Opens a segment whose files are as they were left by a clean end, or were synced. `end_offset` is where the next
    /// segment begins; without one it is the last, and can be appended to. `None` if the files are not in order after
    /// all, as far as a look at their ends tells.
    pub(crate) fn trust(
        &self,
        base_offset: i64,
        end_offset: Option<i64>,
    ) -> io::Result<Option<Arc<Segment>>> {
        let segment = self.begin(base_offset);
        let path = |kind| name::path(self.folder, base_offset, kind);
        let file = open_or_create(&path(name::LOG))?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let indexes = (std::fs::read(path(name::OFFSET_INDEX)), std::fs::read(path(name::TIME_INDEX)));
        let (Ok(offsets), Ok(times)) = indexes else { return Ok(None) };
        let of_right_length = offsets.len().is_multiple_of(OFFSET_ENTRY)
            && times.len().is_multiple_of(TIME_ENTRY)
            && (len == 0 || !times.is_empty())
            && u32::try_from(len).is_ok();
        if !of_right_length {
            return Ok(None);
        }
        let map = Map::of_sealed_file(&file, len)?;
        let bytes = map.slice(0..len).unwrap_or_default();
        if let Some(last) = read_last(&times, TIME_ENTRY, read_time_entry) {
            let offset = base_offset + i64::from(last.relative_offset);
            if !leads_to_batch(bytes, &offsets, last, base_offset) {
                return Ok(None);
            }
            segment.max_timestamp.store(last.timestamp, Ordering::Release);
            segment.max_timestamp_offset.store(offset, Ordering::Release);
        }
        if end_offset.is_none() {
            let live = segment.live_indexes();
            let entries = (0..offsets.len() / OFFSET_ENTRY).filter_map(|at| read_offset_entry(&offsets, at));
            entries.for_each(|entry| live.push_offset(entry));
            let entries = (0..times.len() / TIME_ENTRY).filter_map(|at| read_time_entry(&times, at));
            entries.for_each(|entry| live.push_time(entry));
        }
        let last_entry = read_last(&offsets, OFFSET_ENTRY, read_offset_entry);
        let Some(end) = self.read_tail(&segment, bytes, last_entry, end_offset.is_none()) else {
            return Ok(None);
        };
        if end_offset.is_some_and(|next| next < end) {
            return Ok(None);
        }
        segment.set_extent(Extent { len, end_offset: end_offset.unwrap_or(end) });
        segment.flushed.store(len, Ordering::Release);
        if end_offset.is_some() {
            segment.sealed.store(true, Ordering::Release);
            *segment.live.lock() = None;
        }
        Ok(Some(segment))
    }

    /// Reads the heads of the batches from the last index entry on, and indexes them where they are not yet. Gives the
    /// offset behind the last; `None` if they do not lead to the end of the file, or the entry not to a batch.
    fn read_tail(
        &self,
        segment: &Segment,
        bytes: &[u8],
        last_entry: Option<OffsetEntry>,
        is_last: bool,
    ) -> Option<i64> {
        if let Some(first) = BatchHeader::read(bytes) {
            segment.first_timestamp.store(first.max_timestamp, Ordering::Release);
        }
        let from = last_entry.map_or(0, |entry| entry.position as usize);
        let mut end_offset = segment.base_offset;
        let mut is_entry = last_entry.is_some();
        let end = scan(bytes, from, |position, header, _| {
            let entry_offset = last_entry.map(|entry| segment.base_offset + i64::from(entry.relative_offset));
            if std::mem::take(&mut is_entry) {
                if entry_offset != Some(header.last_offset()) {
                    return ControlFlow::Break(());
                }
            } else if is_last {
                segment.index(header, position, self.interval);
            }
            end_offset = header.last_offset() + 1;
            ControlFlow::Continue(())
        });
        (end == bytes.len() && !is_entry).then_some(end_offset)
    }

    /// Reads every batch of a segment, checks it, and builds the indexes anew. The file is cut behind the last good batch;
    /// unless it is known to have reached to `known_end` and does no more: then it is left for whoever can repair it.
    /// Reading that part is an error, and its offsets are not given out again.
    pub(crate) fn recover(&self, base_offset: i64, known_end: Option<i64>) -> io::Result<Recovered> {
        let segment = self.begin(base_offset);
        let file = open_or_create(&name::path(self.folder, base_offset, name::LOG))?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let map = Map::of_sealed_file(&file, len)?;
        let bytes = map.slice(0..len).unwrap_or_default();
        let (extent, why) = segment.index_batches(bytes, self.interval);
        let rest = bytes.get(extent.len..).unwrap_or_default();
        let rest_len = rest.len();
        let damage = rest.iter().any(|byte| *byte != 0).then_some((why, rest_len));
        drop(map);
        if let Some(end_offset) = known_end.filter(|known| *known > extent.end_offset) {
            segment.set_extent(Extent { len, end_offset });
            return Ok(Recovered { segment, damage: damage.or(Some((why, rest_len))), kept: true });
        }
        segment.set_extent(extent);
        // Nobody else has the file mapped: the log is only being opened.
        file.set_len(extent.len as u64)?;
        Ok(Recovered { segment, damage, kept: false })
    }
}

impl Segment {
    /// Reads every batch of `bytes`, checks it and indexes it. Gives how far they are good, and what is wrong with the next.
    pub(super) fn index_batches(&self, bytes: &[u8], interval: u32) -> (Extent, &'static str) {
        let mut extent = Extent { len: 0, end_offset: self.base_offset };
        let mut why = "what follows is no batch";
        scan(bytes, 0, |position, header, batch| {
            if header::checksum_of(batch) != Some(header.crc) {
                why = "the batch's checksum is wrong";
                return ControlFlow::Break(());
            }
            let relative_end =
                header.last_offset().checked_sub(self.base_offset).and_then(|end| i32::try_from(end).ok());
            if header.base_offset < extent.end_offset
                || header.last_offset_delta < 0
                || relative_end.is_none()
            {
                why = "the batch's offset does not follow the one before";
                return ControlFlow::Break(());
            }
            self.index(header, position, interval);
            extent = Extent { len: position + header.size(), end_offset: header.last_offset() + 1 };
            ControlFlow::Continue(())
        });
        (extent, why)
    }
}

/// Whether the batch that an entry of the time index names is there and has the timestamp.
fn leads_to_batch(bytes: &[u8], offsets: &[u8], entry: TimeEntry, base_offset: i64) -> bool {
    let offset = base_offset + i64::from(entry.relative_offset);
    let entries = (0..offsets.len() / OFFSET_ENTRY).rev().filter_map(|at| read_offset_entry(offsets, at));
    let floor = entries.into_iter().find(|floor| floor.relative_offset <= entry.relative_offset);
    let mut found = false;
    scan(bytes, floor.map_or(0, |floor| floor.position as usize), |_, header, _| {
        found = header.last_offset() == offset && header.max_timestamp == entry.timestamp;
        if header.last_offset() < offset { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    found
}

fn read_last<T>(bytes: &[u8], size: usize, read: impl Fn(&[u8], usize) -> Option<T>) -> Option<T> {
    (bytes.len() / size).checked_sub(1).and_then(|last| read(bytes, last))
}

/// Hands whole batches of format 2 to `visit`, and gives the position behind the last that it took.
fn scan(
    bytes: &[u8],
    from: usize,
    mut visit: impl FnMut(usize, &BatchHeader, &[u8]) -> ControlFlow<()>,
) -> usize {
    let mut position = from;
    while let Some(header) = bytes.get(position..).and_then(BatchHeader::read) {
        let Some(batch) = bytes.get(position..position.saturating_add(header.size())) else { break };
        if header.magic != MAGIC || batch.len() < HEADER_BYTES || visit(position, &header, batch).is_break() {
            break;
        }
        position += batch.len();
    }
    position
}
