//! Where a subscriber stands: commits, seeking, pausing.

use std::time::Duration;

use serde::Serialize;
use tracing::Instrument;

use super::Subscriber;
use crate::backend::{BoxFuture, OffsetSpec, SeekTo};
use crate::details::after;
use crate::error::{ClientError, ErrorKind};
use crate::record::{Record, TopicPartition};
use crate::runtime;

/// Where reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum StartAt {
    /// At the first record that is still there.
    Earliest,
    /// Behind the last record.
    Latest,
    /// At this offset.
    Offset(i64),
    /// At the first record with this timestamp or a later one, in milliseconds since 1970; behind the last record if
    /// there is none.
    Time(i64),
}

impl StartAt {
    fn seek_to(self) -> SeekTo {
        match self {
            StartAt::Earliest => SeekTo::Found(OffsetSpec::Earliest),
            StartAt::Latest => SeekTo::Found(OffsetSpec::Latest),
            StartAt::Offset(offset) => SeekTo::Offset(offset),
            StartAt::Time(milliseconds) => SeekTo::Found(OffsetSpec::AtTime(milliseconds)),
        }
    }

    fn check(self, asked: &str) -> Result<(), ClientError> {
        match self {
            StartAt::Offset(number) | StartAt::Time(number) if number < 0 => {
                Err(ClientError::new(ErrorKind::InvalidArgument, asked, format!("{number} is negative"))
                    .remedy("offsets and times count from 0"))
            }
            _ => Ok(()),
        }
    }
}

impl<C> Subscriber<C> {
    /// Commits everything that was handed out. For use with `enable_auto_commit` set to false: committing only after the
    /// work is done loses nothing when the program dies in between.
    ///
    /// # Errors
    /// What the broker says; a commit during a rebalance is refused, and what was handed out may be handed out again to
    /// whoever has the partition now. [`ErrorKind::NotRunning`] if it is not running.
    pub fn commit(&self) -> Result<(), ClientError> {
        runtime::block_on(self.commit_async())?
    }

    /// As [`commit`](Subscriber::commit), for a task.
    ///
    /// # Errors
    /// As [`commit`](Subscriber::commit).
    pub async fn commit_async(&self) -> Result<(), ClientError> {
        self.core.commit(None).instrument(self.commit_span()).await
    }

    /// Commits everything of the record's partition up to this record, itself included.
    ///
    /// # Errors
    /// As [`commit`](Subscriber::commit).
    pub fn commit_record(&self, record: &Record) -> Result<(), ClientError> {
        runtime::block_on(self.commit_record_async(record))?
    }

    /// As [`commit_record`](Subscriber::commit_record), for a task.
    ///
    /// # Errors
    /// As [`commit`](Subscriber::commit).
    pub async fn commit_record_async(&self, record: &Record) -> Result<(), ClientError> {
        let place = TopicPartition { topic: record.topic.clone(), partition: record.partition };
        let offsets = vec![(place, record.offset.saturating_add(1))];
        self.core.commit(Some(offsets)).instrument(self.commit_span()).await
    }

    /// Commits up to these records, the last that are done of each partition.
    pub(crate) async fn commit_up_to(&self, last: &[Record]) -> Result<(), ClientError> {
        let offsets = last.iter().map(|record| {
            let place = TopicPartition { topic: record.topic.clone(), partition: record.partition };
            (place, record.offset.saturating_add(1))
        });
        let offsets: Vec<_> = offsets.collect();
        if offsets.is_empty() {
            return Ok(());
        }
        self.core.commit(Some(offsets)).instrument(self.commit_span()).await
    }

    fn commit_span(&self) -> tracing::Span {
        tracing::debug_span!("commit", subscriber = %self.core.config.name, group = %self.core.config.consumer.group_id)
    }

    /// Waits until the group has given it partitions, and gives those.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if it has none by then; [`ErrorKind::NotRunning`].
    pub fn wait_for_assignment(&self, time: Duration) -> Result<Vec<TopicPartition>, ClientError> {
        runtime::block_on(self.wait_for_assignment_async(time))?
    }

    /// As [`wait_for_assignment`](Subscriber::wait_for_assignment), for a task.
    ///
    /// # Errors
    /// As [`wait_for_assignment`](Subscriber::wait_for_assignment).
    pub async fn wait_for_assignment_async(
        &self,
        time: Duration,
    ) -> Result<Vec<TopicPartition>, ClientError> {
        self.core.assignment(after(time)).await
    }

    /// Goes on reading elsewhere in all its partitions: from the earliest record, the latest, an offset, a time. Waits until
    /// it has partitions. What is handed out next comes from there; what was fetched before is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if it is given no partitions within `request_timeout_ms`; what the broker says;
    /// [`ErrorKind::InvalidArgument`] for a negative offset or time; [`ErrorKind::NotRunning`].
    pub fn replay(&self, from: StartAt) -> Result<(), ClientError> {
        runtime::block_on(self.replay_async(from))?
    }

