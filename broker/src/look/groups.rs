//! Groups as values: members with what they subscribe to and are assigned, offsets, and what is left to read.

use std::collections::BTreeSet;

use bytes::{Buf, Bytes};
use serde::{Deserialize, Serialize};

use crate::coordinator::group::{GroupView, MemberView, subscribed_topics};
use crate::state::BrokerState;

/// A group as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Group {
    /// Its id.
    pub id: String,
    /// `Empty`, `PreparingRebalance`, `CompletingRebalance` or `Stable`, as Kafka's tools print it.
    pub state: String,
    /// Its generation.
    pub generation: i32,
    /// `consumer` for consumers; empty for a group that never had members.
    pub protocol_type: String,
    /// The chosen way to assign partitions, while the group is stable.
    pub protocol: String,
    /// The member that assigns.
    pub leader: Option<String>,
    /// Its members, in the order in which they joined.
    pub members: Vec<Member>,
    /// What it has committed, by topic and partition.
    pub offsets: Vec<CommittedOffset>,
}

/// A member of a group as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its name that outlives a restart (`group.instance.id`), if it has one.
    pub instance_id: Option<String>,
    /// How its client calls itself.
    pub client_id: String,
    /// Where its client is, as Kafka prints it: `/127.0.0.1`.
    pub client_host: String,
    /// The topics that it subscribes to, while the group is stable and as far as it can be read.
    pub topics: Vec<String>,
    /// The partitions that it is assigned.
    pub assignment: Vec<TopicPartitions>,
}

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TopicPartitions {
    /// The topic.
    pub topic: String,
    /// The partitions, in order.
    pub partitions: Vec<i32>,
}

/// An offset that a group has committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommittedOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the record that is to be read next.
    pub offset: i64,
    /// The epoch of the leader that the record before it was read from, or -1.
    pub leader_epoch: i32,
    /// What the client wrote beside it.
    pub metadata: String,
    /// When it was committed, in milliseconds since 1970.
    pub committed_ms: i64,
}

/// What a group has yet to read of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lag {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What is committed, or none.
    pub committed: Option<i64>,
    /// The offset up to which there is something to read.
    pub log_end_offset: i64,
    /// How many offsets lie between: from the first that is left where nothing is committed.
    pub lag: u64,
}

/// All groups, by id.
pub(super) fn all(state: &BrokerState) -> Vec<Group> {
    let ids = state.groups.list(|group| Some(group.id().to_owned()));
    ids.iter().filter_map(|id| group(state, id)).collect()
}

/// A group, if it is there.
pub(crate) fn group(state: &BrokerState, id: &str) -> Option<Group> {
    let (view, offsets) = state.groups.look(id, |group| {
        let offsets = group.offsets().by_topic().iter();
        let offsets = offsets.flat_map(|(topic, all)| {
            all.iter().map(move |(partition, value)| CommittedOffset {
                topic: topic.clone(),
                partition: *partition,
                offset: value.offset,
                leader_epoch: value.leader_epoch,
                metadata: value.metadata.clone(),
                committed_ms: value.commit_timestamp,
            })
        });
        (GroupView::of(group), offsets.collect())
    })?;
    Some(Group {
        id: view.id,
        state: view.state.name().to_owned(),
        generation: view.generation,
        protocol_type: view.protocol_type,
        protocol: view.protocol,
        leader: view.leader,
        members: view.members.into_iter().map(member).collect(),
        offsets,
    })
}

fn member(member: MemberView) -> Member {
    Member {
        topics: subscribed_topics(&member.metadata).unwrap_or_default(),
        assignment: assigned(&member.assignment).unwrap_or_default(),
        id: member.id,
        instance_id: member.instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
    }
}

/// The partitions of an assignment of the consumer protocol: a version, then topics with their partitions. None if it is
/// not of that protocol.
fn assigned(bytes: &Bytes) -> Option<Vec<TopicPartitions>> {
    let mut left = bytes.clone();
    if left.try_get_i16().ok()? < 0 {
        return None;
    }
    let mut assigned = Vec::new();
    // Read one after the other: no count is believed before its elements are there.
    for _ in 0..left.try_get_i32().ok()? {
        let length = usize::try_from(left.try_get_i16().ok()?).ok()?;
        if length > left.len() {
            return None;
        }
        let topic = std::str::from_utf8(&left.split_to(length)).ok()?.to_owned();
        let mut partitions = Vec::new();
        for _ in 0..left.try_get_i32().ok()? {
            partitions.push(left.try_get_i32().ok()?);
        }
        partitions.sort_unstable();
        assigned.push(TopicPartitions { topic, partitions });
    }
    assigned.sort_by(|a, b| a.topic.cmp(&b.topic));
    Some(assigned)
}

/// What a group has yet to read.
pub(crate) fn lags(state: &BrokerState, group: &Group) -> Vec<Lag> {
    let committed = group.offsets.iter().map(|offset| (offset.topic.as_str(), offset.partition));
    let assigned = group.members.iter().flat_map(|member| &member.assignment);
    let assigned = assigned.flat_map(|of| of.partitions.iter().map(|index| (of.topic.as_str(), *index)));
    let all: BTreeSet<(&str, i32)> = committed.chain(assigned).collect();
    let lag = |(topic, index): (&str, i32)| {
        let partition = state.topics.get(topic)?.partition(index)?;
        let log = partition.log();
        let committed =
            group.offsets.iter().find(|offset| offset.topic == topic && offset.partition == index);
        let committed = committed.map(|offset| offset.offset);
        let end = log.high_watermark();
        let left = end.saturating_sub(committed.unwrap_or(log.log_start_offset()));
        let lag = u64::try_from(left).unwrap_or(0);
        Some(Lag { topic: topic.to_owned(), partition: index, committed, log_end_offset: end, lag })
    };
    all.into_iter().filter_map(lag).collect()
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};

    use super::*;

    #[test]
    fn an_assignment_is_read_and_one_that_lies_is_not() {
        let mut bytes = BytesMut::new();
        bytes.put_i16(0);
        bytes.put_i32(1);
        bytes.put_i16(1);
        bytes.put_slice(b"t");
        bytes.put_i32(2);
        bytes.put_i32(1);
        bytes.put_i32(0);
        let whole = bytes.freeze();
        assert_eq!(
            assigned(&whole),
            Some(vec![TopicPartitions { topic: "t".to_owned(), partitions: vec![0, 1] }])
        );
        for length in 0..whole.len() {
            assert_eq!(assigned(&whole.slice(..length)), None, "{length} bytes");
        }
        assert_eq!(assigned(&Bytes::from_static(&[0, 0, 0x7f, 0xff, 0xff, 0xff])), None);
    }
}
