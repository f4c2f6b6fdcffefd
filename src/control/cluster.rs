//! The nodes that a broker stands for: looking at them, stopping them and bringing them back, moving who leads what.

use std::time::Duration;

use klamm_broker::{Cluster, ClusterError, ClusterNode, ClusterView};
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{Answer, Answered, Body, InPath};
use super::brokers::Target;
use super::problem::{Kind, Problem};
use super::route::Route;

/// Who is to lead a partition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveLeader {
    /// The topic's name.
    topic: String,
    /// The partition.
    partition: i32,
    /// The node that is to lead it.
    node: i32,
}

/// Who is to coordinate a group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveCoordinator {
    /// The group's id.
    group: String,
    /// The node that is to coordinate it, and the groups that live in the same partition.
    node: i32,
}

/// Who is to be the controller.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveController {
    /// The node that clients are told.
    node: i32,
}

/// How slow a node is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slow {
    /// Each answer is held back by so many milliseconds of real time; by none where it is 0.
    delay_ms: u64,
}

/// The node that a path names.
#[derive(Deserialize)]
pub(crate) struct NodePath {
    node: i32,
}

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    const OF_A_NODE: &[Kind] = &[Kind::NotFound, Kind::Conflict];
    vec![
        Route::get(
            "/cluster",
            "look_at_cluster",
            "The nodes, who leads and coordinates what, and who is the controller",
            look,
        )
        .gives::<ClusterView>(200),
        Route::get("/cluster/nodes/{node}", "look_at_node", "How a node of the cluster is", node)
            .gives::<ClusterNode>(200)
            .refuses(&[Kind::NotFound]),
        Route::post("/cluster/nodes/{node}/stop", "stop_node", "Stops a node, as a crash would", stop)
            .gives::<ClusterNode>(200)
            .refuses(OF_A_NODE),
        Route::post(
            "/cluster/nodes/{node}/cut-off",
            "cut_off_node",
            "Cuts a node off: connections to it open, and nothing is answered",
            cut_off,
        )
        .gives::<ClusterNode>(200)
        .refuses(OF_A_NODE),
        Route::post("/cluster/nodes/{node}/slow", "slow_node", "Holds each answer of a node back", slow)
            .takes::<Slow>()
            .gives::<ClusterNode>(200)
            .refuses(&[Kind::NotFound]),
        Route::post(
            "/cluster/nodes/{node}/bring-back",
            "bring_node_back",
            "Brings a node back that was stopped, cut off or slowed down",
            bring_back,
        )
        .gives::<ClusterNode>(200)
        .refuses(OF_A_NODE),
        Route::put("/cluster/leader", "move_leader", "Has a node lead a partition, in a new epoch", leader)
            .takes::<MoveLeader>()
            .gives::<ClusterView>(200)
            .refuses(OF_A_NODE),
        Route::put("/cluster/coordinator", "move_coordinator", "Has a node coordinate a group", coordinator)
            .takes::<MoveCoordinator>()
            .gives::<ClusterView>(200)
            .refuses(OF_A_NODE),
        Route::put(
            "/cluster/controller",
            "move_controller",
            "Has clients be told that a node is the controller",
            controller,
        )
        .takes::<MoveController>()
        .gives::<ClusterView>(200)
        .refuses(OF_A_NODE),
        Route::post(
            "/cluster/elect-preferred-leaders",
            "elect_preferred_leaders",
            "Has the first replica of every partition lead, where it is there",
            elect,
        )
        .gives::<ClusterView>(200),
    ]
}

impl From<ClusterError> for Problem {
    fn from(error: ClusterError) -> Self {
        let kind = match error {
            ClusterError::UnknownNode { .. }
            | ClusterError::UnknownTopic(_)
            | ClusterError::UnknownPartition { .. } => Kind::NotFound,
            ClusterError::TooSlow(_) => Kind::Invalid,
            ClusterError::Storage(_) => Kind::Failed,
            _ => Kind::Conflict,
        };
        Problem::new(kind, error.to_string())
    }
}

async fn look(target: Target) -> Answered<ClusterView> {
    target.run(|broker| Ok(Answer::ok(broker.cluster().view()))).await
}

async fn node(target: Target, InPath(NodePath { node }): InPath<NodePath>) -> Answered<ClusterNode> {
    of_node(target, node, |_| Ok(())).await
}

/// Does something to a node, and gives how it is then.
async fn of_node(
    target: Target,
    node: i32,
    work: impl FnOnce(&Cluster<'_>) -> Result<(), ClusterError> + Send + 'static,
) -> Answered<ClusterNode> {
    target
        .run(move |broker| {
            let cluster = broker.cluster();
            work(&cluster)?;
            Ok(Answer::ok(cluster.node(node)?))
        })
        .await
}

/// Moves something, and gives how the cluster is then.
async fn moved(
    target: Target,
    work: impl FnOnce(&Cluster<'_>) -> Result<(), ClusterError> + Send + 'static,
) -> Answered<ClusterView> {
    target
        .run(move |broker| {
            let cluster = broker.cluster();
            work(&cluster)?;
            Ok(Answer::ok(cluster.view()))
        })
        .await
}

async fn stop(target: Target, InPath(NodePath { node }): InPath<NodePath>) -> Answered<ClusterNode> {
    of_node(target, node, move |cluster| cluster.stop_node(node)).await
}

async fn cut_off(target: Target, InPath(NodePath { node }): InPath<NodePath>) -> Answered<ClusterNode> {
    of_node(target, node, move |cluster| cluster.cut_off(node)).await
}

async fn slow(
    target: Target,
    InPath(NodePath { node }): InPath<NodePath>,
    Body(Slow { delay_ms }): Body<Slow>,
) -> Answered<ClusterNode> {
    of_node(target, node, move |cluster| cluster.slow(node, Duration::from_millis(delay_ms))).await
}

async fn bring_back(target: Target, InPath(NodePath { node }): InPath<NodePath>) -> Answered<ClusterNode> {
    of_node(target, node, move |cluster| cluster.bring_back(node)).await
}

async fn leader(target: Target, Body(wanted): Body<MoveLeader>) -> Answered<ClusterView> {
    moved(target, move |cluster| cluster.move_leader(&wanted.topic, wanted.partition, wanted.node)).await
}

async fn coordinator(target: Target, Body(wanted): Body<MoveCoordinator>) -> Answered<ClusterView> {
    moved(target, move |cluster| {
        // Looked at first: where the groups live comes to be when somebody asks for it.
        cluster.node(wanted.node)?;
        cluster.move_coordinator(&wanted.group, wanted.node)
    })
    .await
}

async fn controller(target: Target, Body(wanted): Body<MoveController>) -> Answered<ClusterView> {
    moved(target, move |cluster| cluster.move_controller(wanted.node)).await
}

async fn elect(target: Target) -> Answered<ClusterView> {
    moved(target, |cluster| cluster.elect_preferred_leaders()).await
}
