//! How a group's leader shares out partitions. Pure functions of members and partitions: no I/O, no time, no chance.

mod balance;
mod range;
mod round_robin;
mod sticky;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::protocol::{self, NO_GENERATION, Subscription};
use crate::options::Assignor;
use crate::record::TopicPartition;

/// How many partitions each topic has. A topic that is not there is not known.
pub(super) type PartitionCounts = BTreeMap<Arc<str>, i32>;

/// What each member gets, by its id. Every member is in it.
pub(super) type Assignment = BTreeMap<String, Vec<TopicPartition>>;

/// A member as an assignor sees it.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) instance_id: Option<String>,
    pub(super) topics: HashSet<Arc<str>>,
    /// What it has, or had last.
    pub(super) owned: Vec<TopicPartition>,
    /// The generation in which it had that.
    pub(super) generation: i32,
}

impl Member {
    /// A member by its subscription, as the assignor reads it.
    pub(super) fn new(
        assignor: Assignor,
        id: String,
        instance_id: Option<String>,
        subscription: Subscription,
    ) -> Self {
        let Subscription { topics, user_data, owned, generation, .. } = subscription;
        let (owned, generation) = match (assignor, user_data) {
            // It gives up everything before it joins, so only its user data says what it had.
            (Assignor::Sticky, user_data) => user_data
                .and_then(|data| protocol::decode_sticky(&data))
                .unwrap_or((Vec::new(), NO_GENERATION)),
            (Assignor::CooperativeSticky, Some(data)) if generation == NO_GENERATION => {
                (owned, protocol::decode_cooperative(&data))
            }
            _ => (owned, generation),
        };
        Member { id, instance_id, topics: topics.into_iter().collect(), owned, generation }
    }

    /// Static members come first, by their lasting ids.
    fn order(&self) -> (bool, &str) {
        match &self.instance_id {
            Some(instance) => (false, instance),
            None => (true, &self.id),
        }
    }
}

/// The name by which members agree on it.
pub(super) fn name(assignor: Assignor) -> &'static str {
    match assignor {
        Assignor::Range => "range",
        Assignor::RoundRobin => "roundrobin",
        Assignor::Sticky => "sticky",
        Assignor::CooperativeSticky => "cooperative-sticky",
    }
}

/// Whether members give up only what moves. That takes all of the assignors that are offered to be of that kind.
pub(super) fn cooperative(offered: &[Assignor]) -> bool {
    !offered.is_empty() && offered.iter().all(|assignor| *assignor == Assignor::CooperativeSticky)
}

/// What goes into a subscription beside topics and owned partitions.
pub(super) fn user_data(assignor: Assignor, last: &[TopicPartition], generation: i32) -> Option<Bytes> {
    match assignor {
        Assignor::Range | Assignor::RoundRobin => None,
        Assignor::Sticky => (generation != NO_GENERATION).then(|| protocol::encode_sticky(last, generation)),
        Assignor::CooperativeSticky => Some(protocol::encode_cooperative(generation)),
    }
}

/// Shares out the partitions.
pub(super) fn assign(assignor: Assignor, counts: &PartitionCounts, members: &[Member]) -> Assignment {
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by(|one, other| one.order().cmp(&other.order()));
    let mut assignment = match assignor {
        Assignor::Range => range::assign(counts, &members),
        Assignor::RoundRobin => round_robin::assign(counts, &members),
        Assignor::Sticky => sticky::assign(counts, &members),
        Assignor::CooperativeSticky => {
            let mut assignment = sticky::assign(counts, &members);
            withhold_what_moves(&mut assignment, &members);
            assignment
        }
    };
    for member in members {
        assignment.entry(member.id.clone()).or_default();
    }
    assignment
}

/// Takes out of an assignment what another member has to give up first: it is handed out in the rebalance that follows.
fn withhold_what_moves(assignment: &mut Assignment, members: &[&Member]) {
    let mut given_up: HashSet<TopicPartition> = HashSet::new();
    for member in members {
        let kept: HashSet<&TopicPartition> =
            assignment.get(&member.id).map(|kept| kept.iter().collect()).unwrap_or_default();
        given_up.extend(member.owned.iter().filter(|owned| !kept.contains(owned)).cloned());
    }
    for member in members {
        let owned: HashSet<&TopicPartition> = member.owned.iter().collect();
        if let Some(given) = assignment.get_mut(&member.id) {
            given.retain(|partition| owned.contains(partition) || !given_up.contains(partition));
        }
    }
}

/// All partitions of the topics that somebody subscribes to, by topic and number.
fn all_partitions(counts: &PartitionCounts, members: &[&Member]) -> Vec<TopicPartition> {
    let subscribed = |topic: &Arc<str>| members.iter().any(|member| member.topics.contains(topic));
    let of = |(topic, count): (&Arc<str>, &i32)| {
        let topic = Arc::clone(topic);
        (0..*count).map(move |partition| TopicPartition { topic: Arc::clone(&topic), partition })
    };
    counts.iter().filter(|(topic, _)| subscribed(topic)).flat_map(of).collect()
}
