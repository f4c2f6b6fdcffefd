//! Where a partition is: its replicas, those in sync, the leader; and what becomes of them when nodes come and go.
//!
//! As a KRaft controller with eligible leader replicas (KIP-966) decides it. Knows neither logs nor sockets.

use serde::{Deserialize, Serialize};

/// The replicas of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Placement {
    /// The nodes that keep a replica; the first is the preferred leader.
    pub(crate) replicas: Vec<i32>,
    /// Those that are in sync.
    pub(crate) isr: Vec<i32>,
    /// Those that left the replicas in sync when there were too few, and may lead all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) elr: Vec<i32>,
    /// The leader, if there is one.
    pub(crate) leader: Option<i32>,
}

/// What a change of replicas goes by.
pub(crate) struct Rules<'a> {
    /// Whether a node can be talked to.
    pub(crate) alive: &'a dyn Fn(i32) -> bool,
    /// `min.insync.replicas`
    pub(crate) min_isr: usize,
    /// `unclean.leader.election.enable`
    pub(crate) unclean: bool,
}

impl Placement {
    /// A new partition: whoever of its replicas is there is in sync, and the first of them leads.
    pub(crate) fn new(replicas: Vec<i32>, alive: &dyn Fn(i32) -> bool) -> Self {
        let isr: Vec<i32> = replicas.iter().copied().filter(|node| alive(*node)).collect();
        Placement { leader: isr.first().copied(), elr: Vec::new(), isr, replicas }
    }

    /// Whether a controller could have come to it: what is read from elsewhere may be anything.
    pub(crate) fn is_sound(&self) -> bool {
        let mut sorted = self.replicas.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let known = |nodes: &[i32]| nodes.iter().all(|node| self.replicas.contains(node));
        let leads = self.leader.is_none_or(|leader| self.isr.contains(&leader));
        !sorted.is_empty()
            && sorted.len() == self.replicas.len()
            && sorted.first().is_some_and(|first| *first >= 0)
            && known(&self.isr)
            && known(&self.elr)
            && leads
    }

    /// A partition that has one node to be on.
    pub(crate) fn on_one(node: i32) -> Self {
        Placement { replicas: vec![node], isr: vec![node], elr: Vec::new(), leader: Some(node) }
    }

    /// How many replicas have to be in sync: no more than there are.
    pub(crate) fn effective_min_isr(&self, min_isr: usize) -> usize {
        min_isr.min(self.replicas.len())
    }

    /// What becomes of the partition, given the nodes that are there: who is away is no longer in sync and does not lead;
    /// who is there has caught up, because there is one log behind all of them; where nobody leads a leader is elected.
    pub(crate) fn settled(&self, rules: &Rules<'_>) -> Placement {
        let alive = rules.alive;
        let min_isr = self.effective_min_isr(rules.min_isr);
        let mut next = self.clone();
        next.isr.retain(|node| alive(*node));
        if next.isr.len() < min_isr {
            let left = self.isr.iter().filter(|node| !alive(**node) && !self.elr.contains(node));
            next.elr.extend(left);
        }
        next.leader = self.leader.filter(|leader| alive(*leader));
        if next.leader.is_none() {
            next.elect(rules);
        }
        next.catch_up(alive, min_isr);
        next
    }

    /// Elects the first replica that may lead, in the order of replicas.
    fn elect(&mut self, rules: &Rules<'_>) {
        let first = |among: &[i32]| {
            let mut there = self.replicas.iter().copied().filter(|node| (rules.alive)(*node));
            there.find(|node| among.contains(node))
        };
        if let Some(leader) = first(&self.isr) {
            self.leader = Some(leader);
        } else if let Some(leader) = first(&self.elr) {
            self.lead_alone(leader);
        } else if rules.unclean {
            self.elect_uncleanly(rules.alive);
        }
    }

    /// Elects any replica that is there, in sync or not, and says whether there is one.
    pub(crate) fn elect_uncleanly(&mut self, alive: &dyn Fn(i32) -> bool) -> bool {
        let Some(leader) = self.replicas.iter().copied().find(|node| alive(*node)) else { return false };
        self.elr.clear();
        self.lead_alone(leader);
        true
    }

    fn lead_alone(&mut self, leader: i32) {
        (self.leader, self.isr) = (Some(leader), vec![leader]);
        self.elr.retain(|node| *node != leader);
    }

