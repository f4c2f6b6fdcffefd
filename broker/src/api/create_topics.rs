//! CreateTopics, versions 2 to 7: creates topics, or says whether they could be created.
//!
//! Answers once the topics can be used, so there is nothing to wait for; a time-out of 0 or below refuses all of them, as
//! in Kafka. From version 5 (KIP-525) the answer
//! carries partitions, replication factor and all configs of what was created; from version 7 its id (KIP-516). -1 for
//! partitions or replicas stands for the broker's default (KIP-464). A name that comes twice is refused, the others
//! go on; a config that comes twice has its last value.
//!
//! As in Kafka, a request may ask for 10,000 partitions at the most. Gap: there are no policies (KIP-108).

use std::collections::{BTreeMap, HashSet};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::cluster::Placing;
use crate::context::{Answer, RequestContext};
use crate::error_code::Told;
use crate::metadata::METADATA_TOPIC;
use crate::placement::{Cluster, MAX_CHANGES_PER_REQUEST, MAX_PARTITIONS_PER_REQUEST, Wanted};

/// The topic in which Kafka keeps its own metadata.
const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// From this version on the answer describes what was created.
const DESCRIBES: i16 = 5;

/// A topic that can be created.
struct Plan {
    name: TopicName,
    partitions: i32,
    placing: Placing,
    overrides: BTreeMap<String, String>,
}

/// What an answer takes for each topic that is named.
const ANSWER_BYTES: usize = 256;

pub(crate) async fn handle(cx: &RequestContext, request: CreateTopicsRequest) -> Answer<CreateTopicsResponse> {
    cx.spend(request.topics.len().saturating_mul(ANSWER_BYTES))?;
    let topics = tokio::task::block_in_place(|| create_all(cx, &request));
    Ok(CreateTopicsResponse::default().with_topics(topics))
}

fn create_all(cx: &RequestContext, request: &CreateTopicsRequest) -> Vec<CreatableTopicResult> {
    if request.timeout_ms <= 0 {
        let told = Told { error: ResponseError::RequestTimedOut, message: None };
        return all_refused(request, &told);
    }
    let (once, twice) = by_number(&request.topics);
    let (prohibited, asked): (Vec<_>, Vec<_>) = once.into_iter().partition(|topic| is_prohibited(&topic.name));
    let (settings, alive) = (cx.broker.config.settings(), cx.broker.alive_nodes());
    let cluster = Cluster {
        nodes: cx.broker.cluster.layout.ids(),
        alive: &alive,
        num_partitions: settings.num_partitions,
        replication_factor: settings.default_replication_factor,
    };
    let partitions = asked.iter().fold(0_i64, |sum, topic| sum.saturating_add(wanted(topic).count(&cluster)));
    if partitions > MAX_PARTITIONS_PER_REQUEST {
        return all_refused(request, &too_large("Excessively large number of partitions per request."));
    }
    let plans: Vec<_> = asked.iter().map(|topic| (topic, plan(cx, topic, &cluster))).collect();
    let changes = plans.iter().filter_map(|(_, plan)| plan.as_ref().ok()).map(Plan::changes).sum::<usize>();
    if changes > MAX_CHANGES_PER_REQUEST {
        return all_refused(request, &too_large("Unable to perform excessively large batch operation."));
    }
    let carry_out = |(topic, plan): (&&CreatableTopic, Result<Plan, Told>)| {
        match plan.and_then(|plan| carry_out(cx, plan, request.validate_only)) {
            Ok(created) => created,
            Err(told) => refused(&topic.name, told),
        }
    };
    let mut results: Vec<_> = plans.into_iter().map(carry_out).collect();
    let duplicate = || Told::new(ResponseError::InvalidRequest, "Duplicate topic name.");
    results.extend(twice.into_iter().map(|name| refused(name, duplicate())));
    results.extend(prohibited.into_iter().map(|topic| {
        let sentence = format!("Creation of internal topic {} is prohibited.", topic.name.as_str());
        refused(&topic.name, Told::new(ResponseError::InvalidRequest, sentence))
    }));
    results
}

