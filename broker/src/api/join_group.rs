//! JoinGroup, versions 0 to 9: becoming a member of a group, or a member of its next generation.
//!
//! The answer comes when the generation is complete. Version 0 has one time-out for sessions and rebalances (KIP-62).
//! From version 4 a new member is sent away once to come back with its id (KIP-394); from 5 members can be static
//! (KIP-345); from 7 protocol type and name can be null; 8 gives a reason (KIP-800); from 9 a static leader that is
//! back may be told to keep the assignment (KIP-814).

use std::collections::HashSet;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;

use crate::context::{Answer, RequestContext, code};
use crate::coordinator::group::{Join, Joined, Protocol};

/// From this version on, rebalances have a time-out of their own.
const REBALANCE_TIMEOUT: i16 = 1;

/// From this version on, a new dynamic member needs an id first.
const MEMBER_ID_REQUIRED: i16 = 4;

/// From this version on, the protocol's name can be null.
const NULL_PROTOCOL: i16 = 7;

/// From this version on, the leader can be told to keep the assignment.
const SKIP_ASSIGNMENT: i16 = 9;

pub(crate) async fn handle(cx: &RequestContext, request: JoinGroupRequest) -> Answer<JoinGroupResponse> {
    if let Some(reason) = &request.reason {
        tracing::debug!(group = %request.group_id.0, member = %request.member_id, %reason, "a member joins");
    }
    let member_id = request.member_id.clone();
    let group_id = request.group_id.clone();
    let coordinator = cx.broker.group_coordinator();
    let joined = match cx.check_remembers(&group_id).and(coordinator) {
        Ok(groups) => groups.join(&group_id, join(cx, request)).await,
        Err(error) => Ok(Joined::refused(error, &member_id)),
    };
    // Nobody answers any longer if the topic of offsets is deleted meanwhile, or another node has become coordinator.
    let gone = |_| Joined::refused(ResponseError::NotCoordinator, &member_id);
    Ok(response(cx.version(), joined.unwrap_or_else(gone)))
}

fn join(cx: &RequestContext, request: JoinGroupRequest) -> Join {
    let version = cx.version();
    let new_member_id = if request.member_id.is_empty() {
        let prefix = request.group_instance_id.as_deref().unwrap_or(cx.client_id());
        format!("{prefix}-{}", cx.broker.random.uuid())
    } else {
        String::new()
    };
    let rebalance_timeout_ms = match version {
        ..REBALANCE_TIMEOUT => request.session_timeout_ms,
        _ => request.rebalance_timeout_ms,
    };
    let mut names = HashSet::new();
    let protocols = request.protocols.iter().filter(|protocol| names.insert(protocol.name.clone()));
    // What a group keeps is copied: a slice would keep the whole frame in memory.
    let protocol = |protocol: &JoinGroupRequestProtocol| Protocol {
        name: protocol.name.to_string(),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    };
    Join {
        ticket: 0,
        member_id: request.member_id.to_string(),
        new_member_id,
        instance_id: request.group_instance_id.as_deref().map(str::to_owned),
        client_id: cx.client_id().to_owned(),
        client_host: cx.client_host().to_owned(),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms,
        protocol_type: request.protocol_type.to_string(),
        protocols: protocols.map(protocol).collect(),
        member_id_required: version >= MEMBER_ID_REQUIRED,
        may_skip_assignment: version >= SKIP_ASSIGNMENT,
    }
}

fn response(version: i16, joined: Joined) -> JoinGroupResponse {
    let member = |member: crate::coordinator::group::JoinedMember| {
        JoinGroupResponseMember::default()
            .with_member_id(StrBytes::from_string(member.member_id))
            .with_group_instance_id(member.instance_id.map(StrBytes::from_string))
            .with_metadata(member.metadata)
    };
    let empty = (version < NULL_PROTOCOL).then(StrBytes::default);
    JoinGroupResponse::default()
        .with_error_code(code(joined.error))
        .with_generation_id(joined.generation)
        .with_protocol_type(joined.protocol_type.map(StrBytes::from_string))
        .with_protocol_name(joined.protocol_name.map(StrBytes::from_string).or(empty))
        .with_leader(StrBytes::from_string(joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(StrBytes::from_string(joined.member_id))
        .with_members(joined.members.into_iter().map(member).collect())
}
