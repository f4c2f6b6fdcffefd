//! LeaveGroup, versions 0 to 5: members leave a group, or are sent away by their instance id.
//!
//! Up to version 2 one member leaves, and its error is the answer's. From version 3 many can (KIP-345), each with an
//! error of its own; from 5 each may give a reason (KIP-800).

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};
use kafka_protocol::protocol::StrBytes;

use crate::context::{Answer, RequestContext, code};
use crate::coordinator::group::Leaving;

/// From this version on, members come in a list.
const BATCHED: i16 = 3;

pub(crate) async fn handle(cx: &RequestContext, request: LeaveGroupRequest) -> Answer<LeaveGroupResponse> {
    let batched = cx.version() >= BATCHED;
    let leaving = if batched {
        request.members.into_iter().map(leaving).collect()
    } else {
        vec![Leaving { member_id: request.member_id.to_string(), instance_id: None, error: None }]
    };
    let response = LeaveGroupResponse::default();
    let coordinates = cx.check_coordinates(&request.group_id);
    let left = match coordinates.and_then(|()| cx.broker.groups.leave(&request.group_id, leaving)) {
        Ok(left) => left,
        Err(error) => return Ok(response.with_error_code(error.code())),
    };
    if batched {
        return Ok(response.with_members(left.into_iter().map(member).collect()));
    }
    let error = left.into_iter().find_map(|one| one.error);
    Ok(response.with_error_code(code(error)))
}

fn leaving(member: MemberIdentity) -> Leaving {
    if let Some(reason) = &member.reason {
        tracing::debug!(member = %member.member_id, %reason, "a member leaves");
    }
    Leaving {
        member_id: member.member_id.to_string(),
        instance_id: member.group_instance_id.as_deref().map(str::to_owned),
        error: None,
    }
}

fn member(left: Leaving) -> MemberResponse {
    MemberResponse::default()
        .with_member_id(StrBytes::from_string(left.member_id))
        .with_group_instance_id(left.instance_id.map(StrBytes::from_string))
        .with_error_code(code(left.error))
}
