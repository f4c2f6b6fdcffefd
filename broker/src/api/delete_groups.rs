//! DeleteGroups, versions 0 to 2 (KIP-229): deleting groups without members, and their offsets.
//!
//! A group that is named twice is answered once.

use std::collections::HashSet;

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse, GroupId};

use crate::context::{Answer, RequestContext, code};

pub(crate) async fn handle(
    cx: &RequestContext,
    request: DeleteGroupsRequest,
) -> Answer<DeleteGroupsResponse> {
    let mut seen = HashSet::new();
    let names = request.groups_names.into_iter().filter(|name| seen.insert(name.clone()));
    let delete = |id: GroupId| {
        let deleted = cx.check_remembers(&id).and_then(|()| cx.broker.groups.delete(&id));
        DeletableGroupResult::default().with_group_id(id).with_error_code(code(deleted.err()))
    };
    Ok(DeleteGroupsResponse::default().with_results(names.map(delete).collect()))
}
