//! Reading the partitions of a fetch, and waiting until they have enough.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use klamm_storage::{ReadError, ReadUpTo};

use super::answer::FetchedPartition;
use super::session::PartitionKey;
use crate::cluster::Placement;
use crate::faults::Verdict;
use crate::partition::{Partition, Waiting};
use crate::patience::Patience;
use crate::state::BrokerState;

/// What a reader wants of a partition.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) current_leader_epoch: i32,
    pub(crate) fetch_offset: i64,
    pub(crate) last_fetched_epoch: i32,
    pub(crate) max_bytes: i32,
}

/// A partition to be read, and what is wanted of it.
struct Source {
    key: PartitionKey,
    target: Target,
    partition: Arc<Partition>,
    /// The error that a fault has it answered with.
    refused: Option<i16>,
}

/// One fetch on its way.
pub(crate) struct Reader {
    sources: Vec<Source>,
    /// Partitions that there are not. They come last in the answer, and do not end a wait.
    unknown: Vec<(PartitionKey, FetchedPartition)>,
    pub(crate) max_bytes: usize,
    pub(crate) min_bytes: usize,
    pub(crate) read_committed: bool,
    /// The reader wants a negative number of bytes in all: as in Kafka the first partition fails, and the others are
    /// read as if it had wanted none.
    pub(crate) fails_first: bool,
    /// The reader is another broker: no partition has it for a replica.
    pub(crate) as_follower: bool,
    /// Whether it may be read from a node that does not lead (KIP-392).
    pub(crate) from_followers: bool,
    /// Where the reader is, if it is to be sent to a replica near it.
    pub(crate) near: Option<Near>,
    /// The node that is asked.
    node_id: i32,
}

/// A reader that says where it is.
pub(crate) struct Near {
    pub(crate) broker: Arc<BrokerState>,
    pub(crate) rack: String,
}

impl Near {
    /// The replica that the reader had better ask: the last of those in its rack, unless the leader is among them.
    fn preferred(&self, placement: &Placement) -> Option<i32> {
        let layout = &self.broker.cluster.layout;
        let in_rack = |node: &&i32| layout.rack(**node) == Some(&self.rack) && self.broker.is_alive(**node);
        let nearest: Vec<i32> = placement.replicas.iter().filter(in_rack).copied().collect();
        let leads = placement.leader.is_some_and(|leader| nearest.contains(&leader));
        nearest.into_iter().max().filter(|_| !leads)
    }
}

/// What one round of reading gave.
pub(crate) struct Read {
    pub(crate) partitions: Vec<(PartitionKey, FetchedPartition)>,
    bytes: usize,
    /// Something is in it that the reader has to know at once.
    urgent: bool,
}

impl Reader {
    /// Looks up the partitions of `targets`.
    pub(crate) fn new(
        broker: &BrokerState,
        node_id: i32,
        targets: Vec<(PartitionKey, Target)>,
        uses_topic_ids: bool,
    ) -> Self {
        let mut reader = Reader {
            sources: Vec::new(),
            unknown: Vec::new(),
            max_bytes: 0,
            min_bytes: 0,
            read_committed: false,
            fails_first: false,
            as_follower: false,
            from_followers: false,
            near: None,
            node_id,
        };
        for (key, target) in targets {
            let topic = if uses_topic_ids { broker.topics.by_id(key.1) } else { broker.topics.get(&key.0) };
            let found = topic.as_ref().and_then(|topic| topic.partition(key.2));
            match (topic, found) {
                (Some(_), Some(partition)) => {
                    reader.sources.push(Source { key, target, partition, refused: None })
                }
                (topic, _) => {
                    let by_id = uses_topic_ids && topic.is_none();
                    let error = if by_id {
                        ResponseError::UnknownTopicId
                    } else {
                        ResponseError::UnknownTopicOrPartition
                    };
                    let mut failed = FetchedPartition::failed(key.2, error.code());
                    failed.aborted_transactions = Some(Vec::new());
                    reader.unknown.push((key, failed));
                }
            }
        }
        reader
    }

    /// Has the partitions that faults refuse answered with their errors.
    pub(crate) fn refuse(&mut self, verdict: &Verdict) {
        for source in &mut self.sources {
            let log = source.partition.log();
            source.refused = verdict.of_partition(log.topic(), log.partition());
        }
    }

    /// Reads until `min_bytes` are there, something has to be told at once, or `max_wait` of real time is over.
    pub(crate) async fn read(mut self, max_wait: Duration, patience: Patience) -> Read {
        let mut read = self.read_once();
        if !self.must_wait(&read) || max_wait.is_zero() {
            return self.finish(read);
        }
        let waiting =
            Waiting::enter(self.sources.iter().map(|source| Arc::clone(&source.partition)).collect());
        let mut over = pin!(patience.pass(max_wait));
        loop {
            // Once more after entering: records may have come between the first look and now.
            read = self.read_once();
            if !self.must_wait(&read) {
                return self.finish(read);
            }
            tokio::select! {
                biased;
                () = waiting.woken() => {}
                () = &mut over => return self.finish(read),
            }
        }
    }

