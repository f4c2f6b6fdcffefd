//! Requests of groups and of their members: one error for each group.

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{
    BrokerId, DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{Faulty, Refused, merge, refused};
use crate::context::RequestContext;
use crate::coordinator::group::GroupState;
use crate::faults::names::error_name;
use crate::faults::verdict::{Subject, Verdict};
use crate::operations::NOT_ASKED;

/// The key type of groups in FindCoordinator.
const GROUP_KEY: i8 = 0;

/// From this version on, FindCoordinator asks for many keys.
const BATCHED: i16 = 4;

/// From this version on, JoinGroup can give no protocol.
const NULL_PROTOCOL: i16 = 7;

/// From this version on, DescribeGroups tells of a group that is not there as an error.
const GROUP_ERRORS: i16 = 6;

/// What is answered for the one group that a request is of.
fn whole<R>(verdict: &Verdict, group: &str, reply: impl FnOnce(i16) -> R) -> Refused<R> {
    verdict.of_group(group).map_or(Refused::Nothing, |code| Refused::Whole(reply(code)))
}

fn message(code: i16) -> Option<StrBytes> {
    let error = kafka_protocol::error::ResponseError::try_from_code(code)?;
    Some(StrBytes::from_string(error_name(error)))
}

impl Faulty for FindCoordinatorRequest {
    type Reply = FindCoordinatorResponse;

    fn subjects(&self, cx: &RequestContext) -> Vec<Subject> {
        if self.key_type != GROUP_KEY {
            return Vec::new();
        }
        if cx.version() < BATCHED {
            return vec![Subject::group(self.key.as_str())];
        }
        self.coordinator_keys.iter().map(|key| Subject::group(key.as_str())).collect()
    }

    fn refuse(&mut self, cx: &RequestContext, verdict: &Verdict) -> Refused<FindCoordinatorResponse> {
        let group = |key: &StrBytes| (self.key_type == GROUP_KEY).then(|| key.to_string());
        if cx.version() < BATCHED {
            let Some(code) = verdict.of_request(group(&self.key).as_deref()) else { return Refused::Nothing };
            let reply =
                FindCoordinatorResponse::default().with_error_code(code).with_error_message(message(code));
            return Refused::Whole(reply.with_node_id(BrokerId(-1)).with_port(-1));
        }
        let is_group = self.key_type == GROUP_KEY;
        let taken = merge::take(&mut self.coordinator_keys, |key| {
            let code = verdict.of_request(is_group.then_some(key.as_str()))?;
            let answer = Coordinator::default().with_key(key.clone()).with_error_code(code);
            Some(answer.with_error_message(message(code)).with_node_id(BrokerId(-1)).with_port(-1))
        });
        if taken.is_empty() {
            return Refused::Nothing;
        }
        refused(!self.coordinator_keys.is_empty(), move |reply: &mut FindCoordinatorResponse| {
            merge::put_back(&mut reply.coordinators, taken);
        })
    }
}

impl Faulty for JoinGroupRequest {
    type Reply = JoinGroupResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        vec![Subject::group(self.group_id.as_str())]
    }

    fn refuse(&mut self, cx: &RequestContext, verdict: &Verdict) -> Refused<JoinGroupResponse> {
        whole(verdict, &self.group_id, |code| {
            JoinGroupResponse::default()
                .with_error_code(code)
                .with_generation_id(-1)
                .with_protocol_name((cx.version() < NULL_PROTOCOL).then(StrBytes::default))
                .with_member_id(self.member_id.clone())
        })
    }
}

impl Faulty for SyncGroupRequest {
    type Reply = SyncGroupResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        vec![Subject::group(self.group_id.as_str())]
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<SyncGroupResponse> {
        whole(verdict, &self.group_id, |code| SyncGroupResponse::default().with_error_code(code))
    }
}

impl Faulty for HeartbeatRequest {
    type Reply = HeartbeatResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        vec![Subject::group(self.group_id.as_str())]
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<HeartbeatResponse> {
        whole(verdict, &self.group_id, |code| HeartbeatResponse::default().with_error_code(code))
    }
}

impl Faulty for LeaveGroupRequest {
    type Reply = LeaveGroupResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        vec![Subject::group(self.group_id.as_str())]
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<LeaveGroupResponse> {
        whole(verdict, &self.group_id, |code| LeaveGroupResponse::default().with_error_code(code))
    }
}

impl Faulty for DescribeGroupsRequest {
    type Reply = DescribeGroupsResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        self.groups.iter().map(|group| Subject::group(group.as_str())).collect()
    }

    fn refuse(&mut self, cx: &RequestContext, verdict: &Verdict) -> Refused<DescribeGroupsResponse> {
        let with_message = cx.version() >= GROUP_ERRORS;
        let taken = merge::take(&mut self.groups, |group| {
            let code = verdict.of_group(group)?;
            let answer = DescribedGroup::default().with_group_id(group.clone()).with_error_code(code);
            let answer = answer.with_authorized_operations(NOT_ASKED);
            let answer = answer.with_group_state(StrBytes::from_static_str(GroupState::Dead.name()));
            Some(answer.with_error_message(message(code).filter(|_| with_message)))
        });
        if taken.is_empty() {
            return Refused::Nothing;
        }
        refused(!self.groups.is_empty(), move |reply: &mut DescribeGroupsResponse| {
            merge::put_back(&mut reply.groups, taken);
        })
    }
}

impl Faulty for DeleteGroupsRequest {
    type Reply = DeleteGroupsResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        self.groups_names.iter().map(|group| Subject::group(group.as_str())).collect()
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<DeleteGroupsResponse> {
        let taken = merge::take(&mut self.groups_names, |group| {
            let code = verdict.of_group(group)?;
            Some(DeletableGroupResult::default().with_group_id(group.clone()).with_error_code(code))
        });
        if taken.is_empty() {
            return Refused::Nothing;
        }
        refused(!self.groups_names.is_empty(), move |reply: &mut DeleteGroupsResponse| {
            merge::put_back(&mut reply.results, taken);
        })
    }
}

impl Faulty for ListGroupsRequest {
    type Reply = ListGroupsResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        Vec::new()
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<ListGroupsResponse> {
        let code = verdict.of_request(None);
        code.map_or(Refused::Nothing, |code| {
            Refused::Whole(ListGroupsResponse::default().with_error_code(code))
        })
    }
}
