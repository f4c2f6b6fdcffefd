//! What may be asked of a topic's partitions: how many there are, how often each is replicated, and on which brokers.
//!
//! Knows no requests, and changes nothing.

use std::collections::HashSet;

use kafka_protocol::error::ResponseError;

use crate::cluster::Placing;
use crate::error_code::Told;

/// Partitions that one CreateTopics request may ask for, all its topics together.
pub(crate) const MAX_PARTITIONS_PER_REQUEST: i64 = 10_000;

/// Things that one request may have remembered at once: topics, partitions and configs each count.
pub(crate) const MAX_CHANGES_PER_REQUEST: usize = 10_000;

/// Stands for the broker's default.
const DEFAULT: i32 = -1;

/// The partitions that somebody wants a new topic to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) partitions: i32,
    pub(crate) replication_factor: i16,
    /// Brokers by partition, where whoever asks has chosen them.
    pub(crate) assignments: Vec<(i32, Vec<i32>)>,
}

/// The broker's defaults, and the nodes that there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cluster<'a> {
    pub(crate) nodes: &'a [i32],
    pub(crate) alive: &'a [i32],
    pub(crate) num_partitions: i32,
    pub(crate) replication_factor: i32,
}

impl Wanted {
    /// How many partitions this comes to, right or wrong.
    pub(crate) fn count(&self, cluster: &Cluster<'_>) -> i64 {
        if !self.assignments.is_empty() {
            return i64::try_from(self.assignments.len()).unwrap_or(i64::MAX);
        }
        if self.partitions == DEFAULT { cluster.num_partitions.into() } else { self.partitions.into() }
    }

