//! The offsets that groups have committed: looking at them, moving them, deleting them.

mod errands;
mod plan;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fan_out;
use super::records::{FoundOffset, ListOffsets, OffsetAt};
use super::{Admin, Call, Each};
use crate::error::{ClientError, ErrorKind};
use crate::native::Cluster;
use crate::record::TopicPartition;
use errands::{CommitOffsets, CommittedOffsets, DeleteOffsets};

/// Where a group stands in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The partition.
    pub partition: TopicPartition,
    /// The offset of the record that is read next; none if nothing was committed.
    pub offset: Option<i64>,
    /// The epoch of the leader that took the record before it; -1 where it is not known.
    pub leader_epoch: i32,
    /// What was committed along with it.
    pub metadata: String,
    /// The offset of the first record that is there; none while the partition has no leader.
    pub log_start: Option<i64>,
    /// The offset behind the last; none while the partition has no leader.
    pub log_end: Option<i64>,
}

impl CommittedOffset {
    /// How many offsets lie before the end, where that is known. Where nothing was committed: all that are there.
    pub fn lag(&self) -> Option<i64> {
        let next = self.offset.or(self.log_start)?;
        Some(self.log_end?.saturating_sub(next).max(0))
    }
}

/// Where a group is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetTo {
    /// At the first record that is still there.
    Earliest,
    /// Behind the last record.
    Latest,
    /// At this offset, or the nearest that is there.
    Offset(i64),
    /// At the first record with a timestamp at or after this one, in milliseconds since 1970; behind the last if there is
    /// none.
    Timestamp(i64),
    /// At the first record that is not older than this.
    Ago(Duration),
    /// So many records further on than now, or back if it is negative; no further than there are records.
    Shift(i64),
}

/// A move of a group's offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetMove {
    /// Where it stood; none if nothing was committed.
    pub from: Option<i64>,
    /// Where it goes on.
    pub to: i64,
}

impl Admin {
    /// Where a group stands: in these partitions, or in all in which it has committed something.
    pub fn group_offsets(
        &self,
        group: impl Into<String>,
        partitions: Option<Vec<TopicPartition>>,
    ) -> Call<Vec<CommittedOffset>> {
        let (cluster, deadline, group) = (Arc::clone(&self.cluster), self.deadline(), group.into());
        Call::begin(async move {
            let mut offsets = committed(&cluster, &group, partitions, deadline).await?;
            add_ends(&cluster, &mut offsets, deadline).await;
            Ok(offsets)
        })
    }

    /// Has a group go on elsewhere: in these partitions, or in all in which it has committed something. It must have no
    /// members. Each outcome says from where to where.
    ///
    /// ```
    /// # use klamm_client::{Admin, Bootstrap, ClientOptions, NewTopic, ResetTo, TopicPartition};
    /// # let bootstrap = Bootstrap::Embedded { name: "reset docs".to_owned(), data_dir: None };
    /// # let admin = Admin::new(ClientOptions { bootstrap, ..ClientOptions::default() })?;
    /// # admin.create_topics([NewTopic::new("orders").partitions(1)]).wait()?.all()?;
    /// let partitions = vec![TopicPartition::new("orders", 0)];
    /// for (partition, moved) in admin.reset_offsets("billing", Some(partitions), ResetTo::Earliest).wait()? {
    ///     println!("{partition} goes on at {}", moved?.to);
    /// }
    /// # Ok::<(), klamm_client::ClientError>(())
    /// ```
    pub fn reset_offsets(
        &self,
        group: impl Into<String>,
        partitions: Option<Vec<TopicPartition>>,
        to: ResetTo,
    ) -> Call<Each<TopicPartition, OffsetMove>> {
        self.reset(group.into(), partitions, to, false)
    }

    /// What [`reset_offsets`](Admin::reset_offsets) would do, without doing it.
    pub fn plan_offsets(
        &self,
        group: impl Into<String>,
        partitions: Option<Vec<TopicPartition>>,
        to: ResetTo,
    ) -> Call<Each<TopicPartition, OffsetMove>> {
        self.reset(group.into(), partitions, to, true)
    }

