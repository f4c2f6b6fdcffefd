//! SyncGroup, versions 0 to 5: a member asks for its assignment, the leader brings everybody's.
//!
//! The answer comes when the leader has. From version 3 members can be static (KIP-345); from 5 the protocol's type
//! and name have to be named, and are answered (KIP-559).

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;

use crate::context::{Answer, RequestContext, code};
use crate::coordinator::group::{Sync, Synced};

/// From this version on, the protocol has to be named.
const NAMED_PROTOCOL: i16 = 5;

pub(crate) async fn handle(cx: &RequestContext, request: SyncGroupRequest) -> Answer<SyncGroupResponse> {
    let unnamed = request.protocol_type.is_none() || request.protocol_name.is_none();
    if cx.version() >= NAMED_PROTOCOL && unnamed {
        return Ok(response(Synced::refused(ResponseError::InconsistentGroupProtocol)));
    }
    let owned = |name: &Option<StrBytes>| name.as_deref().map(str::to_owned);
    let assignments = request.assignments.iter();
    let sync = Sync {
        ticket: 0,
        member_id: request.member_id.to_string(),
        instance_id: owned(&request.group_instance_id),
        generation: request.generation_id,
        protocol_type: owned(&request.protocol_type),
        protocol_name: owned(&request.protocol_name),
        // Copied: a slice would keep the whole frame in memory.
        assignments: assignments
            .map(|one| (one.member_id.to_string(), Bytes::copy_from_slice(&one.assignment)))
            .collect(),
    };
    let group_id = request.group_id;
    let coordinator = cx.broker.group_coordinator();
    let synced = match cx.check_remembers(&group_id).and(coordinator) {
        Ok(groups) => groups.sync(&group_id, sync).await,
        Err(error) => Ok(Synced::refused(error)),
    };
    // Nobody answers any longer if the topic of offsets is deleted meanwhile, or another node has become coordinator.
    Ok(response(synced.unwrap_or_else(|_| Synced::refused(ResponseError::NotCoordinator))))
}

fn response(synced: Synced) -> SyncGroupResponse {
    SyncGroupResponse::default()
        .with_error_code(code(synced.error))
        .with_protocol_type(synced.protocol_type.map(StrBytes::from_string))
        .with_protocol_name(synced.protocol_name.map(StrBytes::from_string))
        .with_assignment(synced.assignment)
}
