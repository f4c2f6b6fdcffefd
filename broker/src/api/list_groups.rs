//! ListGroups, versions 0 to 5: which groups the node that is asked coordinates.
//!
//! From version 4 states can be asked for (KIP-518), from 5 types (KIP-848); both ignore case, and what is no state or
//! type matches nothing.

use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::context::{Answer, RequestContext};
use crate::coordinator::group::GROUP_TYPE_CLASSIC;

pub(crate) async fn handle(cx: &RequestContext, request: ListGroupsRequest) -> Answer<ListGroupsResponse> {
    let wanted = |filter: &[StrBytes], name: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let coordinates = cx.broker.coordinates(cx.node());
    let groups = cx.broker.groups.list(|group| {
        if !coordinates(group.id()) {
            return None;
        }
        let (state, kind) = (group.state().name(), GROUP_TYPE_CLASSIC);
        if !wanted(&request.states_filter, state) || !wanted(&request.types_filter, kind) {
            return None;
        }
        let listed = ListedGroup::default()
            .with_group_id(GroupId(StrBytes::from_string(group.id().to_owned())))
            .with_protocol_type(StrBytes::from_string(group.protocol_type().to_owned()))
            .with_group_state(StrBytes::from_static_str(state))
            .with_group_type(StrBytes::from_static_str(kind));
        Some(listed)
    });
    Ok(ListGroupsResponse::default().with_groups(groups))
}
