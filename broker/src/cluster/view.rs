//! What there is to see of a cluster: plain values that can be written as JSON.

use serde::{Deserialize, Serialize};

use super::nodes::NodeState;
use crate::state::BrokerState;
use crate::topics::OFFSETS_TOPIC;

/// A cluster at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClusterView {
    /// The cluster's id.
    pub cluster_id: String,
    /// The node that is told to be the controller; none if all nodes are away.
    pub controller: Option<i32>,
    /// The nodes, by id.
    pub nodes: Vec<ClusterNode>,
    /// The partitions of all topics, by topic and partition.
    pub partitions: Vec<ClusterPartition>,
    /// The groups and who coordinates them, by group.
    pub coordinators: Vec<ClusterGroup>,
}

/// A node of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClusterNode {
    /// Its id: `node.id`, and those that follow on it.
    pub id: i32,
    /// The host that clients are told.
    pub host: String,
    /// The port that clients are told.
    pub port: u16,
    /// Its rack, if it has one.
    pub rack: Option<String>,
    /// Whether it can be talked to.
    pub state: NodeState,
    /// By how many milliseconds its answers are held back.
    pub delay_ms: u64,
}

impl ClusterNode {
    /// What to give a client as `bootstrap.servers` that is to know of this node first: `HOST:PORT`.
    pub fn bootstrap_server(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A partition, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClusterPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The node that leads it; none if all that may are away.
    pub leader: Option<i32>,
    /// The epoch of the leader: counts up with every change.
    pub leader_epoch: i32,
    /// The nodes that keep a replica; the first is the preferred leader.
    pub replicas: Vec<i32>,
    /// Those that are in sync.
    pub isr: Vec<i32>,
    /// The replicas whose nodes are away.
    pub offline: Vec<i32>,
}

/// A group, and who coordinates it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClusterGroup {
    /// The group's id.
    pub group: String,
    /// The partition of `__consumer_offsets` that the group lives in.
    pub partition: i32,
    /// The node that leads it; none if all that may are away.
    pub node: Option<i32>,
}

impl BrokerState {
    pub(super) fn view_node(&self, id: i32) -> ClusterNode {
        let layout = &self.cluster.layout;
        let place = layout.place(id).unwrap_or(0);
        let (host, port) = self.endpoint(id, 0);
        ClusterNode {
            id,
            host,
            port,
            rack: layout.rack(id).map(str::to_owned),
            state: self.hand.nodes.state(place),
            delay_ms: u64::try_from(self.hand.nodes.delay(place).as_millis()).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn view_partitions(&self) -> Vec<ClusterPartition> {
        let topics = self.topics.all();
        let of_topic = topics.iter().flat_map(|topic| {
            topic.partitions().into_iter().map(|partition| {
                let (leadership, placement) = (partition.leadership(), partition.placement());
                ClusterPartition {
                    topic: topic.name().to_string(),
                    partition: partition.index(),
                    leader: leadership.leader,
                    leader_epoch: leadership.epoch,
                    replicas: placement.replicas.clone(),
                    isr: placement.isr.clone(),
                    offline: self.offline(&placement),
                }
            })
        });
        of_topic.collect()
    }

    pub(super) fn view_coordinators(&self) -> Vec<ClusterGroup> {
        let Some(topic) = self.topics.get(OFFSETS_TOPIC) else { return Vec::new() };
        let groups = self.groups.list(|group| Some(group.id().to_owned()));
        let coordinator = |group: String| {
            let partition = crate::coordinator::group::partition_for(&group, topic.partition_count());
            let node = topic.partition(partition).and_then(|partition| partition.leadership().leader);
            ClusterGroup { group, partition, node }
        };
        groups.into_iter().map(coordinator).collect()
    }
}
