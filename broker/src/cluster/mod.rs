//! Several nodes with one log behind them: who leads what, and what becomes of that when nodes come and go.
//!
//! Every node has ports of its own and answers as a broker of a cluster would: for the partitions that it leads, the groups
//! that it coordinates, and with the epoch of the leader. Records are in one log, so that a replica is a name in a list: one
//! that is there is in sync, and a node that comes back has everything. With one node, which is the default, nothing of this
//! is to be seen, and a request pays two or three atomic reads for it.
//!
//! `layout` says which nodes there are, `nodes` what was done to them, `placement` decides who leads a partition, `state`
//! applies that to topics and groups, `command` is what a test calls, `doors` are the listening sockets, `view` is what
//! there is to see.

mod assign;
mod command;
mod doors;
mod error;
mod layout;
mod nodes;
mod placement;
mod state;
mod view;

pub(crate) use assign::Placing;
pub use command::Cluster;
pub(crate) use doors::Doors;
pub use error::ClusterError;
pub(crate) use layout::Layout;
pub use layout::MAX_BROKERS;
pub use nodes::NodeState;
pub(crate) use nodes::Nodes;
pub(crate) use placement::Placement;
pub(crate) use state::{Change, ClusterState, Elected};
pub use view::{ClusterGroup, ClusterNode, ClusterPartition, ClusterView};
