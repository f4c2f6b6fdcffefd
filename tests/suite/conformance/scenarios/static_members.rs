//! Static members (KIP-345).

use crate::conformance::group::Member;
use crate::conformance::request::{group_id, text};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::*;

fn with_instances() -> std::ops::RangeInclusive<i16> {
    5..=*versions::<JoinGroupRequest>().end()
}

fn described(s: &mut Session<'_>, group: &str) {
    s.on("main").call("described", 5, DescribeGroupsRequest::default().with_groups(vec![group_id(group)]));
}

pub(crate) fn comes_back(s: &mut Session<'_>) {
    for v in with_instances() {
        let mut a = Member::new("a", &format!("static-{v}")).instance("one");
        a.enter(s, v);
        let id = a.id.clone();
        s.on("a").call("sync", 5, a.sync(5, &[(&id, "everything")]));
        described(s, &a.group);
        let mut back = Member { id: String::new(), name: "a2", ..a.clone() };
        let answer = s.on("a2").call("comes back without its id, other metadata", v, back.join(v));
        back.joined(answer);
        let before = a.clone();
        s.on("a").call("the one before: heartbeat", 4, before.heartbeat(4));
        s.call("the one before: sync", 5, before.sync(5, &[]));
        s.call("the one before: join", v, before.join(v));
        s.call("the one before: leave", 5, before.leave(5));
        let id = back.id.clone();
        s.on("a2").call("sync", 5, back.sync(5, &[(&id, "everything")]));
        s.call("heartbeat", 4, back.heartbeat(4));
        let mut again = Member { id: String::new(), ..back.clone() };
        let answer = s.call("comes back without its id, unchanged", v, again.join(v));
        again.joined(answer);
        let id = again.id.clone();
        s.call("sync", 5, again.sync(5, &[(&id, "everything")]));
        s.call("heartbeat without the instance", 4, Member { instance: None, ..again.clone() }.heartbeat(4));
        s.call(
            "heartbeat with another instance",
            4,
            Member { instance: Some("two"), ..again.clone() }.heartbeat(4),
        );
        s.call(
            "a known id joins with another instance",
            v,
            Member { instance: Some("two"), ..again.clone() }.join(v),
        );
        s.call(
            "the instance with another id",
            v,
            Member { id: "somebody".to_string(), ..again.clone() }.join(v),
        );
        described(s, &again.group);
        let leave = LeaveGroupRequest::default().with_group_id(group_id(&again.group));
        let by = |id: &str, instance: Option<&str>| {
            MemberIdentity::default().with_member_id(text(id)).with_group_instance_id(instance.map(text))
        };
        s.call("leave: an unknown instance", 5, leave.clone().with_members(vec![by("", Some("two"))]));
        s.call(
            "leave: the instance, another id",
            5,
            leave.clone().with_members(vec![by("somebody", Some("one"))]),
        );
        s.call("leave: only the instance, and again", 5, {
            leave.clone().with_members(vec![by("", Some("one")), by("", Some("one"))])
        });
        described(s, &again.group);
    }
}

pub(crate) fn among_others(s: &mut Session<'_>) {
    for v in with_instances() {
        let group = format!("static-others-{v}");
        let mut a = Member::new("a", &group).instance("one");
        let mut b = Member::new("b", &group).instance("two");
        a.enter(s, v);
        let joining = b.begin_to_enter(s, v);
        let answer = s.on("a").call("a joins again", v, a.join(v));
        a.joined(answer);
        b.entered(s, joining);
        let pending = s.on("b").begin(5, b.sync(5, &[]));
        let ids = (a.id.clone(), b.id.clone());
        s.on("a").call("a syncs", 5, a.sync(5, &[(&ids.0, "first"), (&ids.1, "second")]));
        s.finish("b has synced", pending);
        let mut back = Member { id: String::new(), ..b.clone() };
        let answer = s.on("b").call("b comes back", v, back.join(v));
        back.joined(answer);
        s.call("b syncs", 5, back.sync(5, &[]));
        s.on("a").call("a notices nothing", 4, a.heartbeat(4));
        let mut leader = Member { id: String::new(), ..a.clone() };
        let answer = s.call("the leader comes back", v, leader.join(v));
        leader.joined(answer);
        s.call("the leader syncs", 5, leader.sync(5, &[]));
        s.on("b").call("b notices nothing", 4, back.heartbeat(4));
        described(s, &group);
        let pending = s.on("a").begin(v, leader.join(v));
        s.await_state(&group, "PreparingRebalance");
        s.on("b").call("b hears of the rebalance", 4, back.heartbeat(4));
        let answer = s.call("b joins again", v, back.join(v));
        back.joined(answer);
        leader.entered(s, pending);
        described(s, &group);
        s.on("a").call("the leader leaves", 5, leader.leave(5));
        s.on("b").call("b leaves", 5, back.leave(5));
    }
}
