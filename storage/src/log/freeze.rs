//! Snapshots of a log: what it holds at one moment, shared with the log instead of copied.
//!
//! A log knows whether it has changed since its last snapshot. The first change enters it in its manager's list, so that
//! the next snapshot looks at the logs in the list and at no others.

use std::io;
use std::sync::Arc;

use uuid::Uuid;

use super::open::Found;
use super::{Log, Place, State};
use crate::image::LogImage;
use crate::options::LogOptions;
use crate::segment::Segment;
use crate::segment::freeze::LARGEST_COPIED;
use crate::shared::Shared;

impl Log {
    /// A log in memory that holds what `image` does. Nothing is copied before it is appended to.
    pub(crate) fn thaw(
        shared: Arc<Shared>,
        (topic, partition, topic_id): (&str, i32, Uuid),
        options: Arc<LogOptions>,
        image: &Arc<LogImage>,
        now_ms: i64,
    ) -> Arc<Self> {
        let found = Found {
            segments: Arc::clone(&image.segments),
            log_start: image.log_start,
            log_end: image.log_end,
            recovery_point: image.log_end,
            producers: image.producers.clone(),
            epochs: image.epochs.clone(),
        };
        Arc::new(Log::new(shared, Place::Memory, (topic, partition, topic_id), options, found, now_ms))
    }

    /// Notes that the log is about to change, so that the next snapshot looks at it. Whoever holds `state` may wait here
    /// until a snapshot that is being taken is done.
    pub(super) fn touch(&self, state: &mut State) {
        if !state.changed {
            self.shared.changed.lock().insert((Arc::clone(&self.topic), self.partition));
            state.changed = true;
        }
    }

    /// Takes a snapshot of the log, which its manager holds still meanwhile.
    pub(crate) fn freeze(&self, state: &State) -> io::Result<LogImage> {
        Ok(LogImage {
            segments: self.frozen_segments()?,
            log_start: self.log_start_offset(),
            log_end: self.log_end_offset(),
            epochs: self.epochs.read().clone(),
            producers: state.producers.clone(),
        })
    }

    /// The segments, none of which can be appended to any more. In memory a large one is sealed, so that the log and those
    /// made of its snapshot go on alike, each in a segment of its own; of a small one a view is taken, and the log goes on
    /// in it.
    fn frozen_segments(&self) -> io::Result<super::Segments> {
        let segments = self.segments();
        let on_disk = self.folder().is_some();
        if !on_disk && segments.iter().all(|segment| segment.is_sealed()) {
            return Ok(segments);
        }
        let with_bytes = segments.iter().filter(|segment| segment.len() > 0);
        let frozen = with_bytes.map(|segment| match segment.is_sealed() {
            sealed if on_disk || !sealed && segment.len() <= LARGEST_COPIED => segment.view(),
            sealed => {
                if !sealed {
                    segment.seal()?;
                }
                Ok(Arc::clone(segment))
            }
        });
        frozen.collect::<io::Result<Vec<_>>>().map(Arc::new)
    }

    /// The last segment, to be appended to: where it is shared and small, a copy in its place. None: it stays as it is, and
    /// the log has to be rolled.
    pub(super) fn reopen_last(
        &self,
        last: &Arc<Segment>,
        options: &LogOptions,
    ) -> io::Result<Option<Arc<Segment>>> {
        if !last.is_sealed() {
            return Ok(Some(Arc::clone(last)));
        }
        if self.folder().is_some() || last.len() > LARGEST_COPIED {
            return Ok(None);
        }
        let copy = last.reopened(&self.shared, options.segment_bytes as usize)?;
        let mut segments = self.segments().as_ref().clone();
        if let Some(place) = segments.last_mut() {
            *place = Arc::clone(&copy);
        }
        *self.segments.write() = Arc::new(segments);
        Ok(Some(copy))
    }
}
