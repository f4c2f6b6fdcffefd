//! What is known of a cluster at one moment: brokers, topics, leaders.
//!
//! A new answer is laid over what was known before; nothing here asks for one.

use std::collections::HashMap;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use uuid::Uuid;

/// A cluster as its brokers describe it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metadata {
    /// Its id, where the brokers have told.
    pub(crate) cluster_id: Option<Arc<str>>,
    /// Which broker is the controller, or answers for it.
    pub(crate) controller: Option<i32>,
    /// The brokers, by their ids.
    pub(crate) brokers: HashMap<i32, Broker>,
    topics: HashMap<Arc<str>, Arc<Topic>>,
    failures: HashMap<Arc<str>, ResponseError>,
}

/// Where a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) id: i32,
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    pub(crate) rack: Option<Arc<str>>,
}

/// A topic that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    /// Nil where the broker is too old to have ids.
    pub(crate) id: Uuid,
    pub(crate) internal: bool,
    /// By their numbers, from 0 on.
    pub(crate) partitions: Vec<Partition>,
}

/// A partition, and who leads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) index: i32,
    pub(crate) leader: Option<Leader>,
    pub(crate) replicas: Vec<i32>,
    pub(crate) in_sync: Vec<i32>,
    pub(crate) offline: Vec<i32>,
}

/// Who leads a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) node: i32,
    /// -1 where the broker is too old to tell.
    pub(crate) epoch: i32,
}

impl Topic {
    /// A partition by its number.
    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }
}

impl Metadata {
    /// A topic, if it was known to exist when it was last asked for.
    pub(crate) fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    /// Why a topic that was asked for is not there.
    pub(crate) fn failure(&self, topic: &str) -> Option<ResponseError> {
        self.failures.get(topic).copied()
    }

    /// All topics that are known.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.values()
    }

    /// Who leads a partition, where that is known.
    pub(crate) fn leader(&self, topic: &str, partition: i32) -> Option<Leader> {
        self.topic(topic)?.partition(partition)?.leader
    }

    /// This with an answer laid over it. Topics of which it says nothing stay as they are, unless `all` were asked for.
    pub(super) fn with(&self, answer: &MetadataResponse, all: bool) -> Metadata {
        let mut next = if all { Metadata::default() } else { self.clone() };
        next.cluster_id = answer.cluster_id.as_deref().map(Arc::from).or_else(|| self.cluster_id.clone());
        next.controller = Some(answer.controller_id.0).filter(|id| *id >= 0);
        next.brokers = answer
            .brokers
            .iter()
            .filter_map(|broker| {
                let port = u16::try_from(broker.port).ok()?;
                let rack = broker.rack.as_deref().map(Arc::from);
                let id = broker.node_id.0;
                Some((id, Broker { id, host: Arc::from(broker.host.as_str()), port, rack }))
            })
            .collect();
        for answered in &answer.topics {
            next.lay_over(self, answered);
        }
        next
    }

    fn lay_over(&mut self, before: &Metadata, answered: &MetadataResponseTopic) {
        let Some(name) = answered.name.as_ref().map(|name| Arc::<str>::from(name.as_str())) else { return };
        let known = before.topics.get(&name);
        match ResponseError::try_from_code(answered.error_code) {
            Some(error) => {
                // Without a leader it is there all the same.
                if error != ResponseError::LeaderNotAvailable || answered.partitions.is_empty() {
                    self.topics.remove(&name);
                    self.failures.insert(name, error);
                    return;
                }
            }
            None => {
                self.failures.remove(&name);
            }
        }
        let known = known.filter(|known| known.id == answered.topic_id);
        let topic = Topic {
            name: Arc::clone(&name),
            id: answered.topic_id,
            internal: answered.is_internal,
            partitions: partitions(answered, known),
        };
        self.topics.insert(name, Arc::new(topic));
    }

    /// This without the topics that nobody wants any more.
    pub(super) fn keeping(&self, wanted: impl Fn(&str) -> bool) -> Metadata {
        let mut next = self.clone();
        next.topics.retain(|name, _| wanted(name));
        next.failures.retain(|name, _| wanted(name));
        next
    }

    /// This with a leader that a broker has named in passing, unless a later one is known.
    pub(super) fn with_leader(&self, topic: &str, partition: i32, leader: Leader) -> Option<Metadata> {
        let known = self.topic(topic)?;
        if known.partition(partition)?.leader.is_some_and(|known| known.epoch >= leader.epoch) {
            return None;
        }
        let mut changed = Topic::clone(known);
        let place = usize::try_from(partition).ok()?;
        changed.partitions.get_mut(place)?.leader = Some(leader);
        let mut next = self.clone();
        next.topics.insert(Arc::clone(&known.name), Arc::new(changed));
        Some(next)
    }
}

