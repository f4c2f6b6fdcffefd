//! All partitions of all topics in turn; who does not subscribe to a topic is passed over.

use super::{Assignment, Member, PartitionCounts, all_partitions};

/// `members` are in their order.
pub(super) fn assign(counts: &PartitionCounts, members: &[&Member]) -> Assignment {
    let mut assignment = Assignment::new();
    let mut turns = members.iter().cycle();
    for partition in all_partitions(counts, members) {
        // Somebody subscribes to it, so this ends within one round.
        let mut round = turns.by_ref().take(members.len());
        if let Some(member) = round.find(|member| member.topics.contains(&partition.topic)) {
            assignment.entry(member.id.clone()).or_default().push(partition);
        }
    }
    assignment
}
