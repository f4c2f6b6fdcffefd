//! FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup of dynamic members.

use crate::conformance::group::Member;
use crate::conformance::request::{group_id, text};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::*;

pub(crate) fn coordinators(s: &mut Session<'_>) {
    for kind in [0, 1, 2, 3, -1, 5] {
        for v in versions::<FindCoordinatorRequest>() {
            // Transactions are looked for where there is a transaction coordinator.
            if (kind != 0 && v == 0) || kind == 1 {
                continue;
            }
            let request = FindCoordinatorRequest::default().with_key_type(if v >= 1 { kind } else { 0 });
            if v >= 4 {
                let keys = |keys: &[&str]| {
                    request.clone().with_coordinator_keys(keys.iter().map(|k| text(k)).collect())
                };
                s.call(format!("type {kind}"), v, keys(&["a-group"]));
                s.call(format!("type {kind}, three keys"), v, keys(&["a", "", "a"]));
                s.call(format!("type {kind}, no key"), v, keys(&[]));
            } else {
                s.call(format!("type {kind}"), v, request.clone().with_key(text("a-group")));
                s.call(format!("type {kind}, an empty key"), v, request.clone().with_key(text("")));
            }
        }
    }
}

pub(crate) fn one_member(s: &mut Session<'_>) {
    for v in versions::<JoinGroupRequest>() {
        let mut m = Member::new("a", &format!("one-member-{v}"));
        m.enter(s, v);
        let (sync, beat) = (v.min(5), v.min(4));
        s.on("a").call("heartbeat before the sync", beat, m.heartbeat(beat));
        let id = m.id.clone();
        s.call("sync", sync, m.sync(sync, &[(&id, "all of it")]));
        s.call("sync again", sync, m.sync(sync, &[]));
        s.call("heartbeat", beat, m.heartbeat(beat));
        let answer = s.call("the leader joins again", v, m.join(v));
        m.joined(answer);
        s.call("heartbeat", beat, m.heartbeat(beat));
        s.call("sync without an assignment", sync, m.sync(sync, &[]));
        let old = Member { generation: m.generation - 1, ..m.clone() };
        s.call("heartbeat of the generation before", beat, old.heartbeat(beat));
        s.call("sync of the generation before", sync, old.sync(sync, &[]));
        let leave = v.min(5);
        s.call("leave", leave, m.leave(leave));
        s.call("heartbeat after it left", beat, m.heartbeat(beat));
        s.call("sync after it left", sync, m.sync(sync, &[]));
        s.call("leave again", leave, m.leave(leave));
        s.call("join with the old id", v, m.join(v));
        s.on("main");
    }
}

pub(crate) fn two_members(s: &mut Session<'_>) {
    for v in versions::<JoinGroupRequest>() {
        let group = format!("two-members-{v}");
        let (mut a, mut b) = (Member::new("a", &group), Member::new("b", &group));
        let (sync, beat, leave) = (v.min(5), v.min(4), v.min(5));
        a.enter(s, v);
        let id = a.id.clone();
        s.on("a").call("a syncs", sync, a.sync(sync, &[(&id, "everything")]));
        let joining = b.begin_to_enter(s, v);
        s.on("a").call("a hears of the rebalance", beat, a.heartbeat(beat));
        s.call("a syncs in the rebalance", sync, a.sync(sync, &[]));
        let answer = s.call("a joins again", v, a.join(v));
        a.joined(answer);
        b.entered(s, joining);
        let pending = s.on("b").begin(sync, b.sync(sync, &[]));
        let parts = [(a.id.clone(), "first"), (b.id.clone(), "second")];
        let parts: Vec<_> = parts.iter().map(|(id, part)| (id.as_str(), *part)).collect();
        s.on("a").call("a, the leader, syncs", sync, a.sync(sync, &parts));
        s.finish("b, who follows, has synced", pending);
        s.on("b").call("b joins again unchanged", v, b.join(v));
        s.call("b syncs again", sync, b.sync(sync, &[]));
        s.on("a").call("a", beat, a.heartbeat(beat));
        s.on("main").call(
            "described",
            5,
            DescribeGroupsRequest::default().with_groups(vec![group_id(&group)]),
        );
        s.on("b").call("b leaves", leave, b.leave(leave));
        s.on("a").call("a hears of it", beat, a.heartbeat(beat));
        let answer = s.call("a joins again", v, a.join(v));
        a.joined(answer);
        s.call("a leaves before its sync", leave, a.leave(leave));
        s.on("main").call(
            "described",
            5,
            DescribeGroupsRequest::default().with_groups(vec![group_id(&group)]),
        );
    }
}

