//! Reading the partitions of a fetch, and waiting until they have enough.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use klamm_storage::{ReadError, ReadUpTo};

use super::answer::FetchedPartition;
use super::session::PartitionKey;
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
    node_id: i32,
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
            node_id: broker.node_id,
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
            read.urgent |= partition.error_code != 0 || partition.diverging_epoch.is_some();
            read.partitions.push((source.key.clone(), partition));
        }
        read
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
        if self.as_follower {
            let leader = Some((self.node_id, partition.leader_epoch()));
            return FetchedPartition { current_leader: leader, ..failed(ResponseError::NotLeaderOrFollower) };
        }
        if target.current_leader_epoch > partition.leader_epoch() {
            return failed(ResponseError::UnknownLeaderEpoch);
        }
        if (0..partition.leader_epoch()).contains(&target.current_leader_epoch) {
            return failed(ResponseError::FencedLeaderEpoch);
        }
        let log = partition.log();
        let mut fetched = FetchedPartition::failed(index, 0);
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
