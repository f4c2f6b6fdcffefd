//! What librdkafka tells of: rebalances, commits, errors, statistics. On the thread that polls.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ::rdkafka::client::ClientContext;
use ::rdkafka::config::RDKafkaLogLevel;
use ::rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use ::rdkafka::error::{KafkaError, KafkaResult};
use ::rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use ::rdkafka::{Offset, TopicPartitionList};
use serde::Deserialize;

use super::Shared;
use super::lists::{list, list_of_offsets, offsets_in, partitions_in};
use crate::backend::{OffsetSpec, RebalanceListener, SeekTo};
use crate::error::{ClientError, ErrorKind};
use crate::rdkafka::{error, log};
use crate::record::TopicPartition;
use crate::runtime;

/// How long giving partitions up waits for the commit before it.
const LAST_COMMIT: Duration = Duration::from_secs(5);

/// How long an assignment waits for the offsets of a time, where a listener asked to begin there.
const LOOKING_UP: Duration = Duration::from_secs(10);

/// What is told to librdkafka as the one to be told.
pub(super) struct Events {
    pub(super) shared: Arc<Shared>,
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log(level, facility, line);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice::<Statistics>(statistics) {
            Ok(statistics) => self.heard(&statistics),
            Err(error) => tracing::warn!(target: "librdkafka", "statistics that cannot be read: {error}"),
        }
    }

    fn error(&self, failed: KafkaError, reason: &str) {
        use RDKafkaErrorCode as Code;
        let Some(code) = failed.rdkafka_error_code() else { return };
        let error = error::of_code(code, &self.shared.reading(), Some(reason));
        tracing::debug!(target: "librdkafka", "{error}");
        match code {
            // One broker or address; whether another can be reached is told apart.
            Code::BrokerTransportFailure | Code::Resolve | Code::OperationTimedOut => return,
            Code::UnknownTopic | Code::UnknownTopicOrPartition if self.shared.creates_topics => return,
            Code::AllBrokersDown => {
                let mut state = self.shared.state.lock();
                if std::mem::replace(&mut state.cut_off, true) {
                    return;
                }
                state.tell(error);
            }
            _ => self.shared.state.lock().tell(error),
        }
        self.shared.arrived.raise();
    }
}

impl ConsumerContext for Events {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions = partitions_in(list);
        let done = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, list, &partitions),
            _ => self.revoke(consumer, list, &partitions),
        };
        if let Err(failed) = done {
            self.shared.state.lock().tell(error::of(&failed, &self.shared.reading()));
        }
        self.shared.assigned.raise();
        self.shared.arrived.raise();
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        match result {
            Ok(()) => self.shared.state.lock().committed(&offsets_in(offsets)),
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
            // What was handed out stays uncommitted, and is committed the next time.
            Err(error) => tracing::warn!(target: "librdkafka", "offsets were not committed: {error}"),
        }
    }
}

impl Events {
    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &mut TopicPartitionList,
        partitions: &[TopicPartition],
    ) -> KafkaResult<()> {
        self.shared.state.lock().announce(partitions);
        self.shared.tell_listener(partitions, |listener| listener.assigned(partitions));
        let beginnings = {
            let mut state = self.shared.state.lock();
            state.announced();
            state.assign()
        };
        for (partition, to) in beginnings {
            let offset = beginning(consumer, &partition, to)?;
            list.set_partition_offset(&partition.topic, partition.partition, offset)?;
        }
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            _ => consumer.assign(list),
        }
    }

    fn revoke(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &TopicPartitionList,
        partitions: &[TopicPartition],
    ) -> KafkaResult<()> {
        {
            let mut state = self.shared.state.lock();
            state.going(partitions);
            state.announce(&[]);
        }
        let expelled = self.shared.expelled.load(Ordering::SeqCst);
        let lost = expelled || consumer.assignment_lost();
        self.shared.tell_listener(partitions, |listener| {
            if lost { listener.lost(partitions) } else { listener.revoked(partitions) }
        });
        self.shared.state.lock().announced();
        if !lost && self.shared.commits_at_the_end() {
            self.shared.commit_before(Instant::now() + LAST_COMMIT, |one| partitions.contains(one));
        }
        self.shared.state.lock().gone(partitions);
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            _ => consumer.unassign(),
        }
    }

    fn heard(&self, statistics: &Statistics) {
        let mut state = self.shared.state.lock();
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            state.cut_off = false;
        }
        for (topic, of_topic) in &statistics.topics {
            let known = self.shared.topics.iter().find(|known| &***known == topic.as_str());
            let Some(topic) = known else { continue };
            for of_partition in of_topic.partitions.values() {
                let partition = TopicPartition::new(Arc::clone(topic), of_partition.partition);
                let end =
                    if self.shared.reads_committed { of_partition.ls_offset } else { of_partition.hi_offset };
                state.heard(&partition, of_partition.next_offset, end);
            }
        }
    }
}

