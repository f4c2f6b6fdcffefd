//! DescribeCluster, versions 0 to 2: the brokers of the cluster (KIP-700).
//!
//! There are no separate controllers to talk to, so only endpoints of brokers can be asked for (KIP-919, version 1). A node
//! that is stopped or cut off is fenced, and shown where that is asked for (KIP-1073, version 2).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

use crate::context::{Answer, RequestContext};
use crate::operations::{CLUSTER_OPERATIONS, NOT_ASKED};

/// Kafka's numbers of the types of endpoints.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: DescribeClusterRequest,
) -> Answer<DescribeClusterResponse> {
    match request.endpoint_type {
        BROKERS => {
            let with_fenced = request.include_fenced_brokers;
            Ok(describe(cx, request.include_cluster_authorized_operations, with_fenced))
        }
        CONTROLLERS => Ok(refused(
            ResponseError::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER".to_owned(),
        )),
        other => Ok(refused(
            ResponseError::UnsupportedEndpointType,
            format!("Unsupported endpoint type {other}"),
        )),
    }
}

fn describe(cx: &RequestContext, with_operations: bool, with_fenced: bool) -> DescribeClusterResponse {
    let broker = &cx.broker;
    let node = |node: &i32| {
        let (host, port) = cx.endpoint(*node);
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(*node))
            .with_host(StrBytes::from_string(host))
            .with_port(port.into())
            .with_rack(broker.cluster.layout.rack(*node).map(|rack| StrBytes::from_string(rack.to_owned())))
            .with_is_fenced(!broker.is_alive(*node))
    };
    let nodes = broker.cluster.layout.ids().iter().filter(|node| with_fenced || broker.is_alive(**node));
    DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_string(broker.cluster_id.clone()))
        .with_controller_id(BrokerId(broker.controller().unwrap_or(-1)))
        .with_brokers(nodes.map(node).collect())
        .with_cluster_authorized_operations(if with_operations { CLUSTER_OPERATIONS } else { NOT_ASKED })
}

fn refused(error: ResponseError, sentence: String) -> DescribeClusterResponse {
    DescribeClusterResponse::default()
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_string(sentence)))
}
