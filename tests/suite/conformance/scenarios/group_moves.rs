//! Groups in the middle of things: joining before the sync, pending members, missing assignments, sessions that end.

use crate::conformance::group::Member;
use crate::conformance::request::group_id;
use crate::conformance::session::Session;
use kafka_protocol::messages::*;

fn described(s: &mut Session<'_>, group: &str) {
    s.on("main").call("described", 5, DescribeGroupsRequest::default().with_groups(vec![group_id(group)]));
}

/// Somebody joins a group whose leader has not synced yet.
pub(crate) fn before_the_sync(s: &mut Session<'_>) {
    for v in 0..=9 {
        let group = format!("before-sync-{v}");
        let (mut a, mut b, mut c) =
            (Member::new("a", &group), Member::new("b", &group), Member::new("c", &group));
        let (sync, beat) = (v.min(5), v.min(4));
        a.enter(s, v);
        let joining = b.begin_to_enter(s, v);
        let answer = s.on("a").call("a joins again", v, a.join(v));
        a.joined(answer);
        b.entered(s, joining);
        let waiting = s.on("b").begin(sync, b.sync(sync, &[]));
        let joining = c.begin_to_enter(s, v);
        s.finish("b, who waits for its part", waiting);
        s.on("a").call("the leader", beat, a.heartbeat(beat));
        let ids = (a.id.clone(), b.id.clone());
        s.call("the leader is too late", sync, a.sync(sync, &[(&ids.0, "first"), (&ids.1, "second")]));
        let again = s.on("b").begin(v, b.join(v));
        let answer = s.on("a").call("a joins again", v, a.join(v));
        a.joined(answer);
        b.entered(s, again);
        c.entered(s, joining);
        let waiting_b = s.on("b").begin(sync, b.sync(sync, &[]));
        let waiting_c = s.on("c").begin(sync, c.sync(sync, &[]));
        let ids = (a.id.clone(), c.id.clone());
        let parts = [(ids.0.as_str(), "first"), (ids.1.as_str(), "third"), ("stranger", "nothing")];
        s.on("a").call("the leader forgets b", sync, a.sync(sync, &parts));
        s.finish("b has no part", waiting_b);
        s.finish("c has its part", waiting_c);
        s.on("b").call("b", beat, b.heartbeat(beat));
        described(s, &group);
    }
}

/// A member that was given its id but has not joined with it.
pub(crate) fn pending_members(s: &mut Session<'_>) {
    for v in 4..=9 {
        let mut a = Member::new("a", &format!("pending-{v}"));
        let answer = s.on("a").call("asks for an id", v, a.join(v));
        a.joined(answer);
        let (sync, beat, leave) = (v.min(5), v.min(4), v.min(5));
        described(s, &a.group);
        s.on("a").call("heartbeat", beat, a.heartbeat(beat));
        s.call("sync", sync, a.sync(sync, &[]));
        s.call("leave", leave, a.leave(leave));
        s.call("leave again", leave, a.leave(leave));
        s.call("join after it left", v, a.join(v));
        s.call("delete", 2, DeleteGroupsRequest::default().with_groups_names(vec![group_id(&a.group)]));
        let mut b = Member::new("b", &a.group);
        b.enter(s, v);
        let mut c = Member::new("c", &a.group);
        let answer = s.on("c").call("another asks for an id", v, c.join(v));
        c.joined(answer);
        let id = b.id.clone();
        s.on("b").call("the member syncs", sync, b.sync(sync, &[(&id, "everything")]));
        described(s, &a.group);
        s.on("c").call("another leaves", leave, c.leave(leave));
        described(s, &a.group);
    }
}

/// A member that is not heard of within the shortest session there is.
pub(crate) fn session_ends(s: &mut Session<'_>) {
    let mut members = Vec::new();
    for v in [0, 3, 5, 9] {
        let mut a = Member::new("a", &format!("session-ends-{v}"));
        if v == 9 {
            a = a.instance("one");
        }
        let hurried = |m: &Member| m.join(v).with_session_timeout_ms(6_000);
        let answer = s.on("a").call("joins", v, hurried(&a));
        let again = answer.as_ref().is_some_and(|r| r.error_code == 79);
        a.joined(answer);
        if again {
            let answer = s.call("joins with its id", v, hurried(&a));
            a.joined(answer);
        }
        let (sync, id) = (v.min(5), a.id.clone());
        s.call("syncs", sync, a.sync(sync, &[(&id, "everything")]));
        members.push((v, a));
    }
    for (v, a) in &members {
        s.await_state(&a.group, "Empty");
        let (sync, beat, leave) = (v.min(&5), v.min(&4), v.min(&5));
        s.on("a").call("heartbeat", *beat, a.heartbeat(*beat));
        s.call("sync", *sync, a.sync(*sync, &[]));
        s.call("join with the old id", *v, a.join(*v));
        s.call("leave", *leave, a.leave(*leave));
        described(s, &a.group);
    }
}

/// The last member goes, another comes: the generation goes on.
pub(crate) fn generations_go_on(s: &mut Session<'_>) {
    for v in 0..=9 {
        let group = format!("generations-{v}");
        for name in ["a", "b", "c"] {
            let mut m = Member::new(name, &group);
            m.enter(s, v);
            let (sync, id) = (v.min(5), m.id.clone());
            s.on(name).call("syncs", sync, m.sync(sync, &[(&id, name)]));
            s.call("leaves", v.min(5), m.leave(v.min(5)));
            described(s, &group);
        }
        let mut other = Member::new("d", &group).protocols(&["sticky"]);
        other.enter(s, v);
        let connect = Member::new("e", &group).join(v);
        let connect = connect.with_protocol_type(crate::conformance::request::text("connect"));
        s.on("e").call("another type while somebody is in it", v, connect.clone());
        s.on("d").call("leaves", v.min(5), other.leave(v.min(5)));
        s.on("e").call("another type when it is empty", v, connect);
        described(s, &group);
    }
}
