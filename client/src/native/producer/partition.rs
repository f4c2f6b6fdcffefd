//! The records of a partition that the sender has not taken yet: a batch that is being filled, and full ones.
//!
//! Knows nothing of topics and of what is under way.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use klamm_protocol::batch::{BatchBuilder, HEADER_BYTES, RecordParts};
use parking_lot::{Mutex, MutexGuard};

use super::batch::Filling;
use super::budget::Budget;
use super::numbers::NUMBER_OVERHEAD;
use super::settings::Settings;
use crate::backend::Report;

/// What a report costs: the box, what it holds, and its place.
pub(super) const REPORT_OVERHEAD: usize = 96;

/// A batch's share of memory grows by so much.
const CHARGE_STEP: usize = 4096;

/// A partition's next batch gets this much room at least.
const LEAST_BUFFER: usize = 512;

/// A partition's records that the sender has not taken yet.
#[derive(Debug)]
pub(super) struct Partition {
    /// The sender's number for it.
    pub(super) track: usize,
    pub(super) number: i32,
    queue: Mutex<Queue>,
    /// Records accepted so far; written under the lock.
    accepted: AtomicU64,
    /// Records settled so far; written by the sender.
    settled: AtomicU64,
}

#[derive(Debug)]
struct Queue {
    /// Takes records.
    open: Option<Filling>,
    /// Take no more, oldest first.
    closed: VecDeque<Filling>,
    /// The sender knows that there is something.
    told: bool,
    /// The sender knows that there is something closed.
    told_closed: bool,
    /// Bytes of records without a key since the partition was chosen for them.
    sticky_bytes: usize,
    /// What the last batch came to: the next may be like it.
    usual: usize,
}

/// What the sender sees of a partition's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peek {
    Nothing,
    /// A batch that takes no more, of this size.
    Closed(usize),
    /// A batch that still takes records: its age, and its size.
    Open(Instant, usize),
}

/// A record that is to be taken in.
pub(super) struct Offer<'a> {
    pub(super) parts: RecordParts<'a>,
    pub(super) report: Option<Report>,
    /// Its number among its sender's.
    pub(super) number: Option<u64>,
    /// The time, where it is needed.
    pub(super) now: &'a dyn Fn() -> Instant,
    pub(super) settings: &'a Settings,
    pub(super) budget: &'a Budget,
}

impl Offer<'_> {
    /// What it takes beside its bytes.
    #[inline]
    fn overhead(&self) -> usize {
        let report = if self.report.is_some() { REPORT_OVERHEAD } else { 0 };
        if self.number.is_some() { report + NUMBER_OVERHEAD } else { report }
    }

    /// By how much a batch's share of memory grows.
    #[inline]
    fn step(&self) -> usize {
        CHARGE_STEP.min(self.settings.batch_size)
    }
}

/// What became of a record.
pub(super) enum Put {
    /// It was taken in.
    Done,
    /// It was taken in, and the sender has to be told.
    Tell,
    /// There is no room.
    Full,
    /// A batch has ended, or enough has gone here: the next partition's turn. True if the sender has to be told.
    Elsewhere(bool),
}

impl Partition {
    pub(super) fn new(track: usize, number: i32) -> Self {
        let queue = Queue {
            open: None,
            closed: VecDeque::new(),
            told: false,
            told_closed: false,
            sticky_bytes: 0,
            usual: LEAST_BUFFER,
        };
        Partition {
            track,
            number,
            queue: Mutex::new(queue),
            accepted: AtomicU64::new(0),
            settled: AtomicU64::new(0),
        }
    }

