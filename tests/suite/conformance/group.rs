//! Members of groups, as scenarios use them.

use super::request::{group_id, text};
use super::session::{Pending, Session};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Encodable;

/// A member that uses one version of each request.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Also the name of its connection.
    pub(crate) name: &'static str,
    pub(crate) group: String,
    pub(crate) id: String,
    pub(crate) instance: Option<&'static str>,
    pub(crate) generation: i32,
    pub(crate) protocols: Vec<&'static str>,
    /// What it subscribes to.
    pub(crate) topic: &'static str,
}

/// A consumer's subscription: Kafka's coordinator reads it, and never answers a join with one that it cannot read.
fn subscription(topic: &str, user_data: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    ConsumerProtocolSubscription::default()
        .with_topics(vec![text(topic)])
        .with_user_data(Some(Bytes::from(user_data.to_string())))
        .encode(&mut bytes, 0)
        .expect("memory takes it");
    Bytes::from([&[0, 0], &bytes[..]].concat())
}

impl Member {
    pub(crate) fn new(name: &'static str, group: &str) -> Member {
        Member {
            name,
            group: group.to_string(),
            id: String::new(),
            instance: None,
            generation: -1,
            protocols: vec!["range"],
            topic: "some-topic",
        }
    }

    pub(crate) fn instance(self, instance: &'static str) -> Member {
        Member { instance: Some(instance), ..self }
    }

    pub(crate) fn protocols(self, protocols: &[&'static str]) -> Member {
        Member { protocols: protocols.to_vec(), ..self }
    }

    /// A request to join. Versions before 5 know no instances.
    pub(crate) fn join(&self, version: i16) -> JoinGroupRequest {
        let protocol = |name: &&str| {
            JoinGroupRequestProtocol::default()
                .with_name(text(name))
                .with_metadata(subscription(self.topic, &format!("{} for {name}", self.name)))
        };
        let request = JoinGroupRequest::default()
            .with_group_id(group_id(&self.group))
            .with_session_timeout_ms(30_000)
            .with_rebalance_timeout_ms(if version >= 1 { 60_000 } else { -1 })
            .with_member_id(text(&self.id))
            .with_protocol_type(text("consumer"))
            .with_protocols(self.protocols.iter().map(protocol).collect());
        if version >= 5 { request.with_group_instance_id(self.instance.map(text)) } else { request }
    }

    pub(crate) fn sync(&self, version: i16, assignments: &[(&str, &str)]) -> SyncGroupRequest {
        let assignment = |(member, what): &(&str, &str)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(member))
                .with_assignment(Bytes::from(what.to_string()))
        };
        let request = SyncGroupRequest::default()
            .with_group_id(group_id(&self.group))
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id))
            .with_assignments(assignments.iter().map(assignment).collect());
        let request =
            if version >= 3 { request.with_group_instance_id(self.instance.map(text)) } else { request };
        match version {
            5.. => request
                .with_protocol_type(Some(text("consumer")))
                .with_protocol_name(Some(text(self.protocols[0]))),
            _ => request,
        }
    }

    pub(crate) fn heartbeat(&self, version: i16) -> HeartbeatRequest {
        let request = HeartbeatRequest::default()
            .with_group_id(group_id(&self.group))
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id));
        if version >= 3 { request.with_group_instance_id(self.instance.map(text)) } else { request }
    }

    pub(crate) fn leave(&self, version: i16) -> LeaveGroupRequest {
        let request = LeaveGroupRequest::default().with_group_id(group_id(&self.group));
        if version < 3 {
            return request.with_member_id(text(&self.id));
        }
        let member = MemberIdentity::default()
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.map(text));
        request.with_members(vec![member])
    }

    /// Takes over what the answer says.
    pub(crate) fn joined(&mut self, answer: Option<JoinGroupResponse>) {
        if let Some(answer) = answer {
            self.id = answer.member_id.to_string();
            self.generation = answer.generation_id;
        }
    }

    /// Joins a group in which nobody has to be waited for; from version 4 on it takes two requests.
    pub(crate) fn enter(&mut self, s: &mut Session<'_>, version: i16) {
        let answer = s.on(self.name).call("joins", version, self.join(version));
        let again = answer.as_ref().is_some_and(|a| a.error_code == 79);
        self.joined(answer);
        if again {
            let answer = s.call("joins with its id", version, self.join(version));
            self.joined(answer);
        }
        s.on("main");
    }

    /// Joins a group whose other members have to join again first.
    pub(crate) fn begin_to_enter(&mut self, s: &mut Session<'_>, version: i16) -> Pending<JoinGroupRequest> {
        if version >= 4 && self.id.is_empty() && (version < 5 || self.instance.is_none()) {
            let answer = s.on(self.name).call("asks for an id", version, self.join(version));
            self.joined(answer);
        }
        let pending = s.on(self.name).begin(version, self.join(version));
        s.on("main");
        s.await_state(&self.group, "PreparingRebalance");
        pending
    }

    /// The answer to [`begin_to_enter`](Self::begin_to_enter).
    pub(crate) fn entered(&mut self, s: &mut Session<'_>, pending: Pending<JoinGroupRequest>) {
        let answer = s.finish(format!("{} has joined", self.name), pending);
        self.joined(answer);
    }
}

impl Session<'_> {
    /// Waits until a group is in a state.
    pub(crate) fn await_state(&mut self, group: &str, state: &str) {
        self.until(&format!("{group} becomes {state}"), |s| {
            let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
            *s.quietly(5, request).groups[0].group_state == *state
        });
    }
}
