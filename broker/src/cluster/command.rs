//! What a test commands a cluster with.

use std::time::Duration;

use super::error::ClusterError;
use super::nodes::NodeState;
use super::state::Change;
use super::view::{ClusterNode, ClusterView};
use crate::journal::Command;
use crate::server::{Broker, STOP_PATIENCE};
use crate::state::BrokerState;
use crate::transport::{self, InProcessConnection};

/// The longest that a node's answers can be held back.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// The nodes that a broker stands for, to be looked at and commanded. See [`Broker::cluster`].
pub struct Cluster<'a> {
    broker: &'a Broker,
}

impl Broker {
    /// The nodes that this broker stands for: [`BrokerBuilder::brokers`](crate::BrokerBuilder::brokers) of them, or one.
    ///
    /// ```
    /// use klamm_broker::Broker;
    ///
    /// let broker = Broker::builder().brokers(3).topic("orders", 1).start()?;
    /// let cluster = broker.cluster();
    /// let leader = cluster.leader("orders", 0)?.expect("all nodes are there");
    /// cluster.stop_node(leader)?;
    /// assert_ne!(cluster.leader("orders", 0)?, Some(leader));
    /// cluster.bring_back(leader)?;
    /// cluster.move_leader("orders", 0, leader)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cluster(&self) -> Cluster<'_> {
        Cluster { broker: self }
    }

    /// Opens a connection to one of the nodes that needs no socket. [`connect`](Broker::connect) opens one to the first.
    ///
    /// # Errors
    /// If there is no such node, or it is stopped. To one that is cut off it opens, and nothing is answered.
    pub fn connect_to(&self, node: i32) -> Result<InProcessConnection, ClusterError> {
        let state = self.state();
        let place = state.check_node(node)?;
        let connection = transport::connect(state.clone(), self.runtime().handle(), self.alive(), node);
        // Afterwards: a node that is stopped meanwhile ends the connection.
        match state.hand.nodes.state(place) {
            stopped @ NodeState::Stopped => {
                Err(ClusterError::Away { node, what: "be connected to", state: stopped })
            }
            _ => Ok(connection),
        }
    }
}

