//! Each topic's partitions in ranges: the first members get the first partitions, and one more each where they do not
//! come out even. Topics with as many partitions and the same members are therefore shared out alike.

use std::sync::Arc;

use super::{Assignment, Member, PartitionCounts};
use crate::record::TopicPartition;

/// `members` are in their order.
pub(super) fn assign(counts: &PartitionCounts, members: &[&Member]) -> Assignment {
    let mut assignment = Assignment::new();
    for (topic, count) in counts {
        let subscribed: Vec<_> = members.iter().filter(|member| member.topics.contains(topic)).collect();
        let mut next = 0;
        for (at, member) in subscribed.iter().enumerate() {
            let left = i64::from(*count) - i64::from(next);
            let members_left = (subscribed.len() - at) as i64;
            // Rounded up among those who are left, which gives the first ones the one more.
            let share = ((left + members_left - 1) / members_left) as i32;
            let given =
                (next..next + share).map(|partition| TopicPartition { topic: Arc::clone(topic), partition });
            assignment.entry(member.id.clone()).or_default().extend(given);
            next += share;
        }
    }
    assignment
}