    fn must_wait(&self, read: &Read) -> bool {
        !self.sources.is_empty() && !read.urgent && read.bytes < self.min_bytes
    }

    fn finish(&mut self, mut read: Read) -> Read {
        read.partitions.append(&mut self.unknown);
        read
    }

    /// Reads each partition in turn, as long as there is room in the answer. The first batch of all is read whole,
    /// however large it is, so that a reader always gets on.
    fn read_once(&self) -> Read {
        let mut read = Read { partitions: Vec::with_capacity(self.sources.len()), bytes: 0, urgent: false };
        for (place, source) in self.sources.iter().enumerate() {
            let room = self.max_bytes.saturating_sub(read.bytes);
            let partition = if self.fails_first && place == 0 {
                FetchedPartition::failed(source.partition.index(), ResponseError::UnknownServerError.code())
            } else {
                self.read_partition(source, room, read.bytes == 0)
            };
            read.bytes += partition.records.len();
            read.urgent |= partition.error_code != 0
                || partition.diverging_epoch.is_some()
                || partition.preferred_read_replica.is_some();
            read.partitions.push((source.key.clone(), partition));
        }
        read
    }

    /// The replica that the reader is sent to, if it had better ask that. One that has not what it wants is none.
    fn preferred(&self, partition: &Partition, fetch_offset: i64) -> Option<i32> {
        let near = self.near.as_ref()?;
        let log = partition.log();
        let is_there = (log.log_start_offset()..=log.log_end_offset()).contains(&fetch_offset);
        if is_there { near.preferred(&partition.placement()) } else { None }
    }

    fn read_partition(&self, source: &Source, room: usize, at_least_one: bool) -> FetchedPartition {
        let (partition, target) = (&source.partition, &source.target);
        let index = partition.index();
        let failed = |error: ResponseError| FetchedPartition::failed(index, error.code());
        if let Some(code) = source.refused {
            return FetchedPartition::failed(index, code);
        }
        let Ok(max_bytes) = usize::try_from(target.max_bytes) else {
            return failed(ResponseError::UnknownServerError);
        };
        let leadership = partition.leadership();
        let elsewhere = |error| FetchedPartition {
            current_leader: leadership.leader.map(|leader| (leader, leadership.epoch)),
            ..failed(error)
        };
        if self.as_follower {
            return elsewhere(ResponseError::NotLeaderOrFollower);
        }
        let leads = leadership.leader == Some(self.node_id);
        if !leads && !partition.placement().replicas.contains(&self.node_id) {
            return elsewhere(ResponseError::NotLeaderOrFollower);
        }
        if target.current_leader_epoch > leadership.epoch {
            return failed(ResponseError::UnknownLeaderEpoch);
        }
        if (0..leadership.epoch).contains(&target.current_leader_epoch) {
            return elsewhere(ResponseError::FencedLeaderEpoch);
        }
        // A replica that does not lead has everything as long as somebody leads.
        let follows = self.from_followers && leadership.leader.is_some();
        if !leads && !follows {
            return elsewhere(ResponseError::NotLeaderOrFollower);
        }
        let log = partition.log();
        let mut fetched = FetchedPartition::failed(index, 0);
        let preferred = if leads { self.preferred(partition, target.fetch_offset) } else { None };
        if preferred.is_some() {
            fetched.preferred_read_replica = preferred;
            fetched.high_watermark = log.high_watermark();
            fetched.last_stable_offset = log.last_stable_offset();
            fetched.log_start_offset = log.log_start_offset();
            return fetched;
        }
        fetched.aborted_transactions = self.read_committed.then(Vec::new);
        if target.last_fetched_epoch >= 0 {
            let (epoch, end) = log.end_offset_for_epoch(target.last_fetched_epoch);
            if epoch < 0 || end < 0 {
                return failed(ResponseError::OffsetOutOfRange);
            }
            if epoch < target.last_fetched_epoch || end < target.fetch_offset {
                fetched.diverging_epoch = Some((epoch, end));
                fetched.high_watermark = log.high_watermark();
                fetched.last_stable_offset = log.last_stable_offset();
                fetched.log_start_offset = log.log_start_offset();
                return fetched;
            }
        }
        let upto = if self.read_committed { ReadUpTo::LastStableOffset } else { ReadUpTo::HighWatermark };
        match log.read(target.fetch_offset, max_bytes.min(room), at_least_one, upto) {
            Ok(read) => {
                fetched.high_watermark = read.high_watermark;
                fetched.last_stable_offset = read.last_stable_offset;
                fetched.log_start_offset = read.log_start_offset;
                fetched.records = read.records;
                fetched
            }
            Err(ReadError::OffsetOutOfRange { .. }) => failed(ResponseError::OffsetOutOfRange),
            // The topic went while the fetch waited.
            Err(ReadError::Deleted) => failed(ResponseError::UnknownTopicOrPartition),
            Err(error) => {
                tracing::warn!("a fetch from {}-{index} cannot be answered: {error}", source.key.0);
                failed(ResponseError::KafkaStorageError)
            }
        }
    }
}