/// Where a partition begins that is being assigned.
fn beginning(consumer: &BaseConsumer<Events>, partition: &TopicPartition, to: SeekTo) -> KafkaResult<Offset> {
    let time = match to {
        SeekTo::Offset(offset) => return Ok(Offset::Offset(offset)),
        SeekTo::Found(OffsetSpec::Earliest) => return Ok(Offset::Beginning),
        SeekTo::Found(OffsetSpec::Latest) => return Ok(Offset::End),
        SeekTo::Found(OffsetSpec::AtTime(time)) => time,
    };
    let asked = list_of_offsets(&[(partition.clone(), time)])?;
    let found = consumer.offsets_for_times(asked, LOOKING_UP)?;
    Ok(offsets_in(&found).first().map_or(Offset::End, |(_, offset)| Offset::Offset(*offset)))
}

impl Shared {
    /// Calls the listener, if there is one and something to tell. Its panic does not end the thread that polls.
    fn tell_listener(&self, partitions: &[TopicPartition], told: impl FnOnce(&dyn RebalanceListener)) {
        let Some(listener) = self.listener.as_ref().filter(|_| !partitions.is_empty()) else { return };
        if catch_unwind(AssertUnwindSafe(|| told(&**listener))).is_err() {
            let why = "the rebalance listener has panicked";
            self.state.lock().tell(ClientError::new(ErrorKind::System, self.reading(), why));
        }
    }

    /// Commits what was handed out, and waits for it until the deadline. For the thread that polls, which librdkafka
    /// would have wait without end.
    pub(super) fn commit_before(&self, deadline: Instant, which: impl Fn(&TopicPartition) -> bool) {
        let offsets = self.state.lock().uncommitted(which);
        if offsets.is_empty() {
            return;
        }
        let (done, wait) = std::sync::mpsc::channel();
        let consumer = self.consumer.get().cloned().unwrap_or_default();
        let to_commit = offsets.clone();
        let committed = runtime::handle().and_then(|handle| {
            handle.spawn_blocking(move || {
                // Nobody waits any more where the channel is closed.
                let _ = done.send(commit(&consumer, &to_commit));
            });
            let patience = deadline.saturating_duration_since(Instant::now());
            wait.recv_timeout(patience).map_err(|_| {
                ClientError::new(ErrorKind::TimedOut, "committing offsets", "no answer came in time")
            })?
        });
        match committed {
            Ok(()) => self.state.lock().committed(&offsets),
            Err(error) => tracing::warn!("{error}; these records will be handed out again: {offsets:?}"),
        }
    }
}

/// Commits offsets, and waits for the answer.
pub(super) fn commit(
    consumer: &Weak<BaseConsumer<Events>>,
    offsets: &[(TopicPartition, i64)],
) -> Result<(), ClientError> {
    const ASKED: &str = "committing offsets";
    let consumer = consumer.upgrade().ok_or_else(super::has_ended)?;
    if offsets.is_empty() {
        return Ok(());
    }
    let list = list_of_offsets(offsets).map_err(|failed| error::of(&failed, ASKED))?;
    consumer.commit(&list, CommitMode::Sync).map_err(|failed| error::of(&failed, ASKED))
}

/// Has librdkafka fetch these no more, fetch from elsewhere, and fetch these again.
pub(super) fn change(
    consumer: &BaseConsumer<Events>,
    changes: &super::state::Changes,
    patience: Duration,
) -> KafkaResult<()> {
    if !changes.stop.is_empty() {
        consumer.pause(&list(&changes.stop))?;
    }
    if !changes.seek.is_empty() {
        consumer.seek_partitions(list_of_offsets(&changes.seek)?, patience)?;
    }
    if !changes.go.is_empty() {
        consumer.resume(&list(&changes.go))?;
    }
    Ok(())
}

/// The part of librdkafka's statistics that is looked at.
#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    brokers: HashMap<String, OfBroker>,
    #[serde(default)]
    topics: HashMap<String, OfTopic>,
}

#[derive(Deserialize)]
struct OfBroker {
    state: String,
}

#[derive(Deserialize)]
struct OfTopic {
    partitions: HashMap<String, OfPartition>,
}

#[derive(Deserialize)]
struct OfPartition {
    partition: i32,
    next_offset: i64,
    hi_offset: i64,
    ls_offset: i64,
}
