//! The cluster as one life of a broker has it: who is asked for what, and every change of leaders, coordinators and the
//! controller. A change is the same where a test asks for it and where a journal is replayed.
//!
//! Lock order: `changing` comes before those of topics and groups, and after the journal's writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use kafka_protocol::error::ResponseError;
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};

use super::error::ClusterError;
use super::layout::Layout;
use super::nodes::NodeState;
use super::placement::{Placement, Rules};
use crate::coordinator::group::partition_for;
use crate::partition::Partition;
use crate::state::BrokerState;
use crate::topics::{OFFSETS_TOPIC, Topic, TopicError};

/// The cluster of one life.
pub(crate) struct ClusterState {
    pub(crate) layout: Arc<Layout>,
    /// -1 where there is none.
    controller: AtomicI32,
    /// Held for the length of a change.
    changing: Mutex<()>,
}

impl ClusterState {
    pub(crate) fn new(layout: Arc<Layout>) -> Self {
        let controller = AtomicI32::new(layout.first());
        ClusterState { layout, controller, changing: Mutex::new(()) }
    }
}

/// A change of the cluster, as a journal has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    MoveLeader {
        topic: String,
        partition: i32,
        node: i32,
    },
    MoveCoordinator {
        group: String,
        node: i32,
    },
    MoveController {
        node: i32,
    },
    /// A node is stopped or cut off, or is back.
    Become {
        node: i32,
        state: NodeState,
    },
    ElectPreferred,
}

/// What came of an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elected {
    Leader,
    NotNeeded,
    /// None that may lead is there.
    Nobody,
}

impl BrokerState {
    /// Whether a node can be talked to.
    pub(crate) fn is_alive(&self, node: i32) -> bool {
        self.cluster.layout.place(node).is_some_and(|place| self.hand.nodes.runs(place))
    }

    /// The nodes that can be talked to, by id.
    pub(crate) fn alive_nodes(&self) -> Vec<i32> {
        self.cluster.layout.ids().iter().copied().filter(|node| self.is_alive(*node)).collect()
    }

    /// The node that clients are told to be the controller.
    pub(crate) fn controller(&self) -> Option<i32> {
        Some(self.cluster.controller.load(Ordering::Relaxed)).filter(|node| *node >= 0)
    }

    /// The address of `node` that clients of `listener` are told.
    pub(crate) fn endpoint(&self, node: i32, listener: usize) -> (String, u16) {
        self.advertised(self.cluster.layout.counterpart(listener, node))
    }

    /// The replicas that cannot be talked to.
    pub(crate) fn offline(&self, placement: &Placement) -> Vec<i32> {
        if !self.hand.nodes.is_troubled() {
            return Vec::new();
        }
        placement.replicas.iter().copied().filter(|node| !self.is_alive(*node)).collect()
    }

    /// How many replicas of a partition have to be in sync for acks of all (`min.insync.replicas`).
    pub(crate) fn min_isr(&self, topic: &Topic) -> usize {
        self.config.min_insync_replicas(&topic.overrides())
    }

    /// Whether enough replicas are in sync for acks of all.
    pub(crate) fn has_enough_replicas(&self, topic: &Topic, partition: &Partition) -> bool {
        // One replica is always enough: no more are asked for than there are.
        let placement = partition.placement();
        placement.replicas.len() < 2
            || placement.isr.len() >= placement.effective_min_isr(self.min_isr(topic))
    }

    /// The partition of `__consumer_offsets` that a group lives in, where that topic is there.
    fn home_of(&self, group: &str) -> Option<(Arc<Topic>, Arc<Partition>)> {
        let topic = self.topics.get(OFFSETS_TOPIC)?;
        let partition = topic.partition(partition_for(group, topic.partition_count()))?;
        Some((topic, partition))
    }

    /// The node that coordinates a group, where the topic of offsets is there and somebody leads.
    pub(crate) fn coordinator_of(&self, group: &str) -> Option<i32> {
        self.home_of(group)?.1.leadership().leader
    }

