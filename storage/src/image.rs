//! What a log held at one moment: immutable, shared by the log itself, by snapshots, and by logs made of them.
//!
//! How it looks in a file is [`file`]'s matter. Knows nothing of topics or brokers.

mod file;

use bytes::Bytes;

use crate::epochs::LeaderEpochs;
use crate::log::Segments;
use crate::producer::Producers;

pub use file::ImageError;

/// What a log held at one moment. Taken by [`LogManager::freeze`](crate::LogManager::freeze);
/// [`LogManager::open_image`](crate::LogManager::open_image) makes a log of it.
pub struct LogImage {
    /// None of them is appended to any more.
    pub(crate) segments: Segments,
    pub(crate) log_start: i64,
    pub(crate) log_end: i64,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) producers: Producers,
}

impl LogImage {
    /// What a log holds that was never written to.
    pub fn empty() -> LogImage {
        let mut epochs = LeaderEpochs::default();
        epochs.assign(0, 0);
        let (segments, producers) = Default::default();
        LogImage { segments, log_start: 0, log_end: 0, epochs, producers }
    }

    /// The first offset that could be read.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start
    }

    /// The offset that the next record would have got.
    pub fn log_end_offset(&self) -> i64 {
        self.log_end
    }

    /// The bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len() as u64).sum()
    }

    /// The batches of each segment, as they lie in the log and without a copy.
    ///
    /// # Errors
    /// If a file cannot be mapped.
    pub fn segments(&self) -> std::io::Result<Vec<Bytes>> {
        self.segments.iter().map(|segment| segment.all_bytes()).collect()
    }
}

impl std::fmt::Debug for LogImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogImage({}..{})", self.log_start, self.log_end)
    }
}