    /// How many partitions the topic is to have.
    ///
    /// # Errors
    /// Kafka's code and sentence where it cannot be as wanted. Replication is looked at before partitions.
    pub(crate) fn check(&self, cluster: &Cluster<'_>) -> Result<i32, Told> {
        if !self.assignments.is_empty() {
            return self.check_assignments(cluster);
        }
        if self.replication_factor < -1 || self.replication_factor == 0 {
            return Err(Told::new(
                ResponseError::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
        if self.partitions < DEFAULT || self.partitions == 0 {
            return Err(Told::new(
                ResponseError::InvalidPartitions,
                "Number of partitions was set to an invalid non-positive value.",
            ));
        }
        let replicas = match self.replication_factor {
            -1 => cluster.replication_factor,
            wanted => wanted.into(),
        };
        let registered = cluster.nodes.len();
        if usize::try_from(replicas).unwrap_or(0) > registered {
            return Err(Told::new(
                ResponseError::InvalidReplicationFactor,
                format!(
                    "Unable to replicate the partition {replicas} time(s): The target replication factor of \
                     {replicas} cannot be reached because only {registered} broker(s) are registered or some \
                     brokers have all their log directories cordoned."
                ),
            ));
        }
        Ok(if self.partitions == DEFAULT { cluster.num_partitions } else { self.partitions })
    }

    fn check_assignments(&self, cluster: &Cluster<'_>) -> Result<i32, Told> {
        let twice = |what: &str| {
            let sentence =
                format!("A manual partition assignment was specified, but {what} was not set to -1.");
            Err(Told::new(ResponseError::InvalidRequest, sentence))
        };
        if self.replication_factor != -1 {
            return twice("replication factor");
        }
        if self.partitions != DEFAULT {
            return twice("numPartitions");
        }
        let mut indexes = HashSet::new();
        for (index, brokers) in &self.assignments {
            if !indexes.insert(*index) {
                return Err(bad_assignment(format!(
                    "Found multiple manual partition assignments for partition {index}"
                )));
            }
            check_replicas(brokers, cluster.nodes)?;
        }
        let placed: Vec<_> = self.in_order().collect();
        check_consistent(placed.first().map_or(0, |first| first.len()), &placed)?;
        let count = i32::try_from(indexes.len()).unwrap_or(i32::MAX);
        if (0..count).any(|index| !indexes.contains(&index)) {
            return Err(bad_assignment(
                "partitions should be a consecutive 0-based integer sequence".to_owned(),
            ));
        }
        check_led(0, &placed, cluster.alive)?;
        Ok(count)
    }

    fn in_order(&self) -> impl Iterator<Item = &Vec<i32>> {
        let mut placed: Vec<_> = self.assignments.iter().collect();
        placed.sort_by_key(|(index, _)| *index);
        placed.into_iter().map(|(_, brokers)| brokers)
    }

    /// Where its partitions go, given that they can be as wanted.
    pub(crate) fn placing(&self, cluster: &Cluster<'_>) -> Placing {
        if !self.assignments.is_empty() {
            return Placing::Manual(self.in_order().cloned().collect());
        }
        match self.replication_factor {
            -1 => Placing::factor(cluster.replication_factor.into()),
            wanted => Placing::factor(wanted.into()),
        }
    }
}

/// How many partitions `topic`, which has `have`, needs more to have `count`.
///
/// # Errors
/// Kafka's code and sentence where it cannot have as many, or not in the places given in `assignments`.
pub(crate) fn check_more(
    topic: &str,
    have: i32,
    count: i32,
    assignments: Option<&[Vec<i32>]>,
    (replicas, cluster): (usize, &Cluster<'_>),
) -> Result<i32, Told> {
    if count == have {
        let sentence = format!("Topic already has {have} partition(s).");
        return Err(Told::new(ResponseError::InvalidPartitions, sentence));
    }
    let Some(more) = count.checked_sub(have).filter(|more| *more > 0) else {
        return Err(Told::new(
            ResponseError::InvalidPartitions,
            format!("The topic {topic} currently has {have} partition(s); {count} would not be an increase."),
        ));
    };
    if let Some(assignments) = assignments {
        if usize::try_from(more) != Ok(assignments.len()) {
            return Err(bad_assignment(format!(
                "Attempted to add {more} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            )));
        }
        assignments.iter().try_for_each(|brokers| check_replicas(brokers, cluster.nodes))?;
        let placed: Vec<_> = assignments.iter().collect();
        check_consistent(replicas, &placed)?;
        check_led(have, &placed, cluster.alive)?;
    }
    Ok(more)
}

/// Whether all partitions have as many replicas.
fn check_consistent(replicas: usize, placed: &[&Vec<i32>]) -> Result<(), Told> {
    match placed.iter().find(|brokers| brokers.len() != replicas) {
        None => Ok(()),
        Some(brokers) => Err(bad_assignment(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent \
             with previous partitions, which have {replicas} replica(s).",
            brokers.len()
        ))),
    }
}

/// Whether there is somebody to lead each of the partitions, which are counted from `first`.
fn check_led(first: i32, placed: &[&Vec<i32>], alive: &[i32]) -> Result<(), Told> {
    match (first..).zip(placed).find(|(_, brokers)| !brokers.iter().any(|node| alive.contains(node))) {
        None => Ok(()),
        Some((index, _)) => Err(bad_assignment(format!(
            "All brokers specified in the manual partition assignment for partition {index} are fenced or in \
             controlled shutdown."
        ))),
    }
}

/// Whether a partition can be on these brokers.
fn check_replicas(brokers: &[i32], nodes: &[i32]) -> Result<(), Told> {
    if brokers.is_empty() {
        return Err(bad_assignment(
            "The manual partition assignment includes an empty replica list.".to_owned(),
        ));
    }
    // Kafka goes through them in ascending order and names the first that is wrong.
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    let mut before = None;
    for broker in sorted {
        if !nodes.contains(&broker) {
            return Err(bad_assignment(format!(
                "The manual partition assignment includes broker {broker}, but no such broker is registered."
            )));
        }
        if before == Some(broker) {
            return Err(bad_assignment(format!(
                "The manual partition assignment includes the broker {broker} more than once."
            )));
        }
        before = Some(broker);
    }
    Ok(())
}

fn bad_assignment(sentence: String) -> Told {
    Told::new(ResponseError::InvalidReplicaAssignment, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: Cluster<'_> =
        Cluster { nodes: &[1], alive: &[1], num_partitions: 4, replication_factor: 1 };

    fn counted(partitions: i32, replication_factor: i16) -> Wanted {
        Wanted { partitions, replication_factor, assignments: Vec::new() }
    }

    fn assigned(assignments: &[(i32, &[i32])]) -> Wanted {
        let assignments = assignments.iter().map(|(index, brokers)| (*index, brokers.to_vec())).collect();
        Wanted { assignments, ..counted(-1, -1) }
    }

    fn code(result: Result<i32, Told>) -> i16 {
        result.map_or_else(|told| told.error.code(), |_| 0)
    }

    #[test]
    fn minus_one_stands_for_the_default() {
        assert_eq!(counted(-1, -1).check(&CLUSTER), Ok(4));
        assert_eq!(counted(-1, -1).count(&CLUSTER), 4);
        let three = Cluster { replication_factor: 3, ..CLUSTER };
        assert_eq!(code(counted(1, -1).check(&three)), 38);
        assert_eq!(counted(2, 1).check(&three), Ok(2));
    }

    #[test]
    fn replication_is_checked_before_partitions() {
        for (partitions, replicas, error) in [(0, 0, 38), (-2, -2, 38), (0, 9, 37), (-2, 1, 37), (1, 2, 38)] {
            assert_eq!(code(counted(partitions, replicas).check(&CLUSTER)), error);
        }
    }

    #[test]
    fn an_assignment_names_every_partition_once_and_only_this_broker() {
        assert_eq!(assigned(&[(1, &[1]), (0, &[1])]).check(&CLUSTER), Ok(2));
        assert_eq!(code(Wanted { partitions: 1, ..assigned(&[(0, &[1])]) }.check(&CLUSTER)), 42);
        for wrong in [
            &[(0, &[7][..])][..],
            &[(0, &[1, 1])],
            &[(0, &[])],
            &[(0, &[1]), (2, &[1])],
            &[(-1, &[1])],
            &[(0, &[1]), (0, &[1])],
        ] {
            assert_eq!(code(assigned(wrong).check(&CLUSTER)), 39, "{wrong:?}");
        }
    }

    #[test]
    fn with_several_nodes_replicas_are_on_those_that_there_are_and_one_of_them_leads() {
        let three = Cluster { nodes: &[1, 2, 3], alive: &[1, 3], ..CLUSTER };
        assert_eq!((counted(2, 3).check(&three), code(counted(2, 4).check(&three))), (Ok(2), 38));
        let manual = assigned(&[(1, &[3, 2]), (0, &[1, 2])]);
        assert_eq!(manual.check(&three), Ok(2));
        assert_eq!(manual.placing(&three), Placing::Manual(vec![vec![1, 2], vec![3, 2]]));
        for wrong in [&[(0, &[1, 2][..]), (1, &[1][..])][..], &[(0, &[2])], &[(0, &[4])]] {
            assert_eq!(code(assigned(wrong).check(&three)), 39, "{wrong:?}");
        }
        let more = |to: &[i32]| code(check_more("t", 1, 2, Some(&[to.to_vec()]), (2, &three)));
        assert_eq!([more(&[2, 3]), more(&[3]), more(&[2, 2])], [0, 39, 39]);
    }

    #[test]
    fn partitions_only_grow() {
        assert_eq!(check_more("t", 2, 5, None, (1, &CLUSTER)), Ok(3));
        for count in [2, 1, 0, -1, i32::MIN] {
            assert_eq!(code(check_more("t", 2, count, None, (1, &CLUSTER))), 37, "{count}");
        }
        assert_eq!(check_more("t", 2, 4, Some(&[vec![1], vec![1]]), (1, &CLUSTER)), Ok(2));
        for wrong in [vec![], vec![vec![1]], vec![vec![1, 2], vec![1]], vec![vec![], vec![1]]] {
            assert_eq!(code(check_more("t", 2, 4, Some(&wrong), (1, &CLUSTER))), 39, "{wrong:?}");
        }
    }
}
