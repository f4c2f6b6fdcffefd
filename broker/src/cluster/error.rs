//! Why a cluster cannot be changed as was asked.

use super::nodes::NodeState;

/// Why a change of the cluster does not happen. Nothing has changed then, but where [`ClusterError::Storage`] says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// There is no such node.
    #[error("there is no node {node}; the cluster has {}", list(nodes))]
    UnknownNode {
        /// The id that was given.
        node: i32,
        /// The ids that there are.
        nodes: Vec<i32>,
    },
    /// There is no such topic.
    #[error("there is no topic '{0}'; create it first, or correct its name")]
    UnknownTopic(String),
    /// The topic has no such partition.
    #[error("the topic '{topic}' has no partition {partition}; it has {count}, counted from 0")]
    UnknownPartition {
        /// The topic's name.
        topic: String,
        /// The partition that was given.
        partition: i32,
        /// How many there are.
        count: i32,
    },
    /// The node is away.
    #[error("node {node} cannot {what}: it is {state}; bring it back first")]
    Away {
        /// The node's id.
        node: i32,
        /// What was wanted of it.
        what: &'static str,
        /// How it is.
        state: NodeState,
    },
    /// The node keeps no replica of the partition.
    #[error(
        "node {node} cannot lead {topic}-{partition}: it keeps no replica of it, node {} does; \
         create the topic with more replicas, or with other ones",
        list(replicas)
    )]
    NoReplica {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: i32,
        /// The node's id.
        node: i32,
        /// The nodes that keep one.
        replicas: Vec<i32>,
    },
    /// The node's replica is not in sync: no replica that had everything is there.
    #[error(
        "node {node} cannot lead {topic}-{partition}: it is not in sync; bring back node {}, which has everything",
        list(last)
    )]
    NotInSync {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: i32,
        /// The node's id.
        node: i32,
        /// The nodes that were in sync last.
        last: Vec<i32>,
    },
    /// The address of the node is taken.
    #[error("node {node} cannot listen on {address} again: {why}; it stays stopped")]
    Listen {
        /// The node's id.
        node: i32,
        /// The address.
        address: String,
        /// What the system says.
        why: String,
    },
    /// A node is to be slower than can be waited for.
    #[error("a node can be slowed down by an hour at the most, and not by {0:?}")]
    TooSlow(std::time::Duration),
    /// There is no topic of offsets, and none can be made.
    #[error("the group has no coordinator, because the topic of offsets cannot be made: {0}")]
    NoOffsets(String),
    /// The change cannot be written to the data folder, or not all of it.
    #[error("the change of leaders cannot be written down: {0}; partitions before that have moved")]
    Storage(String),
}

/// Ids as a sentence lists them.
fn list(ids: &[i32]) -> String {
    let ids: Vec<String> = ids.iter().map(i32::to_string).collect();
    match ids.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_listed_as_in_a_sentence() {
        assert_eq!([list(&[]), list(&[1]), list(&[1, 2, 3])], ["none", "1", "1, 2 and 3"]);
    }
}
