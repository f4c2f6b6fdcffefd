//! ListPartitionReassignments, version 0 (KIP-455): which partitions are on their way to other brokers.
//!
//! With one broker there is nowhere to go, so the list is empty, whatever is asked for.

use kafka_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use crate::context::{Answer, RequestContext};

pub(crate) async fn handle(
    _cx: &RequestContext,
    _request: ListPartitionReassignmentsRequest,
) -> Answer<ListPartitionReassignmentsResponse> {
    Ok(ListPartitionReassignmentsResponse::default().with_error_message(None))
}