    /// As [`replay`](Subscriber::replay), for a task.
    ///
    /// # Errors
    /// As [`replay`](Subscriber::replay).
    pub async fn replay_async(&self, from: StartAt) -> Result<(), ClientError> {
        let assignment = self.wait_for_assignment_async(self.core.config.client.request_timeout).await?;
        self.seek_in(assignment, from).await
    }

    /// Goes on reading elsewhere in one partition of the topic.
    ///
    /// # Errors
    /// As [`replay`](Subscriber::replay); [`ErrorKind::InvalidArgument`] if the partition is not this member's.
    pub fn seek(&self, partition: i32, to: StartAt) -> Result<(), ClientError> {
        runtime::block_on(self.seek_async(partition, to))?
    }

    /// As [`seek`](Subscriber::seek), for a task.
    ///
    /// # Errors
    /// As [`seek`](Subscriber::seek).
    pub async fn seek_async(&self, partition: i32, to: StartAt) -> Result<(), ClientError> {
        let assignment = self.wait_for_assignment_async(self.core.config.client.request_timeout).await?;
        let Some(place) = assignment.into_iter().find(|place| place.partition == partition) else {
            let why = format!("partition {partition} is not among those of this member");
            return Err(ClientError::new(ErrorKind::InvalidArgument, self.seeking(), why)
                .remedy("details() says which are; they change with each rebalance"));
        };
        self.seek_in(vec![place], to).await
    }

    fn seeking(&self) -> String {
        format!("seeking in '{}'", self.core.config.topic)
    }

    async fn seek_in(&self, partitions: Vec<TopicPartition>, to: StartAt) -> Result<(), ClientError> {
        to.check(&self.seeking())?;
        let run = self.core.run()?;
        if let Some(letters) = &run.letters {
            letters.forget(&partitions);
        }
        let sought: BoxFuture<'_, _> = run.backend.seek(Some(partitions), to.seek_to());
        sought.await.map_err(|error| error.asked(self.seeking()))
    }

    /// Stops handing records out until [`resume`](Subscriber::resume); the subscriber stays in its group.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`].
    pub fn pause(&self) -> Result<(), ClientError> {
        self.core.run()?.backend.pause(None);
        Ok(())
    }

    /// As [`pause`](Subscriber::pause), for some of its partitions.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`].
    pub fn pause_partitions(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.core.run()?.backend.pause(Some(partitions));
        Ok(())
    }

    /// Hands records out again.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`].
    pub fn resume(&self) -> Result<(), ClientError> {
        self.core.run()?.backend.resume(None);
        Ok(())
    }

    /// As [`resume`](Subscriber::resume), for some of its partitions.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`].
    pub fn resume_partitions(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.core.run()?.backend.resume(Some(partitions));
        Ok(())
    }

    /// What its group has committed, for each partition of this member; none where nothing was.
    ///
    /// # Errors
    /// What the broker says; [`ErrorKind::NotRunning`].
    pub fn committed(&self) -> Result<Vec<(TopicPartition, Option<i64>)>, ClientError> {
        runtime::block_on(self.committed_async())?
    }

    /// As [`committed`](Subscriber::committed), for a task.
    ///
    /// # Errors
    /// As [`committed`](Subscriber::committed).
    pub async fn committed_async(&self) -> Result<Vec<(TopicPartition, Option<i64>)>, ClientError> {
        let run = self.core.run()?;
        let assignment = run.backend.assignment();
        run.backend.committed(assignment).await
    }

    /// Where the records lie that `at` names, for each partition of this member; none where no record is that late.
    ///
    /// # Errors
    /// What the broker says; [`ErrorKind::InvalidArgument`] for a negative time; [`ErrorKind::NotRunning`].
    pub fn offsets(&self, at: StartAt) -> Result<Vec<(TopicPartition, Option<i64>)>, ClientError> {
        runtime::block_on(self.offsets_async(at))?
    }

    /// As [`offsets`](Subscriber::offsets), for a task.
    ///
    /// # Errors
    /// As [`offsets`](Subscriber::offsets).
    pub async fn offsets_async(
        &self,
        at: StartAt,
    ) -> Result<Vec<(TopicPartition, Option<i64>)>, ClientError> {
        at.check(&self.seeking())?;
        let run = self.core.run()?;
        let assignment = run.backend.assignment();
        match at.seek_to() {
            SeekTo::Found(spec) => run.backend.offsets(assignment, spec).await,
            SeekTo::Offset(offset) => Ok(assignment.into_iter().map(|place| (place, Some(offset))).collect()),
        }
    }
}
