//! A consumer of bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backend::{Commit, ConsumerBackend, OffsetSpec, SeekTo};
use crate::details::after;
use crate::embedded::EmbeddedBroker;
use crate::error::ClientError;
use crate::factory::{Backends, Libraries};
use crate::native::consumer::{NativeConsumer, Start, Subscription};
use crate::options::{ClientOptions, ConsumerOptions};
use crate::record::{Record, TopicPartition};
use crate::runtime;

/// Where a partition that is given by hand is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At the first record that is still there.
    Earliest,
    /// Behind the last record.
    Latest,
    /// At this offset. Where there is no such offset, `auto_offset_reset` says what happens.
    Offset(i64),
    /// From what the group has committed, where the options name one and it has; else as `auto_offset_reset` says.
    Committed,
}

/// What a member of a group subscribes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topics {
    /// These topics, whether they exist yet or not.
    Named(Vec<String>),
    /// All topics whose whole names match this regular expression, those too that are created later.
    Matching(String),
}

/// Where reading of a partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The offset of the record that is handed out next.
    pub next: i64,
    /// How many offsets lie between that and the end of the log; none while the end is not known.
    pub lag: Option<i64>,
}

/// Reads records of bytes: of partitions that are given by hand, or as a member of a group. Dropped without being closed, it
/// ends without a word to its group.
#[derive(Debug)]
pub struct Consumer {
    backend: NativeConsumer,
    _broker: Option<EmbeddedBroker>,
}

impl Consumer {
    /// A reader of these partitions, and no member of any group. Where the options name a group, its committed offsets can be
    /// begun from, and are committed.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the options cannot be.
    pub fn assign(
        client: ClientOptions,
        options: ConsumerOptions,
        partitions: &[(TopicPartition, Begin)],
    ) -> Result<Consumer, ClientError> {
        let broker = Libraries.broker(&client.bootstrap)?;
        let start = |begin: Begin| match begin {
            Begin::Earliest => Start::At(SeekTo::Found(OffsetSpec::Earliest)),
            Begin::Latest => Start::At(SeekTo::Found(OffsetSpec::Latest)),
            Begin::Offset(offset) => Start::At(SeekTo::Offset(offset)),
            Begin::Committed => Start::Committed,
        };
        let assigned: Vec<_> =
            partitions.iter().map(|(partition, begin)| (partition.clone(), start(*begin))).collect();
        Ok(Consumer { backend: NativeConsumer::assign(client, options, &assigned)?, _broker: broker })
    }

    /// A member of the group that the options name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the options cannot be, or name no group;
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the pattern is none.
    pub fn subscribe(
        client: ClientOptions,
        options: ConsumerOptions,
        topics: &Topics,
    ) -> Result<Consumer, ClientError> {
        let subscription = match topics {
            Topics::Named(names) => {
                Subscription::Topics(names.iter().map(|name| Arc::from(name.as_str())).collect())
            }
            Topics::Matching(pattern) => Subscription::pattern(pattern)?,
        };
        let broker = Libraries.broker(&client.bootstrap)?;
        let backend = NativeConsumer::subscribe(client, options, subscription, None)?;
        Ok(Consumer { backend, _broker: broker })
    }

    /// The next record, if one is there; it counts as handed out. An error is told once; where
    /// [`is_retriable`](ClientError::is_retriable) says so, records may follow.
    #[inline]
    pub fn try_next(&self) -> Option<Result<Record, ClientError>> {
        self.backend.try_next()
    }

    /// As [`try_next`](Consumer::try_next), waiting for so long.
    pub fn next(&self, within: Duration) -> Option<Result<Record, ClientError>> {
        self.backend.arrived().wait(Some(after(within)), || self.backend.try_next())
    }

    /// Where reading stands, for each partition where that is known. Records that were fetched and not handed out lie ahead.
    pub fn positions(&self) -> Vec<(TopicPartition, Position)> {
        let of = |(partition, at): (_, crate::backend::Position)| {
            (partition, Position { next: at.next, lag: at.lag })
        };
        self.backend.positions().into_iter().map(of).collect()
    }

    /// Why no broker can be asked, where the last attempt to has failed. It goes by itself when one answers.
    pub fn trouble(&self) -> Option<ClientError> {
        self.backend.trouble()
    }

    /// Whether an error that has been told, and may pass, still keeps records from coming.
    pub fn is_in_trouble(&self) -> bool {
        self.backend.is_in_trouble()
    }

    /// The partitions that are read, whether their positions are known yet or not.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.backend.assignment()
    }

    /// Hands nothing more out of these partitions.
    pub fn pause(&self, partitions: &[TopicPartition]) {
        self.backend.pause(Some(partitions));
    }

    /// Commits the positions of everything that was handed out.
    ///
    /// # Errors
    /// What the broker says; [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) without a group.
    pub fn commit(&self) -> Result<(), ClientError> {
        runtime::block_on(self.backend.commit(Commit::HandedOut))?
    }

    /// Commits what was handed out where commits are automatic, leaves the group, and ends.
    ///
    /// # Errors
    /// If the last commit failed.
    pub fn close(&self, within: Duration) -> Result<(), ClientError> {
        runtime::block_on(self.backend.close(Instant::now() + within.min(LONGEST_CLOSE)))?
    }
}

/// Longer nobody waits for an end.
const LONGEST_CLOSE: Duration = Duration::from_secs(3600);