fn partitions(answered: &MetadataResponseTopic, known: Option<&Arc<Topic>>) -> Vec<Partition> {
    let mut partitions: Vec<_> =
        answered.partitions.iter().map(|answered| partition(answered, known)).collect();
    partitions.sort_unstable_by_key(|partition| partition.index);
    partitions.dedup_by_key(|partition| partition.index);
    // A partition is found by its number: what is not numbered from 0 on makes no sense, and is not believed.
    let sound =
        partitions.iter().enumerate().take_while(|(place, p)| usize::try_from(p.index) == Ok(*place)).count();
    partitions.truncate(sound);
    partitions
}

fn partition(answered: &MetadataResponsePartition, known: Option<&Arc<Topic>>) -> Partition {
    let index = answered.partition_index;
    let told = (answered.leader_id.0 >= 0)
        .then_some(Leader { node: answered.leader_id.0, epoch: answered.leader_epoch });
    let before = known.and_then(|topic| topic.partition(index)).and_then(|partition| partition.leader);
    // A broker that lags behind may name a leader of the past.
    let leader = match (told, before) {
        (Some(told), Some(before)) if told.epoch >= 0 && told.epoch < before.epoch => Some(before),
        (told, _) => told,
    };
    let ids = |nodes: &[kafka_protocol::messages::BrokerId]| nodes.iter().map(|node| node.0).collect();
    Partition {
        index,
        leader,
        replicas: ids(&answered.replica_nodes),
        in_sync: ids(&answered.isr_nodes),
        offline: ids(&answered.offline_replicas),
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::TopicName;
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    fn answer(topics: Vec<MetadataResponseTopic>) -> MetadataResponse {
        MetadataResponse::default().with_topics(topics)
    }

    fn topic(name: &str, id: u128, leaders: &[(i32, i32)]) -> MetadataResponseTopic {
        let partitions = leaders.iter().enumerate().map(|(index, (leader, epoch))| {
            MetadataResponsePartition::default()
                .with_partition_index(i32::try_from(index).unwrap())
                .with_leader_id((*leader).into())
                .with_leader_epoch(*epoch)
        });
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))))
            .with_topic_id(Uuid::from_u128(id))
            .with_partitions(partitions.collect())
    }

    #[test]
    fn a_leader_of_the_past_is_not_believed() {
        let known = Metadata::default().with(&answer(vec![topic("t", 1, &[(1, 5), (2, 5)])]), false);
        let later = known.with(&answer(vec![topic("t", 1, &[(3, 4), (3, 6)])]), false);
        assert_eq!(later.leader("t", 0), Some(Leader { node: 1, epoch: 5 }));
        assert_eq!(later.leader("t", 1), Some(Leader { node: 3, epoch: 6 }));
        // A topic that was created anew begins with small epochs.
        let anew = later.with(&answer(vec![topic("t", 2, &[(3, 0)])]), false);
        assert_eq!(anew.leader("t", 0), Some(Leader { node: 3, epoch: 0 }));
        assert_eq!(anew.leader("t", 1), None);
    }

    #[test]
    fn topics_stay_unless_all_were_asked_for_or_they_are_gone() {
        let known = Metadata::default()
            .with(&answer(vec![topic("a", 1, &[(1, 0)]), topic("b", 2, &[(1, 0)])]), false);
        let more = known.with(&answer(vec![topic("c", 3, &[(-1, 0)])]), false);
        assert!(more.topic("a").is_some() && more.topic("c").is_some() && more.leader("c", 0).is_none());
        let gone = topic("a", 1, &[]).with_error_code(ResponseError::UnknownTopicOrPartition.code());
        let fewer = more.with(&answer(vec![gone]), false);
        assert!(fewer.topic("a").is_none());
        assert_eq!(fewer.failure("a"), Some(ResponseError::UnknownTopicOrPartition));
        let all = fewer.with(&answer(vec![topic("c", 3, &[(1, 1)])]), true);
        assert_eq!(all.topics().count(), 1);
        assert!(all.leader("c", 0).is_some());
    }

    #[test]
    fn partitions_are_numbered_from_zero() {
        let mut odd = topic("t", 1, &[(1, 0), (1, 0), (1, 0)]);
        odd.partitions[2].partition_index = i32::MAX;
        odd.partitions.reverse();
        let known = Metadata::default().with(&answer(vec![odd]), false);
        assert_eq!(known.topic("t").unwrap().partitions.len(), 2);
        assert_eq!(known.leader("t", -1), None);
    }

    #[test]
    fn a_leader_named_in_passing_counts_if_it_is_later() {
        let known = Metadata::default().with(&answer(vec![topic("t", 1, &[(1, 5)])]), false);
        assert!(known.with_leader("t", 0, Leader { node: 2, epoch: 5 }).is_none());
        let later = known.with_leader("t", 0, Leader { node: 2, epoch: 6 }).unwrap();
        assert_eq!(later.leader("t", 0), Some(Leader { node: 2, epoch: 6 }));
    }
}