pub(crate) fn protocols(s: &mut Session<'_>) {
    for v in versions::<JoinGroupRequest>() {
        let group = format!("protocols-{v}");
        let mut a = Member::new("a", &group).protocols(&["range", "roundrobin", "sticky"]);
        let mut b = Member::new("b", &group).protocols(&["sticky", "roundrobin"]);
        a.enter(s, v);
        let joining = b.begin_to_enter(s, v);
        let answer = s.on("a").call("a joins again", v, a.join(v));
        a.joined(answer);
        b.entered(s, joining);
        let stranger = Member::new("c", &group).protocols(&["other"]);
        s.on("main").call("no protocol in common", v, stranger.join(v));
        let kind = Member::new("c", &group).join(v).with_protocol_type(text("connect"));
        s.call("another protocol type", v, kind);
        let none = Member::new("c", &group).protocols(&[]);
        s.call("no protocol", v, none.join(v));
        let only = Member::new("c", &group).protocols(&["range"]);
        s.call("a protocol that not all have", v, only.join(v));
        if v >= 5 {
            let mut m = a.clone();
            m.protocols = vec!["other"];
            s.call("sync with another protocol", 5, m.sync(5, &[]));
            let other = a.sync(5, &[]).with_protocol_type(Some(text("connect")));
            s.call("sync with another type", 5, other);
        }
        for m in [&a, &b] {
            s.quietly(
                2,
                LeaveGroupRequest::default().with_group_id(group_id(&group)).with_member_id(text(&m.id)),
            );
        }
    }
}

pub(crate) fn refused(s: &mut Session<'_>) {
    for v in versions::<JoinGroupRequest>() {
        let m = Member::new("a", &format!("refused-{v}"));
        s.call("an empty group id", v, Member::new("a", "").join(v));
        s.call("no protocol", v, m.clone().protocols(&[]).join(v));
        s.call("an empty protocol type", v, m.join(v).with_protocol_type(text("")));
        for timeout in [0, -1, 5_999, 1_800_001, i32::MAX] {
            s.call(format!("session timeout {timeout}"), v, m.join(v).with_session_timeout_ms(timeout));
        }
        let known = Member { id: "a-member".to_string(), ..m.clone() };
        s.call("an id nobody gave", v, known.join(v));
        if v >= 1 {
            s.call("a negative rebalance timeout", v, known.join(v).with_rebalance_timeout_ms(-5));
        }
        if v >= 8 {
            s.call("a reason", v, known.join(v).with_reason(Some(text("because"))));
        }
        if v >= 5 {
            s.call("an id with an unknown instance", v, known.clone().instance("i").join(v));
            s.call(
                "an empty instance",
                v,
                Member::new("a", &format!("refused-empty-{v}")).instance("").join(v),
            );
            s.call(
                "an odd instance",
                v,
                Member::new("a", &format!("refused-odd-{v}")).instance("a b").join(v),
            );
        }
    }
    for v in versions::<SyncGroupRequest>() {
        let m = Member { id: "a-member".to_string(), generation: 1, ..Member::new("a", "refused-unknown") };
        s.call("an unknown group", v, m.sync(v, &[]));
        s.call("an empty group", v, Member { group: String::new(), ..m.clone() }.sync(v, &[]));
        s.call("an empty member", v, Member { id: String::new(), ..m.clone() }.sync(v, &[]));
        if v >= 5 {
            s.call("no protocol name", v, m.sync(v, &[]).with_protocol_name(None));
            s.call("no protocol type", v, m.sync(v, &[]).with_protocol_type(None));
        }
    }
    for v in versions::<HeartbeatRequest>() {
        let m = Member { id: "a-member".to_string(), generation: 1, ..Member::new("a", "refused-unknown") };
        s.call("an unknown group", v, m.heartbeat(v));
        s.call("an empty group", v, Member { group: String::new(), ..m.clone() }.heartbeat(v));
        if v >= 3 {
            s.call("an unknown instance", v, m.clone().instance("i").heartbeat(v));
        }
    }
    for v in versions::<LeaveGroupRequest>() {
        let m = Member { id: "a-member".to_string(), ..Member::new("a", "refused-unknown") };
        s.call("an unknown group", v, m.leave(v));
        s.call("an empty group", v, Member { group: String::new(), ..m.clone() }.leave(v));
        if v >= 3 {
            s.call(
                "an unknown instance",
                v,
                Member { id: String::new(), ..m.clone() }.instance("i").leave(v),
            );
            s.call("nobody", v, m.leave(v).with_members(vec![]));
        }
    }
}

pub(crate) fn wrong_members(s: &mut Session<'_>) {
    for v in 0..=5 {
        let group = format!("wrong-members-{v}");
        let mut a = Member::new("a", &group);
        a.enter(s, v);
        let id = a.id.clone();
        let other = Member { id: "somebody".to_string(), ..a.clone() };
        let ahead = Member { generation: a.generation + 1, ..a.clone() };
        let beat = v.min(4);
        for when in ["before the sync", "after the sync"] {
            s.call(format!("{when}: heartbeat of somebody"), beat, other.heartbeat(beat));
            s.call(format!("{when}: heartbeat ahead"), beat, ahead.heartbeat(beat));
            s.call(
                format!("{when}: heartbeat of generation -1"),
                beat,
                Member { generation: -1, ..a.clone() }.heartbeat(beat),
            );
            s.call(format!("{when}: sync of somebody"), v, other.sync(v, &[]));
            s.call(format!("{when}: sync ahead"), v, ahead.sync(v, &[]));
            s.call(format!("{when}: somebody leaves"), v, other.leave(v));
            s.call("sync", v, a.sync(v, &[(&id, "mine"), ("somebody", "not there")]));
        }
        if v >= 3 {
            let instance = a.clone().instance("an-instance");
            s.call("heartbeat with an instance", beat, instance.heartbeat(beat));
            s.call("sync with an instance", v, instance.sync(v, &[]));
            s.call("leave with an instance", v, instance.leave(v));
            let both = [&a.id, "somebody", ""];
            let members = both.iter().map(|id| MemberIdentity::default().with_member_id(text(id))).collect();
            s.call("several leave", v, a.leave(v).with_members(members));
        }
    }
}

