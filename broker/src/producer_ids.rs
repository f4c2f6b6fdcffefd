//! Producer ids: given out once in the life of a data folder, in blocks that the metadata journal remembers.

use klamm_storage::AppendError;
use parking_lot::Mutex;

use crate::metadata::{MetadataJournal, MetadataRecord};

/// Ids that are remembered as given out at once; what is left of a block is lost with a restart.
const BLOCK: i64 = 1000;

/// Gives out producer ids, from 0 up.
#[derive(Default)]
pub(crate) struct ProducerIds {
    block: Mutex<Block>,
}

#[derive(Default)]
struct Block {
    next: i64,
    end: i64,
}

impl ProducerIds {
    /// Goes on from where the journal has got to.
    pub(crate) fn restore(&self, next: i64) {
        *self.block.lock() = Block { next, end: next };
    }

    /// The id that comes next.
    pub(crate) fn peek(&self) -> i64 {
        self.block.lock().next
    }

    /// An id that no producer has had before.
    ///
    /// # Errors
    /// If the journal cannot remember the next block.
    pub(crate) fn next(&self, journal: &MetadataJournal, now_ms: i64) -> Result<i64, AppendError> {
        let mut block = self.block.lock();
        if block.next >= block.end {
            let end = block.next.saturating_add(BLOCK);
            journal.append(vec![MetadataRecord::ProducerIds { next: end }], now_ms)?;
            block.end = end;
        }
        block.next += 1;
        Ok(block.next - 1)
    }
}
