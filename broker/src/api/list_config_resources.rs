//! ListConfigResources, versions 0 and 1 (KIP-1142): what has, or can have, configs.
//!
//! Version 0 was called ListClientMetricsResources and lists metrics subscriptions alone. Topics, the broker and its
//! loggers are listed whether or not anybody set something; groups and subscriptions once somebody did.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use kafka_protocol::protocol::StrBytes;

use crate::config::{CLIENT_METRICS_RESOURCE, GROUP_RESOURCE, RESOURCE_TYPES, TOPIC_RESOURCE};
use crate::context::{Answer, RequestContext};
use crate::state::BrokerState;

/// Answers a ListConfigResources request.
pub(crate) async fn handle(
    cx: &RequestContext,
    request: ListConfigResourcesRequest,
) -> Answer<ListConfigResourcesResponse> {
    let wanted = match cx.version() {
        0 => vec![CLIENT_METRICS_RESOURCE],
        _ => request.resource_types,
    };
    if wanted.iter().any(|wanted| !RESOURCE_TYPES.contains(wanted)) {
        let error = ResponseError::UnsupportedVersion.code();
        return Ok(ListConfigResourcesResponse::default().with_error_code(error));
    }
    let types = RESOURCE_TYPES.into_iter().filter(|one| wanted.is_empty() || wanted.contains(one));
    let resources = types.flat_map(|one| {
        names(&cx.broker, one).into_iter().map(move |name| {
            let name = StrBytes::from_string(name);
            ConfigResource::default().with_resource_name(name).with_resource_type(one)
        })
    });
    Ok(ListConfigResourcesResponse::default().with_config_resources(resources.collect()))
}

fn names(broker: &BrokerState, resource_type: i8) -> Vec<String> {
    let layers = broker.config.layers();
    match resource_type {
        GROUP_RESOURCE => layers.groups.keys().cloned().collect(),
        CLIENT_METRICS_RESOURCE => layers.client_metrics.keys().cloned().collect(),
        TOPIC_RESOURCE => broker.topics.all().iter().map(|topic| topic.name().to_string()).collect(),
        _ => broker.alive_nodes().iter().map(i32::to_string).collect(),
    }
}