/// Three members; the leader goes; one is late.
pub(crate) fn three_members(s: &mut Session<'_>) {
    for v in [2, 5, 9] {
        let group = format!("three-members-{v}");
        let (mut a, mut b, mut c) =
            (Member::new("a", &group), Member::new("b", &group), Member::new("c", &group));
        let (sync, beat, leave) = (v.min(5), v.min(4), v.min(5));
        a.enter(s, v);
        let joining = b.begin_to_enter(s, v);
        let answer = s.on("a").call("a joins again", v, a.join(v));
        a.joined(answer);
        b.entered(s, joining);
        let joining = c.begin_to_enter(s, v);
        let pending = s.on("b").begin(v, b.join(v));
        let answer = s.on("a").call("a joins again", v, a.join(v));
        a.joined(answer);
        b.entered(s, pending);
        c.entered(s, joining);
        let waiting_b = s.on("b").begin(sync, b.sync(sync, &[]));
        let waiting_c = s.on("c").begin(sync, c.sync(sync, &[]));
        s.on("a").call("the leader leaves instead of syncing", leave, a.leave(leave));
        s.finish("b's sync", waiting_b);
        s.finish("c's sync", waiting_c);
        s.on("b").call("b", beat, b.heartbeat(beat));
        // Who leads next is any of those that are left: one is left.
        s.on("c").call("c leaves", leave, c.leave(leave));
        let answer = s.on("b").call("b joins again", v, b.join(v));
        b.joined(answer);
        let id = b.id.clone();
        s.call("b syncs", sync, b.sync(sync, &[(&id, "everything")]));
        s.on("main").call(
            "described",
            5,
            DescribeGroupsRequest::default().with_groups(vec![group_id(&group)]),
        );
        s.on("b").call("b leaves", leave, b.leave(leave));
        s.on("main").call(
            "described",
            5,
            DescribeGroupsRequest::default().with_groups(vec![group_id(&group)]),
        );
    }
}

/// A member that does not join again in time is left behind.
pub(crate) fn too_late(s: &mut Session<'_>) {
    for v in [1, 4, 9] {
        let group = format!("too-late-{v}");
        let (mut a, mut b) = (Member::new("a", &group), Member::new("b", &group));
        let (sync, beat) = (v.min(5), v.min(4));
        let hurried = |m: &Member| m.join(v).with_rebalance_timeout_ms(300);
        let answer = s.on("a").call("a joins", v, hurried(&a));
        let again = answer.as_ref().is_some_and(|r| r.error_code == 79);
        a.joined(answer);
        if again {
            let answer = s.call("a joins with its id", v, hurried(&a));
            a.joined(answer);
        }
        let id = a.id.clone();
        s.call("a syncs", sync, a.sync(sync, &[(&id, "everything")]));
        let answer = s.on("b").call("b joins", v, hurried(&b));
        let again = answer.as_ref().is_some_and(|r| r.error_code == 79);
        b.joined(answer);
        if again {
            let answer = s.call("b joins with its id", v, hurried(&b));
            b.joined(answer);
        }
        s.on("a").call("a is unknown", beat, a.heartbeat(beat));
        s.call("a cannot sync", sync, a.sync(sync, &[]));
        let id = b.id.clone();
        s.on("b").call("b leads", sync, b.sync(sync, &[(&id, "everything")]));
        s.on("main").call(
            "described",
            5,
            DescribeGroupsRequest::default().with_groups(vec![group_id(&group)]),
        );
    }
}

/// The leader of a generation does not sync in time: nobody of it is left.
pub(crate) fn leader_without_sync(s: &mut Session<'_>) {
    for v in [1, 5] {
        let mut m = Member::new("a", &format!("no-sync-{v}"));
        let hurried = |m: &Member| m.join(v).with_rebalance_timeout_ms(200);
        let answer = s.on("a").call("joins", v, hurried(&m));
        let again = answer.as_ref().is_some_and(|r| r.error_code == 79);
        m.joined(answer);
        if again {
            let answer = s.call("joins with its id", v, hurried(&m));
            m.joined(answer);
        }
        s.await_state(&m.group, "Empty");
        let (sync, beat) = (v.min(5), v.min(4));
        s.call("heartbeat", beat, m.heartbeat(beat));
        s.call("sync", sync, m.sync(sync, &[]));
        s.on("main").call(
            "described",
            5,
            DescribeGroupsRequest::default().with_groups(vec![group_id(&m.group)]),
        );
    }
}