    /// Whether `node` is the one to be asked about a group, and, if something is to be remembered of it, whether it can be.
    ///
    /// # Errors
    /// NOT_COORDINATOR if it is another; COORDINATOR_NOT_AVAILABLE if too few replicas are in sync to remember anything.
    pub(crate) fn check_coordinator(
        &self,
        node: i32,
        group: &str,
        remembers: bool,
    ) -> Result<(), ResponseError> {
        // What has no name is refused for that.
        if self.cluster.layout.is_single() || group.is_empty() {
            return Ok(());
        }
        let Some((topic, partition)) = self.home_of(group) else { return Err(ResponseError::NotCoordinator) };
        if partition.leadership().leader != Some(node) {
            return Err(ResponseError::NotCoordinator);
        }
        if remembers && !self.has_enough_replicas(&topic, &partition) {
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        Ok(())
    }

    /// Which groups `node` coordinates. The topic of offsets is looked up once: groups are locked where this is asked.
    pub(crate) fn coordinates(&self, node: i32) -> impl Fn(&str) -> bool + use<> {
        let several = !self.cluster.layout.is_single();
        let topic = several.then(|| self.topics.get(OFFSETS_TOPIC)).flatten();
        move |group| {
            let Some(topic) = &topic else { return !several };
            let partition = topic.partition(partition_for(group, topic.partition_count()));
            partition.is_some_and(|partition| partition.leadership().leader == Some(node))
        }
    }

    /// Changes the cluster.
    ///
    /// # Errors
    /// If it cannot be changed so.
    pub(crate) fn change_cluster(self: &Arc<Self>, change: &Change) -> Result<(), ClusterError> {
        let _changing = self.cluster.changing.lock();
        match change {
            Change::MoveLeader { topic, partition, node } => self.move_leader(topic, *partition, *node),
            Change::MoveCoordinator { group, node } => {
                self.ensure_groups().map_err(|error| ClusterError::NoOffsets(error.to_string()))?;
                let partition = self.home_of(group).map_or(0, |(_, partition)| partition.index());
                self.move_leader(OFFSETS_TOPIC, partition, *node)
            }
            Change::MoveController { node } => {
                self.check_running(*node, "be the controller")?;
                self.cluster.controller.store(*node, Ordering::Relaxed);
                Ok(())
            }
            Change::Become { node, state } => {
                let place = self.check_node(*node)?;
                self.hand.nodes.set_state(place, *state);
                self.settle()
            }
            Change::ElectPreferred => {
                let topics = self.topics.all();
                let all =
                    topics.iter().flat_map(|topic| topic.partitions().into_iter().map(move |p| (topic, p)));
                all.map(|(topic, partition)| self.elect_preferred(topic, &partition).map(drop))
                    .fold(Ok(()), Result::and)
                    .map_err(|error| ClusterError::Storage(error.to_string()))
            }
        }?;
        self.hand.bell.ring();
        Ok(())
    }

    /// Where a node is among the others.
    pub(super) fn check_node(&self, node: i32) -> Result<usize, ClusterError> {
        let layout = &self.cluster.layout;
        layout.place(node).ok_or_else(|| ClusterError::UnknownNode { node, nodes: layout.ids().to_vec() })
    }

    pub(super) fn check_running(&self, node: i32, what: &'static str) -> Result<usize, ClusterError> {
        let place = self.check_node(node)?;
        match self.hand.nodes.state(place) {
            NodeState::Running => Ok(place),
            state => Err(ClusterError::Away { node, what, state }),
        }
    }

    pub(super) fn find_partition(
        &self,
        topic: &str,
        partition: i32,
    ) -> Result<(Arc<Topic>, Arc<Partition>), ClusterError> {
        let found = self.topics.get(topic).ok_or_else(|| ClusterError::UnknownTopic(topic.to_owned()))?;
        match found.partition(partition) {
            Some(one) => Ok((found, one)),
            None => {
                let (topic, count) = (topic.to_owned(), found.partition_count());
                Err(ClusterError::UnknownPartition { topic, partition, count })
            }
        }
    }

    fn move_leader(self: &Arc<Self>, name: &str, index: i32, node: i32) -> Result<(), ClusterError> {
        self.check_running(node, "lead a partition")?;
        let (topic, partition) = self.find_partition(name, index)?;
        let placement = partition.placement();
        if !placement.replicas.contains(&node) {
            let (topic, replicas) = (name.to_owned(), placement.replicas.clone());
            return Err(ClusterError::NoReplica { topic, partition: index, node, replicas });
        }
        if !placement.isr.contains(&node) {
            let (topic, last) = (name.to_owned(), placement.elr.clone());
            return Err(ClusterError::NotInSync { topic, partition: index, node, last });
        }
        let next = Placement { leader: Some(node), ..Placement::clone(&placement) };
        self.place(&topic, vec![(partition, next)]).map_err(|error| ClusterError::Storage(error.to_string()))
    }

    /// Has the replica lead that comes first, if it is another one.
    pub(crate) fn elect_preferred(
        self: &Arc<Self>,
        topic: &Arc<Topic>,
        partition: &Arc<Partition>,
    ) -> Result<Elected, TopicError> {
        let placement = partition.placement();
        let Some(preferred) = placement.replicas.first().copied() else { return Ok(Elected::Nobody) };
        if placement.leader == Some(preferred) {
            return Ok(Elected::NotNeeded);
        }
        if !self.is_alive(preferred) || !placement.isr.contains(&preferred) {
            return Ok(Elected::Nobody);
        }
        let next = Placement { leader: Some(preferred), ..Placement::clone(&placement) };
        self.place(topic, vec![(Arc::clone(partition), next)]).map(|()| Elected::Leader)
    }

    /// Has any replica lead that is there, in sync or not, where nobody leads.
    pub(crate) fn elect_uncleanly(
        self: &Arc<Self>,
        topic: &Arc<Topic>,
        partition: &Arc<Partition>,
    ) -> Result<Elected, TopicError> {
        let placement = partition.placement();
        if placement.leader.is_some() {
            return Ok(Elected::NotNeeded);
        }
        let (mut next, alive) = (Placement::clone(&placement), |node| self.is_alive(node));
        if !next.elect_uncleanly(&alive) {
            return Ok(Elected::Nobody);
        }
        next.catch_up(&alive, next.effective_min_isr(self.min_isr(topic)));
        self.place(topic, vec![(Arc::clone(partition), next)]).map(|()| Elected::Leader)
    }

    /// Keeps leaders where they are for as long as it is held.
    pub(super) fn hold_cluster(&self) -> MutexGuard<'_, ()> {
        self.cluster.changing.lock()
    }

