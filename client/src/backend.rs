//! What a library must do for a publisher and for a subscriber: the seam between them and `native` or `rdkafka`.
//!
//! Nothing here blocks. Whoever wants to wait does so on a [`Signal`], from a thread or from a task.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::error::ClientError;
use crate::record::{Delivered, Record, TopicPartition, Undelivered};
use crate::signal::Signal;

/// A future behind a trait object. It may be awaited anywhere: it does not depend on the runtime that polls it.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A record to be sent. Its parts are copied into a batch when it is accepted.
#[derive(Debug, Clone, Copy)]
pub struct RecordToSend<'a> {
    /// The topic. The same `Arc` each time is found fastest.
    pub topic: &'a Arc<str>,
    /// The partition; none leaves the choice to the partitioner.
    pub partition: Option<i32>,
    /// The key, where there is one.
    pub key: Option<&'a [u8]>,
    /// The value; none makes it a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [(String, Option<Bytes>)],
    /// Milliseconds since 1970; none takes the present time.
    pub timestamp: Option<i64>,
}

/// Told once, on a thread of the library's, what became of a record. It must not block.
pub(crate) type Report = Box<dyn FnOnce(Result<Delivered, ClientError>) + Send>;

/// Why a record was not accepted.
pub(crate) enum Refused {
    /// There is no room now. The report comes back unused; try again when [`ProducerBackend::room`] is raised.
    Full(Option<Report>),
    /// It can never be sent as it is.
    Never(ClientError),
}

/// Told of records without a report that could not be delivered. Called on a thread of the library's; must not block.
pub(crate) trait OnUndelivered: Send + Sync + std::fmt::Debug {
    fn undelivered(&self, records: Vec<Undelivered>);

    /// Told of records that their sender has given numbers: of these alone, without their contents. Only who gives numbers
    /// is told.
    fn lost(&self, numbers: Vec<u64>, reason: &ClientError) {
        tracing::error!(records = numbers.len(), %reason, "records were lost that nobody asked about");
    }
}

/// A library's producer.
pub(crate) trait ProducerBackend: Send + Sync + std::fmt::Debug {
    /// Accepts a record for sending, or says why not. Order within a partition is that of acceptance.
    fn send(&self, record: &RecordToSend<'_>, report: Option<Report>) -> Result<(), Refused>;

    /// Raised when there may be room again.
    fn room(&self) -> &Signal;

    /// Sends what waits without lingering.
    fn hurry(&self);

    /// Records that were accepted and are neither acknowledged nor given up.
    fn unacknowledged(&self) -> usize;

    /// Raised when [`unacknowledged`](ProducerBackend::unacknowledged) may have become 0.
    fn settled(&self) -> &Signal;

    /// Sends what waits, until the deadline, gives the rest up (through reports and [`OnUndelivered`]), and ends.
    fn close(&self, deadline: Instant) -> BoxFuture<'_, ()>;
}

/// What of a consumer's partitions is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetSpec {
    Earliest,
    Latest,
    /// Of the first record at or after this time in milliseconds since 1970.
    AtTime(i64),
}

/// Where reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeekTo {
    Offset(i64),
    Found(OffsetSpec),
}

/// An offset for each partition; none where there is none.
pub(crate) type Offsets = Vec<(TopicPartition, Option<i64>)>;

/// What is committed.
#[derive(Debug, Clone)]
pub(crate) enum Commit {
    /// Everything that was handed out.
    HandedOut,
    /// The offsets to go on from: one more than that of the last record that is done.
    Offsets(Vec<(TopicPartition, i64)>),
}

/// Told of rebalances, on a thread of the library's, before partitions are read from or given up. It may take a while, but
/// no longer than the group's time-outs allow.
pub trait RebalanceListener: Send + Sync + std::fmt::Debug {
    /// The group has given these partitions to this member, beside those that it keeps.
    fn assigned(&self, partitions: &[TopicPartition]);
    /// These partitions are about to go to another member. What was handed out of them has not been committed yet where
    /// commits are manual: this is the last moment to do so.
    fn revoked(&self, partitions: &[TopicPartition]);
    /// These partitions have gone already: the group gave this member up. Nothing can be committed any more.
    fn lost(&self, partitions: &[TopicPartition]);
}

/// What there is to know of a partition that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The offset of the record that is handed out next.
    pub(crate) next: i64,
    /// How many records lie between that and the end of the log; none while the end is not known.
    pub(crate) lag: Option<i64>,
}

/// A library's consumer, a member of its group from its creation on.
pub(crate) trait ConsumerBackend: Send + Sync + std::fmt::Debug {
    /// The next record, if one is there; it counts as handed out. An error is told once; where it does not end the
    /// consumer ([`ClientError::is_retriable`]), records follow.
    fn try_next(&self) -> Option<Result<Record, ClientError>>;

    /// Raised when [`try_next`](ConsumerBackend::try_next) may give something.
    fn arrived(&self) -> &Signal;

    /// Records that wait to be handed out.
    fn depth(&self) -> usize;

    fn commit(&self, what: Commit) -> BoxFuture<'_, Result<(), ClientError>>;

    /// The partitions that are this member's now.
    fn assignment(&self) -> Vec<TopicPartition>;

    /// Raised when the assignment has changed.
    fn assigned(&self) -> &Signal;

    /// Where reading stands, for each assigned partition.
    fn positions(&self) -> Vec<(TopicPartition, Position)>;

    /// Goes on reading elsewhere; records that were fetched and not handed out are dropped. Without partitions: in all
    /// that are assigned.
    fn seek(
        &self,
        partitions: Option<Vec<TopicPartition>>,
        to: SeekTo,
    ) -> BoxFuture<'_, Result<(), ClientError>>;

    /// Stops handing records of these partitions out (of all, if none are named) until they are resumed.
    fn pause(&self, partitions: Option<&[TopicPartition]>);
    fn resume(&self, partitions: Option<&[TopicPartition]>);

    /// The committed offset of each, where there is one.
    fn committed(&self, partitions: Vec<TopicPartition>) -> BoxFuture<'_, Result<Offsets, ClientError>>;

    /// Offsets of these partitions; none where there is no record at or after the time.
    fn offsets(
        &self,
        partitions: Vec<TopicPartition>,
        spec: OffsetSpec,
    ) -> BoxFuture<'_, Result<Offsets, ClientError>>;

    /// Commits what was handed out where commits are automatic, leaves the group, and ends.
    fn close(&self, deadline: Instant) -> BoxFuture<'_, Result<(), ClientError>>;
}
