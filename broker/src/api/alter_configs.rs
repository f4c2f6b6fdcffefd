//! AlterConfigs, versions 0 to 2: replaces all dynamic configs of a resource. Deprecated since IncrementalAlterConfigs.
//!
//! A request that names a resource twice gets no answer, and the connection goes on: Kafka's handler fails on it.

use std::collections::BTreeSet;

use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::config::RESOURCE_TYPES;
use crate::config::change::{Change, Operation, Refused, Wish, alter};
use crate::context::{Answer, Refusal, RequestContext};

/// Answers an AlterConfigs request.
pub(crate) async fn handle(
    cx: &RequestContext,
    request: AlterConfigsRequest,
) -> Answer<AlterConfigsResponse> {
    let named: BTreeSet<(i8, &str)> = request
        .resources
        .iter()
        .map(|resource| (known(resource.resource_type), &*resource.resource_name))
        .collect();
    if named.len() != request.resources.len() {
        return Err(Refusal::NoAnswer);
    }
    let responses = request.resources.iter().map(|resource| {
        // The change is written to the metadata journal.
        let altered = tokio::task::block_in_place(|| replace(cx, resource, request.validate_only));
        let refused = altered.err().unwrap_or(Refused { code: 0, message: None });
        AlterConfigsResourceResponse::default()
            .with_error_code(refused.code)
            .with_error_message(refused.message.map(StrBytes::from_string))
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
    });
    Ok(AlterConfigsResponse::default().with_responses(responses.collect()))
}

/// Kafka takes all types that it does not know for one.
fn known(resource_type: i8) -> i8 {
    if RESOURCE_TYPES.contains(&resource_type) { resource_type } else { 0 }
}

fn replace(cx: &RequestContext, resource: &AlterConfigsResource, validate_only: bool) -> Result<(), Refused> {
    let changes: Vec<Change<'_>> = resource
        .configs
        .iter()
        .map(|config| Change {
            name: config.name.as_str(),
            operation: Operation::Set,
            value: config.value.as_ref().map(StrBytes::as_str),
        })
        .collect();
    alter(cx, resource.resource_type, &resource.resource_name, Wish::Replace(&changes), validate_only)
}