impl Cluster<'_> {
    /// Everything there is to see, at one moment.
    pub fn view(&self) -> ClusterView {
        let state = self.broker.state();
        let _still = state.hold_cluster();
        ClusterView {
            cluster_id: state.cluster_id.clone(),
            controller: state.controller(),
            nodes: self.nodes(),
            partitions: state.view_partitions(),
            coordinators: state.view_coordinators(),
        }
    }

    /// The nodes, by id.
    pub fn nodes(&self) -> Vec<ClusterNode> {
        let state = self.broker.state();
        state.cluster.layout.ids().iter().map(|node| state.view_node(*node)).collect()
    }

    /// One of the nodes.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn node(&self, node: i32) -> Result<ClusterNode, ClusterError> {
        let state = self.broker.state();
        state.check_node(node)?;
        Ok(state.view_node(node))
    }

    /// The node that leads a partition; none if all that may are away.
    ///
    /// # Errors
    /// If there is no such partition.
    pub fn leader(&self, topic: &str, partition: i32) -> Result<Option<i32>, ClusterError> {
        let (_, partition) = self.broker.state().find_partition(topic, partition)?;
        Ok(partition.leadership().leader)
    }

    /// The node that coordinates a group; none before anybody has asked for a coordinator, or if all that may are away.
    pub fn coordinator(&self, group: &str) -> Option<i32> {
        self.broker.state().coordinator_of(group)
    }

    /// The node that clients are told to be the controller; none if all are away.
    pub fn controller(&self) -> Option<i32> {
        self.broker.state().controller()
    }

    /// Has `node` lead a partition: a new epoch begins, the old leader answers NOT_LEADER_OR_FOLLOWER, and whoever waits for
    /// records there is told so. Nothing happens if it leads already.
    ///
    /// # Errors
    /// If the node is away, keeps no replica of the partition or is not in sync, or there is no such partition.
    pub fn move_leader(&self, topic: &str, partition: i32, node: i32) -> Result<(), ClusterError> {
        self.change(Change::MoveLeader { topic: topic.to_owned(), partition, node })
    }

    /// Has `node` coordinate a group, and all other groups that live in the same partition of `__consumer_offsets`, by
    /// having it lead that partition. The new coordinator reads the groups from the log, as in Kafka: members stay, their
    /// sessions begin anew; a rebalance that was under way is begun again by the members.
    ///
    /// # Errors
    /// If the node is away, or keeps no replica of the partition.
    pub fn move_coordinator(&self, group: &str, node: i32) -> Result<(), ClusterError> {
        self.change(Change::MoveCoordinator { group: group.to_owned(), node })
    }

    /// Has clients be told that `node` is the controller. As in KRaft, every node answers what the controller is asked.
    ///
    /// # Errors
    /// If the node is away.
    pub fn move_controller(&self, node: i32) -> Result<(), ClusterError> {
        self.change(Change::MoveController { node })
    }

    /// Has the first replica of every partition lead, where it is there: what Kafka does every five minutes
    /// (`auto.leader.rebalance.enable`) and Klamm only when it is told to, so that leaders stay where a test put them.
    ///
    /// # Errors
    /// If it cannot be written down.
    pub fn elect_preferred_leaders(&self) -> Result<(), ClusterError> {
        self.change(Change::ElectPreferred)
    }

    /// Stops a node, as a crash would: its ports refuse connections and its connections are closed; what it leads is led by
    /// the next replica in sync, in a new epoch, or by nobody; the groups that it coordinates and the controller go
    /// elsewhere. Once this returns it answers nothing any more.
    ///
    /// # Errors
    /// If there is no such node, or it is stopped already.
    pub fn stop_node(&self, node: i32) -> Result<(), ClusterError> {
        let _one_at_a_time = self.broker.changing.lock();
        let state = self.broker.state();
        let place = state.check_node(node)?;
        if state.hand.nodes.state(place) == NodeState::Stopped {
            return Err(ClusterError::Away { node, what: "be stopped", state: NodeState::Stopped });
        }
        self.broker.doors.close(state.cluster.layout.listeners(node));
        state.life.stop_node(place);
        let changed = self.changed(&state, &Change::Become { node, state: NodeState::Stopped });
        state.hand.nodes.wait_until_idle(place, STOP_PATIENCE);
        changed
    }

    /// Cuts a node off from clients and from the other nodes: connections to it open, and what is sent on them is neither
    /// worked on nor answered until it is [brought back](Cluster::bring_back); answers that it was about to give wait as
    /// well. The others do without it as when it is stopped.
    ///
    /// A node of Kafka that is cut off from the other nodes alone may go on for some seconds in the belief that it leads; as
    /// nobody reaches this one, what it believes is nothing to anybody, and when it is back it knows better.
    ///
    /// # Errors
    /// If there is no such node, or it is stopped.
    pub fn cut_off(&self, node: i32) -> Result<(), ClusterError> {
        let _one_at_a_time = self.broker.changing.lock();
        let state = self.broker.state();
        state.check_running(node, "be cut off")?;
        self.changed(&state, &Change::Become { node, state: NodeState::CutOff })
    }

    /// Holds each answer of a node back for as long, by real time; nothing holds them back where it is zero. It leads on and
    /// stays in sync.
    ///
    /// # Errors
    /// If there is no such node, or it is more than an hour.
    pub fn slow(&self, node: i32, delay: Duration) -> Result<(), ClusterError> {
        let state = self.broker.state();
        let place = state.check_node(node)?;
        if delay > LONGEST_DELAY {
            return Err(ClusterError::TooSlow(delay));
        }
        state.hand.nodes.set_delay(place, delay);
        state.hand.bell.ring();
        Ok(())
    }

    /// Brings a node back that was stopped, cut off or slowed down: it listens on the same ports, is in sync with everything,
    /// and leads what nobody else could lead. What others lead by now they go on leading, until
    /// [preferred leaders are elected](Cluster::elect_preferred_leaders).
    ///
    /// # Errors
    /// If there is no such node, or one of its ports has been taken by somebody else; then it stays stopped.
    pub fn bring_back(&self, node: i32) -> Result<(), ClusterError> {
        let _one_at_a_time = self.broker.changing.lock();
        bring_back(self.broker, &self.broker.state(), node)
    }

    fn change(&self, change: Change) -> Result<(), ClusterError> {
        // Not while one life takes the place of another.
        let _one_at_a_time = self.broker.changing.lock();
        self.changed(&self.broker.state(), &change)
    }

    fn changed(&self, state: &std::sync::Arc<BrokerState>, change: &Change) -> Result<(), ClusterError> {
        changed(self.broker, state, change)
    }
}

/// Changes the cluster, and journals that.
fn changed(
    broker: &Broker,
    state: &std::sync::Arc<BrokerState>,
    change: &Change,
) -> Result<(), ClusterError> {
    let mut turn = broker.plan.hand.recorder.as_ref().map(|recorder| recorder.turn());
    if let Some(turn) = &mut turn {
        turn.command(Command::Cluster(change.clone()));
    }
    state.change_cluster(change)
}

/// Brings a node back. The caller keeps the broker's life from changing.
fn bring_back(broker: &Broker, state: &std::sync::Arc<BrokerState>, node: i32) -> Result<(), ClusterError> {
    let place = state.check_node(node)?;
    let refused = |(address, why): (std::net::SocketAddr, std::io::Error)| ClusterError::Listen {
        node,
        address: address.to_string(),
        why: why.to_string(),
    };
    let reopened = broker.doors.reopen(state.cluster.layout.listeners(node)).map_err(refused)?;
    state.hand.nodes.set_delay(place, Duration::ZERO);
    let mut changed_now = Ok(());
    if state.hand.nodes.state(place) != NodeState::Running {
        changed_now = changed(broker, state, &Change::Become { node, state: NodeState::Running });
    }
    broker.doors.serve(reopened, broker.runtime().handle(), broker.current(), &broker.alive());
    changed_now
}

impl Broker {
    /// Brings back all nodes that are away, for a life that begins anew. One whose port is taken stays stopped.
    pub(crate) fn bring_all_back(&self, state: &std::sync::Arc<BrokerState>) {
        if !state.hand.nodes.is_troubled() {
            return;
        }
        for node in state.cluster.layout.ids() {
            if let Err(error) = bring_back(self, state, *node) {
                tracing::warn!("{error}");
            }
        }
    }
}