/// The topics that are named once, and the names that are there more often.
fn by_number(topics: &[CreatableTopic]) -> (Vec<&CreatableTopic>, Vec<&TopicName>) {
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    let mut twice = Vec::new();
    for topic in topics {
        if !seen.insert(&topic.name) && repeated.insert(&topic.name) {
            twice.push(&topic.name);
        }
    }
    (topics.iter().filter(|topic| !repeated.contains(&topic.name)).collect(), twice)
}

fn is_prohibited(name: &str) -> bool {
    matches!(name, CLUSTER_METADATA_TOPIC | METADATA_TOPIC)
}

fn wanted(topic: &CreatableTopic) -> Wanted {
    let assignments = topic.assignments.iter().map(|assignment| {
        (assignment.partition_index, assignment.broker_ids.iter().map(|broker| broker.0).collect())
    });
    Wanted {
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.collect(),
    }
}

/// Checks everything about a topic, in Kafka's order: name, configs, replicas and partitions.
fn plan(cx: &RequestContext, topic: &CreatableTopic, cluster: &Cluster<'_>) -> Result<Plan, Told> {
    let wanted = wanted(topic);
    cx.broker.topics.check_name_is_free(&topic.name)?;
    let listed = topic.configs.iter().map(|config| (config.name.as_str(), config.value.as_deref()));
    let overrides = cx.broker.config.topic_overrides(listed);
    let overrides = overrides.map_err(|error| Told::new(ResponseError::InvalidConfig, error.to_string()))?;
    let partitions = wanted.check(cluster)?;
    cx.broker.topics.check_room(partitions)?;
    Ok(Plan { name: topic.name.clone(), partitions, placing: wanted.placing(cluster), overrides })
}

impl Plan {
    /// How much has to be remembered.
    fn changes(&self) -> usize {
        1 + usize::try_from(self.partitions).unwrap_or(0) + self.overrides.len()
    }
}

fn carry_out(cx: &RequestContext, plan: Plan, validate_only: bool) -> Result<CreatableTopicResult, Told> {
    let broker = &cx.broker;
    let (id, overrides) = if validate_only {
        (broker.random.uuid(), plan.overrides)
    } else {
        let topic = broker.create_topic(&plan.name, plan.partitions, plan.overrides, &plan.placing)?;
        (topic.id(), BTreeMap::clone(&topic.overrides()))
    };
    let result = CreatableTopicResult::default().with_name(plan.name).with_topic_id(id).with_error_message(None);
    if cx.version() < DESCRIBES {
        return Ok(result);
    }
    let configs = broker.config.describe_topic(&overrides).into_iter().map(|entry| {
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_string(entry.name))
            .with_value(entry.value.map(StrBytes::from_string))
            .with_read_only(entry.read_only)
            .with_config_source(entry.source.wire())
            .with_is_sensitive(entry.sensitive)
    });
    Ok(result
        .with_num_partitions(plan.partitions)
        .with_replication_factor(plan.placing.replicas())
        .with_configs(Some(configs.collect())))
}

fn refused(name: &TopicName, told: Told) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(name.clone())
        .with_topic_id(Uuid::nil())
        .with_error_code(told.error.code())
        .with_error_message(told.message.map(StrBytes::from_string))
}

fn all_refused(request: &CreateTopicsRequest, told: &Told) -> Vec<CreatableTopicResult> {
    request.topics.iter().map(|topic| refused(&topic.name, told.clone())).collect()
}

fn too_large(sentence: &str) -> Told {
    Told::new(ResponseError::PolicyViolation, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &'static str) -> CreatableTopic {
        CreatableTopic::default().with_name(TopicName(StrBytes::from_static_str(name)))
    }

    #[test]
    fn a_name_that_is_there_twice_is_told_once() {
        let topics = [topic("a"), topic("b"), topic("a"), topic("a"), topic("c")];
        let (once, twice) = by_number(&topics);
        let names: Vec<_> = once.iter().map(|topic| topic.name.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!(twice.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["a"]);
    }
}
