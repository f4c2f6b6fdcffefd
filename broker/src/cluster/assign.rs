//! Where the partitions of a new topic go: spread over nodes and racks, as Kafka spreads them.

use std::sync::Arc;

use super::placement::Placement;
use crate::state::BrokerState;

/// How the replicas of new partitions are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placing {
    /// As many nodes for each, chosen here; no more than there are.
    Automatic { replication_factor: usize },
    /// These nodes for each partition, in order.
    Manual(Vec<Vec<i32>>),
}

impl Placing {
    /// How many replicas a partition has then.
    pub(crate) fn replicas(&self) -> i16 {
        let replicas = match self {
            Placing::Automatic { replication_factor } => *replication_factor,
            Placing::Manual(partitions) => partitions.first().map_or(1, Vec::len),
        };
        i16::try_from(replicas).unwrap_or(i16::MAX)
    }

    /// A number of replicas off a wire or out of a config.
    pub(crate) fn factor(replication_factor: i64) -> Self {
        Placing::Automatic { replication_factor: usize::try_from(replication_factor).unwrap_or(1).max(1) }
    }
}

impl BrokerState {
    /// Where `count` new partitions go. With one node there is nothing to be said, and nothing is drawn.
    pub(crate) fn place_new(&self, count: i32, placing: &Placing) -> Vec<Arc<Placement>> {
        if self.cluster.layout.is_single() {
            return Vec::new();
        }
        let alive = |node| self.is_alive(node);
        let place = |replicas| Arc::new(Placement::new(replicas, &alive));
        match placing {
            Placing::Manual(partitions) => partitions.iter().cloned().map(place).collect(),
            Placing::Automatic { replication_factor } => {
                let order = self.cluster.layout.across_racks();
                let drawn = usize::try_from(self.random.positive_i32()).unwrap_or(0);
                let count = usize::try_from(count).unwrap_or(0);
                let first = |partition: usize| drawn.wrapping_add(partition);
                let replicas = |partition| striped(&order, first(partition), *replication_factor, &alive);
                (0..count).map(replicas).map(place).collect()
            }
        }
    }
}

/// As many neighbours in `order`, from the place `first` on. Those that are away come last, so that somebody leads.
fn striped(order: &[i32], first: usize, count: usize, alive: &dyn Fn(i32) -> bool) -> Vec<i32> {
    let skip = first.checked_rem(order.len()).unwrap_or(0);
    let round = order.iter().cycle().skip(skip).take(order.len()).copied();
    let (there, away): (Vec<i32>, Vec<i32>) = round.partition(|node| alive(*node));
    there.into_iter().chain(away).take(count.max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaders_follow_each_other_and_nobody_is_there_twice() {
        let order = [1, 3, 2];
        let placed: Vec<_> = (0..4).map(|first| striped(&order, first, 2, &|_| true)).collect();
        assert_eq!(placed, [[1, 3], [3, 2], [2, 1], [1, 3]]);
        assert_eq!(striped(&order, usize::MAX, 9, &|_| true).len(), 3);
    }

    #[test]
    fn who_is_away_does_not_come_first() {
        assert_eq!(striped(&[1, 2, 3], 0, 3, &|node| node != 1), [2, 3, 1]);
        assert_eq!(striped(&[1, 2, 3], 0, 1, &|node| node != 1), [2]);
    }
}
