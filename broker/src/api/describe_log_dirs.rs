//! DescribeLogDirs, versions 1 to 4 (KIP-113): how large the partitions are in the data folder.
//!
//! There is one folder, in which each node shows the partitions that it keeps a replica of. Its space on the disk comes with version 4 (KIP-827). A broker in memory names a folder that
//! says so, and no space. Partitions that do not exist are left out. No replica is ever on its way to another folder, so
//! nothing lags behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use klamm_storage::Home;

use crate::context::{Answer, RequestContext};
use crate::partition::Partition;
use crate::topics::Topic;

/// What stands for the folder of a broker in memory.
const IN_MEMORY: &str = "memory";

/// Stands for a space that is not known.
const UNKNOWN: i64 = -1;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: DescribeLogDirsRequest,
) -> Answer<DescribeLogDirsResponse> {
    let result = tokio::task::block_in_place(|| describe(cx, request.topics.as_deref()));
    Ok(DescribeLogDirsResponse::default().with_results(vec![result]))
}

fn describe(cx: &RequestContext, asked: Option<&[DescribableLogDirTopic]>) -> DescribeLogDirsResult {
    let topics = &cx.broker.topics;
    let described = match asked {
        None => topics.all().iter().map(|topic| describe_topic(cx, topic, |_| true)).collect(),
        Some(asked) => {
            let mut named: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
            for topic in asked {
                named.entry(topic.topic.as_str()).or_default().extend(&topic.partitions);
            }
            let found = named.into_iter().filter_map(|(name, indexes)| Some((topics.get(name)?, indexes)));
            let described =
                found.map(|(topic, indexes)| describe_topic(cx, &topic, |index| indexes.contains(&index)));
            described.filter(|topic| !topic.partitions.is_empty()).collect()
        }
    };
    let log_dir = match topics.logs().home() {
        Home::Memory => IN_MEMORY.to_owned(),
        Home::Folder(folder) => folder.display().to_string(),
    };
    let (total, usable) = topics.logs().disk_space().map_or((UNKNOWN, UNKNOWN), |(total, usable)| {
        (i64::try_from(total).unwrap_or(i64::MAX), i64::try_from(usable).unwrap_or(i64::MAX))
    });
    DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_string(log_dir))
        .with_topics(described)
        .with_total_bytes(total)
        .with_usable_bytes(usable)
}

fn describe_topic(
    cx: &RequestContext,
    topic: &Topic,
    wanted: impl Fn(i32) -> bool,
) -> DescribeLogDirsTopic {
    let partitions = topic.partitions();
    let here = |partition: &&Arc<Partition>| {
        wanted(partition.index()) && partition.placement().replicas.contains(&cx.node())
    };
    let described = partitions.iter().filter(here).map(describe_partition);
    DescribeLogDirsTopic::default()
        .with_name(TopicName(StrBytes::from_string(topic.name().to_string())))
        .with_partitions(described.collect())
}

fn describe_partition(partition: &Arc<Partition>) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition::default()
        .with_partition_index(partition.index())
        .with_partition_size(i64::try_from(partition.log().size_bytes()).unwrap_or(i64::MAX))
}
