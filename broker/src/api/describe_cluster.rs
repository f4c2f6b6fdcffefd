//! DescribeCluster, versions 0 to 2: the brokers of the cluster (KIP-700).
//!
//! There are no separate controllers to talk to, so only endpoints of brokers can be asked for (KIP-919, version 1). No
//! broker is ever fenced (KIP-1073, version 2).

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
        BROKERS => Ok(describe(cx, request.include_cluster_authorized_operations)),
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

fn describe(cx: &RequestContext, with_operations: bool) -> DescribeClusterResponse {
    let broker = &cx.broker;
    let (host, port) = broker.advertised(cx.peer.listener);
    let node = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(broker.node_id))
        .with_host(StrBytes::from_string(host))
        .with_port(port.into())
        .with_rack(broker.rack.clone().map(StrBytes::from_string));
    DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_string(broker.cluster_id.clone()))
        .with_controller_id(BrokerId(broker.node_id))
        .with_brokers(vec![node])
        .with_cluster_authorized_operations(if with_operations { CLUSTER_OPERATIONS } else { NOT_ASKED })
}

fn refused(error: ResponseError, sentence: String) -> DescribeClusterResponse {
    DescribeClusterResponse::default()
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_string(sentence)))
}
