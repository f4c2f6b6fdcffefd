//! Fetch, versions 4 to 18: records from an offset on, at once or when there are enough.
//!
//! Topics go by name up to version 12 and by id from 13 (KIP-516); sessions come with version 7 (KIP-227); a diverging
//! epoch is told from version 12 (KIP-595). Max wait is real time, whatever clock the broker follows: it is the
//! client's patience, not the broker's state. From version 11 on a replica can be read from that does not lead, and a client
//! that tells its rack is sent to one in it where `replica.selector.class` says so (KIP-392); from 16 on who comes to the
//! wrong node is told who leads (KIP-951).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::FetchPartition;

use crate::context::{Answer, RequestContext};
use crate::fetch::{
    Endpoint, FetchAnswer, FetchedPartition, FetchedTopic, Near, PartitionKey, Plan, Reader, SessionRequest, Target,
};

/// From this version on topics are given by their ids.
const TOPIC_IDS: i16 = 13;

/// From this version on a client can read from replicas that do not lead.
const FROM_FOLLOWERS: i16 = 11;

/// The highest isolation level that there is: 0 reads everything, 1 what is committed.
const READ_COMMITTED: i8 = 1;

pub(crate) async fn handle(cx: &RequestContext, request: FetchRequest) -> Answer<FetchAnswer> {
    let broker = &cx.broker;
    let uses_topic_ids = cx.version() >= TOPIC_IDS;
    let named = named_partitions(&request);
    if !(0..=READ_COMMITTED).contains(&request.isolation_level) {
        return Ok(all_failed(cx, named, ResponseError::UnknownServerError));
    }
    let now_ms = broker.clock.steady_ms();
    let planned = broker.sessions.plan(
        SessionRequest {
            id: request.session_id,
            epoch: request.session_epoch,
            uses_topic_ids,
            named,
            forgotten: forgotten_partitions(&request),
        },
        now_ms,
    );
    let plan = match planned {
        Ok(plan) => plan,
        Err(error) => return Ok(FetchAnswer { error_code: error.code(), ..FetchAnswer::default() }),
    };
    let read = |targets| {
        let mut reader = Reader::new(broker, cx.node(), targets, uses_topic_ids);
        let settings = broker.config.settings();
        let most = usize::try_from(settings.fetch_max_bytes).unwrap_or(0);
        reader.max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(most);
        reader.fails_first = request.max_bytes < 0;
        reader.as_follower = is_follower(&request);
        if !broker.cluster.layout.is_single() {
            reader.from_followers = cx.version() >= FROM_FOLLOWERS;
            let rack = Some(&request.rack_id).filter(|rack| !rack.is_empty() && settings.selects_by_rack());
            reader.near = rack.map(|rack| Near { broker: Arc::clone(broker), rack: rack.to_string() });
        }
        reader.min_bytes = usize::try_from(request.min_bytes).unwrap_or(0).min(most);
        reader.read_committed = request.isolation_level == READ_COMMITTED;
        if let Some(verdict) = cx.verdict() {
            reader.refuse(verdict);
        }
        let max_wait = Duration::from_millis(request.max_wait_ms.max(0).unsigned_abs().into());
        reader.read(max_wait, cx.patience.clone())
    };
    let (session_id, partitions) = match plan {
        Plan::Sessionless(targets) => (0, read(targets).await.partitions),
        Plan::Full { named, uses_topic_ids } => {
            let partitions = read(named.clone()).await.partitions;
            let slots = broker.config.settings().max_incremental_fetch_session_cache_slots;
            let slots = usize::try_from(slots).unwrap_or(0);
            let draw = || broker.random.positive_i32();
            let id = broker.sessions.create(named, &partitions, uses_topic_ids, slots, now_ms, draw);
            (id, partitions)
        }
        Plan::Incremental { session, targets } => {
            let mut partitions = read(targets).await.partitions;
            let mut session = session.lock();
            partitions.retain(|(key, partition)| session.is_news(key, partition));
            (session.id(), partitions)
        }
    };
    let endpoints = endpoints(cx, &partitions);
    Ok(FetchAnswer { session_id, topics: by_topic(partitions), endpoints, ..FetchAnswer::default() })
}

/// Where the leaders are that the answer names, where there are several nodes.
fn endpoints(cx: &RequestContext, partitions: &[(PartitionKey, FetchedPartition)]) -> Vec<Endpoint> {
    let layout = &cx.broker.cluster.layout;
    if layout.is_single() {
        return Vec::new();
    }
    let leaders = partitions.iter().filter_map(|(_, partition)| partition.current_leader);
    let leaders: BTreeSet<i32> = leaders.map(|(leader, _)| leader).collect();
    let endpoint = |node: i32| {
        let (host, port) = cx.endpoint(node);
        Endpoint { node, host, port, rack: layout.rack(node).map(str::to_owned) }
    };
    leaders.into_iter().map(endpoint).collect()
}

/// Whether another broker asks, to copy the partitions: none is assigned any.
fn is_follower(request: &FetchRequest) -> bool {
    request.replica_id.0 >= 0 || request.replica_state.replica_id.0 >= 0
}

/// The partitions in order; where one is named twice, at the first place with what is last said of it.
fn named_partitions(request: &FetchRequest) -> Vec<(PartitionKey, Target)> {
    let mut named = IndexMap::new();
    for topic in &request.topics {
        let name: Arc<str> = Arc::from(topic.topic.as_str());
        let one = |p: &FetchPartition| ((Arc::clone(&name), topic.topic_id, p.partition), target(p));
        named.extend(topic.partitions.iter().map(one));
    }
    named.into_iter().collect()
}

fn target(partition: &FetchPartition) -> Target {
    Target {
        current_leader_epoch: partition.current_leader_epoch,
        fetch_offset: partition.fetch_offset,
        last_fetched_epoch: partition.last_fetched_epoch,
        max_bytes: partition.partition_max_bytes,
    }
}

fn forgotten_partitions(request: &FetchRequest) -> Vec<PartitionKey> {
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        let name: Arc<str> = Arc::from(topic.topic.as_str());
        forgotten.extend(topic.partitions.iter().map(|index| (Arc::clone(&name), topic.topic_id, *index)));
    }
    forgotten
}

/// An error of the whole request: for each partition before the answer had a place for it, above them from then on,
/// and there alone once partitions go by topic ids.
fn all_failed(cx: &RequestContext, named: Vec<(PartitionKey, Target)>, error: ResponseError) -> FetchAnswer {
    let failed = |(key, _): (PartitionKey, Target)| {
        let mut partition = FetchedPartition::failed(key.2, error.code());
        partition.aborted_transactions = Some(Vec::new());
        (key, partition)
    };
    let topics = if cx.version() < TOPIC_IDS { by_topic(named.into_iter().map(failed).collect()) } else { Vec::new() };
    FetchAnswer { error_code: error.code(), topics, ..FetchAnswer::default() }
}

/// Puts neighbours of one topic together.
fn by_topic(partitions: Vec<(PartitionKey, FetchedPartition)>) -> Vec<FetchedTopic> {
    let mut topics: Vec<FetchedTopic> = Vec::new();
    for ((name, id, _), partition) in partitions {
        match topics.last_mut() {
            Some(last) if last.id == id && last.name == name => last.partitions.push(partition),
            _ => topics.push(FetchedTopic { name, id, partitions: vec![partition] }),
        }
    }
    topics
}