    /// Runs elections for clients: one change at a time.
    pub(crate) fn while_changing<T>(&self, elect: impl FnOnce() -> T) -> T {
        let _changing = self.cluster.changing.lock();
        let elected = elect();
        self.hand.bell.ring();
        elected
    }

    /// Has every partition, every group and the controller be where they can be, given the nodes that are there.
    fn settle(self: &Arc<Self>) -> Result<(), ClusterError> {
        let alive = self.alive_nodes();
        if self.controller().is_none_or(|controller| !alive.contains(&controller)) {
            self.cluster.controller.store(alive.first().copied().unwrap_or(-1), Ordering::Relaxed);
        }
        let mut settled = Ok(());
        for topic in self.topics.all() {
            // One that goes meanwhile needs no leaders.
            if let Err(error) = self.settle_topic(&topic)
                && !matches!(error, TopicError::Unknown)
            {
                settled = settled.and(Err(ClusterError::Storage(error.to_string())));
            }
        }
        settled
    }

    fn settle_topic(self: &Arc<Self>, topic: &Arc<Topic>) -> Result<(), TopicError> {
        let rules = Rules {
            alive: &|node| self.is_alive(node),
            min_isr: self.min_isr(topic),
            unclean: self.config.unclean_leader_election(&topic.overrides()),
        };
        let moved = topic.partitions().into_iter().filter_map(|partition| {
            let placement = partition.placement();
            let next = placement.settled(&rules);
            (next != *placement).then_some((partition, next))
        });
        self.place(topic, moved.collect())
    }

    /// Puts partitions elsewhere. Groups whose partition has another leader are read anew by that one.
    fn place(
        self: &Arc<Self>,
        topic: &Arc<Topic>,
        moved: Vec<(Arc<Partition>, Placement)>,
    ) -> Result<(), TopicError> {
        if moved.is_empty() {
            return Ok(());
        }
        let of_groups = &**topic.name() == OFFSETS_TOPIC;
        let led_anew = |(partition, to): &(Arc<Partition>, Placement)| {
            (of_groups && partition.leadership().leader != to.leader).then(|| partition.index())
        };
        let led_anew: Vec<i32> = moved.iter().filter_map(led_anew).collect();
        self.topics.place(topic, moved, self.clock.now_ms())?;
        for partition in led_anew {
            self.groups.reload(partition);
        }
        Ok(())
    }

    /// At the start of a life: what a folder or a snapshot of another cluster has comes to this one's nodes, and what nodes
    /// lead that are away gets other leaders.
    ///
    /// # Errors
    /// If it cannot be written down.
    pub(crate) fn settle_in(self: &Arc<Self>) -> Result<(), TopicError> {
        let nodes = self.cluster.layout.ids();
        let fits = |placement: &Placement| {
            let known = placement.replicas.iter().all(|node| nodes.contains(node));
            let (alive, isr) = (|node: &i32| self.is_alive(*node), &placement.isr);
            let in_sync = placement.replicas.iter().all(|node| alive(node) == isr.contains(node));
            known && in_sync && placement.leader.as_ref().is_some_and(alive)
        };
        for name in self.topics.misplaced(fits) {
            let Some(topic) = self.topics.get(&name) else { continue };
            let known = topic.partitions().into_iter().filter_map(|partition| {
                let placement = partition.placement();
                let next = placement
                    .on_nodes(nodes)
                    .unwrap_or_else(|| Placement::on_one(self.cluster.layout.first()));
                (next != *placement).then_some((partition, next))
            });
            let known: Vec<_> = known.collect();
            if !known.is_empty() {
                self.topics.place(&topic, known, self.clock.now_ms())?;
            }
            self.settle_topic(&topic)?;
        }
        if let Some(controller) = self.alive_nodes().first() {
            self.cluster.controller.store(*controller, Ordering::Relaxed);
        }
        Ok(())
    }
}
