//! A batch on its way: filled, sealed, sent, sent again, split, settled.
//!
//! Knows nothing of partitions' queues and of brokers.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use klamm_protocol::batch::builder::Measured;
use klamm_protocol::batch::compression::Levels;
use klamm_protocol::batch::{
    self, Batch as RecordBatch, BatchBuilder, BatchHeader, ClosedBatch, Codec, RecordParts,
};

use super::budget::Budget;
use super::numbers::Numbers;
use crate::backend::Report;
use crate::error::ClientError;
use crate::record::{Delivered, Undelivered};

/// A record that somebody wants to hear of.
pub(super) struct Reporting {
    /// Its place in the batch.
    pub(super) index: i32,
    pub(super) timestamp: i64,
    pub(super) report: Report,
}

impl std::fmt::Debug for Reporting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reporting").field("index", &self.index).finish_non_exhaustive()
    }
}

/// A batch that is being filled, or waits to be taken.
#[derive(Debug)]
pub(super) struct Filling {
    pub(super) builder: BatchBuilder,
    /// How many records its partition had accepted before it: gives the order of batches.
    pub(super) number: u64,
    /// When its first record was accepted.
    pub(super) created: Instant,
    reports: Vec<Reporting>,
    numbers: Numbers,
    /// Its share of the memory, and how much of that is used.
    charged: usize,
    used: usize,
}

impl Filling {
    /// Of an empty `builder`, with `charged` bytes of memory, of which `used` are spoken for.
    pub(super) fn new(
        builder: BatchBuilder,
        number: u64,
        created: Instant,
        charged: usize,
        used: usize,
    ) -> Self {
        let (reports, numbers) = (Vec::new(), Numbers::default());
        Filling { builder, number, created, reports, numbers, charged, used }
    }

    /// Takes so many bytes of its share, which grows by a `step` at a time.
    #[inline]
    pub(super) fn charge(&mut self, bytes: usize, step: usize, budget: &Budget) -> bool {
        let used = self.used + bytes;
        if used > self.charged {
            let missing = used - self.charged;
            if budget.take(missing.max(step)) {
                self.charged += missing.max(step);
            } else if budget.take(missing) {
                self.charged += missing;
            } else {
                return false;
            }
        }
        self.used = used;
        true
    }

    #[inline]
    pub(super) fn push(
        &mut self,
        record: &RecordParts<'_>,
        measured: Measured,
        report: &mut Option<Report>,
        number: Option<u64>,
    ) {
        if let Some(number) = number {
            self.numbers.push(self.builder.count(), number);
        }
        if let Some(report) = report.take() {
            let index = self.builder.count();
            self.reports.push(Reporting { index, timestamp: record.timestamp, report });
        }
        self.builder.push(record, measured);
    }
}

/// Which producer sends a batch, and its first record's number among those of that producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    pub(super) sequence: i32,
}

/// A batch that takes no more records.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) number: u64,
    pub(super) created: Instant,
    pub(super) count: i32,
    /// How often it has been sent for nothing.
    pub(super) attempts: u32,
    /// Where it stands among what an idempotent producer sends; none until it is sent, and again after a new epoch.
    pub(super) stamp: Option<Stamp>,
    /// How many batches of the partition had got a stamp before it got its own.
    pub(super) ordinal: u64,
    /// The broker may have got it under its present stamp, and nobody knows.
    pub(super) in_doubt: bool,
    /// Why it was not delivered the last time.
    pub(super) last_error: Option<ClientError>,
    content: Content,
    reports: Vec<Reporting>,
    numbers: Numbers,
    charged: usize,
    raw_size: usize,
}

/// The bytes of a batch, before they are sent for the first time and after.
#[derive(Debug)]
enum Content {
    Closed(ClosedBatch),
    Sent(Bytes, Option<Stamp>),
}

impl Batch {
    /// Compresses what was filled.
    pub(super) fn seal(filling: Filling, codec: Codec, budget: &Budget, usual: usize) -> Self {
        let (batch, unused) = Batch::close(filling, codec);
        if let Some(buffer) = unused {
            budget.recycle(buffer, usual);
        }
        batch
    }

    /// What was filled, not to be sent.
    pub(super) fn uncompressed(filling: Filling) -> Self {
        Batch::close(filling, Codec::None).0
    }

    fn close(filling: Filling, codec: Codec) -> (Self, Option<Vec<u8>>) {
        let (count, raw_size) = (filling.builder.count(), filling.builder.size());
        let (closed, unused) = filling.builder.close(codec, &Levels::default());
        let batch = Batch {
            number: filling.number,
            created: filling.created,
            count,
            attempts: 0,
            stamp: None,
            ordinal: 0,
            in_doubt: false,
            last_error: None,
            content: Content::Closed(closed),
            reports: filling.reports,
            numbers: filling.numbers,
            charged: filling.charged,
            raw_size,
        };
        (batch, unused)
    }

    /// Its bytes as they are sent, or before compression where it has not been sent: at least about what it will be.
    pub(super) fn size(&self) -> usize {
        match &self.content {
            Content::Closed(closed) => closed.size(),
            Content::Sent(bytes, _) => bytes.len(),
        }
    }

