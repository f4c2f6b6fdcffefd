//! The journal of a run: every request in the order in which the broker took them, with the clock and the answers, so that
//! the run can be had again.
//!
//! A journal is text: a first line that says how the broker was started, then one line of JSON for each step. A step is
//! whatever moves the broker: a request that comes, one that goes on after it has waited, time that falls due, a
//! command of the test. While a journal is kept the broker takes one step at a time, and its clock stands still during a
//! step; that is what makes the same steps give the same bytes.

mod entry;
mod recorder;
mod replay;

use std::path::{Path, PathBuf};

pub(crate) use entry::{Command, Head};
pub use entry::{Journal, JournalError};
pub(crate) use recorder::{Recorder, Turn};
pub use replay::{Difference, Replay};

use crate::server::Broker;

/// What a journal in memory may take, where nothing else is said: some hundred thousand small requests.
pub const JOURNAL_MEMORY_BYTES: u64 = 64 * 1024 * 1024;

/// What a journal in a file may take, where nothing else is said.
pub const JOURNAL_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Where a journal is kept, and how long it may become. See [`BrokerBuilder::journal`](crate::BrokerBuilder::journal).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOptions {
    pub(crate) file: Option<PathBuf>,
    pub(crate) limit: u64,
}

impl JournalOptions {
    /// In memory, up to [`JOURNAL_MEMORY_BYTES`]; [`Broker::journal`] gives it.
    pub fn memory() -> Self {
        JournalOptions { file: None, limit: JOURNAL_MEMORY_BYTES }
    }

    /// In a file, which is written anew, up to [`JOURNAL_FILE_BYTES`]. What has been answered is in it, also where the
    /// process is killed.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        JournalOptions { file: Some(path.into()), limit: JOURNAL_FILE_BYTES }
    }

    /// Up to so many bytes. What comes after them is not journaled, and the journal says so: a replay goes as far as it
    /// does.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }
}

impl Broker {
    /// The journal of this run so far.
    ///
    /// # Errors
    /// If the broker was started without one, or its file cannot be read.
    pub fn journal(&self) -> Result<Journal, JournalError> {
        self.plan.hand.recorder.as_ref().ok_or(JournalError::NotKept)?.read()
    }
}

/// Reads a journal from a file.
fn read_file(path: &Path) -> Result<String, JournalError> {
    std::fs::read_to_string(path)
        .map_err(|why| JournalError::File { path: path.to_owned(), why: why.to_string() })
}