    /// Counts a record as accepted. To be called with the queue locked.
    #[inline]
    fn count_one(&self) {
        self.accepted.store(self.accepted.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Records that were accepted and are not settled.
    pub(super) fn outstanding(&self) -> usize {
        // In this order: what is settled has been accepted before.
        let settled = self.settled.load(Ordering::Acquire);
        let accepted = self.accepted.load(Ordering::Acquire);
        usize::try_from(accepted.saturating_sub(settled)).unwrap_or(usize::MAX)
    }

    pub(super) fn peek(&self) -> Peek {
        let queue = self.queue.lock();
        match (queue.closed.front(), &queue.open) {
            (Some(closed), _) => Peek::Closed(closed.builder.size()),
            (None, Some(open)) => Peek::Open(open.created, open.builder.size()),
            (None, None) => Peek::Nothing,
        }
    }

    /// The oldest batch, even if it could take more.
    pub(super) fn take(&self) -> Option<Filling> {
        let mut queue = self.queue.lock();
        let taken = queue.closed.pop_front().or_else(|| queue.open.take());
        if let Some(taken) = &taken {
            queue.usual = taken.builder.size().max(queue.usual / 2);
        }
        queue.told_closed = !queue.closed.is_empty();
        queue.told = queue.told_closed || queue.open.is_some();
        taken
    }

    /// When the oldest record was accepted.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let queue = self.queue.lock();
        queue.closed.front().or(queue.open.as_ref()).map(|filling| filling.created)
    }

    /// Has the batch that is being filled go out as it is.
    pub(super) fn cut(&self) {
        let mut queue = self.queue.lock();
        if let Some(open) = queue.open.take() {
            queue.closed.push_back(open);
            queue.told_closed = true;
        }
    }

    /// Encodes a record into its partition's batch. `sticky`: it may as well go elsewhere.
    #[inline]
    pub(super) fn put(&self, offer: &mut Offer<'_>, sticky: bool) -> Put {
        let mut queue = self.queue.lock();
        if let Some(open) = &mut queue.open {
            let measured = open.builder.measure(&offer.parts);
            if open.builder.size() + measured.size <= offer.settings.batch_size {
                if !open.charge(measured.size + offer.overhead(), offer.step(), offer.budget) {
                    return Put::Full;
                }
                open.push(&offer.parts, measured, &mut offer.report, offer.number);
                let full = open.builder.count() >= offer.settings.batch_records;
                queue.sticky_bytes += measured.size;
                self.count_one();
                return if full { Self::end_full(queue) } else { Put::Done };
            }
        }
        self.put_first(queue, offer, sticky)
    }

    /// Ends a batch that has as many records as it may have.
    #[cold]
    fn end_full(mut queue: MutexGuard<'_, Queue>) -> Put {
        let mut tell = false;
        queue.end_open(&mut tell);
        if tell { Put::Tell } else { Put::Done }
    }

    /// Goes on with a new batch, or elsewhere.
    fn put_first(&self, mut queue: MutexGuard<'_, Queue>, offer: &mut Offer<'_>, sticky: bool) -> Put {
        let mut tell = false;
        let ended = queue.end_open(&mut tell);
        if sticky && (ended || queue.sticky_bytes >= offer.settings.batch_size) {
            queue.sticky_bytes = 0;
            return Put::Elsewhere(tell);
        }
        // Where there is no room the sender is told in any case.
        let Some(filling) = self.first(&queue, offer) else { return Put::Full };
        let (size, count) = (filling.builder.size(), filling.builder.count());
        queue.sticky_bytes += size - HEADER_BYTES;
        queue.open = Some(filling);
        self.count_one();
        tell |= !std::mem::replace(&mut queue.told, true);
        if size >= offer.settings.batch_size || count >= offer.settings.batch_records {
            queue.end_open(&mut tell);
        }
        if tell { Put::Tell } else { Put::Done }
    }

    /// A batch with this record, if there is room for it.
    fn first(&self, queue: &Queue, offer: &mut Offer<'_>) -> Option<Filling> {
        let (settings, budget) = (offer.settings, offer.budget);
        let size = offer.parts.size_alone();
        let used = size + offer.overhead();
        let mut charged = used.max(offer.step());
        if !budget.take(charged) {
            charged = used;
            if !budget.take(charged) {
                return None;
            }
        }
        let most = settings.batch_size.max(LEAST_BUFFER);
        let buffer = budget.buffer(queue.usual.clamp(LEAST_BUFFER, most).max(size));
        let number = self.accepted.load(Ordering::Relaxed);
        let mut filling = Filling::new(BatchBuilder::new(buffer), number, (offer.now)(), charged, used);
        let measured = filling.builder.measure(&offer.parts);
        filling.push(&offer.parts, measured, &mut offer.report, offer.number);
        Some(filling)
    }

    /// Counts records as settled. True if none is left that is not.
    pub(super) fn settle(&self, records: u64) -> bool {
        self.settled.fetch_add(records, Ordering::SeqCst);
        self.outstanding() == 0
    }
}

impl Queue {
    /// Ends the batch that is being filled, if there is one. Sets `tell` if the sender has to be told.
    fn end_open(&mut self, tell: &mut bool) -> bool {
        let Some(open) = self.open.take() else { return false };
        self.closed.push_back(open);
        *tell |= !std::mem::replace(&mut self.told_closed, true);
        self.told = true;
        true
    }
}
