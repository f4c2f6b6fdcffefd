//! IncrementalAlterConfigs, versions 0 and 1 (KIP-339): sets, deletes, and adds to or takes from lists.
//!
//! Each resource is changed or refused by itself. One that is named twice is refused both times. The levels of
//! loggers are checked as Kafka checks them, but belong to the process and cannot be changed.

use std::collections::HashMap;

use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::config::change::{Change, Operation, Refused, Wish, alter};
use crate::context::{Answer, RequestContext};

/// Answers an IncrementalAlterConfigs request.
pub(crate) async fn handle(
    cx: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> Answer<IncrementalAlterConfigsResponse> {
    let mut times: HashMap<(i8, &str), usize> = HashMap::new();
    for resource in &request.resources {
        *times.entry((resource.resource_type, resource.resource_name.as_str())).or_default() += 1;
    }
    let responses = request.resources.iter().map(|resource| {
        let key = (resource.resource_type, resource.resource_name.as_str());
        let altered = if times.get(&key).is_some_and(|times| *times > 1) {
            Err(Refused::request("Each resource must appear at most once."))
        } else {
            // The change is written to the metadata journal.
            tokio::task::block_in_place(|| change(cx, resource, request.validate_only))
        };
        let refused = altered.err().unwrap_or(Refused { code: 0, message: None });
        AlterConfigsResourceResponse::default()
            .with_error_code(refused.code)
            .with_error_message(refused.message.map(StrBytes::from_string))
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
    });
    Ok(IncrementalAlterConfigsResponse::default().with_responses(responses.collect()))
}

fn change(cx: &RequestContext, resource: &AlterConfigsResource, validate_only: bool) -> Result<(), Refused> {
    let changes: Vec<Change<'_>> = resource
        .configs
        .iter()
        .map(|config| Change {
            name: config.name.as_str(),
            operation: Operation::from_wire(config.config_operation),
            value: config.value.as_ref().map(StrBytes::as_str),
        })
        .collect();
    alter(cx, resource.resource_type, &resource.resource_name, Wish::Change(&changes), validate_only)
}
