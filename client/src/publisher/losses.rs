//! What could not be delivered: counted, and kept as far as there is room.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::backend::OnUndelivered;
use crate::metrics::PublisherMeters;
use crate::record::Undelivered;

/// Most undelivered records that are kept, and most bytes of them. Beyond that they are counted, and told of in the log.
const MOST_KEPT: usize = 10_000;
const MOST_BYTES: usize = 32 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Losses {
    publisher: String,
    count: AtomicU64,
    kept: Mutex<Kept>,
    meters: PublisherMeters,
}

#[derive(Debug, Default)]
struct Kept {
    records: Vec<Undelivered>,
    bytes: usize,
}

impl Losses {
    pub(crate) fn new(publisher: &str, meters: PublisherMeters) -> Self {
        Losses { publisher: publisher.to_owned(), count: AtomicU64::new(0), kept: Mutex::default(), meters }
    }

    /// How many accepted records could not be delivered.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts one whose report went to whoever waits for it.
    pub(crate) fn count_reported(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.meters.failed.increment(1);
    }

    /// Those that were kept, and keeps them.
    pub(crate) fn kept(&self) -> Vec<Undelivered> {
        self.kept.lock().records.clone()
    }

    /// Those that were kept, and keeps them no longer.
    pub(crate) fn take(&self) -> Vec<Undelivered> {
        std::mem::take(&mut *self.kept.lock()).records
    }
}

fn size(record: &Undelivered) -> usize {
    let part = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    part(&record.key)
        + part(&record.value)
        + record.headers.iter().map(|(name, value)| name.len() + part(value)).sum::<usize>()
}

impl OnUndelivered for Losses {
    fn undelivered(&self, records: Vec<Undelivered>) {
        let Some(first) = records.first() else { return };
        let many = u64::try_from(records.len()).unwrap_or(u64::MAX);
        self.count.fetch_add(many, Ordering::Relaxed);
        self.meters.failed.increment(many);
        tracing::warn!(publisher = %self.publisher, records = many, reason = %first.reason, "records were not delivered");
        let mut kept = self.kept.lock();
        let mut dropped = 0_u64;
        for record in records {
            let bytes = size(&record);
            if kept.records.len() < MOST_KEPT && kept.bytes.saturating_add(bytes) <= MOST_BYTES {
                kept.bytes += bytes;
                kept.records.push(record);
            } else {
                dropped += 1;
            }
        }
        drop(kept);
        if dropped > 0 {
            tracing::error!(publisher = %self.publisher, records = dropped, "undelivered records are counted and no longer kept: {MOST_KEPT} or {MOST_BYTES} bytes of them wait to be taken");
        }
    }
}
