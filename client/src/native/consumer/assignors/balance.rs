//! Sharing out among members who subscribe to different topics: no count of partitions differs by two or more from
//! another that could be evened out with it, directly or through others.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Member;
use crate::record::TopicPartition;

/// Shares out `all`, from what each member keeps. `members` are in their order, `shares` in that of the members.
pub(super) fn share(
    all: &[TopicPartition],
    shares: Vec<Vec<TopicPartition>>,
    members: &[&Member],
) -> Vec<Vec<TopicPartition>> {
    let mut table = Table::new(shares, members);
    table.give_out_what_is_free(all);
    // Each round takes one from a count and adds it to one that is lower by two or more: it ends.
    while table.even_out() {}
    table.shares
}

struct Table<'a> {
    members: &'a [&'a Member],
    shares: Vec<Vec<TopicPartition>>,
    /// Who subscribes to a topic, by their places in `members`.
    subscribers: HashMap<Arc<str>, Vec<usize>>,
}

/// How a member can come to one partition more: from whom, and of which topic.
type Steps = HashMap<usize, (usize, Arc<str>)>;

impl<'a> Table<'a> {
    fn new(shares: Vec<Vec<TopicPartition>>, members: &'a [&'a Member]) -> Self {
        let mut subscribers: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
        for (at, member) in members.iter().enumerate() {
            for topic in &member.topics {
                subscribers.entry(Arc::clone(topic)).or_default().push(at);
            }
        }
        Table { members, shares, subscribers }
    }

    fn count(&self, member: usize) -> usize {
        self.shares.get(member).map_or(0, Vec::len)
    }

    /// Each free partition to the one who has least, those first whom the fewest can take.
    fn give_out_what_is_free(&mut self, all: &[TopicPartition]) {
        let taken: std::collections::HashSet<TopicPartition> =
            self.shares.iter().flatten().cloned().collect();
        let mut free: Vec<&TopicPartition> =
            all.iter().filter(|partition| !taken.contains(partition)).collect();
        free.sort_by_key(|partition| self.subscribers.get(&partition.topic).map_or(0, Vec::len));
        for partition in free {
            let takers = self.subscribers.get(&partition.topic);
            let least = takers.and_then(|takers| takers.iter().min_by_key(|taker| self.count(**taker)));
            if let Some(share) = least.copied().and_then(|least| self.shares.get_mut(least)) {
                share.push(partition.clone());
            }
        }
    }

    /// Moves a partition from somebody who has more to somebody who has less by two, through as few as possible in
    /// between. Says whether there was such a pair.
    fn even_out(&mut self) -> bool {
        let mut by_count: Vec<usize> = (0..self.members.len()).collect();
        by_count.sort_by_key(|member| self.count(*member));
        for low in by_count {
            if let Some((giver, steps)) = self.find_giver(low) {
                self.move_along(giver, low, &steps);
                return true;
            }
        }
        false
    }

    /// Searches in width from `low` over those who could give to it, and to those, for one who has two more.
    fn find_giver(&self, low: usize) -> Option<(usize, Steps)> {
        let enough = self.count(low) + 2;
        // By giver: to whom it would give, and of which topic.
        let mut steps = Steps::new();
        let mut open = VecDeque::from([low]);
        while let Some(taker) = open.pop_front() {
            let topics = &self.members.get(taker)?.topics;
            for (giver, share) in self.shares.iter().enumerate() {
                if giver == low || steps.contains_key(&giver) {
                    continue;
                }
                let Some(given) = share.iter().find(|partition| topics.contains(&partition.topic)) else {
                    continue;
                };
                steps.insert(giver, (taker, Arc::clone(&given.topic)));
                if share.len() >= enough {
                    return Some((giver, steps));
                }
                open.push_back(giver);
            }
        }
        None
    }

    fn move_along(&mut self, giver: usize, low: usize, steps: &Steps) {
        let mut from = giver;
        while from != low {
            let Some((to, topic)) = steps.get(&from) else { return };
            let Some(share) = self.shares.get_mut(from) else { return };
            // The last one: what it has had for longest stays.
            let Some(at) = share.iter().rposition(|partition| partition.topic == *topic) else { return };
            let partition = share.remove(at);
            if let Some(share) = self.shares.get_mut(*to) {
                share.push(partition);
            }
            from = *to;
        }
    }
}
