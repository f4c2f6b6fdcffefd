//! Waiting for the disk, and the clean end of a log.

use std::io;
use std::sync::atomic::Ordering;

use super::{Log, OutOfUse};
use crate::error::StorageError;

impl Log {
    /// Waits until everything that was appended before the call is on the disk. In memory there is nothing to do.
    ///
    /// # Errors
    /// If a sync fails. It is not tried again, because a second one may succeed without the data being there: the log takes
    /// nothing more until it is reopened.
    pub fn flush(&self) -> Result<(), StorageError> {
        let end = {
            let _state = self.usable()?;
            self.log_end_offset()
        };
        if self.recovery_point() >= end {
            return Ok(());
        }
        // Not under the lock: appends go on meanwhile.
        match self.segments().iter().try_for_each(|segment| segment.flush().map(drop)) {
            Ok(()) => {
                self.recovery_point.fetch_max(end, Ordering::AcqRel);
                Ok(())
            }
            // A segment that was deleted meanwhile needs no sync.
            Err(_) if self.deleted.load(Ordering::Acquire) => Err(StorageError::Deleted),
            Err(why) => Err(self.fail(&mut self.state.lock(), "syncing the log", why)),
        }
    }

    /// Syncs the log if `flush.ms` is over, and otherwise the segments that are not appended to any more, so that they need
    /// not be read after a crash.
    ///
    /// # Errors
    /// As [`Log::flush`].
    pub fn flush_if_due(&self, now_ms: i64) -> Result<(), StorageError> {
        let due = {
            let mut state = self.usable()?;
            let due = now_ms.saturating_sub(state.last_flush_ms) >= self.options().flush_ms;
            if due {
                state.last_flush_ms = now_ms;
            }
            due
        };
        if due {
            return self.flush();
        }
        match self.flush_sealed() {
            Ok(()) => Ok(()),
            Err(_) if self.deleted.load(Ordering::Acquire) => Err(StorageError::Deleted),
            Err(why) => Err(self.fail(&mut self.state.lock(), "syncing the log", why)),
        }
    }

    /// Syncs the segments that are not appended to any more.
    pub(super) fn flush_sealed(&self) -> io::Result<()> {
        let segments = self.segments();
        for segment in segments.iter().filter(|segment| segment.is_sealed() && !segment.is_flushed()) {
            segment.flush()?;
            self.recovery_point.fetch_max(segment.end_offset(), Ordering::AcqRel);
        }
        Ok(())
    }

    /// Ends the log cleanly: everything on the disk, files cut to size, indexes and producers written. It takes nothing
    /// more. Returns at once if it took nothing more before.
    ///
    /// # Errors
    /// If the disk does not take it; then the log has to be recovered when it is opened.
    pub(crate) fn close(&self) -> Result<(), StorageError> {
        match self.flush() {
            Err(StorageError::Deleted | StorageError::Closed) => return Ok(()),
            flushed => flushed?,
        }
        let mut state = self.usable()?;
        state.out_of_use = Some(OutOfUse::Closed);
        let closed = self.close_files(&state);
        closed.map_err(StorageError::io(format!("closing the log of {}-{}", self.topic, self.partition)))
    }

    fn close_files(&self, state: &super::State) -> io::Result<()> {
        let segments = self.segments();
        // Appends may have come between the flush and the lock.
        segments.iter().try_for_each(|segment| segment.flush().map(drop))?;
        self.recovery_point.fetch_max(self.log_end_offset(), Ordering::AcqRel);
        segments.iter().try_for_each(|segment| segment.close())?;
        if !segments.is_empty() {
            self.write_snapshot(state)?;
        }
        Ok(())
    }
}
