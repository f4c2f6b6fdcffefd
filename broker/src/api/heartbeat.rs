//! Heartbeat, versions 0 to 4: a member lives, and learns whether it has to join again.
//!
//! From version 3 members can be static (KIP-345).

use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::context::{Answer, RequestContext, code};

pub(crate) async fn handle(cx: &RequestContext, request: HeartbeatRequest) -> Answer<HeartbeatResponse> {
    let instance_id = request.group_instance_id.as_deref();
    if let Err(error) = cx.check_coordinates(&request.group_id) {
        return Ok(HeartbeatResponse::default().with_error_code(error.code()));
    }
    let groups = &cx.broker.groups;
    let beat = groups.heartbeat(&request.group_id, &request.member_id, instance_id, request.generation_id);
    Ok(HeartbeatResponse::default().with_error_code(code(beat.err())))
}
