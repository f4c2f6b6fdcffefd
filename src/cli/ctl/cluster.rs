//! `klamm ctl cluster`: the nodes that the broker stands for.

use std::error::Error;

use serde_json::{Value, json};

use super::client::Client;
use super::time::milliseconds;
use super::{Column, Told, list};

/// What to do with the cluster.
#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Cluster {
    /// The nodes.
    Nodes,
    /// The partitions: who leads them, and who keeps replicas.
    Partitions,
    /// The groups, and who coordinates them.
    Coordinators,
    /// Stop a node, as a crash would.
    Stop {
        /// The node's id.
        node: i32,
    },
    /// Cut a node off: connections to it open, and nothing is answered.
    CutOff {
        /// The node's id.
        node: i32,
    },
    /// Hold each answer of a node back.
    Slow {
        /// The node's id.
        node: i32,
        /// By so much; 0s ends it.
        #[arg(value_name = "TIME", value_parser = milliseconds)]
        delay: u64,
    },
    /// Bring a node back that was stopped, cut off or slowed down.
    BringBack {
        /// The node's id.
        node: i32,
    },
    /// Have a node lead a partition.
    MoveLeader {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The node's id.
        node: i32,
    },
    /// Have a node coordinate a group.
    MoveCoordinator {
        /// The group.
        group: String,
        /// The node's id.
        node: i32,
    },
    /// Have clients be told that a node is the controller.
    MoveController {
        /// The node's id.
        node: i32,
    },
    /// Have the first replica of every partition lead, where it is there.
    ElectPreferredLeaders,
}

impl Cluster {
    pub(super) fn run(self, client: &Client, to: &mut Told) -> Result<(), Box<dyn Error>> {
        let node_path = |node: i32, what: &str| format!("/cluster/nodes/{node}/{what}");
        let put = |what: &str, body: Value| client.put(&format!("/cluster/{what}"), Some(&body)).map(drop);
        match self {
            Cluster::Nodes => {
                let cluster = client.get("/cluster")?;
                nodes(to, &list(&cluster, "nodes"), cluster["controller"].as_i64())
            }
            Cluster::Partitions => partitions(to, &list(&client.get("/cluster")?, "partitions")),
            Cluster::Coordinators => {
                let columns = [
                    Column::of("GROUP", "group"),
                    Column::number("PARTITION", "partition"),
                    Column::number("NODE", "node"),
                ];
                to.rows(&list(&client.get("/cluster")?, "coordinators"), &columns)
            }
            Cluster::Stop { node } => client.post(&node_path(node, "stop"), None).map(drop),
            Cluster::CutOff { node } => client.post(&node_path(node, "cut-off"), None).map(drop),
            Cluster::Slow { node, delay } => {
                client.post(&node_path(node, "slow"), Some(&json!({ "delay_ms": delay }))).map(drop)
            }
            Cluster::BringBack { node } => client.post(&node_path(node, "bring-back"), None).map(drop),
            Cluster::MoveLeader { topic, partition, node } => {
                put("leader", json!({ "topic": topic, "partition": partition, "node": node }))
            }
            Cluster::MoveCoordinator { group, node } => {
                put("coordinator", json!({ "group": group, "node": node }))
            }
            Cluster::MoveController { node } => put("controller", json!({ "node": node })),
            Cluster::ElectPreferredLeaders => client.post("/cluster/elect-preferred-leaders", None).map(drop),
        }
    }
}

fn nodes(to: &mut Told, nodes: &[Value], controller: Option<i64>) -> Result<(), Box<dyn Error>> {
    let columns = [
        Column::number("NODE", "id"),
        Column::of("HOST", "host"),
        Column::number("PORT", "port"),
        Column::of("RACK", "rack"),
        Column::of("STATE", "state"),
        Column::number("DELAY MS", "delay_ms"),
        Column::made("", move |node| {
            let is_controller = controller.is_some() && node["id"].as_i64() == controller;
            if is_controller { "controller".to_owned() } else { String::new() }
        }),
    ];
    to.rows(nodes, &columns)
}

fn partitions(to: &mut Told, partitions: &[Value]) -> Result<(), Box<dyn Error>> {
    let columns = [
        Column::of("TOPIC", "topic"),
        Column::number("PARTITION", "partition"),
        Column::number("LEADER", "leader"),
        Column::number("EPOCH", "leader_epoch"),
        Column::of("REPLICAS", "replicas"),
        Column::of("IN SYNC", "isr"),
        Column::of("OFFLINE", "offline"),
    ];
    to.rows(partitions, &columns)
}