    /// The batch with its stamp, to be sent.
    pub(super) fn bytes(&mut self) -> Bytes {
        let placeholder = Content::Sent(Bytes::new(), None);
        let closed = match std::mem::replace(&mut self.content, placeholder) {
            Content::Sent(bytes, stamp) if stamp == self.stamp => {
                self.content = Content::Sent(bytes.clone(), stamp);
                return bytes;
            }
            Content::Sent(bytes, _) => ClosedBatch::again(bytes).expect("this client has made the batch"),
            Content::Closed(closed) => closed,
        };
        let mut closed = closed;
        let none = Stamp { producer_id: -1, epoch: -1, sequence: -1 };
        let stamp = self.stamp.unwrap_or(none);
        closed.set_producer(stamp.producer_id, stamp.epoch, stamp.sequence);
        let bytes = closed.into_bytes();
        self.content = Content::Sent(bytes.clone(), self.stamp);
        bytes
    }

    /// Says that it is delivered. `offset` is that of its first record, or -1; `log_time` replaces the records' own times.
    pub(super) fn delivered(
        self,
        topic: &Arc<str>,
        partition: i32,
        offset: i64,
        log_time: Option<i64>,
        budget: &Budget,
        usual: usize,
    ) {
        for Reporting { index, timestamp, report } in self.reports {
            let offset = if offset < 0 { -1 } else { offset.saturating_add(i64::from(index)) };
            let timestamp = log_time.unwrap_or(timestamp);
            report(Ok(Delivered { topic: Arc::clone(topic), partition, offset, timestamp }));
        }
        if let Content::Sent(bytes, _) = self.content
            && bytes.is_unique()
        {
            budget.recycle(Vec::from(bytes), usual);
        }
        budget.give(self.charged);
    }

    /// The numbers that its records' sender has given them, in order; none where it has given none. What is reported has no
    /// number.
    pub(super) fn numbers(&self) -> Vec<u64> {
        if self.numbers.is_empty() {
            return Vec::new();
        }
        let mut reported = self.reports.iter().map(|reporting| reporting.index).peekable();
        (0..self.count)
            .filter(|index| reported.next_if_eq(index).is_none())
            .filter_map(|index| self.numbers.of(index))
            .collect()
    }

    /// Says that it is given up. What has a number is told by it. What nobody wants a report of comes back.
    pub(super) fn given_up(
        mut self,
        topic: &Arc<str>,
        partition: i32,
        reason: &ClientError,
        budget: &Budget,
    ) -> Vec<Undelivered> {
        let mut undelivered = Vec::new();
        if self.numbers.is_empty() && self.reports.len() < usize::try_from(self.count).unwrap_or(0) {
            let records = self.records();
            let mut reported = self.reports.iter().map(|reporting| reporting.index).peekable();
            for (index, record) in (0_i32..).zip(records) {
                if reported.next_if_eq(&index).is_some() {
                    continue;
                }
                undelivered.push(Undelivered {
                    topic: Arc::clone(topic),
                    partition: Some(partition),
                    key: record.key,
                    value: record.value,
                    headers: record.headers,
                    timestamp: record.timestamp,
                    reason: reason.clone(),
                });
            }
        }
        for reporting in std::mem::take(&mut self.reports) {
            (reporting.report)(Err(reason.clone()));
        }
        budget.give(self.charged);
        undelivered
    }

    /// What was put in.
    fn records(&mut self) -> Vec<batch::Record> {
        let bytes = self.bytes();
        let header = BatchHeader::read(&bytes).expect("this client has made the batch");
        let mut records = Vec::new();
        batch::for_each_record(&RecordBatch { header, bytes }, |record| {
            records.push(record);
            ControlFlow::Continue(())
        })
        .expect("this client has made the batch");
        records
    }

    /// Two or more batches in the place of this one, of half the size at the most where records allow. It has to have more
    /// than one record.
    pub(super) fn split(mut self, codec: Codec, budget: &Budget) -> Vec<Batch> {
        let most = self.raw_size / 2;
        let records = self.records();
        let mut reports = std::mem::take(&mut self.reports).into_iter().peekable();
        let mut parts: Vec<Filling> = Vec::new();
        for (index, record) in (0_i32..).zip(&records) {
            let put = RecordParts {
                timestamp: record.timestamp,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                headers: &record.headers,
            };
            let fits = |part: &Filling| part.builder.size() + part.builder.measure(&put).size <= most;
            if !parts.last().is_some_and(fits) {
                let number = self.number + u64::from(index.unsigned_abs());
                parts.push(Filling::new(BatchBuilder::new(Vec::new()), number, self.created, 0, 0));
            }
            if let Some(part) = parts.last_mut() {
                let measured = part.builder.measure(&put);
                let mut report = reports.next_if(|reporting| reporting.index == index).map(|it| it.report);
                let number = if report.is_some() { None } else { self.numbers.of(index) };
                part.push(&put, measured, &mut report, number);
            }
        }
        self.share_out(parts, codec, budget)
    }

    /// Gives the parts what the whole had: its memory, its attempts, its place in the sequence.
    fn share_out(self, parts: Vec<Filling>, codec: Codec, budget: &Budget) -> Vec<Batch> {
        let mut left = self.charged;
        let last = parts.len().saturating_sub(1);
        let share = |(at, mut part): (usize, Filling)| {
            part.charged = if at == last { left } else { part.builder.size().min(left) };
            left -= part.charged;
            let mut batch = Batch::seal(part, codec, budget, 0);
            (batch.attempts, batch.ordinal, batch.in_doubt) = (self.attempts, self.ordinal, self.in_doubt);
            batch.last_error = self.last_error.clone();
            let before = i32::try_from(batch.number - self.number).unwrap_or(i32::MAX);
            batch.stamp = self.stamp.map(|stamp| Stamp {
                sequence: batch::header::later_sequence(stamp.sequence, before),
                ..stamp
            });
            batch
        };
        parts.into_iter().enumerate().map(share).collect()
    }
}
