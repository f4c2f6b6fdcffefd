//! As even as can be, and then with as few moves as can be.

use std::collections::{HashMap, VecDeque};

use super::{Assignment, Member, PartitionCounts, all_partitions, balance};
use crate::record::TopicPartition;

/// `members` are in their order.
pub(super) fn assign(counts: &PartitionCounts, members: &[&Member]) -> Assignment {
    let all = all_partitions(counts, members);
    let kept = kept(&all, members);
    let alike = members.windows(2).all(|pair| matches!(pair, [one, other] if one.topics == other.topics));
    let shares = if alike { share_alike(&all, kept) } else { balance::share(&all, kept, members) };
    members.iter().zip(shares).map(|(member, share)| (member.id.clone(), share)).collect()
}

/// What each member may keep of what it says that it has. Where several claim a partition the one with the latest
/// generation has it; where that is not clear, nobody.
fn kept(all: &[TopicPartition], members: &[&Member]) -> Vec<Vec<TopicPartition>> {
    // By partition: the latest generation in which it is claimed, and by whom; none if by several.
    let mut claims: HashMap<&TopicPartition, (i32, Option<usize>)> =
        all.iter().map(|partition| (partition, (i32::MIN, None))).collect();
    for (at, member) in members.iter().enumerate() {
        for partition in member.owned.iter().filter(|owned| member.topics.contains(&owned.topic)) {
            let Some((generation, owner)) = claims.get_mut(partition) else { continue };
            if member.generation > *generation {
                (*generation, *owner) = (member.generation, Some(at));
            } else if member.generation == *generation && *owner != Some(at) {
                *owner = None;
            }
        }
    }
    let mut kept = vec![Vec::new(); members.len()];
    for partition in all {
        if let Some((_, Some(owner))) = claims.get(partition)
            && let Some(share) = kept.get_mut(*owner)
        {
            share.push(partition.clone());
        }
    }
    kept
}

/// Where everybody subscribes to the same: everybody keeps as much as an even share allows, and what is left is dealt
/// out in turn to those who have less.
fn share_alike(all: &[TopicPartition], mut shares: Vec<Vec<TopicPartition>>) -> Vec<Vec<TopicPartition>> {
    if shares.is_empty() {
        return shares;
    }
    let least = all.len() / shares.len();
    // So many members get one more than the least.
    let mut with_one_more = all.len() % shares.len();
    for share in &mut shares {
        if share.len() > least && with_one_more > 0 {
            share.truncate(least + 1);
            with_one_more -= 1;
        } else {
            share.truncate(least);
        }
    }
    let taken: std::collections::HashSet<&TopicPartition> = shares.iter().flatten().collect();
    let mut free: VecDeque<TopicPartition> =
        all.iter().filter(|partition| !taken.contains(partition)).cloned().collect();
    while !free.is_empty() {
        let before = free.len();
        for share in &mut shares {
            let room = share.len() < least || (share.len() == least && with_one_more > 0);
            // Nobody gets one more before everybody has the least.
            let due = share.len() < least || free.len() <= with_one_more;
            if room
                && due
                && let Some(partition) = free.pop_front()
            {
                with_one_more -= usize::from(share.len() == least);
                share.push(partition);
            }
        }
        debug_assert!(free.len() < before, "shares add up to all partitions");
        if free.len() == before {
            break;
        }
    }
    shares
}
