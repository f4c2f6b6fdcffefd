//! DescribeConfigs, versions 1 to 4: configs of topics, brokers, groups and metrics subscriptions, with their sources.
//!
//! From version 1 on entries carry their source and, if asked for, synonyms; from version 3 their type. The
//! documentation of a config, which version 3 can ask for, is not kept: it stays null. A resource type that nobody knows
//! fails the whole request, each resource with the same error, as in Kafka. Of loggers there is only `root`. A node answers
//! for itself alone; what is set dynamically for one node counts for all of them.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::config::Source;
use crate::config::describe::{ConfigEntry, Keys, Synonym};
use crate::config::{
    BROKER_RESOURCE, CLIENT_METRICS_RESOURCE, LOGGER_RESOURCE, RESOURCE_TYPES, TOPIC_RESOURCE, loggers,
};
use crate::context::{Answer, RequestContext};
use crate::limits::MAX_DESCRIBED_CONFIGS;
use crate::topics;

/// What Kafka says of an error that it has no sentence for.
const MALFORMED: &str = "This most likely occurs because of a request being malformed by the client library or the \
                         message was sent to an incompatible broker. See the broker logs for more details.";

/// Answers a DescribeConfigs request.
pub(crate) async fn handle(
    cx: &RequestContext,
    request: DescribeConfigsRequest,
) -> Answer<DescribeConfigsResponse> {
    let all_known = request.resources.iter().all(|resource| RESOURCE_TYPES.contains(&resource.resource_type));
    let mut room = MAX_DESCRIBED_CONFIGS;
    let results = request.resources.iter().map(|resource| {
        let described = if !all_known {
            Err((ResponseError::InvalidRequest, MALFORMED.to_owned()))
        } else if room == 0 {
            Err((
                ResponseError::InvalidRequest,
                format!("One answer holds {MAX_DESCRIBED_CONFIGS} configs at the most."),
            ))
        } else {
            describe(cx, resource)
        };
        room = room.saturating_sub(described.as_ref().map_or(0, Vec::len));
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match described {
            Ok(entries) => {
                let entries =
                    entries.into_iter().map(|entry| encode(entry, resource.resource_type, &request));
                result.with_error_message(Some(StrBytes::default())).with_configs(entries.collect())
            }
            Err((error, message)) => {
                result.with_error_code(error.code()).with_error_message(Some(StrBytes::from_string(message)))
            }
        }
    });
    Ok(DescribeConfigsResponse::default().with_results(results.collect()))
}

fn describe(
    cx: &RequestContext,
    resource: &DescribeConfigsResource,
) -> Result<Vec<ConfigEntry>, (ResponseError, String)> {
    let broker = &cx.broker;
    let name = resource.resource_name.as_str();
    let named: Vec<&str> = resource.configuration_keys.iter().flatten().map(StrBytes::as_str).collect();
    let keys = Keys::of(&named);
    let invalid = |message: &str| Err((ResponseError::InvalidRequest, message.to_owned()));
    let layers = broker.config.layers();
    match resource.resource_type {
        TOPIC_RESOURCE => {
            topics::check_name(name)
                .map_err(|error| (ResponseError::InvalidTopicException, error.to_string()))?;
            let topic =
                broker.topics.get(name).ok_or((ResponseError::UnknownTopicOrPartition, String::new()))?;
            Ok(layers.describe_topic(&topic.overrides(), keys))
        }
        BROKER_RESOURCE if name.is_empty() => Ok(layers.describe_cluster(keys)),
        BROKER_RESOURCE => {
            check_broker_id(name, cx.node(), " or empty string, but")?;
            Ok(of_node(cx, layers.describe_broker(keys)))
        }
        LOGGER_RESOURCE if name.is_empty() => invalid("Broker id must not be empty"),
        LOGGER_RESOURCE => {
            check_broker_id(name, cx.node(), " but")?;
            Ok(loggers::describe(keys))
        }
        CLIENT_METRICS_RESOURCE if name.is_empty() => {
            invalid("Client metrics subscription name must not be empty")
        }
        CLIENT_METRICS_RESOURCE => Ok(layers.describe_client_metrics(name, keys)),
        _ if name.is_empty() => invalid("Group name must not be empty"),
        _ => Ok(layers.describe_group(name, keys)),
    }
}

/// The configs of the node that is asked. All nodes have the same but for what says which they are.
fn of_node(cx: &RequestContext, mut entries: Vec<ConfigEntry>) -> Vec<ConfigEntry> {
    let (broker, node) = (&cx.broker, cx.node());
    let layout = &broker.cluster.layout;
    if layout.is_single() {
        return entries;
    }
    let listeners = || {
        let addresses = layout.listeners(node).enumerate().map(|(place, listener)| {
            let name = if place == 0 { "PLAINTEXT".to_owned() } else { format!("PLAINTEXT_{}", place + 1) };
            let (host, port) = broker.advertised(listener);
            format!("{name}://{host}:{port}")
        });
        addresses.collect::<Vec<_>>().join(",")
    };
    for entry in &mut entries {
        let value = match entry.name.as_str() {
            "node.id" | "broker.id" => Some(node.to_string()),
            "broker.rack" => layout.rack(node).map(str::to_owned),
            // The first node's are shown as they are bound.
            "listeners" | "advertised.listeners" if node != layout.first() => Some(listeners()),
            _ => continue,
        };
        if entry.source == Source::Default && value.is_some() {
            entry.source = Source::Static;
            let name = entry.name.clone();
            entry.synonyms.insert(0, Synonym { name, value: value.clone(), source: Source::Static });
        }
        for synonym in entry.synonyms.iter_mut().filter(|synonym| synonym.source == Source::Static) {
            synonym.value.clone_from(&value);
        }
        entry.value = value;
    }
    entries
}

fn check_broker_id(name: &str, own: i32, but: &str) -> Result<(), (ResponseError, String)> {
    let message = match name.parse::<i32>() {
        Ok(id) if id == own => return Ok(()),
        Ok(id) => format!("Unexpected broker id, expected {own}{but} received {id}"),
        Err(_) => format!("Broker id must be an integer, but it is: {name}"),
    };
    Err((ResponseError::InvalidRequest, message))
}

fn encode(
    entry: ConfigEntry,
    resource_type: i8,
    request: &DescribeConfigsRequest,
) -> DescribeConfigsResourceResult {
    let synonyms = entry.synonyms.into_iter().filter(|_| request.include_synonyms).map(|synonym| {
        DescribeConfigsSynonym::default()
            .with_name(StrBytes::from_string(synonym.name))
            .with_value(synonym.value.map(StrBytes::from_string))
            .with_source(synonym.source.wire())
    });
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_string(entry.name))
        .with_value(entry.value.map(StrBytes::from_string))
        .with_read_only(entry.read_only)
        .with_config_source(entry.source.wire())
        .with_is_sensitive(entry.sensitive)
        .with_synonyms(synonyms.collect())
        .with_config_type(entry.kind)
        // Kafka's loggers have an empty one, asked for or not.
        .with_documentation((resource_type == LOGGER_RESOURCE).then(StrBytes::default))
}