    /// Under a leader, the replicas that are there are in sync.
    pub(crate) fn catch_up(&mut self, alive: &dyn Fn(i32) -> bool, min_isr: usize) {
        if self.leader.is_none() {
            return;
        }
        for node in self.replicas.iter().copied().filter(|node| alive(*node)) {
            if !self.isr.contains(&node) {
                self.isr.push(node);
            }
        }
        self.elr.retain(|node| !self.isr.contains(node));
        if self.isr.len() >= min_isr {
            self.elr.clear();
        }
    }

    /// The partition without the nodes that a cluster does not have; none if nothing is left of it.
    pub(crate) fn on_nodes(&self, nodes: &[i32]) -> Option<Placement> {
        let known = |among: &[i32]| among.iter().copied().filter(|node| nodes.contains(node)).collect();
        let replicas: Vec<i32> = known(&self.replicas);
        let leader = self.leader.filter(|leader| nodes.contains(leader));
        let (mut isr, elr): (Vec<i32>, Vec<i32>) = (known(&self.isr), known(&self.elr));
        if isr.is_empty() && elr.is_empty() {
            // Those that had everything are not there any more; in one log the others have it as well.
            isr = replicas.clone();
        }
        (!replicas.is_empty()).then_some(Placement { replicas, isr, elr, leader })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Placement {
        Placement::new(vec![1, 2, 3], &|_| true)
    }

    fn settled(placement: &Placement, alive: &[i32], min_isr: usize, unclean: bool) -> Placement {
        placement.settled(&Rules { alive: &|node| alive.contains(&node), min_isr, unclean })
    }

    #[test]
    fn the_next_replica_leads_when_the_leader_goes_and_goes_on_when_it_is_back() {
        let without = settled(&three(), &[2, 3], 1, false);
        assert_eq!((without.leader, &without.isr[..]), (Some(2), &[2, 3][..]));
        let back = settled(&without, &[1, 2, 3], 1, false);
        assert_eq!((back.leader, &back.isr[..]), (Some(2), &[2, 3, 1][..]));
    }

    #[test]
    fn the_last_in_sync_alone_may_lead_again() {
        let last = settled(&settled(&three(), &[2, 3], 1, false), &[3], 1, false);
        assert_eq!((last.leader, &last.isr[..], &last.elr[..]), (Some(3), &[3][..], &[][..]));
        let nobody = settled(&last, &[], 1, false);
        assert_eq!((nobody.leader, &nobody.isr[..], &nobody.elr[..]), (None, &[][..], &[3][..]));
        let waiting = settled(&nobody, &[1, 2], 1, false);
        assert_eq!((waiting.leader, waiting.isr.len()), (None, 0));
        assert_eq!(settled(&nobody, &[1, 2], 1, true).leader, Some(1));
        let again = settled(&waiting, &[1, 2, 3], 1, false);
        assert_eq!((again.leader, &again.isr[..], &again.elr[..]), (Some(3), &[3, 1, 2][..], &[][..]));
    }

    #[test]
    fn who_leaves_when_too_few_are_in_sync_may_lead_all_the_same() {
        let one = settled(&settled(&three(), &[1, 2], 2, false), &[1], 2, false);
        assert_eq!((one.leader, &one.isr[..], &one.elr[..]), (Some(1), &[1][..], &[2][..]));
        let two = settled(&one, &[2], 2, false);
        assert_eq!((two.leader, &two.isr[..], &two.elr[..]), (Some(2), &[2][..], &[1][..]));
        assert!(settled(&two, &[1, 2], 2, false).elr.is_empty());
    }

    #[test]
    fn what_does_not_change_stays_as_it_is() {
        for alive in [&[1, 2, 3][..], &[2, 3], &[3], &[]] {
            let once = settled(&three(), alive, 2, false);
            assert_eq!(settled(&once, alive, 2, false), once, "{alive:?}");
        }
    }

    #[test]
    fn nodes_that_a_cluster_does_not_have_are_left_out() {
        let placement = three();
        assert_eq!(placement.on_nodes(&[1]).unwrap(), Placement::on_one(1));
        let led_by_nobody = placement.on_nodes(&[2, 3, 4]).unwrap();
        assert_eq!((led_by_nobody.leader, &led_by_nobody.isr[..]), (None, &[2, 3][..]));
        assert_eq!(placement.on_nodes(&[7]), None);
    }
}
