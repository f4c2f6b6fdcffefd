//! Sending requests in the version that a broker takes.

use std::time::{Duration, Instant};

use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::{Request, StrBytes};

use crate::error::{ClientError, ErrorKind};
use crate::native::cluster::{Cluster, Lane, Node};

/// The connection to a coordinator for what is answered at once: one where members wait for each other would hold up
/// heartbeats.
pub(super) const COORDINATOR: Lane = Lane::Control;

/// Sends the request that `build` makes for the version, which is the newest up to `most` that the broker takes too.
pub(super) async fn call<R: Request>(
    cluster: &Cluster,
    node: i32,
    lane: Lane,
    most: i16,
    patience: Duration,
    build: impl FnOnce(i16) -> R,
) -> Result<R::Response, ClientError> {
    let connection = cluster.connection(Node::Id(node), lane, Instant::now() + patience).await?;
    let version = connection.version::<R>(most)?;
    Ok(connection.call(&build(version), version, patience).await?)
}

/// As [`call`], to whoever coordinates the group. Who cannot be reached is not taken for that any more.
pub(super) async fn call_coordinator<R: Request>(
    cluster: &Cluster,
    group: &str,
    lane: Lane,
    most: i16,
    patience: Duration,
    build: impl FnOnce(i16) -> R,
) -> Result<R::Response, ClientError> {
    let deadline = Instant::now() + patience;
    let node = cluster.coordinator(group, deadline).await?;
    let answer = call(cluster, node, lane, most, patience, build).await;
    if let Err(error) = &answer
        && error.kind() != ErrorKind::Unsupported
    {
        forget_coordinator(cluster, group);
    }
    answer
}

pub(super) fn forget_coordinator(cluster: &Cluster, group: &str) {
    cluster.forget_coordinator(group);
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn topic_name(topic: &str) -> TopicName {
    TopicName(text(topic))
}
