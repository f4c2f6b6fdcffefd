//! CreatePartitions, versions 0 to 3: gives topics more partitions, or says whether they could have them.
//!
//! The new partitions can be used once this answers. A topic that is named twice is refused, and comes first in the
//! answer. As in Kafka, a time-out of 0 or below refuses all of them, and a request may add 10,000 partitions at the most: a topic with which that is passed gets
//! UNKNOWN_SERVER_ERROR, and so do those after it. `__consumer_offsets` gets no more, which Kafka allows: a group's
//! partition is its hash modulo their number, so that groups would look for their offsets where they are not.

use std::collections::HashSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::cluster::Placing;
use crate::context::{Answer, RequestContext};
use crate::error_code::Told;
use crate::placement::{Cluster, MAX_CHANGES_PER_REQUEST, check_more};
use crate::topics::OFFSETS_TOPIC;

/// What an answer takes for each topic that is named.
const ANSWER_BYTES: usize = 256;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: CreatePartitionsRequest,
) -> Answer<CreatePartitionsResponse> {
    cx.spend(request.topics.len().saturating_mul(ANSWER_BYTES))?;
    let results = tokio::task::block_in_place(|| add_all(cx, &request));
    Ok(CreatePartitionsResponse::default().with_results(results))
}

fn add_all(cx: &RequestContext, request: &CreatePartitionsRequest) -> Vec<CreatePartitionsTopicResult> {
    if request.timeout_ms <= 0 {
        let timed_out = || Err(Told { error: ResponseError::RequestTimedOut, message: None });
        return request.topics.iter().map(|topic| result(&topic.name, timed_out())).collect();
    }
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        if !seen.insert(&topic.name) && repeated.insert(&topic.name) {
            let told = Told::new(ResponseError::InvalidRequest, "Duplicate topic name.");
            results.push(result(&topic.name, Err(told)));
        }
    }
    let mut room = i32::try_from(MAX_CHANGES_PER_REQUEST).unwrap_or(i32::MAX);
    for topic in request.topics.iter().filter(|topic| !repeated.contains(&topic.name)) {
        results.push(result(&topic.name, add(cx, topic, request.validate_only, &mut room)));
    }
    results
}

fn add(
    cx: &RequestContext,
    asked: &CreatePartitionsTopic,
    validate_only: bool,
    room: &mut i32,
) -> Result<(), Told> {
    let topics = &cx.broker.topics;
    let Some(topic) = topics.get(&asked.name) else {
        return Err(Told { error: ResponseError::UnknownTopicOrPartition, message: None });
    };
    let assignments: Option<Vec<Vec<i32>>> = asked.assignments.as_ref().map(|assignments| {
        assignments.iter().map(|one| one.broker_ids.iter().map(|broker| broker.0).collect()).collect()
    });
    let have = topic.partition_count();
    let (settings, alive) = (cx.broker.config.settings(), cx.broker.alive_nodes());
    let cluster = Cluster {
        nodes: cx.broker.cluster.layout.ids(),
        alive: &alive,
        num_partitions: settings.num_partitions,
        replication_factor: settings.default_replication_factor,
    };
    // As many as the first partition has, as in Kafka.
    let replicas = topic.partition(0).map_or(1, |first| first.placement().replicas.len());
    let more = check_more(&asked.name, have, asked.count, assignments.as_deref(), (replicas, &cluster))?;
    if *asked.name == *OFFSETS_TOPIC {
        let sentence = format!("'{OFFSETS_TOPIC}' keeps its partitions: with more, groups would lose their offsets.");
        return Err(Told::new(ResponseError::InvalidRequest, sentence));
    }
    if more > *room {
        *room = 0;
        return Err(Told { error: ResponseError::UnknownServerError, message: None });
    }
    *room -= more;
    topics.check_room(more)?;
    if !validate_only {
        let automatic = Placing::Automatic { replication_factor: replicas };
        let placing = assignments.map_or(automatic, Placing::Manual);
        let placements = cx.broker.place_new(more, &placing);
        topics.add_partitions(&topic, asked.count, placements, cx.broker.clock.now_ms())?;
        cx.broker.hand.bell.ring();
    }
    Ok(())
}

fn result(name: &TopicName, added: Result<(), Told>) -> CreatePartitionsTopicResult {
    let result = CreatePartitionsTopicResult::default().with_name(name.clone());
    match added {
        Ok(()) => result,
        Err(told) => result
            .with_error_code(told.error.code())
            .with_error_message(told.message.map(StrBytes::from_string)),
    }
}
