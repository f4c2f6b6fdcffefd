//! Opening a segment that is on the disk: trusting its indexes, or reading every batch.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::index::{OFFSET_ENTRY, TIME_ENTRY, read_offset_entry, read_time_entry};
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
    /// What was found where the segment was cut, and how many bytes went with it. Zeros, which are blocks reserved and
    /// never written, do not count.
    pub(crate) cut: Option<(&'static str, usize)>,
}

impl Opening<'_> {
    fn segment(&self, base_offset: i64) -> Arc<Segment> {
        let place = Place::Folder(Arc::clone(self.folder));
        Segment::new(Arc::clone(self.shared), place, base_offset, self.limit, self.now_ms)
    }

    /// Opens a segment whose files are as they were left by a clean end, or were synced. `end_offset` is where the next
    /// segment begins; without one it is the last, and can be appended to. `None` if the files are not in order after
    /// all.
    pub(crate) fn trust(
        &self,
        base_offset: i64,
        end_offset: Option<i64>,
    ) -> io::Result<Option<Arc<Segment>>> {
        let segment = self.segment(base_offset);
        let path = |kind| name::path(self.folder, base_offset, kind);
        let len = usize::try_from(std::fs::metadata(path(name::LOG))?.len()).map_err(io::Error::other)?;
        let (Ok(offsets), Ok(times)) =
            (std::fs::read(path(name::OFFSET_INDEX)), std::fs::read(path(name::TIME_INDEX)))
        else {
            return Ok(None);
        };
        let last_entry = read_last(&offsets, OFFSET_ENTRY, read_offset_entry);
        let in_order = offsets.len().is_multiple_of(OFFSET_ENTRY)
            && times.len().is_multiple_of(TIME_ENTRY)
            && last_entry.is_none_or(|last| (last.position as usize) < len)
            && u32::try_from(len).is_ok();
        if !in_order {
            return Ok(None);
        }
        if let Some(last) = read_last(&times, TIME_ENTRY, read_time_entry) {
            segment.max_timestamp.store(last.timestamp, Ordering::Release);
            let offset = base_offset + i64::from(last.relative_offset);
            segment.max_timestamp_offset.store(offset, Ordering::Release);
        }
        segment.flushed.store(len, Ordering::Release);
        if let Some(end_offset) = end_offset {
            segment.set_extent(Extent { len, end_offset });
            segment.sealed.store(true, Ordering::Release);
            *segment.live.lock() = None;
            return Ok(Some(segment));
        }
        let live = segment.live_indexes();
        (0..offsets.len() / OFFSET_ENTRY)
            .filter_map(|index| read_offset_entry(&offsets, index))
            .for_each(|entry| live.push_offset(entry));
        (0..times.len() / TIME_ENTRY)
            .filter_map(|index| read_time_entry(&times, index))
            .for_each(|entry| live.push_time(entry));
        let from = last_entry.map_or(0, |last| last.position as usize);
        Ok(self.read_tail(&segment, from, len)?.then_some(segment))
    }

    /// Reads the heads of the batches behind the last index entry of the segment that is appended to.
    fn read_tail(&self, segment: &Segment, from: usize, len: usize) -> io::Result<bool> {
        let file = open_or_create(&name::path(self.folder, segment.base_offset, name::LOG))?;
        let map = Map::of_sealed_file(&file, len)?;
        let bytes = map.slice(0..len).unwrap_or_default();
        if let Some(first) = BatchHeader::read(bytes) {
            segment.first_timestamp.store(first.max_timestamp, Ordering::Release);
        }
        let mut extent = Extent { len: from, end_offset: segment.base_offset };
        let first_entry = from;
        let end = scan(bytes, from, |position, header, _| {
            // The batch of the last entry is in the index already.
            if position > first_entry || first_entry == 0 {
                segment.index(header, position, self.interval);
            }
            extent = Extent { len: position + header.size(), end_offset: header.last_offset() + 1 };
            ControlFlow::Continue(())
        });
        segment.set_extent(extent);
        Ok(end == len && extent.end_offset >= segment.base_offset)
    }

    /// Reads every batch of a segment, checks it, builds the indexes anew, and cuts the file behind the last good one.
    pub(crate) fn recover(&self, base_offset: i64) -> io::Result<Recovered> {
        let segment = self.segment(base_offset);
        let file = open_or_create(&name::path(self.folder, base_offset, name::LOG))?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let map = Map::of_sealed_file(&file, len)?;
        let bytes = map.slice(0..len).unwrap_or_default();
        let mut extent = Extent { len: 0, end_offset: base_offset };
        let mut why = "what follows is no batch";
        let end = scan(bytes, 0, |position, header, batch| {
            if header::checksum_of(batch) != Some(header.crc) {
                why = "the batch's checksum is wrong";
                return ControlFlow::Break(());
            }
            let relative_end =
                header.last_offset().checked_sub(base_offset).and_then(|end| i32::try_from(end).ok());
            if header.base_offset < extent.end_offset
                || header.last_offset_delta < 0
                || relative_end.is_none()
            {
                why = "the batch's offset does not follow the one before";
                return ControlFlow::Break(());
            }
            segment.index(header, position, self.interval);
            extent = Extent { len: position + header.size(), end_offset: header.last_offset() + 1 };
            ControlFlow::Continue(())
        });
        segment.set_extent(extent);
        let rest = bytes.get(end..).unwrap_or_default();
        let cut = rest.iter().any(|byte| *byte != 0).then_some((why, rest.len()));
        drop(map);
        // Nobody else has the file mapped: the log is only being opened.
        file.set_len(extent.len as u64)?;
        Ok(Recovered { segment, cut })
    }
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