    /// Has a group go on at these offsets. It must have no members.
    pub fn set_offsets(
        &self,
        group: impl Into<String>,
        offsets: impl IntoIterator<Item = (TopicPartition, i64)>,
    ) -> Call<Each<TopicPartition, ()>> {
        let offsets: HashMap<_, _> = offsets.into_iter().collect();
        let mut partitions: Vec<_> = offsets.keys().cloned().collect();
        partitions.sort_unstable();
        self.each(CommitOffsets { group: Arc::from(group.into()), offsets }, partitions)
    }

    /// Deletes what a group has committed in partitions. It must not be subscribed to their topics.
    pub fn delete_offsets(
        &self,
        group: impl Into<String>,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Call<Each<TopicPartition, ()>> {
        self.each(DeleteOffsets { group: Arc::from(group.into()) }, partitions.into_iter().collect())
    }

    fn reset(
        &self,
        group: String,
        partitions: Option<Vec<TopicPartition>>,
        to: ResetTo,
        plan_only: bool,
    ) -> Call<Each<TopicPartition, OffsetMove>> {
        let (cluster, deadline) = (Arc::clone(&self.cluster), self.deadline());
        Call::begin(async move {
            let standing = committed(&cluster, &group, partitions, deadline).await?;
            let mut moves = plan::moves(&cluster, standing, to, deadline).await?;
            if !plan_only {
                let planned = moves.iter().filter_map(|(partition, planned)| {
                    planned.as_ref().ok().map(|planned| (partition.clone(), planned.to))
                });
                let offsets: HashMap<_, _> = planned.collect();
                let partitions = offsets.keys().cloned().collect();
                let errand = CommitOffsets { group: Arc::from(group), offsets };
                let done = fan_out::run(&cluster, errand, partitions, deadline).await;
                let mut failed: HashMap<_, _> =
                    done.into_iter().filter_map(|(partition, done)| Some((partition, done.err()?))).collect();
                for (partition, planned) in &mut moves {
                    if let Some(error) = failed.remove(partition) {
                        *planned = Err(error);
                    }
                }
            }
            Ok(Each::new(moves))
        })
    }
}

/// What a group has committed, without the ends of the partitions.
async fn committed(
    cluster: &Arc<Cluster>,
    group: &str,
    partitions: Option<Vec<TopicPartition>>,
    deadline: Instant,
) -> Result<Vec<CommittedOffset>, ClientError> {
    let group: Arc<str> = Arc::from(group);
    let errand = CommittedOffsets { partitions };
    let answered = fan_out::run(cluster, errand, vec![Arc::clone(&group)], deadline).await;
    let answered = answered.into_iter().next().map(|(_, outcome)| outcome);
    answered.unwrap_or_else(|| {
        let asked = format!("looking for the offsets of the group '{group}'");
        Err(ClientError::new(ErrorKind::MalformedAnswer, asked, "it was not answered"))
    })
}

/// Adds where the partitions begin and end. One that has no leader just does not say.
async fn add_ends(cluster: &Arc<Cluster>, offsets: &mut [CommittedOffset], deadline: Instant) {
    let both = [OffsetAt::Earliest, OffsetAt::Latest];
    let wanted = offsets.iter().flat_map(|known| both.map(|at| (known.partition.clone(), at))).collect();
    let found: HashMap<_, _> =
        fan_out::run(cluster, ListOffsets, wanted, deadline).await.into_iter().collect();
    let end = |partition: &TopicPartition, at| -> Option<i64> {
        let found: &Option<FoundOffset> = found.get(&(partition.clone(), at))?.as_ref().ok()?;
        found.as_ref().map(|found| found.offset)
    };
    for known in offsets {
        known.log_start = end(&known.partition, OffsetAt::Earliest);
        known.log_end = end(&known.partition, OffsetAt::Latest);
    }
}
