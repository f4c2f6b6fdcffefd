//! What can be waited for: whether it is the case, and how things stand in words if it is not.

use std::collections::HashMap;
use std::sync::Arc;

use klamm_storage::ReadUpTo;
use klamm_storage::batch;
use uuid::Uuid;

use super::WaitFor;
use crate::coordinator::group::GroupState;
use crate::look;
use crate::partition::Partition;
use crate::state::BrokerState;

/// How much of a log is looked at in one step while records are counted.
const COUNT_BYTES: usize = 4 * 1024 * 1024;

/// Something that is waited for, and what is known of it so far.
pub(super) struct Condition<'a> {
    wanted: &'a WaitFor,
    /// Of each partition's log, by its topic's id: up to where its records are counted.
    counted: HashMap<(Uuid, i32), i64>,
    /// The life of the broker that was looked at last.
    life: std::sync::Weak<BrokerState>,
    records: u64,
}

impl<'a> Condition<'a> {
    pub(super) fn new(wanted: &'a WaitFor) -> Self {
        Condition { wanted, counted: HashMap::new(), life: std::sync::Weak::new(), records: 0 }
    }

    /// The partitions whose appends matter.
    pub(super) fn partitions(&self, state: &BrokerState) -> Vec<Arc<Partition>> {
        match self.wanted {
            WaitFor::Records { topic, .. } => {
                state.topics.get(topic).map(|topic| topic.partitions()).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Whether it is the case.
    ///
    /// # Errors
    /// With how things stand instead.
    pub(super) fn look(&mut self, state: &Arc<BrokerState>) -> Result<(), String> {
        if !std::ptr::eq(self.life.as_ptr(), Arc::as_ptr(state)) {
            // Another life: what was counted in the last one is no more.
            (self.life, self.records) = (Arc::downgrade(state), 0);
            self.counted.clear();
        }
        match self.wanted {
            WaitFor::Records { topic, count } => self.records(state, topic, *count),
            WaitFor::Group { group, members } => stable(state, group, *members),
            WaitFor::Lag { group, lag } => lag_of(state, group, *lag),
            WaitFor::Commit { group, topic, partition, offset } => {
                committed(state, group, topic, *partition, *offset)
            }
            WaitFor::Connections { count } => connections(state, *count),
            WaitFor::Hits { rule, count } => match state.hand.faults.hits(*rule) {
                Some(hits) if hits >= *count => Ok(()),
                Some(hits) => Err(format!("{hits} hits")),
                None => Err(format!("there is no rule {rule}")),
            },
            WaitFor::Idle => idle(state),
        }
    }

    /// What is waited for, in words.
    pub(super) fn wanted(&self) -> String {
        match self.wanted {
            WaitFor::Records { topic, count } => format!("{} in '{topic}'", plural(*count, "record")),
            WaitFor::Group { group, members } => {
                format!("the group '{group}' to be stable with {}", plural(*members as u64, "member"))
            }
            WaitFor::Lag { group, lag } => format!("the group '{group}' to be {lag} or less behind"),
            WaitFor::Commit { group, topic, partition, offset } => {
                format!("the group '{group}' to commit {offset} or more of {topic}-{partition}")
            }
            WaitFor::Connections { count } => plural(*count as u64, "connection"),
            WaitFor::Hits { rule, count } => format!("{} of the rule {rule}", plural(*count, "hit")),
            WaitFor::Idle => "the broker to be idle".to_owned(),
        }
    }

    fn records(&mut self, state: &BrokerState, name: &str, count: u64) -> Result<(), String> {
        let Some(topic) = state.topics.get(name) else { return Err(format!("there is no topic '{name}'")) };
        let partitions = topic.partitions();
        for partition in &partitions {
            self.count(partition)?;
        }
        if self.records >= count {
            return Ok(());
        }
        let of = plural(partitions.len() as u64, "partition");
        Err(format!("{} in {of} of '{name}'", plural(self.records, "record")))
    }

    /// Counts what has come since the last time. Markers of transactions are no records.
    fn count(&mut self, partition: &Arc<Partition>) -> Result<(), String> {
        let log = partition.log();
        let next = self.counted.entry((log.topic_id(), log.partition())).or_insert(0);
        *next = (*next).max(log.log_start_offset());
        while *next < log.high_watermark() {
            let read = log.read(*next, COUNT_BYTES, true, ReadUpTo::HighWatermark);
            let read = read.map_err(|error| format!("{}-{}: {error}", log.topic(), log.partition()))?;
            let before = *next;
            for batch in batch::batches(&read.records) {
                let header = &batch.header;
                if header.last_offset() >= before && !header.is_control() {
                    self.records += u64::try_from(header.record_count).unwrap_or(0);
                }
                *next = (*next).max(header.last_offset().saturating_add(1));
            }
            if *next == before {
                break;
            }
        }
        Ok(())
    }
}

fn plural(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn stable(state: &BrokerState, id: &str, wanted: usize) -> Result<(), String> {
    let Some(group) = state.groups.describe(id) else { return Err(format!("there is no group '{id}'")) };
    let members = group.members.len();
    let settled = group.state == GroupState::Stable || (wanted == 0 && group.state == GroupState::Empty);
    if settled && members == wanted {
        return Ok(());
    }
    Err(format!(
        "it is {} with {} in generation {}",
        group.state.name(),
        plural(members as u64, "member"),
        group.generation
    ))
}

fn lag_of(state: &BrokerState, id: &str, most: u64) -> Result<(), String> {
    let Some(group) = look::group(state, id) else { return Err(format!("there is no group '{id}'")) };
    let lags = look::lags(state, &group);
    if lags.is_empty() {
        return Err("it has neither offsets nor assigned partitions".to_owned());
    }
    let sum = lags.iter().fold(0_u64, |sum, lag| sum.saturating_add(lag.lag));
    if sum <= most {
        return Ok(());
    }
    let behind: Vec<_> = lags.iter().filter(|one| one.lag > 0).take(8).collect();
    let behind: Vec<_> =
        behind.iter().map(|one| format!("{} in {}-{}", one.lag, one.topic, one.partition)).collect();
    Err(format!("it is {sum} behind: {}", behind.join(", ")))
}

fn committed(state: &BrokerState, id: &str, topic: &str, partition: i32, wanted: i64) -> Result<(), String> {
    let offset =
        state.groups.look(id, |group| group.offsets().get(topic, partition).map(|value| value.offset));
    match offset {
        None => Err(format!("there is no group '{id}'")),
        Some(None) => Err(format!("it has committed nothing of {topic}-{partition}")),
        Some(Some(offset)) if offset >= wanted => Ok(()),
        Some(Some(offset)) => Err(format!("it has committed {offset}")),
    }
}

fn connections(state: &BrokerState, wanted: usize) -> Result<(), String> {
    let open = state.hand.traffic.open_count();
    if open >= wanted && (wanted > 0 || open == 0) { Ok(()) } else { Err(plural(open as u64, "connection")) }
}

fn idle(state: &BrokerState) -> Result<(), String> {
    let busy = state.hand.traffic.busy();
    if let Some((connection, api)) = busy {
        return Err(format!("a {api} request of connection {connection} is under way"));
    }
    let unsettled = state.groups.list(|group| {
        let moving =
            matches!(group.state(), GroupState::PreparingRebalance | GroupState::CompletingRebalance);
        moving.then(|| format!("the group '{}' is {}", group.id(), group.state().name()))
    });
    unsettled.into_iter().next().map_or(Ok(()), Err)
}
