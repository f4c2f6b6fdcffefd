//! DescribeGroups, versions 0 to 6: the state and members of classic groups.
//!
//! From version 3 the operations that are allowed can be asked for (KIP-430); from 4 members tell their instance id. A
//! group that is not there is "Dead" without an error up to version 5, and GROUP_ID_NOT_FOUND from 6 on (KIP-1043).
//! What members told their protocol is shown of stable groups only.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};
use kafka_protocol::protocol::StrBytes;

use crate::context::{Answer, RequestContext};
use crate::coordinator::group::{GroupState, GroupView, MemberView};
use crate::operations::{GROUP_OPERATIONS, NOT_ASKED};

/// From this version on, a group can be said not to be there.
const GROUP_ID_NOT_FOUND: i16 = 6;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: DescribeGroupsRequest,
) -> Answer<DescribeGroupsResponse> {
    let operations = if request.include_authorized_operations { GROUP_OPERATIONS } else { NOT_ASKED };
    let describe = |id: GroupId| {
        let described = match (cx.check_coordinates(&id), cx.broker.groups.describe(&id)) {
            (Err(error), _) => DescribedGroup::default().with_error_code(error.code()).with_error_message(None),
            (Ok(()), Some(view)) => {
                cx.spend(size(&view))?;
                described(view)
            }
            (Ok(()), None) => unknown(cx.version(), &id),
        };
        let operations = if described.error_code == 0 { operations } else { NOT_ASKED };
        Ok(described.with_group_id(id).with_authorized_operations(operations))
    };
    let groups = request.groups.into_iter().map(describe).collect::<Answer<_>>()?;
    Ok(DescribeGroupsResponse::default().with_groups(groups))
}

/// About what a group takes in an answer.
fn size(view: &GroupView) -> usize {
    let member = |member: &MemberView| {
        256 + member.id.len() + member.client_id.len() + member.metadata.len() + member.assignment.len()
    };
    256 + view.members.iter().map(member).sum::<usize>()
}

fn unknown(version: i16, id: &GroupId) -> DescribedGroup {
    let dead = DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(GroupState::Dead.name()))
        .with_error_message(None);
    if version < GROUP_ID_NOT_FOUND {
        return dead;
    }
    let message = StrBytes::from_string(format!("Group {} not found.", id.0));
    dead.with_error_code(ResponseError::GroupIdNotFound.code()).with_error_message(Some(message))
}

fn described(view: GroupView) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(view.state.name()))
        .with_protocol_type(StrBytes::from_string(view.protocol_type))
        .with_protocol_data(StrBytes::from_string(view.protocol))
        .with_members(view.members.into_iter().map(member).collect())
}

fn member(view: MemberView) -> DescribedGroupMember {
    DescribedGroupMember::default()
        .with_member_id(StrBytes::from_string(view.id))
        .with_group_instance_id(view.instance_id.map(StrBytes::from_string))
        .with_client_id(StrBytes::from_string(view.client_id))
        .with_client_host(StrBytes::from_string(view.client_host))
        .with_member_metadata(view.metadata)
        .with_member_assignment(view.assignment)
}
